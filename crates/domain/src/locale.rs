//! Country, time zone and language of an organization.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

use crate::words::words;

/// A country, by its two letters (ISO 3166-1), for numbers that are written without a country code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Country(phonenumber::country::Id);

/// A time zone, by its IANA name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TimeZone(chrono_tz::Tz);

/// A language that wahana speaks to people, written as its code (ISO 639-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Bahasa Indonesia.
    Indonesian,
}

/// The text names no country, time zone or language that is known here.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocale {
    /// Not a country.
    #[error("must be the two letters of a country, such as ID")]
    Country,
    /// Not a time zone.
    #[error("must be a time zone such as Asia/Jakarta or UTC")]
    TimeZone,
    /// Not a language.
    #[error("must be one of en, id")]
    Language,
}

impl Country {
    pub(crate) const fn id(self) -> phonenumber::country::Id {
        self.0
    }
}

impl FromStr for Country {
    type Err = InvalidLocale;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_ascii_uppercase()
            .parse()
            .map(Self)
            .map_err(|_| InvalidLocale::Country)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref())
    }
}

impl TimeZone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(chrono_tz::UTC);
}

impl FromStr for TimeZone {
    type Err = InvalidLocale;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| InvalidLocale::TimeZone)
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

words!(Language {
    English => "en",
    Indonesian => "id",
});

impl FromStr for Language {
    type Err = InvalidLocale;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_word(text).ok_or(InvalidLocale::Language)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+};
}
as_text!(Country, TimeZone, Language);

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!("id".parse::<Country>().unwrap().to_string(), "ID");
        assert_eq!(
            "Asia/Jakarta".parse::<TimeZone>().unwrap().to_string(),
            "Asia/Jakarta"
        );
        assert_eq!("id".parse::<Language>().unwrap(), Language::Indonesian);
        assert_eq!(
            TimeZone::UTC.to_string().parse::<TimeZone>().unwrap(),
            TimeZone::UTC
        );
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        assert_eq!("XX".parse::<Country>(), Err(InvalidLocale::Country));
        assert_eq!("Mars/Olympus".parse::<TimeZone>(), Err(InvalidLocale::TimeZone));
        assert_eq!("fr".parse::<Language>(), Err(InvalidLocale::Language));
    }
}
