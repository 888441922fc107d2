//! People and their places in organizations.

use crate::{EmailAddress, InvitationId, OrganizationId, Role, Timestamp, UserId};

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their e-mail address, with which they sign in.
    pub email: EmailAddress,
    /// Their name.
    pub display_name: String,
    /// Whether they operate the installation. Only the command line grants this; it gives no role
    /// in any organization.
    pub is_platform_administrator: bool,
    /// When they were disabled: since then nothing of theirs is accepted.
    pub disabled_at: Option<Timestamp>,
    /// When they were made.
    pub created_at: Timestamp,
    /// When their row last changed.
    pub updated_at: Timestamp,
}

/// A person's place in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The person.
    pub user_id: UserId,
    /// What they are there.
    pub role: Role,
    /// Since when.
    pub created_at: Timestamp,
}

/// A person as another member of the organization sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The person.
    pub user_id: UserId,
    /// Their e-mail address.
    pub email: EmailAddress,
    /// Their name.
    pub display_name: String,
    /// What they are in the organization.
    pub role: Role,
    /// Whether they were disabled by the platform.
    pub is_disabled: bool,
    /// Since when they are a member.
    pub created_at: Timestamp,
}

/// A link by which a person joins an organization: once, within seven days, with that e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The organization that invites.
    pub organization_id: OrganizationId,
    /// Whom it invites.
    pub email: EmailAddress,
    /// What they will be.
    pub role: Role,
    /// Who invited; `None` if the command line did.
    pub invited_by: Option<UserId>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used.
    pub accepted_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Invitation {
    /// Whether it can still be used.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.accepted_at.is_none() && self.revoked_at.is_none() && now < self.expires_at
    }
}
