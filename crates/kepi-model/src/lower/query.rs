//! A whole query: labels, periods, window, values, comparisons.

use super::cell::CellScope;
use super::literal::seconds;
use super::{Cx, Node, convert, expr, grain, operator, table, versus, window};
use crate::calendar::{Grain, TimeUnit};
use crate::catalog::{Catalog, SymbolKind};
use crate::core::{
    Better, Column, Compare, CompareWith, Existence, Fill, Formula, FormulaNode, Label, Limit, OrderBy, OrderKey,
    Query, Shape,
};
use crate::declared::StreamDecl;
use crate::names;
use crate::units;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{self, Against, Expr, ExprKind, Item};
use kepi_syntax::{Code, Diagnostic, Span};

impl Catalog {
    /// What a query means at an instant. `None`: it has mistakes, which come back, all of them.
    ///
    /// `file` is the number that diagnostics carry; the query sees the names of every module.
    pub fn query(&self, query: &ast::Query, now: i64, file: u32) -> (Option<Query>, Vec<Diagnostic>) {
        self.query_in("", true, query, now, file)
    }

    /// What a query means that sees the names of a module; with `anywhere` those of every module.
    pub(crate) fn query_in(
        &self,
        module: &str,
        anywhere: bool,
        query: &ast::Query,
        now: i64,
        file: u32,
    ) -> (Option<Query>, Vec<Diagnostic>) {
        let mut cx = Cx::new(self, module, file, now, anywhere);
        let lowered = lower(&mut cx, query);
        let lowered = if cx.failed() { None } else { lowered };
        (lowered, cx.diagnostics)
    }
}

/// The name under which an item is shown: its alias, else the formatter's text.
fn name_of(item: &Item) -> String {
    item.alias.as_ref().map_or_else(|| kepi_syntax::expr_text(&item.value), |alias| alias.text.clone())
}

