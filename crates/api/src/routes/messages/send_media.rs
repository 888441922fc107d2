//! `POST /api/waha/sessions/{sessionId}/send-media`

use axum::{extract::State, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;
use wahana_domain::{ChatId, Country, FileName, MediaType, MessageText, Timestamp};
use wahana_service::{
    FieldErrors, Services,
    access::{Granted, SendMessages},
    media::UploadError,
    messages::{self, MediaMessage, MediaSource, Schedule},
};

use super::SentResource;
use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, Base64, MediaBody, MediaForm, NotBase64, OfSession, SendPreferences},
    state::ApiState,
};

/// A file to send: an image, a video, a voice message (all sound), or else a document, by its type.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendMedia<'a> {
    /// As in `send-text`.
    to: String,
    /// Where wahana fetches the file: a public http or https address. Either this or `media`.
    #[schema(max_length = 2048)]
    media_url: Option<String>,
    #[serde(borrow)]
    media: Option<MediaFields<'a>>,
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
pub(crate) struct MediaFields<'a> {
    /// Its bytes in base64, with padding.
    #[schema(value_type = String, format = Byte)]
    #[serde(borrow)]
    data: Base64<'a>,
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

/// What a request to send a file says, however it says it.
struct Fields<S> {
    to: String,
    source: Option<S>,
    caption: Option<String>,
    send_at: Option<String>,
    expires_at: Option<String>,
    errors: FieldErrors,
}

/// The same, once it is checked.
struct Checked<S> {
    to: ChatId,
    source: S,
    caption: Option<MessageText<1024>>,
    schedule: Schedule,
}

/// Where the file is that a JSON body means.
enum JsonSource<'a> {
    Url(String),
    Data {
        media_type: MediaType,
        name: Option<FileName>,
        data: Base64<'a>,
    },
}

impl<'a> SendMedia<'a> {
    fn fields(self, services: &Services) -> Result<Fields<JsonSource<'a>>, ApiError> {
        let mut errors = FieldErrors::default();
        let source = match (self.media_url, self.media) {
            (Some(url), None) => Some(JsonSource::Url(url)),
            (None, Some(media)) => {
                let media_type = errors.take("media.mimetype", MediaType::parse(&media.mimetype));
                if let Some(media_type) = &media_type {
                    messages::check_media_type(services, media_type)?;
                }
                media_type.map(|media_type| JsonSource::Data {
                    media_type,
                    name: media.filename.as_deref().and_then(FileName::sanitize),
                    data: media.data,
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
        Ok(Fields {
            to: self.to,
            source,
            caption: self.caption.filter(|caption| !caption.is_empty()),
            send_at: self.send_at,
            expires_at: self.expires_at,
            errors,
        })
    }
}

impl Checked<JsonSource<'_>> {
    /// Decodes the file into the media store; what is at an address is fetched later.
    async fn receive(
        self,
        services: &Services,
        access: &Granted<SendMessages>,
        limit: usize,
    ) -> Result<Checked<MediaSource>, ApiError> {
        let source = match self.source {
            JsonSource::Url(url) => MediaSource::Url(url),
            JsonSource::Data {
                media_type,
                name,
                data,
            } => {
                let bytes = data.decode();
                let received = messages::receive_media(services, access, media_type, name, bytes, limit);
                MediaSource::File(received.await.map_err(|error| match error {
                    UploadError::Source(fault @ NotBase64) => FieldErrors::one("media.data", fault).into(),
                    UploadError::Service(error) => ApiError::from(error),
                })?)
            }
        };
        Ok(Checked {
            to: self.to,
            source,
            caption: self.caption,
            schedule: self.schedule,
        })
    }
}

impl From<MediaForm> for Fields<MediaSource> {
    fn from(form: MediaForm) -> Self {
        Self {
            to: form.to,
            source: Some(MediaSource::File(form.file)),
            caption: form.caption,
            send_at: form.send_at,
            expires_at: form.expires_at,
            errors: FieldErrors::default(),
        }
    }
}

impl<S> Fields<S> {
    fn check(
        self,
        country: Option<Country>,
        preferences: &SendPreferences,
        now: Timestamp,
    ) -> Result<Checked<S>, FieldErrors> {
        let mut errors = self.errors;
        let (send_at, expires_at) = (self.send_at.as_deref(), self.expires_at.as_deref());
        let schedule = preferences.schedule(send_at, expires_at, now, &mut errors);
        let to = errors.take("to", ChatId::parse_recipient(&self.to, country));
        let caption = self.caption;
        let caption = caption.and_then(|caption| errors.take("caption", MessageText::parse(caption)));
        let checked = to.zip(self.source).map(|(to, source)| Checked {
            to,
            source,
            caption,
            schedule,
        });
        errors.finish(checked)
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
    body: MediaBody,
) -> Result<Response, ApiError> {
    let (services, limit) = (state.services(), state.settings().media_limit);
    let (country, now) = (allowed.access.organization().country, services.now());
    let checked = match body {
        MediaBody::Json(json) => {
            let json = json.read(&state, allowed.access.organization().id).await?;
            let body: SendMedia<'_> = json.parse()?;
            let checked = body.fields(services)?.check(country, &preferences, now)?;
            checked.receive(services, &allowed.access, limit).await?
        }
        MediaBody::Form(form) => {
            let form = form.read(services, &allowed.access).await?;
            Fields::from(form).check(country, &preferences, now)?
        }
    };
    let options = super::options(&allowed, preferences, checked.schedule);
    let message = MediaMessage {
        to: checked.to,
        source: checked.source,
        caption: checked.caption,
    };
    let (access, session) = (&allowed.access, &allowed.found);
    let sent = messages::send_media(services, access, session, message, limit, options.clone()).await?;
    Ok(super::answer(sent, &options))
}
