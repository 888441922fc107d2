//! Calls of the platform API.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::Serialize;
use wahana_service::Operator;

use super::identity::SignedIn;
use crate::{
    envelope::Reply,
    error::{ApiError, ErrorCode},
    request::RequestScope,
    state::ApiState,
};

/// Somebody who operates the installation.
pub(crate) struct Operated {
    pub(crate) operator: Operator,
    scope: RequestScope,
}

impl FromRequestParts<ApiState> for Operated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let SignedIn { identity, scope } =
            <SignedIn as FromRequestParts<ApiState>>::from_request_parts(parts, state).await?;
        let Some(administrator) = identity.platform_administrator() else {
            return Err(ApiError::new(
                ErrorCode::Forbidden,
                "This is for platform administrators.",
            ));
        };
        let operator = Operator::Administrator(administrator, scope.origin().clone());
        scope.set_operator(&operator);
        Ok(Self { operator, scope })
    }
}

impl Operated {
    /// A success.
    pub(crate) fn reply<'a, T: Serialize>(&'a self, message: &'a str, data: T) -> Reply<'a, T> {
        Reply::new(&self.scope, message, data)
    }
}
