//! Walks over every span of a tree, to compare trees without them.

use crate::ast::*;
use crate::span::Span;

impl File {
    /// Returns the same tree with all spans zero: two texts that differ only in layout give equal trees.
    pub fn without_spans(mut self) -> File {
        self.each_span(&mut |span| *span = Span::default());
        self
    }
}

impl Query {
    /// Returns the same query with all spans zero.
    pub fn without_spans(mut self) -> Query {
        self.each_span(&mut |span| *span = Span::default());
        self
    }
}

impl Expr {
    /// Returns the same expression with all spans zero.
    pub fn without_spans(mut self) -> Expr {
        self.each_span(&mut |span| *span = Span::default());
        self
    }
}

/// Anything that has spans inside.
trait Spans {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span));
}

impl Spans for Span {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        change(self);
    }
}

impl<T: Spans> Spans for Vec<T> {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        self.iter_mut().for_each(|item| item.each_span(change));
    }
}

impl<T: Spans> Spans for Option<T> {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        self.iter_mut().for_each(|item| item.each_span(change));
    }
}

impl<T: Spans> Spans for Box<T> {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        (**self).each_span(change);
    }
}

impl<A: Spans, B: Spans> Spans for (A, B) {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        self.0.each_span(change);
        self.1.each_span(change);
    }
}

/// Lists the parts of each kind of node that have spans. The patterns are exhaustive where a node could gain one.
macro_rules! spans {
    ($($kind:ident { $($part:ident),* $(; $($plain:ident),*)? })*) => {$(
        impl Spans for $kind {
            fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
                let $kind { $($part,)* $($($plain: _,)*)? } = self;
                $($part.each_span(change);)*
            }
        }
    )*};
}

spans! {
    Name { span; text }
    Path { parts, span }
    File { statements }
    Statement { kind, span; doc }
    Calendar { name, rules; from }
    Entity { name, key, from, fields }
    Field { name, ty; doc, history }
    TypeName { name, argument, per, span }
    Event { name, body }
    State { name, of, body, with }
    Definition { name, parameters, of, ty, value, with }
    Function { name, parameters, value }
    Parameter { name, ty, default }
    Pair { name, value }
    Source { name, with, items; from }
    Mapping { target, parts, filter, span }
    Target { name, on, filter, goal, review, with }
    Report { name, every, with, queries }
    Test { now, given, expect; title }
    Given { event, columns, rows, span }
    Expect { query, gives, span }
    Query { items, by, per, filter, window, moment, versus, having, order, limit, fill, currency, span }
    Item { value, alias }
    Length { span; number, unit }
    DateTime { span; text }
    OrderKey { value; descending }
    Limit { span; number, with_other }
    Expr { kind, span }
    Chain { first, rest }
    Link { without, step }
    Scoped { value, per, filter, over, span }
    InnerPer { grains; every }
}

impl Spans for StatementKind {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            StatementKind::Module(path) => path.each_span(change),
            StatementKind::Use { path, plugin: _, alias } => {
                path.each_span(change);
                alias.each_span(change);
            }
            StatementKind::Set { name, value } => {
                name.each_span(change);
                value.each_span(change);
            }
            StatementKind::Calendar(calendar) => calendar.each_span(change),
            StatementKind::Entity(entity) => entity.each_span(change),
            StatementKind::Event(event) => event.each_span(change),
            StatementKind::State(state) => state.each_span(change),
            StatementKind::Measure(definition)
            | StatementKind::Segment(definition)
            | StatementKind::Dimension(definition)
            | StatementKind::Metric(definition) => definition.each_span(change),
            StatementKind::Function(function) => function.each_span(change),
            StatementKind::Source(source) => source.each_span(change),
            StatementKind::Target(target) => target.each_span(change),
            StatementKind::Report(report) => report.each_span(change),
            StatementKind::Test(test) => test.each_span(change),
            StatementKind::Query(query) => query.each_span(change),
        }
    }
}

impl Spans for CalendarRule {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            CalendarRule::Starts(unit, _) => unit.each_span(change),
            CalendarRule::NamedByStart => {}
        }
    }
}

impl Spans for EventBody {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            EventBody::Stored { of, at, fields } => {
                of.each_span(change);
                at.each_span(change);
                fields.each_span(change);
            }
            EventBody::Derived { value, with } => {
                value.each_span(change);
                with.each_span(change);
            }
        }
    }
}

