//! The keys with which links to files are signed: derived from the key ring, so that every process has them.

use hkdf::Hkdf;
use secrecy::SecretSlice;
use sha2::Sha256;

use crate::{KeyRing, KeyRingError};

/// What these keys are for; nothing else is derived under this name.
const PURPOSE: &[u8] = b"wahana media link\0";
const LENGTH: usize = 32;

impl KeyRing {
    /// The key for links that is derived from the ring's key with this number.
    pub(crate) fn media_link_key(&self, ring_key: u32) -> Result<SecretSlice<u8>, KeyRingError> {
        let mut key = vec![0; LENGTH];
        Hkdf::<Sha256>::new(None, self.key(ring_key)?)
            .expand(PURPOSE, &mut key)
            .map_err(|_| KeyRingError::Damaged)?;
        Ok(key.into())
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use secrecy::ExposeSecret;

    use super::*;

    const RING: &str = "7 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n\
                        8 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752";

    #[test]
    fn each_key_of_the_ring_gives_a_key_of_its_own() {
        let ring = KeyRing::parse(RING).unwrap();
        let key = |number| {
            ring.media_link_key(number)
                .map(|key| HEXLOWER.encode(key.expose_secret()))
        };
        assert_ne!(key(7).unwrap(), key(8).unwrap());
        assert_eq!(key(7).unwrap(), KNOWN, "links that were given out stay valid");
        assert_eq!(key(9).unwrap_err(), KeyRingError::UnknownKey(9));
    }

    /// As any other implementation of HKDF (RFC 5869) gives it.
    const KNOWN: &str = "ebb6b67fa4928cb41043102cdfab0ba4c6645f8ef69d6735df862338b5926a92";
}
