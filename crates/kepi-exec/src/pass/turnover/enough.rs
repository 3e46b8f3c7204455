//! How many entities have enough rows in each window (`count(customer where count(orders over last 90 days) >= 3)`): counted
//! while the rows go by, without looking at an entity for each window.
//!
//! Windows are looked at in the order of their ends, and so the windows that have a row in them lie side by side: from the
//! first that ends behind it to before the first that begins behind it. Whoever has so many rows in a window has so many
//! in a row, one behind the other. So each row and the one so many before it say of a stretch of windows that the entity
//! counts in them, and these stretches come in their order.

use super::super::existence;
use super::super::feed::Feed;
use super::super::lookback::back;
use super::super::scalar::{CellKey, Labels, Scalar};
use super::super::windows::{Window, windows};
use super::super::{Cells, Part, Pass, Report, Source};
use super::COUNTS_MAX;
use super::asked::{conditions, is_first_named, of_entity};
use super::by_id::ById;
use super::cells::Sums;
use crate::ExecError;
use crate::rows::Program;
use crate::side_by_side::side_by_side;
use crate::zeros::zeros;
use kepi_extension::StreamInfo;
use kepi_model::calendar::Zone;
use kepi_model::core::{Aggregate, Base, Events, Existence, History, Measure, Op, Reach, Row, RowNode, Stage};
use kepi_model::value::Value;
use std::sync::Arc;

/// What explain says of it.
const WAY: &str = "counted by window from the rows that make it enough, without looking at each entity";
/// Fewer rows are not worth a thread of their own.
const PART_ROWS_MIN: u64 = if cfg!(any(test, debug_assertions)) { 4 } else { 50_000 };
/// More rows than this are not kept in mind by entity.
const LEAST_MAX: i128 = 8;

/// What an aggregate asks for: entities with at least so many rows in the window.
struct Asked<'a> {
    history: &'a History,
    least: usize,
    /// What else is to be so of the entity.
    conditions: Vec<&'a Row>,
}

/// The history of which an aggregate only asks whether it has enough rows; none: it asks for something else.
pub(crate) fn history(aggregate: &Aggregate) -> Option<&History> {
    asked(aggregate).map(|asked| asked.history)
}

fn asked(aggregate: &Aggregate) -> Option<Asked<'_>> {
    let Base::Entity(entity) = &aggregate.events.base else { return None };
    let plain = aggregate.moved.is_empty() && aggregate.across.is_empty() && aggregate.aging.is_none();
    if aggregate.measure != Measure::Count || !plain {
        return None;
    }
    let (enough, conditions): (Vec<&Row>, Vec<&Row>) =
        conditions(aggregate)?.into_iter().partition(|row| enough(row).is_some());
    let [one] = enough[..] else { return None };
    let (history, least) = enough_of(one, entity)?;
    let known = conditions.iter().copied().chain(&aggregate.labels).all(|row| of_entity(entity, row).is_some());
    known.then_some(Asked { history, least, conditions })
}

/// A condition on a count: the history, and how many it takes.
fn enough(row: &Row) -> Option<(&History, i128)> {
    let RowNode::Call { op, args } = &row.node else { return None };
    let [left, right] = args.as_slice() else { return None };
    let (history, number, or_more) = match op {
        Op::GreaterEqual => (left, right, true),
        Op::Greater => (left, right, false),
        Op::LessEqual => (right, left, true),
        Op::Less => (right, left, false),
        _ => return None,
    };
    let (RowNode::History(history), RowNode::Const(Value::Decimal { digits, scale })) = (&history.node, &number.node)
    else {
        return None;
    };
    let one = 10_i128.checked_pow(u32::from(*scale))?;
    let (whole, rest) = (digits.div_euclid(one), digits.rem_euclid(one));
    let least = if or_more && rest == 0 { whole } else { whole.checked_add(1)? };
    Some((history, least))
}

fn enough_of<'a>(row: &'a Row, entity: &str) -> Option<(&'a History, usize)> {
    let (history, least) = enough(row)?;
    let counts = history.measure == Measure::Count && !history.before;
    let dated = matches!(history.events.base, Base::Stream(_)) && matches!(history.key.node, RowNode::Role(_));
    let own = matches!(&history.subject.node, RowNode::Role(role) if role == entity);
    let within = (1..=LEAST_MAX).contains(&least);
    (counts && dated && own && within).then_some((history, usize::try_from(least).ok()?))
}

