//! Files that are sent: what they are and what they are called.

use std::{fmt, str::FromStr};

use crate::{MessageKind, text::is_unprintable};

/// What a file is, such as `image/png`: in lower case and without parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType(String);

/// The text is no media type.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a media type such as image/png")]
pub struct InvalidMediaType;

/// The longest media type: 127 characters on each side of the slash (RFC 6838).
const MAX_TYPE: usize = 255;

impl MediaType {
    /// Reads a media type; its parameters are left out.
    pub fn parse(text: &str) -> Result<Self, InvalidMediaType> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        let (kind, subtype) = essence.split_once('/').ok_or(InvalidMediaType)?;
        let is_token = |part: &str| !part.is_empty() && part.bytes().all(is_token_character);
        if essence.len() > MAX_TYPE || !is_token(kind) || !is_token(subtype) {
            return Err(InvalidMediaType);
        }
        Ok(Self(essence.to_ascii_lowercase()))
    }

    /// What a file is that nobody says anything about.
    #[must_use]
    pub fn unknown() -> Self {
        Self("application/octet-stream".to_owned())
    }

    /// As what a file of this type is sent. All sound is a voice message, because WAHA sends sound in
    /// no other way that can be played in the chat.
    #[must_use]
    pub fn message_kind(&self) -> MessageKind {
        match self.0.split_once('/').map(|(kind, _)| kind) {
            Some("image") => MessageKind::Image,
            Some("video") => MessageKind::Video,
            Some("audio") => MessageKind::Voice,
            _ => MessageKind::Document,
        }
    }

    /// Whether a film or a voice message of this type must be converted before WhatsApp plays it.
    #[must_use]
    pub fn needs_conversion(&self) -> bool {
        match self.message_kind() {
            MessageKind::Video => self.0 != "video/mp4",
            MessageKind::Voice => !matches!(self.0.as_str(), "audio/ogg" | "audio/opus"),
            _ => false,
        }
    }

    /// The type as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which media types are meant: one (`image/png`), all of a kind (`image/*`), or all (`*/*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaTypePattern(String);

/// The text names no media types.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be media types such as image/png, all of a kind (image/*), or all there are (*/*)")]
pub struct InvalidMediaTypePattern;

impl MediaTypePattern {
    /// All media types.
    #[must_use]
    pub fn all() -> Self {
        Self("*/*".to_owned())
    }

    /// Whether it means this type.
    #[must_use]
    pub fn matches(&self, media_type: &MediaType) -> bool {
        match self.0.strip_suffix("/*") {
            Some("*") => true,
            Some(kind) => media_type
                .0
                .split_once('/')
                .is_some_and(|(of_type, _)| of_type == kind),
            None => self.0 == media_type.0,
        }
    }
}

impl FromStr for MediaTypePattern {
    type Err = InvalidMediaTypePattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let MediaType(pattern) = MediaType::parse(text).map_err(|_| InvalidMediaTypePattern)?;
        let (kind, subtype) = pattern.split_once('/').ok_or(InvalidMediaTypePattern)?;
        // A star is a character that a type may have, too.
        let is_pattern = match (kind, subtype) {
            ("*", subtype) => subtype == "*",
            (kind, "*") => !kind.contains('*'),
            (kind, subtype) => !kind.contains('*') && !subtype.contains('*'),
        };
        if !is_pattern || text.contains(';') {
            return Err(InvalidMediaTypePattern);
        }
        Ok(Self(pattern))
    }
}

impl fmt::Display for MediaTypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What RFC 9110 allows in a token.
fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A file's name without folders, and without characters that cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// The longest name that file systems take.
    const MAX_CHARS: usize = 255;

    /// Makes a name of what somebody called a file; `None` if nothing of it can stay.
    #[must_use]
    pub fn sanitize(text: &str) -> Option<Self> {
        let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let shown: String = last.chars().filter(|c| !is_unprintable(*c)).collect();
        let name: String = shown.trim().chars().take(Self::MAX_CHARS).collect();
        let says_something = name.chars().any(|c| c != '.');
        says_something.then_some(Self(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_decides_as_what_a_file_is_sent() {
        for (text, kind, converts) in [
            ("image/PNG", MessageKind::Image, false),
            ("video/mp4", MessageKind::Video, false),
            ("video/quicktime", MessageKind::Video, true),
            ("audio/ogg; codecs=opus", MessageKind::Voice, false),
            ("audio/mpeg", MessageKind::Voice, true),
            ("application/pdf", MessageKind::Document, false),
            ("text/html; charset=utf-8", MessageKind::Document, false),
        ] {
            let media_type = MediaType::parse(text).unwrap();
            assert_eq!(media_type.message_kind(), kind, "{text}");
            assert_eq!(media_type.needs_conversion(), converts, "{text}");
        }
        assert_eq!(MediaType::parse("Image/PNG ; x=y").unwrap().as_str(), "image/png");
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in [
            "",
            "image",
            "image/",
            "/png",
            "image/p ng",
            "image/png/x",
            "image/p\r\nng",
            "ïmage/png",
        ] {
            assert_eq!(MediaType::parse(text), Err(InvalidMediaType), "{text:?}");
        }
        let long = format!("image/{}", "x".repeat(300));
        assert_eq!(MediaType::parse(&long), Err(InvalidMediaType));
    }

    #[test]
    fn patterns_mean_one_type_all_of_a_kind_or_all() {
        let png = MediaType::parse("image/png").unwrap();
        for (pattern, matches) in [
            ("*/*", true),
            ("image/*", true),
            (" Image/PNG", true),
            ("image/jpeg", false),
            ("video/*", false),
            ("imag/*", false),
            ("image/p", false),
        ] {
            let pattern: MediaTypePattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&png), matches, "{pattern}");
        }
        assert!(MediaTypePattern::all().matches(&MediaType::unknown()));
        for wrong in [
            "",
            "*",
            "image",
            "*/png",
            "im*/*",
            "image/p*",
            "image/*;q=1",
            "**/*",
        ] {
            let parsed: Result<MediaTypePattern, _> = wrong.parse();
            assert_eq!(parsed, Err(InvalidMediaTypePattern), "{wrong:?}");
        }
    }

    #[test]
    fn names_lose_folders_and_what_cannot_be_shown() {
        for (text, name) in [
            ("offer.pdf", Some("offer.pdf")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\temp\\offer.pdf", Some("offer.pdf")),
            (" a\r\nb\u{202E}c.pdf ", Some("abc.pdf")),
            ("..", None),
            ("folder/", None),
            ("", None),
        ] {
            assert_eq!(
                FileName::sanitize(text).as_ref().map(FileName::as_str),
                name,
                "{text:?}"
            );
        }
        let long = FileName::sanitize(&"ü".repeat(300)).unwrap();
        assert_eq!(long.as_str().chars().count(), 255);
    }
}
