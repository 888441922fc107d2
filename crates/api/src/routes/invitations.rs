//! `/api/waha/invitations`, and `/api/auth/invitations` for those who were invited.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{
    EmailAddress, Invitation, InvitationId, NewPassword, OrganizationId, Role, Text, Timestamp, UserId,
};
use wahana_service::{
    FieldErrors, PresentedLink,
    access::ManageMembers,
    invitations::{self, NewAccount, NewInvitation, Opened},
};

use crate::{
    envelope::{Envelope, Nothing, Pagination},
    error::{ApiError, ErrorBody},
    extract::{Allowed, Json, OfInvitation, OfOrganization, Paging, Query, SignedIn, Visitor},
    state::ApiState,
};

/// An open invitation, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationResource {
    #[schema(value_type = String, format = Uuid)]
    id: InvitationId,
    #[schema(value_type = String, format = Email)]
    email: EmailAddress,
    /// What the person will be.
    #[schema(value_type = String)]
    role: Role,
    /// Who invited; null if an operator did.
    #[schema(value_type = Option<String>, format = Uuid)]
    invited_by: Option<UserId>,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// An invitation that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedInvitationResource {
    #[serde(flatten)]
    invitation: InvitationResource,
    /// To be handed to the invited person; shown this once.
    link: String,
}

/// What an invitation's link leads to.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenedInvitation {
    #[schema(value_type = String, format = Uuid)]
    organization_id: OrganizationId,
    organization_name: String,
    #[schema(value_type = String, format = Email)]
    email: EmailAddress,
    #[schema(value_type = String)]
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Whom to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateInvitation {
    #[schema(format = Email)]
    email: String,
    /// `owner`, `admin`, `agent` or `viewer`.
    role: String,
}

/// Which invitation is looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenInvitation {
    /// What is behind the `#` of the link.
    #[schema(value_type = String)]
    token: SecretString,
}

/// An answer to an invitation. Somebody who has no account yet gives a name and a password; somebody
/// who has one signs in first.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptInvitation {
    /// What is behind the `#` of the link.
    #[schema(value_type = String)]
    token: SecretString,
    #[schema(max_length = 100)]
    display_name: Option<String>,
    #[schema(value_type = Option<String>, format = Password, min_length = 10, max_length = 256)]
    password: Option<SecretString>,
}

impl CreateInvitation {
    fn check(&self) -> Result<NewInvitation, FieldErrors> {
        let mut errors = FieldErrors::default();
        let email = errors.take("email", EmailAddress::parse(&self.email));
        let role = errors.take("role", self.role.parse());
        let complete = email.zip(role).map(|(email, role)| NewInvitation { email, role });
        errors.finish(complete)
    }
}

impl AcceptInvitation {
    /// What the person says about themself; needed only of those who have no account.
    fn account(&self) -> Result<NewAccount, FieldErrors> {
        let mut errors = FieldErrors::default();
        let display_name = match &self.display_name {
            Some(name) => errors.take("display_name", Text::parse(name)),
            None => errors.take("display_name", Err("is required")),
        };
        let password = match &self.password {
            Some(password) => errors.take("password", NewPassword::parse(password.expose_secret())),
            None => errors.take("password", Err("is required")),
        };
        let complete = display_name
            .zip(password)
            .map(|(display_name, password)| NewAccount {
                display_name,
                password,
            });
        errors.finish(complete)
    }
}

impl From<Invitation> for InvitationResource {
    fn from(invitation: Invitation) -> Self {
        Self {
            id: invitation.id,
            email: invitation.email,
            role: invitation.role,
            invited_by: invitation.invited_by,
            expires_at: invitation.expires_at,
            created_at: invitation.created_at,
        }
    }
}

impl From<Opened> for OpenedInvitation {
    fn from(opened: Opened) -> Self {
        Self {
            organization_id: opened.organization.id,
            organization_name: opened.organization.name,
            email: opened.invitation.email,
            role: opened.invitation.role,
            expires_at: opened.invitation.expires_at,
        }
    }
}

