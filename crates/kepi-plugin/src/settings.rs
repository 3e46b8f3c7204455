//! What a call into a plugin may use. There is no "unlimited": a limit that has no name cannot be tested.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How plugins are run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What a call may use.
    pub limits: Limits,
    /// Where compiled components are kept: a folder of mode 0700 that is this user's own, made if absent. None: they
    /// are compiled anew in each process.
    pub cache: Option<PathBuf>,
    /// Ends running calls from outside.
    pub stop: Stop,
}

/// What one call into a plugin may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wall time of one call: a batch of rows, a step of an aggregation, a page.
    pub wall_time_max: Duration,
    /// Memory of one instance of a component, in bytes.
    pub memory_bytes_max: usize,
    /// Rows of one call; longer columns are cut into several.
    pub batch_rows_max: usize,
    /// What one answer of a component may hold, in bytes.
    pub answer_bytes_max: usize,
    /// How often one call may call its host.
    pub host_calls_max: u32,
    /// Operations of one call of a script's function.
    pub script_operations_max: u64,
    /// Calls within calls in a script.
    pub script_call_depth_max: usize,
    /// Expressions within expressions in a script.
    pub script_expression_depth_max: usize,
    /// Variables that a script may have at a time.
    pub script_variables_max: usize,
    /// Length of a text in a script, in bytes; also of a file that it reads.
    pub script_text_bytes_max: usize,
    /// Items of an array in a script, with all arrays in it.
    pub script_array_items_max: usize,
    /// Entries of a map in a script, with all maps in it.
    pub script_map_entries_max: usize,
    /// Rows that are kept until their groups are whole (of models, and of aggregates in scripts), in bytes.
    pub gathered_bytes_max: usize,
    /// Records of one page of a connector.
    pub page_records_max: usize,
    /// Length of a cursor, in bytes.
    pub cursor_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            wall_time_max: Duration::from_secs(10),
            memory_bytes_max: 256 << 20,
            batch_rows_max: 16_384,
            answer_bytes_max: 128 << 20,
            host_calls_max: 1_000,
            script_operations_max: 10_000_000,
            script_call_depth_max: 32,
            script_expression_depth_max: 64,
            script_variables_max: 64,
            script_text_bytes_max: 16 << 20,
            script_array_items_max: 100_000,
            script_map_entries_max: 100_000,
            gathered_bytes_max: 1 << 30,
            page_records_max: 10_000,
            cursor_bytes_max: 64 << 10,
        }
    }
}

impl Limits {
    /// The time limit as messages say it: `10 s`, `250 ms`.
    pub(crate) fn time_in_words(&self) -> String {
        match self.wall_time_max.as_millis() {
            ms if ms % 1000 == 0 => format!("{} s", ms / 1000),
            ms => format!("{ms} ms"),
        }
    }
}

/// A number of bytes as messages say it: `64 MiB`, `512 KiB`.
pub(crate) fn bytes_in_words(bytes: usize) -> String {
    match bytes {
        b if b >= 1 << 30 && b % (1 << 30) == 0 => format!("{} GiB", b >> 30),
        b if b >= 1 << 20 && b % (1 << 20) == 0 => format!("{} MiB", b >> 20),
        b if b >= 1 << 10 && b % (1 << 10) == 0 => format!("{} KiB", b >> 10),
        b => format!("{b} bytes"),
    }
}

/// A flag that ends every running call within some 10 ms. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Ends running calls, and each later one, until [`Stop::reset`].
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Lets calls run again.
    pub fn reset(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether calls are to end.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
