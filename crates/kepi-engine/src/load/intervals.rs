//! Intervals of stored states that hold nothing, counted, so that a load tells of them.

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, RecordBatch};
use kepi_extension::AT;

/// How many of the rows that fill a stored state hold nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Idle {
    /// They end where they begin, or before.
    over: u64,
    /// They have no value.
    without_value: u64,
}

impl Idle {
    /// Counts those of a batch.
    pub(super) fn count(&mut self, rows: &RecordBatch) {
        let times = |name| rows.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>();
        let value = rows.column_by_name("value");
        let ends = times(AT).zip(times("until"));
        for row in 0..rows.num_rows() {
            let is_over = ends.is_some_and(|(from, until)| until.is_valid(row) && until.value(row) <= from.value(row));
            if is_over {
                self.over += 1;
            } else if value.is_some_and(|value| value.is_null(row)) {
                self.without_value += 1;
            }
        }
    }

    /// What to tell of them.
    pub(super) fn notes(self) -> Vec<String> {
        let told = |count: u64, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 interval {one}, and holds nothing")),
            _ => Some(format!("{count} intervals {many}, and hold nothing")),
        };
        let over = told(self.over, "ends where it begins or before", "end where they begin or before");
        over.into_iter().chain(told(self.without_value, "has no value", "have no value")).collect()
    }
}
