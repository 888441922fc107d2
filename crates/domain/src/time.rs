//! Time: microseconds since 1970 in UTC, from a clock that tests can set.

use std::{
    fmt,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A moment in UTC, in whole microseconds: the finest both databases keep, so what is read back
/// equals what was written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not a time of RFC 3339.
#[derive(Debug, thiserror::Error)]
#[error("must be a time such as 2026-01-31T12:00:00Z (RFC 3339)")]
pub struct InvalidTimestamp;

/// The length of `2026-01-31T12:00:00.000000Z`.
const TEXT_LENGTH: usize = 27;
const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl Timestamp {
    /// From microseconds since 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since 1970, as WAHA writes the times of messages.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// Reads a time of RFC 3339 with any offset.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTimestamp)?;
        Ok(Self(time.timestamp_micros()))
    }

    /// How much later this is than `earlier`; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment and `duration` more.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// This moment less `duration`.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// Writes RFC 3339 by hand: a list of a hundred sessions has five hundred times in it, and a
    /// general formatter took most of the request. `None` outside the years 0 to 9999.
    fn write(self, text: &mut [u8; TEXT_LENGTH]) -> Option<()> {
        let seconds = self.as_seconds();
        let (year, month, day) = civil_date(seconds.div_euclid(SECONDS_PER_DAY));
        let second_of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        if !(0..=9999).contains(&year) {
            return None;
        }
        text.copy_from_slice(b"0000-00-00T00:00:00.000000Z");
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], second_of_day / 3600);
        digits(&mut text[14..16], second_of_day / 60 % 60);
        digits(&mut text[17..19], second_of_day % 60);
        digits(&mut text[20..26], self.0.rem_euclid(MICROS_PER_SECOND));
        Some(())
    }

    fn with_text<R>(self, use_text: impl FnOnce(&str) -> R) -> R {
        let mut buffer = [0; TEXT_LENGTH];
        match self
            .write(&mut buffer)
            .and_then(|()| str::from_utf8(&buffer).ok())
        {
            Some(text) => use_text(text),
            None => use_text(
                &DateTime::<Utc>::from_timestamp_micros(self.0)
                    .unwrap_or(DateTime::<Utc>::MAX_UTC)
                    .to_rfc3339_opts(SecondsFormat::Micros, true),
            ),
        }
    }
}

/// Writes `number` right-aligned into `place`, which is long enough for it.
fn digits(place: &mut [u8], mut number: i64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
fn civil_date(day: i64) -> (i64, i64, i64) {
    // Count from 0000-03-01, so that the leap day is the last of its year.
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let day_of_era = day.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_month)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// What time it is. Passed to whoever needs it, so that tests decide.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the machine's clock is read"
    )]
    fn now(&self) -> Timestamp {
        Timestamp(Utc::now().timestamp_micros())
    }
}

/// A clock that stands still until it is told to move; for tests.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Moves the clock to `now`, which may lie in the past.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_equals_the_librarys(micros in -62_000_000_000_000_000i64..253_000_000_000_000_000) {
            let expected = DateTime::<Utc>::from_timestamp_micros(micros).unwrap()
                .to_rfc3339_opts(SecondsFormat::Micros, true);
            prop_assert_eq!(Timestamp(micros).to_string(), expected.clone());
            prop_assert_eq!(Timestamp::parse(&expected).unwrap(), Timestamp(micros));
        }
    }

    #[test]
    fn times_before_another_are_no_time_later() {
        let earlier = Timestamp::from_seconds(10);
        assert_eq!(earlier.since(Timestamp::from_seconds(20)), Duration::ZERO);
        assert_eq!(
            Timestamp::from_seconds(20).since(earlier),
            Duration::from_secs(10)
        );
    }

    #[test]
    fn a_time_with_an_offset_is_the_same_moment() {
        assert_eq!(
            Timestamp::parse("2026-01-31T19:00:00+07:00").unwrap(),
            Timestamp::parse("2026-01-31T12:00:00Z").unwrap()
        );
        assert!(Timestamp::parse("yesterday").is_err());
    }
}
