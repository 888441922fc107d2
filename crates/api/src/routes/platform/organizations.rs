//! `/api/platform/organizations`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{
    Country, Language, Organization, OrganizationId, OrganizationLimits, Text, TimeZone, Timestamp,
};
use wahana_service::{
    FieldErrors,
    platform::organizations::{self, LimitsChange, NewOrganization},
};

use crate::{
    envelope::{Envelope, Pagination},
    error::{ApiError, ErrorBody},
    extract::{Json, OfAnyOrganization, Operated, Paging, Patch, Query},
    state::ApiState,
};

/// An organization as operators see it.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlatformOrganizationResource {
    #[schema(value_type = String, format = Uuid)]
    id: OrganizationId,
    name: String,
    /// `active`, `suspended` or `closed`.
    status: &'static str,
    /// Where its national numbers are from, by two letters; null if they are refused.
    #[schema(value_type = Option<String>)]
    country: Option<Country>,
    #[schema(value_type = String)]
    time_zone: TimeZone,
    #[schema(value_type = String)]
    language: Language,
    limits: PlatformLimits,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// How much an organization may have and do; null is the default of the installation.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlatformLimits {
    /// Living sessions; null is no limit.
    #[schema(minimum = 0)]
    sessions: Option<i32>,
    /// Messages, media included, that one session sends in a minute.
    #[schema(minimum = 0)]
    messages_per_minute: Option<i32>,
    /// Messages, media included, that one session sends in an hour.
    #[schema(minimum = 0)]
    messages_per_hour: Option<i32>,
    /// Media that one session sends in a minute.
    #[schema(minimum = 0)]
    media_per_minute: Option<i32>,
    /// Media that one session sends in an hour.
    #[schema(minimum = 0)]
    media_per_hour: Option<i32>,
    /// Requests with one token, or of one sign-in, in a minute.
    #[schema(minimum = 0)]
    requests_per_minute: Option<i32>,
    /// Messages that all sessions together send in a minute; null is no limit.
    #[schema(minimum = 0)]
    organization_messages_per_minute: Option<i32>,
    /// Messages that all sessions together send in an hour; null is no limit.
    #[schema(minimum = 0)]
    organization_messages_per_hour: Option<i32>,
    /// Messages that all sessions together send in a calendar month of UTC; null is no limit.
    #[schema(minimum = 0)]
    monthly_messages: Option<i32>,
    /// Messages of all sessions together that wait to be sent.
    #[schema(minimum = 0)]
    queued_messages: Option<i32>,
}

/// What to change of the limits; what is left out stays, and null is the default of the installation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedLimits {
    /// Living sessions; null is no limit.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0)]
    sessions: Patch<i32>,
    /// Messages, media included, that one session sends in a minute.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0)]
    messages_per_minute: Patch<i32>,
    /// Messages, media included, that one session sends in an hour.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0)]
    messages_per_hour: Patch<i32>,
    /// Media that one session sends in a minute.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0)]
    media_per_minute: Patch<i32>,
    /// Media that one session sends in an hour.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0)]
    media_per_hour: Patch<i32>,
    /// Requests with one token, or of one sign-in, in a minute.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0)]
    requests_per_minute: Patch<i32>,
    /// Messages that all sessions together send in a minute; null is no limit.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0)]
    organization_messages_per_minute: Patch<i32>,
    /// Messages that all sessions together send in an hour; null is no limit.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0)]
    organization_messages_per_hour: Patch<i32>,
    /// Messages that all sessions together send in a calendar month of UTC; null is no limit.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0)]
    monthly_messages: Patch<i32>,
    /// Messages of all sessions together that wait to be sent.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0)]
    queued_messages: Patch<i32>,
}

