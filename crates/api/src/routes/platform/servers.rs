//! `/api/platform/servers`

use std::collections::BTreeMap;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{OrganizationId, ServerId, Text, Timestamp};
use wahana_service::{
    FieldErrors, Services,
    platform::{
        hooks::{self, GlobalHook},
        servers::{
            self, BaseUrl, Circuit, NewServer, ServerAct, ServerChange, ServerCheck, ServerKey, ServerLoad,
        },
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
    /// How many calls to it may be under way at a time; null for the default.
    concurrency: Option<i32>,
    /// How many calls to it may begin in a second; null for as many as come.
    requests_per_second: Option<i32>,
    /// The only organization that gets new sessions on it; null if all share it.
    #[schema(value_type = Option<String>, format = Uuid)]
    organization_id: Option<OrganizationId>,
    /// Since when nothing is started, repaired or placed on it.
    #[schema(value_type = Option<String>, format = DateTime)]
    paused_at: Option<Timestamp>,
    /// Since when no new session is placed on it.
    #[schema(value_type = Option<String>, format = DateTime)]
    draining_at: Option<Timestamp>,
    /// Whether the process that answers calls it: `closed` if it does, `open` if not because it is away,
    /// `half_open` while it tries whether it is back.
    #[schema(value_type = String)]
    circuit: &'static str,
    /// When its session list was last read, to about half a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_snapshot_at: Option<Timestamp>,
    /// When an event of it last came in, to about ten seconds.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_event_at: Option<Timestamp>,
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
    /// How many calls to it may be under way at a time; 64 if left out.
    #[schema(minimum = 1, maximum = 10_000)]
    concurrency: Option<i32>,
    /// How many calls to it may begin in a second; as many as come if left out.
    #[schema(minimum = 1, maximum = 100_000)]
    requests_per_second: Option<i32>,
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
    /// Null for the default.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 10_000)]
    concurrency: Patch<i32>,
    /// Null for as many as come.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 100_000)]
    requests_per_second: Patch<i32>,
}

/// Whose a WAHA server becomes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BindServer {
    #[schema(format = Uuid)]
    organization_id: String,
}

/// How a WAHA server stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct ServerCheckResource {
    /// Whether a WAHA answers at its address.
    answers: bool,
    /// Whether it takes wahana's key; null if that could not be found out.
    key_is_accepted: Option<bool>,
    version: Option<String>,
    engine: Option<String>,
    /// Which edition it is, such as `CORE`.
    tier: Option<String>,
    /// What will not work on it.
    drawback: Option<&'static str>,
    /// What is wrong and what to do.
    problem: Option<&'static str>,
}

impl From<ServerCheck> for ServerCheckResource {
    fn from(check: ServerCheck) -> Self {
        let (answer, answers) = (check.answer, check.answers);
        let drawback = answer.as_ref().and_then(|answer| answer.drawback);
        let (version, engine, tier) = answer.map_or((None, None, None), |answer| {
            (Some(answer.version), Some(answer.engine), Some(answer.tier))
        });
        Self {
            answers,
            key_is_accepted: check.key_is_accepted,
            version,
            engine,
            tier,
            drawback,
            problem: check.problem,
        }
    }
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
                concurrency: self.concurrency,
                requests_per_second: self.requests_per_second,
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
            concurrency: self.concurrency.map(Some),
            requests_per_second: self.requests_per_second.map(Some),
        }))
    }
}

