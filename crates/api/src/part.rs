//! Lists that WAHA keeps: by limit and cursor, because WAHA knows no totals.

use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};
use wahana_domain::SessionId;
use wahana_service::{FieldErrors, Part, PartQuery};

use crate::{
    error::ApiError,
    extract::{Allowed, OfSession, within},
};

/// Which part of a list that WAHA keeps.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PartParams {
    /// At most how many.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// The `meta.next_cursor` of the part before, for the same list; the first part if left out.
    cursor: Option<String>,
}

/// What such a list says besides its part.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartMeta {
    /// Gives the next part; null at the end.
    next_cursor: Option<String>,
}

const DEFAULT_LIMIT: u64 = 20;
const MAX_LIMIT: u64 = 100;

/// The first byte of a cursor, so that another kind can follow.
const VERSION: u8 = 1;
const OFFSET_BYTES: usize = 4;
/// Enough to tell lists apart. It keeps nobody from making up an offset, which does no harm: the list
/// is the caller's own.
const MARK_BYTES: usize = 10;
const CURSOR_BYTES: usize = 1 + OFFSET_BYTES + MARK_BYTES;

/// Which list a cursor is for. It holds for no other session, list or filter.
#[derive(Clone, Debug)]
pub(crate) struct ListIdentity(Sha256);

impl ListIdentity {
    /// The list that an operation gives of a session.
    pub(crate) fn new(operation: &str, session: SessionId) -> Self {
        Self(Sha256::new())
            .filtered(Some(operation))
            .filtered(Some(&session.to_string()))
    }

    /// The same, filtered.
    pub(crate) fn filtered(mut self, filter: Option<&str>) -> Self {
        let length = filter.map_or(u64::MAX, |text| u64::try_from(text.len()).unwrap_or(u64::MAX));
        self.0.update(length.to_be_bytes());
        self.0.update(filter.unwrap_or_default());
        self
    }

    /// The part that a request wants.
    pub(crate) fn check(
        &self,
        limit: Option<i64>,
        cursor: Option<&str>,
        errors: &mut FieldErrors,
    ) -> Option<PartQuery> {
        let limit = errors.take("limit", within(limit, DEFAULT_LIMIT, MAX_LIMIT));
        let offset = match cursor {
            None => Some(0),
            Some(cursor) => errors.take(
                "cursor",
                self.read(cursor)
                    .ok_or("must be the next_cursor of a part of this very list"),
            ),
        };
        Some(PartQuery {
            limit: u32::try_from(limit?).ok()?,
            offset: offset?,
        })
    }

    /// The answer that gives a part, and what leads to the part after it.
    pub(crate) fn answer<P, W, T: Serialize>(
        &self,
        allowed: &Allowed<OfSession, P>,
        message: &str,
        part: Part<W>,
        shape: impl FnMut(W) -> T,
    ) -> Response {
        let meta = PartMeta {
            next_cursor: part.next_offset.map(|offset| self.write(offset)),
        };
        let resources: Vec<T> = part.items.into_iter().map(shape).collect();
        allowed.reply(message, resources).with_meta(meta).into_response()
    }

    fn write(&self, offset: u32) -> String {
        let mut bytes = Vec::with_capacity(CURSOR_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&offset.to_be_bytes());
        bytes.extend_from_slice(&self.mark(offset));
        BASE64URL_NOPAD.encode(&bytes)
    }

    fn read(&self, cursor: &str) -> Option<u32> {
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
        let bytes: [u8; CURSOR_BYTES] = bytes.try_into().ok()?;
        let (&version, rest) = bytes.split_first()?;
        let (offset, mark) = rest.split_first_chunk::<OFFSET_BYTES>()?;
        let offset = u32::from_be_bytes(*offset);
        (version == VERSION && mark == self.mark(offset).as_slice()).then_some(offset)
    }

    fn mark(&self, offset: u32) -> [u8; MARK_BYTES] {
        let digest = self.0.clone().chain_update(offset.to_be_bytes()).finalize();
        let mut mark = [0; MARK_BYTES];
        mark.copy_from_slice(&digest[..MARK_BYTES]);
        mark
    }
}

impl PartParams {
    /// Checks the parameters of a list that has no others.
    pub(crate) fn check(&self, list: &ListIdentity) -> Result<PartQuery, ApiError> {
        let mut errors = FieldErrors::default();
        let query = list.check(self.limit, self.cursor.as_deref(), &mut errors);
        Ok(errors.finish(query)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_holds_for_its_own_list_alone() {
        let session = SessionId::new();
        let list = ListIdentity::new("chats.list", session);
        let cursor = list.write(40);
        assert_eq!(list.read(&cursor), Some(40));
        for other in [
            ListIdentity::new("contacts.list", session),
            ListIdentity::new("chats.list", SessionId::new()),
            list.clone().filtered(None),
            list.clone().filtered(Some("")),
        ] {
            assert_eq!(other.read(&cursor), None);
        }
        assert_ne!(
            list.clone().filtered(Some("a")).filtered(Some("b")).write(1),
            list.clone().filtered(Some("ab")).filtered(Some("")).write(1)
        );
    }

    #[test]
    fn a_changed_cursor_is_none() {
        let list = ListIdentity::new("chats.list", SessionId::new());
        let cursor = list.write(40);
        for position in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(list.read(&changed), None, "{changed}");
        }
        for text in ["", "40", "!!!!", &cursor[1..], &format!("{cursor}AAAA"), "äöü"] {
            assert_eq!(list.read(text), None, "{text}");
        }
    }
}