impl From<OrganizationLimits> for PlatformLimits {
    fn from(limits: OrganizationLimits) -> Self {
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

impl From<PlatformLimits> for OrganizationLimits {
    fn from(limits: PlatformLimits) -> Self {
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

impl From<ChangedLimits> for LimitsChange {
    fn from(limits: ChangedLimits) -> Self {
        Self {
            sessions: limits.sessions.map(Some),
            messages_per_minute: limits.messages_per_minute.map(Some),
            messages_per_hour: limits.messages_per_hour.map(Some),
            media_per_minute: limits.media_per_minute.map(Some),
            media_per_hour: limits.media_per_hour.map(Some),
            requests_per_minute: limits.requests_per_minute.map(Some),
            organization_messages_per_minute: limits.organization_messages_per_minute.map(Some),
            organization_messages_per_hour: limits.organization_messages_per_hour.map(Some),
            monthly_messages: limits.monthly_messages.map(Some),
            queued_messages: limits.queued_messages.map(Some),
        }
    }
}

/// An organization to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateOrganization {
    #[schema(max_length = 100)]
    name: String,
    /// Two letters; national numbers are refused without it.
    country: Option<String>,
    /// UTC if left out.
    time_zone: Option<String>,
    /// `en` if left out.
    language: Option<String>,
    /// The defaults of the installation if left out.
    #[serde(default)]
    limits: PlatformLimits,
}

/// What to change of an organization.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdatePlatformOrganization {
    limits: ChangedLimits,
}

impl CreateOrganization {
    fn check(self) -> Result<NewOrganization, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = errors.take("name", Text::<100>::parse(&self.name));
        let country = self
            .country
            .and_then(|country| errors.take("country", country.parse()));
        let time_zone = self
            .time_zone
            .and_then(|zone| errors.take("time_zone", zone.parse()));
        let language = self
            .language
            .and_then(|language| errors.take("language", language.parse()));
        errors.finish(name.map(|name| NewOrganization {
            name: name.into_string(),
            country,
            time_zone,
            language,
            limits: self.limits.into(),
        }))
    }
}

impl From<Organization> for PlatformOrganizationResource {
    fn from(organization: Organization) -> Self {
        Self {
            id: organization.id,
            name: organization.name,
            status: organization.state.as_str(),
            country: organization.country,
            time_zone: organization.time_zone,
            language: organization.language,
            limits: organization.limits.into(),
            created_at: organization.created_at,
            updated_at: organization.updated_at,
        }
    }
}

/// Every organization, by name.
#[utoipa::path(
    get, path = "/api/platform/organizations", operation_id = "platform.organizations.list", tag = "platform",
    params(Paging),
    responses(
        (status = OK, body = Envelope<Vec<PlatformOrganizationResource>>), (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    operated: Operated,
    Query(paging): Query<Paging>,
) -> Result<Response, ApiError> {
    let page = paging.check()?;
    let (found, total) =
        organizations::page(state.services(), &operated.operator, page.offset(), page.size).await?;
    let pagination = Pagination::of(page.number, page.size, total, found.len());
    let resources: Vec<PlatformOrganizationResource> = found.into_iter().map(Into::into).collect();
    Ok(operated
        .reply("Organizations retrieved.", resources)
        .with_pagination(pagination)
        .into_response())
}

/// Makes an organization.
///
/// It has no members yet.
#[utoipa::path(
    post, path = "/api/platform/organizations", operation_id = "platform.organizations.create",
    tag = "platform", request_body = CreateOrganization,
    responses(
        (status = CREATED, body = Envelope<PlatformOrganizationResource>), (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    operated: Operated,
    Json(body): Json<CreateOrganization>,
) -> Result<Response, ApiError> {
    let created = organizations::create(state.services(), &operated.operator, body.check()?).await?;
    Ok(operated
        .reply(
            "Organization created.",
            PlatformOrganizationResource::from(created),
        )
        .created()
        .into_response())
}

/// One organization.
#[utoipa::path(
    get, path = "/api/platform/organizations/{organizationId}", operation_id = "platform.organizations.get",
    tag = "platform", params(("organizationId" = String, Path)),
    responses(
        (status = OK, body = Envelope<PlatformOrganizationResource>), (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn get(operated: Operated<OfAnyOrganization>) -> Response {
    let resource = PlatformOrganizationResource::from(operated.found.clone());
    operated
        .reply("Organization retrieved.", resource)
        .into_response()
}

/// Changes the limits of an organization.
///
/// What it has above a new limit stays.
#[utoipa::path(
    patch, path = "/api/platform/organizations/{organizationId}",
    operation_id = "platform.organizations.update", tag = "platform",
    params(("organizationId" = String, Path)), request_body = UpdatePlatformOrganization,
    responses(
        (status = OK, body = Envelope<PlatformOrganizationResource>), (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn update(
    State(state): State<ApiState>,
    operated: Operated<OfAnyOrganization>,
    Json(body): Json<UpdatePlatformOrganization>,
) -> Result<Response, ApiError> {
    let change = body.limits.into();
    let updated =
        organizations::set_limits(state.services(), &operated.operator, operated.found.id, &change).await?;
    let resource = PlatformOrganizationResource::from(updated);
    Ok(operated.reply("Organization updated.", resource).into_response())
}

/// Suspends an organization: its members are told so and can do nothing.
#[utoipa::path(
    post, path = "/api/platform/organizations/{organizationId}/suspend",
    operation_id = "platform.organizations.suspend", tag = "platform",
    params(("organizationId" = String, Path)),
    responses(
        (status = OK, body = Envelope<PlatformOrganizationResource>), (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn suspend(
    State(state): State<ApiState>,
    operated: Operated<OfAnyOrganization>,
) -> Result<Response, ApiError> {
    let suspended = organizations::suspend(state.services(), &operated.operator, operated.found.id).await?;
    let resource = PlatformOrganizationResource::from(suspended);
    Ok(operated
        .reply("Organization suspended.", resource)
        .into_response())
}

/// Lets a suspended organization work again.
#[utoipa::path(
    post, path = "/api/platform/organizations/{organizationId}/resume",
    operation_id = "platform.organizations.resume", tag = "platform",
    params(("organizationId" = String, Path)),
    responses(
        (status = OK, body = Envelope<PlatformOrganizationResource>), (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn resume(
    State(state): State<ApiState>,
    operated: Operated<OfAnyOrganization>,
) -> Result<Response, ApiError> {
    let resumed = organizations::resume(state.services(), &operated.operator, operated.found.id).await?;
    let resource = PlatformOrganizationResource::from(resumed);
    Ok(operated.reply("Organization resumed.", resource).into_response())
}

/// Closes an organization for good: for its members it does not exist any more.
#[utoipa::path(
    post, path = "/api/platform/organizations/{organizationId}/close",
    operation_id = "platform.organizations.close", tag = "platform",
    params(("organizationId" = String, Path)),
    responses(
        (status = OK, body = Envelope<PlatformOrganizationResource>), (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn close(
    State(state): State<ApiState>,
    operated: Operated<OfAnyOrganization>,
) -> Result<Response, ApiError> {
    let closed = organizations::close(state.services(), &operated.operator, operated.found.id).await?;
    let resource = PlatformOrganizationResource::from(closed);
    Ok(operated.reply("Organization closed.", resource).into_response())
}
