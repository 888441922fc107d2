//! An organization: the tenant.

use crate::{Country, Language, OrganizationId, TimeZone, Timestamp, words::words};

/// Whether an organization may use wahana.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrganizationState {
    /// It may.
    Active,
    /// The platform suspended it: its members are told so and can do nothing.
    Suspended,
    /// It is closed: for its members it does not exist any more.
    Closed,
}

/// How much an organization may have and do. `None` is the platform's default, or no limit where there is
/// none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrganizationLimits {
    /// Living sessions.
    pub sessions: Option<i32>,
    /// Messages, media included, that one session sends in a minute.
    pub messages_per_minute: Option<i32>,
    /// Messages, media included, that one session sends in an hour.
    pub messages_per_hour: Option<i32>,
    /// Media that one session sends in a minute.
    pub media_per_minute: Option<i32>,
    /// Media that one session sends in an hour.
    pub media_per_hour: Option<i32>,
    /// Requests with one token in a minute.
    pub requests_per_minute: Option<i32>,
    /// Messages that all sessions together send in a minute.
    pub organization_messages_per_minute: Option<i32>,
    /// Messages that all sessions together send in an hour.
    pub organization_messages_per_hour: Option<i32>,
    /// Messages that all sessions together send in a calendar month of UTC.
    pub monthly_messages: Option<i32>,
    /// Messages that wait to be sent, of all sessions together.
    pub queued_messages: Option<i32>,
}

/// How long an organization's data is kept, in days. `None` is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Messages and their texts.
    pub messages_days: Option<i32>,
    /// Bytes of media.
    pub media_days: Option<i32>,
    /// Audit entries.
    pub audit_days: Option<i32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            messages_days: None,
            media_days: Some(7),
            audit_days: Some(400),
        }
    }
}

/// The tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// Whether it may use wahana.
    pub state: OrganizationState,
    /// Where its national numbers are from; unset, they are refused.
    pub country: Option<Country>,
    /// Its time zone.
    pub time_zone: TimeZone,
    /// The language it is spoken to in.
    pub language: Language,
    /// How many things it may have.
    pub limits: OrganizationLimits,
    /// How long its data is kept.
    pub retention: Retention,
    /// Whether a session that works but hears nothing may be restarted without being asked.
    pub restarts_silent_sessions: bool,
    /// Whether a message is sent again that was asked for and that WAHA says it does not have.
    pub resends_lost_messages: bool,
    /// Whether it is kept what messages say; otherwise only for as long as it takes to send them.
    pub keeps_message_texts: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its row last changed.
    pub updated_at: Timestamp,
}

words!(OrganizationState {
    Active => "active",
    Suspended => "suspended",
    Closed => "closed",
});
