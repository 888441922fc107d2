//! Sending a file: an image, a video, a voice message or a document.

use wahana_domain::{ChatId, FileName, MediaType, MessageKind, MessageText, Session};

use super::send::{Outgoing, SentMessage, send};
use crate::{
    FieldErrors, ServiceError, Services,
    access::{Granted, Owned, SendMessages},
    limits,
    ready::Ready,
};

/// A file to send.
#[derive(Clone, Debug)]
pub struct MediaMessage {
    /// Whom it is for.
    pub to: ChatId,
    /// The file, or where it is.
    pub source: MediaSource,
    /// The text below it; voice messages have none.
    pub caption: Option<MessageText<1024>>,
}

/// Where a file comes from.
#[derive(Clone, Debug)]
pub enum MediaSource {
    /// It came with the request.
    File(MediaFile),
    /// wahana fetches it from this address.
    Url(String),
}

/// A file.
#[derive(Clone)]
pub struct MediaFile {
    /// What it is, which decides as what it is sent.
    pub media_type: MediaType,
    /// What it is called.
    pub name: Option<FileName>,
    /// Its bytes.
    pub data: Vec<u8>,
}

impl std::fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaFile")
            .field("media_type", &self.media_type)
            .field("bytes", &self.data.len())
            .finish_non_exhaustive()
    }
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
) -> Result<SentMessage, ServiceError> {
    let MediaMessage { to, source, caption } = message;
    let take = || limits::take_message(services, access.context(), session.id, true);
    let (ready, permit, file) = match source {
        MediaSource::File(file) => {
            check(&file, "media", caption.is_some(), limit)?;
            (Ready::find(services, access, session).await?, take().await?, file)
        }
        MediaSource::Url(url) => {
            // Nothing is fetched that could not be sent.
            Ready::find(services, access, session).await?;
            let permit = take().await?;
            limits::check_monthly_quota(services, access.context()).await?;
            let fetched = services.media.fetch(&url, limit).await;
            let file = fetched.map_err(|error| {
                tracing::info!(
                    request.id = access.context().origin.request_id,
                    session.id = %session.id,
                    error = %error,
                    "a medium could not be fetched"
                );
                error.into_service_error(limit)
            })?;
            check(&file, "media_url", caption.is_some(), limit)?;
            // Fetching takes its time.
            (Ready::find(services, access, session).await?, permit, file)
        }
    };
    let message = Outgoing::Media { to, file, caption };
    send(services, access, ready, permit, message).await
}

fn check(file: &MediaFile, field: &str, has_caption: bool, limit: usize) -> Result<(), ServiceError> {
    if file.data.len() > limit {
        return Err(ServiceError::MediaTooLarge { limit });
    }
    let mut errors = FieldErrors::default();
    if file.data.is_empty() {
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
