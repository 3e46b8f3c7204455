//! Times and lengths of time as arguments.

use crate::failure::Failure;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::time::Duration;

/// Reads a moment: RFC 3339 with an offset, else a day or a local time in the project's zone. Microseconds UTC.
pub(crate) fn parse_moment(text: &str, zone: &str) -> Result<i64, Failure> {
    // The order matters: a local time would be read from a text with an offset as well, without the offset.
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment.as_microsecond());
    }
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let local = text.parse::<DateTime>().ok();
    let moment = local.and_then(|local| local.to_zoned(zone).ok()).map(|zoned: Zoned| zoned.timestamp());
    moment.map(Timestamp::as_microsecond).ok_or_else(|| {
        Failure::usage(format!("`{text}` is no time"))
            .with_help("write 2026-03-01, 2026-03-01T14:00 or 2026-03-01T14:00:00+01:00")
    })
}

/// Reads a length of time: `30s`, `500ms`, `2m`, `1h`; a bare number counts seconds.
pub(crate) fn parse_length(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("write a number with ms, s, m or h, such as 30s".to_string()),
    };
    match digits.trim().parse::<f64>() {
        Ok(number) if number > 0.0 => {
            Duration::try_from_secs_f64(number * unit).map_err(|_| "that is too long".to_string())
        }
        _ => Err("write a number above zero with ms, s, m or h, such as 30s".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_without_an_offset_are_local() {
        let moment = |text| parse_moment(text, "Europe/Amsterdam").ok();
        assert_eq!(moment("2025-03-01"), Some(1_740_783_600_000_000));
        assert_eq!(moment("2025-03-01T00:00"), Some(1_740_783_600_000_000));
        assert_eq!(moment("2025-03-01T00:00:00+01:00"), Some(1_740_783_600_000_000));
        assert_eq!(moment("2025-02-28T23:00:00Z"), Some(1_740_783_600_000_000));
        assert_eq!(moment("2025-02-30"), None);
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn lengths_have_units() {
        assert_eq!(parse_length("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_length("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_length("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_length("2"), Ok(Duration::from_secs(2)));
        for wrong in ["", "s", "-1s", "0", "3 days", "1e400", "nan"] {
            assert!(parse_length(wrong).is_err(), "{wrong}");
        }
    }
}
