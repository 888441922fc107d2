//! The sends. WAHA checks almost nothing here: what is missing fails deep inside, or goes out empty.

use axum::{Extension, extract::Path};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    Answer, Called,
    answers::{created, empty, ok},
    call::Call,
    errors::WahaError,
};
use crate::{
    content,
    engine::Engine,
    ids,
    messages::{Media, Message, chat_id, jid},
    outgoing,
    record::{SentFile, SentKind, SentMessage},
};

/// 32 zero bytes: the simulator has nothing to encrypt.
const NO_HASH: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A send whose session and chat are known, ready to be filled.
struct Draft {
    session: String,
    message: Message,
    kind: SentKind,
    file: Option<SentFile>,
}

impl Draft {
    /// Waits for the session and reads the chat, in WAHA's order.
    async fn new(call: &Call, kind: SentKind) -> Result<Self, WahaError> {
        let session = call.body_session()?;
        Self::to(call, session, call.text("chatId"), kind).await
    }

    async fn to(call: &Call, session: String, chat: Option<&str>, kind: SentKind) -> Result<Self, WahaError> {
        let sim = &call.sim;
        call.working(&session).await?;
        let chat = chat_id(chat.ok_or_else(|| WahaError::undefined("includes"))?);
        // A message id of the caller's own is taken as it is, also when it was used before.
        let own_id = call.text("id").filter(|id| {
            !id.is_empty() && sim.options.version.has_message_ids() && sim.options.engine != Engine::Webjs
        });
        let id = own_id
            .filter(|_| takes_own_id(kind))
            .map_or_else(|| ids::outgoing_message(&mut sim.lock().rng), str::to_owned);
        let mut message = Message::text(id, chat, true, sim.clock.now_s(), "");
        message.body = None;
        Ok(Self {
            session,
            message,
            kind,
            file: None,
        })
    }

    async fn send(self, call: &Call) -> Result<Message, WahaError> {
        let sent = self.record(call);
        outgoing::send(&call.sim, self.message, sent).await
    }

    fn record(&self, call: &Call) -> SentMessage {
        SentMessage {
            session: self.session.clone(),
            chat_id: self.message.chat.clone(),
            message_id: self.message.id.clone(),
            kind: self.kind,
            text: self.message.body.clone(),
            file: self.file.clone(),
            request: call.body.clone(),
        }
    }
}

/// The operations whose request has an `id` in WAHA 2026.7.1: not the ones with files, and not reactions.
fn takes_own_id(kind: SentKind) -> bool {
    matches!(
        kind,
        SentKind::Text | SentKind::Location | SentKind::Poll | SentKind::Contact
    )
}

fn answer(call: &Call, message: &Message) -> Value {
    message.to_send_answer(call.sim.options.engine)
}

fn write_text(call: &Call, message: &mut Message, text: Option<&str>) {
    let Some(text) = text else {
        // An empty message goes out.
        message.inner = json!({"conversation": ""});
        message.body = Some(String::new());
        return;
    };
    let mut extended = json!({"text": text});
    if let Some(mentions) = call
        .body
        .get("mentions")
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty())
    {
        let mentioned: Value = mentions
            .iter()
            .filter_map(Value::as_str)
            .map(|id| Value::from(jid(&chat_id(id))))
            .collect();
        extended["contextInfo"] = json!({"mentionedJid": mentioned});
    }
    message.inner = json!({"extendedTextMessage": extended});
    message.body = Some(text.to_owned());
    if let Some(replied) = call.text("reply_to") {
        // Known by its id alone; whether the store knows the message makes no difference here.
        let id = replied.split('_').nth(2).unwrap_or(replied);
        message.reply_to = json!({"id": id, "participant": message.chat, "body": null});
    }
}

pub(super) async fn text(Extension(call): Called) -> Answer {
    let mut draft = Draft::new(&call, SentKind::Text).await?;
    write_text(&call, &mut draft.message, call.text("text"));
    Ok(created(&answer(&call, &draft.send(&call).await?)))
}

/// The old way to send: everything in the query, and 200.
pub(super) async fn text_by_query(Extension(call): Called) -> Answer {
    let session = call.query_session()?;
    let mut draft = Draft::to(&call, session, call.query("phone"), SentKind::Text).await?;
    write_text(&call, &mut draft.message, call.query("text"));
    Ok(ok(&answer(&call, &draft.send(&call).await?)))
}

/// What a file send looks like inside: the name of NOWEB's message and what it carries besides the file.
struct MediaForm {
    field: &'static str,
    has_caption: bool,
    extra: Value,
}

