//! `/api/auth`: people sign in and out, and see who they are.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{
    Ability, EmailAddress, NewPassword, OrganizationId, Password, Role, SessionId, User, UserId,
};
use wahana_service::{
    Caller, Credential, FieldErrors, Identity,
    auth::{self, SIGN_IN_LIFETIME, SignIn},
};

use crate::{
    envelope::{Envelope, Nothing, Reply},
    error::{ApiError, ErrorBody},
    extract::{InPerson, Json, SIGN_IN_COOKIE, SignedIn, Visitor},
    state::ApiState,
};

/// A person.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserResource {
    #[schema(value_type = String, format = Uuid)]
    id: UserId,
    #[schema(value_type = String, format = Email)]
    email: EmailAddress,
    display_name: String,
    /// Whether they operate the installation.
    is_platform_administrator: bool,
}

/// An organization that a person belongs to.
#[derive(Serialize, ToSchema)]
pub(crate) struct OwnOrganization {
    #[schema(value_type = String, format = Uuid)]
    id: OrganizationId,
    name: String,
    /// `active`, or `suspended` by the platform.
    status: &'static str,
    /// The person's role in it.
    #[schema(value_type = String)]
    role: Role,
}

/// A person and where they belong.
#[derive(Serialize, ToSchema)]
pub(crate) struct Account {
    user: UserResource,
    organizations: Vec<OwnOrganization>,
}

/// Who is calling.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    #[serde(flatten)]
    account: Account,
    /// `sign_in`, `token` or `platform_token`.
    credential: &'static str,
    /// The organization that this request is for; null if it names none and there are several or
    /// none, or if it is suspended.
    #[schema(value_type = Option<String>, format = Uuid)]
    organization_id: Option<OrganizationId>,
    /// The role in that organization.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// What the credential and the role both allow there.
    #[schema(value_type = Vec<String>)]
    abilities: Vec<&'static str>,
    /// The ids of the only sessions there are for the credential; null for all.
    #[schema(value_type = Option<Vec<String>>)]
    sessions: Option<Vec<SessionId>>,
}

/// What a person signs in with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    #[schema(format = Email)]
    email: String,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// A change of the own password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePassword {
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 256)]
    new_password: SecretString,
}

impl From<&User> for UserResource {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            email: user.email.clone(),
            display_name: user.display_name.clone(),
            is_platform_administrator: user.is_platform_administrator,
        }
    }
}

impl Account {
    fn of(identity: &Identity) -> Self {
        Self {
            user: identity.user().into(),
            organizations: own_organizations(identity),
        }
    }
}

fn own_organizations(identity: &Identity) -> Vec<OwnOrganization> {
    let memberships = identity.memberships().iter();
    memberships
        .map(|(organization, role)| OwnOrganization {
            id: organization.id,
            name: organization.name.clone(),
            status: organization.state.as_str(),
            role: *role,
        })
        .collect()
}

