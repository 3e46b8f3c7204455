//! The syntax tree: what the text says, with places, before any name is looked up.
//!
//! Parentheses are not kept: the printer puts back those that precedence needs. Two trees
//! are the same text up to layout when they are equal after [`File::without_spans`].

mod expression;
mod query;

pub use expression::*;
pub use query::*;

use crate::span::Span;
use serde::{Deserialize, Serialize};

/// A name with its place; the text is without backticks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Name {
    /// The name itself, without backticks.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A dotted name: `orders.amount`, `fiscal.quarter`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Path {
    /// At least one part.
    pub parts: Vec<Name>,
    /// Where the whole path stands.
    pub span: Span,
}

/// A source file: statements in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
pub struct File {
    /// What the file says, in order.
    pub statements: Vec<Statement>,
}

/// One statement with the doc comment above it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// The `##` lines above, joined by newlines, without the marks.
    pub doc: Option<String>,
    /// What it says.
    pub kind: StatementKind,
    /// Where it stands, without the doc comment.
    pub span: Span,
}

/// The kinds of statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum StatementKind {
    Module(Path),
    Use { path: Path, plugin: Option<String>, alias: Option<Name> },
    Set { name: Name, value: Expr },
    Calendar(Calendar),
    Entity(Entity),
    Event(Event),
    State(State),
    Measure(Definition),
    Segment(Definition),
    Dimension(Definition),
    Metric(Definition),
    Function(Function),
    Source(Source),
    Target(Target),
    Report(Report),
    Test(Test),
    Query(Query),
}

/// `calendar fiscal = year starts "april", week starts "monday"`, or `calendar retail from "445.csv"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calendar {
    /// Its name.
    pub name: Name,
    /// The rules, in order; empty when the calendar comes from a table.
    pub rules: Vec<CalendarRule>,
    /// The table's file.
    pub from: Option<String>,
}

/// One rule of a calendar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CalendarRule {
    /// `year starts "april"`: the unit as written, the start.
    Starts(Name, String),
    /// `named by start`.
    NamedByStart,
}

/// `entity customer key id from created { … }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// Its name.
    pub name: Name,
    /// The field of its key.
    pub key: Option<Name>,
    /// The field from which it exists.
    pub from: Option<Name>,
    /// Its attributes.
    pub fields: Vec<Field>,
}

/// A field of an entity, an event or a stored state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// The doc comment above it.
    pub doc: Option<String>,
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeName,
    /// Whether it is kept as it was at each moment.
    pub history: bool,
}

/// A type as written: `money(EUR) per day`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TypeName {
    /// `money`, `text`, or an entity's name.
    pub name: Name,
    /// The word in parentheses, a currency or a field.
    pub argument: Option<Name>,
    /// The unit after `per`.
    pub per: Option<Name>,
    /// Where it stands.
    pub span: Span,
}

/// An event, stored (`of … at … { … }`) or derived (`= …`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its name.
    pub name: Name,
    /// Where its rows come from.
    pub body: EventBody,
}

/// The two kinds of event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields are the language's own words.
#[allow(clippy::large_enum_variant)] // A tree has few of these, and boxes would make every reader unpack them.
pub enum EventBody {
    Stored { of: Vec<Name>, at: Option<Name>, fields: Vec<Field> },
    Derived { value: Scoped, with: Vec<Pair> },
}

/// A state: derived from events, a value, or stored intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its name.
    pub name: Name,
    /// The entity that is in it.
    pub of: Name,
    /// How it is made.
    pub body: StateBody,
    /// Its attributes.
    pub with: Vec<Pair>,
}

/// The kinds of state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields are the language's own words.
#[allow(clippy::large_enum_variant)] // A tree has few of these, and boxes would make every reader unpack them.
pub enum StateBody {
    From { from: Scoped, until: Scoped },
    For { from: Scoped, length: Length },
    Value { value: Expr, until: Option<Scoped> },
    Stored { fields: Vec<Field> },
}

/// A measure, segment, dimension or metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Its name.
    pub name: Name,
    /// Its parameters; empty without parentheses.
    pub parameters: Vec<Parameter>,
    /// `of customer`: only for segments and dimensions.
    pub of: Option<Name>,
    /// The declared type: only for metrics.
    pub ty: Option<TypeName>,
    /// What it is.
    pub value: Expr,
    /// Its attributes.
    pub with: Vec<Pair>,
}

/// A function written in the language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// What it computes.
    pub value: Expr,
}

/// `factor: number = 3`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: Name,
    /// Its type, where written.
    pub ty: Option<TypeName>,
    /// Its value where the call gives none.
    pub default: Option<Expr>,
}

/// `owner = "sales"` after `with`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The attribute's name.
    pub name: Name,
    /// Its value.
    pub value: Expr,
}

/// A `source` block: the columns of a table mapped to events and entities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Its name.
    pub name: Name,
    /// The file, or the connector's stream.
    pub from: String,
    /// How to read it.
    pub with: Vec<Pair>,
    /// What it fills.
    pub items: Vec<SourceItem>,
}

/// One thing that a source fills.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields are the language's own words.
pub enum SourceItem {
    Mapping(Mapping),
    Merge { entity: Name, column: Name, into: Name },
}

/// `engagements: at engage_date, id opportunity_id, of deal opportunity_id, account where …`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mapping {
    /// The event, entity or state that is filled.
    pub target: Path,
    /// How each field is filled.
    pub parts: Vec<Part>,
    /// The rows that it takes.
    pub filter: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// One part of a mapping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum Part {
    /// `at column`, `id column`, `key column`, `from column`, `until column`, `to column`.
    Role { role: Role, column: Name },
    /// `of deal opportunity_id`, `account`, `agent sales_agent`: a field filled from a column.
    Column { field: Name, column: Name, of: bool },
    /// `amount = close_value * 2`.
    Computed { field: Name, value: Expr },
}

/// What a column is to the row, other than a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum Role {
    At,
    Id,
    Key,
    From,
    Until,
    To,
}

/// `target churn on churn_rate by 2026-12-31 reach 2% …`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields are the language's own words.
pub struct Target {
    pub name: Name,
    pub on: Expr,
    pub filter: Option<Expr>,
    pub goal: Goal,
    pub review: Option<Name>,
    pub with: Vec<Pair>,
}

/// What a target asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields are the language's own words.
pub enum Goal {
    Total { during: Bound, reach: Expr, each: Option<Path> },
    Level { by: DateTime, reach: Expr, from: Option<(Expr, DateTime)> },
}

/// A named list of queries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields are the language's own words.
pub struct Report {
    pub name: Name,
    pub every: Option<Path>,
    pub with: Vec<Pair>,
    pub queries: Vec<Query>,
}

/// A test block: rows given, answers expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// What the test is about.
    pub title: String,
    /// `given now T`.
    pub now: Option<DateTime>,
    /// The rows.
    pub given: Vec<Given>,
    /// The answers.
    pub expect: Vec<Expect>,
}

/// `given orders (customer, ordered) ("c1", 2025-03-01)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields are the language's own words.
pub struct Given {
    pub event: Path,
    pub columns: Vec<Name>,
    pub rows: Vec<Vec<Expr>>,
    pub span: Span,
}

/// `expect QUERY gives VALUE`: one value, one row `(a, b)`, or a list of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields are the language's own words.
pub struct Expect {
    pub query: Query,
    pub gives: Vec<Vec<Expr>>,
    pub span: Span,
}
