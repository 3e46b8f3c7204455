//! Conditions on entities as states: of the value of one state, or of several states, attributes and histories together.

use super::bind::{bind, substitute};
use super::events::{BaseDecl, EventSet};
use super::expr::{self, Scope};
use super::row::RowScope;
use super::state::{self, StateSet, value_row};
use super::{Cx, Node, entity, query};
use crate::catalog::SymbolKind;
use crate::core::{Changes, Keyed, Made, Op, Reach, Row, RowNode, State, Until, VALUE_OF};
use crate::declared::{EntityDecl, RoleDecl, Signature, StreamDecl};
use crate::functions::Lowering;
use crate::names;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::Span;
use kepi_syntax::ast::{Argument, Expr, Name, Path};

/// The state of satisfying a condition. `Err`: what it depends on that does not say when it begins and ends, in words.
pub(super) fn state_of(cx: &mut Cx<'_>, value: &Expr, entity: &EntityDecl, text: &str) -> Result<StateSet, String> {
    let before = cx.diagnostics.len();
    let mut lowered = |several: bool| {
        let mut scope = HoldsScope {
            entity: entity.clone(),
            of: changes_of(entity),
            several,
            states: Vec::new(),
            attributes: Vec::new(),
            rows: Vec::new(),
            why: None,
        };
        let lowered = expr::condition(cx, &mut scope, value);
        // What is wrong with it has been said before.
        cx.diagnostics.truncate(before);
        (scope, lowered)
    };
    let (mut alone, condition) = lowered(false);
    if alone.why.is_none() && alone.states.len() == 1 {
        let condition = condition.ok_or_else(|| format!("`{text}` is more than a condition on its value"))?;
        not_of_time(&condition)?;
        return Ok(of_one(cx, alone.states.remove(0), condition, text));
    }
    let (several, condition) = lowered(true);
    match (several.why, condition) {
        (Some(why), _) => Err(why),
        (None, None) => Err(format!("`{text}` is more than a condition on states")),
        (None, Some(condition)) => {
            not_of_time(&condition)?;
            let changes = Changes {
                entity: entity.name.clone(),
                role: names::bare(&entity.name).to_string(),
                states: several.states.into_iter().map(|set| set.core).collect(),
                attributes: several.attributes,
                rows: several.rows,
            };
            Ok(of_several(cx, entity, changes, condition, text))
        }
    }
}

/// The state of satisfying a condition on the value of another one: of a yes/no state, on whether it holds.
fn of_one(cx: &Cx<'_>, set: StateSet, condition: Row, text: &str) -> StateSet {
    let core = State {
        text: text.to_string(),
        unit: Unit::of(Kind::Bool),
        holds: Some(condition),
        existence: query::existence(cx.catalog, &set.entity.name),
        ..set.core.clone()
    };
    StateSet { name: text.to_string(), core, ..set }
}

/// The state of satisfying a condition on what several states are: made of the moments at which one of them changes.
fn of_several(cx: &Cx<'_>, entity: &EntityDecl, changes: Changes, condition: Row, text: &str) -> StateSet {
    let mut from = changes_of(entity);
    let key = from.role_row(&from.roles()[0]);
    from.made = Some(Box::new(Made::Changes(Box::new(changes))));
    from.name = text.to_string();
    let unit = Unit::of(Kind::Bool);
    let core = State {
        text: text.to_string(),
        entity: entity.name.clone(),
        unit: unit.clone(),
        from: from.events(),
        key,
        value: Some(condition),
        until: Until::Never,
        holds: Some(value_row(unit)),
        existence: query::existence(cx.catalog, &entity.name),
    };
    StateSet { name: text.to_string(), entity: entity.clone(), from, core }
}

