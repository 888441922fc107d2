//! `/api/platform/servers`

use std::collections::BTreeMap;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{ServerId, Text, Timestamp};
use wahana_service::{
    FieldErrors,
    platform::{
        hooks::{self, GlobalHook},
        servers::{self, BaseUrl, NewServer, ServerChange, ServerKey, ServerLoad},
    },
};

use crate::{
    envelope::{Envelope, Nothing},
    error::{ApiError, ErrorBody},
    extract::{Json, OfServer, Operated, OptionalJson, Patch},
    state::ApiState,
};

/// A WAHA server. Its key is in no answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct ServerResource {
    #[schema(value_type = String, format = Uuid)]
    id: ServerId,
    name: String,
    #[schema(format = Uri)]
    base_url: String,
    /// How many sessions it may hold; null for as many as come.
    capacity: Option<i32>,
    /// How many living sessions are on it.
    sessions: i64,
    /// When its session list was last read, to about half a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_snapshot_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A WAHA server to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateServer {
    #[schema(max_length = 100)]
    name: String,
    /// `http` or `https`, without user name, query and fragment.
    #[schema(format = Uri)]
    base_url: String,
    /// The key that opens it; encrypted at rest and never shown again.
    #[schema(value_type = String, format = Password)]
    api_key: SecretString,
    /// How many sessions it may hold; as many as come if left out.
    #[schema(minimum = 1, maximum = 100_000)]
    capacity: Option<i32>,
}

/// What to change of a WAHA server; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateServer {
    #[schema(max_length = 100)]
    name: Option<String>,
    /// Another address of the same WAHA.
    #[schema(format = Uri)]
    base_url: Option<String>,
    #[schema(value_type = Option<String>, format = Password)]
    api_key: Option<SecretString>,
    /// Null for as many as come.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 100_000)]
    capacity: Patch<i32>,
}

/// How a WAHA server's own hook is wanted.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HookRequest {
    /// Whether there are new keys from now on, for the server and for its sessions, which each get theirs at
    /// the next start. The keys before stay valid.
    rotate: bool,
}

/// A WAHA server's own hook, at which the events of all its sessions come in.
#[derive(Serialize, ToSchema)]
pub(crate) struct HookResource {
    /// The variables of WAHA's environment, by name. One of them is the key that signs.
    environment: BTreeMap<&'static str, String>,
}

impl From<GlobalHook> for HookResource {
    fn from(hook: GlobalHook) -> Self {
        let variables = hook.environment().into_iter();
        Self {
            environment: variables
                .map(|(name, value)| (name, value.expose_secret().to_owned()))
                .collect(),
        }
    }
}

fn key(key: &SecretString, errors: &mut FieldErrors) -> Option<ServerKey> {
    errors.take("api_key", ServerKey::parse(key.expose_secret()))
}

impl CreateServer {
    fn check(self) -> Result<NewServer, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = errors.take("name", Text::<100>::parse(&self.name));
        let base_url = errors.take("base_url", BaseUrl::parse(&self.base_url));
        let key = key(&self.api_key, &mut errors);
        let complete = name
            .zip(base_url)
            .zip(key)
            .map(|((name, base_url), key)| NewServer {
                name: name.into_string(),
                base_url,
                key,
                capacity: self.capacity,
            });
        errors.finish(complete)
    }
}

impl UpdateServer {
    fn check(self) -> Result<ServerChange, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = self
            .name
            .and_then(|name| errors.take("name", Text::<100>::parse(&name)));
        let base_url = self
            .base_url
            .and_then(|url| errors.take("base_url", BaseUrl::parse(&url)));
        let key = self.api_key.and_then(|text| key(&text, &mut errors));
        errors.finish(Some(ServerChange {
            name: name.map(Text::into_string),
            base_url,
            key,
            capacity: self.capacity.map(Some),
        }))
    }
}

