//! Groups in a history: `max(sum(orders.amount) per month)` inside a row's or an entity's expression.

use super::aggregate::{self, Parsed, measure_of};
use super::cell::CellScope;
use super::group_keys::{GroupKey, KeyKind};
use super::row::{RowScope, listed_owned};
use super::{Cx, expr, over};
use crate::core::{Base, Formula, FormulaNode, Groups, History, Made, Reach, Row, RowNode};
use crate::declared::RoleDecl;
use crate::functions::AggregateKind;
use crate::names;
use crate::value::Kind;
use kepi_syntax::ast::InnerPer;
use kepi_syntax::{Code, Span};

impl RowScope<'_> {
    /// An aggregate over the groups that an entity's rows make, up to the row.
    pub(super) fn grouped_history(
        &mut self,
        cx: &mut Cx<'_>,
        kind: AggregateKind,
        parsed: &Parsed<'_>,
        per: &InnerPer,
        span: Span,
    ) -> Option<Row> {
        let at = per.grains.first().map_or(span, |grain| grain.span);
        if per.every {
            return cx.error_help(
                Code::WrongKind,
                at,
                "a history holds the subject's own rows: it does not know who had nothing",
                "leave out `every`",
            );
        }
        let over = over::reach(cx, parsed.scoped)?;
        self.dated(cx, span, "a history goes up to the moment of the row")?;
        let subjects = self.subjects();
        let chosen = parsed.chosen.as_deref();
        if let Some(name) = chosen {
            let Some(found) = subjects.iter().find(|(role, _)| role.is_called(name)) else {
                return cx.error_help(
                    Code::NoSubject,
                    span,
                    format!("`{}` has no `{}`", self.set.name, names::bare(name)),
                    format!("`{}` is of {}", self.set.name, listed_owned(&self.set.roles())),
                );
            };
            return self.groups_of(cx, kind, parsed, per, found, &over, span);
        }
        // The subject where the rows inside have it, else the only one of the others that they have.
        let mut found = Vec::new();
        for (place, subject) in subjects.iter().enumerate() {
            let before = cx.diagnostics.len();
            let lowered = self.groups_of(cx, kind, parsed, per, subject, &over, span);
            match lowered {
                Some(row) if place == 0 => return Some(row),
                Some(row) => found.push((&subject.0, row)),
                None if place == 0 && subjects.len() == 1 => return None,
                None => {}
            }
            cx.diagnostics.truncate(before);
        }
        match found.as_slice() {
            [(_, row)] => Some(row.clone()),
            [] => match subjects.first() {
                // What is wrong with the first of them is what there is to say.
                Some(first) => self.groups_of(cx, kind, parsed, per, first, &over, span),
                None => cx.error_help(
                    Code::NoSubject,
                    span,
                    format!("`{}` is of no entity, so there is no history to look into", self.set.name),
                    "declare whose it is: `event … of customer at … { }`",
                ),
            },
            [(first, _), ..] => {
                let roles: Vec<RoleDecl> = found.iter().map(|(role, _)| (*role).clone()).collect();
                let message = format!("`{}` shares {} with these rows", self.set.name, listed_owned(&roles));
                let help = format!("choose one: `per: {}`", names::bare(&first.name));
                cx.error_help(Code::NoSubject, span, message, help)
            }
        }
    }

    /// The groups of one entity's history.
    #[allow(clippy::too_many_arguments)] // An aggregate, spread out.
    fn groups_of(
        &mut self,
        cx: &mut Cx<'_>,
        kind: AggregateKind,
        parsed: &Parsed<'_>,
        per: &InnerPer,
        (role, subject): &(RoleDecl, Row),
        over: &Reach,
        span: Span,
    ) -> Option<Row> {
        let scoped = parsed.scoped;
        let mut cells = CellScope::new(&[], None, None, false);
        let mut per = cells.per_of(cx, per)?;
        if matches!(kind, AggregateKind::First | AggregateKind::Last) && per.grain.is_none() {
            let name = aggregate::word(kind);
            return cx.error_help(
                Code::NoRow,
                span,
                format!("nothing says which group comes {name}: groups without a period have no order"),
                format!("add one, such as `{name}(sum(…) per month)`, or take the `max` or `min`"),
            );
        }
        let own = |key: &GroupKey| matches!(&key.what, KeyKind::Entity(name) if *name == role.entity);
        if !per.keys.iter().any(own) {
            let (text, module) = (names::bare(&role.entity).to_string(), cx.module.clone());
            let at = per.keys.first().map_or(scoped.span, |key| key.span);
            per.keys.insert(0, GroupKey { text, module, what: KeyKind::Entity(role.entity.clone()), span: at });
        }
        let outer = std::mem::replace(&mut cx.looking_back, true);
        let lowered = cells.groups(cx, per, scoped);
        let found = lowered.and_then(|(set, value)| {
            let text = scoped.value.span;
            let unit = value.unit.clone();
            if unit.kind == Kind::Bool && kind == AggregateKind::Count {
                return cx.error_help(
                    Code::TypeMismatch,
                    text,
                    "`count` counts groups, whether this is yes or no",
                    "write the condition behind the groups' value: `count(count(orders) per month where …)`",
                );
            }
            let measured = measure_of(cx, kind, value, parsed.percent, parsed.observed, (text, span))?;
            Some((set, measured))
        });
        cx.looking_back = outer;
        let (set, (measure, unit)) = found?;
        let filter = match &scoped.filter {
            Some(filter) => Some(expr::condition(cx, &mut RowScope::of(&set), filter)?),
            None => None,
        };
        let events = set.events();
        if let Base::Made(made) = &events.base
            && let Made::Groups(groups) = &**made
        {
            can_be_gathered(cx, groups, span)?;
        }
        let roles = set.roles();
        let key = set.role_row(roles.iter().find(|own| own.entity == role.entity)?);
        let history =
            History { events, filter, measure, key, subject: subject.clone(), over: over.clone(), before: false };
        Some(Row { unit, node: RowNode::History(Box::new(history)) })
    }

    /// Whose history can be looked into from here.
    fn subjects(&self) -> Vec<(RoleDecl, Row)> {
        match &self.focus {
            Some((entity, row)) => {
                vec![(RoleDecl { name: entity.name.clone(), entity: entity.name.clone() }, row.clone())]
            }
            None => self.set.roles().iter().map(|role| (role.clone(), self.set.role_row(role))).collect(),
        }
    }
}

/// Reports what groups of a history cannot be made of.
fn can_be_gathered(cx: &mut Cx<'_>, groups: &Groups, span: Span) -> Option<()> {
    if ranks(&groups.value) {
        return cx.error_help(
            Code::WrongKind,
            span,
            "a rank compares the cells of an answer, and a history has none",
            "ask for it in a query of its own",
        );
    }
    for aggregate in &groups.aggregates {
        if let Base::Made(made) = &aggregate.events.base
            && let Made::Groups(inner) = &**made
        {
            can_be_gathered(cx, inner, span)?;
        }
    }
    Some(())
}

/// Whether a formula has a rank.
fn ranks(value: &Formula) -> bool {
    matches!(value.node, FormulaNode::Rank { .. }) || value.parts().into_iter().any(ranks)
}
