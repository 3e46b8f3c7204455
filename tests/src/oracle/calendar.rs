//! Days, weeks, months and years of a time zone, found by walking from day to day.

use super::number::Number;
use super::value::Value;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan, Zoned};
use kepi_syntax::ast::{self, Bound, CalendarRule, TimeUnit};
use std::collections::BTreeMap;

/// A length by the calendar, each part counted for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Length {
    /// Months; a year is twelve.
    pub months: i64,
    /// Days; a week is seven.
    pub days: i64,
    /// Microseconds: hours and less.
    pub micros: i64,
}

impl Length {
    /// So many units.
    pub fn of(number: i64, unit: TimeUnit) -> Length {
        let none = Length::default();
        match unit {
            TimeUnit::Second => Length { micros: number * 1_000_000, ..none },
            TimeUnit::Minute => Length { micros: number * 60_000_000, ..none },
            TimeUnit::Hour => Length { micros: number * 3_600_000_000, ..none },
            TimeUnit::Day => Length { days: number, ..none },
            TimeUnit::Week => Length { days: number * 7, ..none },
            TimeUnit::Month => Length { months: number, ..none },
            TimeUnit::Quarter => Length { months: number * 3, ..none },
            TimeUnit::Year => Length { months: number * 12, ..none },
        }
    }

    /// Its seconds, where a year is 365.2425 days and a month a twelfth of it.
    pub fn seconds(self) -> Number {
        let months = Number::whole(i128::from(self.months) * seconds_in(TimeUnit::Month));
        let days = Number::whole(i128::from(self.days) * 86_400);
        let rest = Number::fraction(i128::from(self.micros), 1_000_000).unwrap_or(Number::ZERO);
        months.plus(days).plus(rest)
    }

    /// The same length backwards.
    pub fn negated(self) -> Length {
        Length { months: -self.months, days: -self.days, micros: -self.micros }
    }

    /// Both lengths together.
    pub fn plus(self, other: Length) -> Length {
        Length { months: self.months + other.months, days: self.days + other.days, micros: self.micros + other.micros }
    }
}

/// Seconds of a unit in products and quotients.
pub(super) fn seconds_in(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Minute => 60,
        TimeUnit::Hour => 3_600,
        TimeUnit::Day => 86_400,
        TimeUnit::Week => 604_800,
        TimeUnit::Month => 2_629_746,
        TimeUnit::Quarter => 7_889_238,
        TimeUnit::Year => 31_556_952,
    }
}

/// A kind of period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grain {
    /// Its unit.
    pub unit: TimeUnit,
    /// The month that years start in.
    pub year_starts: i8,
    /// The weekday that weeks start on, 1 Monday.
    pub week_starts: i8,
    /// Whether a year is named by the calendar year it starts in.
    pub named_by_start: bool,
    /// Which of the tables says where its periods begin.
    pub table: Option<usize>,
}

/// A day of a calendar that comes from a table, with the labels of its week, month, quarter and year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDay {
    /// The day.
    pub day: Date,
    /// The labels.
    pub labels: [String; 4],
}

/// The zone and the calendars of a model.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    week_starts: i8,
    named: BTreeMap<String, Grain>,
    tables: Vec<Vec<TableDay>>,
}

impl Calendar {
    /// Takes the zone and the calendars that the files declare.
    ///
    /// # Errors
    /// In words, when the zone or a weekday is unknown.
    pub fn new(zone: &str, declared: &[ast::Calendar]) -> Result<Calendar, String> {
        let zone = TimeZone::get(zone).map_err(|e| e.to_string())?;
        let mut calendar = Calendar { zone, week_starts: 1, named: BTreeMap::new(), tables: vec![] };
        for (index, declaration) in declared.iter().enumerate() {
            let mut grain =
                Grain { unit: TimeUnit::Year, year_starts: 1, week_starts: 1, named_by_start: false, table: None };
            for rule in &declaration.rules {
                match rule {
                    CalendarRule::Starts(unit, word) if unit.text.starts_with("week") => {
                        grain.week_starts = position(&WEEKDAYS, word)?;
                    }
                    CalendarRule::Starts(_, word) => grain.year_starts = position(&MONTHS, word)?,
                    CalendarRule::NamedByStart => grain.named_by_start = true,
                }
            }
            if index == 0 {
                calendar.week_starts = grain.week_starts;
            }
            calendar.named.insert(declaration.name.text.clone(), grain);
        }
        Ok(calendar)
    }

