//! The erasure of a whole organization.

use crate::{OrganizationId, Timestamp};

/// The erasure of everything that is kept of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationErasure {
    /// The organization.
    pub organization: OrganizationId,
    /// How many rows were deleted so far.
    pub rows: u64,
    /// What it waits for, in words; `None` while it waits for nothing.
    pub waits_for: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When nothing was left; `None` before.
    pub finished_at: Option<Timestamp>,
}

impl OrganizationErasure {
    /// How it stands, as it is shown.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        if self.finished_at.is_some() {
            "done"
        } else {
            "running"
        }
    }
}
