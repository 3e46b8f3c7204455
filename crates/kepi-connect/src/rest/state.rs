//! Where a run stands: the cursor of a REST connector, as JSON.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The cursor. Moments are in microseconds UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// Up to when everything was read; none: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) done: Option<i64>,
    /// The service's own token to go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    /// The run that has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<Run>,
}

/// A run within its phases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    /// Where the whole run begins and ends.
    pub(super) since: i64,
    pub(super) until: i64,
    pub(super) phase: Phase,
    /// The windows that are still to be read, the next one last; the last of them is being read.
    pub(super) windows: Vec<(i64, i64)>,
    #[serde(default, skip_serializing_if = "Spot::is_start")]
    pub(super) spot: Spot,
    /// How many items of the page were given before, where fewer were wanted than it has.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) skip: usize,
    /// A hash of the keys of those items: where the service gives another page by then, nothing of it is passed over.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub(super) skipped: u64,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn is_nothing(number: &u64) -> bool {
    *number == 0
}

/// What is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    Read,
    Changes,
    Deleted,
}

/// The page within a window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Spot {
    #[default]
    Start,
    Cursor(String),
    Offset(u64),
    Page(u64),
    Url(String),
    Last(BTreeMap<String, String>),
}

impl Spot {
    fn is_start(&self) -> bool {
        *self == Spot::Start
    }
}