/// The invitations that can still be used, newest first.
#[utoipa::path(
    get, path = "/api/waha/invitations", operation_id = "invitations.list", tag = "invitations", params(Paging),
    responses((status = OK, body = Envelope<Vec<InvitationResource>>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, ManageMembers>,
    Query(paging): Query<Paging>,
) -> Result<Response, ApiError> {
    let page = paging.check()?;
    let (invitations, total) =
        invitations::page(state.services(), &allowed.access, page.offset(), page.size).await?;
    let pagination = Pagination::of(page.number, page.size, total, invitations.len());
    let resources: Vec<InvitationResource> = invitations.into_iter().map(Into::into).collect();
    Ok(allowed
        .reply("Invitations retrieved.", resources)
        .with_pagination(pagination)
        .into_response())
}

/// Invites somebody.
///
/// The link is in this answer and nowhere else; it can be used once, by the person with this address, within
/// seven days.
#[utoipa::path(
    post, path = "/api/waha/invitations", operation_id = "invitations.create", tag = "invitations",
    request_body = CreateInvitation,
    responses(
        (status = CREATED, body = Envelope<CreatedInvitationResource>),
        (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, ManageMembers>,
    Json(body): Json<CreateInvitation>,
) -> Result<Response, ApiError> {
    let created = invitations::create(state.services(), &allowed.access, body.check()?).await?;
    let resource = CreatedInvitationResource {
        invitation: created.invitation.into(),
        link: created.link.expose_secret().to_owned(),
    };
    Ok(allowed
        .reply("Invitation created. Its link is not shown again.", resource)
        .created()
        .into_response())
}

/// Takes an invitation back.
#[utoipa::path(
    delete, path = "/api/waha/invitations/{invitationId}", operation_id = "invitations.revoke",
    tag = "invitations", params(("invitationId" = String, Path)),
    responses((status = OK, body = Envelope<Nothing>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn revoke(
    State(state): State<ApiState>,
    allowed: Allowed<OfInvitation, ManageMembers>,
) -> Result<Response, ApiError> {
    invitations::revoke(state.services(), &allowed.access, &allowed.found).await?;
    Ok(allowed.reply("Invitation revoked.", Nothing).into_response())
}

/// What an invitation is to.
///
/// The link's secret is in the body, so that no log of addresses has it.
#[utoipa::path(
    post, path = "/api/auth/invitations/open", operation_id = "invitations.open", tag = "auth", security(()),
    request_body = OpenInvitation,
    responses((status = OK, body = Envelope<OpenedInvitation>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn open(
    State(state): State<ApiState>,
    visitor: Visitor,
    Json(body): Json<OpenInvitation>,
) -> Result<Response, ApiError> {
    let link = PresentedLink::parse(body.token.expose_secret());
    let opened = invitations::open(state.services(), visitor.scope.origin(), link).await?;
    Ok(visitor
        .reply("Invitation retrieved.", OpenedInvitation::from(opened))
        .into_response())
}

/// Accepts an invitation.
///
/// As the person who is signed in, or, if nobody has the address yet, as a new one, who signs in afterwards.
#[utoipa::path(
    post, path = "/api/auth/invitations/accept", operation_id = "invitations.accept", tag = "auth",
    security((), ("sign_in" = [])), request_body = AcceptInvitation,
    responses((status = OK, body = Envelope<OpenedInvitation>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn accept(
    State(state): State<ApiState>,
    visitor: Visitor,
    signed_in: Option<SignedIn>,
    Json(body): Json<AcceptInvitation>,
) -> Result<Response, ApiError> {
    let person = signed_in.as_ref().map(SignedIn::person);
    let link = PresentedLink::parse(body.token.expose_secret());
    let account = body.account();
    let joined = invitations::accept(
        state.services(),
        visitor.scope.origin(),
        person.as_ref(),
        link,
        account,
    )
    .await?;
    Ok(visitor
        .reply("Welcome.", OpenedInvitation::from(joined))
        .into_response())
}
