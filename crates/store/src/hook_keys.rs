//! The keys with which WAHA servers sign their events.
//!
//! They are derived from the key ring, so that a hook's address is enough to know the key, before a word
//! of the body is believed and without asking the database.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use hkdf::Hkdf;
use secrecy::SecretString;
use sha2::Sha256;
use wahana_domain::{ServerId, SessionId};

use crate::{KeyRing, KeyRingError};

/// Whose events come in at a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hook {
    /// The WAHA server.
    pub server: ServerId,
    /// The session; `None` for the server's own hook, at which the events of all its sessions come in.
    pub session: Option<SessionId>,
}

/// Which of a hook's keys: written as `<number of the ring's key>.<version>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HookKeyId {
    /// The number of the ring's key from which it is derived.
    pub ring_key: u32,
    /// The version, from 1; raised to have another key.
    pub version: i64,
}

/// The text is no key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be two numbers with a dot between them")]
pub struct InvalidHookKeyId;

impl FromStr for HookKeyId {
    type Err = InvalidHookKeyId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ring_key, version) = text.split_once('.').ok_or(InvalidHookKeyId)?;
        let id = Self {
            ring_key: ring_key.parse().map_err(|_| InvalidHookKeyId)?,
            version: version.parse().map_err(|_| InvalidHookKeyId)?,
        };
        // One way to write it, so that one hook has one address.
        if id.version >= 1 && id.to_string() == text {
            Ok(id)
        } else {
            Err(InvalidHookKeyId)
        }
    }
}

impl fmt::Display for HookKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.ring_key, self.version)
    }
}

/// What these keys are for; nothing else is derived under this name.
const PURPOSE: &[u8] = b"wahana waha hook\0";
const LENGTH: usize = 32;

impl KeyRing {
    /// A hook's key: 64 hexadecimal digits, which WAHA uses as they are.
    pub(crate) fn hook_key(&self, hook: Hook, id: HookKeyId) -> Result<SecretString, KeyRingError> {
        let ring_key = self.key(id.ring_key)?;
        // Each part has a fixed length, so that no two hooks spell the same.
        let (kind, session): (&[u8], _) = match hook.session {
            Some(session) => (b"session", session.as_uuid()),
            None => (b"server\0", uuid::Uuid::nil()),
        };
        let info = [
            PURPOSE,
            hook.server.as_uuid().as_bytes(),
            kind,
            session.as_bytes(),
            &id.version.to_be_bytes(),
        ]
        .concat();
        let mut key = [0; LENGTH];
        Hkdf::<Sha256>::new(None, ring_key)
            .expand(&info, &mut key)
            .map_err(|_| KeyRingError::Damaged)?;
        Ok(HEXLOWER.encode(&key).into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use secrecy::ExposeSecret;
    use uuid::Uuid;

    use super::*;

    const RING: &str = "7 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n\
                        8 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752";

    fn hook(server: u128, session: Option<u128>) -> Hook {
        Hook {
            server: Uuid::from_u128(server).into(),
            session: session.map(|session| Uuid::from_u128(session).into()),
        }
    }

    fn key(hook: Hook, id: &str) -> String {
        let ring = KeyRing::parse(RING).unwrap();
        let key = ring.hook_key(hook, id.parse().unwrap()).unwrap();
        key.expose_secret().to_owned()
    }

    #[test]
    fn every_hook_version_and_ring_key_has_a_key_of_its_own() {
        let hooks = [
            hook(1, None),
            hook(2, None),
            hook(1, Some(0)),
            hook(1, Some(1)),
            hook(2, Some(1)),
        ];
        let keys: HashSet<String> = hooks
            .into_iter()
            .flat_map(|hook| ["7.1", "7.2", "8.1", "8.256"].map(|id| key(hook, id)))
            .collect();
        assert_eq!(keys.len(), 20);
        assert!(keys.iter().all(|key| key.len() == 64));
    }

    #[test]
    fn a_key_stays_the_same_from_release_to_release() {
        // Else every WAHA server would sign with a key that nobody knows any more.
        assert_eq!(key(hook(1, Some(2)), "7.3"), KNOWN);
    }

    /// As any other implementation of HKDF (RFC 5869) gives it.
    const KNOWN: &str = "933134075cde9953a0fcc88c804456415726a1a57e6740e005fce57730c36500";

    #[test]
    fn a_key_that_is_not_in_the_ring_is_none() {
        let ring = KeyRing::parse(RING).unwrap();
        let derived = ring.hook_key(hook(1, None), "9.1".parse().unwrap());
        assert_eq!(derived.unwrap_err(), KeyRingError::UnknownKey(9));
    }

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!("7.3".parse::<HookKeyId>().unwrap().to_string(), "7.3");
        for text in [
            "",
            "7",
            "7.",
            ".3",
            "07.3",
            "7.03",
            "+7.3",
            "7.0",
            "7.-1",
            "7.3.1",
            "7.3 ",
            "4294967296.1",
        ] {
            assert_eq!(text.parse::<HookKeyId>(), Err(InvalidHookKeyId), "{text}");
        }
    }
}
