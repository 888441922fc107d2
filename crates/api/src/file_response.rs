//! A file as an answer: whole or in part, and so that no browser takes it for a page of ours.

use std::ops::Range;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use wahana_domain::{ErrorCode, MediaFile};
use wahana_service::{
    Services,
    media::{self, MessageMedia},
};

use crate::error::ApiError;

/// Nothing in a file runs, loads anything or is of our origin. Pictures, films and sound show themselves.
const POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; \
     frame-ancestors 'none'",
);
/// For the caller alone, who asks each time whether it is still theirs to see.
const CACHING: HeaderValue = HeaderValue::from_static("private, no-cache");
const VARY: HeaderValue = HeaderValue::from_static("Authorization, Cookie, X-Organization-Id");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");

/// What browsers show without running anything of it, with the ends of names for those that have none.
const SHOWN: [(&str, &str); 14] = [
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
    ("audio/ogg", "ogg"),
    ("audio/opus", "opus"),
    ("audio/mpeg", "mp3"),
    ("audio/mp4", "m4a"),
    ("audio/aac", "aac"),
    ("audio/wav", "wav"),
    ("video/mp4", "mp4"),
    ("video/webm", "webm"),
    ("video/3gpp", "3gp"),
    ("video/quicktime", "mov"),
];
/// What is saved, with the ends of names.
const SAVED: [(&str, &str); 3] = [
    ("application/pdf", "pdf"),
    ("text/plain", "txt"),
    ("application/zip", "zip"),
];

/// What stays readable in a name (RFC 8187).
const NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A file, or as much of it as the request wants.
pub(crate) async fn file_response(
    services: &Services,
    media: &MessageMedia,
    request: &HeaderMap,
) -> Result<Response, ApiError> {
    let size = media.stored.size;
    let tag = format!("\"{}\"", media.stored.sha256);
    let mut response = Response::new(Body::empty());
    set_headers(response.headers_mut(), &media.file, &tag)?;
    if is_known(request, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let range = match wanted_range(request, &tag, size) {
        Wanted::Whole => None,
        Wanted::Part(range) => Some(range),
        Wanted::Impossible => {
            let error = ApiError::new(
                ErrorCode::RangeNotSatisfiable,
                format!("The file has {size} bytes, and none where the range begins."),
            );
            let mut refusal = error.into_response();
            let all = value(format!("bytes */{size}"))?;
            refusal.headers_mut().insert(header::CONTENT_RANGE, all);
            return Ok(refusal);
        }
    };
    let length = range.as_ref().map_or(size, |range| range.end - range.start);
    if let Some(range) = &range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let part = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        response.headers_mut().insert(header::CONTENT_RANGE, value(part)?);
    }
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length.into());
    let bytes = media::open(services, &media.stored, range).await?;
    *response.body_mut() = Body::from_stream(bytes);
    Ok(response)
}

fn set_headers(headers: &mut HeaderMap, file: &MediaFile, tag: &str) -> Result<(), ApiError> {
    headers.insert(header::CONTENT_TYPE, value(file.media_type.as_str().to_owned())?);
    headers.insert(header::CONTENT_DISPOSITION, value(disposition(file))?);
    headers.insert(header::ETAG, value(tag.to_owned())?);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::CACHE_CONTROL, CACHING);
    headers.insert(header::VARY, VARY);
    headers.insert(header::ACCEPT_RANGES, BYTES);
    Ok(())
}

fn value(text: String) -> Result<HeaderValue, ApiError> {
    HeaderValue::try_from(text).map_err(|error| ApiError::internal(format!("a header of a file: {error}")))
}

/// Whether a browser shows it or saves it, and under which name.
fn disposition(file: &MediaFile) -> String {
    let media_type = file.media_type.as_str();
    let end_in = |types: &[(&'static str, &'static str)]| {
        let found = types.iter().find(|(name, _)| *name == media_type);
        found.map(|(_, end)| *end)
    };
    let (kind, end) = match end_in(&SHOWN) {
        Some(end) => ("inline", Some(end)),
        None => ("attachment", end_in(&SAVED)),
    };
    let name = file.name.as_ref().map_or_else(
        || {
            let id = file.id;
            end.map_or_else(|| id.to_string(), |end| format!("{id}.{end}"))
        },
        |name| name.as_str().to_owned(),
    );
    // Old clients read the first name, and only letters and digits in it are safe from all of them.
    let plain: String = name
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => c,
            _ => '_',
        })
        .collect();
    let encoded = utf8_percent_encode(&name, NAME);
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// Whether the caller has it already.
fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let tags = request.get_all(header::IF_NONE_MATCH).iter();
    tags.filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*")
}

/// What is wanted of a file.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Range<u64>),
    /// A part behind its end.
    Impossible,
}