/// The cells of a pass; none: it asks for something else, or is only a part of one.
pub(crate) fn count(pass: &Pass, source: &Source, part: &Part) -> Result<Option<Cells>, ExecError> {
    let Base::Entity(entity) = &pass.base else { return Ok(None) };
    let Some(all) = pass.aggregates.iter().map(asked).collect::<Option<Vec<Asked>>>() else { return Ok(None) };
    let Some(history) = all.first().map(|asked| asked.history) else { return Ok(None) };
    let existing = pass.aggregates.iter().any(|a| a.existing);
    let alike = pass.aggregates.iter().all(|a| a.existing == existing) && all.iter().all(|a| a.history == history);
    if *part != Part::default() || !alike {
        return Ok(None);
    }
    let Base::Stream(stream) = &history.events.base else { return Ok(None) };
    let Some(StreamInfo { dated: true, .. }) = source.scan.stream(stream) else { return Ok(None) };
    let Some(zone) = Zone::named(&pass.zone) else { return Ok(None) };
    let (begins, mut scanned) = begins(pass, history, entity, source)?;
    let first = begins.as_ref().and_then(|begins| begins.first());
    let Some(times) = Times::of(pass, first, history, &zone)? else { return Ok(None) };
    let mut columns: Vec<Row> = Vec::new();
    let mut leasts: Vec<usize> = Vec::new();
    let mut number = |row: &Row| {
        let row = of_entity(entity, row)?;
        Some(place(&mut columns, row))
    };
    let mut wanted = Vec::with_capacity(all.len());
    for (asked, aggregate) in all.iter().zip(&pass.aggregates) {
        let labels = aggregate.labels.iter().map(&mut number).collect::<Option<Vec<usize>>>();
        let conditions = asked.conditions.iter().copied().map(&mut number).collect::<Option<Vec<usize>>>();
        let (Some(labels), Some(conditions)) = (labels, conditions) else { return Ok(None) };
        wanted.push(Wanted { least: place(&mut leasts, asked.least), labels, conditions });
    }
    let most = COUNTS_MAX / ((times.untils.len() + 1) * leasts.len());
    let Some(by_id) = ById::of(&columns, entity, most, source, (&pass.zone, pass.now))? else { return Ok(None) };
    let Ok(_taken) = source.take(by_id.bytes()) else { return Ok(None) };
    let read = side_by_side(source.threads, times.parts(history, stream, source), |part| {
        let mut feed = part.feed(pass, history, entity, source)?;
        let ids = feed.program.ids(entity);
        let _taken = source.take(ids * Enough::width(&leasts) * size_of::<u32>())?;
        let mut enough = Enough::new(&leasts, ids, &by_id, part.untils.len());
        if let Some(begins) = &begins {
            enough.begin(begins, &part.untils);
        }
        part.walk(&mut feed, &mut enough)?;
        Ok((Enough { known: Vec::new(), ..enough }, feed.rows_scanned()))
    });
    // Looked at one by one, entities may be few at a time.
    let read = match read {
        Err(ExecError::Memory { .. }) => return Ok(None),
        read => read?,
    };
    let (read, rows): (Vec<Enough>, Vec<u64>) = read.into_iter().unzip();
    let own = source.scan.entity(entity).map_or(0, |entity| u64::from(entity.count));
    scanned += rows.iter().sum::<u64>() + own;
    let report = Report {
        rows_scanned: scanned,
        without_entity: vec![0; pass.aggregates.len()],
        first,
        way: Some(WAY),
        ..Report::default()
    };
    Ok(Some(cells(&wanted, &times.periods, &read, report)))
}

/// Since when entities exist; none: from their rows on, at the latest, and nobody asks when time begins. And how many rows
/// were read to know that.
fn begins(
    pass: &Pass,
    history: &History,
    entity: &str,
    source: &Source,
) -> Result<(Option<Arc<existence::Begins>>, u64), ExecError> {
    let existence = pass.exists.as_ref().filter(|_| pass.aggregates.iter().any(|a| a.existing));
    let named = |of: &&Existence| is_first_named(of, &history.events.base, &history.key);
    let Some(existence) = existence.filter(|of| pass.first_instant().is_none() || !named(of)) else {
        return Ok((None, 0));
    };
    let count = source.scan.entity(entity).map_or(0, |entity| entity.count);
    let (begins, scanned) = existence::begins(existence, entity, count, source, &pass.zone)?;
    Ok((Some(begins), scanned))
}

