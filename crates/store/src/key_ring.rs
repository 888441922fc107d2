//! The keys that encrypt secrets at rest.

use std::{fmt, sync::Arc};

use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use rand::Rng;
use secrecy::SecretString;
use uuid::Uuid;
use wahana_domain::OrganizationId;

/// One or more keys. The first encrypts; all of them decrypt, so that keys can be changed without
/// losing what the old ones encrypted.
#[derive(Clone)]
pub struct KeyRing(Arc<[RingKey]>);

#[derive(Clone)]
struct RingKey {
    id: u32,
    key: Key,
}

/// The key ring cannot be read, or cannot open a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// The text has another form. The text itself is not in the message.
    #[error("line {0} of the key ring must be `<number> <64 hexadecimal digits>`")]
    Form(usize),
    /// Keys that somebody made up are known to others.
    #[error("line {0} of the key ring is a placeholder, not a random key; make one with `wahana keys init`")]
    Placeholder(usize),
    /// Two keys of one number: nobody could tell which of them encrypted what.
    #[error("line {0} of the key ring has a number that another key has")]
    SameNumber(usize),
    /// The highest number there is belongs to a key.
    #[error(
        "the key ring has a key with the highest number; give it another one with which nothing was encrypted"
    )]
    NoNumber,
    /// No key at all.
    #[error("the key ring is empty; make one with `wahana keys init`")]
    Empty,
    /// The key that encrypted a secret is not in the ring.
    #[error("the key ring has no key {0}, with which a stored secret was encrypted")]
    UnknownKey(u32),
    /// The secret was changed, belongs elsewhere, or was encrypted with another key of that number.
    #[error("a stored secret cannot be decrypted with key {0} of the key ring")]
    Refused(u32),
    /// The bytes are no secret of wahana's.
    #[error("a stored secret is damaged")]
    Damaged,
}

/// What a secret belongs to. It opens nowhere else, so a secret copied into another row is useless.
#[derive(Clone, Copy, Debug)]
pub struct Belonging {
    /// Which column.
    pub purpose: &'static str,
    /// Which organization; `None` for the platform's.
    pub organization: Option<OrganizationId>,
    /// Which row.
    pub row: Uuid,
}

const NONCE_LENGTH: usize = 24;
const ID_LENGTH: usize = 4;

impl KeyRing {
    /// A ring with one new random key.
    #[must_use]
    pub fn generate() -> Self {
        Self([RingKey::generate(1)].into())
    }

    /// A ring with one new random key, to be put before the keys of this one. Its number is higher than theirs.
    ///
    /// # Errors
    ///
    /// [`KeyRingError::NoNumber`] if no number is left.
    pub fn successor(&self) -> Result<Self, KeyRingError> {
        let highest = self.0.iter().map(|key| key.id).max().unwrap_or(0);
        let next = highest.checked_add(1).ok_or(KeyRingError::NoNumber)?;
        Ok(Self([RingKey::generate(next)].into()))
    }

    /// The number of the key with which new things are made.
    pub fn current(&self) -> Result<u32, KeyRingError> {
        self.0.first().map(|key| key.id).ok_or(KeyRingError::Empty)
    }

    /// The numbers of all keys, the one that encrypts first.
    #[must_use]
    pub fn numbers(&self) -> Vec<u32> {
        self.0.iter().map(|key| key.id).collect()
    }

