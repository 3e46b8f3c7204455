//! The names that a piece of text uses, for who asks what depends on what.

use crate::ast::{
    Argument, Chain, Definition, EventBody, Expr, ExprKind, Mapping, NamedValue, Path, Query, Scoped, SourceItem,
    StateBody, Statement, StatementKind, Target, Test,
};

/// Takes the names that a walk comes by.
pub trait Names<'a> {
    /// A path, in the order written; functions are paths too.
    fn name(&mut self, path: &'a Path);
    /// What follows, up to [`Names::leave`], is a condition on the rows of this.
    fn enter(&mut self, _: &'a Scoped) {}
    /// The end of such a condition.
    fn leave(&mut self) {}
}

/// Tells every path that an expression uses.
pub fn paths<'a>(expr: &'a Expr, found: &mut dyn Names<'a>) {
    match &expr.kind {
        ExprKind::Quantity { .. } | ExprKind::Text(_) | ExprKind::Bool(_) | ExprKind::Missing | ExprKind::Date(_) => {}
        ExprKind::List(items) => items.iter().for_each(|item| paths(item, found)),
        ExprKind::Path(path) => found.name(path),
        ExprKind::Call { function, arguments } => {
            found.name(function);
            arguments.iter().for_each(|argument| argument_paths(argument, found));
        }
        ExprKind::Field { of, .. } => paths(of, found),
        ExprKind::Case { whens, otherwise } => {
            for (condition, value) in whens {
                paths(condition, found);
                paths(value, found);
            }
            otherwise.iter().for_each(|otherwise| paths(otherwise, found));
        }
        ExprKind::Binary { left, right, .. } => {
            paths(left, found);
            paths(right, found);
        }
        ExprKind::Negate(inner) | ExprKind::Not(inner) => paths(inner, found),
        ExprKind::In { value, list, .. } => {
            paths(value, found);
            paths(list, found);
        }
        ExprKind::IsMissing { value, .. } => paths(value, found),
    }
}

fn argument_paths<'a>(argument: &'a Argument, found: &mut dyn Names<'a>) {
    match argument {
        Argument::Within(value) => paths(value, found),
        Argument::Named { value: NamedValue::Word(_), .. } => {}
        Argument::Named { value: NamedValue::Chain(chain), .. } | Argument::Plain(chain) => chain_paths(chain, found),
    }
}

fn chain_paths<'a>(chain: &'a Chain, found: &mut dyn Names<'a>) {
    scoped_paths(&chain.first, found);
    for link in &chain.rest {
        link.without.iter().for_each(|without| scoped_paths(without, found));
        scoped_paths(&link.step, found);
    }
}

/// The paths of an expression with its scope.
pub fn scoped_paths<'a>(scoped: &'a Scoped, found: &mut dyn Names<'a>) {
    paths(&scoped.value, found);
    scoped.per.iter().flat_map(|per| &per.grains).for_each(|grain| found.name(grain));
    if let Some(filter) = &scoped.filter {
        found.enter(scoped);
        paths(filter, found);
        found.leave();
    }
}

/// The paths of a query.
pub fn query_paths<'a>(query: &'a Query, found: &mut dyn Names<'a>) {
    query.items.iter().chain(&query.by).for_each(|item| paths(&item.value, found));
    query.filter.iter().chain(&query.having).for_each(|condition| paths(condition, found));
    query.order.iter().for_each(|key| paths(&key.value, found));
}

/// The paths that a statement's body uses; its own name is none of them.
pub fn statement_paths<'a>(statement: &'a Statement, found: &mut dyn Names<'a>) {
    match &statement.kind {
        StatementKind::Event(event) => match &event.body {
            EventBody::Stored { .. } => {}
            EventBody::Derived { value, .. } => scoped_paths(value, found),
        },
        StatementKind::State(state) => match &state.body {
            StateBody::From { from, until } => {
                scoped_paths(from, found);
                scoped_paths(until, found);
            }
            StateBody::For { from, .. } => scoped_paths(from, found),
            StateBody::Value { value, until } => {
                paths(value, found);
                until.iter().for_each(|until| scoped_paths(until, found));
            }
            StateBody::Stored { .. } => {}
        },
        StatementKind::Measure(d)
        | StatementKind::Segment(d)
        | StatementKind::Dimension(d)
        | StatementKind::Metric(d) => definition_paths(d, found),
        StatementKind::Function(function) => paths(&function.value, found),
        StatementKind::Source(source) => {
            for item in &source.items {
                if let SourceItem::Mapping(mapping) = item {
                    mapping_paths(mapping, found);
                }
            }
        }
        StatementKind::Target(target) => target_paths(target, found),
        StatementKind::Report(report) => report.queries.iter().for_each(|query| query_paths(query, found)),
        StatementKind::Test(test) => test_paths(test, found),
        StatementKind::Query(query) => query_paths(query, found),
        _ => {}
    }
}

fn definition_paths<'a>(definition: &'a Definition, found: &mut dyn Names<'a>) {
    definition.parameters.iter().filter_map(|p| p.default.as_ref()).for_each(|default| paths(default, found));
    paths(&definition.value, found);
}

/// What a mapping fills; what it reads are columns of a table.
fn mapping_paths<'a>(mapping: &'a Mapping, found: &mut dyn Names<'a>) {
    found.name(&mapping.target);
}

fn target_paths<'a>(target: &'a Target, found: &mut dyn Names<'a>) {
    paths(&target.on, found);
    target.filter.iter().for_each(|filter| paths(filter, found));
}

fn test_paths<'a>(test: &'a Test, found: &mut dyn Names<'a>) {
    test.given.iter().for_each(|given| found.name(&given.event));
    test.expect.iter().for_each(|expect| query_paths(&expect.query, found));
}
