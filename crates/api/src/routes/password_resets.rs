//! `/api/auth/password-reset`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;
use wahana_domain::NewPassword;
use wahana_service::{FieldErrors, PresentedLink, password_resets};

use crate::{
    envelope::{Envelope, Nothing},
    error::{ApiError, ErrorBody},
    extract::{Json, Visitor},
    state::ApiState,
};

/// A new password, by a link that an operator made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetPassword {
    /// What is behind the `#` of the link.
    #[schema(value_type = String)]
    token: SecretString,
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 256)]
    password: SecretString,
}

/// Sets a new password.
///
/// The link is used up, and every sign-in of the person ends.
#[utoipa::path(
    post, path = "/api/auth/password-reset", operation_id = "auth.reset_password", tag = "auth", security(()),
    request_body = ResetPassword,
    responses((status = OK, body = Envelope<Nothing>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn complete(
    State(state): State<ApiState>,
    visitor: Visitor,
    Json(body): Json<ResetPassword>,
) -> Result<Response, ApiError> {
    let mut errors = FieldErrors::default();
    let password = errors.take("password", NewPassword::parse(body.password.expose_secret()));
    let password = errors.finish(password)?;
    let link = PresentedLink::parse(body.token.expose_secret());
    password_resets::complete(state.services(), visitor.scope.origin(), link, password).await?;
    Ok(visitor
        .reply("Password set. Sign in with it.", Nothing)
        .into_response())
}
