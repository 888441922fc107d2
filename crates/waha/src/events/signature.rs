//! The signature of a webhook's body.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha512;

/// The header that carries the hexadecimal HMAC of the body, as it was sent (seen on WAHA 2026.2.1).
pub const SIGNATURE_HEADER: &str = "x-webhook-hmac";
/// The header that names how it was made. WAHA 2026.2.1 knows `sha512` alone.
pub const SIGNATURE_ALGORITHM_HEADER: &str = "x-webhook-hmac-algorithm";

/// The body was not signed with this key, or was changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not belong to this body and key")]
pub struct SignatureRefused;

/// Makes sure that the body was signed with the key. It takes as long whether the first or the last byte of
/// the signature is wrong.
pub fn verify(key: &SecretString, body: &[u8], signature: &str) -> Result<(), SignatureRefused> {
    let signature = HEXLOWER_PERMISSIVE
        .decode(signature.as_bytes())
        .map_err(|_| SignatureRefused)?;
    mac(key, body)?
        .verify_slice(&signature)
        .map_err(|_| SignatureRefused)
}

/// The signature as WAHA writes it.
pub fn sign(key: &SecretString, body: &[u8]) -> Result<String, SignatureRefused> {
    Ok(HEXLOWER.encode(&mac(key, body)?.finalize().into_bytes()))
}

fn mac(key: &SecretString, body: &[u8]) -> Result<Hmac<Sha512>, SignatureRefused> {
    // HMAC takes keys of any length, so this refuses none.
    let mut mac =
        Hmac::<Sha512>::new_from_slice(key.expose_secret().as_bytes()).map_err(|_| SignatureRefused)?;
    mac.update(body);
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SecretString {
        "key".into()
    }

    /// The HMAC-SHA512 example that every reference lists for this key and text.
    const BODY: &[u8] = b"The quick brown fox jumps over the lazy dog";
    const SIGNATURE: &str = "b42af09057bac1e2d41708e48a902e09b5ff7f12ab428a4fe86653c73dd248fb\
                             82f948a549f7b791a5b41915ee4d1ec3935357e4e2317250d0372afa2ebeeb3a";

    #[test]
    fn the_known_signature_is_made_and_accepted() {
        assert_eq!(sign(&key(), BODY).unwrap(), SIGNATURE);
        assert_eq!(verify(&key(), BODY, SIGNATURE), Ok(()));
        assert_eq!(verify(&key(), BODY, &SIGNATURE.to_uppercase()), Ok(()));
    }

    #[test]
    fn anything_else_is_refused() {
        let refused = |key: &str, body: &[u8], signature: &str| {
            assert_eq!(
                verify(&key.into(), body, signature),
                Err(SignatureRefused),
                "{signature}"
            );
        };
        refused("other", BODY, SIGNATURE);
        refused("key", b"The quick brown fox jumps over the lazy cog", SIGNATURE);
        refused("key", &BODY[1..], SIGNATURE);
        for changed in [
            "",
            "00",
            &SIGNATURE[..126],
            &format!("{SIGNATURE}00"),
            &format!(" {SIGNATURE}"),
            &format!("sha512={SIGNATURE}"),
            &SIGNATURE.replacen('b', "c", 1),
            &"zz".repeat(64),
        ] {
            refused("key", BODY, changed);
        }
    }
}