async fn send_media(call: &Call, kind: SentKind, form: MediaForm) -> Answer {
    let mut draft = Draft::new(call, kind).await?;
    let file = call.body.get("file").filter(|file| file.is_object());
    let file = file.ok_or_else(|| WahaError::undefined("url"))?;
    let text = |name: &str| file.get(name).and_then(Value::as_str);
    let (url, data) = (text("url"), text("data"));
    let bytes = match data {
        Some(data) => decode(data),
        None if url.is_some() => content::placeholder_file(),
        None => return Err(WahaError::undefined("length")),
    };
    let mimetype = text("mimetype").unwrap_or("application/octet-stream");
    let filename = text("filename");
    let caption = call.text("caption").filter(|_| form.has_caption);

    let mut inner = Map::from_iter([
        ("url".to_owned(), "https://mmg.whatsapp.invalid/file".into()),
        ("mimetype".to_owned(), mimetype.into()),
        ("fileLength".to_owned(), bytes.len().to_string().into()),
        ("fileSha256".to_owned(), NO_HASH.into()),
        ("fileEncSha256".to_owned(), NO_HASH.into()),
        ("mediaKey".to_owned(), NO_HASH.into()),
        ("directPath".to_owned(), "/file".into()),
    ]);
    if let Some(caption) = caption {
        inner.insert("caption".to_owned(), caption.into());
    }
    if let (SentKind::File, Some(filename)) = (kind, filename) {
        inner.insert("fileName".to_owned(), filename.into());
    }
    if let Value::Object(extra) = form.extra {
        inner.extend(extra);
    }
    draft.message.inner = json!({form.field: inner});
    draft.message.body = caption.map(str::to_owned);
    draft.file = Some(SentFile {
        mimetype: mimetype.to_owned(),
        filename: filename.map(str::to_owned),
        url: url.map(str::to_owned),
        bytes: data.map(|_| bytes.len()),
    });
    draft.message.media = Some(Media {
        mimetype: mimetype.to_owned(),
        filename: filename.map(str::to_owned),
        bytes,
    });
    Ok(created(&answer(call, &draft.send(call).await?)))
}

/// Node's decoder: skips what is not base64 and never fails.
fn decode(data: &str) -> Bytes {
    let data = data.split_once(";base64,").map_or(data, |(_, data)| data);
    let clean: Vec<u8> = data
        .bytes()
        .filter(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte))
        .collect();
    // A single letter left over holds no whole byte.
    let whole = if clean.len() % 4 == 1 {
        &clean[..clean.len() - 1]
    } else {
        &clean[..]
    };
    let mut lenient = data_encoding::BASE64_NOPAD.specification();
    lenient.check_trailing_bits = false;
    let decoded = lenient
        .encoding()
        .ok()
        .and_then(|encoding| encoding.decode(whole).ok());
    Bytes::from(decoded.unwrap_or_default())
}

pub(super) async fn image(Extension(call): Called) -> Answer {
    let form = MediaForm {
        field: "imageMessage",
        has_caption: true,
        extra: Value::Null,
    };
    send_media(&call, SentKind::Image, form).await
}

pub(super) async fn file(Extension(call): Called) -> Answer {
    let form = MediaForm {
        field: "documentMessage",
        has_caption: true,
        extra: Value::Null,
    };
    send_media(&call, SentKind::File, form).await
}

pub(super) async fn voice(Extension(call): Called) -> Answer {
    let form = MediaForm {
        field: "audioMessage",
        has_caption: false,
        extra: json!({"ptt": true}),
    };
    send_media(&call, SentKind::Voice, form).await
}

pub(super) async fn video(Extension(call): Called) -> Answer {
    let form = MediaForm {
        field: "videoMessage",
        has_caption: true,
        extra: Value::Null,
    };
    send_media(&call, SentKind::Video, form).await
}

pub(super) async fn location(Extension(call): Called) -> Answer {
    let mut draft = Draft::new(&call, SentKind::Location).await?;
    let field = |name: &str| call.body.get(name).cloned().unwrap_or_default();
    let (latitude, longitude, title) = (field("latitude"), field("longitude"), field("title"));
    draft.message.location = json!({
        "live": false,
        "latitude": latitude.to_string(),
        "longitude": longitude.to_string(),
        "name": title,
        "address": null,
        "url": null,
        "description": null,
        "thumbnail": null,
    });
    draft.message.inner = json!({
        "locationMessage": {"degreesLatitude": latitude, "degreesLongitude": longitude, "name": title}
    });
    Ok(created(&answer(&call, &draft.send(&call).await?)))
}

/// Unlike other sends, a poll is answered with WAHA's own message object on every engine.
pub(super) async fn poll(Extension(call): Called) -> Answer {
    let mut draft = Draft::new(&call, SentKind::Poll).await?;
    let poll = call
        .body
        .get("poll")
        .ok_or_else(|| WahaError::undefined("name"))?;
    let options: Value = poll
        .get("options")
        .and_then(Value::as_array)
        .ok_or_else(|| WahaError::undefined("map"))?
        .iter()
        .map(|option| json!({"optionName": option}))
        .collect();
    let several = poll
        .get("multipleAnswers")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    draft.message.inner = json!({"pollCreationMessageV3": {
        "name": poll.get("name"),
        "options": options,
        "selectableOptionsCount": i32::from(!several),
    }});
    let message = draft.send(&call).await?;
    Ok(created(&message.to_waha(
        call.sim.options.engine,
        true,
        &Value::Null,
    )))
}