/// The place of something in a list of what there is, each once.
fn place<T: PartialEq>(all: &mut Vec<T>, one: T) -> usize {
    all.iter().position(|known| *known == one).unwrap_or_else(|| {
        all.push(one);
        all.len() - 1
    })
}

/// The windows in which rows are counted, in the order of their beginnings and of their ends.
struct Times {
    /// The first instant of each.
    froms: Vec<i64>,
    /// The instant behind the last of each.
    untils: Vec<i64>,
    /// The periods that their cells are of.
    periods: Vec<Option<i64>>,
}

impl Times {
    /// None: they come in no such order.
    fn of(pass: &Pass, first: Option<i64>, history: &History, zone: &Zone) -> Result<Option<Times>, ExecError> {
        let windows = windows(pass, first, zone)?;
        let from = |w: &Window| match history.over {
            Reach::AllTime => i64::MIN,
            Reach::Last(span) => zone.add(w.until, back(span)),
            Reach::Period => w.cell.0,
        };
        let times = Times {
            froms: windows.iter().map(from).collect(),
            untils: windows.iter().map(|w| w.until).collect(),
            periods: windows.iter().map(|w| w.period).collect(),
        };
        Ok((times.froms.is_sorted() && times.untils.is_sorted()).then_some(times))
    }

    /// The same in parts, one for each thread: what is counted in some windows takes the rows of these alone.
    fn parts(&self, history: &History, stream: &str, source: &Source) -> Vec<Times> {
        let rows = source.scan.stream(stream).map_or(0, |info| info.rows);
        let threads = source.threads.min((rows / PART_ROWS_MIN) as usize);
        let cuts = match history.over {
            // Each would read nearly all rows.
            Reach::AllTime => Vec::new(),
            _ if threads < 2 => Vec::new(),
            _ => source.scan.splits(stream, self.froms.first().copied(), self.untils.last().copied(), threads),
        };
        let mut ends: Vec<usize> = cuts.iter().map(|cut| self.untils.partition_point(|until| until <= cut)).collect();
        ends.push(self.untils.len());
        ends.sort_unstable();
        ends.dedup();
        let mut first = 0;
        let part = |end: usize| {
            let own = std::mem::replace(&mut first, end)..end;
            let Times { froms, untils, periods } = self;
            Times { froms: froms[own.clone()].into(), untils: untils[own.clone()].into(), periods: periods[own].into() }
        };
        ends.into_iter().filter(|&end| end > 0).map(part).collect()
    }

    /// The rows that lie in any of them.
    fn feed(&self, pass: &Pass, history: &History, entity: &str, source: &Source) -> Result<Feed, ExecError> {
        let stages = history.events.stages.iter().cloned().chain(history.filter.clone().map(Stage::Where)).collect();
        let events = Events { base: history.events.base.clone(), stages };
        let program = Program::of_base(&events.base, source, &pass.zone, pass.now)?;
        let feed = Feed::new(program, &events, &history.key, entity, "a history")?;
        // What has a past sees all rows before.
        let alone = !feed.program.needs_past && !feed.program.sequential;
        let from = self.froms.first().copied().filter(|&from| alone && from > i64::MIN);
        Ok(feed.between(from, self.untils.last().copied()))
    }

    /// Takes all rows in the order of time.
    fn walk(&self, feed: &mut Feed, enough: &mut Enough) -> Result<(), ExecError> {
        let Times { froms, untils, .. } = self;
        let (mut first, mut behind) = (0, 0);
        while let Some(at) = feed.peek()? {
            while untils.get(first).is_some_and(|&until| until <= at) {
                first += 1;
            }
            while froms.get(behind).is_some_and(|&from| from <= at) {
                behind += 1;
            }
            let next = |instants: &[i64], place: usize| instants.get(place).copied().unwrap_or(i64::MAX);
            let stop = next(untils, first).min(next(froms, behind));
            let (first, behind) = (first as u32, behind as u32);
            feed.take(stop - 1, |_, _, id| enough.add(id, first, behind));
        }
        Ok(())
    }
}

