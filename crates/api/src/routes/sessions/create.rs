//! `POST /api/waha/sessions` and `POST /api/waha/sessions/{sessionId}/start`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use url::Url;
use utoipa::ToSchema;
use wahana_domain::{BusinessProfile, EmailAddress, SessionName};
use wahana_service::{
    FieldErrors,
    access::{CreateSessions, ManageSessions},
    sessions::{self, NewSession, StartTarget},
};

use super::{SessionResource, configuration::ConfigurationFields, text};
use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, Json, OfOrganization, OfStart, OptionalJson},
    state::ApiState,
};

/// A session to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateSession {
    /// 1 to 54 of `A-Z a-z 0-9 _ -`; made up if left out.
    #[schema(max_length = 54)]
    session_name: Option<String>,
    #[schema(max_length = 100)]
    display_name: Option<String>,
    #[schema(max_length = 100)]
    business_name: Option<String>,
    #[schema(max_length = 1000)]
    business_description: Option<String>,
    #[schema(max_length = 100)]
    business_category: Option<String>,
    #[schema(max_length = 200)]
    business_website: Option<String>,
    #[schema(max_length = 254)]
    business_email: Option<String>,
    configuration: Option<ConfigurationFields>,
    /// Whether it starts at once; it does if left out.
    start: Option<bool>,
}

/// What a session is made with, if the call makes it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StartSession {
    #[schema(max_length = 100)]
    display_name: Option<String>,
    #[schema(max_length = 100)]
    business_name: Option<String>,
    #[schema(max_length = 1000)]
    business_description: Option<String>,
    #[schema(max_length = 100)]
    business_category: Option<String>,
    #[schema(max_length = 200)]
    business_website: Option<String>,
    #[schema(max_length = 254)]
    business_email: Option<String>,
    configuration: Option<ConfigurationFields>,
    /// Accepted from older clients and ignored.
    #[schema(value_type = Option<Object>)]
    webhook: Option<IgnoredAny>,
    /// Accepted from older clients and ignored.
    #[schema(value_type = Option<Object>)]
    webhook_by_events: Option<IgnoredAny>,
    /// Accepted from older clients and ignored.
    #[schema(value_type = Option<Object>)]
    events: Option<IgnoredAny>,
    /// Accepted from older clients and ignored.
    #[schema(value_type = Option<Object>)]
    reject_calls: Option<IgnoredAny>,
    /// Accepted from older clients and ignored.
    #[schema(value_type = Option<Object>)]
    mark_online_on_chat: Option<IgnoredAny>,
    /// Accepted from older clients and ignored.
    #[schema(value_type = Option<Object>)]
    session_name: Option<IgnoredAny>,
    /// Accepted from older clients and ignored.
    #[schema(value_type = Option<Object>)]
    phone_number: Option<IgnoredAny>,
}

/// What starting says besides the session.
#[derive(Serialize, ToSchema)]
pub(crate) struct StartMeta {
    /// The fields of the body that had no effect.
    ignored: Vec<&'static str>,
}

pub(super) fn check_website(errors: &mut FieldErrors, website: &str) -> Option<String> {
    let website = text::<200>(errors, "business_website", website)?;
    let url = Url::parse(&website)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if url.is_none() {
        errors.add(
            "business_website",
            "must be an address such as https://example.com",
        );
    }
    url.map(|_| website)
}

pub(super) fn check_email(errors: &mut FieldErrors, email: &str) -> Option<String> {
    errors
        .take("business_email", EmailAddress::parse(email))
        .map(|email| email.as_str().to_owned())
}