/// Which part the request wants. Several at once, and what is no range, are answered with the whole, as RFC 9110
/// allows; and so is who has a part of something else.
fn wanted_range(request: &HeaderMap, tag: &str, size: u64) -> Wanted {
    let text = |name| request.get(name).and_then(|value| value.to_str().ok());
    let has_part_of_another = request.contains_key(header::IF_RANGE) && text(header::IF_RANGE) != Some(tag);
    let range = text(header::RANGE).filter(|_| !has_part_of_another);
    let Some((first, last)) = range
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Wanted::Whole;
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // More digits than fit are more bytes than there are.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(length)) if first.is_empty() => size.saturating_sub(length)..size,
        _ => return Wanted::Whole,
    };
    if range.is_empty() {
        Wanted::Impossible
    } else {
        Wanted::Part(range)
    }
}

#[cfg(test)]
mod tests {
    use wahana_domain::{FileName, MediaFileId, MediaState, MediaType, OrganizationId, Timestamp};

    use super::*;

    const TAG: &str = "\"tag\"";

    fn request(headers: &[(header::HeaderName, &str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn ranges_are_read_as_rfc_9110_has_them() {
        for (range, wanted) in [
            ("bytes=0-", Wanted::Part(0..10)),
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=3-5", Wanted::Part(3..6)),
            ("bytes=9-", Wanted::Part(9..10)),
            ("bytes=3-99999999999999999999999", Wanted::Part(3..10)),
            ("bytes=-4", Wanted::Part(6..10)),
            ("bytes=-40", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::Impossible),
            ("bytes=10-11", Wanted::Impossible),
            ("bytes=99999999999999999999999-", Wanted::Impossible),
            ("bytes=-0", Wanted::Impossible),
            ("bytes=5-3", Wanted::Whole),
            ("bytes=0-1,4-5", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            let request = request(&[(header::RANGE, range)]);
            assert_eq!(wanted_range(&request, TAG, 10), wanted, "{range}");
        }
        let empty = |range| wanted_range(&request(&[(header::RANGE, range)]), TAG, 0);
        assert_eq!(empty("bytes=0-"), Wanted::Impossible);
        assert_eq!(empty("bytes=-1"), Wanted::Impossible);
    }

    #[test]
    fn a_part_of_another_file_is_not_completed_with_this_one() {
        for (has, wanted) in [
            (TAG, Wanted::Part(1..2)),
            ("\"other\"", Wanted::Whole),
            ("W/\"tag\"", Wanted::Whole),
        ] {
            let request = request(&[(header::RANGE, "bytes=1-1"), (header::IF_RANGE, has)]);
            assert_eq!(wanted_range(&request, TAG, 10), wanted, "{has}");
        }
    }

    #[test]
    fn who_has_it_is_told_so() {
        for (has, is) in [
            (TAG, true),
            ("W/\"tag\"", true),
            ("\"other\", \"tag\"", true),
            ("*", true),
            ("\"other\"", false),
            ("tag", false),
        ] {
            assert_eq!(
                is_known(&request(&[(header::IF_NONE_MATCH, has)]), TAG),
                is,
                "{has}"
            );
        }
    }

    fn file(media_type: &str, name: Option<&str>) -> MediaFile {
        MediaFile {
            id: MediaFileId::new(),
            organization_id: OrganizationId::new(),
            message_id: None,
            state: MediaState::Stored,
            stored: None,
            source: None,
            media_type: MediaType::parse(media_type).unwrap(),
            name: name.and_then(FileName::sanitize),
            created_at: Timestamp::from_seconds(0),
            expires_at: None,
        }
    }

    #[test]
    fn only_what_cannot_run_is_shown() {
        for media_type in ["image/jpeg", "video/mp4", "audio/ogg"] {
            assert!(
                disposition(&file(media_type, None)).starts_with("inline; "),
                "{media_type}"
            );
        }
        for media_type in [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "application/pdf",
            "text/xml",
            "application/octet-stream",
        ] {
            assert!(
                disposition(&file(media_type, None)).starts_with("attachment; "),
                "{media_type}"
            );
        }
    }

    #[test]
    fn a_name_breaks_no_header_and_comes_back_whole() {
        let named = |name| disposition(&file("application/pdf", Some(name)));
        assert_eq!(
            named("offer 1.pdf"),
            "attachment; filename=\"offer_1.pdf\"; filename*=UTF-8''offer%201.pdf"
        );
        assert_eq!(
            named("über\"; x=\r\n.pdf"),
            "attachment; filename=\"_ber___x_.pdf\"; filename*=UTF-8''%C3%BCber%22%3B%20x%3D.pdf"
        );
        let unnamed = file("image/jpeg", None);
        assert_eq!(
            disposition(&unnamed),
            format!(
                "inline; filename=\"{0}.jpg\"; filename*=UTF-8''{0}.jpg",
                unnamed.id
            )
        );
    }
}
