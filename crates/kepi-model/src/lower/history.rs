//! The history of a row's subject: whose it is, how far back it goes, what is computed of it.

use super::aggregate::{Parsed, aggregate_arguments, aggregate_of, measure};
use super::events::{self, EventSet};
use super::row::{RowScope, listed, listed_owned};
use super::{Cx, convert, expr, groups, held, over};
use crate::core::{History, Measure, Reach, Row, RowNode};
use crate::declared::RoleDecl;
use crate::functions::AggregateKind;
use crate::names;
use crate::value::{Kind, Unit};
use kepi_syntax::ast::{Argument, ExprKind, Scoped};
use kepi_syntax::{Code, Span};

impl RowScope<'_> {
    /// Which entity's history an aggregate over `other` sees from here: the row of the outer side, of the inner side.
    pub(super) fn subject(
        &self,
        cx: &mut Cx<'_>,
        other: &EventSet,
        chosen: Option<&str>,
        span: Span,
    ) -> Option<(Row, Row)> {
        let inner = other.roles();
        let outer: Vec<(RoleDecl, Row)> = match &self.focus {
            Some((entity, row)) => {
                vec![(RoleDecl { name: entity.name.clone(), entity: entity.name.clone() }, row.clone())]
            }
            None => self.set.roles().iter().map(|r| (r.clone(), self.set.role_row(r))).collect(),
        };
        // The same role first: of `buyer, seller` a `seller` looks into the history of the seller.
        let find = |role: &RoleDecl| {
            let same = inner.iter().find(|r| r.name == role.name && r.entity == role.entity);
            same.or_else(|| inner.iter().find(|r| r.entity == role.entity))
        };
        if let Some(name) = chosen {
            let picked = outer.iter().find(|(r, _)| r.is_called(name));
            return match picked.and_then(|(r, row)| find(r).map(|i| (row.clone(), other.role_row(i)))) {
                Some(pair) => Some(pair),
                None => cx.error_help(
                    Code::NoSubject,
                    span,
                    format!("`{}` and `{}` do not share `{}`", self.set.name, other.name, names::bare(name)),
                    format!("`{}` is of {}", self.set.name, listed_owned(&self.set.roles())),
                ),
            };
        }
        if let (Some((first, row)), Some(theirs)) = (outer.first(), inner.first())
            && first.entity == theirs.entity
        {
            return Some((row.clone(), other.role_row(theirs)));
        }
        let mut shared: Vec<(&RoleDecl, Row, Row)> = Vec::new();
        for (role, row) in &outer {
            if let Some(theirs) = find(role) {
                shared.push((role, row.clone(), other.role_row(theirs)));
            }
        }
        match shared.as_slice() {
            [(_, outer, inner)] => Some((outer.clone(), inner.clone())),
            [] => {
                let who = self.focus.as_ref().map_or(self.set.name.clone(), |(e, _)| names::bare(&e.name).to_string());
                cx.error_help(
                    Code::NoSubject,
                    span,
                    format!(
                        "`{who}` and `{}` have no entity in common, so there is no history to look into",
                        other.name
                    ),
                    format!("`{}` is of {}", other.name, listed_owned(&inner)),
                )
            }
            several => {
                let names: Vec<&str> = several.iter().map(|(r, _, _)| r.name.as_str()).collect();
                cx.error_help(
                    Code::NoSubject,
                    span,
                    format!("`{}` and `{}` share {}", self.set.name, other.name, listed(&names)),
                    format!("choose one: `per: {}`", names[0]),
                )
            }
        }
    }

    pub(super) fn history(
        &mut self,
        cx: &mut Cx<'_>,
        kind: AggregateKind,
        args: &[Argument],
        span: Span,
    ) -> Option<Row> {
        let parsed = aggregate_arguments(cx, kind, args, span)?;
        let is_event = events::is_event(cx, &parsed.scoped.value);
        if let (Some(per), false) = (&parsed.scoped.per, is_event) {
            return self.grouped_history(cx, kind, &parsed, per, span);
        }
        let Parsed { scoped, percent, observed, chosen } = parsed;
        let made_here = kind == AggregateKind::Count && !matches!(scoped.value.kind, ExprKind::Path(_));
        if let (Some(per), false) = (&scoped.per, made_here) {
            return groups::of_rows(cx, kind, scoped, per);
        }
        if kind == AggregateKind::Avg && held::is_held(cx, &scoped.value) {
            return self.state_average(cx, scoped, span);
        }
        let over = over::reach(cx, scoped)?;
        let (set, arg) = match &scoped.per {
            // `count(first(orders) per customer)`
            Some(_) => (events::of_scoped(cx, &Scoped { filter: None, over: None, ..scoped.clone() })?, None),
            None => aggregate_of(cx, kind, scoped, span)?,
        };
        if set.is_entity() {
            return cx.error_help(
                Code::WrongKind,
                span,
                format!("`{}` is an entity: it has no rows in a history", set.name),
                "take the history of an event",
            );
        }
        if set.events().base != self.set.events().base || over != Reach::AllTime {
            self.dated(cx, span, "a history goes up to the moment of the row")?;
        }
        if over != Reach::AllTime && !set.is_dated() {
            let message = format!("`{}` is undated: nothing of it lies in the last days", set.name);
            return cx.error_help(Code::Undated, span, message, "leave out `over`, or declare the event with `at`");
        }
        let (subject, key) = self.subject(cx, &set, chosen.as_deref(), span)?;
        let filter = match &scoped.filter {
            Some(filter) => Some(expr::condition(cx, &mut RowScope::of(&set), filter)?),
            None => None,
        };
        let outer = std::mem::replace(&mut cx.looking_back, true);
        let measured = measure(cx, kind, &set, arg, percent, observed, span);
        cx.looking_back = outer;
        let (measure, unit) = measured?;
        let (measure, unit) = convert::looked_back(cx, measure, unit, span)?;
        let history = History { events: set.events(), filter, measure, key, subject, over, before: false };
        Some(Row { unit, node: RowNode::History(Box::new(history)) })
    }

    /// The moment of an event that the row's entity has at most once.
    pub(super) fn moment_of(&mut self, cx: &mut Cx<'_>, event: &Scoped, function: &str) -> Option<Row> {
        let set = events::of_scoped(cx, event)?;
        if set.is_entity() {
            return cx.error_help(
                Code::WrongKind,
                event.span,
                format!("`{}` is an entity, `{function}` needs an event", set.name),
                format!("declare one: `event new_{0}s = first(…) per {0}`", set.name),
            );
        }
        let Some(once) = set.once.clone() else {
            let subject = set.roles().first().map_or("customer".to_string(), |r| r.name.clone());
            return cx.error_help(
                Code::NotOnce,
                event.span,
                format!("a `{subject}` may have several `{}`, so they have no `{function}`", set.name),
                format!("take the first: `event … = first({}) per {subject}`", set.name),
            );
        };
        if !set.is_dated() {
            let message = format!("`{}` is undated, so nothing has an `{function}` by it", set.name);
            return cx.error_help(Code::Undated, event.span, message, "declare the event with `at`");
        }
        if set.events().base != self.set.events().base {
            self.dated(cx, event.span, "a history goes up to the moment of the row")?;
        }
        let (subject, key) = self.subject(cx, &set, Some(&once), event.span)?;
        let history = History {
            events: set.events(),
            filter: None,
            measure: Measure::First(Row { unit: Unit::of(Kind::Time), node: RowNode::At }),
            key,
            subject,
            over: Reach::AllTime,
            before: false,
        };
        Some(Row { unit: Unit::of(Kind::Time), node: RowNode::History(Box::new(history)) })
    }
}
