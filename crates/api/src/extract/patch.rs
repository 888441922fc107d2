//! Fields of a change: left out, null, or a value.

use serde::{Deserialize, Deserializer};

/// A field of a change. Use with `#[serde(default)]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Patch<T> {
    /// Left out: it stays.
    #[default]
    Absent,
    /// Null: it is taken away.
    Null,
    /// It becomes this.
    Value(T),
}

impl<T> Patch<T> {
    /// What becomes of the field: nothing, none, or what `check` makes of the value.
    #[expect(
        clippy::option_option,
        reason = "left out, taken away and given are three things"
    )]
    pub(crate) fn map<U>(self, check: impl FnOnce(T) -> Option<U>) -> Option<Option<U>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(check(value)),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}
