//! Who is calling.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, MatchedPath, OptionalFromRequestParts},
    http::{HeaderMap, HeaderName, Method, header, request::Parts},
};
use axum_extra::extract::CookieJar;
use serde::Serialize;
use wahana_domain::{ErrorCode, OrganizationId, SecretHash, SignInId, TokenId};
use wahana_service::{
    Caller, Context, Credential, Identity, NoCaller, Person, PresentedCredential, ServiceError,
};

use crate::{
    envelope::Reply, error::ApiError, origin::is_same_origin, request::RequestScope, state::ApiState,
};

/// The cookie of a signed-in person.
pub(crate) const SIGN_IN_COOKIE: &str = "wahana_sign_in";
/// Which of their organizations a signed-in person means.
const ORGANIZATION_HEADER: HeaderName = HeaderName::from_static("x-organization-id");
/// The same in the query of a stream.
const ORGANIZATION_PARAMETER: &str = "organization";
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
        let signed_in = Self { identity, scope };
        signed_in.scope.set_person(&signed_in.person());
        if matches!(presented, PresentedCredential::SignIn { .. }) {
            refuse_other_sites(parts, state)?;
        }
        state.services().note_use(&signed_in.identity);
        Ok(signed_in)
    }
}

/// A request may do without a credential; one that is wrong is none.
impl OptionalFromRequestParts<ApiState> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Option<Self>, ApiError> {
        match <Self as FromRequestParts<ApiState>>::from_request_parts(parts, state).await {
            Ok(signed_in) => Ok(Some(signed_in)),
            Err(error) if error.code == ErrorCode::Unauthenticated => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A user who signed in with their password: what concerns a person themself is not for tokens.
pub(crate) struct InPerson {
    pub(crate) person: Person,
    scope: RequestScope,
}

impl FromRequestParts<ApiState> for InPerson {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let signed_in = <SignedIn as FromRequestParts<ApiState>>::from_request_parts(parts, state).await?;
        let person = signed_in.person();
        person.sign_in()?;
        Ok(Self {
            person,
            scope: signed_in.scope,
        })
    }
}

impl InPerson {
    /// A success.
    pub(crate) fn reply<'a, T: Serialize>(&'a self, message: &'a str, data: T) -> Reply<'a, T> {
        Reply::new(&self.scope, message, data)
    }
}

/// Anybody. A browser says which page makes it send a request; if it does, the page must be wahana's
/// own, so that no other site signs somebody in or uses a link in their browser.
pub(crate) struct Visitor {
    pub(crate) scope: RequestScope,
}

impl FromRequestParts<ApiState> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let is_from_a_page = parts.headers.contains_key(header::ORIGIN);
        if is_from_a_page && !is_same_origin(&parts.headers, &state.settings().public_url) {
            return Err(ApiError::new(
                ErrorCode::Forbidden,
                "This is for wahana's own pages, not for those of other sites.",
            ));
        }
        Ok(Self { scope: scope(parts)? })
    }
}

impl Visitor {
    /// A success.
    pub(crate) fn reply<'a, T: Serialize>(&'a self, message: &'a str, data: T) -> Reply<'a, T> {
        Reply::new(&self.scope, message, data)
    }
}

impl SignedIn {
    /// The user, whatever their organizations.
    pub(crate) fn person(&self) -> Person {
        Person {
            identity: self.identity.clone(),
            origin: self.scope.origin().clone(),
        }
    }

    /// The user in the organization that the request names, or in the only one there is; `None` if
    /// it names none and there are several or none, or if it is suspended.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Option<Caller>, ApiError> {
        let wanted = self.wanted_organization(headers)?;
        match self.identity.caller(wanted) {
            Ok(caller) => Ok(Some(caller)),
            Err(NoCaller::NoOrganization) if wanted.is_some() => Err(ApiError::no_organization()),
            Err(NoCaller::NoOrganization | NoCaller::Suspended(_)) => Ok(None),
        }
    }

    /// The user in the organization that the request names, or that the token is for.
    pub(crate) fn context(&self, parts: &Parts, state: &ApiState) -> Result<Context, ApiError> {
        let wanted = match self.wanted_organization(&parts.headers)? {
            None => self.organization_in_query(parts, state)?,
            named => named,
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

    /// What a cookie's request names; a token has its own. An organization that is named but is none, or is
    /// named twice, is one that the user is not in.
    fn wanted_organization(&self, headers: &HeaderMap) -> Result<Option<OrganizationId>, ApiError> {
        if !matches!(self.identity.credential(), Credential::SignIn(_)) {
            return Ok(None);
        }
        let mut named = headers.get_all(&ORGANIZATION_HEADER).iter();
        let Some(id) = named.next() else { return Ok(None) };
        if named.next().is_some() {
            return Err(ApiError::no_organization());
        }
        let id = id.to_str().ok().and_then(|id| id.parse().ok());
        id.map(Some).ok_or_else(ApiError::no_organization)
    }
}

impl SignedIn {
    /// What the query of a cookie's request names, where the operation takes that: browsers send no header of one's
    /// own when they open a stream.
    fn organization_in_query(
        &self,
        parts: &Parts,
        state: &ApiState,
    ) -> Result<Option<OrganizationId>, ApiError> {
        let (Some(query), Some(route)) = (parts.uri.query(), parts.extensions.get::<MatchedPath>()) else {
            return Ok(None);
        };
        let is_taken = state
            .operations()
            .takes(&parts.method, route.as_str(), ORGANIZATION_PARAMETER);
        if !is_taken || !matches!(self.identity.credential(), Credential::SignIn(_)) {
            return Ok(None);
        }
        let mut named = url::form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| name == ORGANIZATION_PARAMETER)
            .map(|(_, id)| id.parse().ok());
        match (named.next(), named.next()) {
            (None, _) => Ok(None),
            (Some(Some(id)), None) => Ok(Some(id)),
            _ => Err(ApiError::no_organization()),
        }
    }
}

pub(super) fn scope(parts: &Parts) -> Result<RequestScope, ApiError> {
    let scope = parts.extensions.get::<RequestScope>().cloned();
    scope.ok_or_else(|| ApiError::internal("a route is outside of the request's surroundings"))
}

/// The credential that the request brought. A header counts before a cookie: who sends one means it.
pub(crate) fn presented(headers: &HeaderMap) -> Result<PresentedCredential, ApiError> {
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
    if sign_in_cookies(headers) > 1 {
        return Err(ApiError::unauthenticated());
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

/// How many cookies claim to be the sign-in. A page of a neighbouring host can add one, so that two mean
/// that nobody knows which is the person's own.
fn sign_in_cookies(headers: &HeaderMap) -> usize {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    cookies
        .filter(|cookie| {
            cookie
                .split_once('=')
                .is_some_and(|(name, _)| name.trim() == SIGN_IN_COOKIE)
        })
        .count()
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
