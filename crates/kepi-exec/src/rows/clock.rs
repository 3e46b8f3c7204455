//! The calendar for columns of times: what the zone says is asked once per day, not once per row.

use kepi_model::calendar::{Grain, TimeUnit, Zone, date_of, day_number, truncate_date};
use kepi_model::value::CalendarSpan;
use std::ops::Range;

/// Microseconds of a day without a change of clocks.
pub(crate) const DAY: i64 = 86_400_000_000;

/// A time zone with tables by day.
#[derive(Debug)]
pub(crate) struct Clock {
    zone: Zone,
    offsets: Days,
    starts: Days,
    changes: Vec<Change>,
    /// The local days of instants.
    days: Spans,
}

/// A day of UTC during which local time jumps.
#[derive(Debug)]
struct Change {
    utc_day: i64,
    at: i64,
    before: i64,
    after: i64,
}

/// A number per day, filled when it is first asked for.
#[derive(Debug, Default)]
pub(crate) struct Days {
    /// Stretches of days, each made when one of its days is asked for: most data lie in few of them, and a pass has
    /// several tables of its own.
    values: Vec<Option<Box<[i64; STRETCH]>>>,
    spans: Spans,
}

/// What a function of times gives for the two local days of a day of UTC, by its last digits.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    utc_day: i64,
    /// Where the first local day ends and the second begins.
    cut: i64,
    /// What is added or given before the cut and from it on; [`EMPTY`]: not known yet.
    before: i64,
    after: i64,
}

/// So many days of UTC are kept at once.
const SPANS: i64 = 2048;

/// The days with a place in the tables: 1898 to 2117. Others are computed each time.
const FIRST: i64 = -26_000;
const COUNT: usize = 80_000;
/// So many days are made together.
const STRETCH: usize = 512;
const EMPTY: i64 = i64::MIN;
/// In place of an offset: it changes during the day.
const CHANGES: i64 = i64::MIN + 1;

impl Days {
    /// The number of a day.
    #[inline]
    pub(crate) fn get(&mut self, day: i64, make: impl FnOnce() -> i64) -> i64 {
        let Some(place) = day.checked_sub(FIRST).and_then(|p| usize::try_from(p).ok()).filter(|&p| p < COUNT) else {
            return make();
        };
        if self.values.is_empty() {
            self.values.resize_with(COUNT.div_ceil(STRETCH), || None);
        }
        let stretch = self.values[place / STRETCH].get_or_insert_with(|| Box::new([EMPTY; STRETCH]));
        let value = &mut stretch[place % STRETCH];
        if *value == EMPTY {
            *value = make();
        }
        *value
    }
}

impl Spans {
    /// What is known of an instant, and the instants around it of which that holds, too.
    #[inline]
    fn get(&self, time: i64) -> Option<(i64, Range<i64>)> {
        let utc_day = time.div_euclid(DAY);
        let span = self.spans.get(utc_day.rem_euclid(SPANS) as usize).filter(|span| span.utc_day == utc_day)?;
        let (start, end) = (utc_day * DAY, (utc_day + 1) * DAY);
        let (found, around) = match time < span.cut {
            true => (span.before, start..end.min(span.cut)),
            false => (span.after, start.max(span.cut)..end),
        };
        (found != EMPTY).then_some((found, around))
    }

    /// Keeps what holds for the instants of a whole local day, one of which is `time`.
    fn learn(&mut self, time: i64, day: &Range<i64>, value: i64) {
        if day.is_empty() {
            return;
        }
        if self.spans.is_empty() {
            let nothing = Span { utc_day: i64::MIN, cut: 0, before: EMPTY, after: EMPTY };
            self.spans = vec![nothing; SPANS as usize];
        }
        let utc_day = time.div_euclid(DAY);
        let start = utc_day * DAY;
        let span = &mut self.spans[utc_day.rem_euclid(SPANS) as usize];
        // A local day that does not begin before the day of UTC begins within it, since the time lies in both.
        let cut = if day.start > start { day.start } else { day.end };
        if span.utc_day != utc_day || span.cut != cut {
            *span = Span { utc_day, cut, before: EMPTY, after: EMPTY };
        }
        if day.start > start { span.after = value } else { span.before = value }
    }
}

impl Clock {
    /// The clock of a zone.
    pub(crate) fn new(zone: Zone) -> Clock {
        let (offsets, starts) = Default::default();
        Clock { zone, offsets, starts, changes: Vec::new(), days: Spans::default() }
    }

    /// The zone itself.
    pub(crate) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// By how much local time is ahead of UTC during all of a day of UTC; none: it changes.
    #[inline]
    fn offset(&mut self, utc_day: i64) -> Option<i64> {
        let zone = &self.zone;
        let found = self.offsets.get(utc_day, || {
            let start = utc_day.saturating_mul(DAY);
            let (first, last) = (offset_at(zone, start), offset_at(zone, start.saturating_add(DAY - 1)));
            if first == last { first } else { CHANGES }
        });
        (found != CHANGES).then_some(found)
    }

