//! `PATCH /api/waha/sessions/{sessionId}`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;
use wahana_domain::{BusinessProfile, Session};
use wahana_service::{
    FieldErrors,
    access::ManageSessions,
    sessions::{self, SessionUpdate},
};

use super::{
    PacingFields, SessionResource,
    configuration::ConfigurationFields,
    create::{check_email, check_website},
    text,
};
use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, Json, OfSession, Patch},
    state::ApiState,
};

/// What to change; what is left out stays, and null takes it away.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateSession {
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100)]
    display_name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100)]
    business_name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    business_description: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100)]
    business_category: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    business_website: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 254)]
    business_email: Patch<String>,
    /// The pace at which it sends; null lets it send as fast as it can.
    #[serde(default)]
    #[schema(value_type = Option<PacingFields>)]
    pacing: Patch<PacingFields>,
    /// What of the configuration changes. A running session restarts with it, for about three seconds.
    configuration: Option<ConfigurationFields>,
}

impl UpdateSession {
    fn check(self, session: &Session) -> Result<SessionUpdate, FieldErrors> {
        let mut errors = FieldErrors::default();
        let old = &session.business;
        let display_name = self
            .display_name
            .map(|name| text::<100>(&mut errors, "display_name", &name));
        let business = BusinessProfile {
            name: self
                .business_name
                .map(|name| text::<100>(&mut errors, "business_name", &name))
                .unwrap_or_else(|| old.name.clone()),
            description: self
                .business_description
                .map(|description| text::<1000>(&mut errors, "business_description", &description))
                .unwrap_or_else(|| old.description.clone()),
            category: self
                .business_category
                .map(|category| text::<100>(&mut errors, "business_category", &category))
                .unwrap_or_else(|| old.category.clone()),
            website: self
                .business_website
                .map(|website| check_website(&mut errors, &website))
                .unwrap_or_else(|| old.website.clone()),
            email: self
                .business_email
                .map(|email| check_email(&mut errors, &email))
                .unwrap_or_else(|| old.email.clone()),
        };
        let mut update = SessionUpdate::default();
        update.fields.display_name = display_name;
        update.fields.pacing = self.pacing.map(|pacing| pacing.check(&mut errors));
        update.fields.business = (business != *old).then_some(business);
        update.configuration = self.configuration.map(|fields| fields.check(&mut errors));
        errors.finish(Some(update))
    }
}

/// Changes a session.
#[utoipa::path(
    patch, path = "/api/waha/sessions/{sessionId}", operation_id = "sessions.update", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session's name or id")), request_body = UpdateSession,
    responses((status = OK, body = Envelope<SessionResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn update(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ManageSessions>,
    Json(body): Json<UpdateSession>,
) -> Result<Response, ApiError> {
    let change = body.check(&allowed.found)?;
    let services = state.services();
    let session = sessions::update(services, &allowed.access, &allowed.found, change).await?;
    let resource = SessionResource::of(&session, sessions::synced_at(services, &session));
    Ok(allowed.reply("Session updated.", resource).into_response())
}
