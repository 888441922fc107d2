//! `POST /api/waha/sessions/{sessionId}/send-media`

use std::fmt;

use axum::{extract::State, response::Response};
use data_encoding::BASE64;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use utoipa::ToSchema;
use wahana_domain::{ChatId, Country, FileName, MediaType, MessageText};
use wahana_service::{
    FieldErrors,
    access::SendMessages,
    messages::{self, MediaFile, MediaMessage, MediaSource},
};

use super::SentResource;
use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, MediaBody, MediaForm, OfSession, SendPreferences},
    state::ApiState,
};

/// A file to send: an image, a video, a voice message (all sound), or else a document, by its type.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendMedia {
    /// As in `send-text`.
    to: String,
    /// Where wahana fetches the file: a public http or https address. Either this or `media`.
    #[schema(max_length = 2048)]
    media_url: Option<String>,
    media: Option<MediaFields>,
    /// The text below the file; voice messages have none.
    #[schema(max_length = 1024)]
    caption: Option<String>,
}

/// A file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MediaFields {
    /// Its bytes in base64, with padding.
    #[schema(value_type = String, format = Byte)]
    data: Base64,
    /// Its type, such as `image/png`.
    mimetype: String,
    /// Its name, which is cut to 255 characters without folders.
    filename: Option<String>,
}

/// A form with a file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form, which is read piece by piece")]
pub(crate) struct SendMediaForm {
    /// As in `send-text`.
    to: String,
    /// The file, with its type and name.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The text below the file; voice messages have none.
    #[schema(max_length = 1024)]
    caption: Option<String>,
}

/// Bytes that are written in base64. They are decoded while they are read, without a copy of the text.
struct Base64(Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Base64Visitor)
    }
}

struct Base64Visitor;

impl Visitor<'_> for Base64Visitor {
    type Value = Base64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a file in base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Base64, E> {
        let decoded = BASE64.decode(text.as_bytes());
        decoded
            .map(Base64)
            .map_err(|_| E::custom("must be a file in base64, with padding"))
    }
}

impl SendMedia {
    fn check(self, country: Option<Country>) -> Result<MediaMessage, FieldErrors> {
        let mut errors = FieldErrors::default();
        let source = match (self.media_url, self.media) {
            (Some(url), None) => Some(MediaSource::Url(url)),
            (None, Some(media)) => {
                let media_type = errors.take("media.mimetype", MediaType::parse(&media.mimetype));
                media_type.map(|media_type| {
                    MediaSource::File(MediaFile {
                        media_type,
                        name: media.filename.as_deref().and_then(FileName::sanitize),
                        data: media.data.0,
                    })
                })
            }
            (Some(_), Some(_)) => {
                errors.add("media", "must be left out when there is a media_url");
                None
            }
            (None, None) => {
                errors.add("media", "is required unless there is a media_url");
                None
            }
        };
        complete(&self.to, country, source, self.caption, errors)
    }
}

fn check_form(form: MediaForm, country: Option<Country>) -> Result<MediaMessage, FieldErrors> {
    let source = Some(MediaSource::File(form.file));
    complete(&form.to, country, source, form.caption, FieldErrors::default())
}

fn complete(
    to: &str,
    country: Option<Country>,
    source: Option<MediaSource>,
    caption: Option<String>,
    mut errors: FieldErrors,
) -> Result<MediaMessage, FieldErrors> {
    let to = errors.take("to", ChatId::parse_recipient(to, country));
    let caption = caption
        // Forms send what nobody filled in.
        .filter(|caption| !caption.is_empty())
        .and_then(|caption| errors.take("caption", MessageText::parse(caption)));
    let message = to
        .zip(source)
        .map(|(to, source)| MediaMessage { to, source, caption });
    errors.finish(message)
}

/// Sends a file, at most once.
///
/// Only 504 leaves open whether it went out; its `data.message_id` names the message.
#[utoipa::path(
    post, path = "/api/waha/sessions/{sessionId}/send-media", operation_id = "messages.send_media",
    tag = "messages",
    params(
        ("sessionId" = String, Path, description = "The session's name or id"),
        ("Idempotency-Key" = Option<String>, Header, description = "As in `send-text`."),
        ("Prefer" = Option<String>, Header, description = "`wait=<seconds>`, as in `send-text`."),
    ),
    request_body(content((SendMedia = "application/json"), (SendMediaForm = "multipart/form-data"))),
    responses(
        (status = OK, body = Envelope<SentResource>), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn send_media(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, SendMessages>,
    preferences: SendPreferences,
    body: MediaBody<SendMedia>,
) -> Result<Response, ApiError> {
    let country = allowed.access.organization().country;
    let message = match body {
        MediaBody::Json(body) => body.check(country)?,
        MediaBody::Form(form) => check_form(form, country)?,
    };
    let limit = state.settings().media_limit;
    let services = state.services();
    let schedule = preferences.schedule(None, None, services.now(), &mut FieldErrors::default());
    let options = super::options(&allowed, preferences, schedule);
    let (access, session) = (&allowed.access, &allowed.found);
    let sent = messages::send_media(services, access, session, message, limit, options.clone()).await?;
    Ok(super::answer(sent, &options))
}
