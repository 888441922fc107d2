//! Cursors: where the next part of a list begins, as a text that callers only give back.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use wahana_domain::Timestamp;
use wahana_service::{FieldErrors, audit::Position};

/// The `meta` of a list that has a cursor.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NextCursor {
    /// What to give as `cursor` for the next part; null at the end.
    next_cursor: Option<String>,
}

impl NextCursor {
    pub(crate) fn of(next: Option<Position>) -> Self {
        Self {
            next_cursor: next.map(write),
        }
    }
}

/// The place that a request's cursor names. It says only where to begin, never in whose list.
pub(crate) fn position(cursor: Option<String>, errors: &mut FieldErrors) -> Option<Position> {
    cursor.and_then(|text| errors.take("cursor", parse(&text)))
}

fn parse(text: &str) -> Result<Position, &'static str> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).unwrap_or_default();
    let parts = bytes.split_first_chunk::<8>();
    let parts = parts.and_then(|(at, id)| Some((at, Uuid::from_slice(id).ok()?)));
    let (at, id) = parts.ok_or("must be the next_cursor of an earlier answer")?;
    Ok(Position {
        created_at: Timestamp::from_micros(i64::from_be_bytes(*at)),
        id: id.into(),
    })
}

fn write(position: Position) -> String {
    let mut bytes = position.created_at.as_micros().to_be_bytes().to_vec();
    bytes.extend_from_slice(position.id.as_uuid().as_bytes());
    BASE64URL_NOPAD.encode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_again_and_nothing_else_is_one() {
        for micros in [0, -1, 1_790_000_000_000_000, i64::MAX] {
            let position = Position {
                created_at: Timestamp::from_micros(micros),
                id: Uuid::now_v7().into(),
            };
            assert_eq!(parse(&write(position)), Ok(position));
        }
        for text in ["", "1", "????", "AAAA", &"A".repeat(64)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
