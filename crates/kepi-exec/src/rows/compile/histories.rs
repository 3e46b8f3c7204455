//! What looks back over an entity's rows, as nodes of a program.

use crate::ExecError;
use crate::pass::{Apart, Elsewhere, Grouped, Lookback, Over, groups_apart};
use crate::rows::choose::{Unions, common_type};
use crate::rows::program::{Base, Node, Program};
use kepi_model::core::{self, History, Measure, Op, Reach, Row, RowNode, Stage};
use kepi_model::value::{Kind, Unit, Value};

impl Program {
    /// Compiles a history; `of_time`: a function of times for its argument.
    pub(super) fn history(&mut self, history: &History, of_time: Option<(&Op, &Unit)>) -> Result<usize, ExecError> {
        // Rows of a history are taken without anybody's judging them.
        let judged_later = self.judged_later;
        self.judged_later = false;
        let node = match moment_of_first(history) {
            Some(plain) => self.history_node(&plain, of_time),
            None => self.history_node(history, of_time),
        };
        self.judged_later = judged_later;
        node
    }

    pub(super) fn history_node(
        &mut self,
        history: &History,
        of_time: Option<(&Op, &Unit)>,
    ) -> Result<usize, ExecError> {
        if matches!(history.events.base, core::Base::Entity(_)) {
            return Err(ExecError::NotYet("an aggregate over entities inside a row".into()));
        }
        if matches!(self.base, Base::Table(_)) {
            return Err(ExecError::Plan("a row of a table has no history".into()));
        }
        self.sequential = true;
        let over = match &history.over {
            Reach::AllTime => Over::All,
            Reach::Last(span) => Over::Last(*span),
            Reach::Period => {
                self.needs_period = true;
                Over::Period
            }
        };
        let subject = self.row(&history.subject)?;
        if groups_apart(history) {
            return self.groups_apart(history, of_time, subject, over);
        }
        if history.events.base.is_groups() {
            let name = format!("grouped {subject} {history:?} {of_time:?}");
            if let Some(&known) = self.known.get(&name) {
                return Ok(known);
            }
            let node = Grouped::new(self, history, of_time, subject, over)?;
            let ty = node.ty();
            return Ok(self.add(name, ty, || Node::Grouped(Box::new(node))));
        }
        if self.reads(&history.events.base) {
            self.needs_past = true;
            let mask = self.rows_of(&history.events, history.filter.as_ref())?;
            let (key, arg) = (self.row(&history.key)?, self.argument_of(&history.measure, of_time)?);
            let (before, measure) = (history.before, measure_name(&history.measure));
            let name = format!("history {mask:?} {key} {subject} {arg:?} {over:?} {before} {measure}");
            if let Some(&known) = self.known.get(&name) {
                return Ok(known);
            }
            let node = Lookback::new(self, &history.measure, mask, key, subject, arg, (over, before))?;
            let ty = node.ty();
            return Ok(self.add(name, ty, || Node::History(Box::new(node))));
        }
        let name = format!("elsewhere {subject} {history:?} {of_time:?}");
        if let Some(&known) = self.known.get(&name) {
            return Ok(known);
        }
        let node = Elsewhere::new(self, history, of_time, subject, over)?;
        let ty = node.ty();
        Ok(self.add(name, ty, || Node::Elsewhere(Box::new(node))))
    }

    /// Compiles groups of a history that a pass of their own makes.
    pub(super) fn groups_apart(
        &mut self,
        history: &History,
        of_time: Option<(&Op, &Unit)>,
        subject: usize,
        over: Over,
    ) -> Result<usize, ExecError> {
        let name = format!("apart {subject} {history:?}");
        let node = match self.known.get(&name) {
            Some(&known) => known,
            None => {
                let node = Apart::new(self, history, subject, over)?;
                let ty = node.ty();
                self.add(name, ty, || Node::Apart(Box::new(node)))
            }
        };
        if let Some((op, unit)) = of_time {
            return self.time_node(op, node, unit);
        }
        let zero = match history.measure {
            core::Measure::Count | core::Measure::Sum(_) | core::Measure::Unique(_) => {
                let zero = RowNode::Const(Value::Decimal { digits: 0, scale: 0 });
                self.row(&Row { unit: Unit::of(Kind::Number), node: zero })?
            }
            _ => return Ok(node),
        };
        // Of who has no groups.
        let args = vec![node, zero];
        let ty = common_type(&[self.types[node].clone(), self.types[zero].clone()])?;
        let key = format!("call {:?} {args:?}", Op::Otherwise);
        Ok(self.add(key, ty, || Node::Otherwise { args, unions: Unions::default() }))
    }

    /// Compiles what a measure is computed of, with a function of times around it.
    pub(crate) fn argument_of(
        &mut self,
        measure: &core::Measure,
        of_time: Option<(&Op, &Unit)>,
    ) -> Result<Option<usize>, ExecError> {
        match (self.argument(measure)?, of_time) {
            (Some(argument), Some((op, unit))) => Ok(Some(self.time_node(op, argument, unit)?)),
            (argument, _) => Ok(argument),
        }
    }

    /// Compiles what a measure is computed of.
    pub(crate) fn argument(&mut self, measure: &core::Measure) -> Result<Option<usize>, ExecError> {
        use core::Measure::*;
        match measure {
            Count | Plugin { .. } => Ok(None),
            Sum(of) | Avg(of) | Min(of) | Max(of) | Stddev(of) | First(of) | Last(of) | Unique(of) => {
                Ok(Some(self.row(of)?))
            }
            Percentile { of, .. } => Ok(Some(self.row(of)?)),
            Best { .. } => Err(ExecError::NotYet("the best row of a history".into())),
        }
    }
}

fn measure_name(measure: &core::Measure) -> String {
    use core::Measure::*;
    match measure {
        Count => "count".into(),
        Sum(_) => "sum".into(),
        Avg(_) => "avg".into(),
        Min(_) => "min".into(),
        Max(_) => "max".into(),
        Percentile { percent, observed, .. } => format!("percentile {percent} {observed}"),
        Stddev(_) => "stddev".into(),
        Best { .. } => "best".into(),
        First(_) => "first".into(),
        Last(_) => "last".into(),
        Unique(_) => "unique".into(),
        Plugin { name, .. } => format!("plugin {name}"),
    }
}

/// The moment of the first rows of entities, asked as the first moment of all their rows: the same, and nobody has to find
/// out first which row is the first. None: something else is asked.
fn moment_of_first(history: &History) -> Option<History> {
    let (Some(Stage::First { per }), None, Reach::AllTime) =
        (history.events.stages.last(), &history.filter, &history.over)
    else {
        return None;
    };
    let (Measure::First(of) | Measure::Last(of) | Measure::Min(of) | Measure::Max(of)) = &history.measure else {
        return None;
    };
    if *per != history.key || !matches!(of.node, RowNode::At) {
        return None;
    }
    let mut plain = History { measure: Measure::First(of.clone()), ..history.clone() };
    plain.events.stages.pop();
    Some(plain)
}
