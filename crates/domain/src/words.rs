//! Enums that are written and stored as words.

/// Gives each variant of an enum its word. One without a word does not compile, and none can be missing
/// from `ALL`.
macro_rules! words {
    ($name:ident { $($variant:ident => $word:literal,)+ }) => {
        impl $name {
            /// Every one, in the order in which they are defined.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// The word as it is written and stored.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The one with this word; `None` if there is no such.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.as_str() == word)
            }
        }
    };
}
pub(crate) use words;
