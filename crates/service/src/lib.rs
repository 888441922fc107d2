//! What wahana does. One module a subject; both faces and the command line call the same functions.
//!
//! A function of an organization takes a [`Granted`](access::Granted) permission, which only a
//! recognized caller who has it can hold, and validated input; it opens its own short transactions.

pub mod access;
pub mod access_tokens;
pub mod adoption;
mod attempts;
pub mod audit;
pub mod auth;
mod background;
pub mod chats;
pub mod contacts;
mod context;
pub mod erasures;
mod error;
pub mod events;
pub mod exports;
mod fields;
pub mod groups;
pub mod invitations;
pub mod jobs;
pub mod limits;
mod links;
pub mod media;
pub mod members;
pub mod messages;
pub mod organization_events;
pub mod organizations;
mod outgoing;
mod part;
pub mod password_resets;
mod passwords;
mod placement;
pub mod platform;
pub mod processes;
mod ready;
mod reconcile;
mod services;
pub mod sessions;
mod sync;
pub mod take_over;
mod upstream;
pub mod webhooks;

pub use background::Background;
pub use context::{Context, Operator, Person, RequestOrigin};
pub use error::{Conflict, ServiceError};
pub use fields::FieldErrors;
pub use links::PresentedLink;
pub use outgoing::{AllowedNetwork, InvalidAllowedNetwork, connections_to_waha};
pub use part::{Part, PartQuery};
pub use reconcile::{ReconcileSettings, Reconciler};
pub use services::{ServiceSettings, Services};
pub use sync::SyncReport;
pub use wahana_store::{
    Caller, Callers, Credential, Identity, NoCaller, PlatformAdministrator, PresentedCredential, TableSize,
};
