//! Whole numbers as gauges take them.

/// The number, as exact as a gauge can be.
pub(super) fn as_gauge(number: u64) -> f64 {
    const HALF: f64 = 4_294_967_296.0;
    let half = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    half(number >> 32) * HALF + half(number & u64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_shown_as_they_are() {
        for (number, shown) in [(0, "0"), (7, "7"), (5_000_000_000, "5000000000")] {
            assert_eq!(as_gauge(number).to_string(), shown);
        }
    }
}
