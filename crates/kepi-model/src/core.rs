//! The core: what a query means, as plain data. Names are resolved, units are checked, definitions
//! are expanded, windows are instants. Execution knows nothing of the language but this.
//!
//! Three layers of expression:
//! - [`Row`]: one value per row of a base stream (or per entity), may look back at the history of the row's subject;
//! - [`Aggregate`]: one value per cell (period × labels) from the rows of one derived event;
//! - [`Formula`]: one value per cell from aggregates and constants.
//!
//! Numbers, money, percents, points and durations are decimals or floats; a duration is in seconds, a percent is a
//! fraction. Conversions between units (`money per day`) are explicit multiplications by constants.

use crate::calendar::Grain;
use crate::value::{CalendarSpan, Unit, Value};
use serde::{Deserialize, Serialize};

/// A whole query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// The query in the formatter's words.
    pub text: String,
    /// The project's time zone (IANA name).
    pub zone: String,
    /// The instant for which the query is evaluated, in microseconds UTC.
    pub now: i64,
    /// The labels, in the order written.
    pub by: Vec<Label>,
    /// The output's periods.
    pub per: Option<Grain>,
    /// What time is looked at.
    pub window: Window,
    /// Since when entities exist, for every entity that is a base of an aggregate.
    pub existence: Vec<Existence>,
    /// All aggregates that a formula uses; no two are equal. Each has `by.len()` labels.
    pub aggregates: Vec<Aggregate>,
    /// What is shown.
    pub columns: Vec<Column>,
    /// Which cells are kept, judged after dense periods are made.
    pub having: Option<Formula>,
    /// The order of the rows; empty: by period, then labels in the order written, missing last.
    pub order: Vec<OrderKey>,
    /// How many rows are kept.
    pub limit: Option<Limit>,
    /// What stands where no aggregate has a row.
    pub fill: Option<Fill>,
    /// What `vs` compares with.
    pub compare: Vec<Compare>,
}

/// Since when the entities of a kind exist. An entity exists at T when it began before T.
///
/// It begins at the attribute where that is known, else at its first event, else it always was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Existence {
    /// The entity.
    pub entity: String,
    /// The attribute that says it.
    pub from: Option<String>,
    /// The dated streams, each with the role in which it names the entity.
    pub streams: Vec<(String, String)>,
}

/// A label of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The column's name.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// For a label that is a period (`cohort(e, month)`): its grain.
    pub grain: Option<Grain>,
}

/// A shown value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// The column's name: the alias, else the formatter's text.
    pub name: String,
    /// The value.
    pub formula: Formula,
    /// Whether up or down is better, where the metric says.
    pub better: Option<Better>,
}

/// Which direction is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants say it.
pub enum Better {
    Up,
    Down,
}

/// The time that is looked at, half-open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// First instant; none: the start of the period (grain, else the instant) of the first row that any shown aggregate has.
    pub from: Option<i64>,
    /// The instant behind the last.
    pub until: i64,
    /// In words, for notes and `explain`: "last 24 months".
    pub words: String,
    /// Whether this is a single moment (`at T`): events are cumulated up to it, entities are counted at it.
    pub moment: bool,
}

/// A comparison column group: value, previous, change, change %.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compare {
    /// The name behind the column's: "previous year", "previous".
    pub name: String,
    /// Where the other value comes from.
    pub with: CompareWith,
}

/// The other side of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CompareWith {
    /// One unit of this grain earlier, period to period (week n to week n, day to date; 29 February against missing).
    Previous(Grain),
    /// This many days earlier (`aligned by weekday`: 364).
    Days(i32),
    /// The window of the same length just before.
    WindowBefore,
    /// A period of its own, period n to period n.
    Period {
        /// First instant.
        from: i64,
        /// The instant behind the last.
        until: i64,
    },
}

/// A key of the order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderKey {
    /// What is compared.
    pub by: OrderBy,
    /// Whether large values come first. Missing comes last either way.
    pub descending: bool,
}

/// What rows are ordered by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants say it.
pub enum OrderBy {
    Period,
    Label(usize),
    Formula(Formula),
}

/// `limit 5 with other`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// How many rows.
    pub rows: u64,
    /// Whether the rest is shown as one more row, computed, not summed.
    pub with_other: bool,
}

/// What `fill` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum Fill {
    Value(Value),
    Missing,
    Previous,
}

/// A value per cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Formula {
    /// Its unit.
    pub unit: Unit,
    /// What it computes.
    pub node: FormulaNode,
}

/// The kinds of formula.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub enum FormulaNode {
    Const(Value),
    /// The value of `Query::aggregates[i]` in this cell.
    Aggregate(usize),
    /// The cell's label `Query::by[i]`.
    Label(usize),
    /// The first instant of the cell's period (with no `per`: of the window).
    Period,
    Call {
        op: Op,
        args: Vec<Formula>,
    },
    Case {
        whens: Vec<(Formula, Formula)>,
        otherwise: Option<Box<Formula>>,
    },
    /// A scalar function of a plugin, `module.name`.
    Plugin {
        name: String,
        args: Vec<Formula>,
    },
}

