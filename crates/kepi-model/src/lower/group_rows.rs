//! Groups per entity of which only states are asked: `sum(least(opening(mrr), closing(mrr)) per customer)`. Each group is
//! a row of the entity, and its value an expression of that row.

use super::bind::{bind, substitute};
use super::expr::{self, Scope};
use super::held::{self, Held};
use super::literal::seconds;
use super::measured::known;
use super::state_row::{average, otherwise_zero, time_in};
use super::{Cx, Node};
use crate::catalog::SymbolKind;
use crate::core::{Op, Row, RowNode, When};
use crate::declared::{EntityDecl, Signature};
use crate::functions::{AggregateKind, Lowering, StateMeasure};
use crate::names;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::Span;
use kepi_syntax::ast::{Argument, Expr, Name, Path};

/// A group's value as an expression of its entity.
pub(super) struct Group {
    pub(super) value: Row,
    /// Where the group exists.
    pub(super) exists: Option<Row>,
}

impl Group {
    /// Whether the value is that of the cell's beginning, in part.
    pub(super) fn looks_at_opening(&self) -> bool {
        fn looks(row: &Row) -> bool {
            matches!(row.node, RowNode::State { when: When::Opening, .. }) || row.parts().into_iter().any(looks)
        }
        looks(&self.value)
    }
}

/// The value of groups per entity, if only states are asked of it. `Some(None)`: it is wrong, and that has been reported.
pub(super) fn value(cx: &mut Cx<'_>, value: &Expr, entity: &EntityDecl) -> Option<Option<Group>> {
    let before = cx.diagnostics.len();
    let set = held::entity_set(entity);
    let of = set.role_row(&set.roles()[0]);
    let mut scope = GroupRow { entity: entity.clone(), of, exists: Vec::new(), only_states: true };
    let lowered = expr::lower::<Row>(cx, &mut scope, value).map(seconds);
    if !scope.only_states || scope.exists.is_empty() {
        cx.diagnostics.truncate(before);
        return None;
    }
    let exists = scope.exists.into_iter().reduce(|a, b| Row::call(Op::Or, vec![a, b], Unit::of(Kind::Bool)));
    Some(lowered.map(|value| Group { value, exists }))
}

struct GroupRow {
    entity: EntityDecl,
    of: Row,
    /// Where each part has a row.
    exists: Vec<Row>,
    /// Nothing else has been asked so far.
    only_states: bool,
}

impl GroupRow {
    fn other<T>(&mut self) -> Option<T> {
        self.only_states = false;
        None
    }

    fn exists_where(&mut self, condition: Row) {
        if !self.exists.contains(&condition) {
            self.exists.push(condition);
        }
    }

    /// A measure of a state of this very entity, without a condition.
    fn measured(
        &mut self,
        cx: &mut Cx<'_>,
        measure: Option<StateMeasure>,
        name: &str,
        args: &[Argument],
    ) -> Option<Row> {
        let [Argument::Plain(chain)] = args else { return self.other() };
        let arg = &chain.first;
        if !chain.rest.is_empty() || arg.filter.is_some() || arg.per.is_some() || arg.over.is_some() {
            return self.other();
        }
        let over_time = matches!(measure, None | Some(StateMeasure::TimeIn));
        let set = match held::held(cx, &arg.value, name)? {
            Held::State(set) => set,
            Held::Condition(condition) if over_time => match condition.state {
                Ok(set) => set,
                Err(_) => return self.other(),
            },
            Held::Condition(_) => return self.other(),
        };
        if set.entity.name != self.entity.name {
            return self.other();
        }
        let of = self.of.clone();
        let Some(measure) = measure else {
            let mean = average(cx, &set, &of, arg.value.span)?;
            self.exists_where(known(&mean));
            return Some(mean);
        };
        let when = match measure {
            StateMeasure::TimeIn => {
                let time = time_in(&set, &of);
                self.exists_where(known(&time));
                return Some(otherwise_zero(time));
            }
            StateMeasure::Kept => {
                let ends = vec![set.held(&of, When::Opening), set.held(&of, When::Closing)];
                let both = Row::call(Op::And, ends, Unit::of(Kind::Bool));
                self.exists_where(both.clone());
                return Some(one_if(both));
            }
            StateMeasure::Opening => When::Opening,
            StateMeasure::Closing => When::Closing,
        };
        if !set.is_number() && !set.is_yes_no() {
            // What this lacks is said where cells are computed.
            return self.other();
        }
        let row = set.row(&of, when);
        if set.is_yes_no() {
            self.exists_where(row.clone());
            return Some(one_if(row));
        }
        // It has a value where it holds at either end.
        let ends = vec![set.held(&of, When::Opening), set.held(&of, When::Closing)];
        self.exists_where(Row::call(Op::Or, ends, Unit::of(Kind::Bool)));
        Some(row)
    }

    fn metric(&mut self, cx: &mut Cx<'_>, path: &Path, args: &[Argument]) -> Option<Option<Row>> {
        let parts = names::parts(path);
        let catalog = cx.catalog;
        let (symbol, used) = catalog.lookup(&cx.module, &parts, cx.anywhere)?;
        let SymbolKind::Metric(definition) = &symbol.kind else { return None };
        if used < parts.len() {
            return Some(self.other());
        }
        let Some(bindings) = bind(cx, &symbol.name, &definition.parameters, args, path.span) else {
            return Some(self.other());
        };
        let body = substitute(&definition.value, &bindings);
        Some(cx.expand(&symbol.full_name(), &symbol.module, path.span, |cx| expr::lower(cx, self, &body)))
    }
}

/// A count of one entity.
fn one_if(condition: Row) -> Row {
    let number = |digits| Row::constant(Value::Decimal { digits, scale: 0 }, Unit::of(Kind::Count));
    Row::case(vec![(condition, number(1))], Some(Box::new(number(0))), Unit::of(Kind::Count))
}

impl Scope<Row> for GroupRow {
    fn path(&mut self, cx: &mut Cx<'_>, path: &Path) -> Option<Row> {
        match self.metric(cx, path, &[]) {
            Some(done) => done,
            None => self.other(),
        }
    }

    fn now(&self, cx: &mut Cx<'_>, _: Span) -> Option<Row> {
        Some(Row::constant(Value::Time(cx.now), Unit::of(Kind::Time)))
    }

    fn call(
        &mut self,
        cx: &mut Cx<'_>,
        lowering: &Lowering,
        name: &str,
        args: &[Argument],
        _: Span,
    ) -> Option<Option<Row>> {
        match lowering {
            Lowering::Scalar { .. } | Lowering::Truncate(_) | Lowering::Ratio => None,
            Lowering::State(measure) => Some(self.measured(cx, Some(*measure), name, args)),
            Lowering::Aggregate(AggregateKind::Avg) => match args {
                [Argument::Plain(chain)] if held::is_held(cx, &chain.first.value) => {
                    Some(self.measured(cx, None, name, args))
                }
                _ => Some(self.other()),
            },
            _ => Some(self.other()),
        }
    }

    fn field(&mut self, _: &mut Cx<'_>, _: &Expr, _: &Name, _: &Expr) -> Option<Option<Row>> {
        Some(self.other())
    }

    fn plugin_aggregate(&mut self, _: &mut Cx<'_>, _: &Signature, _: &[Argument], _: Span) -> Option<Row> {
        self.other()
    }

    fn definition_call(&mut self, cx: &mut Cx<'_>, path: &Path, args: &[Argument]) -> Option<Option<Row>> {
        self.metric(cx, path, args)
    }
}
