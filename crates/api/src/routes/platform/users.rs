//! `/api/platform/users`

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{
    EmailAddress, NewPassword, Organization, OrganizationId, Role, Text, Timestamp, User, UserId,
};
use wahana_service::{
    FieldErrors,
    platform::users::{self, NewUser, UserWithMemberships},
};

use crate::{
    envelope::{Envelope, Nothing, Pagination},
    error::{ApiError, ErrorBody},
    extract::{Json, OfUser, Operated, Paging, Query},
    state::ApiState,
};

/// A person as operators see them.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlatformUserResource {
    #[schema(value_type = String, format = Uuid)]
    id: UserId,
    #[schema(value_type = String, format = Email)]
    email: EmailAddress,
    name: String,
    /// Whether they operate the installation. Only the command line changes it.
    is_platform_administrator: bool,
    /// Since when nothing of theirs is accepted; null if it is.
    #[schema(value_type = Option<String>, format = DateTime)]
    disabled_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A person and where they belong.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserWithMembershipsResource {
    #[serde(flatten)]
    user: PlatformUserResource,
    /// The organizations that are not closed.
    memberships: Vec<UserMembershipResource>,
}

/// A person's place in an organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserMembershipResource {
    #[schema(value_type = String, format = Uuid)]
    organization_id: OrganizationId,
    organization_name: String,
    #[schema(value_type = String)]
    role: Role,
}

/// A person to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateUser {
    #[schema(max_length = 254)]
    email: String,
    #[schema(max_length = 100)]
    name: String,
    /// 10 to 256 characters. Without one, the person cannot sign in yet.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// The organization that they join at once.
    membership: Option<CreateMembership>,
}