    /// The local day of an instant, and the microseconds on its clock.
    #[inline]
    pub(crate) fn local(&mut self, micros: i64) -> (i64, i64) {
        let offset = self.ahead(micros);
        let local = micros.saturating_add(offset);
        (local.div_euclid(DAY), local.rem_euclid(DAY))
    }

    /// By how much local time is ahead of UTC at an instant of a day during which that changes (once).
    fn changing(&mut self, utc_day: i64, micros: i64) -> i64 {
        let known = self.changes.iter().find(|c| c.utc_day == utc_day);
        if let Some(change) = known {
            return if micros < change.at { change.before } else { change.after };
        }
        let (mut low, mut high) = (utc_day * DAY, utc_day * DAY + DAY - 1);
        let (before, after) = (offset_at(&self.zone, low), offset_at(&self.zone, high));
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match offset_at(&self.zone, middle) == before {
                true => low = middle,
                false => high = middle,
            }
        }
        self.changes.push(Change { utc_day, at: high, before, after });
        if micros < high { before } else { after }
    }

    /// By how much local time is ahead of UTC during all of a local day; none: it changes on that day, or at one of its
    /// ends, where an hour of it may come twice.
    #[inline]
    pub(crate) fn calm(&mut self, day: i64) -> Option<i64> {
        let offset = self.offset(day)?;
        if self.offset(day.saturating_sub(1)) == Some(offset) && self.offset(day.saturating_add(1)) == Some(offset) {
            return Some(offset);
        }
        self.calm_beside_change(day, offset)
    }

    /// The same where the clock changes in the day of UTC before or after.
    fn calm_beside_change(&mut self, day: i64, offset: i64) -> Option<i64> {
        let start = day.saturating_mul(DAY).saturating_sub(offset);
        let end = start.saturating_add(DAY);
        let within = self.ahead(start) == offset && self.ahead(end - 1) == offset;
        // Set back at midnight, the clock shows the same day once more on the other side of it.
        let before = (start - 1).saturating_add(self.ahead(start - 1)).div_euclid(DAY);
        let after = end.saturating_add(self.ahead(end)).div_euclid(DAY);
        (within && before != day && after != day).then_some(offset)
    }

    /// By how much local time is ahead of UTC at an instant.
    #[inline]
    fn ahead(&mut self, micros: i64) -> i64 {
        let utc_day = micros.div_euclid(DAY);
        self.offset(utc_day).unwrap_or_else(|| self.changing(utc_day, micros))
    }

    /// The instants of a local day; empty where its clock changes.
    fn day_of(&mut self, micros: i64) -> (Range<i64>, i64) {
        let (day, _) = self.local(micros);
        match self.calm(day).and_then(|offset| Some((day.checked_mul(DAY)?.checked_sub(offset)?, day))) {
            Some((start, day)) => (start..start.saturating_add(DAY), day),
            None => (0..0, day),
        }
    }

    /// Computes a function of times. Neighbours that lie in one local day cost one addition, others of a day that was
    /// seen before a little more: `of` gives a time's value, and whether all times of its day are as far from theirs
    /// (else all have the same). `spans` are those of this function.
    pub(crate) fn by_day(
        &mut self,
        times: &[i64],
        moves: bool,
        spans: &mut Spans,
        mut of: impl FnMut(&mut Clock, i64) -> (i64, bool),
    ) -> Vec<i64> {
        let mut day = 0..0;
        let mut add = 0;
        let mut values = Vec::with_capacity(times.len());
        for &time in times {
            if !day.contains(&time) {
                if let Some(known) = spans.get(time) {
                    (add, day) = known;
                    values.push(if moves { time + add } else { add });
                    continue;
                }
                let (value, whole_day) = of(self, time);
                values.push(value);
                add = if moves { value.wrapping_sub(time) } else { value };
                day = if whole_day { self.day_of(time).0 } else { 0..0 };
                spans.learn(time, &day, add);
                continue;
            }
            values.push(if moves { time + add } else { add });
        }
        values
    }

    /// The instant of a local day and the microseconds on its clock.
    #[inline]
    pub(crate) fn instant(&mut self, day: i64, of_day: i64) -> i64 {
        if let Some(offset) = self.calm(day) {
            return day.saturating_mul(DAY).saturating_add(of_day - offset);
        }
        let second = of_day / 1_000_000;
        let (hour, minute) = ((second / 3600) as i8, (second / 60 % 60) as i8);
        let nanos = (of_day % 1_000_000 * 1000) as i32;
        self.zone.instant(date_of(clamp_day(day)).at(hour, minute, (second % 60) as i8, nanos))
    }

    /// The first instant of a local day.
    #[inline]
    pub(crate) fn start_of_day(&mut self, day: i64) -> i64 {
        let zone = &self.zone;
        self.starts.get(day, || zone.start_of_day(date_of(clamp_day(day))))
    }

    /// The first instant of the period that an instant lies in. `table` holds the first days of this grain's periods.
    #[inline]
    pub(crate) fn truncate(&mut self, grain: &Grain, table: &mut Days, micros: i64) -> i64 {
        let unit = match grain.unit {
            TimeUnit::Second => return micros.div_euclid(1_000_000) * 1_000_000,
            TimeUnit::Minute => 60_000_000,
            TimeUnit::Hour => 3_600_000_000,
            _ => {
                let (day, _) = self.local(micros);
                let first = truncate_day(grain, table, day);
                return self.start_of_day(first);
            }
        };
        let (_, of_day) = self.local(micros);
        micros.div_euclid(1_000_000) * 1_000_000 - of_day % unit / 1_000_000 * 1_000_000
    }

    /// A calendar span later. `table` holds the days that this span's months and days lead to.
    #[inline]
    pub(crate) fn add(&mut self, span: CalendarSpan, table: &mut Days, micros: i64) -> i64 {
        if span.months == 0 && span.days == 0 {
            return micros.saturating_add(span.micros);
        }
        let (day, of_day) = self.local(micros);
        let zone = &self.zone;
        let target = table.get(day, || add_days(day, span).unwrap_or(CHANGES));
        if target == CHANGES {
            // Beyond the calendar: the zone says where that ends.
            return zone.add(micros, span);
        }
        self.instant(target, of_day).saturating_add(span.micros)
    }

    /// By how much a calendar span later than a time is later, and the instant behind the last one from there on of which
    /// it is known that this is the same.
    pub(crate) fn add_stretch(&mut self, span: CalendarSpan, table: &mut Days, time: i64) -> (i64, i64) {
        if span.months == 0 && span.days == 0 {
            return (span.micros, i64::MAX);
        }
        let later = self.add(span, table, time);
        let (day, target) = (self.local(time).0, self.local(later.saturating_sub(span.micros)).0);
        let in_table = |day: i64| (FIRST..FIRST + COUNT as i64).contains(&day);
        let calm = in_table(day) && in_table(target) && self.calm(day).is_some() && self.calm(target).is_some();
        let next = time.saturating_add(1);
        let end = if calm { self.day_of(time).0.end.max(next) } else { next };
        (later.saturating_sub(time), end)
    }

    /// A calendar span later than each of many times.
    pub(crate) fn add_all(&mut self, span: CalendarSpan, table: &mut Days, times: &[i64]) -> Vec<i64> {
        let mut spans = std::mem::take(&mut table.spans);
        let values = self.by_day(times, true, &mut spans, |clock, time| {
            let (day, _) = clock.local(time);
            let later = clock.add(span, table, time);
            let target = clock.local(later.saturating_sub(span.micros)).0;
            let in_table = |day: i64| (FIRST..FIRST + COUNT as i64).contains(&day);
            let calm = in_table(day) && in_table(target) && clock.calm(day).is_some() && clock.calm(target).is_some();
            (later, calm)
        });
        table.spans = spans;
        values
    }

    /// The first instants of the periods that many times lie in.
    pub(crate) fn truncate_all(&mut self, grain: &Grain, table: &mut Days, times: &[i64]) -> Vec<i64> {
        let long = !matches!(grain.unit, TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour);
        let mut spans = std::mem::take(&mut table.spans);
        let values = self.by_day(times, false, &mut spans, |clock, time| (clock.truncate(grain, table, time), long));
        table.spans = spans;
        values
    }

    /// The local days of many times.
    pub(crate) fn days(&mut self, times: &[i64]) -> Vec<i64> {
        let mut spans = std::mem::take(&mut self.days);
        let values = self.by_day(times, false, &mut spans, |clock, time| (clock.local(time).0, true));
        self.days = spans;
        values
    }

    /// Numbers of the local days of many times, which `number` gives; `table` holds those of this function.
    pub(crate) fn by_number(
        &mut self,
        times: &[i64],
        table: &mut Days,
        mut number: impl FnMut(i64) -> i64,
    ) -> Vec<i64> {
        let mut spans = std::mem::take(&mut table.spans);
        let values = self.by_day(times, false, &mut spans, |clock, time| {
            let day = clock.local(time).0;
            (table.get(day, || number(day)), true)
        });
        table.spans = spans;
        values
    }
}