impl From<ServerLoad> for ServerResource {
    fn from(load: ServerLoad) -> Self {
        Self {
            id: load.server.id,
            name: load.server.name,
            base_url: load.server.base_url,
            capacity: load.server.capacity,
            sessions: load.sessions,
            last_snapshot_at: load.server.last_snapshot_at,
            created_at: load.server.created_at,
            updated_at: load.server.updated_at,
        }
    }
}

/// Every WAHA server and its load, by name.
#[utoipa::path(
    get, path = "/api/platform/servers", operation_id = "platform.servers.list", tag = "platform",
    responses((status = OK, body = Envelope<Vec<ServerResource>>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn list(State(state): State<ApiState>, operated: Operated) -> Result<Response, ApiError> {
    let found = servers::list(state.services(), &operated.operator).await?;
    let resources: Vec<ServerResource> = found.into_iter().map(Into::into).collect();
    Ok(operated
        .reply("WAHA servers retrieved.", resources)
        .into_response())
}

/// Adds a WAHA server.
#[utoipa::path(
    post, path = "/api/platform/servers", operation_id = "platform.servers.create", tag = "platform",
    request_body = CreateServer,
    responses((status = CREATED, body = Envelope<ServerResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    operated: Operated,
    Json(body): Json<CreateServer>,
) -> Result<Response, ApiError> {
    let added = servers::add(state.services(), &operated.operator, body.check()?).await?;
    Ok(operated
        .reply("WAHA server added.", ServerResource::from(added))
        .created()
        .into_response())
}

/// One WAHA server and its load.
#[utoipa::path(
    get, path = "/api/platform/servers/{serverId}", operation_id = "platform.servers.get", tag = "platform",
    params(("serverId" = String, Path)),
    responses((status = OK, body = Envelope<ServerResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn get(operated: Operated<OfServer>) -> Response {
    let resource = ServerResource::from(operated.found.clone());
    operated.reply("WAHA server retrieved.", resource).into_response()
}

/// Changes a WAHA server.
#[utoipa::path(
    patch, path = "/api/platform/servers/{serverId}", operation_id = "platform.servers.update",
    tag = "platform", params(("serverId" = String, Path)), request_body = UpdateServer,
    responses((status = OK, body = Envelope<ServerResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn update(
    State(state): State<ApiState>,
    operated: Operated<OfServer>,
    Json(body): Json<UpdateServer>,
) -> Result<Response, ApiError> {
    let id = operated.found.server.id;
    let updated = servers::update(state.services(), &operated.operator, id, body.check()?).await?;
    Ok(operated
        .reply("WAHA server updated.", ServerResource::from(updated))
        .into_response())
}

/// What to put into a WAHA server's environment so that it sends the events of all its sessions to wahana. The
/// answer holds a secret.
#[utoipa::path(
    post, path = "/api/platform/servers/{serverId}/hook", operation_id = "platform.servers.hook",
    tag = "platform", params(("serverId" = String, Path)), request_body = HookRequest,
    responses((status = OK, body = Envelope<HookResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn hook(
    State(state): State<ApiState>,
    operated: Operated<OfServer>,
    OptionalJson(body): OptionalJson<HookRequest>,
) -> Result<Response, ApiError> {
    let id = operated.found.server.id;
    let hook = hooks::get(state.services(), &operated.operator, id, body.rotate).await?;
    Ok(operated
        .reply("Hook retrieved.", HookResource::from(hook))
        .into_response())
}

/// Takes a WAHA server off the list; refused while living sessions are on it.
#[utoipa::path(
    delete, path = "/api/platform/servers/{serverId}", operation_id = "platform.servers.remove",
    tag = "platform", params(("serverId" = String, Path)),
    responses((status = OK, body = Envelope<Nothing>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn remove(
    State(state): State<ApiState>,
    operated: Operated<OfServer>,
) -> Result<Response, ApiError> {
    servers::remove(state.services(), &operated.operator, operated.found.server.id).await?;
    Ok(operated.reply("WAHA server removed.", Nothing).into_response())
}
