//! Sending a file: an image, a video, a voice message or a document.

use bytes::Bytes;
use futures_util::Stream;
use wahana_domain::{ChatId, FileName, MediaType, MessageKind, MessageText, Session};

use super::{
    idempotency::Fingerprint,
    outgoing::Outgoing,
    submit::{Request, Schedule, SendOptions, Submitted},
    waiting_file,
};
use crate::{
    FieldErrors, ServiceError, Services,
    access::{Granted, Owned, SendMessages},
    limits,
    media::{self, Upload, UploadError},
    outgoing::{Download, FetchError},
    ready::Ready,
};

/// A file to send.
#[derive(Debug)]
pub struct MediaMessage {
    /// Whom it is for.
    pub to: ChatId,
    /// The file, or where it is.
    pub source: MediaSource,
    /// The text below it; voice messages have none.
    pub caption: Option<MessageText<1024>>,
}

/// Where a file comes from.
#[derive(Debug)]
pub enum MediaSource {
    /// It came with the request.
    File(MediaFile),
    /// wahana fetches it from this address.
    Url(String),
}

/// A file, whose bytes are in the media store.
pub struct MediaFile {
    /// What it is, which decides as what it is sent.
    pub(super) media_type: MediaType,
    /// What it is called.
    pub(super) name: Option<FileName>,
    /// Its bytes.
    pub(super) upload: Upload,
}

impl std::fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaFile")
            .field("media_type", &self.media_type)
            .field("bytes", &self.upload.bytes().size)
            .finish_non_exhaustive()
    }
}

/// Makes sure that files of a type may be sent at all.
pub fn check_media_type(services: &Services, media_type: &MediaType) -> Result<(), ServiceError> {
    services.settings.media.check_type(media_type)
}

/// Takes in a file of at most `limit` bytes that is to be sent, as its bytes come. If it is not sent in the end,
/// nothing of it stays.
pub async fn receive_media<E>(
    services: &Services,
    access: &Granted<SendMessages>,
    media_type: MediaType,
    name: Option<FileName>,
    bytes: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    limit: usize,
) -> Result<MediaFile, UploadError<E>> {
    check_media_type(services, &media_type)?;
    let upload = media::upload(services, access.tenant(), bytes, limit).await?;
    Ok(MediaFile {
        media_type,
        name,
        upload,
    })
}

/// Sends a file of at most `limit` bytes. WAHA gets its bytes, never an address.
///
/// # Errors
///
/// Of the refusals only [`ServiceError::WahaTimeout`] means that the message may have gone out.
pub async fn send_media(
    services: &Services,
    access: &Granted<SendMessages>,
    session: &Owned<Session>,
    message: MediaMessage,
    limit: usize,
    options: SendOptions,
) -> Result<Submitted, ServiceError> {
    let schedule = options.schedule;
    let fingerprint = || fingerprint(session, &message, schedule);
    let request = Request::new(services, access, session.id, options, fingerprint);
    let MediaMessage { to, source, caption } = message;
    if let MediaSource::File(file) = &source {
        check(file, "media", caption.is_some())?;
    }
    let wait = match schedule {
        Schedule::Now { wait } => wait,
        Schedule::Later { send_at, expires_at } => {
            if let Some(earlier) = request.earlier(super::DEFAULT_WAIT).await? {
                return Ok(earlier);
            }
            let file = match source {
                MediaSource::File(file) => file,
                MediaSource::Url(url) => {
                    fetch(services, access, session, &url, caption.is_some(), limit).await?
                }
            };
            waiting_file::check_room(services, access.tenant(), &file).await?;
            let outgoing = Outgoing::Media { to, file, caption };
            return request.later(&outgoing, send_at, expires_at).await;
        }
    };
    let permit = limits::take_message(services, access.context(), session.id, true).await?;
    if let Some(earlier) = request.earlier(wait).await? {
        return Ok(earlier);
    }
    let ready = Ready::find(services, access, session).await?;
    let (ready, file) = match source {
        MediaSource::File(file) => (ready, file),
        MediaSource::Url(url) => {
            let file = fetch(services, access, session, &url, caption.is_some(), limit).await?;
            // Fetching takes its time.
            (Ready::find(services, access, session).await?, file)
        }
    };
    waiting_file::check_room(services, access.tenant(), &file).await?;
    let outgoing = Outgoing::Media { to, file, caption };
    request.now(ready, permit, outgoing, wait).await
}

/// Fetches a file from its address, if the organization may send one at all.
async fn fetch(
    services: &Services,
    access: &Granted<SendMessages>,
    session: &Session,
    url: &str,
    has_caption: bool,
    limit: usize,
) -> Result<MediaFile, ServiceError> {
    limits::check_monthly_quota(services, access.context()).await?;
    let refused = |error: FetchError| {
        tracing::info!(
            request.id = access.context().origin.request_id,
            session.id = %session.id,
            error = %error,
            "a medium could not be fetched"
        );
        error.into_service_error(limit)
    };
    let Download {
        media_type,
        name,
        bytes,
    } = services.media.open(url, limit).await.map_err(refused)?;
    let received = receive_media(services, access, media_type, name, bytes, limit).await;
    let file = received.map_err(|error| match error {
        UploadError::Source(error) => refused(error),
        UploadError::Service(error) => error,
    })?;
    check(&file, "media_url", has_caption)?;
    Ok(file)
}

fn fingerprint(session: &Session, message: &MediaMessage, schedule: Schedule) -> Fingerprint {
    let print = Fingerprint::new("messages.send_media", session.id)
        .scheduled(schedule)
        .with(Some(message.to.as_str()))
        .with(message.caption.as_ref().map(MessageText::as_str));
    match &message.source {
        MediaSource::Url(url) => print.with(Some("url")).with(Some(url)),
        MediaSource::File(file) => print
            .with(Some("file"))
            .with(Some(file.media_type.as_str()))
            .with(file.name.as_ref().map(FileName::as_str))
            .with(Some(&file.upload.bytes().sha256)),
    }
}

fn check(file: &MediaFile, field: &str, has_caption: bool) -> Result<(), ServiceError> {
    let mut errors = FieldErrors::default();
    if file.upload.bytes().size == 0 {
        errors.add(field, "must not be an empty file");
    }
    if has_caption && file.media_type.message_kind() == MessageKind::Voice {
        errors.add(
            "caption",
            "must be left out: voice messages have no text below them",
        );
    }
    Ok(errors.finish(Some(()))?)
}