impl ServerResource {
    fn of(services: &Services, load: ServerLoad) -> Self {
        let circuit = match servers::circuit(services, load.server.id) {
            Circuit::Closed => "closed",
            Circuit::Open(_) => "open",
            Circuit::HalfOpen => "half_open",
        };
        Self {
            circuit,
            id: load.server.id,
            name: load.server.name,
            base_url: load.server.base_url,
            capacity: load.server.capacity,
            sessions: load.sessions,
            concurrency: load.server.concurrency,
            requests_per_second: load.server.requests_per_second,
            organization_id: load.server.organization,
            paused_at: load.server.paused_at,
            draining_at: load.server.draining_at,
            last_snapshot_at: load.server.last_snapshot_at,
            last_event_at: load.server.last_event_at,
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
    let services = state.services();
    let resources = found.into_iter().map(|load| ServerResource::of(services, load));
    let resources: Vec<ServerResource> = resources.collect();
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
        .reply("WAHA server added.", ServerResource::of(state.services(), added))
        .created()
        .into_response())
}

/// One WAHA server and its load.
#[utoipa::path(
    get, path = "/api/platform/servers/{serverId}", operation_id = "platform.servers.get", tag = "platform",
    params(("serverId" = String, Path)),
    responses((status = OK, body = Envelope<ServerResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn get(State(state): State<ApiState>, operated: Operated<OfServer>) -> Response {
    let resource = ServerResource::of(state.services(), operated.found.clone());
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
        .reply(
            "WAHA server updated.",
            ServerResource::of(state.services(), updated),
        )
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

/// Finds out whether a WAHA answers there and takes the key, and what it is.
#[utoipa::path(
    get, path = "/api/platform/servers/{serverId}/check", operation_id = "platform.servers.check",
    tag = "platform", params(("serverId" = String, Path)),
    responses((status = OK, body = Envelope<ServerCheckResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn check(
    State(state): State<ApiState>,
    operated: Operated<OfServer>,
) -> Result<Response, ApiError> {
    let check = servers::check(state.services(), &operated.operator, operated.found.server.id).await?;
    Ok(operated
        .reply("WAHA server checked.", ServerCheckResource::from(check))
        .into_response())
}

/// Makes a WAHA server an organization's own: its new sessions come to its own servers only, and nobody
/// else's do. Sessions of others that are there stay.
#[utoipa::path(
    post, path = "/api/platform/servers/{serverId}/bind", operation_id = "platform.servers.bind",
    tag = "platform", params(("serverId" = String, Path)), request_body = BindServer,
    responses((status = OK, body = Envelope<ServerResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn bind(
    State(state): State<ApiState>,
    operated: Operated<OfServer>,
    Json(body): Json<BindServer>,
) -> Result<Response, ApiError> {
    let organization = body
        .organization_id
        .parse()
        .map_err(|_| FieldErrors::one("organization_id", "must be the id of an organization"))?;
    acted(
        &state,
        &operated,
        ServerAct::Bind(organization),
        "WAHA server bound.",
    )
    .await
}

/// Lets all organizations share a WAHA server again, but for those that have their own.
#[utoipa::path(
    post, path = "/api/platform/servers/{serverId}/unbind", operation_id = "platform.servers.unbind",
    tag = "platform", params(("serverId" = String, Path)),
    responses((status = OK, body = Envelope<ServerResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn unbind(
    State(state): State<ApiState>,
    operated: Operated<OfServer>,
) -> Result<Response, ApiError> {
    acted(&state, &operated, ServerAct::Unbind, "WAHA server unbound.").await
}

/// Starts, repairs and places nothing on a WAHA server until it is resumed. What runs goes on, and sends.
#[utoipa::path(
    post, path = "/api/platform/servers/{serverId}/pause", operation_id = "platform.servers.pause",
    tag = "platform", params(("serverId" = String, Path)),
    responses((status = OK, body = Envelope<ServerResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn pause(
    State(state): State<ApiState>,
    operated: Operated<OfServer>,
) -> Result<Response, ApiError> {
    acted(&state, &operated, ServerAct::Pause, "WAHA server paused.").await
}

/// Ends a pause.
#[utoipa::path(
    post, path = "/api/platform/servers/{serverId}/resume", operation_id = "platform.servers.resume",
    tag = "platform", params(("serverId" = String, Path)),
    responses((status = OK, body = Envelope<ServerResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn resume(
    State(state): State<ApiState>,
    operated: Operated<OfServer>,
) -> Result<Response, ApiError> {
    acted(&state, &operated, ServerAct::Resume, "WAHA server resumed.").await
}

/// Places no new session on a WAHA server, so that it empties as sessions are deleted and moved.
#[utoipa::path(
    post, path = "/api/platform/servers/{serverId}/drain", operation_id = "platform.servers.drain",
    tag = "platform", params(("serverId" = String, Path)),
    responses((status = OK, body = Envelope<ServerResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn drain(
    State(state): State<ApiState>,
    operated: Operated<OfServer>,
) -> Result<Response, ApiError> {
    acted(&state, &operated, ServerAct::Drain, "WAHA server draining.").await
}

/// Lets new sessions come to a WAHA server again.
#[utoipa::path(
    post, path = "/api/platform/servers/{serverId}/undrain", operation_id = "platform.servers.undrain",
    tag = "platform", params(("serverId" = String, Path)),
    responses((status = OK, body = Envelope<ServerResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn undrain(
    State(state): State<ApiState>,
    operated: Operated<OfServer>,
) -> Result<Response, ApiError> {
    acted(&state, &operated, ServerAct::Undrain, "WAHA server not draining.").await
}

async fn acted(
    state: &ApiState,
    operated: &Operated<OfServer>,
    act: ServerAct,
    done: &str,
) -> Result<Response, ApiError> {
    let id = operated.found.server.id;
    let changed = servers::act(state.services(), &operated.operator, id, act).await?;
    Ok(operated
        .reply(done, ServerResource::of(state.services(), changed))
        .into_response())
}
