//! Judging whether a session that works is deaf: it hears nothing for far longer than it is used to.

use std::time::Duration;

use crate::Timestamp;

/// The length of the slots in which what a session hears is counted.
pub const SLOT: Duration = Duration::from_mins(15);
/// How far back its habits are looked at.
pub const HISTORY: Duration = Duration::from_hours(14 * 24);
/// How often a session is looked at.
pub const LOOK_EVERY: Duration = Duration::from_mins(15);
/// A session that heard something so lately is not deaf.
pub const RECENT: Duration = Duration::from_hours(1);
/// How long a restart because of silence is not followed by another.
pub const RESTART_AT_MOST_EVERY: Duration = Duration::from_hours(24);

/// A session has habits once it heard something in so many slots.
const SLOTS_WITH_SOMETHING: usize = 48;
/// And over so long a time.
const KNOWN_FOR: Duration = Duration::from_hours(3 * 24);
/// Silence of less than this is never too long.
const SHORTEST: Duration = Duration::from_hours(3);
/// How many times longer than ever before a silence must be. A night, a week-end and a holiday are in the history
/// or within this.
const LONGER_BY: u32 = 2;

/// What is known of what a session hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// When the slots began in which it heard something, in order, within the [`HISTORY`].
    pub slots: Vec<Timestamp>,
    /// When anything was last heard of it.
    pub last_heard_at: Option<Timestamp>,
    /// Since when it works without a break; before that it could not hear.
    pub works_since: Timestamp,
}

impl Hearing {
    /// Why the session seems to be deaf, in words; `None` if nothing speaks for it.
    #[must_use]
    pub fn evidence(&self, now: Timestamp) -> Option<String> {
        let (first, last) = (self.slots.first()?, self.slots.last()?);
        let has_habits = self.slots.len() >= SLOTS_WITH_SOMETHING && last.since(*first) >= KNOWN_FOR;
        if !has_habits {
            return None;
        }
        let heard_at = last.plus(SLOT).max(self.last_heard_at.unwrap_or(*last));
        let silent_for = now.since(heard_at.max(self.works_since));
        let longest = self.longest_silence();
        let is_too_long = silent_for >= SHORTEST && silent_for >= longest * LONGER_BY;
        is_too_long.then(|| {
            format!(
                "The session is connected, but nothing was heard of it since {}. In the {} before, it was never silent for longer than {}.",
                heard_at,
                in_words(last.plus(SLOT).since(*first)),
                in_words(longest)
            )
        })
    }

    /// The longest time between two slots in which it heard something.
    fn longest_silence(&self) -> Duration {
        let gaps = self.slots.windows(2).filter_map(|pair| match pair {
            [earlier, later] => Some(later.since(earlier.plus(SLOT))),
            _ => None,
        });
        gaps.max().unwrap_or_default().max(SLOT)
    }
}

/// A length of time as people say it.
fn in_words(duration: Duration) -> String {
    let (minutes, hours) = (duration.as_secs() / 60, duration.as_secs() / 3600);
    match (hours, minutes) {
        (48.., _) => format!("{} days", hours / 24),
        (2.., _) => format!("{hours} hours"),
        _ => format!("{minutes} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn at(hours: u64) -> Timestamp {
        START.plus(Duration::from_hours(hours))
    }

    /// Something every hour from eight to twenty o'clock, for so many days.
    fn office(days: u64) -> Hearing {
        Hearing {
            slots: (0..days)
                .flat_map(|day| (8..20).map(move |hour| at(day * 24 + hour)))
                .collect(),
            last_heard_at: None,
            works_since: START,
        }
    }

    #[test]
    fn silence_far_beyond_its_habits_is_told_with_both_numbers() {
        let hearing = office(7);
        // The night lasts about twelve hours.
        let evening = at(6 * 24 + 19);
        for (hours, is_deaf) in [(1, false), (13, false), (20, false), (27, true)] {
            let evidence = hearing.evidence(evening.plus(Duration::from_hours(hours)));
            assert_eq!(evidence.is_some(), is_deaf, "{hours} {evidence:?}");
        }
        let words = hearing.evidence(evening.plus(Duration::from_hours(27))).unwrap();
        assert!(
            words.contains("since 2023-11-21T1") && words.contains("longer than 12 hours"),
            "{words}"
        );
    }

    #[test]
    fn a_session_without_habits_is_never_called_deaf() {
        let mut new = office(2);
        assert_eq!(new.evidence(at(10_000)), None, "it is too new");
        new.slots.clear();
        assert_eq!(new.evidence(at(10_000)), None, "it never heard anything");
        let mut seldom = office(14);
        seldom
            .slots
            .retain(|slot| slot.since(START).as_secs() / 3600 % 24 == 8);
        assert_eq!(seldom.evidence(at(10_000)), None, "it seldom hears anything");
    }

    #[test]
    fn what_it_could_not_hear_does_not_count() {
        let mut hearing = office(7);
        let now = at(10 * 24);
        assert!(hearing.evidence(now).is_some());
        hearing.works_since = now.minus(Duration::from_hours(2));
        assert_eq!(hearing.evidence(now), None);
        hearing.works_since = START;
        hearing.last_heard_at = Some(now.minus(Duration::from_hours(2)));
        assert_eq!(hearing.evidence(now), None);
    }

    proptest! {
        #[test]
        fn no_silence_like_one_before_is_too_long(
            mut hours in prop::collection::btree_set(0_u64..336, 60..200),
            after in 0_u64..400,
        ) {
            let last = hours.pop_last().unwrap_or_default();
            hours.insert(last);
            let hearing = Hearing {
                slots: hours.iter().map(|hour| at(*hour)).collect(),
                last_heard_at: None,
                works_since: START,
            };
            let now = at(last).plus(SLOT).plus(Duration::from_hours(after));
            if hearing.evidence(now).is_some() {
                prop_assert!(Duration::from_hours(after) >= hearing.longest_silence() * 2);
                prop_assert!(after >= 3);
            }
        }
    }
}
