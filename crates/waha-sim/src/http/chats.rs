//! `/api/{session}/chats` and the messages in them.

use axum::{Extension, extract::Path};
use serde_json::{Value, json};

use super::{
    Answer, Called,
    answers::{created, ok},
    call::Call,
    contacts::picture_url,
    errors::WahaError,
    reading::{self, Filter},
};
use crate::{
    content::{Chat, Content},
    engine::Engine,
    messages::{Message, chat_id, jid},
};

/// A chat in the engine's own shape. Only NOWEB's was recorded; it leaves out a name it does not know.
fn shape(engine: Engine, id: &str, chat: &Chat) -> Value {
    let mut shaped = match engine {
        Engine::Noweb => json!({"id": jid(id), "conversationTimestamp": chat.last_timestamp()}),
        Engine::Gows => json!({"id": id, "conversationTimestamp": chat.last_timestamp()}),
        Engine::Webjs => {
            let (user, server) = id.split_once('@').unwrap_or((id, "c.us"));
            json!({
                "id": {"server": server, "user": user, "_serialized": id},
                "isGroup": server == "g.us",
                "timestamp": chat.last_timestamp(),
                "unreadCount": 0,
            })
        }
    };
    if let Some(name) = &chat.name {
        shaped["name"] = name.clone().into();
    }
    shaped
}

/// The chats in the order asked for: `conversationTimestamp` downwards unless said otherwise.
fn sorted<'a>(content: &'a Content, sort_by: &str, descending: bool) -> Vec<(&'a String, &'a Chat)> {
    let mut chats: Vec<(&String, &Chat)> = content.chats.iter().collect();
    match sort_by {
        "id" => {}
        "name" => chats.sort_by(|a, b| a.1.name.cmp(&b.1.name)),
        _ => chats.sort_by_key(|(_, chat)| chat.last_timestamp()),
    }
    if descending {
        chats.reverse();
    }
    chats
}

pub(super) async fn list(Extension(call): Called, Path(session): Path<String>) -> Answer {
    let (limit, offset) = (call.number("limit", usize::MAX)?, call.number("offset", 0)?);
    let sort_by = call.query("sortBy").unwrap_or("conversationTimestamp");
    let descending = call.descending().unwrap_or(sort_by == "conversationTimestamp");
    call.working(&session).await?;
    let engine = call.sim.options.engine;
    let chats: Value = call.with_content(&session, |content| {
        let page = sorted(content, sort_by, descending)
            .into_iter()
            .skip(offset)
            .take(limit);
        page.map(|(id, chat)| shape(engine, id, chat)).collect()
    })?;
    Ok(ok(&chats))
}

/// What the overview says about one chat, before its last message has its outward form.
struct Overview {
    id: String,
    name: Option<String>,
    chat: Value,
    last: Option<Message>,
}

async fn overviews(
    call: &Call,
    session: &str,
    limit: usize,
    offset: usize,
    ids: &[String],
) -> Result<Value, WahaError> {
    call.working(session).await?;
    let engine = call.sim.options.engine;
    let wanted: Vec<String> = ids.iter().map(|id| chat_id(id)).collect();
    let found: Vec<Overview> = call.with_content(session, |content| {
        sorted(content, "conversationTimestamp", true)
            .into_iter()
            .filter(|(id, _)| wanted.is_empty() || wanted.contains(*id))
            .skip(offset)
            .take(limit)
            .map(|(id, chat)| Overview {
                id: id.clone(),
                name: content.chat_name(id),
                chat: shape(engine, id, chat),
                last: chat.messages.last().cloned(),
            })
            .collect()
    })?;
    let shown = found.into_iter().map(|overview| {
        let last = overview
            .last
            .map(|message| message.to_waha(engine, false, &Value::Null));
        json!({
            "id": overview.id,
            "name": overview.name,
            "picture": picture_url(&overview.id),
            "lastMessage": last,
            "_chat": overview.chat,
        })
    });
    Ok(shown.collect())
}

pub(super) async fn overview(Extension(call): Called, Path(session): Path<String>) -> Answer {
    let (limit, offset) = (call.number("limit", 20)?, call.number("offset", 0)?);
    let ids: Vec<String> = call
        .query
        .iter()
        .filter(|(name, _)| name == "ids")
        .flat_map(|(_, value)| value.split(','))
        .map(str::to_owned)
        .collect();
    Ok(ok(&overviews(&call, &session, limit, offset, &ids).await?))
}

/// The same as a POST, for long lists of ids; a read, and yet 201.
pub(super) async fn overview_by_body(Extension(call): Called, Path(session): Path<String>) -> Answer {
    let number = |path: &str, default: usize| {
        let given = call.body.pointer(path).and_then(Value::as_u64);
        given
            .and_then(|given| usize::try_from(given).ok())
            .unwrap_or(default)
    };
    let ids: Vec<String> = call
        .body
        .pointer("/filter/ids")
        .and_then(Value::as_array)
        .map(|ids| ids.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    let (limit, offset) = (number("/pagination/limit", 20), number("/pagination/offset", 0));
    Ok(created(&overviews(&call, &session, limit, offset, &ids).await?))
}

async fn page(call: &Call, session: &str, chat: &str) -> Answer {
    let filter = Filter::from_query(call)?;
    let with_media = reading::wants_media(call)?;
    call.working(session).await?;
    let chat = chat_id(chat);
    let messages = call.with_content(session, |content| {
        content
            .chats
            .get(&chat)
            .map(|chat| filter.apply(&chat.messages))
            .unwrap_or_default()
    })?;
    Ok(ok(&reading::show(call, session, &messages, with_media).into()))
}

pub(super) async fn messages(
    Extension(call): Called,
    Path((session, chat)): Path<(String, String)>,
) -> Answer {
    page(&call, &session, &chat).await
}

/// The old operation with everything in the query.
pub(super) async fn messages_by_query(Extension(call): Called) -> Answer {
    let session = call.query_session()?;
    let chat = call
        .query("chatId")
        .ok_or_else(|| WahaError::undefined("includes"))?;
    page(&call, &session, chat).await
}

pub(super) async fn message(
    Extension(call): Called,
    Path((session, chat, id)): Path<(String, String, String)>,
) -> Answer {
    let with_media = reading::wants_media(&call)?;
    call.working(&session).await?;
    let chat = chat_id(&chat);
    let found = call.with_content(&session, |content| {
        let messages = &content.chats.get(&chat)?.messages;
        messages
            .iter()
            .find(|message| message.full_id() == id || message.id == id)
            .cloned()
    })?;
    let found = found.ok_or_else(|| WahaError::not_found("Message not found"))?;
    let shown = reading::show(&call, &session, &[found], with_media)
        .pop()
        .unwrap_or_default();
    Ok(ok(&shown))
}

/// Marks a chat's incoming messages as read and names them.
pub(super) async fn read(Extension(call): Called, Path((session, chat)): Path<(String, String)>) -> Answer {
    call.working(&session).await?;
    let chat = chat_id(&chat);
    let ids: Vec<String> = call.with_content(&session, |content| {
        let messages = content
            .chats
            .get(&chat)
            .map(|chat| chat.messages.as_slice())
            .unwrap_or_default();
        messages
            .iter()
            .filter(|message| !message.from_me)
            .map(Message::full_id)
            .collect()
    })?;
    Ok(created(&json!({"ids": ids})))
}

pub(super) async fn picture(
    Extension(call): Called,
    Path((session, chat)): Path<(String, String)>,
) -> Answer {
    call.working(&session).await?;
    Ok(ok(&json!({"url": picture_url(&chat_id(&chat))})))
}