    /// Reads a ring: a line per key, its number and 64 hexadecimal digits; `#` begins a comment.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let mut keys: Vec<RingKey> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let form = || KeyRingError::Form(number + 1);
            let (id, key) = line.split_once(char::is_whitespace).ok_or_else(form)?;
            let id = id.parse().map_err(|_| form())?;
            let key = HEXLOWER_PERMISSIVE
                .decode(key.trim().as_bytes())
                .map_err(|_| form())?;
            let key: [u8; 32] = key.try_into().map_err(|_| form())?;
            if is_placeholder(&key) {
                return Err(KeyRingError::Placeholder(number + 1));
            }
            if keys.iter().any(|other| other.id == id) {
                return Err(KeyRingError::SameNumber(number + 1));
            }
            keys.push(RingKey { id, key: key.into() });
        }
        if keys.is_empty() {
            Err(KeyRingError::Empty)
        } else {
            Ok(Self(keys.into()))
        }
    }

    /// The ring as `parse` reads it, for the file that only wahana's user may read.
    #[must_use]
    pub fn to_text(&self) -> SecretString {
        let lines = self
            .0
            .iter()
            .map(|key| format!("{} {}\n", key.id, HEXLOWER.encode(&key.key)));
        lines.collect::<String>().into()
    }

    /// The key with this number, to derive others from.
    pub(crate) fn key(&self, id: u32) -> Result<&[u8], KeyRingError> {
        let found = self.0.iter().find(|key| key.id == id);
        found
            .map(|key| key.key.as_slice())
            .ok_or(KeyRingError::UnknownKey(id))
    }

    /// Encrypts a secret for its place.
    pub(crate) fn encrypt(&self, secret: &str, belonging: Belonging) -> Result<Vec<u8>, KeyRingError> {
        let current = self.0.first().ok_or(KeyRingError::Empty)?;
        let mut nonce = [0; NONCE_LENGTH];
        rand::rng().fill_bytes(&mut nonce);
        let sealed = XChaCha20Poly1305::new(&current.key)
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: secret.as_bytes(),
                    aad: &belonging.bytes(),
                },
            )
            .map_err(|_| KeyRingError::Refused(current.id))?;
        Ok([current.id.to_be_bytes().as_slice(), &nonce, &sealed].concat())
    }

    /// Decrypts a secret in its place.
    pub(crate) fn decrypt(&self, stored: &[u8], belonging: Belonging) -> Result<SecretString, KeyRingError> {
        let id = key_of(stored)?;
        let (_, rest) = stored
            .split_first_chunk::<ID_LENGTH>()
            .ok_or(KeyRingError::Damaged)?;
        let (nonce, sealed) = rest
            .split_first_chunk::<NONCE_LENGTH>()
            .ok_or(KeyRingError::Damaged)?;
        let key = self
            .0
            .iter()
            .find(|key| key.id == id)
            .ok_or(KeyRingError::UnknownKey(id))?;
        let opened = XChaCha20Poly1305::new(&key.key)
            .decrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: sealed,
                    aad: &belonging.bytes(),
                },
            )
            .map_err(|_| KeyRingError::Refused(id))?;
        String::from_utf8(opened)
            .map(SecretString::from)
            .map_err(|_| KeyRingError::Damaged)
    }
}

impl RingKey {
    fn generate(id: u32) -> Self {
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        Self { id, key: key.into() }
    }
}

/// The number of the key with which a secret was encrypted.
pub(crate) fn key_of(stored: &[u8]) -> Result<u32, KeyRingError> {
    let (id, _) = stored
        .split_first_chunk::<ID_LENGTH>()
        .ok_or(KeyRingError::Damaged)?;
    Ok(u32::from_be_bytes(*id))
}

/// Fewer different bytes than this are no accident: of 32 random bytes about 30 differ.
const FEWEST_DIFFERENT_BYTES: usize = 16;

/// Whether a key was typed and not drawn: few different bytes, or bytes that count up or down.
fn is_placeholder(key: &[u8; 32]) -> bool {
    let different: std::collections::HashSet<&u8> = key.iter().collect();
    let steps: std::collections::HashSet<u8> =
        key.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    different.len() < FEWEST_DIFFERENT_BYTES || steps.len() == 1
}

