//! Days of the calendar as numbers, for moments in UTC.

/// Microseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400 * SECOND;

/// The day since 1970-01-01 of a date.
pub(crate) const fn day_of(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day since 1970-01-01.
pub(crate) const fn date_of(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

/// A moment as `2023-04-05 06:07:08`.
pub(crate) fn text_of(at: i64) -> String {
    let (year, month, day) = date_of(at.div_euclid(DAY));
    let second = at.rem_euclid(DAY) / SECOND;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// The day of a moment as `2023-04-05`.
pub(crate) fn date_text(at: i64) -> String {
    let (year, month, day) = date_of(at.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

/// The same moment a year later; of 29 February it is 28 February.
pub(crate) fn year_later(at: i64) -> i64 {
    let (year, month, day) = date_of(at.div_euclid(DAY));
    let day = if (month, day) == (2, 29) { 28 } else { day };
    day_of(year + 1, month, day) * DAY + at.rem_euclid(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        assert_eq!(day_of(1970, 1, 1), 0);
        assert_eq!(day_of(2000, 3, 1), 11_017);
        for day in -200_000..200_000 {
            let (year, month, date) = date_of(day);
            assert_eq!(day_of(year, month, date), day);
        }
        assert_eq!(text_of(day_of(2024, 2, 29) * DAY + 3_661 * SECOND), "2024-02-29 01:01:01");
        assert_eq!(date_text(year_later(day_of(2024, 2, 29) * DAY)), "2025-02-28");
        assert_eq!(date_text(year_later(day_of(2023, 3, 1) * DAY)), "2024-03-01");
    }
}
