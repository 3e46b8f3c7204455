//! From row expressions to the nodes of a program.

mod fields;
mod histories;
mod operations;

use super::choose::{Unions, common_type};
use super::column::Type;
use super::program::{Base, Node, Program};
use super::{choose, numbers};
use crate::ExecError;
use crate::made::Wanted;
use crate::pass::{Asked, Held, Lifecycle, ModelOf, Tile};
use kepi_model::calendar::Grain;
use kepi_model::core::{self, Events, Op, Row, RowNode, Stage};
use kepi_model::value::{CalendarSpan, Kind, Unit, Value};
use std::sync::Arc;

impl Program {
    /// Compiles a row expression; gives its node.
    pub(crate) fn row(&mut self, row: &Row) -> Result<usize, ExecError> {
        match &row.node {
            RowNode::Const(value) => self.constant(value, &row.unit),
            RowNode::At if matches!(self.base, Base::Table(_)) || !self.is_dated() => {
                Err(ExecError::Plan("rows without a moment are asked for it".into()))
            }
            RowNode::At => Ok(self.add("at".into(), Type::Time, || Node::At)),
            RowNode::Field(name) | RowNode::Role(name) => self.field(name, &row.unit, &row.node),
            RowNode::Attribute { of, entity, field, history } => {
                let of = self.row(of)?;
                self.attribute(of, entity, field, *history, &row.unit)
            }
            RowNode::Key { of, .. } => {
                let of = self.row(of)?;
                self.as_text(of)
            }
            RowNode::History(history) => self.history(history, None),
            RowNode::Call { op, args } => self.call(op, args, &row.unit),
            RowNode::Case { whens, otherwise } => {
                let whens = whens.iter().map(|(c, v)| Ok((self.condition(c)?, self.row(v)?)));
                let mut whens = whens.collect::<Result<Vec<_>, ExecError>>()?;
                let mut otherwise = otherwise.as_ref().map(|o| self.row(o)).transpose()?;
                if whens.len() >= usize::from(choose::NONE) {
                    let (what, count) = ("branches of a case".into(), whens.len() as u64);
                    return Err(ExecError::TooLarge { what, count, max: u64::from(choose::NONE) - 1 });
                }
                let branches = || whens.iter().map(|w| w.1).chain(otherwise);
                let ty = common_type(&branches().map(|b| self.types[b].clone()).collect::<Vec<_>>())?;
                if ty == Type::Text {
                    for branch in whens.iter_mut().map(|w| &mut w.1).chain(&mut otherwise) {
                        *branch = self.as_text(*branch)?;
                    }
                }
                let key = format!("case {whens:?} {otherwise:?}");
                Ok(self.add(key, ty, || Node::Case { whens, otherwise, unions: Unions::default() }))
            }
            RowNode::Plugin { name, args } => self.plugin(name, args, &row.unit),
            RowNode::State { state, of, when } => self.held(state, of, Asked::Value(*when)),
            RowNode::StateAverage { state, of } => self.held(state, of, Asked::Average),
            RowNode::TimeIn { state, of } => self.held(state, of, Asked::Time),
            RowNode::Lifecycle { rows, of, grain } => self.lifecycle(rows, of, grain),
            RowNode::Tile { of, subject, entity, parts, existence } => {
                let subject = self.row(subject)?;
                let key = format!("tile {parts} {subject} {entity} {of:?}");
                if let Some(&known) = self.known.get(&key) {
                    return Ok(known);
                }
                let node = Tile::new(self, of, subject, entity, *parts, existence.as_ref())?;
                Ok(self.add(key, Type::Decimal(0), || Node::Tile(Box::new(node))))
            }
            RowNode::Modelled(modelled) => {
                let subject = self.row(&modelled.subject)?;
                let key = format!("modelled {subject} {modelled:?}");
                if let Some(&known) = self.known.get(&key) {
                    return Ok(known);
                }
                let node = ModelOf::new(self, modelled, subject)?;
                Ok(self.add(key, Type::Float, || Node::Modelled(Box::new(node))))
            }
            RowNode::Step { step, of } => match &self.base {
                Base::Made(stream) => {
                    let stream = Arc::clone(stream);
                    self.made_column(&stream, Wanted::Of(*step, of.clone()))
                }
                _ => Err(ExecError::Plan("only attempts of a chain have steps".into())),
            },
            RowNode::Convert { of, from, to, when } => self.convert(of, from, to, *when),
        }
    }

    /// Compiles a condition.
    pub(crate) fn condition(&mut self, row: &Row) -> Result<usize, ExecError> {
        let node = self.row(row)?;
        match &self.types[node] {
            Type::Bool | Type::Missing => Ok(node),
            other => Err(ExecError::Plan(format!("a condition is {}", other.words()))),
        }
    }

