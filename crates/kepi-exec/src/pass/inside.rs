//! How many entities are in a state when each window ends or begins, where nothing else is asked of them: counted from
//! where their stays begin and end, instead of looking at the entities.

use super::scalar::{CellKey, Labels};
use super::state::{Cells, Outcome, State};
use super::windows::{NO_BEGINNING, Window, windows};
use super::{Pass, Report, Source};
use crate::ExecError;
use crate::made::Stays;
use kepi_model::calendar::Zone;
use kepi_model::core::{self, Base, Measure, RowNode, When};

/// The cells of a pass over entities; none: it asks for more than how many are in one state without values that only
/// ends by itself.
pub(super) fn count(pass: &Pass, source: &Source) -> Result<Option<Cells>, ExecError> {
    let (Base::Entity(entity), Some((state, asked))) = (&pass.base, asked(pass)) else { return Ok(None) };
    let Some(info) = source.scan.entity(entity).filter(|_| state.entity == *entity) else { return Ok(None) };
    let (Some(zone), None) = (Zone::named(&pass.zone), source.scan.merged(entity)?) else { return Ok(None) };
    // Periods begin with the first row that may begin a stay, also where it begins none.
    let first = match &state.from.base {
        Base::Stream(name) => source.scan.stream(name).and_then(|info| info.first),
        _ => return Ok(None),
    };
    let mut windows = windows(pass, first, &zone)?;
    windows.retain(|window| window.until > NO_BEGINNING);
    windows.sort_by_key(|window| (window.until, window.from));
    let moments: Vec<Vec<i64>> = asked.iter().map(|when| moments(&windows, *when)).collect();
    if !moments.iter().all(|moments| moments.is_sorted()) {
        return Ok(None);
    }
    let Some(stays) = source.stays(state, &pass.zone, pass.now)? else { return Ok(None) };
    let counts: Vec<Vec<i64>> = moments.iter().map(|moments| inside(moments, &stays)).collect();
    let any: Vec<usize> = (0..windows.len()).filter(|&i| counts.iter().any(|counts| counts[i] > 0)).collect();
    let last = moments.iter().filter_map(|moments| moments.last()).max();
    let report = Report {
        rows_scanned: stays.take_scanned() + u64::from(info.count),
        rows_kept: taken(&moments, &stays, info.count as usize),
        without_entity: vec![0; pass.aggregates.len()],
        first: stays.list.first().map(|stay| stay.began).filter(|began| last.is_some_and(|last| began <= last)),
        ..Report::default()
    };
    Ok(Some(Cells {
        keys: any.iter().map(|&i| CellKey { period: windows[i].period, labels: Labels::default() }).collect(),
        rows: counts.iter().map(|counts| any.iter().map(|&i| counts[i]).collect()).collect(),
        states: vec![State::Count; pass.aggregates.len()],
        types: vec![Outcome::Other; pass.aggregates.len()],
        report,
        ..Cells::default()
    }))
}

/// The one state that all aggregates ask for, and when each does; none: they ask for more.
fn asked(pass: &Pass) -> Option<(&core::State, Vec<When>)> {
    let mut state = None;
    let mut asked = Vec::with_capacity(pass.aggregates.len());
    for aggregate in &pass.aggregates {
        let plain = aggregate.measure == Measure::Count && !aggregate.existing && aggregate.labels.is_empty();
        let filter = aggregate.filter.as_ref().filter(|_| plain && aggregate.events.stages.is_empty())?;
        let RowNode::State { state: own, of, when: when @ (When::Moment | When::Opening) } = &filter.node else {
            return None;
        };
        if !matches!(of.node, RowNode::Role(_)) || state.is_some_and(|state: &core::State| *state != **own) {
            return None;
        }
        state = Some(&**own);
        asked.push(*when);
    }
    Some((state?, asked))
}

/// The moment of each window that is looked at.
fn moments(windows: &[Window], when: When) -> Vec<i64> {
    let moment = |window: &Window| match when {
        When::Opening => window.cell.0.saturating_sub(1),
        When::Moment | When::Closing => window.until.saturating_sub(1),
    };
    windows.iter().map(moment).collect()
}

