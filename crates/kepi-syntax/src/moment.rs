//! Dates, times and periods as written: which of them exist.

/// Says why a well-formed date, time or period does not exist, and what to write instead.
pub(crate) fn problem(text: &str) -> Option<(String, String)> {
    let year: u32 = text.get(..4)?.parse().ok()?;
    let rest = text.get(5..).unwrap_or_default();
    if let Some(quarter) = rest.strip_prefix('Q') {
        let bad = !matches!(quarter, "1" | "2" | "3" | "4");
        return bad
            .then(|| (format!("there is no quarter {quarter}"), format!("write `{year:04}-Q1` to `{year:04}-Q4`")));
    }
    if let Some(week) = rest.strip_prefix('W') {
        // Which years have a week 53 depends on the day on which the project's weeks start.
        let bad = !(1..=53).contains(&week.parse::<u32>().ok()?);
        return bad.then(|| (format!("there is no week {week}"), format!("write `{year:04}-W01` to `{year:04}-W53`")));
    }
    let month: u32 = rest.get(..2).map_or(Some(1), |month| month.parse().ok())?;
    if !(1..=12).contains(&month) {
        return Some((format!("there is no month {month:02}"), format!("write `{year:04}-01` to `{year:04}-12`")));
    }
    let day: u32 = rest.get(3..5).map_or(Some(1), |day| day.parse().ok())?;
    let last = days_in(year, month);
    if !(1..=last).contains(&day) {
        let what = format!("there is no day {year:04}-{month:02}-{day:02}");
        return Some((what, format!("the last day of that month is {year:04}-{month:02}-{last:02}")));
    }
    let time = rest.get(6..)?;
    let (clock, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let over = |text: &str, most: &[u32]| {
        text.split(':')
            .zip(most)
            .any(|(part, most)| part.get(..2).and_then(|p| p.parse::<u32>().ok()).is_none_or(|p| p > *most))
    };
    if over(clock, &[23, 59, 59]) {
        return Some((format!("there is no time {clock}"), "times go from 00:00:00 to 23:59:59".to_owned()));
    }
    let zone = zone.trim_start_matches(['Z', '+', '-']);
    if !zone.is_empty() && over(zone, &[18, 59]) {
        return Some((format!("there is no offset of {zone}"), "offsets go from -18:00 to +18:00".to_owned()));
    }
    None
}

/// Returns how many days a month has.
fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn what_exists_has_no_problem() {
        for text in [
            "2025",
            "2025-12",
            "2025-Q4",
            "2025-W53",
            "2024-02-29",
            "2000-02-29",
            "2025-12-31",
            "2025-03-01T23:59:59.999Z",
            "2025-03-01T12:00+01:00",
            "2025-03-01T00:00",
        ] {
            assert_eq!(problem(text), None, "{text}");
        }
    }

    #[test]
    fn what_does_not_exist_is_said() {
        for text in [
            "2025-00",
            "2025-13",
            "2025-Q0",
            "2025-Q5",
            "2025-W00",
            "2025-W54",
            "2025-02-29",
            "1900-02-29",
            "2026-02-30",
            "2025-04-31",
            "2025-01-00",
            "2025-03-01T24:00",
            "2025-03-01T12:60",
            "2025-03-01T12:00+19:00",
        ] {
            assert!(problem(text).is_some(), "{text}");
        }
    }
}
