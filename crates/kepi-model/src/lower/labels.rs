//! The query's labels and conditions, read for the rows of each aggregate.

use super::cell::CellScope;
use super::events::EventSet;
use super::held::entity_set;
use super::literal::seconds;
use super::row::{Meaning, RowScope};
use super::{Cx, Node, expr, group_keys};
use crate::calendar::Grain;
use crate::core::{Op, Row, RowNode};
use crate::declared::EntityDecl;
use crate::names;
use crate::units;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::{Code, Span};

impl CellScope<'_> {
    /// Whether the query's labels or conditions may be others at another moment for the same entity.
    pub(super) fn labels_change(&mut self, cx: &mut Cx<'_>, entity: &EntityDecl) -> bool {
        let set = entity_set(entity);
        let (before, names, meanings) = (cx.diagnostics.len(), self.labels.clone(), self.meanings.clone());
        // What is wrong with them is said where the aggregate is read.
        let (filter, labels) = self.read(cx, &set, None).unwrap_or_default();
        cx.diagnostics.truncate(before);
        (self.labels, self.meanings) = (names, meanings);
        filter.iter().chain(&labels).any(changes)
    }

    /// The query's labels and conditions, read for these rows; with a condition of their own.
    pub(super) fn read(
        &mut self,
        cx: &mut Cx<'_>,
        set: &EventSet,
        own: Option<Row>,
    ) -> Option<(Option<Row>, Vec<Row>)> {
        let labels = self.row_labels(cx, set);
        let asked = self.conditions(cx, set);
        let keys = group_keys::key_labels(self, cx, set);
        let (mut labels, asked) = (labels?, asked?);
        labels.extend(keys?);
        let known = labels.iter().filter_map(label_known).collect::<Vec<_>>();
        let filter = own.into_iter().chain(asked).chain(known).reduce(both);
        Some((filter, labels))
    }

    /// The query's conditions, read for these rows.
    fn conditions(&mut self, cx: &mut Cx<'_>, set: &EventSet) -> Option<Vec<Row>> {
        let mut conditions: Vec<Row> = Vec::new();
        let mut ok = true;
        if let Some(filter) = self.filter {
            let mut scope = RowScope::of(set);
            let condition = in_query(cx, |cx| expr::condition(cx, &mut scope, filter));
            self.agree(cx, set, scope.seen, filter.span, true);
            ok &= condition.is_some();
            conditions.extend(condition);
        }
        for (condition, module) in self.narrowed.clone() {
            let mut scope = RowScope::of(set);
            let outer = std::mem::replace(&mut cx.module, module);
            let lowered = expr::condition(cx, &mut scope, &condition);
            cx.module = outer;
            self.agree(cx, set, scope.seen, condition.span, false);
            ok &= lowered.is_some();
            conditions.extend(lowered);
        }
        ok.then_some(conditions)
    }

    /// The query's conditions as one, read for these rows; none inside: the query has none.
    pub(super) fn asked(&mut self, cx: &mut Cx<'_>, set: &EventSet) -> Option<Option<Row>> {
        Some(self.conditions(cx, set)?.into_iter().reduce(both))
    }

    /// The same without the query's conditions, which have been asked already.
    pub(super) fn without_conditions<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        let (filter, narrowed) = (self.filter.take(), std::mem::take(&mut self.narrowed));
        let result = inner(self);
        (self.filter, self.narrowed) = (filter, narrowed);
        result
    }

    /// The query's labels for rows, in the order written.
    pub(super) fn row_labels(&mut self, cx: &mut Cx<'_>, set: &EventSet) -> Option<Vec<Row>> {
        let mut rows = Vec::new();
        let mut ok = true;
        for (index, label) in self.by.iter().enumerate() {
            if self.blank.contains(&index) {
                rows.push(Row::constant(Value::Missing, Unit::of(Kind::Missing)));
                continue;
            }
            let mut scope = RowScope::of(set);
            let Some(row) = in_query(cx, |cx| expr::lower(cx, &mut scope, label)) else {
                ok = false;
                continue;
            };
            let row: Row = seconds(row);
            self.agree(cx, set, std::mem::take(&mut scope.seen), label.span, true);
            let grain = match row.as_call() {
                Some((Op::Truncate(grain), _)) => Some(grain.clone()),
                _ => None,
            };
            let shown = match &row.unit.kind {
                Kind::Entity(_) => Unit::of(Kind::Text),
                _ => row.unit.clone(),
            };
            match &self.labels[index] {
                None => self.labels[index] = Some((shown, grain)),
                Some((unit, _)) => {
                    if units::join(unit, &shown).is_err() {
                        let message = format!("this label is {unit} for one aggregate and {shown} for `{}`", set.name);
                        cx.error::<()>(Code::Ambiguous, label.span, message);
                        ok = false;
                    }
                }
            }
            let direct = matches!(label.kind, kepi_syntax::ast::ExprKind::Path(_));
            rows.push(if direct { missing_without(row, &scope.through) } else { row });
        }
        rows.extend(self.own_labels.iter().cloned());
        ok.then_some(rows)
    }

    /// Adds a label that the rows of a table have themselves.
    pub(super) fn add_label(&mut self, name: &str, row: Row, grain: Option<Grain>) {
        self.labels.push(Some((row.unit.clone(), grain)));
        self.label_names.push(name.to_string());
        self.own_labels.push(row);
    }

    /// A bare name means one thing per query (rule 2): the same declaration, whatever the way to it.
    fn agree(&mut self, cx: &mut Cx<'_>, set: &EventSet, seen: Vec<Meaning>, span: Span, of_query: bool) {
        for meaning in seen {
            let Some((first, event)) = self.meanings.iter().find(|(m, _)| m.name == meaning.name) else {
                self.meanings.push((meaning, set.clone()));
                continue;
            };
            if first.found == meaning.found {
                continue;
            }
            let Meaning { name, words, found } = &meaning;
            let message =
                format!("`{name}` means {} for `{}`, but {words} for `{}`", first.words, event.name, set.name);
            let paths = [(&first.found, &first.words), (found, words)];
            let path =
                paths.iter().find(|(found, _)| found.starts_with("attribute")).and_then(|(_, w)| w.split('`').nth(1));
            let help = match path {
                Some(path) if path != name => format!("write `{path}` if that is meant"),
                _ => on_an_entity(name, event, set),
            };
            if of_query {
                in_query(cx, |cx| cx.error_help::<()>(Code::Ambiguous, span, message, help));
            } else {
                cx.error_help::<()>(Code::Ambiguous, span, message, help);
            }
        }
    }
}