    /// Takes the periods of a calendar from a table, whose days come without a gap.
    pub fn with_table(mut self, calendar: &str, mut days: Vec<TableDay>) -> Calendar {
        days.sort_by_key(|day| day.day);
        if let Some(grain) = self.named.get_mut(calendar) {
            grain.table = Some(self.tables.len());
            self.tables.push(days);
        }
        self
    }

    fn table_day(&self, table: usize, day: Date) -> Option<&TableDay> {
        let days = &self.tables[table];
        days.binary_search_by_key(&day, |row| row.day).ok().map(|index| &days[index])
    }

    /// The label that a table gives to a day; none outside of it.
    fn label(&self, table: usize, unit: TimeUnit, day: Date) -> Option<&str> {
        let place =
            [TimeUnit::Week, TimeUnit::Month, TimeUnit::Quarter, TimeUnit::Year].iter().position(|u| *u == unit)?;
        self.table_day(table, day).map(|row| &row.labels[place][..])
    }

    /// The grain of `month` or `fiscal.quarter`; none when it is no grain.
    pub fn grain(&self, path: &ast::Path) -> Option<Grain> {
        match &path.parts[..] {
            [unit] => Some(self.ordinary(unit_named(&unit.text)?)),
            [calendar, unit] => Some(Grain { unit: unit_named(&unit.text)?, ..*self.named.get(&calendar.text)? }),
            _ => None,
        }
    }

    /// A unit of the ordinary calendar.
    pub fn ordinary(&self, unit: TimeUnit) -> Grain {
        Grain { unit, year_starts: 1, week_starts: self.week_starts, named_by_start: false, table: None }
    }

    /// The local date and time of an instant.
    pub fn local(&self, at: i64) -> Zoned {
        let stamp = Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
        stamp.to_zoned(self.zone.clone())
    }

    /// The local day of an instant.
    pub fn day(&self, at: i64) -> Date {
        self.local(at).date()
    }

    /// The instant of a local date and time; a time that the clocks skip is as far behind the gap as it says.
    pub fn instant(&self, local: DateTime) -> i64 {
        self.zone.to_zoned(local).map_or(i64::MAX, |zoned| zoned.timestamp().as_microsecond())
    }

    /// The first instant of a day.
    pub fn start_of_day(&self, day: Date) -> i64 {
        self.instant(day.at(0, 0, 0, 0))
    }

    /// A length later: months and days by the calendar (the 31st becomes the month's last day), then elapsed time.
    pub fn add(&self, at: i64, length: Length) -> i64 {
        let mut zoned = self.local(at);
        if length.months != 0 || length.days != 0 {
            let span = Span::new().months(length.months).days(length.days);
            zoned = zoned.checked_add(span).unwrap_or(zoned);
        }
        zoned.timestamp().as_microsecond() + length.micros
    }

    /// A length after a day: a day again, or an instant where the length has hours.
    pub fn add_to_day(&self, day: Date, length: Length) -> Value {
        if length.micros != 0 {
            return Value::Time(self.add(self.start_of_day(day), length));
        }
        let span = Span::new().months(length.months).days(length.days);
        Value::Date(day.checked_add(span).unwrap_or(day))
    }

    /// The first instant of the period that an instant lies in.
    pub fn start(&self, grain: Grain, at: i64) -> i64 {
        let local = self.local(at);
        let part_of_second = at.rem_euclid(1_000_000);
        let seconds = match grain.unit {
            TimeUnit::Second => 0,
            TimeUnit::Minute => i64::from(local.second()),
            TimeUnit::Hour => i64::from(local.minute()) * 60 + i64::from(local.second()),
            _ => return self.start_of_day(self.first_day(grain, local.date())),
        };
        at - part_of_second - seconds * 1_000_000
    }

