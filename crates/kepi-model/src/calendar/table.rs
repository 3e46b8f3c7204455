//! A calendar from a table (`calendar retail from "445.csv"`): a period is a run of days with the same label.

use super::{TimeUnit, date_of, day_number};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The units that a table may have columns for, from short to long.
pub const TABLE_UNITS: [TimeUnit; 4] = [TimeUnit::Week, TimeUnit::Month, TimeUnit::Quarter, TimeUnit::Year];

/// Where the one period before a table begins: the first year that has an instant in every zone.
const BEFORE: Date = Date::constant(-9998, 1, 1);

/// A row of the table: a day and its labels, in the order of [`TABLE_UNITS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDay {
    /// The day.
    pub day: Date,
    /// Its week, month, quarter and year.
    pub labels: [Option<String>; 4],
}

/// The periods of a calendar that comes from a table.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarTable {
    /// The first day; days are counted from 1970-01-01.
    first: i32,
    /// The day behind the last.
    end: i32,
    /// In the order of [`TABLE_UNITS`]; empty where the table has no such column.
    units: [Vec<Run>; 4],
}

/// Days with the same label.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    first: i32,
    label: String,
}

impl CalendarTable {
    /// Takes the rows of a table in any order.
    ///
    /// Errors, in words that follow the file's name: no rows, a day that is there twice or not at all, a day without a
    /// label in a column that has some.
    pub fn new(mut rows: Vec<TableDay>) -> Result<CalendarTable, String> {
        rows.sort_by_key(|row| row.day);
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Err("it has no days".to_string()) };
        let (first, end) = (day_number(first.day), day_number(last.day) + 1);
        for pair in rows.windows(2) {
            match day_number(pair[1].day) - day_number(pair[0].day) {
                0 => return Err(format!("{} is there twice", pair[1].day)),
                1 => {}
                _ => return Err(format!("{} is missing", pair[0].day.tomorrow().unwrap_or(pair[0].day))),
            }
        }
        let mut units: [Vec<Run>; 4] = Default::default();
        for (place, runs) in units.iter_mut().enumerate() {
            if rows.iter().all(|row| row.labels[place].is_none()) {
                continue;
            }
            for row in &rows {
                let Some(label) = &row.labels[place] else {
                    return Err(format!("{} has no {}", row.day, super::unit_name(TABLE_UNITS[place])));
                };
                if runs.last().is_none_or(|run| run.label != *label) {
                    runs.push(Run { first: day_number(row.day), label: label.clone() });
                }
            }
        }
        if units.iter().all(Vec::is_empty) {
            return Err("it has none of the columns week, month, quarter and year".to_string());
        }
        Ok(CalendarTable { first, end, units })
    }

    /// Whether it has periods of a unit.
    pub fn has(&self, unit: TimeUnit) -> bool {
        !self.runs(unit).is_empty()
    }

    /// The first day.
    pub fn first(&self) -> Date {
        date_of(self.first)
    }

    /// The day behind the last.
    pub fn end(&self) -> Date {
        date_of(self.end)
    }

    /// Whether a day is in the table.
    pub fn covers(&self, day: Date) -> bool {
        (self.first..self.end).contains(&day_number(day))
    }

    /// The label of the period that a day lies in; none for days that the table does not have.
    pub fn label(&self, unit: TimeUnit, day: Date) -> Option<&str> {
        let place = usize::try_from(self.number(unit, day)).ok()?;
        self.runs(unit).get(place).filter(|_| self.covers(day)).map(|run| run.label.as_str())
    }

    /// What the period that a day lies in is called: its label, with the year's in front where the table has that label
    /// more than once. None for days that the table does not have.
    pub fn name(&self, unit: TimeUnit, day: Date) -> Option<String> {
        let label = self.label(unit, day)?;
        let year = self.label(TimeUnit::Year, day).filter(|_| self.labelled(unit, label).nth(1).is_some());
        Some(year.map_or_else(|| label.to_string(), |year| format!("{year} {label}")))
    }

    /// The first days of all periods with a label.
    pub fn labelled<'a>(&'a self, unit: TimeUnit, label: &'a str) -> impl Iterator<Item = Date> + 'a {
        self.runs(unit).iter().filter(move |run| run.label == label).map(|run| date_of(run.first))
    }

    /// A number that is another one for other periods or labels (FNV-1a): what is known by its text tells tables apart by it.
    fn fingerprint(&self) -> u64 {
        let runs = self.units.iter().enumerate().flat_map(|(unit, runs)| runs.iter().map(move |run| (unit as u8, run)));
        let bytes = runs.flat_map(|(unit, run)| {
            let label = run.label.bytes().chain([0xff]);
            [unit].into_iter().chain(run.first.to_le_bytes()).chain(label)
        });
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// The first day of the period that a day lies in. All days before the table's first are one period, and so are those
    /// behind its last.
    pub(super) fn truncate(&self, unit: TimeUnit, day: Date) -> Date {
        self.start(unit, self.number(unit, day))
    }

    /// The first day of the period `count` periods after the one that a day lies in.
    pub(super) fn step(&self, unit: TimeUnit, day: Date, count: i64) -> Date {
        self.start(unit, self.number(unit, day).saturating_add(count))
    }

    /// The number of the period that a day lies in, from 0; -1 before the table, the number of periods behind it.
    pub fn number(&self, unit: TimeUnit, day: Date) -> i64 {
        let (day, runs) = (day_number(day), self.runs(unit));
        match day >= self.end {
            true => runs.len() as i64,
            false => runs.partition_point(|run| run.first <= day) as i64 - 1,
        }
    }

    fn start(&self, unit: TimeUnit, number: i64) -> Date {
        let runs = self.runs(unit);
        match usize::try_from(number) {
            Err(_) => BEFORE,
            Ok(place) if place == runs.len() => self.end(),
            Ok(place) => runs.get(place).map_or(Date::MAX, |run| date_of(run.first)),
        }
    }

    fn runs(&self, unit: TimeUnit) -> &[Run] {
        TABLE_UNITS.iter().position(|u| *u == unit).map_or(&[], |place| &self.units[place])
    }
}

