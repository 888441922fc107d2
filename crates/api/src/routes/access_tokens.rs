//! `/api/waha/tokens`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{Abilities, AccessToken, SessionId, Text, Timestamp, TokenId, UserId};
use wahana_service::{
    FieldErrors,
    access::ManageTokens,
    access_tokens::{self, NewAccessToken},
};

use crate::{
    envelope::{Envelope, Nothing, Pagination},
    error::{ApiError, ErrorBody},
    extract::{Allowed, Json, OfOrganization, OfToken, Paging, Query},
    state::ApiState,
};

/// An access token, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenResource {
    #[schema(value_type = String)]
    id: TokenId,
    name: String,
    #[schema(value_type = String, format = Uuid)]
    user_id: UserId,
    /// What it may do, as far as its user may; `["*"]` is everything.
    #[schema(value_type = Vec<String>)]
    abilities: Abilities,
    /// The ids of the only sessions there are for it; null for all.
    #[schema(value_type = Option<Vec<String>>)]
    sessions: Option<Vec<SessionId>>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// To about a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// An access token that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedTokenResource {
    #[serde(flatten)]
    token: TokenResource,
    /// What goes behind `Authorization: Bearer`; shown this once.
    bearer: String,
}

/// A token to be made for the caller.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateToken {
    #[schema(max_length = 100)]
    name: String,
    /// What it may do; everything that the caller's credential may if left out.
    abilities: Option<Vec<String>>,
    /// The ids of the only sessions there are for it; all if left out.
    sessions: Option<Vec<String>>,
    /// When it ends. If left out, with the token that makes it, or never.
    expires_at: Option<String>,
}

/// How many sessions a token may be limited to: more are better served by no limit.
const MAX_SESSIONS: usize = 100;

impl CreateToken {
    fn check(self, own: Abilities) -> Result<NewAccessToken, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = errors.take("name", Text::<100>::parse(&self.name));
        let abilities = match &self.abilities {
            None => Some(own),
            Some(list) => errors.take("abilities", Abilities::parse(list)),
        };
        if abilities.is_some_and(Abilities::is_empty) {
            errors.add("abilities", "must not be empty");
        }
        let sessions = self.sessions.map(|sessions| {
            if sessions.is_empty() || sessions.len() > MAX_SESSIONS {
                errors.add("sessions", format!("must be 1 to {MAX_SESSIONS} ids"));
            }
            let ids = sessions
                .iter()
                .map(|id| id.parse::<SessionId>())
                .collect::<Result<Vec<_>, _>>();
            let mut ids = errors
                .take("sessions", ids.map_err(|_| "must be ids of sessions"))
                .unwrap_or_default();
            ids.sort_unstable();
            ids.dedup();
            ids
        });
        let expires_at = self
            .expires_at
            .map(|text| errors.take("expires_at", Timestamp::parse(&text)));
        let complete = name.zip(abilities).map(|(name, abilities)| NewAccessToken {
            name: name.into_string(),
            abilities,
            sessions,
            expires_at: expires_at.flatten(),
        });
        errors.finish(complete)
    }
}

impl From<AccessToken> for TokenResource {
    fn from(token: AccessToken) -> Self {
        Self {
            id: token.id,
            name: token.name,
            user_id: token.user_id,
            abilities: token.abilities,
            sessions: token.sessions,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            created_at: token.created_at,
        }
    }
}

/// The organization's tokens, newest first.
#[utoipa::path(
    get, path = "/api/waha/tokens", operation_id = "tokens.list", tag = "tokens", params(Paging),
    responses((status = OK, body = Envelope<Vec<TokenResource>>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, ManageTokens>,
    Query(paging): Query<Paging>,
) -> Result<Response, ApiError> {
    let page = paging.check()?;
    let (tokens, total) =
        access_tokens::page(state.services(), &allowed.access, page.offset(), page.size).await?;
    let pagination = Pagination::of(page.number, page.size, total, tokens.len());
    let resources: Vec<TokenResource> = tokens.into_iter().map(Into::into).collect();
    Ok(allowed
        .reply("Tokens retrieved.", resources)
        .with_pagination(pagination)
        .into_response())
}

/// Makes a token for the caller.
///
/// Its secret is in this answer and nowhere else.
#[utoipa::path(
    post, path = "/api/waha/tokens", operation_id = "tokens.create", tag = "tokens", request_body = CreateToken,
    responses((status = CREATED, body = Envelope<CreatedTokenResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, ManageTokens>,
    Json(body): Json<CreateToken>,
) -> Result<Response, ApiError> {
    let new = body.check(allowed.access.abilities())?;
    let created = access_tokens::create(state.services(), &allowed.access, new).await?;
    let bearer = format!("{}|{}", created.token.id, created.secret.expose());
    let resource = CreatedTokenResource {
        token: created.token.into(),
        bearer,
    };
    Ok(allowed
        .reply("Token created. Its secret is not shown again.", resource)
        .created()
        .into_response())
}

/// One token.
#[utoipa::path(
    get, path = "/api/waha/tokens/{tokenId}", operation_id = "tokens.get", tag = "tokens",
    params(("tokenId" = String, Path)),
    responses((status = OK, body = Envelope<TokenResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn get(allowed: Allowed<OfToken, ManageTokens>) -> Response {
    let resource = TokenResource::from((*allowed.found).clone());
    allowed.reply("Token retrieved.", resource).into_response()
}

/// Takes a token back.
///
/// It is refused everywhere within five seconds.
#[utoipa::path(
    delete, path = "/api/waha/tokens/{tokenId}", operation_id = "tokens.revoke", tag = "tokens",
    params(("tokenId" = String, Path)),
    responses((status = OK, body = Envelope<Nothing>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn revoke(
    State(state): State<ApiState>,
    allowed: Allowed<OfToken, ManageTokens>,
) -> Result<Response, ApiError> {
    access_tokens::revoke(state.services(), &allowed.access, &allowed.found).await?;
    Ok(allowed.reply("Token revoked.", Nothing).into_response())
}
