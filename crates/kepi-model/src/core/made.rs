//! Rows that are made of other rows: stays, sessions, attempts of a chain, returns of a cohort, groups.
//!
//! Made rows are read like those of a stream, in the order of (moment, order of the rows that they are made of). Each
//! keeps the fields and roles of one row that it is made of, and has the further fields named here. They are made of
//! all rows before the end of the query's time; only then a window is cut from them.

use super::{Aggregate, Events, Existence, Formula, Label, Row, State};
use crate::calendar::Grain;
use crate::value::CalendarSpan;
use serde::{Deserialize, Serialize};

/// The value of a state, of a stay, or of a group.
pub const VALUE: &str = "_value";
/// What the state `i` of [`Changes`] is: `_value_0` …
pub const VALUE_OF: &str = "_value_";
/// A duration in seconds: of a stay, of a session.
pub const LENGTH: &str = "_length";
/// How many rows a session has.
pub const COUNT: &str = "_count";
/// How many steps of a chain an attempt reached, the first included: 1 …
pub const REACHED: &str = "_reached";
/// Whether a first step is credited with a conversion.
pub const CONVERTED: &str = "_converted";
/// The first instant of the cohort's period.
pub const COHORT: &str = "_cohort";
/// The number of a period after the cohort's; missing for the row that stands for the member itself.
pub const AGE: &str = "_age";
/// The key `i` of a group: `_key_0` …; a role where it is an entity, else a field.
pub const KEY: &str = "_key_";
/// The label `i` of the query in a group: `_label_0` …
pub const LABEL: &str = "_label_";

/// How rows are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant)] // It stands in a box wherever it stands.
pub enum Made {
    /// Events at the edges of a state. A row keeps the fields of the (last) row that began what it is about. It has
    /// [`VALUE`] and [`LENGTH`] (since the beginning; 0 at a start).
    Edges {
        /// The state.
        state: State,
        /// Which of its edges.
        edge: Edge,
    },
    /// One row per session, at its first row and with its fields: rows of an entity belong together while each follows
    /// the one before by no more than the gap. With [`LENGTH`] (first to last row) and [`COUNT`].
    Sessions {
        /// Whose rows.
        events: Events,
        /// The entity of a row.
        key: Row,
        /// The gap that still joins.
        gap: CalendarSpan,
    },
    /// One row per row of the chain's first step, with its fields: see [`Chain`].
    Chain(Box<Chain>),
    /// The members of cohorts, and their returns: see [`Returns`].
    Returns(Box<Returns>),
    /// One row per group: see [`Groups`].
    Groups(Box<Groups>),
    /// When what is known of an entity changes: see [`Changes`].
    Changes(Box<Changes>),
}

/// The moments at which one of several states, an attribute with a history, or what has happened so far changes for an
/// entity.
///
/// One row for each entity and moment at which any of them may become another, with the entity and, as [`VALUE_OF`] `i`,
/// what the state `i` is from then on, all rows of that moment taken together: missing where it does not hold. A row keeps
/// nothing of the rows that it comes from. What is so before the first row of an entity it does not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// The entity.
    pub entity: String,
    /// The name under which a row has it.
    pub role: String,
    /// The states, all of them of the entity: declared ones.
    pub states: Vec<State>,
    /// The attributes of the entity with a history whose changes count.
    pub attributes: Vec<String>,
    /// The events whose rows count.
    pub rows: Vec<Keyed>,
}

/// Which edges of a state make events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Edge {
    /// Being in the state begins; a change of value is no start.
    Start,
    /// Being in the state ends; a change of value is no end.
    End,
    /// A stay with one value ends, by another value or with the state. Equal values that follow each other are one stay.
    Stay,
}

/// Steps that follow each other: funnels and conversions.
///
/// Each row of the first step begins an attempt, which has [`REACHED`], and with [`super::RowNode::Step`] the values of
/// the rows that served its further steps. An event serves one step of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    /// The steps, at least two.
    pub steps: Vec<ChainStep>,
    /// All of it within this time of the first step, the end included.
    pub within: Option<CalendarSpan>,
    /// Each step within this time of the one before, the end included.
    pub each: Option<CalendarSpan>,
    /// Which order the steps need.
    pub order: ChainOrder,
    /// Further rows that interrupt a strict chain.
    pub among: Vec<Keyed>,
    /// Whether a forbidden row drops the attempt, instead of ending it where it is.
    pub without_drops: bool,
    /// For a conversion: each chain of later steps is credited to one first step only, and [`CONVERTED`] says which.
    pub credit: Option<Credit>,
}

