//! Texts.

/// How many bytes are looked at together.
const WORD: usize = size_of::<u64>();
/// A word of ones, a word of the highest bits, to do the same to each byte of a word.
const ONES: u64 = u64::from_ne_bytes([1; WORD]);
const HIGHEST: u64 = u64::from_ne_bytes([0x80; WORD]);
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes a text in quotation marks.
#[inline]
pub(super) fn write(output: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    output.push(b'"');
    if needs_escape(bytes) {
        write_escaped(output, bytes);
    } else {
        output.extend_from_slice(bytes);
    }
    output.push(b'"');
}

const fn is_special(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// Whether there is a byte that must be escaped. What does not fill a word at the end is looked at together
/// with bytes before it.
fn needs_escape(bytes: &[u8]) -> bool {
    let (words, _) = bytes.as_chunks::<WORD>();
    match bytes.last_chunk::<WORD>() {
        Some(last) => words.iter().any(|word| has_special(*word)) || has_special(*last),
        None => bytes.iter().any(|byte| is_special(*byte)),
    }
}

/// The same as [`is_special`], of any of them. A byte is below a bound if subtracting that from it borrows,
/// which its highest bit tells unless it was set before; a wrong borrow comes only from a byte that is below
/// itself.
const fn has_special(bytes: [u8; WORD]) -> bool {
    let word = u64::from_ne_bytes(bytes);
    let quotes = word ^ (ONES * b'"' as u64);
    let backslashes = word ^ (ONES * b'\\' as u64);
    let controls = word.wrapping_sub(ONES * b' ' as u64) & !word;
    let quotes = quotes.wrapping_sub(ONES) & !quotes;
    let backslashes = backslashes.wrapping_sub(ONES) & !backslashes;
    (controls | quotes | backslashes) & HIGHEST != 0
}

fn write_escaped(output: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'"' => output.extend_from_slice(b"\\\""),
            b'\\' => output.extend_from_slice(b"\\\\"),
            b'\n' => output.extend_from_slice(b"\\n"),
            b'\r' => output.extend_from_slice(b"\\r"),
            b'\t' => output.extend_from_slice(b"\\t"),
            0x08 => output.extend_from_slice(b"\\b"),
            0x0c => output.extend_from_slice(b"\\f"),
            0..b' ' => {
                output.extend_from_slice(b"\\u00");
                output.push(HEX[usize::from(byte >> 4)]);
                output.push(HEX[usize::from(byte & 0xf)]);
            }
            _ => output.push(byte),
        }
    }
}
