//! The attempts of all shares of the entities, as made rows.

use super::super::{NOWHERE, Rows};
use super::{Attempts, Shape};
use crate::ExecError;
use crate::rows::{Column, Values};
use crate::side_by_side::side_by_side;
use arrow_buffer::{BooleanBuffer, NullBuffer};
use kepi_model::core::{ChainOrder, Row, RowNode};
use kepi_model::value::{Kind, Unit};
use std::sync::Arc;

/// What is known of a first step's row without looking it up: what kind of entity its key names.
pub(super) struct Known<'a> {
    pub(super) key: &'a Row,
    pub(super) entity: Option<Arc<str>>,
}

/// A column of the attempts that is put together of the shares'.
#[derive(Clone, Copy)]
enum Want {
    At,
    Reached,
    Who,
    Place,
    Row(usize),
    Time(usize),
}

enum Got {
    Long(Vec<i64>),
    Short(Vec<u32>),
}

/// The attempts in the order of the first step's rows; `order` tells the share of each that was begun.
pub(super) fn together(
    shape: &Shape,
    shares: Vec<Attempts>,
    mut order: Vec<u32>,
    known: Known<'_>,
    threads: usize,
) -> Result<Rows, ExecError> {
    if shares.iter().any(|share| share.left.is_some()) {
        let mut next = vec![0; shares.len()];
        let is_left = |share: usize, i| shares[share].left.as_ref().is_none_or(|left| left.value(i));
        order.retain(|&share| place(&mut next, share, is_left));
    }
    let further = shape.steps - 1;
    let steps = (0..further).flat_map(|step| [Want::Row(step), Want::Time(step)]);
    let wanted = [Want::At, Want::Reached, Want::Who, Want::Place].into_iter().chain(steps).collect();
    let threads = if order.len() < 50_000 { 1 } else { threads };
    let found = side_by_side(threads, wanted, |want| {
        Ok(match want {
            Want::At => Got::Long(gathered(&order, &shares, |share, i| share.at[i])),
            Want::Reached => Got::Long(gathered(&order, &shares, |share, i| i64::from(share.all[i].reached))),
            Want::Who => Got::Short(gathered(&order, &shares, |share, i| share.who[i])),
            Want::Place => Got::Short(gathered(&order, &shares, |share, i| share.all[i].place)),
            Want::Row(step) => Got::Short(gathered(&order, &shares, |share, i| share.rows[i * further + step])),
            Want::Time(step) => Got::Long(gathered(&order, &shares, |share, i| share.times[i * further + step])),
        })
    })?;
    // Of a strict chain the last row tells the first.
    let credited = shape.credit.is_some() && shape.order != ChainOrder::Strict;
    let mut next = vec![0; shares.len()];
    let mut orders = order.iter();
    let converted = BooleanBuffer::collect_bool(order.len(), |_| {
        orders.next().is_some_and(|&share| {
            place(&mut next, share, |share, i| {
                let attempt = &shares[share].all[i];
                if credited { attempt.converted } else { usize::from(attempt.reached) == shape.steps }
            })
        })
    });
    let mut rows = Rows::default();
    let moment = || Row { unit: Unit::of(Kind::Time), node: RowNode::At };
    let (mut reached, mut parents) = (Vec::new(), vec![Vec::new(); shape.steps]);
    for (want, got) in [Want::At, Want::Reached, Want::Who, Want::Place]
        .into_iter()
        .chain((0..further).flat_map(|step| [Want::Row(step), Want::Time(step)]))
        .zip(found)
    {
        match (want, got) {
            (Want::At, Got::Long(at)) => rows.at = at.into(),
            (Want::Reached, Got::Long(numbers)) => reached = numbers,
            (Want::Who, Got::Short(ids)) => {
                if let Some(entity) = &known.entity {
                    let ids = Column::new(Values::Id(ids.into(), Arc::clone(entity)), None);
                    rows.known.push((0, known.key.clone(), ids));
                }
            }
            (Want::Place, Got::Short(places)) => parents[0] = places,
            (Want::Row(step), Got::Short(places)) => parents[step + 1] = places,
            (Want::Time(step), Got::Long(times)) => {
                let places = &parents[step + 1];
                let there = BooleanBuffer::collect_bool(times.len(), |row| places[row] != NOWHERE);
                let times = Column::new(Values::Time(times.into()), Some(NullBuffer::new(there)));
                rows.known.push((step + 1, moment(), times));
            }
            _ => return Err(ExecError::Plan("a column of attempts is another".into())),
        }
    }
    rows.own = vec![Column::new(Values::Decimal(reached.into(), 0), None), Column::of_mask(converted)];
    rows.parents = parents;
    Ok(rows)
}

/// The place in its share of the next attempt of a share.
#[inline]
fn place<T>(next: &mut [usize], share: u32, mut of: impl FnMut(usize, usize) -> T) -> T {
    let share = share as usize;
    let i = next[share];
    next[share] += 1;
    of(share, i)
}

fn gathered<T>(order: &[u32], shares: &[Attempts], of: impl Fn(&Attempts, usize) -> T) -> Vec<T> {
    let mut next = vec![0; shares.len()];
    order.iter().map(|&share| place(&mut next, share, |share, i| of(&shares[share], i))).collect()
}
