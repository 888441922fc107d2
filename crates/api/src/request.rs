//! What surrounds every request: its id, where it came from, its log line, its error answer, and the
//! row that a refusal leaves in the audit log.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};
use uuid::Uuid;
use wahana_domain::{OrganizationId, SessionId, Timestamp, TokenId, UserId};
use wahana_service::{Context, Credential, Operator, Person, RequestOrigin, audit};

use crate::{
    error::{ApiError, LIMIT, set_limit_headers},
    metrics::count_request,
    origin::source_address,
    state::ApiState,
};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of the request that is being answered. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct RequestScope(Arc<Scope>);

#[derive(Debug)]
struct Scope {
    origin: RequestOrigin,
    begun_at: Timestamp,
    person: OnceLock<Person>,
    context: OnceLock<Context>,
    operator: OnceLock<Operator>,
    session: OnceLock<SessionId>,
}

impl RequestScope {
    fn new(origin: RequestOrigin, begun_at: Timestamp) -> Self {
        Self(Arc::new(Scope {
            origin,
            begun_at,
            person: OnceLock::new(),
            context: OnceLock::new(),
            operator: OnceLock::new(),
            session: OnceLock::new(),
        }))
    }

    /// The request's id and where it came from.
    pub(crate) fn origin(&self) -> &RequestOrigin {
        &self.0.origin
    }

    /// When it arrived.
    pub(crate) fn begun_at(&self) -> Timestamp {
        self.0.begun_at
    }

    /// Notes who it is from, for the log, before it is known for which organization they call.
    pub(crate) fn set_person(&self, person: &Person) {
        let _ = self.0.person.set(person.clone());
    }

    /// Notes who calls, for the log.
    pub(crate) fn set_context(&self, context: &Context) {
        // A request has one caller: a second note says the same.
        let _ = self.0.context.set(context.clone());
    }

    /// Notes that an operator calls, for the log.
    pub(crate) fn set_operator(&self, operator: &Operator) {
        let _ = self.0.operator.set(operator.clone());
    }

    /// Notes which session is meant, for the log.
    pub(crate) fn set_session(&self, session: SessionId) {
        let _ = self.0.session.set(session);
    }
}

/// What the log and the metrics call the route of a request for which there is none.
const UNKNOWN_ROUTE: &str = "unknown route";
/// What machines ask every few seconds is no news while it goes well.
const ROUTES_OF_MACHINES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// A request on its way. If it is dropped before it was answered, the caller hung up, and the log says so.
struct Abandoned<'a> {
    scope: &'a RequestScope,
    method: &'a Method,
    route: &'a str,
    begun: Instant,
}

impl Abandoned<'_> {
    /// It was answered, and has its line from there.
    fn answered(self) {
        std::mem::forget(self);
    }
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        let callers = Callers::of(self.scope);
        tracing::info!(
            request.id = self.scope.origin().request_id,
            http.method = %self.method,
            http.route = self.route,
            duration_ms = milliseconds(self.begun),
            source.address = self.scope.origin().source_address.map(tracing::field::display),
            organization.id = callers.organization.map(tracing::field::display),
            user.id = callers.user.map(tracing::field::display),
            token.id = callers.token.map(tracing::field::display),
            session.id = self.scope.0.session.get().map(tracing::field::display),
            "the caller hung up before the answer; what was begun on WAHA is ended all the same"
        );
    }
}

/// Who calls, as far as it is known.
struct Callers<'a> {
    organization: Option<OrganizationId>,
    user: Option<UserId>,
    /// Its id, never its secret.
    token: Option<&'a TokenId>,
}

impl<'a> Callers<'a> {
    fn of(scope: &'a RequestScope) -> Self {
        let person = scope.0.person.get().map(|person| &*person.identity);
        let context = scope.0.context.get();
        Self {
            organization: context.map(|context| context.caller.organization().id),
            user: person.map(|identity| identity.user().id),
            token: person.and_then(|identity| match identity.credential() {
                Credential::Token(id) | Credential::PlatformToken(id) => Some(id),
                Credential::SignIn(_) => None,
            }),
        }
    }
}

