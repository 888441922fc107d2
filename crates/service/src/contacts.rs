//! Contacts, as WAHA has them.

use wahana_domain::{PhoneNumber, Session};

use crate::{
    Part, PartQuery, ServiceError, Services,
    access::{Granted, Owned, ReadContacts},
    ready::Ready,
};

/// A contact.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// The id of the chat with them.
    pub id: String,
    /// The name in the phone's address book, or a business's verified one.
    pub name: Option<String>,
    /// Their number; who hides it has none.
    pub phone_number: Option<PhoneNumber>,
    /// The name that they show to others.
    pub push_name: Option<String>,
    /// Whether it is a business, where the engine says it.
    pub is_business: Option<bool>,
}

/// A part of a session's contacts.
pub async fn list(
    services: &Services,
    access: &Granted<ReadContacts>,
    session: &Owned<Session>,
    query: PartQuery,
) -> Result<Part<Contact>, ServiceError> {
    let ready = Ready::find(services, access, session).await?;
    let contacts = ready
        .waha()
        .contacts(ready.waha_name(), query.to_page())
        .await
        .map_err(|error| ready.failed_to_read(services, access.context(), "contacts.list", &error))?;
    Ok(query.part(contacts, |contact| Contact {
        phone_number: contact
            .number
            .and_then(|digits| PhoneNumber::from_digits(&digits).ok()),
        id: contact.id,
        name: contact.name,
        push_name: contact.push_name,
        is_business: contact.is_business,
    }))
}
