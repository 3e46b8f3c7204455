//! Computing the nodes of a program for a batch of rows.

use super::BATCH;
use super::choose::{NONE, choose};
use super::column::{Column, Type, Values};
use super::compare::compare;
use super::numbers::{arithmetic, divide, unary};
use super::program::{AsOf, Frame, Node, Program, plugin_array, take};
use super::text::{concat, length, map, test};
use super::times::function;
use crate::ExecError;
use arrow_array::{Array, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use kepi_extension::FunctionError;
use kepi_model::core::Op;
use kepi_model::value::Value;
use std::sync::Arc;

impl Program {
    /// Computes all nodes for a batch.
    pub(crate) fn evaluate(&mut self, frame: &Frame) -> Result<(), ExecError> {
        let Program { nodes, types, values, clock, .. } = self;
        values.clear();
        for (node, ty) in nodes.iter_mut().zip(types.iter()) {
            let column = compute(node, ty, values, frame, clock)?;
            debug_assert_eq!(column.len(), frame.len);
            values.push(column);
        }
        Ok(())
    }

    /// Lets a batch go by of which nothing is wanted but what histories keep of it.
    pub(crate) fn evaluate_past(&mut self, frame: &Frame) -> Result<(), ExecError> {
        let Some(past) = self.past.get_or_insert_with(|| past(&self.nodes)) else { return self.evaluate(frame) };
        let Past { wanted, told, .. } = &past;
        let Program { nodes, types, values, clock, .. } = self;
        values.clear();
        for (number, (node, ty)) in nodes.iter_mut().zip(types.iter()).enumerate() {
            values.push(match (wanted[number], node) {
                (false, _) => Column::missing(frame.len),
                (true, Node::History(lookback)) if !told[number] && lookback.lets_go_by() => {
                    lookback.let_by(values, frame)?;
                    Column::missing(frame.len)
                }
                (true, node) => compute(node, ty, values, frame, clock)?,
            });
        }
        Ok(())
    }

    /// Which of the inputs matter for rows that only go by; none: all of them may.
    pub(super) fn inputs_of_past(&self) -> Option<Vec<bool>> {
        let past = past(&self.nodes)?;
        let mut inputs = vec![false; self.inputs.len()];
        for (node, _) in self.nodes.iter().zip(&past.wanted).filter(|(_, wanted)| **wanted) {
            if let Node::Input(input) = node {
                inputs[*input] = true;
            }
        }
        Some(inputs)
    }
}

/// What is computed of rows that only go by.
#[derive(Debug)]
pub(super) struct Past {
    /// By node: whether it keeps something of them, or gives it to one that does.
    pub(super) wanted: Vec<bool>,
    /// By node: whether what it tells of them is wanted, too.
    told: Vec<bool>,
    /// Whether what some node keeps depends on what another one tells of earlier rows.
    pub(super) chained: bool,
}

/// Which nodes keep something of the rows that go by, or give it to them; none: some node does what is not known here.
pub(super) fn past(nodes: &[Node]) -> Option<Past> {
    let mut wanted = vec![false; nodes.len()];
    let mut told = vec![false; nodes.len()];
    let mut chained = false;
    for (number, node) in nodes.iter().enumerate().rev() {
        let needed = wanted[number];
        told[number] = needed;
        let mut want = |needs: &[usize]| needs.iter().for_each(|&of| wanted[of] = true);
        match node {
            Node::First { mask, per, .. } => {
                chained |= needed;
                want(&[*per]);
                want(mask.as_slice());
            }
            Node::History(lookback) => {
                chained |= needed;
                want(&lookback.needs());
            }
            Node::AsOf { .. } | Node::Grouped(_) => return None,
            Node::Held(_) | Node::Lifecycle(_) | Node::Tile(_) | Node::Modelled(_) | Node::Convert(_) => return None,
            _ if !needed => continue,
            // What it keeps is of rows of another stream, which it reads when it is asked.
            Node::Elsewhere(elsewhere) => {
                chained = true;
                want(&[elsewhere.subject()]);
            }
            Node::Const { .. } | Node::At | Node::Entity | Node::Input(_) | Node::Missing => {}
            Node::Gather { of, .. }
            | Node::Keys { of, .. }
            | Node::Test { of, .. }
            | Node::Map { of, .. }
            | Node::Length { of, .. } => want(&[*of]),
            // It keeps nothing of rows that go by.
            Node::Apart(apart) => {
                chained = true;
                want(&[apart.subject()]);
            }
            Node::Call { args, .. }
            | Node::Times { args, .. }
            | Node::Otherwise { args, .. }
            | Node::Extreme { args, .. } => want(args),
            Node::Case { whens, otherwise, .. } => {
                whens.iter().for_each(|when| want(&[when.0, when.1]));
                want(otherwise.as_slice());
            }
            Node::Plugin { args, .. } => args.iter().for_each(|arg| want(&[arg.0])),
            Node::Both(a, b) => want(&[*a, *b]),
        }
        wanted[number] = true;
    }
    Some(Past { wanted, told, chained })
}

/// Computes a node from the values of those before it.
pub(super) fn compute(
    node: &mut Node,
    ty: &Type,
    values: &[Column],
    frame: &Frame,
    clock: &mut super::Clock,
) -> Result<Column, ExecError> {
    Ok(match node {
        Node::Const { value, column } => {
            let long_enough = column.as_ref().filter(|c| c.len() >= frame.len);
            match long_enough {
                Some(column) => column.slice(0, frame.len),
                None => {
                    let made = constant(value, ty, frame.len.max(BATCH.min(frame.len.next_power_of_two())))?;
                    column.insert(made).slice(0, frame.len)
                }
            }
        }
        Node::At => match &frame.at {
            Some(at) => Column::new(Values::Time(at.clone()), None),
            None => return Err(ExecError::Plan("a row without a moment is asked for it".into())),
        },
        Node::Entity => match &frame.ids {
            Some(ids) => ids.clone(),
            None => return Err(ExecError::Plan("an event is taken for an entity".into())),
        },
        Node::Input(input) => frame.columns[*input].clone(),
        Node::Missing => Column::missing(frame.len),
        Node::Gather { of, values: by_id } => match &values[*of].values {
            Values::Id(ids, _) => take(by_id, ids, values[*of].valid.as_ref()),
            _ => Column::missing(frame.len),
        },
        Node::AsOf { of, history } => as_of(history, &values[*of], frame)?,
        Node::Keys { of, keys } => match &values[*of].values {
            Values::Id(ids, _) => Column::new(Values::Codes(ids.clone(), Arc::clone(keys)), values[*of].valid.clone()),
            _ => Column::missing(frame.len),
        },
        Node::Test { of, test: condition, cache } => Column::of_mask(test(condition, &values[*of], cache)?),
        Node::Map { of, map: function, cache } => map(function, &values[*of], cache)?,
        Node::Length { of, cache } => length(&values[*of], cache)?,
        Node::Call { op, args, digits } => {
            let args: Vec<&Column> = args.iter().map(|&a| &values[a]).collect();
            call(op, &args, *digits, ty, clock, frame.len)?
        }
        Node::Times { op, args, tables } => {
            let args: Vec<&Column> = args.iter().map(|&a| &values[a]).collect();
            function(op, &args, ty, tables, clock)?
        }
        Node::Case { whens, otherwise, unions } => {
            let mut pick = vec![otherwise.map_or(NONE, |_| whens.len() as u16); frame.len];
            // The first condition that holds wins, so they are laid down from the last to the first.
            for (branch, (condition, _)) in whens.iter().enumerate().rev() {
                for row in values[*condition].mask()?.set_indices() {
                    pick[row] = branch as u16;
                }
            }
            let branches: Vec<&Column> = whens.iter().map(|w| w.1).chain(*otherwise).map(|b| &values[b]).collect();
            choose(&pick, &branches, ty, unions, clock)?
        }
        Node::Otherwise { args, unions } => {
            let branches: Vec<&Column> = args.iter().map(|&a| &values[a]).collect();
            let first = |row| branches.iter().position(|b| b.is_known(row)).map_or(NONE, |b| b as u16);
            let pick: Vec<u16> = (0..frame.len).map(first).collect();
            choose(&pick, &branches, ty, unions, clock)?
        }
        Node::Extreme { args, greatest, unions } => {
            let mut best: Option<Column> = None;
            for &arg in args.iter() {
                let next = &values[arg];
                best = Some(match best {
                    None => next.clone(),
                    Some(best) => {
                        let op = if *greatest { Op::Greater } else { Op::Less };
                        let better = compare(&op, next, &best, clock)?;
                        let known = |row| best.is_known(row) && next.is_known(row);
                        let of = |row| if known(row) { u16::from(better.value(row)) } else { NONE };
                        let pick: Vec<u16> = (0..frame.len).map(of).collect();
                        choose(&pick, &[&best, next], ty, unions, clock)?
                    }
                });
            }
            best.unwrap_or_else(|| Column::missing(frame.len))
        }
        Node::Plugin { function, args } => {
            let arrays = args.iter().map(|(a, unit)| plugin_array(&values[*a], unit, None));
            let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
            let answer = function.call(frame.len, &arrays)?;
            let column = Column::of_array(&answer)?;
            let fits = answer.len() == frame.len
                && matches!(
                    (ty, &column.values),
                    (_, Values::Missing(_))
                        | (Type::Float, Values::Float(_))
                        | (Type::Decimal(0), Values::Decimal(_, 0))
                        | (Type::Text, Values::Text(_))
                        | (Type::Bool, Values::Bool(_))
                        | (Type::Time, Values::Time(_))
                        | (Type::Date, Values::Date(_))
                );
            if !fits {
                let name = &function.signature().name;
                let plugin = name.split('.').next().unwrap_or(name).to_string();
                let message = format!("it gave {} values of {}", answer.len(), answer.data_type());
                return Err(FunctionError::Failed { plugin, function: name.clone(), message }.into());
            }
            column
        }
        Node::Both(a, b) => Column::of_mask(&values[*a].mask()? & &values[*b].mask()?),
        Node::First { mask, per, seen, without } => {
            let mask = mask.map(|m| values[m].mask()).transpose()?;
            first(mask.as_ref(), &values[*per], seen, without, frame)
        }
        Node::History(lookback) => lookback.evaluate(values, frame, clock)?,
        Node::Elsewhere(elsewhere) => elsewhere.evaluate(values, frame, clock)?,
        Node::Grouped(grouped) => grouped.evaluate(values, frame, clock)?,
        Node::Apart(apart) => apart.evaluate(values, frame, clock)?,
        Node::Held(held) => held.evaluate(values, frame)?,
        Node::Lifecycle(lifecycle) => lifecycle.evaluate(values, frame, clock)?,
        Node::Tile(tile) => tile.evaluate(values, frame)?,
        Node::Modelled(model) => model.evaluate(values, frame)?,
        Node::Convert(convert) => convert.evaluate(values, frame, ty, clock.zone())?,
    })
}

fn call(
    op: &Op,
    args: &[&Column],
    digits: Option<i64>,
    ty: &Type,
    clock: &mut super::Clock,
    len: usize,
) -> Result<Column, ExecError> {
    let masks = || args.iter().map(|a| a.mask()).collect::<Result<Vec<_>, _>>();
    Ok(match (op, args) {
        (Op::Add | Op::Subtract | Op::Multiply, [a, b]) => arithmetic(op, a, b, ty)?,
        (Op::Divide, [a, b]) => divide(a, b)?,
        (Op::And, _) => {
            let all = masks()?.into_iter().reduce(|a, b| &a & &b);
            Column::of_mask(all.unwrap_or_else(|| BooleanBuffer::new_set(len)))
        }
        (Op::Or, _) => {
            let any = masks()?.into_iter().reduce(|a, b| &a | &b);
            Column::of_mask(any.unwrap_or_else(|| BooleanBuffer::new_unset(len)))
        }
        (Op::Not, [a]) => Column::of_mask(!&a.mask()?),
        (Op::IsMissing, [a]) => match a.known() {
            Some(known) => Column::of_mask(!&known),
            None => Column::of_mask(BooleanBuffer::new_unset(len)),
        },
        (Op::Concat, _) => concat(args),
        (_, [a, b]) if *ty == Type::Bool => Column::of_mask(compare(op, a, b, clock)?),
        (_, [a, ..]) => unary(op, a, digits)?,
        (op, _) => return Err(ExecError::Plan(format!("{op:?} has no arguments"))),
    })
}

/// Keeps the first row of each entity. Rows that lack it are counted where they are in the window.
fn first(mask: Option<&BooleanBuffer>, per: &Column, seen: &mut [u64], without: &mut u64, frame: &Frame) -> Column {
    let Values::Id(ids, _) = &per.values else {
        let lacking = |row: &usize| mask.is_none_or(|m| m.value(*row));
        *without += frame.window.clone().filter(lacking).count() as u64;
        return Column::of_mask(BooleanBuffer::new_unset(frame.len));
    };
    let mut taken = mask.cloned();
    if let Some(known) = &per.valid {
        let window = &frame.window;
        let lacking = !known.inner();
        let lacking = mask.map_or_else(|| lacking.clone(), |mask| mask & &lacking);
        *without += lacking.slice(window.start, window.len()).count_set_bits() as u64;
        taken = Some(mask.map_or_else(|| known.inner().clone(), |mask| mask & known.inner()));
    }
    // Nothing is asked per row that could be guessed wrong: a bit is set, and was it before?
    let mut fresh = |row: usize, taken: bool| match seen.get_mut(ids[row] as usize / 64) {
        Some(word) => {
            let bit = u64::from(taken) << (ids[row] % 64);
            let new = bit & !*word != 0;
            *word |= bit;
            new
        }
        None => false,
    };
    Column::of_mask(match &taken {
        None => BooleanBuffer::collect_bool(frame.len, |row| fresh(row, true)),
        Some(taken) => BooleanBuffer::collect_bool(frame.len, |row| fresh(row, taken.value(row))),
    })
}

/// The values that hold at the rows' moments, changes at the very moment included.
fn as_of(history: &mut AsOf, of: &Column, frame: &Frame) -> Result<Column, ExecError> {
    let Some(at) = &frame.at else { return Err(ExecError::Plan("a row has no moment".into())) };
    let Values::Id(ids, _) = &of.values else { return Ok(Column::missing(frame.len)) };
    let mut places = Vec::with_capacity(frame.len);
    for (row, &at) in at.iter().enumerate() {
        let moment = at.saturating_sub(frame.back);
        while history.times.get(history.next).is_some_and(|&t| t <= moment) {
            if let Some(current) = history.current.get_mut(history.ids[history.next] as usize) {
                *current = history.next as u32 + 1;
            }
            history.next += 1;
        }
        places.push(history.current.get(ids[row] as usize).copied().unwrap_or(0).wrapping_sub(1));
    }
    let found = BooleanBuffer::collect_bool(places.len(), |row| places[row] != u32::MAX);
    let valid = NullBuffer::union(Some(&NullBuffer::new(found)), of.valid.as_ref());
    Ok(take(&history.values, &places, valid.as_ref()))
}

/// A column of one value.
fn constant(value: &Value, ty: &Type, len: usize) -> Result<Column, ExecError> {
    let values = match (value, ty) {
        (Value::Missing, _) => return Ok(Column::missing(len)),
        (Value::Decimal { digits, .. }, Type::Id(entity)) => {
            Values::Id(vec![u32::try_from(*digits).unwrap_or(u32::MAX); len].into(), Arc::clone(entity))
        }
        (Value::Decimal { digits, scale }, _) => match i64::try_from(*digits) {
            Ok(digits) => Values::Decimal(vec![digits; len].into(), *scale),
            Err(_) => Values::Wide(vec![*digits; len].into(), *scale),
        },
        (Value::Float(x), _) => Values::Float(vec![*x; len].into()),
        (Value::Text(text), _) => {
            Values::Codes(vec![0; len].into(), Arc::new(StringArray::from_iter_values([text.as_str()])))
        }
        (Value::Bool(b), _) => {
            Values::Bool(if *b { BooleanBuffer::new_set(len) } else { BooleanBuffer::new_unset(len) })
        }
        (Value::Time(t), _) => Values::Time(vec![*t; len].into()),
        (Value::Date(d), _) => Values::Date(vec![*d; len].into()),
        (Value::Span(_) | Value::List(_), _) => {
            return Err(ExecError::Plan("a list stands where one value belongs".into()));
        }
    };
    Ok(Column::new(values, None))
}