impl Spans for StateBody {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            StateBody::From { from, until } => {
                from.each_span(change);
                until.each_span(change);
            }
            StateBody::For { from, length } => {
                from.each_span(change);
                length.each_span(change);
            }
            StateBody::Value { value, until } => {
                value.each_span(change);
                until.each_span(change);
            }
            StateBody::Stored { fields } => fields.each_span(change),
        }
    }
}

impl Spans for SourceItem {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            SourceItem::Mapping(mapping) => mapping.each_span(change),
            SourceItem::Merge { entity, column, into } => {
                entity.each_span(change);
                column.each_span(change);
                into.each_span(change);
            }
        }
    }
}

impl Spans for Part {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            Part::Role { role: _, column } => column.each_span(change),
            Part::Column { field, column, of: _ } => {
                field.each_span(change);
                column.each_span(change);
            }
            Part::Computed { field, value } => {
                field.each_span(change);
                value.each_span(change);
            }
        }
    }
}

impl Spans for Goal {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            Goal::Total { during, reach, each } => {
                during.each_span(change);
                reach.each_span(change);
                each.each_span(change);
            }
            Goal::Level { by, reach, from } => {
                by.each_span(change);
                reach.each_span(change);
                from.each_span(change);
            }
        }
    }
}

impl Spans for Window {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            Window::Last { length, to_date: _ } => length.each_span(change),
            Window::LastOf { number: _, grain, to_date: _ } | Window::This { grain, to_date: _ } => {
                grain.each_span(change)
            }
            Window::During(bound) | Window::Until(bound) => bound.each_span(change),
            Window::Since { from, until } => {
                from.each_span(change);
                until.each_span(change);
            }
            Window::FromUntil { from, until } => {
                from.each_span(change);
                until.each_span(change);
            }
        }
    }
}

impl Spans for Bound {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            Bound::Date(date) => date.each_span(change),
            Bound::Period { calendar, text: _, span } => {
                calendar.each_span(change);
                span.each_span(change);
            }
            Bound::Now(span) => span.each_span(change),
        }
    }
}

impl Spans for Against {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            Against::Previous { grain, aligned: _, span } => {
                grain.each_span(change);
                span.each_span(change);
            }
            Against::Period { calendar, text: _, span } => {
                calendar.each_span(change);
                span.each_span(change);
            }
            Against::Target { name, span } => {
                name.each_span(change);
                span.each_span(change);
            }
        }
    }
}

impl Spans for Fill {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            Fill::Value(value) => value.each_span(change),
            Fill::Missing | Fill::Previous => {}
        }
    }
}

impl Spans for Argument {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            Argument::Within(length) => length.each_span(change),
            Argument::Named { name, value } => {
                name.each_span(change);
                match value {
                    NamedValue::Word(word) => word.each_span(change),
                    NamedValue::Chain(chain) => chain.each_span(change),
                }
            }
            Argument::Plain(chain) => chain.each_span(change),
        }
    }
}

impl Spans for Over {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            Over::Window(window) => window.each_span(change),
            Over::Period | Over::AllTime => {}
        }
    }
}

impl Spans for ExprKind {
    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        match self {
            ExprKind::Quantity { .. } | ExprKind::Text(_) | ExprKind::Bool(_) | ExprKind::Missing => {}
            ExprKind::Date(date) => date.each_span(change),
            ExprKind::List(items) => items.each_span(change),
            ExprKind::Path(path) => path.each_span(change),
            ExprKind::Call { function, arguments } => {
                function.each_span(change);
                arguments.each_span(change);
            }
            ExprKind::Field { of, name } => {
                of.each_span(change);
                name.each_span(change);
            }
            ExprKind::Case { whens, otherwise } => {
                whens.each_span(change);
                otherwise.each_span(change);
            }
            ExprKind::Binary { op: _, left, right } => {
                left.each_span(change);
                right.each_span(change);
            }
            ExprKind::Negate(inner) | ExprKind::Not(inner) => inner.each_span(change),
            ExprKind::In { value, list, negated: _ } => {
                value.each_span(change);
                list.each_span(change);
            }
            ExprKind::IsMissing { value, negated: _ } => value.each_span(change),
        }
    }
}
