//! Cursors: where the next part of a list begins, as a text that callers only give back.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use wahana_domain::Timestamp;
use wahana_service::{FieldErrors, audit, messages};

/// The `meta` of a list that has a cursor.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NextCursor {
    /// What to give as `cursor` for the next part; null at the end.
    next_cursor: Option<String>,
}

/// Where in a list that is sorted by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    at: Timestamp,
    id: Uuid,
}

impl From<audit::Position> for Place {
    fn from(position: audit::Position) -> Self {
        Self {
            at: position.created_at,
            id: position.id.as_uuid(),
        }
    }
}

impl From<Place> for audit::Position {
    fn from(place: Place) -> Self {
        Self {
            created_at: place.at,
            id: place.id.into(),
        }
    }
}

impl From<messages::HistoryPosition> for Place {
    fn from(position: messages::HistoryPosition) -> Self {
        Self {
            at: position.at,
            id: position.id.as_uuid(),
        }
    }
}

impl From<Place> for messages::HistoryPosition {
    fn from(place: Place) -> Self {
        Self {
            at: place.at,
            id: place.id.into(),
        }
    }
}

impl NextCursor {
    pub(crate) fn of(next: Option<impl Into<Place>>) -> Self {
        Self {
            next_cursor: next.map(|next| write(next.into())),
        }
    }

    /// Of a list that is in the order of its ids: behind the one with this id.
    pub(crate) fn after(next: Option<Uuid>) -> Self {
        Self {
            next_cursor: next.map(|id| BASE64URL_NOPAD.encode(id.as_bytes())),
        }
    }
}

/// The place that a request's cursor names. It says only where to begin, never in whose list.
pub(crate) fn position<P: From<Place>>(cursor: Option<String>, errors: &mut FieldErrors) -> Option<P> {
    cursor
        .and_then(|text| errors.take("cursor", parse(&text)))
        .map(P::from)
}

/// The id behind which a request's cursor begins, in a list that is in the order of its ids.
pub(crate) fn id_after(cursor: Option<String>, errors: &mut FieldErrors) -> Option<Uuid> {
    cursor.and_then(|text| {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).unwrap_or_default();
        errors.take("cursor", Uuid::from_slice(&bytes).map_err(|_| INVALID))
    })
}

const INVALID: &str = "must be the next_cursor of an earlier answer";

fn parse(text: &str) -> Result<Place, &'static str> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).unwrap_or_default();
    let parts = bytes.split_first_chunk::<8>();
    let parts = parts.and_then(|(at, id)| Some((at, Uuid::from_slice(id).ok()?)));
    let (at, id) = parts.ok_or(INVALID)?;
    Ok(Place {
        at: Timestamp::from_micros(i64::from_be_bytes(*at)),
        id,
    })
}

fn write(place: Place) -> String {
    let mut bytes = place.at.as_micros().to_be_bytes().to_vec();
    bytes.extend_from_slice(place.id.as_bytes());
    BASE64URL_NOPAD.encode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_again_and_nothing_else_is_one() {
        for micros in [0, -1, 1_790_000_000_000_000, i64::MAX] {
            let place = Place {
                at: Timestamp::from_micros(micros),
                id: Uuid::now_v7(),
            };
            assert_eq!(parse(&write(place)), Ok(place));
        }
        for text in ["", "1", "????", "AAAA", &"A".repeat(64)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
