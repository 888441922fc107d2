//! Identifiers as WAHA writes them, all drawn from the simulator's seeded generator.

use rand::{RngExt, rngs::StdRng};

const CROCKFORD: &[u8] = b"0123456789abcdefghjkmnpqrstvwxyz";
const BASE36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const HEX: &[u8] = b"0123456789ABCDEF";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn draw(rng: &mut StdRng, alphabet: &[u8], length: usize) -> String {
    (0..length)
        .map(|_| char::from(alphabet[rng.random_range(0..alphabet.len())]))
        .collect()
}

/// A ULID in WAHA's lower case: ten characters of time, sixteen of chance.
pub(crate) fn ulid(rng: &mut StdRng, now_ms: u64) -> String {
    let time: String = (0..10u32)
        .rev()
        .map(|place| char::from(CROCKFORD[usize::try_from((now_ms >> (5 * place)) & 31).unwrap_or_default()]))
        .collect();
    time + &draw(rng, CROCKFORD, 16)
}

/// The id of a message that leaves this phone.
pub(crate) fn outgoing_message(rng: &mut StdRng) -> String {
    format!("3EB0{}", draw(rng, HEX, 18))
}

/// The id of a message from somebody else's phone.
pub(crate) fn incoming_message(rng: &mut StdRng) -> String {
    format!("3A{}", draw(rng, HEX, 18))
}

/// What is inside the QR code.
pub(crate) fn qr(rng: &mut StdRng) -> String {
    format!(
        "2@{},{},{},1",
        draw(rng, HEX, 40),
        draw(rng, HEX, 32),
        draw(rng, HEX, 32)
    )
}

/// A code to type into the phone instead of scanning.
pub(crate) fn pairing_code(rng: &mut StdRng) -> String {
    format!("{}-{}", draw(rng, LETTERS, 4), draw(rng, LETTERS, 4))
}

/// `X-Webhook-Request-Id`.
pub(crate) fn webhook_request(rng: &mut StdRng) -> String {
    format!("3b2ozl{}", draw(rng, BASE36, 11))
}

/// The secret part of a session key.
pub(crate) fn key_secret(rng: &mut StdRng) -> String {
    format!("key_{}", draw(rng, ALPHANUMERIC, 32))
}

/// The digits of a passkey confirmation.
pub(crate) fn passkey_code(rng: &mut StdRng) -> String {
    draw(rng, b"0123456789", 4)
}

/// A passkey's challenge: base64url without padding.
pub(crate) fn passkey_challenge(rng: &mut StdRng) -> String {
    draw(rng, ALPHANUMERIC, 43)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (mut a, mut b) = (StdRng::seed_from_u64(7), StdRng::seed_from_u64(7));
        assert_eq!(ulid(&mut a, 1_795_412_416_859), ulid(&mut b, 1_795_412_416_859));
        assert_eq!(outgoing_message(&mut a), outgoing_message(&mut b));
    }

    #[test]
    fn the_time_part_of_a_ulid_is_the_one_waha_wrote_for_that_time() {
        let mut rng = StdRng::seed_from_u64(1);
        assert_eq!(&ulid(&mut rng, 1_795_412_442_056)[..10], "01m83eqey8");
    }
}