fn lower(cx: &mut Cx<'_>, query: &ast::Query) -> Option<Query> {
    // What is wrong with the periods is said; the rest is looked at without them.
    let per = query.per.as_ref().and_then(|path| output_grain(cx, path));
    let lowered_window = window::lower(cx, query.window.as_ref(), query.moment.as_ref());
    if let (Some(bound), Some(_)) = (&query.moment, &query.per) {
        cx.error_help::<()>(
            Code::WrongKind,
            window::bound_span(bound),
            "a moment has no periods",
            "write a window, such as `last 12 months`, or leave out `per`",
        );
    }
    cx.currency = query.currency.as_ref().and_then(|written| convert::wanted(cx, written));
    let by: Vec<Expr> = query.by.iter().map(|i| i.value.clone()).collect();
    let windowed = query.window.is_some() || query.moment.is_some();
    let mut scope = CellScope::new(&by, query.filter.as_ref(), per.clone(), windowed);
    scope.label_names = query.by.iter().map(name_of).collect();
    let mut columns: Vec<Column> = Vec::new();
    let mut complete = true;
    let mut shape = None;
    let mut table_aliases = Vec::new();
    let mut written: Vec<Option<&Expr>> = Vec::new();
    for item in &query.items {
        let before = cx.diagnostics.len();
        let several = table::kind_of(cx.catalog, &cx.module, cx.anywhere, &item.value);
        let found = match several {
            Some(kind) if kind != table::Kind::Lift && query.items.len() > 1 => cx.error_help(
                Code::WrongKind,
                item.value.span,
                format!("{} of its own: nothing stands beside it", kind.words()),
                "ask for the other values in a query of their own",
            ),
            // The cohorts of another time are other ones: nothing would stand beside anything.
            Some(table::Kind::Retention) if !query.versus.is_empty() => cx.error_help(
                Code::WrongKind,
                item.value.span,
                "the cohorts of a retention are other ones in another time: `vs` finds nothing to compare",
                "compare it at one age: `show retention(…, age: 1) per month vs previous year`",
            ),
            Some(kind) => table::lower(cx, &mut scope, kind, item),
            None => expr::lower::<Formula>(cx, &mut scope, &item.value).map(|formula| {
                let column = Column { name: name_of(item), formula: seconds(formula), better: better(cx, &item.value) };
                table::Table { columns: vec![column], shape: None, aliases: Vec::new() }
            }),
        };
        let Some(found) = found else {
            complete = false;
            name_what_lacks(cx, query, item, before);
            scope.failed.extend([name_of(item), kepi_syntax::expr_text(&item.value)]);
            scope.failed.extend(several.iter().flat_map(|kind| kind.columns()));
            continue;
        };
        shape = shape.or(found.shape);
        table_aliases.extend(found.aliases);
        for column in found.columns {
            let taken = columns.iter().map(|c| &c.name).chain(&scope.label_names).any(|name| *name == column.name);
            if taken {
                let message = format!("two columns would be named `{}`", column.name);
                complete = false;
                cx.error_help::<()>(Code::DeclaredTwice, item.value.span, message, "name one of them with `as`");
                break;
            }
            columns.push(column);
            written.push(if several.is_none() { Some(&item.value) } else { None });
        }
    }
    if let Some(twice) = label_named_twice(query, &scope, shape.as_ref()) {
        complete = false;
        let message = format!("two columns would be named `{}`", name_of(twice));
        cx.error_help::<()>(Code::DeclaredTwice, twice.value.span, message, "name this one with `as`");
    }
    if complete && scope.aggregates.is_empty() {
        let span = query.items.first().map_or(query.span, |i| i.value.span);
        cx.error_help::<()>(
            Code::NotAggregated,
            span,
            "nothing is measured here",
            "show an aggregate, such as `count(orders)`",
        );
        return None;
    }
    for (index, item) in query.by.iter().enumerate() {
        if let Some((unit, _)) = &scope.labels[index] {
            let label = Formula { unit: unit.clone(), node: FormulaNode::Label(index) };
            scope.aliases.insert(kepi_syntax::expr_text(&item.value), label.clone());
            scope.aliases.insert(name_of(item), label);
        }
    }
    for (index, name) in scope.label_names.iter().enumerate().skip(query.by.len()) {
        if let Some((unit, _)) = &scope.labels[index] {
            let label = Formula { unit: unit.clone(), node: FormulaNode::Label(index) };
            scope.aliases.insert(name.clone(), label);
        }
    }
    for column in &columns {
        scope.aliases.insert(column.name.clone(), column.formula.clone());
    }
    scope.aliases.extend(table_aliases);
    for (column, value) in columns.iter().zip(&written) {
        scope.shown.extend(value.map(|value| (column.name.clone(), value.clone())));
    }
    let having = match &query.having {
        Some(condition) => Some(expr::condition::<Formula>(cx, &mut scope, condition)),
        None => None,
    };
    let order = order(cx, &mut scope, query, per.as_ref());
    let shown: Vec<versus::Shown<'_>> =
        written.into_iter().zip(columns.iter().map(|c| c.formula.unit.clone())).collect();
    let compare = compare(cx, query, &shown, lowered_window.as_ref(), per.as_ref());
    let limit = match &query.limit {
        Some(limit) => match kepi_syntax::decimal(&limit.number) {
            Some((digits, 0)) if digits >= 0 => {
                Some(Limit { rows: u64::try_from(digits).unwrap_or(u64::MAX), with_other: limit.with_other })
            }
            _ => cx.error_help(
                Code::TypeMismatch,
                limit.span,
                "a limit is a whole number",
                "write how many rows are kept, such as `limit 10`",
            ),
        },
        None => None,
    };
    if let (Some(written), Some(_), true) = (&query.currency, cx.currency, complete) {
        convert::checked(cx, written, scope.aggregates.iter().map(|a| &a.unit));
    }
    let fill = query.fill.as_ref().and_then(|fill| lower_fill(cx, fill, &columns));
    if !complete || cx.failed() {
        return None;
    }
    let labels = scope
        .label_names
        .iter()
        .zip(&scope.labels)
        .map(|(name, found)| {
            // Every aggregate has set its labels, and there is at least one.
            let (unit, grain) = found.clone().unwrap_or((Unit::of(Kind::Text), None));
            Label { name: name.clone(), unit, grain }
        })
        .collect();
    let existence = scope.entities.iter().filter_map(|name| existence(cx.catalog, name)).collect();
    Some(Query {
        text: kepi_syntax::query_text(query),
        zone: cx.catalog.settings.zone.clone(),
        now: cx.now,
        by: labels,
        per,
        window: lowered_window?,
        existence,
        aggregates: scope.aggregates,
        columns,
        having: having.flatten(),
        order: order?,
        limit,
        fill,
        compare: compare?,
        shape,
    })
}

/// A label with the name of one that the table has itself.
fn label_named_twice<'q>(query: &'q ast::Query, scope: &CellScope<'_>, shape: Option<&Shape>) -> Option<&'q Item> {
    let own = scope.label_names.iter().skip(query.by.len());
    let step = shape.iter().filter_map(|shape| match shape {
        Shape::Steps { label, .. } => Some(label),
        Shape::Ages { .. } => None,
    });
    let own: Vec<&String> = own.chain(step).collect();
    let before = |index: usize, name: &String| query.by[..index].iter().any(|other| name_of(other) == *name);
    let twice = |(index, item): &(usize, &Item)| own.contains(&&name_of(item)) || before(*index, &name_of(item));
    query.by.iter().enumerate().find(twice).map(|(_, item)| item)
}

