//! States: what holds over time for an entity, and how it is read.

use super::{Events, Existence, Row};
use crate::value::{CalendarSpan, Unit};
use serde::{Deserialize, Serialize};

/// What holds for an entity over `[from, until)`.
///
/// One value at a time: a later row of `from` replaces the value that holds (with its own end). Of a yes/no state,
/// intervals that touch or overlap are one. Rows without the entity, and rows whose value is missing, begin nothing.
/// A row of `until` ends what held just before it; what begins at its very moment goes on with what ended: of a yes/no
/// state nothing begins or ends there, of values the old one's stay ends and the new one holds. Only where nothing held
/// just before it does it end what begins at its moment, which then never was. No state but that of a condition (see
/// `existence`) holds before its first row of `from`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// In the formatter's words, for `explain`.
    pub text: String,
    /// The entity that is in it.
    pub entity: String,
    /// The unit of its value: `Bool` for a yes/no state.
    pub unit: Unit,
    /// What begins it.
    pub from: Events,
    /// The entity of a row of `from`.
    pub key: Row,
    /// The value that a row of `from` gives; none: a yes/no state.
    pub value: Option<Row>,
    /// What ends it.
    pub until: Until,
    /// Makes it a yes/no state: it holds while this condition on [`super::VALUE`] is yes (of a yes/no state the value is
    /// whether it holds).
    pub holds: Option<Row>,
    /// Where `holds` is a condition on an entity, and no declared state: since when entities exist. Then it holds of those
    /// that exist alone, and also where no value does if it is yes of what stands there: no, 0 or missing, after the
    /// value's kind. An edge at an entity's beginning has no row of `from`.
    pub existence: Option<Existence>,
}

/// What ends a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Until {
    /// Only the next value.
    Never,
    /// The time after which it ends by itself: `for 12 months`.
    After(CalendarSpan),
    /// A time that the row of `from` says (stored intervals); missing: open.
    At(Row),
    /// Rows of another event.
    Event {
        /// Whose rows.
        events: Events,
        /// The entity of such a row.
        key: Row,
    },
}

/// When a state is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum When {
    /// At the row's own moment t: `from <= t < until`. For a row of entities, whose moment is the end e of a cell: just
    /// before it, `from < e <= until`.
    Moment,
    /// Just before the first instant s of the aggregate's window, `from < s <= until`. What is measured there itself (an
    /// aggregate moved by [`Move::Start`](super::Move::Start)) looks at the window's ends, too.
    Opening,
    /// Just before the end e of that window, `from < e <= until`.
    Closing,
}
