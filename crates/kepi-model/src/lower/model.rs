//! Models and series of plugins: learned from what a cell holds, or from the cells before it.

use super::call::plain;
use super::cell::{CellScope, Wanted};
use super::events::EventSet;
use super::expr::{condition, lower};
use super::home;
use super::literal::seconds;
use super::plugin::{accepted, returned, usage};
use super::row::RowScope;
use super::{Cx, Node};
use crate::core::{Formula, FormulaNode, Made, Measure, Modelled, Move, Row, RowNode};
use crate::declared::Signature;
use crate::names;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{Argument, Chain, NamedValue, Scoped};
use kepi_syntax::{Code, Span};

impl CellScope<'_> {
    /// `bgnbd.clv(orders.customer, orders.at, orders.amount, horizon: 3 years)`: the mean over the entities of what a
    /// model says of them that was fitted on all rows up to the end of the cell's window.
    pub(super) fn model_of_plugin(
        &mut self,
        cx: &mut Cx<'_>,
        signature: &Signature,
        args: &[Argument],
        span: Span,
    ) -> Option<Formula> {
        let given = of_all_time(cx, signature, args, span)?;
        if self.in_groups {
            let message = format!("`{}` learns from rows, not from groups of them", signature.name);
            return cx.error_help(Code::WrongKind, span, message, "leave `per` out: it looks at each entity by itself");
        }
        let Asked { set, filter, args: mut rows, unit } = asked(cx, signature, &given, span)?;
        // Whatever a model is told, its rows come in the order of their time.
        rows.push(Row { unit: Unit::of(Kind::Time), node: RowNode::At });
        let measure = Measure::Plugin { name: signature.name.clone(), args: rows };
        let wanted = Wanted { moved: vec![Move::AllTime], ..Wanted::of(usage(signature), filter, measure, unit) };
        self.add(cx, &set, wanted, span)
    }

    /// `holt.forecast(m)`: in periods that are not complete what the series goes on with, in the others the value.
    pub(super) fn series_of_plugin(
        &mut self,
        cx: &mut Cx<'_>,
        signature: &Signature,
        args: &[Argument],
        span: Span,
    ) -> Option<Formula> {
        let given = by_parameter(cx, signature, args, span)?;
        if self.in_groups || !self.moved.is_empty() || !self.across.is_empty() {
            let message = format!("`{}` goes on with the cells of the answer: it has no other window", signature.name);
            return cx.error_help(Code::WrongKind, span, message, "call it around the whole formula");
        }
        if !self.alone && self.per.is_none() {
            let message = format!("`{}` goes on with periods, and this query has none", signature.name);
            return cx.error_help(
                Code::WrongKind,
                span,
                message,
                "ask `per month`, with a window that ends later than now",
            );
        }
        let mut of = None;
        let mut constants: Vec<Value> = Vec::new();
        let mut units = Vec::new();
        for (index, scoped) in given.iter().enumerate() {
            let Some(scoped) = scoped else { continue };
            if scoped.over.is_some() || scoped.filter.is_some() {
                let message = format!("the arguments of `{}` are plain values", signature.name);
                return cx.error_help(Code::Arguments, scoped.span, message, format!("write `{}`", usage(signature)));
            }
            let value: Formula = seconds(lower(cx, self, &scoped.value)?);
            accepted(cx, signature, index, &value.unit, scoped.span)?;
            units.push(value.unit.clone());
            if index == 0 {
                of = Some(value);
                continue;
            }
            match value.as_constant() {
                Some(constant) => constants.push(constant.clone()),
                None => return not_constant(cx, signature, index, scoped.span),
            }
        }
        let of = Box::new(of?);
        let name = signature.name.clone();
        Some(Formula { unit: returned(signature, &units), node: FormulaNode::Series { name, of, constants } })
    }
}

