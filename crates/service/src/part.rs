//! Lists that WAHA keeps: it takes a limit and an offset, and knows no totals.

use waha_client::Page;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartQuery {
    /// At most this many.
    pub limit: u32,
    /// After leaving out this many.
    pub offset: u32,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<T> {
    /// What is in it.
    pub items: Vec<T>,
    /// How many to leave out to get the next part; `None` at the end.
    pub next_offset: Option<u32>,
}

impl PartQuery {
    /// How many to ask WAHA for: one more than wanted shows whether there are more.
    pub(crate) const fn limit_to_ask(self) -> u32 {
        self.limit.saturating_add(1)
    }

    /// The part as WAHA wants it named.
    pub(crate) const fn to_page(self) -> Page {
        Page {
            limit: Some(self.limit_to_ask()),
            offset: Some(self.offset),
        }
    }

    /// The part that is wanted of what WAHA gave.
    pub(crate) fn part<W, T>(self, given: Vec<W>, shape: impl FnMut(W) -> T) -> Part<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = given.len() > limit;
        Part {
            items: given.into_iter().take(limit).map(shape).collect(),
            next_offset: has_more.then(|| self.offset.saturating_add(self.limit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_wanted_shows_that_there_are_more() {
        let query = PartQuery { limit: 2, offset: 4 };
        assert_eq!(query.to_page().limit, Some(3));
        let more = query.part(vec![1, 2, 3], |n| n * 10);
        assert_eq!((more.items, more.next_offset), (vec![10, 20], Some(6)));
        let last = query.part(vec![1, 2], |n| n);
        assert_eq!((last.items, last.next_offset), (vec![1, 2], None));
    }
}
