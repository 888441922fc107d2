//! Calls of the platform API.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::Serialize;
use wahana_domain::{ErrorCode, Organization, SessionId, TokenId};
use wahana_service::{
    Operator, ServiceError, Services,
    platform::{
        moving, organizations,
        servers::{self, ServerLoad},
        users::{self, UserWithMemberships},
    },
};

use super::{allowed::PathParams, identity::SignedIn, input::refuse_unknown_parameters};
use crate::{envelope::Reply, error::ApiError, request::RequestScope, state::ApiState};

/// What a path names in the installation.
pub(crate) trait PlatformResource: Send + 'static {
    /// What was found.
    type Found: Send;

    /// Finds it.
    fn find(
        services: &Services,
        operator: &Operator,
        path: &PathParams,
    ) -> impl Future<Output = Result<Self::Found, ServiceError>> + Send;
}

/// Somebody who operates the installation, and what they may act on. What the path names is looked
/// up before a body is read, so that it is missing first and faulty second.
pub(crate) struct Operated<R: PlatformResource = OfInstallation> {
    pub(crate) operator: Operator,
    pub(crate) found: R::Found,
    scope: RequestScope,
}

impl<R: PlatformResource> FromRequestParts<ApiState> for Operated<R> {
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
        let path = PathParams::read(parts).await;
        let found = R::find(state.services(), &operator, &path).await?;
        refuse_unknown_parameters(parts, state)?;
        Ok(Self {
            operator,
            found,
            scope,
        })
    }
}

impl<R: PlatformResource> Operated<R> {
    /// A success.
    pub(crate) fn reply<'a, T: Serialize>(&'a self, message: &'a str, data: T) -> Reply<'a, T> {
        Reply::new(&self.scope, message, data)
    }
}

/// The installation itself.
pub(crate) enum OfInstallation {}

impl PlatformResource for OfInstallation {
    type Found = ();

    async fn find(_: &Services, _: &Operator, _: &PathParams) -> Result<(), ServiceError> {
        Ok(())
    }
}

/// The organization that the path names.
pub(crate) enum OfAnyOrganization {}

impl PlatformResource for OfAnyOrganization {
    type Found = Organization;

    async fn find(
        services: &Services,
        operator: &Operator,
        path: &PathParams,
    ) -> Result<Organization, ServiceError> {
        let id = path.get("organizationId").parse();
        let id = id.map_err(|_| ServiceError::NotFound("Organization"))?;
        organizations::get(services, operator, id).await
    }
}

/// The person that the path names.
pub(crate) enum OfUser {}

impl PlatformResource for OfUser {
    type Found = UserWithMemberships;

    async fn find(
        services: &Services,
        operator: &Operator,
        path: &PathParams,
    ) -> Result<UserWithMemberships, ServiceError> {
        let id = path.get("userId").parse();
        let id = id.map_err(|_| ServiceError::NotFound("User"))?;
        users::get(services, operator, id).await
    }
}

/// The WAHA server that the path names.
pub(crate) enum OfServer {}

impl PlatformResource for OfServer {
    type Found = ServerLoad;

    async fn find(
        services: &Services,
        operator: &Operator,
        path: &PathParams,
    ) -> Result<ServerLoad, ServiceError> {
        let id = path.get("serverId").parse();
        let id = id.map_err(|_| ServiceError::NotFound("WAHA server"))?;
        servers::get(services, operator, id).await
    }
}

/// The id of the session that the path names, whosever it is.
pub(crate) enum OfAnySession {}

impl PlatformResource for OfAnySession {
    type Found = SessionId;

    async fn find(
        services: &Services,
        operator: &Operator,
        path: &PathParams,
    ) -> Result<SessionId, ServiceError> {
        let id = path.get("anySessionId").parse();
        let id = id.map_err(|_| ServiceError::NotFound("Session"))?;
        moving::exists(services, operator, id).await?;
        Ok(id)
    }
}

/// The id of the platform token that the path names; whether there is one shows when it is used.
pub(crate) enum OfPlatformToken {}

impl PlatformResource for OfPlatformToken {
    type Found = TokenId;

    async fn find(_: &Services, _: &Operator, path: &PathParams) -> Result<TokenId, ServiceError> {
        TokenId::parse(path.get("tokenId")).map_err(|_| ServiceError::NotFound("Token"))
    }
}
