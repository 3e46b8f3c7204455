//! States in a row's expression: what they are at the row's moment, at the ends of the cell, in its time.

use super::held::{self, Held};
use super::row::{RowScope, listed_owned};
use super::state::{self, StateSet};
use super::{Cx, Node, measured};
use crate::catalog::{StateDecl, Symbol, SymbolKind};
use crate::core::{Made, Op, Row, RowNode, When};
use crate::declared::EntityDecl;
use crate::functions::StateMeasure;
use crate::names;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{Argument, Path, Scoped};
use kepi_syntax::{Code, Span};

impl RowScope<'_> {
    /// A state by its bare name: that of the row's entity. `None`: the name is no state.
    pub(super) fn state(&mut self, cx: &mut Cx<'_>, path: &Path, parts: &[&str]) -> Option<Option<Row>> {
        let catalog = cx.catalog;
        let (symbol, used) = catalog.lookup(&cx.module, parts, cx.anywhere)?;
        let SymbolKind::State(decl) = &symbol.kind else { return None };
        Some((|| {
            let owner = state::owner(cx, symbol, decl)?.clone();
            let of = self.row_of(cx, &owner, &symbol.name, path.span)?;
            self.state_path(cx, path, (symbol, decl), of, &parts[used..])
        })())
    }

    /// A state of an entity that the path has come to. `None`: it has no such state.
    pub(super) fn state_behind(
        &mut self,
        cx: &mut Cx<'_>,
        path: &Path,
        of: &Row,
        entity: &EntityDecl,
        rest: &[&str],
    ) -> Option<Option<Row>> {
        let catalog = cx.catalog;
        let (symbol, used) = catalog.lookup(&cx.module, rest, cx.anywhere)?;
        let SymbolKind::State(decl) = &symbol.kind else { return None };
        if state::owner(cx, symbol, decl)?.name != entity.name {
            return None;
        }
        Some(self.state_path(cx, path, (symbol, decl), of.clone(), &rest[used..]))
    }

    fn state_path(
        &mut self,
        cx: &mut Cx<'_>,
        path: &Path,
        (symbol, decl): (&Symbol, &StateDecl),
        of: Row,
        rest: &[&str],
    ) -> Option<Row> {
        self.dated(cx, path.span, &format!("`{}` is a state at a moment", symbol.name))?;
        let set = state::of_symbol(cx, symbol, decl, path.span)?;
        if !self.set.is_entity() {
            self.through.push(of.clone());
        }
        let row = set.row(&of, When::Moment);
        if rest.is_empty() {
            self.see(path, "state", &symbol.full_name(), &symbol.name);
            return Some(row);
        }
        if let Kind::Entity(next) = &set.core.unit.kind {
            let next = cx.catalog.entity(next).cloned()?;
            return self.entity_path(cx, path, row, &symbol.name, &next, rest);
        }
        let message = format!("`{}` is {}: it has no fields", symbol.name, set.core.unit);
        cx.error(Code::WrongKind, path.span, message)
    }

    /// The row's entity of a kind, of which something is asked.
    fn row_of(&self, cx: &mut Cx<'_>, entity: &EntityDecl, what: &str, span: Span) -> Option<Row> {
        let bare = names::bare(&entity.name);
        if let Some((focus, row)) = &self.focus {
            if focus.name == entity.name {
                return Some(row.clone());
            }
            return cx.error_help(
                Code::FieldLacking,
                span,
                format!("`{what}` is a state of `{bare}`, not of `{}`", names::bare(&focus.name)),
                format!("reach it through a field that refers to a `{bare}`, such as `field.{what}`"),
            );
        }
        let roles = self.set.roles();
        let mut of: Vec<_> = roles.iter().filter(|r| r.entity == entity.name).collect();
        if let Some(index) = of.iter().position(|r| r.name == bare) {
            of = vec![of[index]];
        }
        match of.as_slice() {
            [role] => Some(self.set.role_row(role)),
            [] => {
                let message = format!("`{what}` is a state of `{bare}`, and `{}` has none", self.set.name);
                let help = match self.set.is_entity() {
                    true => format!("ask it of a `{bare}`, such as `count({bare} where {what} …)`"),
                    false => format!("`{}` is of {}", self.set.name, listed_owned(&roles)),
                };
                cx.error_help(Code::FieldLacking, span, message, help)
            }
            [first, ..] => cx.error_help(
                Code::Ambiguous,
                span,
                format!("`{}` has several `{bare}`", self.set.name),
                format!("write which one is meant, such as `{}.{what}`", first.name),
            ),
        }
    }

    /// `opening(mrr)` and its kin of the one entity.
    pub(super) fn state_measure(
        &mut self,
        cx: &mut Cx<'_>,
        measure: StateMeasure,
        name: &str,
        args: &[Argument],
        span: Span,
    ) -> Option<Row> {
        let arg = one_state(cx, name, args, span)?;
        if let Some(filter) = &arg.filter {
            let (text, filter) = (kepi_syntax::expr_text(&arg.value), kepi_syntax::expr_text(filter));
            return cx.error_help(
                Code::Arguments,
                arg.span,
                format!("of one row `{name}` has no condition of its own"),
                format!("write it beside: `{name}({text})` and, where a condition is needed, `{filter}`"),
            );
        }
        let set = match held::held(cx, &arg.value, name)? {
            Held::State(set) => set,
            Held::Condition(condition) => {
                let held::Condition { of, holds, state } = *condition;
                // Of the row's own entity the condition itself can be asked.
                let own = self.set.is_entity() && self.set.names.contains(&of.name);
                let ends = own.then(|| [When::Opening, When::Closing].map(|end| measured::at(&holds, end)));
                match (ends, state) {
                    (Some([Ok(opening), Ok(closing)]), _) if measure != StateMeasure::TimeIn => {
                        return Some(match measure {
                            StateMeasure::Opening => opening,
                            StateMeasure::Closing => closing,
                            _ => Row::call(Op::And, vec![opening, closing], Unit::of(Kind::Bool)),
                        });
                    }
                    (_, Ok(set)) => set,
                    (_, Err(why)) => return held::no_state(cx, &arg.value, name, &why),
                }
            }
        };
        let of = self.row_of(cx, &set.entity, &set.name, arg.value.span)?;
        self.measured(cx, measure, name, &set, &of, span)
    }

    fn measured(
        &self,
        cx: &mut Cx<'_>,
        measure: StateMeasure,
        name: &str,
        set: &StateSet,
        of: &Row,
        span: Span,
    ) -> Option<Row> {
        self.sees_the_cell(cx, name, measure == StateMeasure::Opening, set, span)?;
        Some(match measure {
            StateMeasure::Opening => set.row(of, When::Opening),
            StateMeasure::Closing => set.row(of, When::Closing),
            StateMeasure::Kept => {
                let ends = vec![set.held(of, When::Opening), set.held(of, When::Closing)];
                Row::call(Op::And, ends, Unit::of(Kind::Bool))
            }
            StateMeasure::TimeIn => otherwise_zero(time_in(set, of)),
        })
    }

    /// `avg(mrr)` of the one entity.
    pub(super) fn state_average(&mut self, cx: &mut Cx<'_>, arg: &Scoped, span: Span) -> Option<Row> {
        let set = held::state(cx, &arg.value, "avg")?;
        let of = self.row_of(cx, &set.entity, &set.name, arg.value.span)?;
        self.sees_the_cell(cx, "avg", false, &set, span)?;
        average(cx, &set, &of, arg.value.span)
    }

    /// Whether a row may look at the ends of its cell: an entity may, an event only back to the beginning.
    fn sees_the_cell(&self, cx: &mut Cx<'_>, name: &str, opening: bool, set: &StateSet, span: Span) -> Option<()> {
        let per = match self.set.made.as_deref() {
            None if self.set.is_entity() => return Some(()),
            Some(Made::Groups(groups)) if groups.per.is_none() => return Some(()),
            Some(Made::Groups(groups)) => groups.per.clone(),
            _ => None,
        };
        if let Some(per) = per {
            return cx.error_help(
                Code::WrongKind,
                span,
                format!("a condition on groups per {} sees their end, not the ends of the cell", per.name()),
                format!(
                    "write it inside, such as `sum({name}({0}) where …)`, or ask for `{0}` at the group's end",
                    set.name
                ),
            );
        }
        if opening {
            return self.dated(cx, span, "nothing opens for it");
        }
        cx.error_help(
            Code::WrongKind,
            span,
            format!("a row of `{}` never looks ahead, and `{name}` does", self.set.name),
            format!("write `{0}` for what it is at the row's moment, or `opening({0})`", set.name),
        )
    }
}