impl RowScope<'_> {
    /// The same in an expression of an entity: what the model says of that entity.
    pub(super) fn model_of_plugin(
        &mut self,
        cx: &mut Cx<'_>,
        signature: &Signature,
        args: &[Argument],
        span: Span,
    ) -> Option<Row> {
        let given = of_all_time(cx, signature, args, span)?;
        let roles = self.set.roles();
        let whose = match (&self.focus, roles.as_slice()) {
            (Some((entity, row)), _) => Some((entity.name.clone(), row.clone())),
            (None, [role]) => Some((role.entity.clone(), self.set.role_row(role))),
            (None, _) => None,
        };
        let groups = matches!(self.set.made.as_deref(), Some(Made::Groups(_)));
        let Some((entity, subject)) = whose.filter(|_| self.set.is_entity() || groups) else {
            let message = format!(
                "`{}` says something of each entity at one moment, and the rows of `{}` have one each",
                signature.name, self.set.name
            );
            let help = "declare it of the entity, `dimension expected of customer = …`, and ask it of entities: `sum(customer.expected)`, \
                `sum(sum(orders.amount) per every customer) by expected`";
            return cx.error_help(Code::WrongKind, span, message, help);
        };
        let outer = std::mem::replace(&mut cx.looking_back, true);
        let asked = asked(cx, signature, &given, span);
        cx.looking_back = outer;
        let Asked { set, filter, args, unit } = asked?;
        match args.first().map(|arg| &arg.unit.kind) {
            Some(Kind::Entity(own)) if *own == entity => {}
            Some(other) => {
                let own = names::bare(&entity);
                let theirs = match other {
                    Kind::Entity(other) => names::bare(other).to_string(),
                    other => other.to_string(),
                };
                let message = format!("`{}` is asked here of a {own}, and learns from {theirs}", signature.name);
                let help = format!("its first argument is the {own} of a row");
                return cx.error_help(Code::NoSubject, span, message, help);
            }
            None => return None,
        }
        let (name, text, events) = (signature.name.clone(), usage(signature), set.events());
        let node = RowNode::Modelled(Box::new(Modelled { name, text, events, filter, args, subject, entity }));
        Some(Row { unit, node })
    }
}

/// What a model is asked of.
struct Asked {
    set: EventSet,
    filter: Option<Row>,
    args: Vec<Row>,
    unit: Unit,
}

/// The arguments by the signature's parameters; none has a reach of its own.
fn of_all_time<'a>(
    cx: &mut Cx<'_>,
    signature: &Signature,
    args: &'a [Argument],
    span: Span,
) -> Option<Vec<Option<&'a Scoped>>> {
    let given = by_parameter(cx, signature, args, span)?;
    match given.iter().flatten().find(|s| s.over.is_some()) {
        None => Some(given),
        Some(scoped) => {
            let message = format!("`{}` looks at all time up to the end of the cell's window", signature.name);
            cx.error_help(Code::WrongKind, scoped.span, message, "leave out `over`")
        }
    }
}

/// The rows that a model learns from, and its arguments in them.
fn asked(cx: &mut Cx<'_>, signature: &Signature, given: &[Option<&Scoped>], span: Span) -> Option<Asked> {
    let set = rows_of_model(cx, signature, given, span)?;
    let mut args: Vec<Row> = Vec::new();
    let mut own = None;
    for (index, scoped) in given.iter().enumerate() {
        let Some(scoped) = scoped else { continue };
        let row: Row = seconds(lower(cx, &mut RowScope::of(&set), &scoped.value)?);
        accepted(cx, signature, index, &row.unit, scoped.span)?;
        if signature.parameters[index].constant && row.as_constant().is_none() {
            return not_constant(cx, signature, index, scoped.span);
        }
        if let Some(filter) = &scoped.filter {
            if index > 0 {
                return cx.error(Code::Arguments, filter.span, "the condition belongs to the first argument");
            }
            own = Some(condition(cx, &mut RowScope::of(&set), filter)?);
        }
        args.push(row);
    }
    let units: Vec<Unit> = args.iter().map(|r| r.unit.clone()).collect();
    let unit = returned(signature, &units);
    Some(Asked { set, filter: own, args, unit })
}

