//! `/api/platform/tokens`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{PlatformToken, Text, Timestamp, TokenId, UserId};
use wahana_service::{
    FieldErrors, Operator,
    platform::tokens::{self, NewPlatformToken},
};

use crate::{
    envelope::{Envelope, Nothing},
    error::{ApiError, ErrorBody},
    extract::{Json, OfPlatformToken, Operated},
    state::ApiState,
};

/// A platform administrator's token, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlatformTokenResource {
    #[schema(value_type = String)]
    id: TokenId,
    name: String,
    #[schema(value_type = String, format = Uuid)]
    user_id: UserId,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// To about a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// A platform administrator's token that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedPlatformTokenResource {
    #[serde(flatten)]
    token: PlatformTokenResource,
    /// What goes behind `Authorization: Bearer`; shown this once.
    bearer: String,
}

/// A token to be made for the administrator who asks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreatePlatformToken {
    #[schema(max_length = 100)]
    name: String,
    /// When it ends; never if left out.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

impl CreatePlatformToken {
    fn check(self, user_id: UserId) -> Result<NewPlatformToken, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = errors.take("name", Text::<100>::parse(&self.name));
        let expires_at = self
            .expires_at
            .and_then(|text| errors.take("expires_at", Timestamp::parse(&text)));
        errors.finish(name.map(|name| NewPlatformToken {
            user_id,
            name: name.into_string(),
            expires_at,
        }))
    }
}

impl From<PlatformToken> for PlatformTokenResource {
    fn from(token: PlatformToken) -> Self {
        Self {
            id: token.id,
            name: token.name,
            user_id: token.user_id,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            created_at: token.created_at,
        }
    }
}

/// Every platform administrator's tokens, newest first.
#[utoipa::path(
    get, path = "/api/platform/tokens", operation_id = "platform.tokens.list", tag = "platform",
    responses((status = OK, body = Envelope<Vec<PlatformTokenResource>>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn list(State(state): State<ApiState>, operated: Operated) -> Result<Response, ApiError> {
    let found = tokens::list(state.services(), &operated.operator).await?;
    let resources: Vec<PlatformTokenResource> = found.into_iter().map(Into::into).collect();
    Ok(operated.reply("Tokens retrieved.", resources).into_response())
}

/// Makes a token for the administrator who asks.
///
/// Its secret is in this answer and nowhere else.
#[utoipa::path(
    post, path = "/api/platform/tokens", operation_id = "platform.tokens.create", tag = "platform",
    request_body = CreatePlatformToken,
    responses(
        (status = CREATED, body = Envelope<CreatedPlatformTokenResource>), (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    operated: Operated,
    Json(body): Json<CreatePlatformToken>,
) -> Result<Response, ApiError> {
    let Operator::Administrator(administrator, _) = &operated.operator else {
        return Err(ApiError::internal("the command line called a route"));
    };
    let new = body.check(administrator.user_id())?;
    let created = tokens::create(state.services(), &operated.operator, new).await?;
    let bearer = format!("{}|{}", created.token.id, created.secret.expose());
    let resource = CreatedPlatformTokenResource {
        token: created.token.into(),
        bearer,
    };
    Ok(operated
        .reply("Token created. Its secret is not shown again.", resource)
        .created()
        .into_response())
}

/// Takes a platform administrator's token back.
///
/// It is refused everywhere within five seconds.
#[utoipa::path(
    delete, path = "/api/platform/tokens/{tokenId}", operation_id = "platform.tokens.revoke",
    tag = "platform", params(("tokenId" = String, Path)),
    responses((status = OK, body = Envelope<Nothing>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn revoke(
    State(state): State<ApiState>,
    operated: Operated<OfPlatformToken>,
) -> Result<Response, ApiError> {
    tokens::revoke(state.services(), &operated.operator, &operated.found).await?;
    Ok(operated.reply("Token revoked.", Nothing).into_response())
}
