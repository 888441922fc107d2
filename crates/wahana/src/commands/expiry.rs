//! When a token ends, as it is written on the command line.

use std::{str::FromStr, time::Duration};

use wahana_domain::Timestamp;

/// When a token ends: a moment, or a span from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    At(Timestamp),
    In(Duration),
}

const SECONDS_PER_HOUR: u64 = 3600;
/// A hundred years; longer is better said by leaving it out.
const MAX_HOURS: u64 = 24 * 36_500;

impl FromStr for Expiry {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = "must be a span such as 12h or 90d, or a time such as 2027-01-31T12:00:00Z";
        let (number, hours) = match (text.strip_suffix('h'), text.strip_suffix('d')) {
            (Some(number), _) => (number, 1),
            (_, Some(number)) => (number, 24),
            (None, None) => return Timestamp::parse(text).map(Self::At).map_err(|_| fault),
        };
        let number: u64 = number.parse().map_err(|_| fault)?;
        let hours = number.checked_mul(hours).filter(|hours| *hours <= MAX_HOURS);
        let hours = hours.ok_or("must lie within a hundred years")?;
        Ok(Self::In(Duration::from_secs(hours * SECONDS_PER_HOUR)))
    }
}

impl Expiry {
    pub(super) fn after(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(span) => now.plus(span),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times_are_read() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let after = |text: &str| text.parse::<Expiry>().unwrap().after(now).as_seconds();
        assert_eq!(after("12h") - now.as_seconds(), 43_200);
        assert_eq!(after("90d") - now.as_seconds(), 7_776_000);
        assert_eq!(after("1970-01-01T00:01:00Z"), 60);
        for text in [
            "",
            "d",
            "-1d",
            "3w",
            "tomorrow",
            "99999999999999999999d",
            "40000d",
        ] {
            assert!(text.parse::<Expiry>().is_err(), "{text}");
        }
    }
}
