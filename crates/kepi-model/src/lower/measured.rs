//! States measured per cell: `opening(active)`, `closing(mrr where …)`, `kept`, `time_in`, `avg`.

use super::cell::{CellScope, Wanted};
use super::held::{self, Held, entity_set};
use super::row::RowScope;
use super::state::StateSet;
use super::state_row::{average, one_state, time_in};
use super::{Cx, Node, expr, group_keys, over};
use crate::core::{Aggregate, Formula, Measure, Move, Op, Reach, Row, RowNode, State, When};
use crate::declared::EntityDecl;
use crate::functions::StateMeasure;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{Argument, Scoped};
use kepi_syntax::{Code, Span};

impl CellScope<'_> {
    /// A measure of a state or of a segment.
    pub(super) fn state_measure(
        &mut self,
        cx: &mut Cx<'_>,
        measure: StateMeasure,
        name: &str,
        args: &[Argument],
        span: Span,
    ) -> Option<Formula> {
        let arg = one_state(cx, name, args, span)?;
        let moves = match (&arg.over, measure) {
            (None, _) => Vec::new(),
            (Some(over), StateMeasure::TimeIn) => over::of(cx, over, arg.span)?,
            (Some(_), _) => {
                return cx.error_help(
                    Code::WrongKind,
                    arg.span,
                    format!("`{name}` is of a moment: it has no `over`"),
                    format!(
                        "leave it out, or write `avg({0} over …)`, `time_in({0} over …)`",
                        kepi_syntax::expr_text(&arg.value)
                    ),
                );
            }
        };
        match held::held(cx, &arg.value, name)? {
            Held::State(set) => self.of_state(cx, measure, name, &set, arg, moves),
            Held::Condition(condition) if measure == StateMeasure::TimeIn => match condition.state {
                Ok(set) => self.of_state(cx, measure, name, &set, arg, moves),
                Err(why) => held::no_state(cx, &arg.value, name, &why),
            },
            Held::Condition(condition) => self.of_condition(cx, measure, name, *condition, arg),
        }
    }

    fn of_state(
        &mut self,
        cx: &mut Cx<'_>,
        measure: StateMeasure,
        name: &str,
        set: &StateSet,
        arg: &Scoped,
        moves: Vec<Move>,
    ) -> Option<Formula> {
        let entity = entity_set(&set.entity);
        let of = entity.role_row(&entity.roles()[0]);
        let condition = self.state_condition(cx, &set.entity, arg)?;
        self.adds_up(cx, measure, name, set, arg)?;
        let held = |when| set.held(&of, when);
        if self.in_groups && set.is_number() && matches!(measure, StateMeasure::Opening | StateMeasure::Closing) {
            // A group exists where the state has a value at either end.
            let either = Row::call(Op::Or, vec![held(When::Opening), held(When::Closing)], Unit::of(Kind::Bool));
            let text = format!("groups of {}", set.name);
            self.add(cx, &entity, counted(text, and(Some(either), condition.clone())), arg.span)?;
        }
        let text = format!("{name}({})", kepi_syntax::scoped_text(arg));
        let wanted = match measure {
            StateMeasure::Opening | StateMeasure::Closing => {
                let mut wanted = counted(text, and(Some(held(When::Moment)), condition));
                if set.is_number() {
                    wanted.measure = Measure::Sum(set.row(&of, When::Moment));
                    wanted.unit = set.core.unit.clone();
                }
                if measure == StateMeasure::Opening {
                    wanted.moved = vec![Move::Start];
                }
                wanted
            }
            StateMeasure::Kept => {
                let both = and(Some(held(When::Opening)), Some(held(When::Closing)));
                counted(text, and(both, condition))
            }
            StateMeasure::TimeIn => {
                // Who never is in it makes no cell.
                let time = time_in(set, &of);
                let counted = counted(text, and(Some(known(&time)), condition));
                Wanted { measure: Measure::Sum(time), unit: Unit::of(Kind::Duration), moved: moves, ..counted }
            }
        };
        self.add(cx, &entity, wanted, arg.span)
    }

    /// The mean of a state over the cell's time: of nothing missing.
    pub(super) fn state_average(&mut self, cx: &mut Cx<'_>, arg: &Scoped) -> Option<Formula> {
        let moved = match &arg.over {
            Some(over) => over::of(cx, over, arg.span)?,
            None => Vec::new(),
        };
        let set = held::state(cx, &arg.value, "avg")?;
        let entity = entity_set(&set.entity);
        let of = entity.role_row(&entity.roles()[0]);
        let condition = self.state_condition(cx, &set.entity, arg)?;
        let mean = average(cx, &set, &of, arg.value.span)?;
        let unit = mean.unit.clone();
        // Who never is in it makes no cell.
        let condition = and(Some(known(&mean)), condition);
        let text = format!("avg({})", kepi_syntax::scoped_text(arg));
        let any = Wanted { moved: moved.clone(), ..counted(format!("entities in {text}"), condition.clone()) };
        let sum = Wanted { measure: Measure::Sum(mean), unit: unit.clone(), moved, ..counted(text, condition) };
        let sum = self.add(cx, &entity, sum, arg.span);
        let any = self.add(cx, &entity, any, arg.span);
        let zero = Formula::constant(Value::Decimal { digits: 0, scale: 0 }, Unit::of(Kind::Count));
        let some = Formula::call(Op::Greater, vec![any?, zero], Unit::of(Kind::Bool));
        Some(Formula::case(vec![(some, sum?)], None, unit))
    }

    /// A condition: the entities that exist are looked at, at the ends of the cell.
    fn of_condition(
        &mut self,
        cx: &mut Cx<'_>,
        measure: StateMeasure,
        name: &str,
        held::Condition { of, holds, .. }: held::Condition,
        arg: &Scoped,
    ) -> Option<Formula> {
        let text = format!("{name}({})", kepi_syntax::scoped_text(arg));
        if measure == StateMeasure::Kept {
            let holds = Wanted { existing: true, ..counted(text, Some(holds)) };
            return self.kept_in_groups(cx, &of, holds, arg);
        }
        let condition = self.state_condition(cx, &of, arg)?;
        let wanted = Wanted { existing: true, ..counted(text, and(Some(holds), condition)) };
        let moved = if measure == StateMeasure::Opening { vec![Move::Start] } else { Vec::new() };
        self.add(cx, &entity_set(&of), Wanted { moved, ..wanted }, arg.span)
    }

    /// The condition of a measure, on the entity that is in the state. `None`: wrong, and reported.
    fn state_condition(&mut self, cx: &mut Cx<'_>, entity: &EntityDecl, arg: &Scoped) -> Option<Option<Row>> {
        match &arg.filter {
            Some(filter) => {
                let set = entity_set(entity);
                expr::condition(cx, &mut RowScope::of(&set), filter).map(Some)
            }
            None => Some(None),
        }
    }

    /// Reports a state of texts that nothing tells apart: its entities are not one number.
    fn adds_up(
        &mut self,
        cx: &mut Cx<'_>,
        measure: StateMeasure,
        name: &str,
        set: &StateSet,
        arg: &Scoped,
    ) -> Option<()> {
        if set.is_yes_no() || set.is_number() {
            if let (Kind::MoneyOf(field), StateMeasure::Opening | StateMeasure::Closing) =
                (&set.core.unit.kind, measure)
                && cx.currency.is_none()
                && !cx.undecided
            {
                return cx.error_help(
                    Code::SeveralCurrencies,
                    arg.value.span,
                    format!("each value of `{}` has the currency that `{field}` says: they do not add up", set.name),
                    "convert them: write `in EUR` behind the query",
                );
            }
            return Some(());
        }
        let moment = matches!(measure, StateMeasure::Opening | StateMeasure::Closing);
        if moment && (arg.filter.is_some() || self.labelled_by(cx, &set.core)) {
            return Some(());
        }
        let state = &set.name;
        let message = format!("`{state}` is {}: `{name}` needs to know which of its values", set.core.unit);
        let by = if moment { format!(", or ask `by {state}`") } else { String::new() };
        let example = match &set.core.unit.kind {
            Kind::Text => format!("`{name}({state} = \"…\")`"),
            _ => format!("`{name}({state} = …)`"),
        };
        cx.error_help(Code::StateMeasured, arg.value.span, message, format!("write a condition, {example}{by}"))
    }

    /// Whether one of the query's labels is the value of a state.
    fn labelled_by(&mut self, cx: &mut Cx<'_>, state: &State) -> bool {
        let Some(entity) = cx.catalog.entity(&state.entity).cloned() else { return false };
        let set = entity_set(&entity);
        let (before, labels, meanings) = (cx.diagnostics.len(), self.labels.clone(), self.meanings.clone());
        let rows = self.row_labels(cx, &set).unwrap_or_default();
        let keys = group_keys::key_labels(self, cx, &set).unwrap_or_default();
        cx.diagnostics.truncate(before);
        (self.labels, self.meanings) = (labels, meanings);
        rows.iter().chain(&keys).any(|row| reads(row, state))
    }
}

