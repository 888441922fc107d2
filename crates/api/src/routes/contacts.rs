//! `GET /api/waha/sessions/{sessionId}/contacts`

use axum::{extract::State, response::Response};
use serde::Serialize;
use utoipa::ToSchema;
use wahana_domain::PhoneNumber;
use wahana_service::{
    access::ReadContacts,
    contacts::{self, Contact},
};

use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, OfSession, Query},
    part::{ListIdentity, PartMeta, PartParams},
    state::ApiState,
};

/// A contact.
#[derive(Serialize, ToSchema)]
pub(crate) struct ContactResource {
    /// The id of the chat with them, such as `6281234567890@c.us`.
    id: String,
    /// In the phone's address book, or as a verified business; null if it is not known.
    name: Option<String>,
    /// In E.164; null if it is hidden.
    #[schema(value_type = Option<String>)]
    phone_number: Option<PhoneNumber>,
    /// The name that they show to others.
    push_name: Option<String>,
    /// Null where the engine does not say it.
    is_business: Option<bool>,
}

impl From<Contact> for ContactResource {
    fn from(contact: Contact) -> Self {
        Self {
            id: contact.id,
            name: contact.name,
            phone_number: contact.phone_number,
            push_name: contact.push_name,
            is_business: contact.is_business,
        }
    }
}

/// The session's contacts.
#[utoipa::path(
    get, path = "/api/waha/sessions/{sessionId}/contacts", operation_id = "contacts.list", tag = "contacts",
    params(("sessionId" = String, Path, description = "The session's name or id"), PartParams),
    responses(
        (status = OK, body = Envelope<Vec<ContactResource>, PartMeta>), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ReadContacts>,
    Query(params): Query<PartParams>,
) -> Result<Response, ApiError> {
    let list = ListIdentity::new("contacts.list", allowed.found.id);
    let query = params.check(&list)?;
    let part = contacts::list(state.services(), &allowed.access, &allowed.found, query).await?;
    Ok(list.answer(&allowed, "Contacts retrieved.", part, ContactResource::from))
}
