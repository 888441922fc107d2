//! `/api/waha/organization`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{Country, Language, OrganizationId, Retention, Role, Text, TimeZone, Timestamp};
use wahana_service::{
    FieldErrors,
    access::{BeMember, ManageOrganization},
    limits::EffectiveLimits,
    organizations::{self, OrganizationChange, OrganizationView},
};

use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, Json, OfOrganization, Patch},
    state::ApiState,
};

/// The organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrganizationResource {
    #[schema(value_type = String, format = Uuid)]
    id: OrganizationId,
    name: String,
    /// `active`, or `suspended` by the platform.
    status: &'static str,
    /// Where its national numbers are from, by two letters; null if they are refused.
    #[schema(value_type = Option<String>)]
    country: Option<Country>,
    #[schema(value_type = String)]
    time_zone: TimeZone,
    #[schema(value_type = String)]
    language: Language,
    limits: Limits,
    usage: Usage,
    retention: RetentionFields,
    /// Whether wahana restarts a session, once, that works and hears nothing any more.
    restarts_silent_sessions: bool,
    /// Whether a message is sent again whose answer was lost and that WAHA says it does not have.
    resends_lost_messages: bool,
    /// Whether it is kept what messages say.
    keeps_message_texts: bool,
    /// The caller's role in it.
    #[schema(value_type = String)]
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// How much the organization may have and do; null is no limit. Set by the platform.
#[derive(Serialize, ToSchema)]
pub(crate) struct Limits {
    /// Living sessions.
    sessions: Option<u32>,
    /// Messages, media included, that one session sends in a minute.
    messages_per_minute: u32,
    /// Messages, media included, that one session sends in an hour.
    messages_per_hour: u32,
    /// Media that one session sends in a minute.
    media_per_minute: u32,
    /// Media that one session sends in an hour.
    media_per_hour: u32,
    /// Requests with one token, or of one sign-in, in a minute.
    requests_per_minute: u32,
    /// Messages that all sessions together send in a minute.
    organization_messages_per_minute: Option<u32>,
    /// Messages that all sessions together send in an hour.
    organization_messages_per_hour: Option<u32>,
    /// Messages that all sessions together send in a calendar month of UTC.
    monthly_messages: Option<u32>,
    /// Messages of all sessions together that wait to be sent.
    queued_messages: u32,
}

/// What the organization has used up.
#[derive(Serialize, ToSchema)]
pub(crate) struct Usage {
    /// The calendar month of UTC that it is, such as `2026-01`.
    month: String,
    /// The messages that were handed over to WAHA in this month.
    messages: u64,
}

impl From<EffectiveLimits> for Limits {
    fn from(limits: EffectiveLimits) -> Self {
        Self {
            sessions: limits.sessions,
            messages_per_minute: limits.messages_per_minute,
            messages_per_hour: limits.messages_per_hour,
            media_per_minute: limits.media_per_minute,
            media_per_hour: limits.media_per_hour,
            requests_per_minute: limits.requests_per_minute,
            organization_messages_per_minute: limits.organization_messages_per_minute,
            organization_messages_per_hour: limits.organization_messages_per_hour,
            monthly_messages: limits.monthly_messages,
            queued_messages: limits.queued_messages,
        }
    }
}

/// For how many days data is kept; null is for ever. It must be said, so that leaving one out does not
/// mean for ever.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[expect(
    clippy::struct_field_names,
    reason = "the unit belongs into the names of the API"
)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetentionFields {
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(minimum = 1, maximum = 3650)]
    messages_days: Option<i32>,
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(minimum = 1, maximum = 3650)]
    media_days: Option<i32>,
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(minimum = 1, maximum = 3650)]
    audit_days: Option<i32>,
}

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateOrganization {
    #[schema(max_length = 100)]
    name: Option<String>,
    /// Two letters, or null for none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    country: Patch<String>,
    time_zone: Option<String>,
    language: Option<String>,
    /// All three of them.
    retention: Option<RetentionFields>,
    /// Whether wahana restarts a session, once, that works and hears nothing any more. That interrupts it for
    /// some seconds; otherwise its health only says so.
    restarts_silent_sessions: Option<bool>,
    /// Whether a message that nobody waited for is sent again, when WAHA did not answer, was asked for it several
    /// times later, and says that it does not have it. Otherwise it is `failed`.
    resends_lost_messages: Option<bool>,
    /// Whether it is kept what messages say. Otherwise that of a message to be sent is kept until WAHA took it or it
    /// ended, and that of others not at all; what was kept before is deleted within hours.
    keeps_message_texts: Option<bool>,
}

