//! From the model's groups to what is folded and computed for them.

use super::{Batch, Feed, Inner, Leaf, Level, Making, Nested, Other};
use crate::ExecError;
use crate::pass::fold::{Fold, type_of};
use crate::pass::groups::inner::{AGGREGATE, PERIOD, names, row_of};
use crate::pass::groups::of;
use crate::pass::labels::Groups as Numbers;
use crate::rows::{Base, Payload, Program, Type, common_type};
use kepi_model::calendar::Grain;
use kepi_model::core::{self, Aggregate, Groups, Measure, Op, Row, RowNode};
use kepi_model::value::{Kind, Unit};

impl Making<'_> {
    /// Compiles groups; without a period of their own they have that of the groups that they lie in.
    pub(super) fn level(&mut self, groups: &Groups, around: Option<&Grain>) -> Result<Level, ExecError> {
        let grain = groups.per.as_ref().or(around).cloned();
        let names = names(groups);
        let mut labels = vec![Type::Missing; names.len()];
        let (mut inner, mut columns) = (Vec::new(), vec![(PERIOD.to_string(), Type::Time)]);
        for (i, aggregate) in groups.aggregates.iter().enumerate() {
            if !aggregate.moved.is_empty() {
                return Err(ExecError::Plan("groups of moved windows are made apart".into()));
            }
            let (made, types, value) = match of(&aggregate.events.base) {
                Some(nested) => self.nested(nested, aggregate, grain.as_ref())?,
                None => self.leaf(aggregate, grain.as_ref())?,
            };
            for (label, ty) in labels.iter_mut().zip(types) {
                *label = common_type(&[label.clone(), ty])?;
            }
            inner.push(made);
            columns.push((format!("{AGGREGATE}{i}"), value));
        }
        columns.splice(1..1, names.iter().cloned().zip(labels.iter().cloned()));
        let value = row_of(&groups.value, &names)?;
        let outer = &self.outer;
        let base = Base::Groups(columns, Box::new(value));
        let program = Program::new(base, &outer.source, &outer.zone, outer.now)?;
        Ok(Level { labels, names, grain, inner, program })
    }

    /// Compiles an aggregate over groups in groups: with the types of its labels and of its value.
    pub(super) fn nested(
        &mut self,
        groups: &Groups,
        aggregate: &Aggregate,
        around: Option<&Grain>,
    ) -> Result<(Inner, Vec<Type>, Type), ExecError> {
        let mut level = self.level(groups, around)?;
        let program = &mut level.program;
        let mask = program.rows_of(&aggregate.events, aggregate.filter.as_ref())?;
        let labels = aggregate.labels.iter().map(|label| program.row(label)).collect::<Result<Vec<_>, _>>()?;
        let argument = program.argument(&aggregate.measure)?;
        let period = match around {
            Some(grain) => {
                let own = Row { unit: Unit::of(Kind::Time), node: RowNode::Field(PERIOD.into()) };
                let own = program.row(&own)?;
                Some(program.time_node(&Op::Truncate(grain.clone()), own, &Unit::of(Kind::Time))?)
            }
            None => None,
        };
        let types = labels.iter().map(|&label| program.ty(label).clone()).collect();
        let ty = argument.map_or(Type::Missing, |a| program.ty(a).clone());
        let result = type_of(&aggregate.measure, &ty)?;
        level.checked()?;
        let measure = aggregate.measure.clone();
        let nested = Nested { level, mask, labels, period, argument, measure, result: result.clone() };
        Ok((Inner::Nested(Box::new(nested)), types, result))
    }

    /// Compiles an aggregate over rows: with the types of its labels and of its value.
    pub(super) fn leaf(
        &mut self,
        aggregate: &Aggregate,
        grain: Option<&Grain>,
    ) -> Result<(Inner, Vec<Type>, Type), ExecError> {
        let base = &aggregate.events.base;
        if matches!(base, core::Base::Entity(_)) {
            return Err(ExecError::Plan("groups of states are made apart".into()));
        }
        let feed = match self.feeds.iter().position(|feed| feed.base == *base) {
            Some(feed) => feed,
            None => {
                let other = match self.outer.reads(base) {
                    true => None,
                    false => Some(Other::new(base, self.outer)?),
                };
                self.feeds.push(Feed { base: base.clone(), other, leaves: Vec::new() });
                self.feeds.len() - 1
            }
        };
        let own = self.feeds[feed].other.is_none();
        let program = match &mut self.feeds[feed].other {
            Some(other) => &mut other.program,
            None => &mut *self.outer,
        };
        let mask = program.rows_of(&aggregate.events, aggregate.filter.as_ref())?;
        let mut labels = aggregate.labels.iter().map(|label| program.row(label)).collect::<Result<Vec<_>, _>>()?;
        let types: Vec<Type> = labels.iter().map(|&label| program.ty(label).clone()).collect();
        let argument = program.argument(&aggregate.measure)?;
        if let Some(grain) = grain {
            let at = program.row(&Row { unit: Unit::of(Kind::Time), node: RowNode::At })?;
            labels.push(program.time_node(&Op::Truncate(grain.clone()), at, &Unit::of(Kind::Time))?);
        }
        if own {
            program.needs_past = true;
        } else if program.needs_period {
            return Err(ExecError::NotYet("`over period` inside another history".into()));
        }
        let room = match types.get(self.subject) {
            Some(Type::Id(entity)) => program.ids(entity),
            _ => 0,
        };
        let ty = argument.map_or(Type::Missing, |a| program.ty(a).clone());
        let result = type_of(&aggregate.measure, &ty)?;
        let all = labels.iter().map(|&label| (program.ty(label).clone(), None)).collect();
        let leaf = Leaf {
            mask,
            labels,
            in_periods: grain.is_some(),
            subject: self.subject,
            argument,
            numbers: Numbers::new(all),
            counts: Fold::new(&Measure::Count, Type::Missing, 0, self.bounded),
            values: argument.map(|_| Fold::new(&aggregate.measure, ty, 0, self.bounded)),
            result: Payload::new(result.clone()),
            ids: room,
            of: Vec::new(),
            source: program.source.clone(),
            taken: Vec::new(),
            listed: Vec::new(),
            batch: Batch::default(),
            rows: Vec::new(),
            groups: Vec::new(),
            found: Vec::new(),
        };
        let leaves = &mut self.feeds[feed].leaves;
        leaves.push(leaf);
        Ok((Inner::Leaf(feed, leaves.len() - 1), types, result))
    }
}