fn reads(row: &Row, wanted: &State) -> bool {
    let own = matches!(&row.node, RowNode::State { state, .. } if **state == *wanted);
    own || row.parts().into_iter().any(|part| reads(part, wanted))
}

/// Counting the entities for which a condition holds.
fn counted(text: String, own: Option<Row>) -> Wanted {
    Wanted { existing: false, ..Wanted::of(text, own, Measure::Count, Unit::of(Kind::Count)) }
}

/// Whether a value is not missing.
pub(super) fn known(row: &Row) -> Row {
    let missing = Row::call(Op::IsMissing, vec![row.clone()], Unit::of(Kind::Bool));
    Row::call(Op::Not, vec![missing], Unit::of(Kind::Bool))
}

/// Both conditions, where there are two.
pub(super) fn and(a: Option<Row>, b: Option<Row>) -> Option<Row> {
    match (a, b) {
        (Some(a), Some(b)) => Some(Row::call(Op::And, vec![a, b], Unit::of(Kind::Bool))),
        (a, b) => a.or(b),
    }
}

/// An aggregate that is seen just before the beginning of its window, where its conditions or labels name an end or the
/// time of the cell themselves: the window stays where all that is read at a moment can be read at its opening. Else it is
/// moved there, and looks back at the cell from its beginning.
pub(super) fn read_at_opening(aggregate: &mut Aggregate) {
    let named = || aggregate.filter.iter().chain(&aggregate.labels).any(names_the_cell);
    if aggregate.moved.last() != Some(&Move::Start) || aggregate.existing || !named() {
        return;
    }
    let read = || -> Result<(Option<Row>, Vec<Row>, Measure), ()> {
        let filter = aggregate.filter.as_ref().map(at_opening).transpose()?;
        let labels = aggregate.labels.iter().map(at_opening).collect::<Result<_, _>>()?;
        let measure = match &aggregate.measure {
            Measure::Sum(row) => Measure::Sum(at_opening(row)?),
            other => other.clone(),
        };
        Ok((filter, labels, measure))
    };
    if let Ok((filter, labels, measure)) = read() {
        (aggregate.filter, aggregate.labels, aggregate.measure) = (filter, labels, measure);
        aggregate.moved.pop();
    }
}

