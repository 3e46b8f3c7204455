//! Cutting a stretch of time into parts of about equally many rows, so that several threads can share a scan.

use crate::stream::Stream;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use kepi_extension::AT;

/// With fewer chunks than this per part, there are cuts inside chunks, too.
const CHUNKS_PER_PART: usize = 8;
/// Of so many chunks the moments are read. Of more that would take longer than parts that are not quite equal, and each
/// chunk's rows are taken for spread evenly.
const CHUNKS_READ: usize = 4;
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
            if chunks >= parts * CHUNKS_PER_PART {
                points.push((chunk.first, chunk.rows));
                continue;
            }
            // A chunk that cannot be read: the scan will say so, here its edges are good enough.
            let times = match chunks <= CHUNKS_READ {
                true => slot.segment.column(number, AT).ok().flatten(),
                false => None,
            };
            let step = chunk.rows.div_ceil(SAMPLES).max(1);
            let count = chunk.rows.div_ceil(step);
            match times {
                Some(times) => {
                    let times = times.as_primitive::<TimestampMicrosecondType>().values();
                    points.extend(times.iter().step_by(step).map(|&time| (time, step)));
                }
                None => {
                    let apart = chunk.last.saturating_sub(chunk.first) / count.max(1) as i64;
                    points.extend((0..count).map(|sample| (chunk.first + apart * sample as i64, step)));
                }
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
