//! Amounts in another currency (`in USD`): converted row by row, at the rate of the row's moment.

use super::Cx;
use crate::core::{Measure, Row, RowNode, State, When};
use crate::value::{Currency, Kind, Unit, Value};
use kepi_syntax::ast::{Expr, ExprKind, Name, UnitWord};
use kepi_syntax::{Code, Span};

/// The stored stream that rates are read from.
pub(crate) const RATES: &str = "rates";

/// The currency after `in`.
pub(super) fn wanted(cx: &mut Cx<'_>, written: &Name) -> Option<Currency> {
    match Currency::parse(&written.text) {
        Some(currency) => Some(currency),
        None => cx.error_help(
            Code::TypeMismatch,
            written.span,
            format!("`{}` is no currency", written.text),
            "a currency has three capitals, such as `in EUR`",
        ),
    }
}

/// Reports what keeps a query from being answered in a currency: nothing to convert, or nothing to convert with.
pub(super) fn checked<'u>(cx: &mut Cx<'_>, written: &Name, mut measured: impl Iterator<Item = &'u Unit>) {
    if !cx.converted && !measured.any(|unit| matches!(unit.kind, Kind::Money(_))) {
        let message = format!("nothing here is measured in money, so nothing is in {}", written.text);
        let help = format!("leave out `in {}`", written.text);
        cx.error_help::<()>(Code::WrongKind, written.span, message, help);
        return;
    }
    if cx.converted {
        has_rates(cx, written.span);
    }
}

/// Reports where no table says what one currency is worth in another.
fn has_rates(cx: &mut Cx<'_>, span: Span) -> Option<()> {
    let says = |name: &str| cx.catalog.stream(RATES).is_some_and(|s| s.fields.iter().any(|f| f.name == name));
    if ["from", "to", "rate"].into_iter().all(says) {
        return Some(());
    }
    cx.error_help(
        Code::SeveralCurrencies,
        span,
        "nothing says at which rates",
        "load a table of them: `source fx from \"rates.csv\" { rates: at day, from base, to quote, rate }`",
    )
}

/// The currency of an amount that is written out: `100 EUR`, `-5 USD`, or a list of them.
pub(super) fn written_out(value: &Expr) -> Option<Currency> {
    match &value.kind {
        ExprKind::Quantity { unit: Some(UnitWord::Currency(code)), .. } => Currency::parse(code),
        ExprKind::Negate(inner) => written_out(inner),
        ExprKind::List(items) => items.iter().find_map(written_out),
        _ => None,
    }
}

/// A row's value beside an amount of a currency: what is of whichever one its row says is converted to that.
pub(super) fn beside(cx: &mut Cx<'_>, row: Row, to: Currency, span: Span) -> Option<Row> {
    if !matches!(row.unit.kind, Kind::MoneyOf(_)) {
        return Some(row);
    }
    has_rates(cx, span)?;
    amount(cx, row, to, span)
}

/// What a history measures, where each of its rows has a currency of its own: in that of the amount that it is compared
/// with, else in the query's. Other amounts stay in the currency that they are declared in.
pub(super) fn looked_back(cx: &mut Cx<'_>, measure: Measure, unit: Unit, span: Span) -> Option<(Measure, Unit)> {
    let own = |row: &Row| matches!(row.unit.kind, Kind::MoneyOf(_));
    if !measure.rows().into_iter().any(own) {
        return Some((measure, unit));
    }
    let outer = cx.currency;
    cx.currency = cx.beside.or(outer);
    if cx.beside.is_some() {
        has_rates(cx, span)?;
    }
    let found = measured(cx, measure, unit, span);
    cx.currency = outer;
    found
}

/// A measure with its amounts in the query's currency, and its unit then.
pub(super) fn measured(cx: &mut Cx<'_>, measure: Measure, unit: Unit, span: Span) -> Option<(Measure, Unit)> {
    let Some(to) = cx.currency else {
        let kind = match unit.kind {
            Kind::MoneyOf(_) if cx.undecided => Kind::Money(None),
            kind => kind,
        };
        return Some((measure, Unit { kind, per: unit.per }));
    };
    if matches!(measure, Measure::Count | Measure::Unique(_)) {
        return Some((measure, unit));
    }
    let mut convert = |row: Row| amount(cx, row, to, span);
    let measure = match measure {
        Measure::Count | Measure::Unique(_) => measure,
        Measure::Sum(row) => Measure::Sum(convert(row)?),
        Measure::Avg(row) => Measure::Avg(convert(row)?),
        Measure::Min(row) => Measure::Min(convert(row)?),
        Measure::Max(row) => Measure::Max(convert(row)?),
        Measure::Percentile { of, percent, observed } => Measure::Percentile { of: convert(of)?, percent, observed },
        Measure::Stddev(row) => Measure::Stddev(convert(row)?),
        Measure::First(row) => Measure::First(convert(row)?),
        Measure::Last(row) => Measure::Last(convert(row)?),
        Measure::Best { of, rank } => Measure::Best { of: convert(of)?, rank },
        Measure::Plugin { name, args } => {
            Measure::Plugin { name, args: args.into_iter().map(convert).collect::<Option<_>>()? }
        }
    };
    let unit = match unit.kind {
        Kind::Money(_) | Kind::MoneyOf(_) => Unit { kind: Kind::Money(Some(to)), per: unit.per },
        _ => unit,
    };
    Some((measure, unit))
}