/// What `fill` puts into empty cells: a constant in the unit of every column, or a zero.
fn lower_fill(cx: &mut Cx<'_>, fill: &ast::Fill, columns: &[Column]) -> Option<Fill> {
    let value = match fill {
        ast::Fill::Missing => return Some(Fill::Missing),
        ast::Fill::Previous => return Some(Fill::Previous),
        ast::Fill::Value(value) => value,
    };
    let filled = expr::lower::<Formula>(cx, &mut CellScope::alone(), value)?;
    let filled = seconds(filled);
    let Some(constant) = filled.as_constant() else {
        return cx.error(Code::TypeMismatch, value.span, "`fill` takes a value, `previous` or `missing`");
    };
    let zero = matches!(constant, Value::Decimal { digits: 0, .. });
    for column in columns {
        let unit = &column.formula.unit;
        if zero && unit.kind.is_numeric() {
            continue;
        }
        if let Err(clash) = units::join(unit, &filled.unit) {
            let message = format!("`{}` is {unit}, it cannot be filled with {}", column.name, filled.unit);
            return operator::report_clash(cx, clash, value.span, message);
        }
    }
    Some(Fill::Value(constant.clone()))
}

fn output_grain(cx: &mut Cx<'_>, path: &ast::Path) -> Option<Grain> {
    let text = names::text(path);
    if TimeUnit::named(path.parts.last().map_or("", |p| p.text.as_str())).is_none()
        && let Some(SymbolKind::Entity(_)) = cx.catalog.find(&text).map(|s| &s.kind)
    {
        return cx.error_help(
            Code::WrongKind,
            path.span,
            format!("`per {text}` is no period"),
            format!("a query is `by {text}`; `per` takes day, week, month, quarter, year"),
        );
    }
    grain::grain(cx, path)
}

/// Which direction is good, where a shown metric says so.
pub(super) fn better(cx: &Cx<'_>, value: &Expr) -> Option<Better> {
    let (ExprKind::Path(path) | ExprKind::Call { function: path, .. }) = &value.kind else { return None };
    let (symbol, _) = cx.catalog.lookup(&cx.module, &names::parts(path), cx.anywhere)?;
    let SymbolKind::Metric(definition) = &symbol.kind else { return None };
    said_better(&definition.with)
}

/// Which direction is good, where attributes say so.
pub(super) fn said_better(with: &[ast::Pair]) -> Option<Better> {
    let pair = with.iter().find(|p| p.name.text == "better")?;
    match &pair.value.kind {
        ExprKind::Text(text) if text == "up" => Some(Better::Up),
        ExprKind::Text(text) if text == "down" => Some(Better::Down),
        _ => None,
    }
}

fn order(cx: &mut Cx<'_>, scope: &mut CellScope<'_>, query: &ast::Query, per: Option<&Grain>) -> Option<Vec<OrderKey>> {
    let mut keys = Vec::new();
    let mut ok = true;
    for key in &query.order {
        if let (ExprKind::Path(path), Some(grain)) = (&key.value.kind, per)
            && names::text(path) == grain.name()
        {
            keys.push(OrderKey { by: OrderBy::Period, descending: key.descending });
            continue;
        }
        let text = kepi_syntax::expr_text(&key.value);
        let label =
            query.by.iter().position(|item| kepi_syntax::expr_text(&item.value) == text || name_of(item) == text);
        let label = label.or_else(|| scope.label_names.iter().position(|name| *name == text));
        if let Some(index) = label {
            keys.push(OrderKey { by: OrderBy::Label(index), descending: key.descending });
            continue;
        }
        // A shown expression may be written again instead of named.
        let shown = query.items.iter().position(|item| kepi_syntax::expr_text(&item.value) == text);
        let lowered = match shown.and_then(|index| scope.aliases.get(&name_of(&query.items[index])).cloned()) {
            Some(formula) => Some(formula),
            None => expr::lower::<Formula>(cx, scope, &key.value),
        };
        match lowered {
            Some(formula) => keys.push(OrderKey { by: OrderBy::Formula(formula), descending: key.descending }),
            None => ok = false,
        }
    }
    ok.then_some(keys)
}