/// Tables that are equal have the same days; the labels would take long.
impl Hash for CalendarTable {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.first, self.end).hash(state);
    }
}

impl fmt::Debug for CalendarTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table from {} until {}, {:016x}", self.first(), self.end(), self.fingerprint())
    }
}

/// A shared table as plain data.
pub(super) mod shared {
    use super::{Arc, CalendarTable};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        table: &Option<Arc<CalendarTable>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        table.as_deref().serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Arc<CalendarTable>>, D::Error> {
        Ok(Option::<CalendarTable>::deserialize(from)?.map(Arc::new))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed test should stop where it fails.

    use super::super::{Grain, Zone};
    use super::*;
    use jiff::ToSpan;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// Two years of 4-5-4 weeks from Sunday 2 February 2025; the second has a 53rd week in its last month.
    fn retail() -> Vec<TableDay> {
        let lengths = [4, 5, 4, 4, 5, 4, 4, 5, 4, 4, 5, 4];
        let mut day = date("2025-02-02");
        let mut rows = Vec::new();
        for year in [2025, 2026] {
            let mut week = 0;
            for (month, length) in (1..).zip(lengths) {
                let length = length + i32::from(year == 2026 && month == 12);
                for _ in 0..length {
                    week += 1;
                    for _ in 0..7 {
                        let quarter = (month - 1) / 3 + 1;
                        let labels = [format!("W{week}"), format!("P{month}"), format!("Q{quarter}"), year.to_string()];
                        rows.push(TableDay { day, labels: labels.map(Some) });
                        day = day.tomorrow().unwrap();
                    }
                }
            }
        }
        rows
    }

    fn grain(unit: TimeUnit) -> Grain {
        let mut rows = retail();
        rows.reverse();
        let table = Some(Arc::new(CalendarTable::new(rows).unwrap()));
        Grain { calendar: Some("retail".into()), table, ..Grain::ordinary(unit) }
    }

    #[test]
    fn periods_are_runs_of_days() {
        let zone = Zone::named("Europe/Amsterdam").unwrap();
        let at = |text: &str| zone.start_of_day(date(text));
        let day = |at: i64| zone.local(at).date().to_string();
        let month = grain(TimeUnit::Month);
        assert_eq!(day(zone.truncate(&month, at("2025-03-01"))), "2025-02-02");
        assert_eq!(day(zone.truncate(&month, at("2025-03-02"))), "2025-03-02");
        assert_eq!(day(zone.step(&month, at("2025-02-02"), 1)), "2025-03-02");
        assert_eq!(day(zone.step(&month, at("2025-02-02"), 12)), "2026-02-01");
        assert_eq!(day(zone.step(&grain(TimeUnit::Year), at("2025-02-02"), 1)), "2026-02-01");
        // The second year has 53 weeks and is the last.
        assert_eq!(day(zone.step(&grain(TimeUnit::Year), at("2026-02-01"), 1)), "2027-02-07");
        assert_eq!(zone.periods_between(&grain(TimeUnit::Week), at("2026-02-01"), at("2027-02-06")), 52);
        assert_eq!(zone.periods_between(&month, at("2025-04-06"), at("2025-02-08")), -2);
        // What lies outside is one period on each side.
        assert_eq!(zone.periods_between(&month, at("2025-02-01"), at("2030-01-01")), 25);
        assert!(zone.truncate(&month, at("2025-02-01")) < at("1000-01-01"));
        assert_eq!(day(zone.truncate(&month, at("2030-01-01"))), "2027-02-07");
    }

    #[test]
    fn labels_are_those_of_the_table() {
        let table = CalendarTable::new(retail()).unwrap();
        assert_eq!(table.label(TimeUnit::Month, date("2025-03-01")), Some("P1"));
        assert_eq!(table.label(TimeUnit::Week, date("2027-02-06")), Some("W53"));
        assert_eq!(table.label(TimeUnit::Year, date("2027-02-07")), None);
        assert_eq!(table.label(TimeUnit::Year, date("2025-02-01")), None);
        assert_eq!(table.name(TimeUnit::Month, date("2025-03-01")).as_deref(), Some("2025 P1"));
        assert_eq!(table.name(TimeUnit::Week, date("2027-02-06")).as_deref(), Some("W53"));
        assert_eq!(table.name(TimeUnit::Year, date("2027-02-06")).as_deref(), Some("2026"));
        let seconds: Vec<Date> = table.labelled(TimeUnit::Month, "P2").collect();
        assert_eq!(seconds, [date("2025-03-02"), date("2026-03-01")]);
    }

    #[test]
    fn what_is_no_calendar_is_refused_in_words() {
        let refused = |change: &dyn Fn(&mut Vec<TableDay>)| {
            let mut rows = retail();
            change(&mut rows);
            CalendarTable::new(rows).unwrap_err()
        };
        assert_eq!(refused(&|rows| rows.clear()), "it has no days");
        assert_eq!(refused(&|rows| drop(rows.remove(3))), "2025-02-05 is missing");
        assert_eq!(refused(&|rows| rows[4].day = rows[3].day), "2025-02-05 is there twice");
        assert_eq!(refused(&|rows| rows[3].labels[1] = None), "2025-02-05 has no month");
        let without = |rows: &mut Vec<TableDay>| rows.iter_mut().for_each(|row| row.labels = Default::default());
        assert_eq!(refused(&without), "it has none of the columns week, month, quarter and year");
        let mut one = retail();
        one.iter_mut().for_each(|row| row.labels[2] = None);
        assert!(!CalendarTable::new(one).unwrap().has(TimeUnit::Quarter));
    }

    #[test]
    fn a_table_is_told_in_short() {
        let month = grain(TimeUnit::Month);
        let told = format!("{month:?}");
        assert!(told.contains("table from 2025-02-02 until 2027-02-07"));
        let mut other = retail();
        other
            .iter_mut()
            .filter(|row| row.labels[1].as_deref() == Some("P3"))
            .for_each(|row| row.labels[1] = Some("X".into()));
        assert_ne!(
            format!("{:?}", CalendarTable::new(other).unwrap()),
            format!("{:?}", month.table.as_deref().unwrap())
        );
        assert_eq!(date("2025-02-02").saturating_add(735.days()), date("2027-02-07"));
    }
}