/// A place in an organization, to be given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateMembership {
    #[schema(format = Uuid)]
    organization_id: String,
    /// `owner`, `admin`, `agent` or `viewer`.
    role: String,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetPassword {
    /// 10 to 256 characters.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

impl CreateUser {
    fn check(self) -> Result<NewUser, FieldErrors> {
        let mut errors = FieldErrors::default();
        let email = errors.take("email", EmailAddress::parse(&self.email));
        let name = errors.take("name", Text::<100>::parse(&self.name));
        let password = self
            .password
            .and_then(|password| errors.take("password", NewPassword::parse(password.expose_secret())));
        let membership = self
            .membership
            .and_then(|membership| membership.check("membership.", &mut errors));
        let complete = email.zip(name).map(|(email, name)| NewUser {
            email,
            display_name: name.into_string(),
            password,
            membership,
            is_platform_administrator: false,
        });
        errors.finish(complete)
    }
}

impl CreateMembership {
    fn check(&self, prefix: &str, errors: &mut FieldErrors) -> Option<(OrganizationId, Role)> {
        let id = self.organization_id.parse();
        let id = errors.take(
            &format!("{prefix}organization_id"),
            id.map_err(|_| "must be the id of an organization"),
        );
        let role = errors.take(&format!("{prefix}role"), self.role.parse());
        id.zip(role)
    }
}

impl From<User> for PlatformUserResource {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            name: user.display_name,
            is_platform_administrator: user.is_platform_administrator,
            disabled_at: user.disabled_at,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

impl From<&(Arc<Organization>, Role)> for UserMembershipResource {
    fn from((organization, role): &(Arc<Organization>, Role)) -> Self {
        Self {
            organization_id: organization.id,
            organization_name: organization.name.clone(),
            role: *role,
        }
    }
}

impl From<UserWithMemberships> for UserWithMembershipsResource {
    fn from(user: UserWithMemberships) -> Self {
        Self {
            memberships: user.memberships.iter().map(Into::into).collect(),
            user: user.user.into(),
        }
    }
}

/// Everybody, by e-mail address.
#[utoipa::path(
    get, path = "/api/platform/users", operation_id = "platform.users.list", tag = "platform", params(Paging),
    responses((status = OK, body = Envelope<Vec<PlatformUserResource>>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    operated: Operated,
    Query(paging): Query<Paging>,
) -> Result<Response, ApiError> {
    let page = paging.check()?;
    let (found, total) = users::page(state.services(), &operated.operator, page.offset(), page.size).await?;
    let pagination = Pagination::of(page.number, page.size, total, found.len());
    let resources: Vec<PlatformUserResource> = found.into_iter().map(Into::into).collect();
    Ok(operated
        .reply("Users retrieved.", resources)
        .with_pagination(pagination)
        .into_response())
}

/// Makes a person, and a member of an organization if one is named.
#[utoipa::path(
    post, path = "/api/platform/users", operation_id = "platform.users.create", tag = "platform",
    request_body = CreateUser,
    responses(
        (status = CREATED, body = Envelope<UserWithMembershipsResource>), (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    operated: Operated,
    Json(body): Json<CreateUser>,
) -> Result<Response, ApiError> {
    let created = users::create(state.services(), &operated.operator, body.check()?).await?;
    Ok(operated
        .reply("User created.", UserWithMembershipsResource::from(created))
        .created()
        .into_response())
}

/// One person and where they belong.
#[utoipa::path(
    get, path = "/api/platform/users/{userId}", operation_id = "platform.users.get", tag = "platform",
    params(("userId" = String, Path)),
    responses(
        (status = OK, body = Envelope<UserWithMembershipsResource>), (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn get(operated: Operated<OfUser>) -> Response {
    let resource = UserWithMembershipsResource::from(operated.found.clone());
    operated.reply("User retrieved.", resource).into_response()
}

/// Disables a person: nothing of theirs is accepted any more, and their sign-ins end.
#[utoipa::path(
    post, path = "/api/platform/users/{userId}/disable", operation_id = "platform.users.disable",
    tag = "platform", params(("userId" = String, Path)),
    responses((status = OK, body = Envelope<PlatformUserResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn disable(
    State(state): State<ApiState>,
    operated: Operated<OfUser>,
) -> Result<Response, ApiError> {
    let disabled = users::disable(state.services(), &operated.operator, operated.found.user.id).await?;
    Ok(operated
        .reply("User disabled.", PlatformUserResource::from(disabled))
        .into_response())
}

/// Enables a disabled person again.
#[utoipa::path(
    post, path = "/api/platform/users/{userId}/enable", operation_id = "platform.users.enable",
    tag = "platform", params(("userId" = String, Path)),
    responses((status = OK, body = Envelope<PlatformUserResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn enable(
    State(state): State<ApiState>,
    operated: Operated<OfUser>,
) -> Result<Response, ApiError> {
    let enabled = users::enable(state.services(), &operated.operator, operated.found.user.id).await?;
    Ok(operated
        .reply("User enabled.", PlatformUserResource::from(enabled))
        .into_response())
}

/// Makes a person a member of an organization.
///
/// Administrators cannot let themselves in.
#[utoipa::path(
    post, path = "/api/platform/users/{userId}/memberships",
    operation_id = "platform.users.memberships.create", tag = "platform",
    params(("userId" = String, Path)), request_body = CreateMembership,
    responses(
        (status = CREATED, body = Envelope<UserWithMembershipsResource>), (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn add_membership(
    State(state): State<ApiState>,
    operated: Operated<OfUser>,
    Json(body): Json<CreateMembership>,
) -> Result<Response, ApiError> {
    let mut errors = FieldErrors::default();
    let membership = body.check("", &mut errors);
    let (organization, role) = errors.finish(membership)?;
    let id = operated.found.user.id;
    let after = users::add_membership(state.services(), &operated.operator, id, organization, role).await?;
    Ok(operated
        .reply("Membership created.", UserWithMembershipsResource::from(after))
        .created()
        .into_response())
}

/// Gives a person a new password and ends their sign-ins.
///
/// Not for other platform administrators.
#[utoipa::path(
    post, path = "/api/platform/users/{userId}/password", operation_id = "platform.users.set_password",
    tag = "platform", params(("userId" = String, Path)), request_body = SetPassword,
    responses((status = OK, body = Envelope<Nothing>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn set_password(
    State(state): State<ApiState>,
    operated: Operated<OfUser>,
    Json(body): Json<SetPassword>,
) -> Result<Response, ApiError> {
    let mut errors = FieldErrors::default();
    let password = errors.take("password", NewPassword::parse(body.password.expose_secret()));
    let password = errors.finish(password)?;
    let id = operated.found.user.id;
    users::set_password(state.services(), &operated.operator, id, password).await?;
    Ok(operated.reply("Password set.", Nothing).into_response())
}
