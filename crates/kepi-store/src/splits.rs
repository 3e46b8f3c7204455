//! Cutting a stretch of time into parts of about equally many rows, so that several threads can share a scan.

use crate::stream::Stream;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use kepi_extension::AT;

/// With fewer chunks than this per part, moments are sampled inside the chunks.
const CHUNKS_PER_PART: usize = 8;
/// Samples of a chunk.
const SAMPLES: usize = 64;

/// Moments that cut the rows of `[from, until)` into about `parts` equal parts.
pub(crate) fn splits(stream: &Stream, from: Option<i64>, until: Option<i64>, parts: usize) -> Vec<i64> {
    if parts < 2 || !stream.schema.dated {
        return Vec::new();
    }
    let inside = |moment: i64| from.is_none_or(|from| moment >= from) && until.is_none_or(|until| moment < until);
    let chunks: usize = stream.slots.iter().map(|s| s.segment.chunks.len()).sum();
    // Pairs of a moment and the rows that start at about it.
    let mut points: Vec<(i64, usize)> = Vec::new();
    for slot in &stream.slots {
        for (number, chunk) in slot.segment.chunks.iter().enumerate() {
            if chunk.last < from.unwrap_or(i64::MIN) || until.is_some_and(|until| chunk.first >= until) {
                continue;
            }
            let times = match chunks < parts * CHUNKS_PER_PART {
                // A chunk that cannot be read: the scan will say so, here its edge is good enough.
                true => slot.segment.column(number, AT).ok().flatten(),
                false => None,
            };
            match times {
                Some(times) => {
                    let times = times.as_primitive::<TimestampMicrosecondType>().values();
                    let step = chunk.rows.div_ceil(SAMPLES).max(1);
                    points.extend(times.iter().step_by(step).map(|&time| (time, step)));
                }
                None => points.push((chunk.first, chunk.rows)),
            }
        }
    }
    points.retain(|&(moment, _)| inside(moment));
    points.sort_unstable();
    let total: usize = points.iter().map(|p| p.1).sum();
    let mut cuts = Vec::new();
    let mut seen = 0;
    for (moment, rows) in points {
        // The first moment cuts nothing off.
        if seen > 0
            && seen * parts >= total * (cuts.len() + 1)
            && cuts.last() != Some(&moment)
            && cuts.len() + 1 < parts
        {
            cuts.push(moment);
        }
        seen += rows;
    }
    cuts
}