const MAX_RETENTION_DAYS: i32 = 3650;

impl UpdateOrganization {
    fn check(self) -> Result<OrganizationChange, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = self
            .name
            .map(|name| errors.take("name", Text::<100>::parse(&name)));
        let country = self
            .country
            .map(|country| errors.take("country", country.parse::<Country>()));
        let time_zone = self
            .time_zone
            .map(|zone| errors.take("time_zone", zone.parse::<TimeZone>()));
        let language = self
            .language
            .map(|language| errors.take("language", language.parse::<Language>()));
        for (field, days) in self.retention.iter().flat_map(|retention| {
            [
                ("retention.messages_days", retention.messages_days),
                ("retention.media_days", retention.media_days),
                ("retention.audit_days", retention.audit_days),
            ]
        }) {
            if days.is_some_and(|days| !(1..=MAX_RETENTION_DAYS).contains(&days)) {
                errors.add(field, format!("must be null or from 1 to {MAX_RETENTION_DAYS}"));
            }
        }
        errors.finish(Some(OrganizationChange {
            name: name.flatten().map(Text::into_string),
            country,
            time_zone: time_zone.flatten(),
            language: language.flatten(),
            retention: self.retention.map(|retention| Retention {
                messages_days: retention.messages_days,
                media_days: retention.media_days,
                audit_days: retention.audit_days,
            }),
            restarts_silent_sessions: self.restarts_silent_sessions,
            resends_lost_messages: self.resends_lost_messages,
            keeps_message_texts: self.keeps_message_texts,
        }))
    }
}

impl OrganizationResource {
    fn of(view: OrganizationView, role: Role) -> Self {
        let organization = view.organization;
        Self {
            id: organization.id,
            status: organization.state.as_str(),
            country: organization.country,
            time_zone: organization.time_zone,
            language: organization.language,
            limits: view.limits.into(),
            usage: Usage {
                month: view.month.to_string(),
                messages: view.messages_this_month,
            },
            retention: RetentionFields {
                messages_days: organization.retention.messages_days,
                media_days: organization.retention.media_days,
                audit_days: organization.retention.audit_days,
            },
            restarts_silent_sessions: organization.restarts_silent_sessions,
            resends_lost_messages: organization.resends_lost_messages,
            keeps_message_texts: organization.keeps_message_texts,
            role,
            created_at: organization.created_at,
            updated_at: organization.updated_at,
            name: organization.name,
        }
    }
}

/// The caller's organization.
#[utoipa::path(
    get, path = "/api/waha/organization", operation_id = "organizations.get", tag = "organizations",
    responses((status = OK, body = Envelope<OrganizationResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn get(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, BeMember>,
) -> Result<Response, ApiError> {
    let organization = organizations::get(state.services(), &allowed.access).await?;
    let resource = OrganizationResource::of(organization, allowed.access.role());
    Ok(allowed.reply("Organization retrieved.", resource).into_response())
}

/// Changes the caller's organization.
#[utoipa::path(
    patch, path = "/api/waha/organization", operation_id = "organizations.update", tag = "organizations",
    request_body = UpdateOrganization,
    responses((status = OK, body = Envelope<OrganizationResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn update(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, ManageOrganization>,
    Json(body): Json<UpdateOrganization>,
) -> Result<Response, ApiError> {
    let organization = organizations::update(state.services(), &allowed.access, &body.check()?).await?;
    let resource = OrganizationResource::of(organization, allowed.access.role());
    Ok(allowed.reply("Organization updated.", resource).into_response())
}