/// A row's value in the currency, where it is an amount of another one.
fn amount(cx: &mut Cx<'_>, row: Row, to: Currency, span: Span) -> Option<Row> {
    let from = match &row.unit.kind {
        Kind::Money(Some(from)) if *from == to => return Some(row),
        Kind::Money(Some(from)) => text(*from),
        Kind::Money(None) => {
            return cx.error_help(
                Code::SeveralCurrencies,
                span,
                "nothing says of which currency this amount is",
                "declare the field with one, such as `amount: money(EUR)`, or say `set currency = \"EUR\"`",
            );
        }
        Kind::MoneyOf(field) => {
            let field = field.clone();
            of_row(cx, &row, &field, span)?
        }
        _ => return Some(row),
    };
    cx.converted = true;
    let unit = Unit { kind: Kind::Money(Some(to)), per: row.unit.per };
    let (when, to) = (read_at(&row), to.to_string());
    Some(Row { unit, node: RowNode::Convert { of: Box::new(row), from: Box::new(from), to, when } })
}

/// When an amount is measured: at the beginning of the window, where only the state just before it is read.
fn read_at(row: &Row) -> When {
    match &row.node {
        RowNode::State { when: When::Opening, .. } => When::Opening,
        _ => When::Moment,
    }
}

/// A value of an entity's row in the query's currency, in which states are measured at several moments: each amount that
/// it is made of is converted at its own. What is only compared stays as it is written.
pub(super) fn each_amount(cx: &mut Cx<'_>, row: Row, span: Span) -> Option<Row> {
    let Some(to) = cx.currency else { return Some(row) };
    if row.unit.kind == Kind::Bool {
        return Some(row);
    }
    let node = match row.node {
        RowNode::Call { op, args } => {
            let args = args.into_iter().map(|arg| each_amount(cx, arg, span)).collect::<Option<_>>()?;
            RowNode::Call { op, args }
        }
        RowNode::Case { whens, otherwise } => {
            let each = |(when, then)| Some((when, each_amount(cx, then, span)?));
            let whens = whens.into_iter().map(each).collect::<Option<_>>()?;
            let otherwise = match otherwise {
                Some(otherwise) => Some(Box::new(each_amount(cx, *otherwise, span)?)),
                None => None,
            };
            RowNode::Case { whens, otherwise }
        }
        node => return amount(cx, Row { unit: row.unit, node }, to, span),
    };
    let kind = match row.unit.kind {
        Kind::Money(_) => Kind::Money(Some(to)),
        kind => kind,
    };
    Some(Row { unit: Unit { kind, per: row.unit.per }, node })
}

fn text(currency: Currency) -> Row {
    Row { unit: Unit::of(Kind::Text), node: RowNode::Const(Value::Text(currency.to_string())) }
}

/// The currency of an amount that each row says: the field beside the amount.
fn of_row(cx: &mut Cx<'_>, row: &Row, field: &str, span: Span) -> Option<Row> {
    let mut found: Vec<Row> = Vec::new();
    let mut clear = true;
    collect(cx, row, field, &mut found, &mut clear);
    match found.as_slice() {
        [one] if clear => Some(one.clone()),
        _ => cx.error_help(
            Code::SeveralCurrencies,
            span,
            format!("this joins amounts whose currencies stand in different places, each in its own `{field}`"),
            "show each amount by itself with `in`, and join the results",
        ),
    }
}

/// The currencies of the amounts that an expression is made of. `clear` turns false where one cannot be told.
fn collect(cx: &Cx<'_>, row: &Row, field: &str, found: &mut Vec<Row>, clear: &mut bool) {
    if row.unit.kind != Kind::MoneyOf(field.to_string()) {
        return;
    }
    let said = |node| Row { unit: Unit::of(Kind::Text), node };
    let mut add = |row: Row| {
        if !found.contains(&row) {
            found.push(row);
        }
    };
    match &row.node {
        RowNode::Field(_) => add(said(RowNode::Field(field.to_string()))),
        RowNode::Attribute { of, entity, .. } => {
            let declared = cx.catalog.entity(entity).and_then(|e| e.fields.iter().find(|f| f.name == field));
            let history = declared.is_some_and(|f| f.history);
            let (of, entity, field) = (of.clone(), entity.clone(), field.to_string());
            add(said(RowNode::Attribute { of, entity, field, history }));
        }
        RowNode::Step { step, of } => {
            let mut inner = Vec::new();
            collect(cx, of, field, &mut inner, clear);
            for of in inner {
                add(said(RowNode::Step { step: *step, of: Box::new(of) }));
            }
        }
        // The currency holds as long as the amount does.
        RowNode::State { state, of, when } if state.holds.is_none() => {
            let mut inner = Vec::new();
            match &state.value {
                Some(value) => collect(cx, value, field, &mut inner, clear),
                None => *clear = false,
            }
            for value in inner {
                let text = format!("{field} of {}", state.text);
                let state = State { text, unit: Unit::of(Kind::Text), value: Some(value), ..(**state).clone() };
                add(said(RowNode::State { state: Box::new(state), of: of.clone(), when: *when }));
            }
        }
        RowNode::Call { .. } | RowNode::Case { .. } => {
            row.parts().into_iter().for_each(|part| collect(cx, part, field, found, clear));
        }
        RowNode::Const(_) => {}
        _ => *clear = false,
    }
}