fn compare(
    cx: &mut Cx<'_>,
    query: &ast::Query,
    shown: &[versus::Shown<'_>],
    current: Option<&crate::core::Window>,
    per: Option<&Grain>,
) -> Option<Vec<Compare>> {
    let zone = window::zone_of(cx.catalog);
    let mut compares: Vec<Compare> = Vec::new();
    let mut ok = true;
    for against in &query.versus {
        let (span, found) = match against {
            // Without the columns nothing can be said of their targets.
            Against::Target { .. } if shown.is_empty() => continue,
            Against::Target { name, span } => {
                let asked = versus::Asked { query, name: name.as_ref(), window: current, per, span: *span };
                (*span, versus::targets(cx, asked, shown))
            }
            Against::Period { calendar, text, span } => {
                let bounds = window::period(cx, &zone, calendar.as_ref(), text, *span);
                let name = calendar.as_ref().map_or(text.clone(), |c| format!("{}.{text}", c.text));
                (*span, bounds.map(|(from, until)| Compare { name, with: CompareWith::Period { from, until } }))
            }
            Against::Previous { grain: None, span, .. } => {
                (*span, Some(Compare { name: "previous".to_string(), with: CompareWith::WindowBefore }))
            }
            Against::Previous { grain: Some(path), aligned, span } => {
                let compared = grain::grain(cx, path).and_then(|grain| {
                    let name = format!("previous {}", grain.name());
                    if !aligned {
                        versus::comparable(cx, &grain, per, *span)?;
                        return Some(Compare { name, with: CompareWith::Previous(grain) });
                    }
                    let days = match grain.unit {
                        TimeUnit::Year => 364,
                        TimeUnit::Quarter => 91,
                        TimeUnit::Month => 28,
                        TimeUnit::Week => 7,
                        _ => {
                            return cx.error_help(
                                Code::WrongKind,
                                *span,
                                "only years, quarters, months and weeks are aligned by weekday",
                                "write `vs previous year aligned by weekday`",
                            );
                        }
                    };
                    Some(Compare { name, with: CompareWith::Days(days) })
                });
                (*span, compared)
            }
        };
        match found {
            Some(compare) if compares.iter().any(|c| c.name == compare.name) => {
                cx.error::<()>(Code::ClauseTwice, span, format!("`{}` is compared with twice", compare.name));
                ok = false;
            }
            Some(compare) => compares.push(compare),
            None => ok = false,
        }
    }
    if let (Some(window), Some(first)) = (current, query.versus.first()) {
        let open = window.from.is_none() && query.per.is_none();
        if open && matches!(first, Against::Previous { grain: None, .. }) {
            return cx.error_help(
                Code::WrongKind,
                query.span,
                "`vs previous` needs a window, since it is the one of the same length before",
                "write one, such as `last 12 months`",
            );
        }
    }
    ok.then_some(compares)
}

/// Of several values says which one it is whose rows lack a label or a field of the query's condition.
fn name_what_lacks(cx: &mut Cx<'_>, query: &ast::Query, item: &Item, before: usize) {
    if query.items.len() < 2 {
        return;
    }
    let clauses: Vec<Span> =
        query.by.iter().map(|by| by.value.span).chain(query.filter.iter().map(|f| f.span)).collect();
    let of_clause = |span: Span| clauses.iter().any(|clause| clause.start <= span.start && span.end <= clause.end);
    for found in cx.diagnostics.iter_mut().skip(before) {
        if found.code == Code::FieldLacking && of_clause(found.span) {
            found.message.push_str(&format!(", which is asked of `{}`", name_of(item)));
        }
    }
    // Two equal values lack the same.
    let (known, found) = cx.diagnostics.split_at(before.min(cx.diagnostics.len()));
    let new: Vec<Diagnostic> = found.iter().filter(|one| !known.contains(one)).cloned().collect();
    cx.diagnostics.truncate(before);
    cx.diagnostics.extend(new);
}

/// Since when the entities of a kind exist.
pub(super) fn existence(catalog: &Catalog, name: &str) -> Option<Existence> {
    let entity = catalog.entity(name)?;
    let about = |s: &StreamDecl| -> Vec<(String, String)> {
        s.roles.iter().filter(|r| r.entity == name).map(|r| (s.name.clone(), r.name.clone())).collect()
    };
    let (mut streams, mut intervals) = (Vec::new(), Vec::new());
    for symbol in catalog.symbols() {
        match &symbol.kind {
            SymbolKind::Stream(stream) if stream.at.is_some() => streams.extend(about(stream)),
            SymbolKind::State(state) => {
                // Whom a value names is another one than who is in the state.
                let own = state.stored.iter().flat_map(about).filter(|(_, role)| role != "value");
                intervals.extend(own);
            }
            _ => {}
        }
    }
    Some(Existence { entity: name.to_string(), from: entity.from.clone(), streams, intervals })
}
