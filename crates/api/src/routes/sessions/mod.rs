//! `/api/waha/sessions`

mod actions;
mod configuration;
mod create;
mod list;
mod pacing;
mod pairing;
mod read;
mod update;

pub(crate) use actions::*;
pub(crate) use create::*;
pub(crate) use list::*;
pub(crate) use pacing::*;
pub(crate) use pairing::*;
pub(crate) use read::*;
pub(crate) use update::*;

use serde::Serialize;
use utoipa::ToSchema;
use wahana_domain::{
    DesiredStatus, HealthStatus, OrganizationId, PhoneNumber, Session, SessionId, SessionName, SessionStatus,
    Timestamp,
};
use wahana_service::{FieldErrors, SyncReport};

/// A session.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionResource<'a> {
    #[schema(value_type = String, format = Uuid)]
    id: SessionId,
    #[schema(value_type = String, format = Uuid)]
    organization_id: OrganizationId,
    #[schema(value_type = String)]
    session_name: &'a SessionName,
    display_name: Option<&'a str>,
    /// In E.164; null until it is known.
    #[schema(value_type = Option<String>)]
    phone_number: Option<&'a PhoneNumber>,
    /// `working`, `connecting`, `scan_qr`, `action_required`, `disconnected` or `error`.
    #[schema(value_type = String)]
    status: SessionStatus,
    /// WAHA's own word for it; null until WAHA said one, and when the session is gone there.
    waha_status: Option<&'a str>,
    /// What the organization wants: `running`, `stopped` or `deleted`.
    #[schema(value_type = String)]
    desired_status: DesiredStatus,
    is_connected: bool,
    is_authenticated: bool,
    is_ready: bool,
    /// `healthy`, `warning`, `critical` or `unknown`.
    #[schema(value_type = String)]
    health_status: HealthStatus,
    /// Why that is thought.
    health_reason: &'a str,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_health_check: Option<Timestamp>,
    error_count: i64,
    last_error: Option<&'a str>,
    business_name: Option<&'a str>,
    business_description: Option<&'a str>,
    business_category: Option<&'a str>,
    business_website: Option<&'a str>,
    business_email: Option<&'a str>,
    /// The pace at which it sends; null if it sends as fast as it can.
    pacing: Option<PacingFields>,
    total_messages_sent: i64,
    total_messages_received: i64,
    total_media_sent: i64,
    total_media_received: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_message_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When WAHA was last asked about it and answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_synced_at: Option<Timestamp>,
}

impl<'a> SessionResource<'a> {
    pub(crate) fn of(session: &'a Session, synced_at: Option<Timestamp>) -> Self {
        let health = session.health();
        let is_working = session.status.is_working();
        // What WAHA said of it before it was made, or of others, is not about it.
        let last_synced_at = synced_at
            .filter(|at| *at >= session.created_at)
            .or(session.observed_at);
        Self {
            id: session.id,
            organization_id: session.organization_id,
            session_name: &session.name,
            display_name: session.display_name.as_deref(),
            phone_number: session.phone_number.as_ref(),
            status: session.status,
            waha_status: session.waha_status.as_deref(),
            desired_status: session.desired_status,
            is_connected: is_working,
            is_authenticated: is_working,
            is_ready: is_working,
            health_status: health.status,
            health_reason: health.reason,
            last_health_check: last_synced_at,
            error_count: session.error_count,
            last_error: session.last_error.as_deref(),
            business_name: session.business.name.as_deref(),
            business_description: session.business.description.as_deref(),
            business_category: session.business.category.as_deref(),
            business_website: session.business.website.as_deref(),
            business_email: session.business.email.as_deref(),
            pacing: session.pacing.map(PacingFields::from),
            total_messages_sent: session.counters.messages_sent,
            total_messages_received: session.counters.messages_received,
            total_media_sent: session.counters.media_sent,
            total_media_received: session.counters.media_received,
            last_message_at: session.last_message_at,
            created_at: session.created_at,
            updated_at: session.updated_at,
            last_synced_at,
        }
    }
}

/// How old the news from WAHA are that an answer is made of.
#[derive(Serialize, ToSchema)]
pub(crate) struct SyncMeta {
    /// Whether they are as new as they should be (five seconds by default).
    is_fresh: bool,
    /// When WAHA was last asked and answered; null if it never did, or nothing needed asking.
    #[schema(value_type = Option<String>, format = DateTime)]
    synced_at: Option<Timestamp>,
    age_seconds: Option<u64>,
    /// Why they are older than they should be.
    reason: Option<&'static str>,
}

impl SyncMeta {
    pub(crate) fn of(report: &SyncReport, now: Timestamp) -> Self {
        Self {
            is_fresh: report.is_fresh,
            synced_at: report.synced_at,
            age_seconds: report.synced_at.map(|at| now.since(at).as_secs()),
            reason: report.reason,
        }
    }
}

/// What an answer about one session says besides it.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionMeta {
    sync: SyncMeta,
}

impl SessionMeta {
    fn of(report: &SyncReport, now: Timestamp) -> Self {
        Self {
            sync: SyncMeta::of(report, now),
        }
    }
}

/// Checks a text of a request that may be long, or null, or left out.
fn text<const MAX: usize>(errors: &mut FieldErrors, field: &str, text: &str) -> Option<String> {
    errors
        .take(field, wahana_domain::Text::<MAX>::parse(text))
        .map(wahana_domain::Text::into_string)
}