/// How long something took, in milliseconds and no more exactly than a microsecond.
fn milliseconds(begun: Instant) -> f64 {
    (begun.elapsed().as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// Surrounds a request.
pub(crate) async fn surround(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|peer| peer.0.ip());
    let source = source_address(peer, request.headers(), &state.settings().trusted_proxies);
    let origin = RequestOrigin::new(request_id(request.headers()), source);
    let scope = RequestScope::new(origin, state.services().now());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(UNKNOWN_ROUTE, MatchedPath::as_str);
    request.extensions_mut().insert(scope.clone());

    let abandoned = Abandoned {
        scope: &scope,
        method: &method,
        route,
        begun,
    };
    let mut response = next.run(request).await;

    let error = response.extensions_mut().remove::<Arc<ApiError>>();
    if let Some(error) = &error {
        record_refusal(&state, &scope, &method, route, error).await;
        let headers = std::mem::take(response.headers_mut());
        response = error.render(state.services().now(), &scope.origin().request_id);
        for (name, value) in &headers {
            if !response.headers().contains_key(name) && name != header::CONTENT_LENGTH {
                response.headers_mut().append(name, value.clone());
            }
        }
    }
    set_headers(response.headers_mut(), scope.origin());
    abandoned.answered();
    // What refused has said so already; else the nearest limit that was kept does.
    if let Some(allowance) = scope.origin().allowance()
        && !response.headers().contains_key(LIMIT)
    {
        set_limit_headers(response.headers_mut(), allowance);
    }
    count_request(&method, route, response.status().as_u16(), begun.elapsed());
    log(&scope, &method, route, &response, error.as_deref(), begun);
    response
}

/// The caller's id for the request if it is well formed, else one of ours.
fn request_id(headers: &HeaderMap) -> String {
    let is_well_formed = |id: &&str| {
        (1..=128).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
    };
    let mut ids = headers.get_all(&REQUEST_ID).iter();
    let given = ids
        .next()
        .filter(|_| ids.next().is_none())
        .and_then(|id| id.to_str().ok())
        .filter(is_well_formed);
    given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

fn set_headers(headers: &mut HeaderMap, origin: &RequestOrigin) {
    if let Ok(id) = HeaderValue::from_str(&origin.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    // Answers are one caller's and one moment's.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}

async fn record_refusal(
    state: &ApiState,
    scope: &RequestScope,
    method: &Method,
    route: &str,
    error: &ApiError,
) {
    let Some(operation) = state.operations().audited(method, route) else {
        return;
    };
    let (services, code) = (state.services(), error.code);
    let written = if let Some(context) = scope.0.context.get() {
        let session = scope.0.session.get().copied();
        audit::record_refusal(services, context, operation, session, code).await
    } else if let Some(operator) = scope.0.operator.get() {
        audit::record_refusal_to_operator(services, operator, operation, code).await
    } else if let Some(person) = scope.0.person.get() {
        audit::record_refusal_to_person(services, person, operation, code).await
    } else {
        return;
    };
    if let Err(failure) = written {
        tracing::error!(
            request.id = scope.origin().request_id,
            operation,
            error = %failure,
            "a refusal could not be written to the audit log"
        );
    }
}

fn log(
    scope: &RequestScope,
    method: &Method,
    route: &str,
    response: &Response,
    error: Option<&ApiError>,
    begun: Instant,
) {
    let origin = scope.origin();
    let callers = Callers::of(scope);
    let status = response.status().as_u16();
    let code = error.map(|error| error.code.as_str());
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                request.id = origin.request_id,
                http.method = %method,
                http.route = route,
                http.status = status,
                duration_ms = milliseconds(begun),
                source.address = origin.source_address.map(tracing::field::display),
                organization.id = callers.organization.map(tracing::field::display),
                user.id = callers.user.map(tracing::field::display),
                token.id = callers.token.map(tracing::field::display),
                session.id = scope.0.session.get().map(tracing::field::display),
                error.code = code,
                error.reason = error.and_then(ApiError::internal_reason),
                "request answered"
            )
        };
    }
    if status >= 500 {
        line!(error);
    } else if ROUTES_OF_MACHINES.contains(&route) {
        line!(debug);
    } else {
        line!(info);
    }
}