/// The first day of the period that a day lies in.
pub(crate) fn truncate_day(grain: &Grain, table: &mut Days, day: i64) -> i64 {
    table.get(day, || i64::from(day_number(truncate_date(grain, date_of(clamp_day(day))))))
}

/// A number that grows by one with every period of a grain of a day or more.
pub(crate) fn period_number(grain: &Grain, first_day: i64) -> i64 {
    let date = date_of(clamp_day(first_day));
    if let Some(table) = &grain.table {
        return table.number(grain.unit, date);
    }
    let months = i64::from(date.year()) * 12 + i64::from(date.month());
    match grain.unit {
        TimeUnit::Week => first_day.div_euclid(7),
        TimeUnit::Month => months,
        TimeUnit::Quarter => months.div_euclid(3),
        TimeUnit::Year => months.div_euclid(12),
        _ => first_day,
    }
}

/// Months and days later, months clamped to the month's last day; none beyond the calendar.
pub(crate) fn add_days(day: i64, span: CalendarSpan) -> Option<i64> {
    let date = date_of(i32::try_from(day).ok()?);
    if i64::from(day_number(date)) != day {
        return None;
    }
    let moved = jiff::Span::new().try_months(span.months).and_then(|s| s.try_days(span.days)).ok()?;
    let moved = date.checked_add(moved).ok()?;
    Some(i64::from(day_number(moved)))
}

