//! `vs` in a calendar that comes from a table: periods are set against those of the same number.

use super::compare::{none, rank, within};
use super::periods::Span;
use kepi_model::calendar::{Grain, TABLE_UNITS, TimeUnit, Zone};
use kepi_model::value::CalendarSpan;

/// The period of the same number in the year before (or quarter, month); none where that has fewer, or where there is none.
pub(crate) fn same_number(zone: &Zone, grain: &Grain, year: &Grain, period: i64) -> Option<i64> {
    let this_year = zone.truncate(year, period);
    let other_year = zone.step(year, this_year, -1);
    let table = year.table.as_ref()?;
    if !table.covers(zone.local(other_year).date()) {
        return None;
    }
    let n = zone.periods_between(grain, this_year, period);
    let other = zone.step(grain, zone.truncate(grain, other_year), n);
    (other < this_year).then_some(other)
}

/// The window of the same numbers in the year before: counted in the longest periods that both of its ends begin. Of a window
/// that still runs, the same part.
pub(crate) fn window_by_number(zone: &Zone, back: &Grain, span: &Span, from: i64) -> (i64, i64) {
    let grains = TABLE_UNITS.into_iter().rev().filter(|unit| rank(*unit) <= rank(back.unit)).filter_map(|unit| {
        let table = back.table.as_ref().filter(|table| table.has(unit))?;
        Some(Grain { unit, table: Some(table.clone()), ..back.clone() })
    });
    let day = Grain { table: None, ..Grain::ordinary(TimeUnit::Day) };
    let fits = |grain: &Grain| [from, span.until].iter().all(|&at| zone.truncate(grain, at) == at);
    let grain = grains.clone().find(fits).unwrap_or(day);
    let first = zone.truncate(&grain, from);
    let Some(other) = same_number(zone, &grain, back, first) else { return (from, from) };
    let start = within(zone, &grain, from, first, other);
    let count = zone.periods_between(&grain, first, span.until);
    let end = zone.step(&grain, other, count);
    let last = zone.truncate(&grain, span.until);
    let end = if last < span.until { within(zone, &grain, span.until, last, end) } else { end };
    match span.passed < span.until {
        // As many days and hours as have passed since it began.
        true => {
            let days = zone.day_number(other) - zone.day_number(first);
            (start, zone.add(span.passed, CalendarSpan { days, ..none() }).clamp(start, end))
        }
        false => (start, end),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test stops at what it did not expect.

    use super::*;
    use crate::cells::compare::side;
    use jiff::ToSpan;
    use jiff::civil::{Date, date};
    use kepi_model::calendar::{CalendarTable, TableDay};
    use kepi_model::core::{Compare, CompareWith, Window};
    use std::sync::Arc;

    /// Years of two months of 4 and 5 weeks from Sunday 5 January 2025; the second year has a tenth week.
    fn grain(unit: TimeUnit) -> Grain {
        let mut rows = Vec::new();
        let mut day = date(2025, 1, 5);
        for (year, months) in [(2025, [4, 5]), (2026, [4, 6]), (2027, [4, 5])] {
            let mut week = 0;
            for (month, weeks) in (1..).zip(months) {
                for _ in 0..weeks {
                    week += 1;
                    for _ in 0..7 {
                        let labels =
                            [Some(format!("W{week}")), Some(format!("P{month}")), None, Some(year.to_string())];
                        rows.push(TableDay { day, labels });
                        day = day.checked_add(1.day()).unwrap();
                    }
                }
            }
        }
        let table = Some(Arc::new(CalendarTable::new(rows).unwrap()));
        Grain { calendar: Some("retail".into()), table, ..Grain::ordinary(unit) }
    }

    fn at(text: &str) -> i64 {
        Zone::utc().instant(text.parse().unwrap())
    }

    fn day(micros: i64) -> String {
        Zone::utc().local(micros).to_string().replace("T00:00:00", "")
    }

    /// The other side's window, and the pairs of periods.
    fn asked(back: TimeUnit, per: Option<Grain>, from: &str, until: &str, now: &str) -> (String, Vec<String>) {
        let window = Window { from: Some(at(from)), until: at(until), words: String::new(), moment: false };
        let compare = Compare { name: "previous".into(), with: CompareWith::Previous(grain(back)) };
        let (zone, now) = (Zone::utc(), at(now));
        let span = Span::of(&window, now);
        let side = side(&compare, &zone, "UTC", per.as_ref(), &span, at(from), now).unwrap();
        let pairs = side.alignment.map_or(Vec::new(), |alignment| alignment.pairs(&zone).unwrap());
        let pairs = pairs.into_iter().map(|(a, b)| format!("{} {}", day(a), day(b))).collect();
        (format!("{} {}", day(side.from), day(side.until)), pairs)
    }

    #[test]
    fn periods_meet_those_of_the_same_number() {
        let first = |days: i32| date(2025, 1, 5).checked_add(days.days()).unwrap().to_string();
        let (year, next) = (first(9 * 7), first(19 * 7));
        // The months of the second year stand against those of the first.
        let (window, pairs) = asked(TimeUnit::Year, Some(grain(TimeUnit::Month)), &year, &next, "2030-01-01");
        assert_eq!(pairs, [format!("{year} {}", first(0)), format!("{} {}", first(13 * 7), first(4 * 7))]);
        assert_eq!(window, format!("{} {year}", first(0)));
        // Of its ten weeks the last has no counterpart.
        let (_, pairs) = asked(TimeUnit::Year, Some(grain(TimeUnit::Week)), &year, &next, "2030-01-01");
        assert_eq!((pairs.len(), pairs.last()), (9, Some(&format!("{} {}", first(17 * 7), first(8 * 7)))));
        // Days are counted, too, and the first year has none before it.
        let days = Some(Grain::ordinary(TimeUnit::Day));
        let (window, pairs) = asked(TimeUnit::Month, days.clone(), &first(28), &first(30), "2030-01-01");
        assert_eq!(pairs, [format!("{} {}", first(28), first(0)), format!("{} {}", first(29), first(1))]);
        assert_eq!(window, format!("{} {}", first(0), first(2)));
        assert_eq!(asked(TimeUnit::Year, days, &first(3), &first(5), "2030-01-01").1, Vec::<String>::new());
    }

    #[test]
    fn the_running_period_meets_the_same_part() {
        let first = |days: i32| date(2025, 1, 5).checked_add(days.days()).unwrap();
        let now = first(9 * 7 + 10).at(18, 0, 0, 0).to_string();
        let (from, until) = (first(9 * 7).to_string(), first(13 * 7).to_string());
        let part = format!("{} {}", first(0), first(10).at(18, 0, 0, 0));
        let month = Some(grain(TimeUnit::Month));
        assert_eq!(asked(TimeUnit::Year, month, &from, &now, &now).0, part);
        assert_eq!(asked(TimeUnit::Year, None, &from, &now, &now).0, part);
        assert_eq!(asked(TimeUnit::Year, None, &from, &until, &now).0, part);
    }

    #[test]
    fn windows_are_counted_in_the_longest_periods_that_they_are_made_of() {
        let first = |weeks: i32| date(2025, 1, 5).checked_add((weeks * 7).days()).unwrap().to_string();
        let window = |from: &str, until: &str| asked(TimeUnit::Year, None, from, until, "2030-01-01").0;
        // A year of ten weeks against one of nine; its second month of six against one of five.
        assert_eq!(window(&first(9), &first(19)), format!("{} {}", first(0), first(9)));
        assert_eq!(window(&first(13), &first(19)), format!("{} {}", first(4), first(9)));
        // Two weeks against two weeks, three days against three days.
        assert_eq!(window(&first(10), &first(12)), format!("{} {}", first(1), first(3)));
        let day: Date = first(10).parse().unwrap();
        let three = day.checked_add(3.days()).unwrap().to_string();
        let other: Date = first(1).parse().unwrap();
        assert_eq!(window(&first(10), &three), format!("{other} {}", other.checked_add(3.days()).unwrap()));
        // The first year has no year before.
        assert_eq!(window(&first(4), &first(9)), format!("{0} {0}", first(4)));
    }
}