    /// The start of the next period.
    pub fn next(&self, grain: Grain, start: i64) -> i64 {
        match grain.unit {
            TimeUnit::Second => start + 1_000_000,
            TimeUnit::Minute => start + 60_000_000,
            TimeUnit::Hour => start + 3_600_000_000,
            _ => self.start_of_day(self.next_first_day(grain, self.day(start))),
        }
    }

    /// The start of the period so many periods later or earlier.
    pub fn step(&self, grain: Grain, start: i64, count: i64) -> i64 {
        let mut at = start;
        for _ in 0..count {
            at = self.next(grain, at);
        }
        for _ in count..0 {
            at = self.start(grain, at - 1);
        }
        at
    }

    /// How many periods begin between two instants; negative when the second is earlier.
    pub fn periods_between(&self, grain: Grain, from: i64, to: i64) -> i64 {
        let (mut at, end) = (self.start(grain, from.min(to)), self.start(grain, from.max(to)));
        let mut count = 0;
        while at < end {
            at = self.next(grain, at);
            count += 1;
        }
        if from <= to { count } else { -count }
    }

    /// The year that a week belongs to (that of its fourth day) and its number in it.
    pub fn week_number(&self, grain: Grain, start: i64) -> (i16, i32) {
        let year = fourth_day(self.day(start)).year();
        let mut first = self.day(start);
        let mut number = 1;
        while fourth_day(first - 7.days()).year() == year {
            first -= 7.days();
            number += 1;
        }
        debug_assert!(self.first_day(grain, first) == first);
        (year, number)
    }

    /// The start of a numbered week; none when the year has no such week.
    pub fn week_numbered(&self, grain: Grain, year: i16, number: i32) -> Option<i64> {
        let mut day = self.first_day(grain, Date::new(year, 1, 4).ok()?);
        for _ in 1..number {
            day += 7.days();
        }
        (fourth_day(day).year() == year && number >= 1).then(|| self.start_of_day(day))
    }

    /// The two ends of `2025`, `2025-03`, `2025-Q3`, `2025-W07`, `fiscal.2026`.
    ///
    /// # Errors
    /// In words, when there is no such period.
    pub fn period(&self, calendar: Option<&str>, text: &str) -> Result<(i64, i64), String> {
        let wrong = || format!("there is no period {text}");
        let base = match calendar {
            None => self.ordinary(TimeUnit::Year),
            Some(name) => *self.named.get(name).ok_or_else(|| format!("there is no calendar {name}"))?,
        };
        if let Some(table) = base.table {
            let first = self.tables[table].iter().find(|row| row.labels[3] == text).ok_or_else(wrong)?;
            let start = self.start_of_day(first.day);
            return Ok((start, self.next(base, start)));
        }
        let (year, rest) = text.split_once('-').unwrap_or((text, ""));
        let year: i16 = year.parse().map_err(|_| wrong())?;
        // A fiscal year that ends in 2026 begins in 2025, unless it begins in January.
        let begins = if base.year_starts == 1 || base.named_by_start { year } else { year - 1 };
        let first = Date::new(begins, base.year_starts, 1).map_err(|_| wrong())?;
        let (unit, start) = if rest.is_empty() {
            (TimeUnit::Year, self.start_of_day(first))
        } else if let Some(quarter) = rest.strip_prefix('Q') {
            let quarter: i64 = quarter.parse().map_err(|_| wrong())?;
            (TimeUnit::Quarter, self.start_of_day(first + (3 * (quarter - 1)).months()))
        } else if let Some(week) = rest.strip_prefix('W') {
            let week = week.parse().map_err(|_| wrong())?;
            let grain = Grain { unit: TimeUnit::Week, ..base };
            (TimeUnit::Week, self.week_numbered(grain, year, week).ok_or_else(wrong)?)
        } else {
            let month = rest.parse().map_err(|_| wrong())?;
            (TimeUnit::Month, self.start_of_day(Date::new(year, month, 1).map_err(|_| wrong())?))
        };
        Ok((start, self.next(Grain { unit, ..base }, start)))
    }

