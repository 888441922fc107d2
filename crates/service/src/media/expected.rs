//! Files that events tell of: they are written down with the event, and so is the job that fetches them.

use waha_client::events::MessageNews;
use wahana_domain::{FileName, MediaType};
use wahana_store::{
    StoreError, TenantTx, jobs,
    media_files::{self, ExpectedFile},
    messages::Ledger,
};

use crate::jobs::JobKind;

/// The longest path of a file at WAHA; theirs have about a hundred characters.
const LONGEST_SOURCE: usize = 1024;

/// A file that an event tells of.
#[derive(Debug)]
pub(crate) struct ReceivedFile {
    /// WhatsApp's key of its message.
    key: String,
    /// Where WAHA keeps it.
    source: Option<String>,
    media_type: MediaType,
    name: Option<FileName>,
}

impl ReceivedFile {
    /// The file of a message, if it has one that is to be kept. What the session sent itself is kept if WAHA
    /// has it at hand; it need not be asked for.
    pub(crate) fn of(news: &MessageNews) -> Option<Self> {
        if !news.has_media {
            return None;
        }
        let media = news.media.as_ref();
        let source = media
            .and_then(|media| media.file.as_ref())
            .map(waha_client::FilePath::to_url_path)
            .filter(|source| source.len() <= LONGEST_SOURCE);
        if news.from_me && source.is_none() {
            return None;
        }
        let media_type = media
            .and_then(|media| media.mimetype.as_deref())
            .and_then(|mimetype| MediaType::parse(mimetype).ok());
        let name = media.and_then(|media| media.filename.as_deref());
        Some(Self {
            key: news.key.clone(),
            source,
            media_type: media_type.unwrap_or_else(MediaType::unknown),
            name: name.and_then(FileName::sanitize),
        })
    }

    /// The file of the row that its message has.
    pub(crate) fn of_message_in(self, messages: &Ledger) -> Option<ExpectedFile> {
        Some(ExpectedFile {
            message: messages.id_of(&self.key)?,
            source: self.source,
            media_type: self.media_type,
            name: self.name,
        })
    }
}

/// Writes down that these files are to be fetched, each once however often it is told of; says whether there is
/// anything new to be done.
pub(crate) async fn expect(tx: &TenantTx, files: &[ExpectedFile]) -> Result<bool, StoreError> {
    let mut is_new = false;
    for file in files {
        if let Some(id) = media_files::expect(tx, file).await? {
            is_new |= jobs::enqueue(tx, &JobKind::fetch_media(id, tx.now())).await?;
        }
    }
    Ok(is_new)
}