/// How many stays last at each of some moments, which rise.
fn inside(moments: &[i64], stays: &Stays) -> Vec<i64> {
    let mut changes = vec![0_i64; moments.len() + 1];
    let places = Places::of(moments);
    for stay in &stays.list {
        changes[places.before(stay.began)] += 1;
        changes[places.before(stay.until)] -= 1;
    }
    let mut count = 0;
    changes.pop();
    changes.iter_mut().for_each(|change| {
        count += *change;
        *change = count;
    });
    changes
}

/// For how many entities and windows any of the moments that are looked at lies in a stay.
fn taken(moments: &[Vec<i64>], stays: &Stays, ids: usize) -> u64 {
    // By id the window behind the last that was counted: an entity's stays come in the order of time.
    let mut behind = vec![0_usize; ids];
    let mut taken = 0;
    let places: Vec<Places> = moments.iter().map(|moments| Places::of(moments)).collect();
    let mut ranges: Vec<(usize, usize)> = Vec::with_capacity(places.len());
    for stay in &stays.list {
        let Some(behind) = behind.get_mut(stay.id as usize) else { continue };
        ranges.clear();
        ranges.extend(places.iter().map(|places| (places.before(stay.began), places.before(stay.until))));
        ranges.sort_unstable();
        for &(begin, end) in &ranges {
            let begin = begin.max(*behind);
            if end > begin {
                taken += (end - begin) as u64;
                *behind = end;
            }
        }
    }
    taken
}

/// Where instants lie among moments that rise: looked up by their first digits, instead of searched.
struct Places<'a> {
    moments: &'a [i64],
    first: i64,
    shift: u32,
    /// By the first digits of the time since the first moment: how many moments are earlier than all such instants.
    table: Vec<u32>,
}

impl Places<'_> {
    fn of(moments: &[i64]) -> Places<'_> {
        let (first, last) = (moments.first().copied().unwrap_or(0), moments.last().copied().unwrap_or(0));
        let span = last.wrapping_sub(first) as u64;
        let wanted = 4 * moments.len().max(1) as u64;
        let shift = (64 - (span / wanted).leading_zeros()).min(63);
        let since = |moment: i64| moment.wrapping_sub(first) as u64 >> shift;
        let mut next = 0;
        let earlier = |digits: u64| {
            while moments.get(next).is_some_and(|&moment| since(moment) < digits) {
                next += 1;
            }
            next as u32
        };
        let table = (0..=since(last)).map(earlier).collect();
        Places { moments, first, shift, table }
    }

    /// How many of the moments are earlier than an instant.
    #[inline]
    fn before(&self, instant: i64) -> usize {
        if instant <= self.first {
            return 0;
        }
        let digits = instant.wrapping_sub(self.first) as u64 >> self.shift;
        let Some(&place) = self.table.get(digits as usize) else { return self.moments.len() };
        let mut place = place as usize;
        while self.moments.get(place).is_some_and(|&moment| moment < instant) {
            place += 1;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::Stay;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn places_are_those_that_a_search_finds(
            mut moments in proptest::collection::vec(prop_oneof![-50..50_i64, any::<i64>(), Just(i64::MIN)], 0..40),
            instants in proptest::collection::vec(prop_oneof![-60..60_i64, any::<i64>(), Just(i64::MAX)], 0..40),
        ) {
            moments.sort_unstable();
            let places = Places::of(&moments);
            for instant in instants.into_iter().chain(moments.iter().copied()) {
                prop_assert_eq!(places.before(instant), moments.partition_point(|&moment| moment < instant));
            }
        }
    }

    #[test]
    fn who_is_in_it_at_several_moments_of_a_window_is_taken_once() {
        let stay = |id, began, until| Stay { began, until, first: 0, last: 0, id };
        let stays = Stays::of(vec![stay(0, 5, 25), stay(1, 12, 18), stay(0, 27, i64::MAX)]);
        let (opening, closing) = (vec![9, 19, 29], vec![19, 29, 39]);
        assert_eq!(inside(&opening, &stays), [1, 1, 1]);
        assert_eq!(inside(&closing, &stays), [1, 1, 1]);
        assert_eq!(taken(&[opening, closing], &stays, 2), 3);
        assert_eq!(taken(&[vec![15, 25]], &stays, 2), 2);
    }
}
