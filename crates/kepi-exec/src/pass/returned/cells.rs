//! The cells of what was counted of members and their returns.

use super::asked::{Asked, Of};
use super::members::{Known, NOBODY};
use super::{WAY, back};
use crate::pass::Report;
use crate::pass::plan::NO_CELL;
use crate::pass::scalar::{CellKey, Labels, Scalar};
use crate::pass::state::{Cells, Outcome, State};
use std::collections::HashMap;

/// Puts together what was counted; none: there would be too many numbers.
pub(super) fn cells(asked: &Asked, known: &Known) -> Option<Cells> {
    let kinds = known.kinds.len();
    let last = if asked.returns.onward { Some(back::last_returns(known)?) } else { None };
    let counts = last.as_ref().unwrap_or(&known.counts);
    let mut all = Sums { keys: Vec::new(), index: HashMap::new(), rows: vec![Vec::new(); asked.counted.len()] };
    let mut kept = vec![false; counts.len()];
    for (number, counted) in asked.counted.iter().enumerate() {
        let own = &known.cells[number];
        match counted.of {
            Of::Members => {
                for (&count, key) in known.sizes[number].iter().zip(own).filter(|(n, _)| **n > 0) {
                    all.add(number, key.clone(), count);
                }
            }
            Of::Returns(from, to) => {
                let ages = counts.len().checked_div(kinds).unwrap_or(0);
                // By cell, since cells that differ for other aggregates may be one for this.
                let mut by_cell = vec![0; own.len()];
                for age in 1..ages {
                    if !(from..=to).contains(&(age as i64)) {
                        continue;
                    }
                    for (kind, cells) in known.kinds.iter().enumerate() {
                        let place = age * kinds + kind;
                        let cell = cells[number];
                        if counts[place] > 0 && cell != NO_CELL {
                            by_cell[cell as usize] += counts[place];
                            kept[place] = true;
                        }
                    }
                    for (cell, count) in by_cell.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
                        let CellKey { period, labels } = &own[cell];
                        let labels = aged(labels, &counted.ages, age as i64);
                        all.add(number, CellKey { period: *period, labels }, std::mem::take(count));
                    }
                }
            }
        }
    }
    let aggregates = asked.counted.len();
    let rows_kept = counts.iter().zip(kept).filter(|(_, kept)| *kept).map(|(count, _)| *count as u64).sum::<u64>();
    let report = Report {
        rows_scanned: known.scanned,
        rows_kept: known.kept + rows_kept,
        without_entity: vec![known.without; aggregates],
        first: known.first.into_iter().chain(first_return(asked, known)).min(),
        way: Some(WAY),
        ..Report::default()
    };
    let len = all.keys.len();
    all.rows.iter_mut().for_each(|rows| rows.resize(len, 0));
    Some(Cells {
        keys: all.keys,
        rows: all.rows,
        states: vec![State::Count; aggregates],
        types: vec![Outcome::Other; aggregates],
        report,
        ..Cells::default()
    })
}

/// The first moment of a member who came back, where somebody needs it.
fn first_return(asked: &Asked, known: &Known) -> Option<i64> {
    let before = |since: i32| if asked.is_plain() { since } else { 0 };
    let members = known.by_id.iter().zip(&known.at);
    members.filter(|(m, _)| m.last != NOBODY && m.last != before(m.since)).map(|(_, at)| *at).min()
}

/// Labels of which some are the age.
fn aged(labels: &Labels, ages: &[usize], age: i64) -> Labels {
    if ages.is_empty() {
        return labels.clone();
    }
    let mut own = labels.to_vec();
    ages.iter().for_each(|&place| own[place] = Scalar::Number(age));
    own.into()
}

/// Cells in the making.
struct Sums {
    keys: Vec<CellKey>,
    index: HashMap<CellKey, usize>,
    rows: Vec<Vec<i64>>,
}

impl Sums {
    fn add(&mut self, aggregate: usize, key: CellKey, count: i64) {
        let next = self.keys.len();
        let place = *self.index.entry(key).or_insert_with_key(|key| {
            self.keys.push(key.clone());
            next
        });
        let rows = &mut self.rows[aggregate];
        if rows.len() <= place {
            rows.resize(place + 1, 0);
        }
        rows[place] += count;
    }
}
