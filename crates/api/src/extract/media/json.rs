//! A file in JSON. The body is read whole, because it is one document, and its file is decoded from it piece by
//! piece.

use std::fmt;

use axum::{body::Body, extract::Request};
use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::{Stream, StreamExt as _, stream};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use wahana_domain::{ErrorCode, OrganizationId};

use super::timed::{timed, too_slow};
use crate::{
    body_memory::ReservedMemory,
    error::ApiError,
    extract::body::{announced_length, parse, too_large},
    state::ApiState,
};

/// A large JSON body that is still to be read.
pub(crate) struct UnreadJson {
    body: Body,
    announced: Option<usize>,
    limit: usize,
}

/// A large JSON body, and the memory that it takes.
pub(crate) struct LargeJson {
    bytes: Vec<u8>,
    _memory: ReservedMemory,
}

impl UnreadJson {
    pub(super) fn new(request: Request, limit: usize) -> Self {
        let announced = announced_length(request.headers());
        Self {
            announced: announced.and_then(|length| usize::try_from(length).ok()),
            body: request.into_body(),
            limit,
        }
    }

    /// Reads it, as soon as there is memory for it.
    pub(crate) async fn read(
        self,
        state: &ApiState,
        organization: OrganizationId,
    ) -> Result<LargeJson, ApiError> {
        // Nobody knows how long it is that does not say it.
        let size = self.announced.unwrap_or(self.limit);
        let memory = state.body_memory().reserve(organization, size).await?;
        let mut bytes = Vec::with_capacity(self.announced.unwrap_or_default());
        let mut pieces = timed(self.body, state.settings().uploads).into_data_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| {
                too_slow(&error).unwrap_or_else(|| {
                    ApiError::new(ErrorCode::BadRequest, "The body broke off before its end.")
                })
            })?;
            if bytes.len() + piece.len() > self.limit {
                return Err(too_large(self.limit));
            }
            bytes.extend_from_slice(&piece);
        }
        unescape_base64(&mut bytes);
        Ok(LargeJson {
            bytes,
            _memory: memory,
        })
    }
}

impl LargeJson {
    pub(crate) fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ApiError> {
        parse(&self.bytes)
    }
}

/// Writes characters of base64 that are escaped (`\/`, `\u002b`) as themselves. Some clients escape them, and a text
/// with escapes would have to be kept a second time.
fn unescape_base64(json: &mut Vec<u8>) {
    let Some(first) = json.iter().position(|byte| *byte == b'\\') else {
        return;
    };
    let (mut from, mut to) = (first, first);
    while let Some(byte) = json.get(from).copied() {
        let is_escape = byte == b'\\';
        let unescaped = is_escape.then(|| escaped_base64(&json[from..])).flatten();
        let (byte, length) = unescaped.unwrap_or((byte, 1));
        json[to] = byte;
        (from, to) = (from + length, to + 1);
        // What is escaped otherwise does not escape what follows it.
        if is_escape
            && unescaped.is_none()
            && let Some(escaped) = json.get(from).copied()
        {
            json[to] = escaped;
            (from, to) = (from + 1, to + 1);
        }
    }
    json.truncate(to);
}

/// A character of base64 with which an escape begins, and how long the escape is.
fn escaped_base64(json: &[u8]) -> Option<(u8, usize)> {
    match json {
        [b'\\', b'/', ..] => Some((b'/', 2)),
        [b'\\', b'u', b'0', b'0', high, low, ..] => {
            let digits = [*high, *low];
            let character = u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?;
            let is_base64 = character.is_ascii_alphanumeric() || b"+/=".contains(&character);
            is_base64.then_some((character, 6))
        }
        _ => None,
    }
}

/// Bytes that are written in base64 in a JSON body.
pub(crate) struct Base64<'a>(&'a str);

/// What is wrong with what is no base64.
#[derive(Debug, thiserror::Error)]
#[error("must be a file in base64, with padding")]
pub(crate) struct NotBase64;

/// How many characters are decoded at a time: whole groups of four.
const PIECE: usize = 64 * 1024;

impl<'a> Base64<'a> {
    /// The bytes, piece by piece.
    pub(crate) fn decode(self) -> impl Stream<Item = Result<Bytes, NotBase64>> + Send + Unpin + 'a {
        let pieces = self.0.as_bytes().chunks(PIECE);
        stream::iter(pieces.map(|piece| match BASE64.decode(piece) {
            Ok(bytes) => Ok(Bytes::from(bytes)),
            Err(_) => Err(NotBase64),
        }))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Base64<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Base64Visitor)
    }
}

struct Base64Visitor;

impl<'de> Visitor<'de> for Base64Visitor {
    type Value = Base64<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a file in base64")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Base64<'de>, E> {
        Ok(Base64(text))
    }

    /// With an escape in it that is none of base64's.
    fn visit_str<E: Error>(self, _: &str) -> Result<Base64<'de>, E> {
        Err(E::custom(NotBase64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_base64_is_written_as_itself_and_everything_else_stays() {
        for (escaped, plain) in [
            (r#"{"data": "ab+/cd=="}"#, r#"{"data": "ab+/cd=="}"#),
            (r#"{"data": "ab\/cd"}"#, r#"{"data": "ab/cd"}"#),
            (r#""\u002B\u002b\/\u003d\u0041""#, r#""++/=A""#),
            (r#""a\nb\"c\\/d\\\/e""#, r#""a\nb\"c\\/d\\/e""#),
            (
                r#""\\u0041\u00e4\u0022\u005c\u4141""#,
                r#""\\u0041\u00e4\u0022\u005c\u4141""#,
            ),
            (r#""\u00+1\u00""#, r#""\u00+1\u00""#),
            (r"\", r"\"),
            (r"\u00", r"\u00"),
            ("", ""),
        ] {
            let mut json = escaped.as_bytes().to_vec();
            unescape_base64(&mut json);
            assert_eq!(String::from_utf8(json).unwrap(), plain, "{escaped}");
        }
    }

    #[test]
    fn what_json_means_stays_the_same() {
        for text in ["\"\\ /\u{1}\n", "+/=A\\u0041", "C:\\temp\\u", "ü\u{1f600}\\\\/"] {
            let slashes = serde_json::to_string(text).unwrap().replace('/', "\\/");
            let mut json = slashes.into_bytes();
            unescape_base64(&mut json);
            assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
        }
    }
}
