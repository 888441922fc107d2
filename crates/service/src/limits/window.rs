//! A sliding window: how many units were taken of late.
//!
//! A window is divided into slots. A unit counts from its slot on for as many slots as a window has, and then
//! no more. So at most the limit passes in any 59 of a window's 60 slots, whenever they begin, and whoever
//! keeps an even pace within the limit is never refused.

use std::{collections::VecDeque, time::Duration};

/// How many slots a window is divided into.
pub(super) const SLOTS: u64 = 60;

/// Over how long units are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Period {
    Minute,
    Hour,
}

impl Period {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
        }
    }

    /// How long a slot of it is.
    pub(super) const fn slot_length(self) -> Duration {
        match self {
            Self::Minute => Duration::from_secs(1),
            Self::Hour => Duration::from_mins(1),
        }
    }

    /// In which slot a moment lies.
    const fn slot_at(self, now: Duration) -> u64 {
        now.as_secs() / self.slot_length().as_secs()
    }

    /// How long it is until a unit that was taken in `slot` counts no more.
    fn until_free(self, slot: u64, now: Duration) -> Duration {
        let free_at = self
            .slot_length()
            .as_secs()
            .saturating_mul(slot.saturating_add(SLOTS));
        Duration::from_secs(free_at).saturating_sub(now)
    }
}

/// How much of a limit is left, as the headers `RateLimit-*` say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How many units may be taken in a window.
    pub limit: u32,
    /// How many are left.
    pub remaining: u32,
    /// When there will be more again: the oldest that count come back.
    pub reset_after: Duration,
}

/// The units that count, by the slot in which they were taken. Only slots with units take room.
#[derive(Debug, Default)]
pub(super) struct Window {
    slots: VecDeque<(u64, u32)>,
    taken: u32,
}

impl Window {
    /// Forgets units that count no more.
    pub(super) fn forget(&mut self, period: Period, now: Duration) {
        let current = period.slot_at(now);
        while let Some((slot, units)) = self.slots.front().copied()
            && slot.saturating_add(SLOTS) <= current
        {
            self.slots.pop_front();
            self.taken -= units;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// What to say if no unit can be taken; to be asked after [`forget`](Self::forget).
    pub(super) fn refusal(&self, limit: u32, period: Period, now: Duration) -> Option<Allowance> {
        if self.taken < limit {
            return None;
        }
        // There may be more than one too many, because the limit was lowered.
        let mut too_many = self.taken - limit + 1;
        let leaves_last = self.slots.iter().find(|(_, units)| {
            too_many = too_many.saturating_sub(*units);
            too_many == 0
        });
        let window = period.slot_length() * u32::try_from(SLOTS).unwrap_or(u32::MAX);
        Some(Allowance {
            limit,
            remaining: 0,
            // Of a limit of nothing there is never any.
            reset_after: leaves_last.map_or(window, |(slot, _)| period.until_free(*slot, now)),
        })
    }

    /// Takes a unit, and says in which slot.
    pub(super) fn take(&mut self, period: Period, now: Duration) -> u64 {
        let current = period.slot_at(now);
        match self.slots.back_mut() {
            Some((slot, units)) if *slot >= current => *units += 1,
            _ => self.slots.push_back((current, 1)),
        }
        self.taken += 1;
        current
    }

    /// Gives back a unit that was taken in `slot`, if it still counts.
    pub(super) fn give_back(&mut self, slot: u64) {
        if let Some(index) = self.slots.iter().position(|(taken_in, _)| *taken_in == slot) {
            self.taken -= 1;
            self.slots[index].1 -= 1;
            if self.slots[index].1 == 0 {
                self.slots.remove(index);
            }
        }
    }

    pub(super) fn allowance(&self, limit: u32, period: Period, now: Duration) -> Allowance {
        let oldest = self.slots.front();
        Allowance {
            limit,
            remaining: limit.saturating_sub(self.taken),
            reset_after: oldest.map_or(Duration::ZERO, |(slot, _)| period.until_free(*slot, now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn try_take(window: &mut Window, limit: u32, now: Duration) -> Result<u64, Allowance> {
        window.forget(Period::Minute, now);
        match window.refusal(limit, Period::Minute, now) {
            Some(refusal) => Err(refusal),
            None => Ok(window.take(Period::Minute, now)),
        }
    }

    #[test]
    fn a_refusal_says_when_there_is_room_and_then_there_is() {
        let mut window = Window::default();
        try_take(&mut window, 2, at(1500)).unwrap();
        try_take(&mut window, 2, at(9000)).unwrap();
        let refusal = try_take(&mut window, 2, at(30_200)).unwrap_err();
        assert_eq!((refusal.limit, refusal.remaining), (2, 0));
        assert_eq!(refusal.reset_after, at(30_800));
        assert!(try_take(&mut window, 2, at(60_999)).is_err());
        try_take(&mut window, 2, at(61_000)).unwrap();
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let mut window = Window::default();
        let slot = try_take(&mut window, 1, at(0)).unwrap();
        window.give_back(slot);
        assert!(window.is_empty());
        let slot = try_take(&mut window, 1, at(500)).unwrap();
        window.give_back(slot + 1);
        assert!(try_take(&mut window, 1, at(600)).is_err());
    }

    #[test]
    fn a_limit_that_was_lowered_waits_until_enough_is_free_and_none_is_never_free() {
        let mut window = Window::default();
        for second in 0..5 {
            try_take(&mut window, 5, at(second * 1000)).unwrap();
        }
        let refusal = window.refusal(2, Period::Minute, at(10_000)).unwrap();
        // Four of the five must go: the last of them was taken in second 3.
        assert_eq!(refusal.reset_after, at(53_000));
        assert_eq!(
            window.refusal(0, Period::Hour, at(0)).unwrap().reset_after,
            Duration::from_hours(1)
        );
    }

    proptest! {
        #[test]
        fn no_59_slots_have_more_than_the_limit(
            steps in prop::collection::vec(0u64..4000, 1..400),
            limit in 1u32..20,
        ) {
            let mut window = Window::default();
            let mut now = 0;
            let mut passed = Vec::new();
            for step in steps {
                now += step;
                if try_take(&mut window, limit, at(now)).is_ok() {
                    passed.push(now);
                }
            }
            for (index, first) in passed.iter().enumerate() {
                let within = passed[index..].iter().take_while(|later| *later - first < 59_000).count();
                prop_assert!(within <= limit as usize);
            }
        }

        #[test]
        fn an_even_pace_within_the_limit_is_never_refused(
            offset in 0u64..60_000, limit in 1u32..120, count in 1u64..300,
        ) {
            let mut window = Window::default();
            for number in 0..count {
                let now = offset + (number * 60_000).div_ceil(u64::from(limit));
                prop_assert!(try_take(&mut window, limit, at(now)).is_ok());
            }
        }
    }
}