/// Rows and whose they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Keyed {
    /// The rows.
    pub events: Events,
    /// The entity of a row.
    pub key: Row,
}

/// A step of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChainStep {
    /// Its rows.
    pub rows: Keyed,
    /// What must be the same in all steps (`hold: f`); missing equals nothing.
    pub hold: Option<Row>,
    /// Rows that are forbidden between the step before and this one.
    pub without: Option<Keyed>,
}

/// Which order a chain's steps need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChainOrder {
    /// Each step not earlier than the one before; other rows may lie between.
    Ordered,
    /// Each step later than the one before: what happens at one moment is one step.
    Later,
    /// The very next row of the steps' own events (and of `among`) is the next step.
    Strict,
    /// Any order, after (or with) the first.
    Any,
    /// Any order, and any of them first: the chain's first step has the rows of all others, which are of one base. An
    /// attempt has reached as many steps as have a row of their own from its row on, that row among them; step 1 is then
    /// the earliest of these, step 2 the next …
    Free,
}

/// Which first step gets a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants say it.
pub enum Credit {
    Latest,
    Earliest,
}

/// Who comes back: cohorts by the period of an event, and the periods of another one.
///
/// For each period in which an entity has a row of `start`, there is one row for the member, with the moment and fields
/// of the first such row, [`COHORT`] and [`AGE`] missing; and for each later period in which it has a row of `back` (not
/// earlier than that first row), one with the same moment, fields and cohort and the period's number as `AGE` (age 0 is
/// the member itself and makes none). With `onward` only the last of them: back in `AGE` or later.
///
/// With `hold` an entity is a member once for each value that its rows of `start` have in the period, and only rows of
/// `back` with that value count; missing is a value that no row has again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Returns {
    /// What makes a member.
    pub start: Keyed,
    /// What counts as coming back.
    pub back: Keyed,
    /// The periods.
    pub grain: Grain,
    /// Whether periods count from each entity's own start instead of by the calendar.
    pub own_clock: bool,
    /// Whether only the last return makes a row.
    pub onward: bool,
    /// `brackets: [1, 3, 7]`: `AGE` is then the number of the bracket, from 1: the first ends with period 1, the second
    /// with period 3 … Empty: each period for itself.
    pub brackets: Vec<i64>,
    /// What must be the same in the member's row and in those that count as coming back.
    pub hold: Option<Held>,
    /// How many rows of `back` a period must have to count as one of coming back: 1 …
    pub at_least: u32,
    /// Whether the last stage of `start` is what the query asks of its rows.
    pub asked: bool,
}

/// What rows of two events must have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Of the rows that make members.
    pub start: Row,
    /// Of the rows that count as coming back.
    pub back: Row,
}

/// Groups with a value each, to compute an aggregate of aggregates.
///
/// Each inner aggregate has the query's labels (or none of them, where the outer aggregate's labels are seen from the
/// keys alone) and then the group's keys as labels. A group exists where one of them has a row; one whose key is an
/// entity that is missing is none, its rows are counted as lacking it. It has [`VALUE`], the labels as `_label_i`, the
/// keys as `_key_i`, and as its moment the end of its time (seen from there like an entity's row). Without `per` the
/// inner aggregates are computed over the outer aggregate's window; with it over the periods of `per` that touch it, the
/// first and last cut where the window cuts them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Groups {
    /// What groups are made by, beside the query's labels.
    pub keys: Vec<Label>,
    /// Their periods.
    pub per: Option<Grain>,
    /// What the value is computed of.
    pub aggregates: Vec<Aggregate>,
    /// The value; `FormulaNode::Label(i)` counts the query's labels first, then the keys.
    pub value: Formula,
    /// Since when entities exist, for inner aggregates over entities.
    pub existence: Vec<Existence>,
}