/// Signs in.
///
/// The answer sets the cookie `wahana_sign_in`.
#[utoipa::path(
    post, path = "/api/auth/login", operation_id = "auth.login", tag = "auth", security(()),
    request_body = Login,
    responses((status = OK, body = Envelope<Account>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn login(
    State(state): State<ApiState>,
    visitor: Visitor,
    Json(body): Json<Login>,
) -> Result<Response, ApiError> {
    let mut errors = FieldErrors::default();
    let email = errors.take("email", EmailAddress::parse(&body.email));
    let email = errors.finish(email)?;
    let password = Password::presented(body.password.expose_secret());
    let sign_in = auth::sign_in(state.services(), visitor.scope.origin(), &email, password).await?;
    let mut response = visitor
        .reply("Signed in.", Account::of(&sign_in.identity))
        .into_response();
    set_cookie(
        &mut response,
        cookie_of(&sign_in).expose_secret(),
        SIGN_IN_LIFETIME.as_secs(),
        &state,
    )?;
    Ok(response)
}

/// Signs out: the cookie is worth nothing any more.
#[utoipa::path(
    post, path = "/api/auth/logout", operation_id = "auth.logout", tag = "auth", security(("sign_in" = [])),
    responses((status = OK, body = Envelope<Nothing>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn logout(State(state): State<ApiState>, caller: InPerson) -> Result<Response, ApiError> {
    auth::sign_out(state.services(), &caller.person).await?;
    let mut response = caller.reply("Signed out.", Nothing).into_response();
    set_cookie(&mut response, "", 0, &state)?;
    Ok(response)
}

/// Who is calling, with what, and what they may do.
#[utoipa::path(
    get, path = "/api/auth/me", operation_id = "auth.me", tag = "auth",
    responses((status = OK, body = Envelope<Me>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn me(signed_in: SignedIn, headers: HeaderMap) -> Result<Response, ApiError> {
    let caller = signed_in.caller(&headers)?;
    let caller = caller.as_ref();
    let abilities = Ability::ALL
        .into_iter()
        .filter(|ability| caller.is_some_and(|caller| caller.may(*ability)));
    let me = Me {
        account: Account::of(&signed_in.identity),
        credential: match signed_in.identity.credential() {
            Credential::SignIn(_) => "sign_in",
            Credential::Token(_) => "token",
            Credential::PlatformToken(_) => "platform_token",
        },
        organization_id: caller.map(|caller| caller.organization().id),
        role: caller.map(Caller::role),
        abilities: abilities.map(Ability::as_str).collect(),
        sessions: caller.and_then(|caller| caller.sessions().map(<[_]>::to_vec)),
    };
    Ok(Reply::new(&signed_in.scope, "You are recognized.", me).into_response())
}

/// The organizations that the caller belongs to.
#[utoipa::path(
    get, path = "/api/auth/organizations", operation_id = "auth.organizations", tag = "auth",
    responses((status = OK, body = Envelope<Vec<OwnOrganization>>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn organizations(signed_in: SignedIn) -> Response {
    let organizations = own_organizations(&signed_in.identity);
    Reply::new(&signed_in.scope, "Organizations retrieved.", organizations).into_response()
}

/// Changes the caller's password.
///
/// Every other sign-in of theirs ends.
#[utoipa::path(
    post, path = "/api/auth/password", operation_id = "auth.change_password", tag = "auth",
    security(("sign_in" = [])), request_body = ChangePassword,
    responses((status = OK, body = Envelope<Nothing>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn change_password(
    State(state): State<ApiState>,
    caller: InPerson,
    Json(body): Json<ChangePassword>,
) -> Result<Response, ApiError> {
    let mut errors = FieldErrors::default();
    let new = errors.take(
        "new_password",
        NewPassword::parse(body.new_password.expose_secret()),
    );
    let new = errors.finish(new)?;
    let current = Password::presented(body.current_password.expose_secret());
    auth::change_password(state.services(), &caller.person, current, new).await?;
    Ok(caller.reply("Password changed.", Nothing).into_response())
}

fn cookie_of(sign_in: &SignIn) -> SecretString {
    format!("{}.{}", sign_in.id, sign_in.secret.expose()).into()
}

/// No script reads it, no other site's form sends it, and over HTTPS it goes nowhere else.
fn set_cookie(
    response: &mut Response,
    value: &str,
    max_age_seconds: u64,
    state: &ApiState,
) -> Result<(), ApiError> {
    let is_https = state.settings().public_url.scheme() == "https";
    let secure = if is_https { "; Secure" } else { "" };
    let cookie = format!(
        "{SIGN_IN_COOKIE}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={max_age_seconds}{secure}"
    );
    let mut cookie =
        HeaderValue::from_str(&cookie).map_err(|_| ApiError::internal("a cookie cannot be written"))?;
    cookie.set_sensitive(true);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(())
}
