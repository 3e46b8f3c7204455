//! From which moment on rows are read again the next time: where what lies before it can be kept.

use super::Source;
use crate::ExecError;
use crate::rows::{Before, Program, put};
use kepi_extension::SegmentInfo;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use xxhash_rust::xxh3::Xxh3Default;

/// Streams with fewer rows are read each time.
pub(super) const ROWS_MIN: u64 = 16_384;
/// At least all but one of so many parts of the rows must lie before the moment.
const PARTS: usize = 8;
/// Where what is kept ends before that, because rows behind it belong to it: all but one of so many.
const QUARTERS: usize = 4;
/// When one of so many rows has come since, what is kept is brought up to a later moment.
const FRESH: u64 = 32;
/// What took less is not kept; but for tests, which have few rows on machines of any speed.
pub(super) const WORTH: Duration = Duration::from_millis(if cfg!(debug_assertions) { 0 } else { 2 });

/// Where something may go on from.
pub(super) struct Frontier {
    /// The moment up to which rows are stored for good.
    pub(super) moment: i64,
    /// The stream that is read with the most rows, and how many it has.
    base: (String, u64),
    /// The segments of all streams that are read.
    segments: BTreeMap<String, Vec<SegmentInfo>>,
}

impl Frontier {
    /// The moment for programs that read rows of a stream and others before an instant; none: most rows lie behind it.
    pub(super) fn new(base: &str, rows: u64, until: i64, programs: &[&Program], source: &Source) -> Option<Frontier> {
        let splits = source.scan.splits(base, None, Some(until), PARTS);
        let least = *splits.last()?;
        let mut segments = BTreeMap::new();
        for program in programs {
            program.streams_read(&mut |info| {
                segments.entry(info.name.clone()).or_insert_with(|| source.scan.segments(&info.name));
            });
        }
        let mut moment = until;
        for (stream, segments) in &segments {
            let (stored, waiting): (Vec<&SegmentInfo>, Vec<&SegmentInfo>) =
                segments.iter().partition(|segment| segment.version.is_some());
            let last = stored.iter().map(|segment| segment.last).max()?;
            // Rows that come next lie there or later, most often. Of a stream into which nothing comes any more they do not.
            let last = if stream == base { last } else { last.max(least) };
            moment = waiting.iter().map(|segment| segment.first).fold(moment.min(last), i64::min);
        }
        (moment >= least).then(|| Frontier { moment, base: (base.to_string(), rows), segments })
    }

    /// The same with an earlier moment; none: too many rows lie behind it.
    pub(super) fn earlier(mut self, moment: i64, source: &Source) -> Option<Frontier> {
        self.moment = self.moment.min(moment);
        let least = *source.scan.splits(&self.base.0, None, None, QUARTERS).last()?;
        (self.moment >= least).then_some(self)
    }

    /// Whether few rows have come since a moment, of those that would not be read any more.
    pub(super) fn is_fresh(&self, moment: i64) -> bool {
        let since = self.rows_from(moment).saturating_sub(self.rows_from(self.moment));
        since.saturating_mul(FRESH) <= self.base.1
    }

    /// How many rows lie behind a moment, about.
    fn rows_from(&self, moment: i64) -> u64 {
        let from = |segment: &SegmentInfo| match segment.starts.len() as u64 {
            _ if segment.first >= moment => segment.rows,
            0 => 0,
            starts => segment.rows * segment.starts.iter().filter(|start| **start >= moment).count() as u64 / starts,
        };
        self.segments.get(&self.base.0).into_iter().flatten().map(from).sum()
    }

    /// The names under which something may be kept that reads rows before `until`, the one for what is kept now first.
    /// The end matters to the rows behind it. Where there are none yet, it is going to be another one each time; once
    /// there are some, what was kept before may still be gone on from.
    pub(super) fn names(
        &self,
        until: i64,
        name: impl Fn(Option<i64>) -> Result<u128, ExecError>,
    ) -> Result<Vec<u128>, ExecError> {
        let ended = (until <= self.moment).then_some(Some(until));
        ended.into_iter().chain([None]).map(name).collect()
    }

    /// The rows before a moment.
    pub(super) fn before(&self, moment: i64) -> Before {
        Before::new(moment, &self.segments)
    }
}

/// A name for what is kept of something, whatever is stored.
pub(super) fn name_of(what: &impl Serialize) -> Result<u128, ExecError> {
    let bytes = postcard::to_allocvec(what);
    let bytes = bytes.map_err(|e| ExecError::Failed(format!("a pass has no name: {e}")))?;
    let mut hasher = Xxh3Default::new();
    put(&mut hasher, &bytes);
    Ok(hasher.digest128())
}
