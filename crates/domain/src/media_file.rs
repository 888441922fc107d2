//! Files of messages that wahana keeps, or is to keep.

use std::fmt;

use uuid::Uuid;

use crate::{FileName, MediaFileId, MediaType, MessageId, OrganizationId, Timestamp, words::words};

/// How a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaState {
    /// It is to be fetched from WAHA.
    Waiting,
    /// wahana has it.
    Stored,
    /// It is not to be had any more: WAHA had forgotten it, or its time here has ended.
    Expired,
    /// It was never kept, and more time would not have changed that: it is larger than allowed.
    Failed,
}

words!(MediaState {
    Waiting => "waiting",
    Stored => "stored",
    Expired => "expired",
    Failed => "failed",
});

/// A file of an organization, without its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// Its id.
    pub id: MediaFileId,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// The message that it belongs to; `None` while it has none, or has none any more.
    pub message_id: Option<MessageId>,
    /// How it stands.
    pub state: MediaState,
    /// Its bytes, once they are stored and until they are deleted.
    pub stored: Option<StoredBytes>,
    /// Where its WAHA server keeps it, until it was fetched: a path, and no proof that it is this message's.
    pub source: Option<String>,
    /// What it is, as its sender says.
    pub media_type: MediaType,
    /// What it is called; only documents have a name.
    pub name: Option<FileName>,
    /// When wahana learned of it.
    pub created_at: Timestamp,
    /// Until then it is kept, whatever its age. Without a message it is kept no longer.
    pub expires_at: Option<Timestamp>,
}

/// A name is its sender's, and a path at WAHA names the chat, so neither shows itself.
impl fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaFile")
            .field("id", &self.id)
            .field("message_id", &self.message_id)
            .field("state", &self.state)
            .field("stored", &self.stored)
            .field("media_type", &self.media_type)
            .finish_non_exhaustive()
    }
}

/// Bytes in the media store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBytes {
    /// Where they are.
    pub key: StorageKey,
    /// How many there are.
    pub size: u64,
    /// Their SHA-256, in 64 hexadecimal digits.
    pub sha256: String,
}

/// Where bytes are in the media store: `<organization>/<two digits>/<32 digits>`. It is random, so it says
/// nothing of what is stored there, and is never made from anything that somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StorageKey(String);

/// The text is no key of the media store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an organization's id, two digits and 32 digits, with slashes between them")]
pub struct InvalidStorageKey;

impl StorageKey {
    /// A key that nothing else has.
    #[must_use]
    pub fn generate(organization: OrganizationId) -> Self {
        let name = Uuid::new_v4().simple().to_string();
        // The last digits are random; those of the version are in the middle.
        Self(format!("{organization}/{}/{name}", &name[30..]))
    }

    /// Reads a key.
    pub fn parse(text: &str) -> Result<Self, InvalidStorageKey> {
        let mut parts = text.split('/');
        let (Some(organization), Some(shard), Some(name), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidStorageKey);
        };
        let is_digits = |part: &str, length| {
            part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_organization = organization
            .parse::<OrganizationId>()
            .is_ok_and(|id| id.to_string() == organization);
        if is_organization && is_digits(shard, 2) && is_digits(name, 32) && name.ends_with(shard) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidStorageKey)
        }
    }

    /// The key as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StorageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_begins_with_its_organization_and_is_read_again() {
        let organization = OrganizationId::new();
        let key = StorageKey::generate(organization);
        assert!(key.as_str().starts_with(&format!("{organization}/")));
        assert_eq!(StorageKey::parse(key.as_str()), Ok(key.clone()));
        assert_ne!(StorageKey::generate(organization), key);
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_key() {
        let organization = OrganizationId::new();
        let name = "0123456789abcdef0123456789abcdef";
        assert!(StorageKey::parse(&format!("{organization}/ef/{name}")).is_ok());
        for text in [
            String::new(),
            name.to_owned(),
            format!("{organization}/{name}"),
            format!("{organization}/00/{name}"),
            format!("{organization}/ef/{name}/x"),
            format!("/{organization}/ef/{name}"),
            format!("../ef/{name}"),
            format!("{organization}/../{name}"),
            format!("{organization}/ef/{}", name.to_uppercase()),
            format!("{}/ef/{name}", organization.to_string().to_uppercase()),
            format!("{}/ef/{name}", organization.as_uuid().simple()),
        ] {
            assert_eq!(StorageKey::parse(&text), Err(InvalidStorageKey), "{text}");
        }
    }

    #[test]
    fn debug_output_tells_neither_name_nor_path() {
        let file = MediaFile {
            id: MediaFileId::new(),
            organization_id: OrganizationId::new(),
            message_id: None,
            state: MediaState::Waiting,
            stored: None,
            source: Some("/api/files/main/false_15550001111@c.us_A.pdf".to_owned()),
            media_type: MediaType::unknown(),
            name: FileName::sanitize("contract.pdf"),
            created_at: Timestamp::from_seconds(0),
            expires_at: None,
        };
        let shown = format!("{file:?}");
        assert!(!shown.contains("1555") && !shown.contains("contract"), "{shown}");
    }
}
