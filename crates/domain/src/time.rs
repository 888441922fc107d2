//! Time: microseconds since 1970 in UTC, from a clock that tests can set.

use std::{
    fmt,
    sync::{
        LazyLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
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
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// How many days lie between 0000-03-01 and 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_468;
/// How many days lie between 0000-03-01 and 10000-01-01.
const DAYS_BEFORE_10000: i64 = 3_652_365;

impl Timestamp {
    /// How far ahead of a process's present another one may have written a time down: the clocks of several
    /// machines differ, but not by more.
    pub const REACH: Duration = Duration::from_mins(10);

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

    /// Whether this is too far ahead of `now` to have been the present of any process whose clock is right: it was
    /// written down before a clock was set back, and says nothing of what came first.
    #[must_use]
    pub fn is_out_of_reach(self, now: Self) -> bool {
        self.since(now) > Self::REACH
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
    /// general formatter took most of the request. `None` before March of the year 0 and after the year
    /// 9999.
    fn text(self) -> Option<[u8; TEXT_LENGTH]> {
        let day = self.0.div_euclid(MICROS_PER_DAY) + DAYS_BEFORE_1970;
        if !(0..DAYS_BEFORE_10000).contains(&day) {
            return None;
        }
        let (year, month, day) = civil_date(u32::try_from(day).ok()?);
        let micros = self.0.rem_euclid(MICROS_PER_DAY);
        let second = u32::try_from(micros / MICROS_PER_SECOND).ok()?;
        let micro = u32::try_from(micros % MICROS_PER_SECOND).ok()?;
        let ([y1, y2], [y3, y4]) = (digits(year / 100), digits(year));
        let ([mo1, mo2], [d1, d2]) = (digits(month), digits(day));
        let ([h1, h2], [mi1, mi2], [s1, s2]) = (
            digits(second / 3600),
            digits(second / 60 % 60),
            digits(second % 60),
        );
        let ([f1, f2], [f3, f4], [f5, f6]) = (digits(micro / 10_000), digits(micro / 100), digits(micro));
        Some([
            y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2, b'.',
            f1, f2, f3, f4, f5, f6, b'Z',
        ])
    }

    fn with_text<R>(self, use_text: impl FnOnce(&str) -> R) -> R {
        let text = self.text();
        match text.as_ref().and_then(|text| str::from_utf8(text).ok()) {
            Some(text) => use_text(text),
            None => use_text(
                &DateTime::<Utc>::from_timestamp_micros(self.0)
                    .unwrap_or(DateTime::<Utc>::MAX_UTC)
                    .to_rfc3339_opts(SecondsFormat::Micros, true),
            ),
        }
    }
}

/// The last two digits of a number.
const fn digits(number: u32) -> [u8; 2] {
    PAIRS_OF_DIGITS[(number % 100) as usize]
}

/// `00` to `99`.
#[expect(clippy::cast_possible_truncation, reason = "the numbers are below 100")]
const PAIRS_OF_DIGITS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < pairs.len() {
        pairs[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    pairs
};

/// A calendar month of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: u32,
    month: u32,
}

impl Month {
    /// The month in which a moment lies; of a moment before the year 0 the first month that there is.
    #[must_use]
    pub fn of(moment: Timestamp) -> Self {
        let (year, month, _) = civil_date(civil_day(moment));
        Self { year, month }
    }

    /// The month as it is stored: year and month in digits, such as 202601.
    #[must_use]
    pub fn as_number(self) -> i64 {
        i64::from(self.year) * 100 + i64::from(self.month)
    }

    /// How long it is from a moment in this month until the next month begins.
    #[must_use]
    pub fn left_at(self, moment: Timestamp) -> Duration {
        let day = civil_day(moment);
        // At most 31 days ahead is a day of another month.
        let next = (day..).take(32).find(|day| {
            let (year, month, _) = civil_date(*day);
            (year, month) > (self.year, self.month)
        });
        let next = i64::from(next.unwrap_or(day)) - DAYS_BEFORE_1970;
        Timestamp::from_micros(next * MICROS_PER_DAY).since(moment)
    }
}

/// The day of a moment, counted as [`civil_date`] does.
fn civil_day(moment: Timestamp) -> u32 {
    let day = moment.0.div_euclid(MICROS_PER_DAY) + DAYS_BEFORE_1970;
    // The range of a timestamp ends long before that of days does.
    u32::try_from(day.max(0)).unwrap_or(u32::MAX)
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// Year, month and day of a day counted from 0000-03-01, so that the leap day is the last of its year, in
/// the Gregorian calendar.
const fn civil_date(day: u32) -> (u32, u32, u32) {
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    if month_from_march < 10 {
        (year_of_era + era * 400, month_from_march + 3, day_of_month)
    } else {
        (year_of_era + era * 400 + 1, month_from_march - 9, day_of_month)
    }
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

    /// How much time has passed since some moment in the past, the same one for as long as the process
    /// runs. Setting the clock does not change it, so this is what to measure by.
    fn elapsed(&self) -> Duration {
        SINCE.elapsed()
    }
}

/// The moment from which the machine's clock measures.
static SINCE: LazyLock<Instant> = LazyLock::new(Instant::now);

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
pub struct ManualClock {
    now: AtomicI64,
    elapsed_micros: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self {
            now: AtomicI64::new(now.0),
            elapsed_micros: AtomicU64::new(0),
        }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        self.elapsed_micros.fetch_add(micros, Ordering::SeqCst);
        self.set(self.now().plus(by));
    }

    /// Sets the clock to `now`, which may lie in the past, without any time passing.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.elapsed_micros.load(Ordering::SeqCst))
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
    fn the_first_and_the_last_day_that_are_written_by_hand_are_those_of_the_calendar() {
        for text in [
            "0000-02-29T23:59:59.999999Z",
            "0000-03-01T00:00:00.000000Z",
            "1969-12-31T23:59:59.999999Z",
            "2024-02-29T12:34:56.789012Z",
            "9999-12-31T23:59:59.999999Z",
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        let after = DateTime::<Utc>::from_timestamp(253_402_300_800, 0).unwrap();
        assert_eq!(
            Timestamp::from_seconds(253_402_300_800).to_string(),
            after.to_rfc3339_opts(SecondsFormat::Micros, true)
        );
    }

    #[test]
    fn a_month_ends_where_the_next_one_begins() {
        let moment = |text: &str| Timestamp::parse(text).unwrap();
        for (text, name, number, left) in [
            ("2026-12-31T23:59:59Z", "2026-12", 202_612, 1),
            ("2027-01-01T00:00:00Z", "2027-01", 202_701, 31 * 86_400),
            ("2028-02-28T00:00:00Z", "2028-02", 202_802, 2 * 86_400),
        ] {
            let month = Month::of(moment(text));
            assert_eq!((month.to_string().as_str(), month.as_number()), (name, number));
            assert_eq!(month.left_at(moment(text)), Duration::from_secs(left));
        }
        // Local midnight is not the month's end.
        assert_eq!(
            Month::of(moment("2026-12-01T06:59:59+07:00")).to_string(),
            "2026-11"
        );
    }

    #[test]
    fn setting_a_clock_takes_no_time() {
        let clock = ManualClock::at(Timestamp::from_seconds(1000));
        clock.advance(Duration::from_secs(5));
        clock.set(Timestamp::from_seconds(10));
        assert_eq!(clock.elapsed(), Duration::from_secs(5));
        assert_eq!(clock.now(), Timestamp::from_seconds(10));
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
