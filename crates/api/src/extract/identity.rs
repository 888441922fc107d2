//! Who is calling.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, Method, header, request::Parts},
};
use axum_extra::extract::CookieJar;
use wahana_domain::{OrganizationId, SecretHash, SignInId, TokenId};
use wahana_service::{Context, Credential, Identity, NoCaller, PresentedCredential, ServiceError};

use crate::{
    error::{ApiError, ErrorCode},
    origin::is_same_origin,
    request::RequestScope,
    state::ApiState,
};

/// The cookie of a signed-in person.
pub(crate) const SIGN_IN_COOKIE: &str = "wahana_sign_in";
/// Which of their organizations a signed-in person means.
const ORGANIZATION_HEADER: HeaderName = HeaderName::from_static("x-organization-id");
/// A header that no form of another site can send.
const CUSTOM_HEADER: HeaderName = HeaderName::from_static("x-requested-with");

/// A user who was recognized, whatever their organizations.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) identity: Arc<Identity>,
    pub(crate) scope: RequestScope,
}

impl FromRequestParts<ApiState> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let scope = scope(parts)?;
        let presented = presented(&parts.headers)?;
        let identity = state
            .services()
            .callers()
            .identify(&presented)
            .await
            .map_err(ServiceError::Store)?;
        let identity = identity.ok_or_else(ApiError::unauthenticated)?;
        if matches!(presented, PresentedCredential::SignIn { .. }) {
            refuse_other_sites(parts, state)?;
        }
        state.services().note_use(&identity);
        Ok(Self { identity, scope })
    }
}

impl SignedIn {
    /// The user in the organization that the request names, or that the token is for.
    pub(crate) fn context(&self, headers: &HeaderMap) -> Result<Context, ApiError> {
        let wanted = match self.identity.credential() {
            Credential::SignIn(_) => wanted_organization(headers)?,
            Credential::Token(_) | Credential::PlatformToken(_) => None,
        };
        let origin = self.scope.origin().clone();
        match self.identity.caller(wanted) {
            Ok(caller) => {
                let context = Context { caller, origin };
                self.scope.set_context(&context);
                Ok(context)
            }
            Err(NoCaller::NoOrganization) => Err(ApiError::no_organization()),
            Err(NoCaller::Suspended(caller)) => {
                self.scope.set_context(&Context {
                    caller: *caller,
                    origin,
                });
                Err(ApiError::new(
                    ErrorCode::OrganizationSuspended,
                    "This organization is suspended. Please contact the platform's operator.",
                ))
            }
        }
    }
}

pub(super) fn scope(parts: &Parts) -> Result<RequestScope, ApiError> {
    let scope = parts.extensions.get::<RequestScope>().cloned();
    scope.ok_or_else(|| ApiError::internal("a route is outside of the request's surroundings"))
}

/// The credential that the request brought. A header counts before a cookie: who sends one means it.
fn presented(headers: &HeaderMap) -> Result<PresentedCredential, ApiError> {
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(authorization) = authorizations.next() {
        if authorizations.next().is_some() {
            return Err(ApiError::unauthenticated());
        }
        let text = authorization.to_str().map_err(|_| ApiError::unauthenticated())?;
        let (scheme, token) = text.split_once(' ').ok_or_else(ApiError::unauthenticated)?;
        let (id, secret) = token
            .trim()
            .split_once('|')
            .ok_or_else(ApiError::unauthenticated)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(ApiError::unauthenticated());
        }
        let id = TokenId::parse(id).map_err(|_| ApiError::unauthenticated())?;
        return Ok(PresentedCredential::Token {
            id,
            secret: SecretHash::of(secret),
        });
    }
    let jar = CookieJar::from_headers(headers);
    let cookie = jar.get(SIGN_IN_COOKIE).ok_or_else(ApiError::unauthenticated)?;
    let (id, secret) = cookie
        .value()
        .split_once('.')
        .ok_or_else(ApiError::unauthenticated)?;
    let id: SignInId = id.parse().map_err(|_| ApiError::unauthenticated())?;
    Ok(PresentedCredential::SignIn {
        id,
        secret: SecretHash::of(secret),
    })
}

/// A browser sends the cookie with what other sites make it send, too. Changes therefore need what
/// only wahana's own pages can send.
fn refuse_other_sites(parts: &Parts, state: &ApiState) -> Result<(), ApiError> {
    let changes_nothing = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let is_ours = is_same_origin(&parts.headers, &state.settings().public_url)
        && parts.headers.contains_key(&CUSTOM_HEADER);
    if changes_nothing || is_ours {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::Forbidden,
        "A signed-in browser must send an Origin of wahana's own address and the header X-Requested-With.",
    ))
}

/// An organization that is named but is none, or is named twice, is one that the user is not in.
fn wanted_organization(headers: &HeaderMap) -> Result<Option<OrganizationId>, ApiError> {
    let mut named = headers.get_all(&ORGANIZATION_HEADER).iter();
    let Some(id) = named.next() else { return Ok(None) };
    if named.next().is_some() {
        return Err(ApiError::no_organization());
    }
    let id = id.to_str().ok().and_then(|id| id.parse().ok());
    id.map(Some).ok_or_else(ApiError::no_organization)
}