pub(super) async fn contact_vcard(Extension(call): Called) -> Answer {
    let mut draft = Draft::new(&call, SentKind::Contact).await?;
    let contacts = call.body.get("contacts").and_then(Value::as_array);
    let vcards: Vec<String> = contacts
        .ok_or_else(|| WahaError::undefined("map"))?
        .iter()
        .map(vcard)
        .collect();
    draft.message.inner = json!({"contactMessage": {"vcard": vcards.first()}});
    draft.message.vcards = vcards.into();
    Ok(created(&answer(&call, &draft.send(&call).await?)))
}

fn vcard(contact: &Value) -> String {
    let text = |name: &str| contact.get(name).and_then(Value::as_str).unwrap_or_default();
    match contact.get("vcard").and_then(Value::as_str) {
        Some(vcard) => vcard.to_owned(),
        None => format!(
            "BEGIN:VCARD\nVERSION:3.0\nFN:{}\nTEL;type=CELL;type=VOICE;waid={}:{}\nEND:VCARD",
            text("fullName"),
            text("whatsappId"),
            text("phoneNumber")
        ),
    }
}

pub(super) async fn reaction(Extension(call): Called) -> Answer {
    let session = call.body_session()?;
    call.working(&session).await?;
    let reacted_to = call
        .text("messageId")
        .ok_or_else(|| WahaError::undefined("split"))?;
    let mut parts = reacted_to.splitn(3, '_');
    let (Some(from_me), Some(chat), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(WahaError::exception(
            "Error",
            "Message id be in format false_11111111111@c.us_AAAAAAAAAAAAAAAAAAAA",
        ));
    };
    let mut draft = Draft::to(&call, session, Some(chat), SentKind::Reaction).await?;
    let text = call.text("reaction").unwrap_or_default();
    let key = json!({"remoteJid": jid(&chat_id(chat)), "fromMe": from_me == "true", "id": id});
    draft.message.inner = json!({"reactionMessage": {
        "key": key,
        "text": text,
        "senderTimestampMs": call.sim.clock.now_ms().to_string(),
    }});
    draft.message.body = Some(text.to_owned());
    let sent = draft.record(&call);
    let message = outgoing::react(&call.sim, draft.message, sent).await?;
    Ok(ok(&answer(&call, &message)))
}

pub(super) async fn seen(Extension(call): Called) -> Answer {
    let session = call.body_session()?;
    call.working(&session).await?;
    call.text("chatId")
        .ok_or_else(|| WahaError::undefined("includes"))?;
    outgoing::note_activity(&call.sim, &mut call.sim.lock(), &session);
    Ok(empty(StatusCode::CREATED))
}

pub(super) async fn start_typing(call: Called) -> Answer {
    typing(call, true).await
}

pub(super) async fn stop_typing(call: Called) -> Answer {
    typing(call, false).await
}

async fn typing(Extension(call): Called, is_typing: bool) -> Answer {
    let session = call.body_session()?;
    call.working(&session).await?;
    let chat = call
        .text("chatId")
        .ok_or_else(|| WahaError::undefined("includes"))?;
    let chat = chat_id(chat);
    let mut state = call.sim.lock();
    outgoing::note_activity(&call.sim, &mut state, &session);
    state.record.typing(session, chat, is_typing);
    Ok(created(&json!({"result": true})))
}

pub(super) async fn forward(Extension(call): Called) -> Answer {
    let mut draft = Draft::new(&call, SentKind::Text).await?;
    let wanted = call.text("messageId").unwrap_or_default();
    let original = call.with_phone(&draft.session, |content| {
        let mut messages = content.chats.values().flat_map(|chat| &chat.messages);
        messages.find(|message| message.full_id() == wanted).cloned()
    })?;
    let original =
        original.ok_or_else(|| WahaError::unprocessable(&format!("Message with id '{wanted}' not found")))?;
    draft.message.inner = original.inner;
    draft.message.body = original.body;
    draft.message.media = original.media;
    let message = draft.send(&call).await?;
    Ok(created(&message.to_waha(
        call.sim.options.engine,
        true,
        &Value::Null,
    )))
}

/// An id to send with, so that a caller knows it before the send. Since 2026.4.3.
pub(super) async fn new_message_id(Extension(call): Called, Path(session): Path<String>) -> Answer {
    if !call.sim.options.version.has_message_ids() {
        return Ok(super::server::no_route(Extension(call)).await);
    }
    call.working(&session).await?;
    let id = ids::outgoing_message(&mut call.sim.lock().rng);
    Ok(ok(&json!({"id": id})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_as_leniently_as_node_reads_it() {
        assert_eq!(&decode("aGVsbG8=")[..], b"hello");
        assert_eq!(&decode("aGVs\nbG8")[..], b"hello");
        assert_eq!(&decode("data:text/plain;base64,aGVsbG8=")[..], b"hello");
        assert_eq!(&decode("aGVsbG9")[..], b"hello");
        assert_eq!(&decode("a")[..], b"");
    }
}
