//! A value per row: fields, entities, histories, states and operations on them; and what is computed of such values.

use super::{Events, Existence, Keyed, State, When};
use crate::calendar::Grain;
use crate::value::{CalendarSpan, Unit, Value};
use serde::{Deserialize, Serialize};

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
    /// Linear interpolation between neighbours; `observed` takes a value that occurs: the least one that so many percent
    /// of all do not exceed.
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
    /// The value of the row with the greatest rank, the first of them where several have it. Missing ranks last; a
    /// missing value is missing.
    Best {
        of: Row,
        rank: Row,
    },
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
    /// What a state is for an entity. Where it does not hold: no for a yes/no state, 0 for a state of numbers, missing
    /// for one of anything else.
    State {
        state: Box<State>,
        of: Box<Row>,
        when: When,
    },
    /// The mean over the aggregate's window (up to `now`) of a state's number, or of 1 where a yes/no state holds and 0
    /// where it does not; missing where it never holds in the window.
    StateAverage {
        state: Box<State>,
        of: Box<Row>,
    },
    /// For how many seconds of the aggregate's window (up to `now`) a state held; missing where it never did.
    TimeIn {
        state: Box<State>,
        of: Box<Row>,
    },
    /// What an entity is by its rows in the period of the grain in which the row's moment (of an entity: the last
    /// instant before the cell's end) lies: "new" (its first rows ever lie in it), "returning" (also in the one before),
    /// "resurrecting" (not in the one before, but earlier), "dormant" (none in it, but in the one before), else missing.
    Lifecycle {
        rows: Box<Keyed>,
        of: Box<Row>,
        grain: Grain,
    },
    /// In which of `parts` parts of equal size an entity lies by a number, 1 with the least, among all that exist at
    /// the row's moment; equal numbers lie in one part. Missing where the number is. `of` is an expression of a row of
    /// entities, `subject` one of these rows, which have few moments between them.
    Tile {
        of: Box<Row>,
        subject: Box<Row>,
        entity: String,
        parts: u32,
        /// Since when entities exist; none: always.
        existence: Option<Existence>,
    },
    /// What a model of a plugin says of an entity.
    Modelled(Box<Modelled>),
    /// A value of the row that served step `step` (from 1: the second) of an attempt of a chain, missing where it was
    /// not reached; `of` is a row expression of that step's rows.
    Step {
        step: usize,
        of: Box<Row>,
    },
    /// Money in another currency, at the latest rate of a day not after the row's moment (of an entity: before it), or
    /// before the first instant of the aggregate's window. The currency it is in is a text; the same currency, and 0 of any, needs no rate. Where the wanted direction of two
    /// currencies is stored nowhere, but the other one is, its inverse. Without a rate: an error that names both and the
    /// day, for a row that counts.
    Convert {
        of: Box<Row>,
        from: Box<Row>,
        to: String,
        when: When,
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
    /// Whether it ends before the row itself (`gap`), instead of with it.
    pub before: bool,
}

/// A model of a plugin, asked of each entity: fitted on the rows of all entities that are earlier than the moment of the
/// outer row (of an entity: than the cell's end) and than `now`, in the order of time. Missing for an entity that has none
/// of these rows, and for all where there is too little to learn from. Rows with a missing argument take no part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Modelled {
    /// The model, `module.name`.
    pub name: String,
    /// In the formatter's words, for `explain` and notes.
    pub text: String,
    /// The rows that it learns from.
    pub events: Events,
    /// Which of them.
    pub filter: Option<Row>,
    /// Its arguments: the entity of a row of `events` first, then a value per row each, or a constant.
    pub args: Vec<Row>,
    /// The entity of the outer row.
    pub subject: Row,
    /// Of what kind it is.
    pub entity: String,
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
