//! When to try again: what the service asks for, else longer and longer, never all at the same moment.

use jiff::fmt::rfc2822::DateTimeParser;
use std::time::Duration;

/// Reads `Retry-After`: a number of seconds, or a date (RFC 9110, section 10.2.3). `now` is in microseconds UTC. A date
/// that is past is no time at all; none: it is neither.
pub(crate) fn retry_after(value: &str, now: i64) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = moment(value)?;
    Some(Duration::from_micros(u64::try_from(until.saturating_sub(now)).unwrap_or(0)))
}

/// Reads a date as HTTP writes it, in microseconds UTC.
pub(crate) fn moment(value: &str) -> Option<i64> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    PARSER.parse_timestamp(value.trim()).ok().map(|moment| moment.as_microsecond())
}

/// Whether a status says that the same request may succeed later.
pub(crate) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=524 | 529)
}

/// Lengths of waits that grow, each a little different. The same seed gives the same lengths.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    state: u64,
    base: Duration,
    most: Duration,
}

impl Backoff {
    pub(crate) fn new(seed: u64, base: Duration, most: Duration) -> Backoff {
        Backoff { state: seed, base, most }
    }

    /// How long to wait after failure number `attempt`, counted from 0: between a half and the whole of `base` doubled
    /// each time.
    pub(crate) fn wait(&mut self, attempt: u32) -> Duration {
        let whole = self.base.saturating_mul(2u32.saturating_pow(attempt)).min(self.most);
        // splitmix64: small, and good enough to keep clients apart.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        let part = (bits >> 11) as f64 / (1u64 << 53) as f64;
        whole.mul_f64(0.5 + part / 2.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[test]
    fn both_forms_of_retry_after_are_read() {
        // 1994-11-06T08:49:37Z, the example of RFC 9110, section 5.6.7.
        let now = 784_111_777_000_000;
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:07 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-5", now), None);
    }

    #[test]
    fn waits_grow_up_to_the_most_and_are_the_same_for_a_seed() {
        let waits = |seed: u64| {
            let mut backoff = Backoff::new(seed, Duration::from_secs(1), Duration::from_secs(30));
            (0..8).map(|attempt| backoff.wait(attempt)).collect::<Vec<_>>()
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
        for (attempt, wait) in waits(7).iter().enumerate() {
            let whole = Duration::from_secs((1 << attempt).min(30));
            assert!(*wait >= whole / 2 && *wait <= whole, "{attempt}: {wait:?}");
        }
    }
}
