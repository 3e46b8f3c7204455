//! `tile(value, parts)`: in which of so many equal parts an entity lies among all of its kind.

use super::call::plain_arguments;
use super::literal::seconds;
use super::row::RowScope;
use super::{Cx, expr, held, query};
use crate::core::{Made, Row, RowNode};
use crate::functions;
use crate::names;
use crate::value::{Kind, Unit};
use kepi_syntax::ast::{Argument, Expr, ExprKind};
use kepi_syntax::{Code, Span};

/// The most parts.
const PARTS_MAX: u32 = 10_000;

impl RowScope<'_> {
    /// The part in which an entity lies by a value, among all that exist at its moment.
    pub(super) fn tile(&mut self, cx: &mut Cx<'_>, args: &[Argument], span: Span) -> Option<Row> {
        let usage = functions::find("tile").map_or("", |f| f.usage);
        let args = plain_arguments(cx, usage, args, (2, 2), span)?;
        let [value, parts] = args.as_slice() else { return None };
        let Some(parts) = whole(parts) else {
            return cx.error_help(
                Code::Arguments,
                parts.span,
                format!("the number of parts is a whole number from 2 to {PARTS_MAX}"),
                "write `tile(sum(orders.amount), 10)`",
            );
        };
        let groups = matches!(self.set.made.as_deref(), Some(Made::Groups(_)));
        let roles = self.set.roles();
        let whose = match (&self.focus, roles.as_slice()) {
            (Some((entity, row)), _) => Some((entity.clone(), row.clone())),
            (None, [role]) => cx.catalog.entity(&role.entity).cloned().map(|entity| (entity, self.set.role_row(role))),
            (None, _) => None,
        };
        let of_one_moment = self.set.is_entity() || groups;
        let Some((entity, subject)) = whose.filter(|_| of_one_moment) else {
            let who = match &self.focus {
                Some((entity, _)) => names::bare(&entity.name).to_string(),
                None => roles.first().map_or("customer".to_string(), |role| names::bare(&role.name).to_string()),
            };
            let message = format!(
                "`tile` compares all of a kind at one moment, and the rows of `{}` have one each",
                self.set.name
            );
            let help = format!(
                "ask it of what each {who} has: `sum(sum(revenue) per every {who}) by …`, or count them: `count({who}) by …`"
            );
            return cx.error_help(Code::WrongKind, span, message, help);
        };
        let set = held::entity_set(&entity);
        let mut scope = if self.focus.is_some() { RowScope::of_definition(&set) } else { RowScope::of(&set) };
        let lowered: Row = seconds(expr::lower(cx, &mut scope, value)?);
        if !lowered.unit.kind.is_numeric() {
            let message = format!("`tile` orders by a number, this is {}", lowered.unit);
            return cx.error_help(Code::TypeMismatch, value.span, message, "such as `tile(sum(orders.amount), 10)`");
        }
        let existence = query::existence(cx.catalog, &entity.name);
        let (of, subject) = (Box::new(lowered), Box::new(subject));
        let node = RowNode::Tile { of, subject, entity: entity.name, parts, existence };
        Some(Row { unit: Unit::of(Kind::Number), node })
    }
}

fn whole(value: &Expr) -> Option<u32> {
    let ExprKind::Quantity { number, unit: None } = &value.kind else { return None };
    let (digits, _) = kepi_syntax::decimal(number).filter(|(_, scale)| *scale == 0)?;
    u32::try_from(digits).ok().filter(|parts| (2..=PARTS_MAX).contains(parts))
}