impl Belonging {
    fn bytes(self) -> Vec<u8> {
        let organization = self.organization.map_or(Uuid::nil(), OrganizationId::as_uuid);
        [
            self.purpose.as_bytes(),
            b"\0",
            organization.as_bytes(),
            self.row.as_bytes(),
        ]
        .concat()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| key.id)).finish()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn place() -> Belonging {
        Belonging {
            purpose: "test",
            organization: Some(OrganizationId::new()),
            row: Uuid::now_v7(),
        }
    }

    #[test]
    fn a_secret_opens_in_its_place_alone() {
        let (ring, place) = (KeyRing::generate(), place());
        let stored = ring.encrypt("the key of a server", place).unwrap();
        assert!(!stored.windows(7).any(|window| window == b"the key"));
        assert_eq!(
            ring.decrypt(&stored, place).unwrap().expose_secret(),
            "the key of a server"
        );
        for elsewhere in [
            Belonging {
                purpose: "other",
                ..place
            },
            Belonging {
                organization: None,
                ..place
            },
            Belonging {
                row: Uuid::now_v7(),
                ..place
            },
        ] {
            assert!(matches!(
                ring.decrypt(&stored, elsewhere),
                Err(KeyRingError::Refused(1))
            ));
        }
    }

    #[test]
    fn changed_bytes_and_other_keys_are_refused() {
        let (ring, place) = (KeyRing::generate(), place());
        let stored = ring.encrypt("secret", place).unwrap();
        for byte in 0..stored.len() {
            let mut changed = stored.clone();
            changed[byte] ^= 1;
            assert!(ring.decrypt(&changed, place).is_err(), "byte {byte}");
        }
        assert!(KeyRing::generate().decrypt(&stored, place).is_err());
        assert!(matches!(
            ring.decrypt(&stored[..20], place),
            Err(KeyRingError::Damaged)
        ));
    }

    #[test]
    fn old_keys_still_open_what_they_closed() {
        let (old, place) = (KeyRing::generate(), place());
        let stored = old.encrypt("secret", place).unwrap();
        let new = random_key();
        let text = format!("# new\n2 {new}\n{}", old.to_text().expose_secret());
        let ring = KeyRing::parse(&text).unwrap();
        assert_eq!(ring.decrypt(&stored, place).unwrap().expose_secret(), "secret");
        assert!(matches!(
            old.decrypt(&ring.encrypt("x", place).unwrap(), place),
            Err(KeyRingError::UnknownKey(2))
        ));
    }

    #[test]
    fn a_successor_has_a_number_of_its_own() {
        let ring = KeyRing::parse(&format!("7 {}\n12 {}", random_key(), random_key())).unwrap();
        let successor = ring.successor().unwrap();
        assert_eq!((ring.current().unwrap(), ring.numbers()), (7, vec![7, 12]));
        assert_eq!(successor.numbers(), [13]);
        let last = KeyRing::parse(&format!("{} {}", u32::MAX, random_key())).unwrap();
        assert_eq!(last.successor().unwrap_err(), KeyRingError::NoNumber);
    }

    #[test]
    fn faulty_rings_are_named_and_not_quoted() {
        for (text, expected) in [("", "empty"), ("1 abc", "line 1"), ("# c\nx y", "line 2")] {
            let error = KeyRing::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("abc"), "{error}");
        }
        let ring = KeyRing::parse(&format!("7 {}", random_key())).unwrap();
        assert_eq!(format!("{ring:?}"), "[7]");
    }

    #[test]
    fn keys_that_were_typed_are_refused() {
        let counting = HEXLOWER.encode(&(0..32).collect::<Vec<u8>>());
        for key in [
            "00".repeat(32),
            "ab".repeat(32),
            "0123456789abcdef".repeat(4),
            counting,
        ] {
            assert_eq!(
                KeyRing::parse(&format!("1 {key}")).unwrap_err(),
                KeyRingError::Placeholder(1)
            );
        }
        let twice = format!("1 {}\n1 {}", random_key(), random_key());
        assert_eq!(KeyRing::parse(&twice).unwrap_err(), KeyRingError::SameNumber(2));
    }

    fn random_key() -> String {
        let ring = KeyRing::generate().to_text();
        ring.expose_secret().trim().trim_start_matches("1 ").to_owned()
    }
}