/// Rows that are about an entity, and have no fields of their own.
fn changes_of(entity: &EntityDecl) -> EventSet {
    let bare = names::bare(&entity.name);
    let roles = vec![RoleDecl { name: bare.to_string(), entity: entity.name.clone() }];
    let name = format!("changes of {bare}");
    EventSet {
        name: name.clone(),
        names: vec![name.clone()],
        base: BaseDecl::Stream(StreamDecl { name, roles, at: Some("at".to_string()), fields: Vec::new() }),
        made: None,
        extra: Vec::new(),
        steps: Vec::new(),
        stages: Vec::new(),
        once: None,
    }
}

fn not_of_time(condition: &Row) -> Result<(), String> {
    match looks_at_time(condition) {
        true => Err("`now` is no value of a state".to_string()),
        false => Ok(()),
    }
}

fn looks_at_time(row: &Row) -> bool {
    row.node == RowNode::At || row.parts().into_iter().any(looks_at_time)
}

/// A condition as one on the values of states: a state's name means its value. Of one state alone that is the value of its
/// rows; of several what each of them is at the moments of [`Changes`], beside the attributes of the entity and what happened to it.
struct HoldsScope {
    entity: EntityDecl,
    /// Rows of the entity, from which attributes are seen.
    of: EventSet,
    several: bool,
    states: Vec<StateSet>,
    /// The attributes with a history that it asks for.
    attributes: Vec<String>,
    /// The events whose histories it asks for.
    rows: Vec<Keyed>,
    /// What else it depends on, in words.
    why: Option<String>,
}

impl HoldsScope {
    fn other<T>(&mut self, what: &str) -> Option<T> {
        self.why.get_or_insert_with(|| format!("`{what}` is no value of a state"));
        None
    }

    /// What a state is, by its number.
    fn value(&self, index: usize) -> Row {
        let core = &self.states[index].core;
        let unit = core.value.as_ref().map_or(Unit::of(Kind::Bool), |value| value.unit.clone());
        if !self.several {
            return value_row(unit);
        }
        let value = Row { unit: unit.clone(), node: RowNode::Field(format!("{VALUE_OF}{index}")) };
        // Where it does not hold.
        let nothing = match &unit.kind {
            Kind::Bool => Value::Bool(false),
            kind if kind.is_numeric() => Value::Decimal { digits: 0, scale: 0 },
            _ => return value,
        };
        Row::call(Op::Otherwise, vec![value, Row::constant(nothing, unit.clone())], unit)
    }

    /// An attribute of the entity, or of one that it refers to.
    fn attribute(&mut self, cx: &mut Cx<'_>, path: &Path) -> Option<Row> {
        let of = self.of.clone();
        match Scope::<Row>::path(&mut self.seen_from(&of), cx, path) {
            Some(row) if self.lasts(&row) => Some(row),
            _ => self.other(&names::text(path)),
        }
    }

    /// The entity as it is seen from its rows.
    fn seen_from<'s>(&self, of: &'s EventSet) -> RowScope<'s> {
        let focus = Some((self.entity.clone(), of.role_row(&of.roles()[0])));
        RowScope { set: of, focus, seen: Vec::new(), through: Vec::new() }
    }

    /// Whether a value changes only with an attribute of the entity that has a history, or with rows of events that are
    /// about it; these are kept then.
    fn lasts(&mut self, row: &Row) -> bool {
        match &row.node {
            RowNode::Attribute { of, history: true, field, .. } => {
                let own = matches!(of.node, RowNode::Role(_));
                if own && !self.attributes.contains(field) {
                    self.attributes.push(field.clone());
                }
                own
            }
            // What is looked back at for some time only changes by itself.
            RowNode::History(history) => {
                let own = matches!(history.subject.node, RowNode::Role(_)) && history.over == Reach::AllTime;
                let rows = !history.before && !history.events.base.is_groups();
                let keyed = Keyed { events: history.events.clone(), key: history.key.clone() };
                if own && rows && !self.rows.contains(&keyed) {
                    self.rows.push(keyed);
                }
                own && rows
            }
            RowNode::Const(_)
            | RowNode::Role(_)
            | RowNode::Key { .. }
            | RowNode::Attribute { .. }
            | RowNode::Call { .. }
            | RowNode::Case { .. }
            | RowNode::Plugin { .. } => row.parts().into_iter().all(|part| self.lasts(part)),
            _ => false,
        }
    }
}