/// What is known of each entity, and in how many windows who has enough rows.
struct Enough<'a> {
    /// How many rows are enough: each of these is asked for.
    leasts: &'a [usize],
    /// How many rows are kept in mind.
    past: usize,
    /// By id the window before which each of the last rows lies, the last one first; then for each of the numbers the
    /// window before which it is known whether it is reached.
    known: Vec<u32>,
    by_id: &'a ById,
    windows: usize,
    /// By number, group and window: how many more entities have enough rows than in the window before.
    changes: Vec<i64>,
}

impl<'a> Enough<'a> {
    fn new(leasts: &'a [usize], ids: usize, by_id: &'a ById, windows: usize) -> Enough<'a> {
        let past = Enough::past(leasts);
        let known = zeros(ids * Enough::width(leasts));
        let changes = vec![0; leasts.len() * by_id.groups() * (windows + 1)];
        Enough { leasts, past, known, by_id, windows, changes }
    }

    /// How many rows are kept in mind of each entity.
    fn past(leasts: &[usize]) -> usize {
        leasts.iter().max().map_or(0, |most| most - 1)
    }

    /// How many numbers are kept of each entity.
    fn width(leasts: &[usize]) -> usize {
        Enough::past(leasts) + leasts.len()
    }

    /// Nobody counts in windows that end before it exists.
    fn begin(&mut self, begins: &existence::Begins, untils: &[i64]) {
        let width = Enough::width(self.leasts);
        for (own, &begin) in self.known.chunks_exact_mut(width).zip(&begins.at) {
            let first = untils.partition_point(|&until| until <= begin) as u32;
            own[self.past..].fill(first);
        }
    }

    /// A row of an entity that lies in the windows from one up to before another.
    #[inline]
    fn add(&mut self, id: usize, first: u32, behind: u32) {
        let width = self.past + self.leasts.len();
        let Some(own) = self.known.get_mut(id * width..(id + 1) * width) else { return };
        for number in 0..self.leasts.len() {
            let behind = match self.leasts[number] {
                1 => behind,
                least => own[least - 2],
            };
            let done = &mut own[self.past + number];
            let first = first.max(*done);
            if first < behind {
                *done = behind;
                let cells = (number * self.by_id.groups() + self.by_id.group(id)) * (self.windows + 1);
                self.changes[cells + first as usize] += 1;
                self.changes[cells + behind as usize] -= 1;
            }
        }
        if self.past > 0 {
            own.copy_within(..self.past - 1, 1);
            own[0] = behind;
        }
    }

    /// How many entities of a group have enough rows, by window.
    fn counts(&self, number: usize, group: usize) -> impl Iterator<Item = i64> {
        let first = (number * self.by_id.groups() + group) * (self.windows + 1);
        self.changes[first..first + self.windows].iter().scan(0, |count, change| {
            *count += change;
            Some(*count)
        })
    }
}

/// What an aggregate asks for, by numbers.
struct Wanted {
    least: usize,
    labels: Vec<usize>,
    conditions: Vec<usize>,
}

fn cells(wanted: &[Wanted], periods: &[Option<i64>], read: &[Enough], mut report: Report) -> Cells {
    let mut sums = Sums::new(wanted.len());
    let mut took = vec![0; periods.len()];
    let by_id = read.first().map(|enough| enough.by_id);
    for (group, values) in by_id.iter().flat_map(|by_id| by_id.each()) {
        // Whoever has enough for one counts for those that ask for fewer.
        took.fill(0);
        for (number, wanted) in wanted.iter().enumerate() {
            if !wanted.conditions.iter().all(|&c| values.get(c) == Some(&Scalar::Number(1))) {
                continue;
            }
            let labels: Labels = wanted.labels.iter().map(|&label| values[label].clone()).collect::<Vec<_>>().into();
            let counts = read.iter().flat_map(|enough| enough.counts(wanted.least, group));
            for ((count, &period), took) in counts.zip(periods).zip(&mut took) {
                *took = count.max(*took);
                if count > 0 {
                    sums.add(number, CellKey { period, labels: labels.clone() }, count);
                }
            }
        }
        report.rows_kept += took.iter().sum::<i64>().unsigned_abs();
    }
    sums.into_cells(report)
}
