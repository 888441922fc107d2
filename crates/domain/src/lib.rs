//! The words of wahana: identifiers, names, roles and abilities, session states, and time.
//!
//! Nothing here does input or output. Every type that comes from outside is parsed once, by the
//! constructor that names the rule it broke, and is valid from then on.

mod ability;
mod audit;
mod chat_id;
mod email;
mod erasure;
mod error_code;
mod export;
mod id;
mod job;
mod locale;
mod media;
mod media_file;
mod message;
mod organization;
mod organization_erasure;
pub mod organization_event;
mod pacing;
mod password;
mod phone;
mod process;
pub mod reconciliation;
mod role;
mod secret;
mod server;
mod session;
mod session_configuration;
mod session_name;
mod session_status;
pub mod silence;
mod text;
mod time;
mod token;
mod user;
mod webhook;
mod words;

pub use ability::{Abilities, Ability, UnknownAbility};
pub use audit::{ActorKind, AuditEntry, AuditOutcome};
pub use chat_id::{ChatId, InvalidRecipient};
pub use email::{EmailAddress, InvalidEmail};
pub use erasure::Erasure;
pub use error_code::ErrorCode;
pub use export::{Export, ExportState};
pub use id::{
    AuditEntryId, ErasureId, EventId, ExportId, InvitationId, JobId, MediaFileId, MessageId, OrganizationId,
    PasswordResetId, ProcessId, ServerId, SessionId, SignInId, UserId, WebhookAttemptId, WebhookDeliveryId,
    WebhookEndpointId,
};
pub use job::{JobState, UnknownJobState};
pub use locale::{Country, InvalidLocale, Language, TimeZone};
pub use media::{FileName, InvalidMediaType, InvalidMediaTypePattern, MediaType, MediaTypePattern};
pub use media_file::{InvalidStorageKey, MediaFile, MediaState, StorageKey, StoredBytes};
pub use message::{DeliveryStatus, Direction, InvalidMessageText, MessageKind, MessageText, OutgoingMessage};
pub use organization::{Organization, OrganizationLimits, OrganizationState, Retention};
pub use organization_erasure::OrganizationErasure;
pub use organization_event::{EventType, Happening, NewOrganizationEvent};
pub use pacing::{InvalidPacing, Pace, PaceStep, Pacing};
pub use password::{InvalidPassword, MAX_PASSWORD, MIN_PASSWORD, NewPassword, Password};
pub use phone::{InvalidPhoneNumber, PhoneNumber};
pub use process::{Process, ProcessRole, UnknownProcessRole};
pub use role::{Role, UnknownRole};
pub use secret::{Secret, SecretHash};
pub use server::WahaServer;
pub use session::{BusinessProfile, Session, SessionCounters, SessionOrigin, WahaAddress, WahaName};
pub use session_configuration::{
    ClientAppearance, IgnoredChats, NowebConfiguration, NowebStore, SessionConfiguration,
};
pub use session_name::{InvalidSessionName, RESERVED_SESSION_NAMES, SessionName};
pub use session_status::{DesiredStatus, Health, HealthStatus, SessionStatus, StatusFilter, UnknownStatus};
pub use text::{InvalidText, Text, is_unprintable};
pub use time::{Clock, InvalidTimestamp, ManualClock, Month, SystemClock, Timestamp};
pub use token::{AccessToken, InvalidTokenId, PlatformToken, TokenId};
pub use user::{Invitation, Member, Membership, User};
pub use webhook::{
    CustomHeader, DELIVERY_RETRIES, DeliveryState, ENDPOINT_PATIENCE, EndpointState, InvalidHeader,
    InvalidWebhookSecret, LONGEST_DELIVERY_WAIT, LONGEST_PAUSE, OUTAGE_GAP, SECRET_OVERLAP, WebhookAttempt,
    WebhookDelivery, WebhookEndpoint, WebhookSecret, WebhookStyle,
};
