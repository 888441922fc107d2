//! Reading contacts, and whether a number is on WhatsApp.

use std::fmt;

use serde::Deserialize;

use crate::chats::Page;
use crate::client::Call;
use crate::error::WahaError;
use crate::timeouts::CallKind;
use crate::{WahaClient, normalize_chat_id, wire};

/// A contact.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// See [`normalize_chat_id`].
    pub id: String,
    /// The name in the phone's address book, or a business's verified one.
    pub name: Option<String>,
    /// The name that the person shows to others.
    pub push_name: Option<String>,
    /// Whether it is a business, on engines that say it.
    pub is_business: Option<bool>,
    /// The phone number, digits only; hidden ids have none.
    pub number: Option<String>,
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contact").finish_non_exhaustive()
    }
}

/// Whether a number is on WhatsApp.
#[derive(Clone, PartialEq, Eq)]
pub struct NumberCheck {
    /// It is.
    pub exists: bool,
    /// Its chat, which can be another number than the one asked for (Brazil, Mexico).
    pub chat_id: Option<String>,
}

impl fmt::Debug for NumberCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NumberCheck")
            .field("exists", &self.exists)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireContact {
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    name: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    verified_name: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    pushname: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    push_name: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    number: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    is_business: Option<String>,
}

impl WireContact {
    fn into_contact(self) -> Option<Contact> {
        let id = normalize_chat_id(&self.id?);
        let of_id = id
            .strip_suffix("@c.us")
            .filter(|user| is_number(user))
            .map(str::to_owned);
        Some(Contact {
            name: self.name.or(self.verified_name),
            push_name: self.pushname.or(self.push_name),
            is_business: self.is_business.map(|said| said == "true"),
            number: of_id.or_else(|| {
                self.number
                    .filter(|number| is_number(number) && !id.ends_with("@lid"))
            }),
            id,
        })
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireNumberCheck {
    number_exists: bool,
    #[serde(default, deserialize_with = "wire::text")]
    chat_id: Option<String>,
}

#[derive(Deserialize)]
struct WireProfilePicture {
    #[serde(default, rename = "profilePictureURL", deserialize_with = "wire::text")]
    url: Option<String>,
}

impl WahaClient {
    /// Contacts. `Unsupported` on NOWEB without its store.
    pub async fn contacts(&self, session: &str, page: Page) -> Result<Vec<Contact>, WahaError> {
        let call = Call::get(CallKind::Read, &["api", "contacts", "all"])
            .query("session", session)
            .query_if("limit", page.limit)
            .query_if("offset", page.offset);
        self.list(call, WireContact::into_contact).await
    }

    /// One contact; `NotFound` if there is none.
    pub async fn contact(&self, session: &str, contact_id: &str) -> Result<Contact, WahaError> {
        let call = Call::get(CallKind::Read, &["api", "contacts"])
            .query("contactId", contact_id)
            .query("session", session);
        let contact: Option<WireContact> = self.optional_json(call).await?;
        contact
            .and_then(WireContact::into_contact)
            .ok_or(WahaError::NotFound)
    }

    /// Whether a phone number (digits with the country code) is on WhatsApp. Asking for many numbers in a row
    /// can get an account blocked.
    pub async fn check_exists(&self, session: &str, phone: &str) -> Result<NumberCheck, WahaError> {
        let call = Call::get(CallKind::Read, &["api", "contacts", "check-exists"])
            .query("phone", phone)
            .query("session", session);
        let check: WireNumberCheck = self.json(call).await?;
        Ok(NumberCheck {
            exists: check.number_exists,
            chat_id: check.chat_id.as_deref().map(normalize_chat_id),
        })
    }

    /// Where WhatsApp serves a person's picture; `None` if there is none or it is hidden.
    pub async fn profile_picture(
        &self,
        session: &str,
        contact_id: &str,
    ) -> Result<Option<String>, WahaError> {
        let call = Call::get(CallKind::Read, &["api", "contacts", "profile-picture"])
            .query("contactId", contact_id)
            .query("session", session);
        let picture: Option<WireProfilePicture> = self.optional_json(call).await?;
        Ok(picture.and_then(|picture| picture.url))
    }
}
