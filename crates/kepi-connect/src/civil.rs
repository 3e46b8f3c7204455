//! The arithmetic of the Gregorian calendar on plain numbers, for columns of millions of dates.

/// Days since 1970-01-01; none when the calendar has no such day or the year is not 1 to 9999.
#[inline]
pub(crate) fn days_from(year: i32, month: i32, day: i32) -> Option<i32> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day < 1 || day > length_of_month(year, month) {
        return None;
    }
    // Years begin in March, so that the leap day is the last (Howard Hinnant's days_from_civil).
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Year, month and day of a day number.
pub(crate) fn day_of(days: i32) -> (i32, i32, i32) {
    let z = i64::from(days) + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year as i32, month as i32, day as i32)
}

#[inline]
fn length_of_month(year: i32, month: i32) -> i32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Seconds since midnight; a leap second is the second after. None when no clock shows this.
#[inline]
pub(crate) fn seconds_of_clock(hour: i32, minute: i32, second: i32) -> Option<i64> {
    (hour < 24 && minute < 60 && second <= 60).then(|| i64::from(hour * 3600 + minute * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in -719_162..=146_097 {
            let (y, m, d) = day_of(day);
            assert_eq!(days_from(y, m, d), Some(day));
        }
        assert_eq!(days_from(1970, 1, 1), Some(0));
        assert_eq!(days_from(2026, 2, 29), None);
        assert_eq!(days_from(2024, 2, 29), Some(19_782));
    }
}
