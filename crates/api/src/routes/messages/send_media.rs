//! `POST /api/waha/sessions/{sessionId}/send-media`

use std::fmt;

use axum::{extract::State, response::Response};
use data_encoding::BASE64;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use utoipa::ToSchema;
use wahana_domain::{ChatId, Country, FileName, MediaType, MessageText, Timestamp};
use wahana_service::{
    FieldErrors,
    access::SendMessages,
    messages::{self, MediaFile, MediaMessage, MediaSource, Schedule},
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
    /// As in `send-text`.
    #[schema(value_type = Option<String>, format = DateTime)]
    send_at: Option<String>,
    /// As in `send-text`.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
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
    /// As in `send-text`.
    #[schema(value_type = Option<String>, format = DateTime)]
    send_at: Option<String>,
    /// As in `send-text`.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
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

/// What a request to send a file says, however it says it.
struct Fields {
    to: String,
    source: Option<MediaSource>,
    caption: Option<String>,
    send_at: Option<String>,
    expires_at: Option<String>,
}

impl SendMedia {
    fn fields(self, errors: &mut FieldErrors) -> Fields {
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
        Fields {
            to: self.to,
            source,
            caption: self.caption.filter(|caption| !caption.is_empty()),
            send_at: self.send_at,
            expires_at: self.expires_at,
        }
    }
}

impl From<MediaForm> for Fields {
    fn from(form: MediaForm) -> Self {
        Self {
            to: form.to,
            source: Some(MediaSource::File(form.file)),
            caption: form.caption,
            send_at: form.send_at,
            expires_at: form.expires_at,
        }
    }
}

impl Fields {
    fn check(
        self,
        country: Option<Country>,
        preferences: &SendPreferences,
        now: Timestamp,
        mut errors: FieldErrors,
    ) -> Result<(MediaMessage, Schedule), FieldErrors> {
        let (send_at, expires_at) = (self.send_at.as_deref(), self.expires_at.as_deref());
        let schedule = preferences.schedule(send_at, expires_at, now, &mut errors);
        let to = errors.take("to", ChatId::parse_recipient(&self.to, country));
        let caption = self.caption;
        let caption = caption.and_then(|caption| errors.take("caption", MessageText::parse(caption)));
        let message = to
            .zip(self.source)
            .map(|(to, source)| MediaMessage { to, source, caption });
        errors.finish(message.map(|message| (message, schedule)))
    }
}

/// Sends a file, at most once.
///
/// Only 504 leaves open whether it went out; its `data.message_id` names the message. One that nobody waits for is
/// answered with 202 as in `send-text`, once its file is there: wahana keeps it until the message is sent.
#[utoipa::path(
    post, path = "/api/waha/sessions/{sessionId}/send-media", operation_id = "messages.send_media",
    tag = "messages",
    params(
        ("sessionId" = String, Path, description = "The session's name or id"),
        ("Idempotency-Key" = Option<String>, Header, description = "As in `send-text`."),
        ("Prefer" = Option<String>, Header, description = "`respond-async` or `wait=<seconds>`, as in `send-text`."),
    ),
    request_body(content((SendMedia = "application/json"), (SendMediaForm = "multipart/form-data"))),
    responses(
        (status = OK, body = Envelope<SentResource>), (status = ACCEPTED, body = Envelope<SentResource>),
        (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn send_media(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, SendMessages>,
    preferences: SendPreferences,
    body: MediaBody<SendMedia>,
) -> Result<Response, ApiError> {
    let services = state.services();
    let mut errors = FieldErrors::default();
    let fields = match body {
        MediaBody::Json(body) => body.fields(&mut errors),
        MediaBody::Form(form) => Fields::from(form),
    };
    let country = allowed.access.organization().country;
    let (message, schedule) = fields.check(country, &preferences, services.now(), errors)?;
    let limit = state.settings().media_limit;
    let options = super::options(&allowed, preferences, schedule);
    let (access, session) = (&allowed.access, &allowed.found);
    let sent = messages::send_media(services, access, session, message, limit, options.clone()).await?;
    Ok(super::answer(sent, &options))
}