fn at_opening(row: &Row) -> Result<Row, ()> {
    at(row, When::Opening)
}

/// What is read at a moment, read at an end of the cell.
pub(super) fn at(row: &Row, end: When) -> Result<Row, ()> {
    let within = |row: &Row| at(row, end);
    let node = match &row.node {
        RowNode::State { state, of, when } => {
            let when = if *when == When::Moment { end } else { *when };
            RowNode::State { state: state.clone(), of: Box::new(within(of)?), when }
        }
        // What happened in the cell's own time is the same wherever the state is read.
        RowNode::History(history) if history.over == Reach::Period => row.node.clone(),
        RowNode::At | RowNode::History(_) | RowNode::Attribute { history: true, .. } => return Err(()),
        RowNode::Attribute { of, entity, field, history } => RowNode::Attribute {
            of: Box::new(within(of)?),
            entity: entity.clone(),
            field: field.clone(),
            history: *history,
        },
        RowNode::Call { op, args } => {
            RowNode::Call { op: op.clone(), args: args.iter().map(within).collect::<Result<_, _>>()? }
        }
        RowNode::Case { whens, otherwise } => RowNode::Case {
            whens: whens.iter().map(|(a, b)| Ok((within(a)?, within(b)?))).collect::<Result<_, ()>>()?,
            otherwise: otherwise.as_ref().map(|o| within(o).map(Box::new)).transpose()?,
        },
        RowNode::Plugin { name, args } => {
            RowNode::Plugin { name: name.clone(), args: args.iter().map(within).collect::<Result<_, _>>()? }
        }
        RowNode::Const(_)
        | RowNode::Field(_)
        | RowNode::Role(_)
        | RowNode::Key { .. }
        | RowNode::StateAverage { .. }
        | RowNode::TimeIn { .. } => row.node.clone(),
        RowNode::Lifecycle { .. } | RowNode::Tile { .. } | RowNode::Modelled(_) => return Err(()),
        RowNode::Step { .. } | RowNode::Convert { .. } => return Err(()),
    };
    Ok(Row { unit: row.unit.clone(), node })
}

/// Whether an expression names the ends or the time of the cell.
fn names_the_cell(row: &Row) -> bool {
    let own = match &row.node {
        RowNode::State { when, .. } => *when != When::Moment,
        RowNode::StateAverage { .. } | RowNode::TimeIn { .. } => true,
        RowNode::History(history) => history.over == Reach::Period,
        _ => false,
    };
    own || row.parts().into_iter().any(names_the_cell)
}