/// The event whose rows a model learns from.
fn rows_of_model(cx: &mut Cx<'_>, signature: &Signature, given: &[Option<&Scoped>], span: Span) -> Option<EventSet> {
    let mut found: Option<EventSet> = None;
    for scoped in given.iter().flatten() {
        match home::home(cx, &scoped.value) {
            Ok(Some(set)) if found.as_ref().is_none_or(|f| set.names.contains(&f.names[0])) => found = Some(set),
            Ok(Some(set)) => {
                if found.as_ref().is_none_or(|f| !f.names.contains(&set.names[0])) {
                    return cx.error(Code::NoRow, scoped.span, "the arguments are values of different events");
                }
            }
            Ok(None) => {}
            Err(()) => return None,
        }
    }
    match found {
        Some(set) if !set.is_entity() => Some(set),
        _ => cx.error_help(
            Code::NoRow,
            span,
            format!("`{}` learns from the rows of an event", signature.name),
            "name its columns, such as `orders.customer, orders.at`",
        ),
    }
}

fn not_constant<T>(cx: &mut Cx<'_>, signature: &Signature, index: usize, span: Span) -> Option<T> {
    let parameter = &signature.parameters[index].name;
    let message = format!("`{parameter}` of `{}` is one value for all rows", signature.name);
    cx.error_help(Code::Arguments, span, message, format!("write it out, such as `{parameter}: …`"))
}

/// The arguments by the signature's parameters: first those in order, then those with a name.
fn by_parameter<'a>(
    cx: &mut Cx<'_>,
    signature: &Signature,
    args: &'a [Argument],
    span: Span,
) -> Option<Vec<Option<&'a Scoped>>> {
    let usage = usage(signature);
    let mut given: Vec<Option<&Scoped>> = vec![None; signature.parameters.len()];
    let mut named = false;
    for (place, argument) in args.iter().enumerate() {
        let (index, scoped) = match argument {
            Argument::Named { name, value: NamedValue::Chain(Chain { first, rest }) } if rest.is_empty() => {
                named = true;
                let index = signature.parameters.iter().position(|p| p.name == name.text);
                let Some(index) = index else {
                    let message = format!("`{}` has no parameter `{}`", signature.name, name.text);
                    return cx.error_help(Code::Arguments, name.span, message, format!("it is written as `{usage}`"));
                };
                (index, Some(first))
            }
            argument => (place, plain(argument).filter(|_| !named)),
        };
        let scoped = scoped.filter(|s| s.per.is_none());
        match (given.get_mut(index), scoped) {
            (Some(slot @ None), Some(scoped)) => *slot = Some(scoped),
            (Some(Some(_)), _) => {
                let message = format!("`{}` is given twice", signature.parameters[index].name);
                return cx.error_help(Code::Arguments, span, message, format!("it is written as `{usage}`"));
            }
            _ => {
                let message = "this function takes plain values, then values with a name";
                return cx.error_help(Code::Arguments, span, message, format!("it is written as `{usage}`"));
            }
        }
    }
    let last = given.iter().rposition(Option::is_some).unwrap_or(0);
    let lacking = signature.parameters.iter().zip(&given).enumerate();
    let lacking = lacking.filter(|(i, (p, value))| value.is_none() && (!p.optional || *i < last));
    let lacking: Vec<&str> = lacking.map(|(_, (p, _))| p.name.as_str()).collect();
    if lacking.is_empty() {
        return Some(given);
    }
    let message = format!("`{}` needs {}", signature.name, lacking.join(" and "));
    cx.error_help(Code::Arguments, span, message, format!("it is written as `{usage}`"))
}
