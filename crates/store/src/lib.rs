//! Everything that wahana keeps, on SQLite and PostgreSQL.
//!
//! The connections are private to this crate. Whoever wants rows of an organization needs a
//! [`Tenant`], which only authentication and a short list of platform functions give out, and gets a
//! [`TenantTx`] that adds the organization to every statement itself. What happens before an
//! organization is known goes through [`PlatformTx`].

pub mod access_tokens;
pub mod activity;
pub mod audit;
mod cache;
mod callers;
mod commit_news;
mod connection;
mod entity;
mod erased_messages;
pub mod erasures;
mod error;
pub mod events;
pub mod exports;
mod hook_keys;
pub mod hooks;
pub mod idempotency;
pub mod invitations;
pub mod jobs;
mod key_ring;
pub mod media_files;
mod media_link_keys;
pub mod members;
pub mod messages;
mod migration;
mod needs;
mod open_transactions;
pub mod organization_events;
pub mod organizations;
mod platform;
mod search;
pub mod sessions;
mod settings;
mod store;
mod table_sizes;
mod tenant;
mod transaction;
mod transitions;
pub mod upkeep;
pub mod usage;
pub mod webhooks;

pub use cache::{CachedRead, TenantCache};
pub use callers::{
    Caller, Callers, Credential, Identity, NoCaller, PlatformAdministrator, PresentedCredential,
};
pub use commit_news::{EventWatch, Woken};
use error::readable;
pub use error::{StoreError, Uniqueness};
pub use hook_keys::{Hook, HookKeyId, InvalidHookKeyId};
pub use key_ring::{Belonging, KeyRing, KeyRingError};
pub use migration::migrate;
pub use open_transactions::is_transaction_open_in_this_task;
pub use platform::{
    DueEndpoint, DueSession, EndedMediaFile, HookedServer, HookedSession, JobClaim, JobCount, JobQuery,
    LastSnapshot, Lease, Leftover, NewPlatformToken, NewServer, NewUser, PlatformTx, Reencrypted,
    SecretPlace, ServerChange, ServerInCare, ServerLoad, SessionChanges, SessionCount, SessionInNeed,
    SessionOnServer, StandingLease, StoredPassword, StrandedEndpoint, UserChange, WaitingDeliveries,
};
pub use settings::DatabaseSettings;
pub use store::Store;
pub use table_sizes::TableSize;
pub use tenant::{Tenant, TenantTx};