/// A value per cell from the rows of one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aggregate {
    /// In the formatter's words, for `explain`.
    pub text: String,
    /// Whose rows.
    pub events: Events,
    /// Which of them, judged after derived events are made: the argument's `where` and the query's.
    pub filter: Option<Row>,
    /// What is computed of them.
    pub measure: Measure,
    /// The row's labels, one per `Query::by`.
    pub labels: Vec<Row>,
    /// The unit of the result.
    pub unit: Unit,
}

/// Rows of a base stream, passed through stages in order; each row keeps its parent's fields and entities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Events {
    /// Where the rows come from.
    pub base: Base,
    /// What is done to them, in order.
    pub stages: Vec<Stage>,
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Base {
    /// A stored event stream.
    Stream(String),
    /// The entities of this kind, one row each, at the cell's end.
    Entity(String),
}

/// A step of a derived event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    /// Keeps the rows for which this is yes.
    Where(Row),
    /// Keeps the first row of each entity, in the order of (time, id, row). Rows without the entity are dropped.
    First {
        /// The entity of a row: of kind `Kind::Entity`.
        per: Row,
    },
}

/// What is computed of the rows in a cell. Rows whose argument is missing take no part, except in `Count`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the functions of the language.
pub enum Measure {
    /// Rows; 0 of nothing.
    Count,
    /// 0 of nothing, exact for decimals, correctly rounded for floats.
    Sum(Row),
    /// Missing of nothing, as are all that follow but `Unique`.
    Avg(Row),
    Min(Row),
    Max(Row),
    /// Linear interpolation between neighbours; `observed` takes a value that occurs (the lower neighbour).
    Percentile {
        of: Row,
        percent: f64,
        observed: bool,
    },
    Stddev(Row),
    /// Of the first row in the order of (time, id, row) whose value is known.
    First(Row),
    Last(Row),
    /// Distinct known values.
    Unique(Row),
    /// An aggregate function of a plugin, `module.name`.
    Plugin {
        name: String,
        args: Vec<Row>,
    },
}

/// A value per row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its unit.
    pub unit: Unit,
    /// What it computes.
    pub node: RowNode,
}

/// The kinds of row expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub enum RowNode {
    Const(Value),
    /// The moment of the row; for an entity the cell's end.
    At,
    /// A stored field of the base stream (or an attribute of the base entity), by its name.
    Field(String),
    /// The entity that the row is about, by the role's name (for a base entity: the entity itself).
    Role(String),
    /// An attribute of an entity: as it is now, or with `history` as it was at the row's moment.
    Attribute {
        of: Box<Row>,
        entity: String,
        field: String,
        history: bool,
    },
    /// The key of an entity, as text.
    Key {
        of: Box<Row>,
        entity: String,
    },
    /// An aggregate over the history of the row's subject, up to and including the row.
    History(Box<History>),
    Call {
        op: Op,
        args: Vec<Row>,
    },
    Case {
        whens: Vec<(Row, Row)>,
        otherwise: Option<Box<Row>>,
    },
    /// A scalar function of a plugin, `module.name`.
    Plugin {
        name: String,
        args: Vec<Row>,
    },
}

/// An aggregate over the history of one entity.
///
/// With the same base as the outer row, history ends with the row itself in the order of (time, id, row); with
/// another base it takes all rows that are not later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Whose rows.
    pub events: Events,
    /// Which of them.
    pub filter: Option<Row>,
    /// What is computed of them.
    pub measure: Measure,
    /// The entity of a row of `events`.
    pub key: Row,
    /// The entity of the outer row whose history is meant.
    pub subject: Row,
    /// How far back.
    pub over: Reach,
}

/// How far back a history goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reach {
    /// To the first row.
    AllTime,
    /// `over last 90 days`: rows later than this before the moment.
    Last(CalendarSpan),
    /// `over period`: the period of the cell.
    Period,
}

/// The operations on values, the same for rows and cells. All but the conditions are missing when an argument is;
/// conditions (`Equal` to `Contains`) are two-valued and *no* with missing, except `NotEqual` = not `Equal`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)] // Most variants say it.
pub enum Op {
    Add,
    Subtract,
    Multiply,
    /// Missing when the divisor is 0.
    Divide,
    Negate,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Not,
    /// The first argument equals one of the others.
    In,
    IsMissing,
    /// The regular expression (second argument, a constant) is found in the text.
    Matches,
    Contains,
    StartsWith,
    EndsWith,
    /// The first that is known.
    Otherwise,
    Least,
    Greatest,
    Abs,
    /// To the number of decimals given as second argument (default 0), half away from zero.
    Round,
    Floor,
    Ceil,
    Sqrt,
    Ln,
    Exp,
    Lower,
    Upper,
    Trim,
    /// In characters.
    Length,
    Concat,
    Replace,
    /// A calendar span later than a time or date.
    AddSpan(CalendarSpan),
    /// Seconds from the second time to the first.
    Elapsed,
    /// Periods of the grain from the second time to the first, by the calendar.
    PeriodsBetween(Grain),
    /// The first instant of the period of the time.
    Truncate(Grain),
    /// 1 Monday to 7 Sunday.
    Weekday,
    DayOfMonth,
    DayOfYear,
    MonthOfYear,
    QuarterOfYear,
    HourOfDay,
    /// The calendar day of an instant in the project's zone.
    ToDate,
    /// The first instant of a day in the project's zone.
    ToTime,
}