/// The one state that a measure is given, without `per` and `over`.
pub(super) fn one_state<'a>(cx: &mut Cx<'_>, name: &str, args: &'a [Argument], span: Span) -> Option<&'a Scoped> {
    let one = match args {
        [arg] => super::call::plain(arg),
        _ => None,
    };
    let Some(arg) = one else {
        return cx.error_help(
            Code::Arguments,
            span,
            format!("`{name}` takes one state"),
            format!("write `{name}(active)` or `{name}(mrr where …)`"),
        );
    };
    if let Some(per) = &arg.per {
        let text = kepi_syntax::expr_text(&arg.value);
        return cx.error_help(
            Code::Arguments,
            per.grains.first().map_or(arg.span, |g| g.span),
            format!("`{name}` is no aggregate of groups"),
            format!("say what is computed of them: `sum({name}({text}) per customer)`"),
        );
    }
    Some(arg)
}

/// For how long a state holds in the cell; missing where it never does.
pub(super) fn time_in(set: &StateSet, of: &Row) -> Row {
    let node = RowNode::TimeIn { state: Box::new(set.holding()), of: Box::new(of.clone()) };
    Row { unit: Unit::of(Kind::Duration), node }
}

/// The mean of a state over the cell's time.
pub(super) fn average(cx: &mut Cx<'_>, set: &StateSet, of: &Row, span: Span) -> Option<Row> {
    let unit = match &set.core.unit {
        unit if set.is_yes_no() || unit.kind == Kind::Count => Unit { kind: Kind::Number, per: unit.per },
        unit if set.is_number() => unit.clone(),
        unit => {
            return cx.error_help(
                Code::StateMeasured,
                span,
                format!("`{}` is {unit}: it has no mean", set.name),
                format!("write a condition on it, such as `avg({} = …)`, for how many there were", set.name),
            );
        }
    };
    let node = RowNode::StateAverage { state: Box::new(set.core.clone()), of: Box::new(of.clone()) };
    Some(Row { unit, node })
}

pub(super) fn otherwise_zero(row: Row) -> Row {
    let unit = row.unit.clone();
    let zero = Row::constant(Value::Decimal { digits: 0, scale: 0 }, unit.clone());
    Row::call(Op::Otherwise, vec![row, zero], unit)
}
