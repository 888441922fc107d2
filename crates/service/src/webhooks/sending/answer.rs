//! The beginning of what a receiver answers.

use wahana_domain::is_unprintable;

/// How much of an answer is read and kept, in bytes.
const MOST: usize = 4096;

/// The beginning of an answer.
#[derive(Default)]
pub(super) struct Beginning {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Beginning {
    /// Whether nothing more of the answer is wanted.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes.len() == MOST
    }

    /// Takes of what came next as much as is wanted.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        let wanted = chunk.len().min(MOST - self.bytes.len());
        self.is_cut |= wanted < chunk.len();
        self.bytes.extend_from_slice(&chunk[..wanted]);
    }
}

/// A text that can be shown anywhere: whatever is no text is replaced, line breaks and the like become spaces, and
/// what cannot be printed is taken out.
pub(super) fn cleaned(answer: &Beginning) -> String {
    let text = String::from_utf8_lossy(&answer.bytes);
    let text = match text.strip_suffix(char::REPLACEMENT_CHARACTER) {
        // The character that was cut in two.
        Some(whole) if answer.is_cut => whole,
        _ => &text,
    };
    let mut cleaned: String = text
        .chars()
        .map(|character| match character {
            '\n' | '\r' | '\t' => ' ',
            other => other,
        })
        .filter(|character| !is_unprintable(*character))
        .collect();
    // What replaces a broken byte is longer than that.
    cleaned.truncate(cleaned.floor_char_boundary(MOST));
    cleaned.truncate(cleaned.trim_end().len());
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(chunks: &[&[u8]]) -> String {
        let mut answer = Beginning::default();
        for chunk in chunks {
            answer.push(chunk);
        }
        cleaned(&answer)
    }

    #[test]
    fn what_cannot_be_printed_is_taken_out() {
        let answer = "a\0b\u{1b}[31m\r\nc\td\u{202e}e\u{85}\u{feff}\u{2028}f\n";
        assert_eq!(kept(&[answer.as_bytes()]), "ab[31m  c def");
        assert_eq!(kept(&[b"\xff\xfea"]), "\u{fffd}\u{fffd}a");
        assert_eq!(kept(&[]), "");
    }

    #[test]
    fn four_kilobytes_are_kept_and_no_half_character() {
        assert_eq!(kept(&[&[b'x'; 4000], &[b'y'; 4000]]).len(), MOST);
        let euros = "€".repeat(MOST);
        assert_eq!(kept(&[euros.as_bytes()]), "€".repeat(MOST / 3));
        let broken = kept(&[&[0xff; MOST]]);
        assert!(broken.len() <= MOST && broken.chars().all(|c| c == char::REPLACEMENT_CHARACTER));
    }
}