    /// Compiles which rows of the base are rows of a derived event that pass a filter; none: all of them.
    pub(crate) fn rows_of(&mut self, events: &Events, filter: Option<&Row>) -> Result<Option<usize>, ExecError> {
        let mut mask = None;
        for stage in &events.stages {
            mask = match stage {
                Stage::Where(condition) => {
                    let condition = self.condition(condition)?;
                    Some(self.both(mask, condition))
                }
                Stage::First { per } => Some(self.first(mask, per)?),
            };
        }
        if let Some(filter) = filter {
            let filter = self.condition(filter)?;
            mask = Some(self.both(mask, filter));
        }
        Ok(mask)
    }

    /// Which rows both conditions take.
    pub(crate) fn both(&mut self, mask: Option<usize>, with: usize) -> usize {
        match mask {
            None => with,
            Some(mask) if mask == with => with,
            Some(mask) => self.add(format!("both {mask} {with}"), Type::Bool, || Node::Both(mask, with)),
        }
    }

    /// Compiles a condition on the value that a node gives, named [`core::VALUE`].
    pub(crate) fn condition_on(&mut self, value: usize, condition: &Row) -> Result<usize, ExecError> {
        let outer = self.value_of_state.replace(value);
        let node = self.condition(condition);
        self.value_of_state = outer;
        node
    }

    fn held(&mut self, state: &core::State, of: &Row, asked: Asked) -> Result<usize, ExecError> {
        if matches!(self.base, Base::Table(_)) {
            return Err(ExecError::Plan("a row of a table is in no state".into()));
        }
        let of = self.row(of)?;
        let key = format!("held {of} {asked:?} {state:?}");
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        let node = Held::new(self, state, of, asked)?;
        let ty = node.ty();
        Ok(self.add(key, ty, || Node::Held(Box::new(node))))
    }

    fn lifecycle(&mut self, rows: &core::Keyed, of: &Row, grain: &Grain) -> Result<usize, ExecError> {
        let of = self.row(of)?;
        let key = format!("lifecycle {of} {rows:?} {grain:?}");
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        let node = Lifecycle::new(self, rows, of, grain)?;
        Ok(self.add(key, Type::Text, || Node::Lifecycle(Box::new(node))))
    }

    /// The node of the number of the period in which a row's moment lies.
    pub(crate) fn period_of_moment(&mut self, grain: &Grain) -> Result<usize, ExecError> {
        let at = self.row(&Row { unit: Unit::of(Kind::Time), node: RowNode::At })?;
        self.time_node(&Op::PeriodsBetween(grain.clone()), at, &Unit::of(Kind::Count))
    }

    fn first(&mut self, mask: Option<usize>, per: &Row) -> Result<usize, ExecError> {
        if matches!(self.base, Base::Entity(_)) {
            return Err(ExecError::Plan("entities have no first row".into()));
        }
        let per = self.row(per)?;
        let count = match self.types[per].clone() {
            Type::Id(entity) => self.ids(&entity),
            Type::Missing => 0,
            other => return Err(ExecError::Plan(format!("the first row is taken per {}", other.words()))),
        };
        self.needs_past = true;
        self.sequential = true;
        let node = || Node::First { mask, per, seen: vec![0; count.div_ceil(64)], without: 0 };
        Ok(self.add(format!("first {mask:?} {per}"), Type::Bool, node))
    }

    fn constant(&mut self, value: &Value, unit: &Unit) -> Result<usize, ExecError> {
        let value = match value {
            Value::Span(span) => seconds(*span),
            other => other.clone(),
        };
        let ty = match &value {
            Value::Missing => Type::Missing,
            Value::Decimal { digits, scale } if *scale > 18 => {
                let value = Value::Float(numbers::to_float(*digits, *scale));
                return self.constant(&value, unit);
            }
            Value::Decimal { scale, .. } => Type::Decimal(*scale),
            Value::Float(_) => Type::Float,
            Value::Text(key) => match &unit.kind {
                // A constant entity is the id of its key.
                Kind::Entity(entity) => return self.entity(entity, key),
                _ => Type::Text,
            },
            Value::Bool(_) => Type::Bool,
            Value::Time(_) => Type::Time,
            Value::Date(_) => Type::Date,
            Value::Span(_) | Value::List(_) => {
                return Err(ExecError::Plan("a list stands where one value belongs".into()));
            }
        };
        Ok(self.add(format!("const {value:?}"), ty, || Node::Const { value, column: None }))
    }
}

/// A span as a number of seconds: exact without months.
fn seconds(span: CalendarSpan) -> Value {
    if span.months == 0 {
        let digits = i128::from(span.days) * 86_400_000_000 + i128::from(span.micros);
        return Value::Decimal { digits, scale: 6 };
    }
    Value::Float(span.seconds())
}
