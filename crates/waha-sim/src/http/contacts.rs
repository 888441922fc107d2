//! Contacts, the phone's own profile, presence, and the lists that are empty in the simulator.

use axum::{Extension, extract::Path};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Answer, Called,
    answers::{empty, ok},
    call::Call,
    errors::WahaError,
};
use crate::{content::Contact, messages::chat_id, outgoing::note_activity};

/// A picture's address that leads nowhere, on purpose.
pub(super) fn picture_url(id: &str) -> String {
    format!("https://pictures.whatsapp.invalid/{id}.jpg")
}

fn show(contact: &Contact) -> Value {
    json!({"id": contact.id, "name": contact.name, "pushname": contact.push_name})
}

pub(super) async fn all(Extension(call): Called) -> Answer {
    let session = call.query_session()?;
    let (limit, offset) = (call.number("limit", usize::MAX)?, call.number("offset", 0)?);
    let descending = call.descending().unwrap_or(false);
    call.working(&session).await?;
    let by_name = call.query("sortBy") == Some("name");
    let contacts: Value = call.with_content(&session, |content| {
        let mut contacts: Vec<&Contact> = content.contacts.iter().collect();
        contacts.sort_by(|a, b| {
            if by_name {
                a.name.cmp(&b.name)
            } else {
                a.id.cmp(&b.id)
            }
        });
        if descending {
            contacts.reverse();
        }
        contacts.into_iter().skip(offset).take(limit).map(show).collect()
    })?;
    Ok(ok(&contacts))
}

async fn one_contact(call: &Call, session: &str, id: &str) -> Answer {
    call.working(session).await?;
    let id = chat_id(id);
    let found = call.with_content(session, |content| content.contact(&id).map(show))?;
    // NOWEB answers a stranger with nothing but the id.
    Ok(ok(&found.unwrap_or_else(|| json!({"id": id}))))
}

pub(super) async fn one_by_query(Extension(call): Called) -> Answer {
    let session = call.query_session()?;
    let id = call
        .query("contactId")
        .ok_or_else(|| WahaError::undefined("includes"))?;
    one_contact(&call, &session, id).await
}

pub(super) async fn one(Extension(call): Called, Path((session, id)): Path<(String, String)>) -> Answer {
    one_contact(&call, &session, &id).await
}

/// Every number is on WhatsApp, except those that end with four zeros.
pub(super) async fn check_exists(Extension(call): Called) -> Answer {
    let session = call.query_session()?;
    call.working(&session).await?;
    let phone = call
        .query("phone")
        .ok_or_else(|| WahaError::undefined("replace"))?;
    let number: String = phone.chars().filter(char::is_ascii_digit).collect();
    Ok(ok(&if number.is_empty() || number.ends_with("0000") {
        json!({"numberExists": false})
    } else {
        json!({"numberExists": true, "chatId": chat_id(&number)})
    }))
}

pub(super) async fn picture(Extension(call): Called) -> Answer {
    let session = call.query_session()?;
    call.working(&session).await?;
    let id = call
        .query("contactId")
        .ok_or_else(|| WahaError::undefined("includes"))?;
    Ok(ok(&json!({"profilePictureURL": picture_url(&chat_id(id))})))
}

pub(super) async fn profile(Extension(call): Called, Path(session): Path<String>) -> Answer {
    call.working(&session).await?;
    let me = call
        .sim
        .lock()
        .sessions
        .get(&session)
        .and_then(|found| found.me.clone());
    let me = me.ok_or_else(|| WahaError::UnknownSession(session.clone()))?;
    Ok(ok(
        &json!({"id": me.id(), "name": me.push_name, "picture": picture_url(&me.id())}),
    ))
}

pub(super) async fn presences(Extension(call): Called, Path(session): Path<String>) -> Answer {
    call.working(&session).await?;
    Ok(ok(&json!([])))
}

pub(super) async fn presence(
    Extension(call): Called,
    Path((session, chat)): Path<(String, String)>,
) -> Answer {
    call.working(&session).await?;
    Ok(ok(&json!({"id": chat_id(&chat), "presences": []})))
}

pub(super) async fn set_presence(Extension(call): Called, Path(session): Path<String>) -> Answer {
    call.working(&session).await?;
    note_activity(&call.sim, &mut call.sim.lock(), &session);
    Ok(empty(StatusCode::CREATED))
}

/// No contact of a simulated phone hides behind a LID.
pub(super) async fn lids(Extension(call): Called, Path(session): Path<String>) -> Answer {
    call.number("limit", 100)?;
    call.number("offset", 0)?;
    call.working(&session).await?;
    Ok(ok(&json!([])))
}

pub(super) async fn lid_count(Extension(call): Called, Path(session): Path<String>) -> Answer {
    call.working(&session).await?;
    Ok(ok(&json!({"count": 0})))
}

/// Labels and channels: a simulated phone has none.
pub(super) async fn none(Extension(call): Called, Path(session): Path<String>) -> Answer {
    call.working(&session).await?;
    Ok(ok(&json!([])))
}