fn both(a: Row, b: Row) -> Row {
    Row::call(Op::And, vec![a, b], Unit::of(Kind::Bool))
}

/// How a field that two events have each for itself becomes one label for both: as what an entity that both are of has
/// had last.
fn on_an_entity(name: &str, one: &EventSet, other: &EventSet) -> String {
    let others = other.roles();
    let shared = one.roles().into_iter().find(|role| others.iter().any(|other| other.entity == role.entity));
    let plain = !name.contains('.') && one.made.is_none() && other.made.is_none();
    match shared.filter(|_| plain) {
        Some(role) => {
            let (entity, event) = (names::bare(&role.entity), &other.name);
            format!(
                "ask for them in two queries, or for what their `{entity}` had last: \
                 `dimension {name}_of of {entity} = last({event}.{name})`"
            )
        }
        None => "ask for them in two queries, or keep it on an entity that both are of".to_string(),
    }
}

/// Entities without a lifecycle are not counted: the condition that they have one.
fn label_known(label: &Row) -> Option<Row> {
    if !matches!(label.node, RowNode::Lifecycle { .. }) {
        return None;
    }
    let missing = Row::call(Op::IsMissing, vec![label.clone()], Unit::of(Kind::Bool));
    Some(Row::call(Op::Not, vec![missing], Unit::of(Kind::Bool)))
}

/// A label that an entity's segment or dimension gives: an event without that entity has none (rule 9).
fn missing_without(row: Row, entities: &[Row]) -> Row {
    entities.iter().fold(row, super::nobody::missing_without)
}

/// Labels and filters are the query's own text, also while a metric is being expanded.
fn in_query<T>(cx: &mut Cx<'_>, inner: impl FnOnce(&mut Cx<'_>) -> T) -> T {
    let module = std::mem::replace(&mut cx.module, cx.home.clone());
    let site = cx.site.take();
    let stack = std::mem::take(&mut cx.stack);
    let result = inner(cx);
    cx.stack = stack;
    cx.site = site;
    cx.module = module;
    result
}

/// Whether an expression of an entity looks at its moment.
fn changes(row: &Row) -> bool {
    let own = match &row.node {
        RowNode::Attribute { history, .. } => *history,
        RowNode::Const(_) | RowNode::Field(_) | RowNode::Role(_) | RowNode::Key { .. } => false,
        RowNode::Call { .. } | RowNode::Case { .. } | RowNode::Plugin { .. } | RowNode::Convert { .. } => false,
        _ => true,
    };
    own || row.parts().into_iter().any(changes)
}