    /// The two ends of a bound: of a day, a period, or an instant that is its own end.
    ///
    /// # Errors
    /// In words, when there is no such day or period.
    pub fn bound(&self, bound: &Bound, now: i64) -> Result<(i64, i64), String> {
        match bound {
            Bound::Now(_) => Ok((now, now)),
            Bound::Period { calendar, text, .. } => self.period(calendar.as_ref().map(|n| &n.text[..]), text),
            Bound::Date(date) => match self.literal(&date.text)? {
                Value::Date(day) => Ok((self.start_of_day(day), self.start_of_day(day + 1.day()))),
                Value::Time(at) => Ok((at, at)),
                _ => Err(format!("{} is no date", date.text)),
            },
        }
    }

    /// A date (a day) or an instant; without an offset it is in the model's zone.
    ///
    /// # Errors
    /// In words, when there is no such day.
    pub fn literal(&self, text: &str) -> Result<Value, String> {
        let text = &text.trim().replace(' ', "T");
        if let Ok(stamp) = text.parse::<Timestamp>() {
            return Ok(Value::Time(stamp.as_microsecond()));
        }
        if text.contains('T') {
            let local: DateTime = text.parse().map_err(|e: jiff::Error| e.to_string())?;
            return Ok(Value::Time(self.instant(local)));
        }
        text.parse().map(Value::Date).map_err(|e: jiff::Error| e.to_string())
    }
}

/// The unit of a word: `month`, `months`.
pub(super) fn unit_named(word: &str) -> Option<TimeUnit> {
    Some(match word.strip_suffix('s').unwrap_or(word) {
        "second" => TimeUnit::Second,
        "minute" => TimeUnit::Minute,
        "hour" => TimeUnit::Hour,
        "day" => TimeUnit::Day,
        "week" => TimeUnit::Week,
        "month" => TimeUnit::Month,
        "quarter" => TimeUnit::Quarter,
        "year" => TimeUnit::Year,
        _ => return None,
    })
}

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

fn position(words: &[&str], word: &str) -> Result<i8, String> {
    let found = words.iter().position(|w| w.eq_ignore_ascii_case(word));
    found.map(|index| index as i8 + 1).ok_or_else(|| format!("{word} is no month or weekday"))
}

fn fourth_day(first: Date) -> Date {
    first + 3.days()
}

impl Calendar {
    /// Whether a period begins on the day.
    fn begins(&self, grain: Grain, day: Date) -> bool {
        if let (Some(table), true) = (grain.table, grain.unit >= TimeUnit::Week) {
            return self.label(table, grain.unit, day) != self.label(table, grain.unit, day - 1.day());
        }
        let months_in = (day.month() - grain.year_starts).rem_euclid(12);
        match grain.unit {
            TimeUnit::Week => day.weekday().to_monday_one_offset() == grain.week_starts,
            TimeUnit::Month => day.day() == 1,
            TimeUnit::Quarter => day.day() == 1 && months_in % 3 == 0,
            TimeUnit::Year => day.day() == 1 && months_in == 0,
            _ => true,
        }
    }

    fn first_day(&self, grain: Grain, day: Date) -> Date {
        let mut day = day;
        while !self.begins(grain, day) && !self.is_outside(grain, day) {
            day -= 1.day();
        }
        day
    }

    fn next_first_day(&self, grain: Grain, day: Date) -> Date {
        let mut day = day + 1.day();
        while !self.begins(grain, day) {
            if self.is_outside(grain, day) {
                return Date::MAX;
            }
            day += 1.day();
        }
        day
    }

    /// Whether a moment lies outside the table that periods come from.
    pub fn has_no_period(&self, grain: Grain, at: i64) -> bool {
        self.is_outside(grain, self.day(at))
    }

    /// Whether a table has no such day: there are no periods there.
    fn is_outside(&self, grain: Grain, day: Date) -> bool {
        grain.table.is_some_and(|table| self.table_day(table, day).is_none())
    }
}
