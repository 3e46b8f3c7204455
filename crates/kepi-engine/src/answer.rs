//! What every face gives and gets: a [`Request`] in, an [`Answer`] out.

use kepi_exec::{Cancel, Frame};
use kepi_model::core::Query;
use kepi_syntax::Diagnostic;
use std::time::{Duration, Instant};

/// A question.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The text: one or more queries, and definitions that hold for this request only.
    pub text: String,
    /// Who asks; for the audit and, later, for access policies.
    pub principal: Option<String>,
    /// The instant for which it is answered, microseconds UTC; none: `now` of the project, else the clock.
    pub now: Option<i64>,
    /// The snapshot to read; none: the latest.
    pub snapshot: Option<u64>,
    /// What it may use.
    pub limits: Limits,
    /// Stops it from another thread.
    pub cancel: Cancel,
    /// Whether totals are wanted.
    pub totals: bool,
    /// Whether it is computed anew, also where an answer is kept from before.
    pub no_cache: bool,
}

/// What a request may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory; none: the project's limit, or half of what the machine or its container has.
    pub memory_bytes_max: Option<u64>,
    /// Time; none: the project's limit.
    pub wall_time_max: Option<Duration>,
    /// Threads; none: as many as there are cores.
    pub threads: Option<usize>,
}

/// The answer to one query.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The query in the formatter's words.
    pub query: String,
    /// The instant for which it was answered.
    pub as_of: i64,
    /// The project's time zone.
    pub zone: String,
    /// The table, its notes and steps.
    pub frame: Frame,
    /// Lints of the query's own text.
    pub warnings: Vec<Diagnostic>,
    /// How long it took.
    pub elapsed: Duration,
    /// The snapshot that was read.
    pub snapshot: u64,
    /// Whether it was kept from before instead of computed.
    pub kept: bool,
    /// What should be known of how it was answered, such as of a damaged file beside the store.
    pub said: Vec<String>,
}

impl Answer {
    /// An answer that was computed from a snapshot and has taken since `started`.
    pub(crate) fn computed(
        query: &Query,
        frame: Frame,
        warnings: Vec<Diagnostic>,
        started: Instant,
        snapshot: u64,
    ) -> Answer {
        Answer {
            query: query.text.clone(),
            as_of: query.now,
            zone: query.zone.clone(),
            frame,
            warnings,
            elapsed: started.elapsed(),
            snapshot,
            kept: false,
            said: Vec::new(),
        }
    }
}
