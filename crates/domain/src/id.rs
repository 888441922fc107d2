//! Typed identifiers: a user's id is never taken for a session's.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id. Ids are UUIDs of version 7, so rows that are written together lie together.
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id as it is stored.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )+};
}

ids! {
    /// An organization: the tenant.
    OrganizationId;
    /// A person.
    UserId;
    /// A session: one WhatsApp account of one organization.
    SessionId;
    /// A WAHA server.
    ServerId;
    /// An invitation to an organization.
    InvitationId;
    /// A person's sign-in: what their cookie stands for.
    SignInId;
    /// A link that lets a person choose a new password.
    PasswordResetId;
    /// A message that was handed to wahana, whatever became of it.
    MessageId;
    /// A file of a message, or of one that is to be sent.
    MediaFileId;
    /// The erasure of a chat.
    ErasureId;
    /// An export of what is kept of an organization.
    ExportId;
    /// A row of the audit log.
    AuditEntryId;
    /// Something that happened in an organization, as it is told to the organization.
    EventId;
    /// An address to which an organization's events are delivered.
    WebhookEndpointId;
    /// An event on its way to an endpoint.
    WebhookDeliveryId;
    /// One try to deliver an event.
    WebhookAttemptId;
    /// A piece of background work.
    JobId;
    /// A process of wahana, from its start to its end.
    ProcessId;
}
