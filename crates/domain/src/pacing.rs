//! At what pace a session sends: pauses of a length that differs each time, and typing that is shown before texts.

use std::time::Duration;

use rand::RngExt;

use crate::{MessageId, Timestamp};

/// How long a letter takes to type.
const LETTER: Duration = Duration::from_millis(60);
/// How long typing is shown at least.
const SHORTEST_TYPING: Duration = Duration::from_secs(1);
/// How long typing is shown at most: phones stop showing it after about as long.
const LONGEST_TYPING: Duration = Duration::from_secs(20);

/// The pace of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    min_seconds: u16,
    max_seconds: u16,
    shows_typing: bool,
}

/// These are not the bounds of a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPacing {
    /// The longest pause is none, or too long.
    #[error("max_seconds must be from 1 to {}", Pacing::LONGEST_SECONDS)]
    Longest,
    /// The shortest pause is longer than the longest.
    #[error("min_seconds must be from 0 to max_seconds")]
    Shortest,
}

/// What is kept of a session's pace from one message to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Before then nothing is sent: the pause after the message before, or the time that typing is shown.
    pub next_at: Option<Timestamp>,
    /// The message for which typing is shown until then.
    pub typing_for: Option<MessageId>,
}

/// What a paced session does about the message whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaceStep {
    /// Nothing until this has passed.
    Wait(Duration),
    /// Shows typing until this has passed.
    ShowTyping(Duration),
    /// Sends it.
    Send {
        /// Whether typing is shown, so that it is to be ended first.
        is_typing: bool,
    },
}

impl Pacing {
    /// The longest pause that can be asked for, in seconds.
    pub const LONGEST_SECONDS: u32 = 3600;

    /// A pace with pauses from `min_seconds` to `max_seconds`.
    pub fn new(min_seconds: u32, max_seconds: u32, shows_typing: bool) -> Result<Self, InvalidPacing> {
        if !(1..=Self::LONGEST_SECONDS).contains(&max_seconds) {
            return Err(InvalidPacing::Longest);
        }
        let max = u16::try_from(max_seconds).map_err(|_| InvalidPacing::Longest)?;
        let min = u16::try_from(min_seconds).map_err(|_| InvalidPacing::Shortest)?;
        if min > max {
            return Err(InvalidPacing::Shortest);
        }
        Ok(Self {
            min_seconds: min,
            max_seconds: max,
            shows_typing,
        })
    }

    /// The shortest pause, in seconds.
    #[must_use]
    pub const fn min_seconds(self) -> u16 {
        self.min_seconds
    }

    /// The longest pause, in seconds.
    #[must_use]
    pub const fn max_seconds(self) -> u16 {
        self.max_seconds
    }

    /// Whether typing is shown before a text.
    #[must_use]
    pub const fn shows_typing(self) -> bool {
        self.shows_typing
    }

    /// How long the next pause is: another time each time it is asked.
    #[must_use]
    pub fn pause(self) -> Duration {
        let millis = |seconds: u16| u64::from(seconds) * 1000;
        let pause = rand::rng().random_range(millis(self.min_seconds)..=millis(self.max_seconds));
        Duration::from_millis(pause)
    }

    /// For how long typing is shown before a text of so many letters: never longer than the longest pause.
    #[must_use]
    pub fn typing_time(self, letters: usize) -> Duration {
        let typed = LETTER.saturating_mul(u32::try_from(letters).unwrap_or(u32::MAX));
        typed.clamp(SHORTEST_TYPING, LONGEST_TYPING).min(self.longest())
    }

    fn longest(self) -> Duration {
        Duration::from_secs(self.max_seconds.into())
    }

