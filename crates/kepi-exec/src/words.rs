//! Lengths and moved windows in words.

use kepi_model::core::Move;
use kepi_model::value::CalendarSpan;

/// A calendar span in its largest units: "1 year 3 months".
pub(crate) fn span(by: CalendarSpan) -> String {
    let mut parts = Vec::new();
    let mut push = |count: i64, unit: &str| {
        if count != 0 {
            parts.push(format!("{count} {unit}{}", if count.abs() == 1 { "" } else { "s" }));
        }
    };
    push(i64::from(by.months / 12), "year");
    push(i64::from(by.months % 12), "month");
    push(i64::from(by.days), "day");
    push(by.micros / 3_600_000_000, "hour");
    push(by.micros % 3_600_000_000 / 60_000_000, "minute");
    push(by.micros % 60_000_000 / 1_000_000, "second");
    if parts.is_empty() { "0 seconds".to_string() } else { parts.join(" ") }
}

/// A length in front of what it is the length of: "3 months", but "month".
fn stretch(by: CalendarSpan) -> String {
    let text = span(by);
    text.strip_prefix("1 ").filter(|rest| !rest.contains(' ')).map_or(text.clone(), str::to_string)
}

/// The time that an aggregate looks at; `of` says what a cell is: "each month", "the window".
pub(crate) fn moved(moves: &[Move], of: &str) -> String {
    let mut text = of.to_string();
    let mut is_cell = true;
    for next in moves {
        // What has been moved has an end like what has not, but no name.
        let end = if is_cell { format!("the end of {text}") } else { format!("the end of that ({text})") };
        text = match next {
            Move::Prior(by) if is_cell => format!("{of}, taken {} earlier", span(*by)),
            Move::Prior(by) => format!("{text}, all of it {} earlier", span(*by)),
            Move::Trailing(by) => format!("the {} up to {end}", stretch(*by)),
            Move::ToDate(grain) => format!("the {} up to {end}", grain.name()),
            Move::Running => format!("the time from the window's beginning to {end}"),
            Move::AllTime => format!("all time up to {end}"),
            Move::Start if is_cell => format!("all time before {text}"),
            Move::Start => format!("all time before that ({text})"),
        };
        is_cell = false;
    }
    text
}

/// A number with a comma between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use kepi_model::calendar::{Grain, TimeUnit};

    #[test]
    fn numbers_have_commas_between_thousands() {
        assert_eq!([0, 7, 999, 1_000, 1_234_567].map(grouped), ["0", "7", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_moved_window_says_what_it_is() {
        let months = |months| CalendarSpan { months, ..CalendarSpan::default() };
        let year = Move::ToDate(Grain::ordinary(TimeUnit::Year));
        let said = |moves: &[Move]| moved(moves, "each month");
        assert_eq!(said(&[Move::Trailing(months(3))]), "the 3 months up to the end of each month");
        assert_eq!(said(&[Move::Trailing(months(1))]), "the month up to the end of each month");
        assert_eq!(said(&[year]), "the year up to the end of each month");
        assert_eq!(said(&[Move::Prior(months(12))]), "each month, taken 1 year earlier");
        assert_eq!(said(&[Move::Start]), "all time before each month");
        assert_eq!(
            said(&[Move::Prior(months(12)), Move::Trailing(months(3))]),
            "the 3 months up to the end of that (each month, taken 1 year earlier)"
        );
        assert_eq!(moved(&[Move::AllTime], "the window"), "all time up to the end of the window");
    }
}