impl CreateSession {
    fn check(self) -> Result<NewSession, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = self
            .session_name
            .map(|name| errors.take("session_name", SessionName::parse(&name)));
        let new = NewSession {
            name: name.flatten(),
            display_name: self
                .display_name
                .and_then(|name| text::<100>(&mut errors, "display_name", &name)),
            business: BusinessProfile {
                name: self
                    .business_name
                    .and_then(|name| text::<100>(&mut errors, "business_name", &name)),
                description: self
                    .business_description
                    .and_then(|description| text::<1000>(&mut errors, "business_description", &description)),
                category: self
                    .business_category
                    .and_then(|category| text::<100>(&mut errors, "business_category", &category)),
                website: self
                    .business_website
                    .and_then(|website| check_website(&mut errors, &website)),
                email: self
                    .business_email
                    .and_then(|email| check_email(&mut errors, &email)),
            },
            configuration: self.configuration.unwrap_or_default().check(&mut errors),
            is_started: self.start.unwrap_or(true),
        };
        errors.finish(Some(new))
    }
}

impl StartSession {
    /// The names of the fields that have no effect on this target.
    fn ignored(&self, is_there: bool) -> Vec<&'static str> {
        let always = [
            ("webhook", self.webhook.is_some()),
            ("webhook_by_events", self.webhook_by_events.is_some()),
            ("events", self.events.is_some()),
            ("reject_calls", self.reject_calls.is_some()),
            ("mark_online_on_chat", self.mark_online_on_chat.is_some()),
            ("session_name", self.session_name.is_some()),
            ("phone_number", self.phone_number.is_some()),
        ];
        let unless_made = [
            ("display_name", self.display_name.is_some()),
            ("business_name", self.business_name.is_some()),
            ("business_description", self.business_description.is_some()),
            ("business_category", self.business_category.is_some()),
            ("business_website", self.business_website.is_some()),
            ("business_email", self.business_email.is_some()),
            ("configuration", self.configuration.is_some()),
        ];
        let unless_made = unless_made.into_iter().filter(|_| is_there);
        always
            .into_iter()
            .chain(unless_made)
            .filter(|(_, is_given)| *is_given)
            .map(|(name, _)| name)
            .collect()
    }

    fn check(self) -> Result<NewSession, FieldErrors> {
        let create = CreateSession {
            session_name: None,
            display_name: self.display_name,
            business_name: self.business_name,
            business_description: self.business_description,
            business_category: self.business_category,
            business_website: self.business_website,
            business_email: self.business_email,
            configuration: self.configuration,
            start: Some(true),
        };
        create.check()
    }
}

/// Makes a session.
#[utoipa::path(
    post, path = "/api/waha/sessions", operation_id = "sessions.create", tag = "sessions",
    request_body = CreateSession,
    responses((status = CREATED, body = Envelope<SessionResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, CreateSessions>,
    Json(body): Json<CreateSession>,
) -> Result<Response, ApiError> {
    let session = sessions::create(state.services(), &allowed.access, body.check()?).await?;
    allowed.note_session(session.id);
    let resource = SessionResource::of(&session, session.observed_at);
    Ok(allowed
        .reply("Session created.", resource)
        .created()
        .into_response())
}

/// Starts a session, and makes it first if the organization has none by that name.
#[utoipa::path(
    post, path = "/api/waha/sessions/{sessionId}/start", operation_id = "sessions.start", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session's name or id")), request_body = StartSession,
    responses(
        (status = OK, body = Envelope<SessionResource, StartMeta>),
        (status = CREATED, description = "The session was made.", body = Envelope<SessionResource, StartMeta>),
        (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn start(
    State(state): State<ApiState>,
    allowed: Allowed<OfStart, ManageSessions>,
    OptionalJson(body): OptionalJson<StartSession>,
) -> Result<Response, ApiError> {
    let meta = StartMeta {
        ignored: body.ignored(matches!(allowed.found, StartTarget::There(_))),
    };
    let new = body.check()?;
    let started =
        sessions::start_or_create(state.services(), &allowed.access, allowed.found.clone(), new).await?;
    allowed.note_session(started.session.id);
    let resource = SessionResource::of(&started.session, started.session.observed_at);
    let reply = if started.is_new {
        allowed.reply("Session created and started.", resource).created()
    } else {
        allowed.reply("Session started.", resource)
    };
    Ok(reply.with_meta(meta).into_response())
}