/// A day as the calendar takes it.
pub(crate) fn clamp_day(day: i64) -> i32 {
    day.clamp(-4_000_000, 3_000_000) as i32
}

fn local_micros(zone: &Zone, micros: i64) -> i64 {
    let local = zone.local(micros);
    let time = local.time();
    let seconds = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    i64::from(day_number(local.date())) * DAY + seconds * 1_000_000 + i64::from(time.subsec_nanosecond()) / 1000
}

fn offset_at(zone: &Zone, micros: i64) -> i64 {
    local_micros(zone, micros) - micros
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tables_say_what_the_zone_says() {
        let zones = ["UTC", "Europe/Amsterdam", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe"];
        let units = [TimeUnit::Minute, TimeUnit::Hour, TimeUnit::Day, TimeUnit::Week, TimeUnit::Month];
        proptest!(|(
            name in proptest::sample::select(zones.to_vec()), micros in -2_500_000_000_000_000_i64..4_500_000_000_000_000,
            unit in proptest::sample::select(units.to_vec()), months in -30..30_i32, days in -40..40_i32, hours in -30..30_i64,
        )| {
            let zone = Zone::named(name).unwrap();
            let mut clock = Clock::new(zone.clone());
            let grain = Grain::ordinary(unit);
            prop_assert_eq!(clock.truncate(&grain, &mut Days::default(), micros), zone.truncate(&grain, micros));
            let span = CalendarSpan { months, days, micros: hours * 3_600_000_000 };
            prop_assert_eq!(clock.add(span, &mut Days::default(), micros), zone.add(micros, span));
            prop_assert_eq!(clock.local(micros).0, i64::from(zone.day_number(micros)));
            let (later, behind) = clock.add_stretch(span, &mut Days::default(), micros);
            for time in [micros, micros + (behind.min(micros + 40 * DAY) - micros) / 3, behind.min(micros + 40 * DAY) - 1] {
                prop_assert_eq!(time + later, zone.add(time, span));
            }
            // Neighbours in time, a quarter of an hour apart, across whatever the clocks do.
            let times: Vec<i64> = (0..200).map(|i| micros + i * 900_000_000).collect();
            let added: Vec<i64> = times.iter().map(|&t| zone.add(t, span)).collect();
            prop_assert_eq!(clock.add_all(span, &mut Days::default(), &times), added);
            let truncated: Vec<i64> = times.iter().map(|&t| zone.truncate(&grain, t)).collect();
            prop_assert_eq!(clock.truncate_all(&grain, &mut Days::default(), &times), truncated);
            // The same in no order, and far from each other, with what was learnt before.
            let (mut starts, mut later) = (Days::default(), Days::default());
            for apart in [900_000_000, 86_399_999_999, 86_400_000_000, 2048 * DAY - 3_600_000_000] {
                let times: Vec<i64> = (0..200).map(|i| micros + (i * 77 % 200 - 100) * apart / 4).collect();
                let added: Vec<i64> = times.iter().map(|&t| zone.add(t, span)).collect();
                prop_assert_eq!(clock.add_all(span, &mut later, &times), added);
                let truncated: Vec<i64> = times.iter().map(|&t| zone.truncate(&grain, t)).collect();
                prop_assert_eq!(clock.truncate_all(&grain, &mut starts, &times), truncated);
                let days: Vec<i64> = times.iter().map(|&t| i64::from(zone.day_number(t))).collect();
                prop_assert_eq!(clock.days(&times), days);
            }
        });
    }
}
