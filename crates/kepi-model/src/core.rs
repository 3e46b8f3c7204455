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

mod made;
mod row;
mod state;
mod walk;

pub use made::*;
pub use row::*;
pub use state::*;

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
    /// How the columns become a table of their own (`funnel`, `retention`).
    pub shape: Option<Shape>,
}

/// How the columns of a query become the rows of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    /// A funnel: every cell becomes one row per step. The query has `steps.len() * columns.len()` columns, step by step;
    /// a comparison's columns go along with theirs.
    Steps {
        /// The name of the label: `step`.
        label: String,
        /// The steps' names.
        steps: Vec<String>,
        /// The names of the columns of a step.
        columns: Vec<String>,
    },
    /// Retention: the label `cohort` and the label `age` of [`Query::by`] get a row for every age from 0 up to the one
    /// that runs at `now`; the column `size` holds for all ages of a cohort, `returned` is 0 where nobody came back (and
    /// at age 0 the size).
    Ages {
        /// The label that is the cohort.
        cohort: usize,
        /// The label that is the age.
        age: usize,
        /// The aggregate that counts the members (its label `age` is taken across).
        size: usize,
        /// The aggregate that counts those who returned.
        returned: usize,
        /// What an age is a number of.
        grain: Grain,
        /// Whether ages count from each entity's own start.
        own_clock: bool,
        /// Whether who returned at an age counts for all ages before it.
        onward: bool,
        /// The brackets, as in [`Returns`].
        brackets: Vec<i64>,
    },
}

/// Since when the entities of a kind exist. An entity exists at T when it began before T.
///
/// It begins at the attribute where that is known, else at its first event, or with the first interval of a stored state
/// that began before that; else it always was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Existence {
    /// The entity.
    pub entity: String,
    /// The attribute that says it.
    pub from: Option<String>,
    /// The dated streams, each with the role in which it names the entity.
    pub streams: Vec<(String, String)>,
    /// The stored states that are about it, likewise.
    pub intervals: Vec<(String, String)>,
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
    /// The targets of the shown values, one per column; none: missing.
    Target(Vec<Option<TargetLine>>),
}

/// What a target asks for over time, in the unit of its column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub enum TargetLine {
    /// A total over `[from, until)`. Where the value `adds_up`, a part of that time has its part by elapsed time; else
    /// each part has to reach the same.
    Total { from: i64, until: i64, reach: Value, adds_up: bool },
    /// The same in each period of the grain in `[from, until)`; where the value `adds_up`, a longer time has the sum.
    Each { from: i64, until: i64, grain: Grain, reach: Value, adds_up: bool },
    /// A level at `by`, on a line from a dated baseline where there is one; read at the cell's end.
    Level { by: i64, reach: Value, baseline: Option<(i64, Value)> },
    /// Totals of times that do not overlap, one year's after the other's: what they ask for together.
    Several(Vec<TargetLine>),
    /// Beside labels: per texts of all labels what is asked of that part. Parts that are not named have none; `whole` is
    /// that of all of them together.
    Split { parts: Vec<(Vec<String>, TargetLine)>, whole: Option<Box<TargetLine>> },
}

impl TargetLine {
    /// Whether what it asks for in the parts of a time makes what it asks for in all of it.
    pub fn adds_up(&self) -> bool {
        match self {
            TargetLine::Total { adds_up, .. } | TargetLine::Each { adds_up, .. } => *adds_up,
            TargetLine::Level { .. } | TargetLine::Split { .. } => false,
            TargetLine::Several(lines) => lines.iter().all(TargetLine::adds_up),
        }
    }
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
    /// A series of a plugin, `module.name`: in complete periods the value of `of`, in the others what the function goes on
    /// with behind them. `constants`: its other arguments.
    Series {
        name: String,
        of: Box<Formula>,
        constants: Vec<Value>,
    },
    /// The place of the cell among those of the same period by this value, from 1, the largest first; equal values
    /// share the first of their places, missing has none.
    Rank {
        of: Box<Formula>,
        /// The label in which those that it is compared with may differ, all others being equal; none: in any.
        over: Option<usize>,
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
    /// Over entities: whether only those take part that exist at the moment that is looked at. Not so for what a state
    /// measures: it says itself who is in it.
    pub existing: bool,
    /// How its window differs from the cell's, the outermost move first; empty: not at all.
    pub moved: Vec<Move>,
    /// The labels over all of whose values it is taken (`of_total`): its row for such a label is not looked at, its value
    /// stands in every cell that has the other labels, and it brings no cells of its own.
    pub across: Vec<usize>,
    /// For what a retention counts at one age where each cell is one cohort: which of its rows belong into a total.
    pub aging: Option<Aging>,
}

/// A cell of one cohort shows an age as it is so far; a total has only those cohorts for which it is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aging {
    /// The label that is the cohort; none: the output's period lies in one.
    pub label: Option<usize>,
    /// What a cohort is a period of.
    pub grain: Grain,
    /// Whether ages count from each entity's own start.
    pub own_clock: bool,
    /// After how many periods, its own among them, the age is over.
    pub periods: i64,
    /// The rows for which it is over at `now`.
    pub whole: Row,
}

/// A window made of another one `[s, e)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Move {
    /// `[s - d, e - d)`.
    Prior(CalendarSpan),
    /// `[e - d, e)`.
    Trailing(CalendarSpan),
    /// From the first instant of the period of the grain in which the last instant before `e` lies, to `e`.
    ToDate(Grain),
    /// From the start of the query's window to `e`.
    Running,
    /// Everything before `e`.
    AllTime,
    /// Everything before `s`; what is measured at a moment (entities, states) is measured just before `s`.
    Start,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Base {
    /// A stored event stream.
    Stream(String),
    /// The entities of this kind, one row each, at the cell's end.
    Entity(String),
    /// Rows made of other rows.
    Made(Box<Made>),
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