impl Scope<Row> for HoldsScope {
    fn path(&mut self, cx: &mut Cx<'_>, path: &Path) -> Option<Row> {
        let all = names::parts(path);
        let text = names::text(path);
        let bare = names::bare(&self.entity.name);
        let parts = if all.len() > 1 && all[0] == bare { &all[1..] } else { &all[..] };
        if let Some((symbol, definition)) = entity::definition_of(cx, parts, &self.entity.name) {
            let Some(bindings) = bind(cx, &symbol.name, &definition.parameters, &[], path.span) else {
                return self.other(&text);
            };
            let body = substitute(&definition.value, &bindings);
            return cx.expand(&symbol.full_name(), &symbol.module, path.span, |cx| expr::lower(cx, self, &body));
        }
        let catalog = cx.catalog;
        let found = catalog.lookup(&cx.module, parts, cx.anywhere).filter(|(_, used)| *used == parts.len());
        let Some((symbol, SymbolKind::State(decl))) = found.map(|(symbol, _)| (symbol, &symbol.kind)) else {
            return if self.several { self.attribute(cx, path) } else { self.other(&text) };
        };
        if state::owner(cx, symbol, decl).is_none_or(|owner| owner.name != self.entity.name) {
            return self.other(&text);
        }
        let set = state::of_symbol(cx, symbol, decl, path.span)?;
        let known = self.states.iter().position(|known| known.core == set.core);
        let index = known.unwrap_or(self.states.len());
        if known.is_none() {
            if index > 0 && !self.several {
                let both = format!("it depends on `{}` and on `{}`", self.states[0].name, set.name);
                self.why.get_or_insert(both);
                return None;
            }
            self.states.push(set);
        }
        Some(self.value(index))
    }

    fn now(&self, _: &mut Cx<'_>, _: Span) -> Option<Row> {
        // Not a value of the state; the row is looked at again as a condition at a moment.
        Some(Row { unit: Unit::of(Kind::Time), node: RowNode::At })
    }

    fn call(
        &mut self,
        cx: &mut Cx<'_>,
        lowering: &Lowering,
        name: &str,
        args: &[Argument],
        span: Span,
    ) -> Option<Option<Row>> {
        match lowering {
            Lowering::Scalar { .. } | Lowering::Truncate(_) | Lowering::Ratio => None,
            Lowering::Aggregate(_) | Lowering::Share if self.several => {
                let of = self.of.clone();
                let found = Scope::<Row>::call(&mut self.seen_from(&of), cx, lowering, name, args, span);
                Some(match found.flatten() {
                    Some(row) if self.lasts(&row) => Some(row),
                    _ => self.other(name),
                })
            }
            _ => Some(self.other(name)),
        }
    }

    fn field(&mut self, _: &mut Cx<'_>, _: &Expr, name: &Name, _: &Expr) -> Option<Option<Row>> {
        Some(self.other(&name.text))
    }

    fn plugin_aggregate(&mut self, _: &mut Cx<'_>, signature: &Signature, _: &[Argument], _: Span) -> Option<Row> {
        self.other(&signature.name)
    }

    fn definition_call(&mut self, cx: &mut Cx<'_>, path: &Path, args: &[Argument]) -> Option<Option<Row>> {
        let (symbol, definition) = entity::definition_of(cx, &names::parts(path), &self.entity.name)?;
        let Some(bindings) = bind(cx, &symbol.name, &definition.parameters, args, path.span) else {
            return Some(None);
        };
        let body = substitute(&definition.value, &bindings);
        Some(cx.expand(&symbol.full_name(), &symbol.module, path.span, |cx| expr::lower(cx, self, &body)))
    }
}
