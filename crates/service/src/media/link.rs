//! Links to files that need no credential, for a short time: whoever has one may see that one file.

use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;
use url::Url;
use wahana_domain::{MediaFileId, OrganizationId, OrganizationState, Timestamp};
use wahana_store::{Store, StoreError, media_files};

use super::MessageMedia;
use crate::{ServiceError, Services};

/// How long a link is valid.
const LIFETIME: Duration = Duration::from_hours(1);
/// Where links lead, below wahana's address.
const PATH: &str = "media";

/// Which file until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaLink {
    /// Whose it is.
    pub organization: OrganizationId,
    /// The file.
    pub file: MediaFileId,
    /// Until then, in seconds since 1970.
    pub expires: i64,
}

/// A link as it came back.
#[derive(Clone, Copy, Debug)]
pub struct PresentedMediaLink<'a> {
    /// What it says.
    pub link: MediaLink,
    /// What is said to be its signature.
    pub signature: &'a str,
}

impl MediaLink {
    /// What is signed. Each part has a fixed length, so that no two links spell the same.
    fn message(&self) -> Vec<u8> {
        [
            self.organization.as_uuid().as_bytes().as_slice(),
            self.file.as_uuid().as_bytes(),
            &self.expires.to_be_bytes(),
        ]
        .concat()
    }

    fn mac(&self, store: &Store, ring_key: Option<u32>) -> Result<(u32, Hmac<Sha256>), ServiceError> {
        let (ring_key, key) = store.media_link_key(ring_key)?;
        let mac = Hmac::<Sha256>::new_from_slice(key.expose_secret());
        let mut mac = mac.map_err(|error| ServiceError::Internal(error.to_string()))?;
        mac.update(&self.message());
        Ok((ring_key, mac))
    }

    /// `<number of the ring's key>.<64 hexadecimal digits>`.
    fn sign(&self, store: &Store) -> Result<String, ServiceError> {
        let (ring_key, mac) = self.mac(store, None)?;
        Ok(format!(
            "{ring_key}.{}",
            HEXLOWER.encode(&mac.finalize().into_bytes())
        ))
    }

    fn is_signed_by(&self, store: &Store, signature: &str) -> Result<bool, ServiceError> {
        let parts = signature.split_once('.').and_then(|(ring_key, digits)| {
            let number: u32 = ring_key.parse().ok()?;
            // One way to write it, so that one file has one link at a time.
            let has_one_spelling = number.to_string() == ring_key;
            has_one_spelling.then_some((number, HEXLOWER.decode(digits.as_bytes()).ok()?))
        });
        let Some((ring_key, signature)) = parts else {
            return Ok(false);
        };
        match self.mac(store, Some(ring_key)) {
            Ok((_, mac)) => Ok(mac.verify_slice(&signature).is_ok()),
            // A number that somebody made up, or a key that was taken out of the ring.
            Err(ServiceError::Store(StoreError::Keys(_))) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What links are made with.
#[derive(Clone, Debug)]
pub(crate) struct MediaLinks {
    store: Store,
    public_url: Url,
}

impl MediaLinks {
    pub(crate) const fn new(store: Store, public_url: Url) -> Self {
        Self { store, public_url }
    }

    /// A link to a file, valid for an hour from now.
    pub(crate) fn to(&self, organization: OrganizationId, file: MediaFileId) -> Result<Url, ServiceError> {
        let link = MediaLink {
            organization,
            file,
            expires: self.store.clock().now().plus(LIFETIME).as_seconds(),
        };
        let signature = link.sign(&self.store)?;
        let mut url = self.public_url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{PATH}/{organization}/{file}"));
        url.query_pairs_mut()
            .append_pair("expires", &link.expires.to_string())
            .append_pair("signature", &signature);
        Ok(url)
    }
}

/// A link to a file, valid for an hour from now.
pub fn link(
    services: &Services,
    organization: OrganizationId,
    file: MediaFileId,
) -> Result<Url, ServiceError> {
    services.media_links.to(organization, file)
}

/// The file that a link leads to.
///
/// # Errors
///
/// [`ServiceError::LinkInvalid`] alike if it was not signed here, has ended, or leads to a file that is not there
/// or to an organization that may not use wahana any more. A conflict while the file is still to be fetched.
pub async fn open_link(
    services: &Services,
    presented: PresentedMediaLink<'_>,
) -> Result<MessageMedia, ServiceError> {
    let link = presented.link;
    let is_valid = link.is_signed_by(&services.store, presented.signature)?
        && Timestamp::from_seconds(link.expires) > services.now();
    if !is_valid {
        return Err(ServiceError::LinkInvalid);
    }
    let tx = services.store.platform_read().await?;
    let organization = tx.organization(link.organization).await?;
    let tenant = tx.tenant(link.organization).await?;
    drop(tx);
    let is_active = organization.is_some_and(|organization| organization.state == OrganizationState::Active);
    let tenant = tenant.filter(|_| is_active).ok_or(ServiceError::LinkInvalid)?;
    let tx = services.store.read(tenant).await?;
    let file = media_files::get(&tx, link.file).await?;
    drop(tx);
    match MessageMedia::of(file.ok_or(ServiceError::LinkInvalid)?) {
        Err(ServiceError::MediaNotKept) => Err(ServiceError::LinkInvalid),
        found => found,
    }
}