    /// What is done at `now` about the message whose turn it is; of a text, with the number of its letters.
    ///
    /// Typing is shown in the last part of the pause. A text that comes after the pause is over waits for as long as
    /// typing is shown.
    #[must_use]
    pub fn step(self, pace: &Pace, message: MessageId, letters: Option<usize>, now: Timestamp) -> PaceStep {
        let left = pace.next_at.map_or(Duration::ZERO, |at| at.since(now));
        // No pause is so long: the session had another pace, or a clock was set back.
        let left = if left > self.longest() {
            Duration::ZERO
        } else {
            left
        };
        if pace.typing_for == Some(message) {
            return if left.is_zero() {
                PaceStep::Send { is_typing: true }
            } else {
                PaceStep::Wait(left)
            };
        }
        let typing = letters
            .filter(|_| self.shows_typing)
            .map(|letters| self.typing_time(letters));
        match typing {
            Some(typing) if left > typing => PaceStep::Wait(left.saturating_sub(typing)),
            Some(typing) => PaceStep::ShowTyping(typing),
            None if left.is_zero() => PaceStep::Send { is_typing: false },
            None => PaceStep::Wait(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn pacing() -> impl Strategy<Value = Pacing> {
        (0..=3600_u32, 1..=3600_u32, any::<bool>()).prop_map(|(min, max, shows_typing)| {
            Pacing::new(min.min(max), max, shows_typing).expect("bounds in order")
        })
    }

    #[test]
    fn bounds_are_checked() {
        assert!(Pacing::new(0, 1, false).is_ok());
        assert!(Pacing::new(3600, 3600, false).is_ok());
        for (min, max, refusal) in [
            (0, 0, InvalidPacing::Longest),
            (0, 3601, InvalidPacing::Longest),
            (2, 1, InvalidPacing::Shortest),
            (u32::MAX, 1, InvalidPacing::Shortest),
        ] {
            assert_eq!(Pacing::new(min, max, false), Err(refusal));
        }
    }

    #[test]
    fn typing_follows_the_length_of_the_text() {
        let pacing = Pacing::new(2, 30, true).expect("bounds in order");
        assert_eq!(pacing.typing_time(1), Duration::from_secs(1));
        assert_eq!(pacing.typing_time(100), Duration::from_secs(6));
        assert_eq!(pacing.typing_time(4096), Duration::from_secs(20));
        let hasty = Pacing::new(2, 3, true).expect("bounds in order");
        assert_eq!(hasty.typing_time(4096), Duration::from_secs(3));
    }

    proptest! {
        #[test]
        fn pauses_keep_their_bounds(pacing in pacing()) {
            let bounds = u64::from(pacing.min_seconds())..=u64::from(pacing.max_seconds());
            let pause = pacing.pause();
            prop_assert!(bounds.contains(&pause.as_secs()));
            prop_assert!(pause <= Duration::from_secs(pacing.max_seconds().into()));
        }

        /// Whoever does as told sends after the pause, not before, and never waits longer than the pause or the
        /// typing takes.
        #[test]
        fn each_message_is_sent_after_the_pause(
            pacing in pacing(), letters in proptest::option::of(1..4096_usize), late in 0..4000_u64,
        ) {
            let message = MessageId::new();
            let pause = pacing.pause();
            let mut pace = Pace { next_at: Some(NOW.plus(pause)), typing_for: None };
            let asked = NOW.plus(Duration::from_secs(late));
            let mut now = asked;
            let mut has_typed = false;
            let is_typing = loop {
                match pacing.step(&pace, message, letters, now) {
                    PaceStep::Wait(wait) => now = now.plus(wait),
                    PaceStep::ShowTyping(typing) => {
                        prop_assert!(!has_typed);
                        has_typed = true;
                        pace = Pace { next_at: Some(now.plus(typing)), typing_for: Some(message) };
                    }
                    PaceStep::Send { is_typing } => break is_typing,
                }
            };
            prop_assert_eq!(is_typing, has_typed);
            prop_assert_eq!(has_typed, pacing.shows_typing() && letters.is_some());
            prop_assert!(now >= NOW.plus(pause));
            let longest = Duration::from_secs(pacing.max_seconds().into());
            prop_assert!(now <= NOW.plus(longest) || now <= asked.plus(longest));
        }

        #[test]
        fn a_clock_that_was_set_back_holds_nothing_up(pacing in pacing(), hours in 2..1000_u64) {
            let pace = Pace { next_at: Some(NOW.plus(Duration::from_hours(hours))), typing_for: None };
            let step = pacing.step(&pace, MessageId::new(), None, NOW);
            prop_assert_eq!(step, PaceStep::Send { is_typing: false });
        }
    }
}
