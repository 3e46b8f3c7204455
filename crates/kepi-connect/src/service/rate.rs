//! Rate buckets: how many requests a service takes in a time, and how long the next one has to wait for room.

use glob::{MatchOptions, Pattern};
use std::collections::VecDeque;
use std::time::Duration;

/// The most requests that are looked back at.
const COUNT_MAX: u32 = 100_000;

/// How many requests may go to a part of a service in a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateRule {
    /// What the bucket is called while it is waited for: `search`.
    pub name: String,
    /// Which hosts: a pattern such as `*.example.com`.
    host: Pattern,
    /// Which paths: a pattern such as `/v3/*/search`; `*` stands for slashes, too.
    path: Pattern,
    /// As it was written: `5/s`.
    limit: String,
    count: u32,
    period: Duration,
}

impl RateRule {
    /// A bucket. `limit` is a number and a time: `5/s`, `100/10s`, `700/min`, `10/1h`, `1000/d`. An empty host or path
    /// stands for all.
    pub fn new(name: &str, host: &str, path: &str, limit: &str) -> Result<RateRule, String> {
        let no_rate = || format!("`{limit}` is no rate such as `5/s` or `100/10s`");
        let (count, period) = limit.split_once('/').ok_or_else(no_rate)?;
        let count: u32 = count.trim().parse().map_err(|_| no_rate())?;
        let period = super::rate::period(period.trim()).ok_or_else(no_rate)?;
        if count == 0 || count > COUNT_MAX || period.is_zero() {
            return Err(no_rate());
        }
        let pattern = |text: &str| {
            let text = if text.is_empty() { "*" } else { text };
            Pattern::new(text).map_err(|error| format!("`{text}` is no pattern: {}", error.msg))
        };
        Ok(RateRule {
            name: name.to_string(),
            host: pattern(host)?,
            path: pattern(path)?,
            limit: limit.to_string(),
            count,
            period,
        })
    }
}

/// A length of time: `10s`, `s`, `5min`, `2h`, `d`.
pub(crate) fn period(text: &str) -> Option<Duration> {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = if number.is_empty() { 1 } else { number.parse().ok()? };
    let seconds = match unit.trim() {
        "ms" => return Some(Duration::from_millis(number)),
        "s" | "sec" | "second" => 1,
        "m" | "min" | "minute" => 60,
        "h" | "hour" => 3_600,
        "d" | "day" | "days" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

/// The buckets of a run with the times of their last requests.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    buckets: Vec<(RateRule, VecDeque<Duration>)>,
}

/// How long to wait, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) time: Duration,
    /// `search 5/s`.
    pub(crate) reason: String,
}

impl Buckets {
    pub(crate) fn new(rules: Vec<RateRule>) -> Buckets {
        Buckets { buckets: rules.into_iter().map(|rule| (rule, VecDeque::new())).collect() }
    }

    /// Takes room for a request at this moment, or says how long to wait for it.
    pub(crate) fn take(&mut self, host: &str, path: &str, now: Duration) -> Result<(), Wait> {
        let options = MatchOptions { require_literal_separator: false, case_sensitive: true, ..MatchOptions::new() };
        let fits = |rule: &RateRule| rule.host.matches_with(host, options) && rule.path.matches_with(path, options);
        let mut longest: Option<Wait> = None;
        for (rule, sent) in self.buckets.iter_mut().filter(|(rule, _)| fits(rule)) {
            while sent.front().is_some_and(|first| *first + rule.period <= now) {
                sent.pop_front();
            }
            if sent.len() < rule.count as usize {
                continue;
            }
            let Some(first) = sent.front() else { continue };
            let time = (*first + rule.period).saturating_sub(now);
            if longest.as_ref().is_none_or(|wait| wait.time < time) {
                longest = Some(Wait { time, reason: format!("{} {}", rule.name, rule.limit).trim().to_string() });
            }
        }
        if let Some(wait) = longest {
            return Err(wait);
        }
        for (_, sent) in self.buckets.iter_mut().filter(|(rule, _)| fits(rule)) {
            sent.push_back(now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[test]
    fn no_stretch_of_time_has_more_requests_than_allowed() {
        let rule = RateRule::new("search", "*.example.com", "/v3/*/search", "5/s").unwrap();
        let mut buckets = Buckets::new(vec![rule]);
        let mut now = Duration::ZERO;
        let mut sent = Vec::new();
        while sent.len() < 23 {
            match buckets.take("api.example.com", "/v3/objects/deals/search", now) {
                Ok(()) => sent.push(now),
                Err(wait) => {
                    assert_eq!(wait.reason, "search 5/s");
                    now += wait.time;
                }
            }
        }
        assert!(sent.windows(6).all(|six| six[5] - six[0] >= Duration::from_secs(1)));
        assert_eq!(*sent.last().unwrap(), Duration::from_secs(4));
        // Other paths and hosts have all the room they want.
        for _ in 0..100 {
            assert_eq!(buckets.take("api.example.com", "/v3/owners", now), Ok(()));
            assert_eq!(buckets.take("example.com", "/v3/a/search", now), Ok(()));
        }
    }

    #[test]
    fn rates_are_read_and_nonsense_is_refused() {
        for (limit, count, seconds) in [("5/s", 5, 1), ("100/10s", 100, 10), ("700/min", 700, 60), ("10/2h", 10, 7200)]
        {
            let rule = RateRule::new("x", "", "", limit).unwrap();
            assert_eq!((rule.count, rule.period), (count, Duration::from_secs(seconds)));
        }
        for limit in ["", "5", "5/", "/s", "0/s", "5/0s", "5/week", "-1/s", "5.5/s", "99999999/s"] {
            assert!(RateRule::new("x", "", "", limit).is_err(), "{limit}");
        }
    }
}
