//! Conversions: each row of the last step is credited to one first step.

use super::moments::{Moments, NOBODY};
use super::{Attempts, Forbidden, Shape};
use kepi_model::core::Credit;

/// Credits the rows of the last step of an entity.
pub(super) fn look_at(
    shape: &Shape,
    attempts: &mut Attempts,
    forbidden: &Forbidden,
    work: &mut Moments,
    credit: Credit,
) {
    if work.ends.is_empty() {
        return;
    }
    if shape.steps == 2 {
        pairs(shape, attempts, forbidden, work, credit);
    } else if work.tangled {
        one_by_one(shape, attempts, forbidden, work, credit);
    } else {
        chains(shape, attempts, forbidden, work, credit);
    }
}

/// Two steps: the nearest (farthest) first step that is another row, in time, and behind the last forbidden row.
fn pairs(shape: &Shape, attempts: &mut Attempts, forbidden: &Forbidden, work: &Moments, credit: Credit) {
    let starts = &work.starts;
    let at = |i: usize, attempts: &Attempts| attempts.at[starts[i].attempt as usize];
    let (mut low, mut high) = (0, 0);
    for end in &work.ends {
        let floor = forbidden.floor(shape, 1, end.at);
        while high < starts.len() && at(high, attempts) <= end.at {
            high += 1;
        }
        while low < high && (attempts.end[starts[low].attempt as usize] < end.at || at(low, attempts) < floor) {
            low += 1;
        }
        let mut found = match credit {
            Credit::Latest => high.checked_sub(1),
            Credit::Earliest => Some(low),
        };
        if let Some(own) = found.filter(|&i| i < high && starts[i].event == end.event) {
            found = match credit {
                Credit::Latest => own.checked_sub(1),
                Credit::Earliest => Some(own + 1),
            };
        }
        // What lies below `low` is too old, and so is all before it.
        if let Some(found) = found.filter(|&i| (low..high).contains(&i)) {
            attempts.converted[starts[found].attempt as usize] = true;
        }
    }
}

/// The moments at which a step can be served at all, with the first of the starts from which it can.
#[derive(Clone, Debug, Default)]
struct Served {
    moments: Vec<(i64, u32)>,
    /// Those before are too old for what comes next.
    from: usize,
}

/// Longer chains, where each row serves one step. The starts that lead to a row of the last step lie between the first
/// and the last of them without a gap, but for those that lead nowhere: two ways that cross can change partners.
fn chains(shape: &Shape, attempts: &mut Attempts, forbidden: &Forbidden, work: &Moments, credit: Credit) {
    let steps = shape.steps;
    // Per step before the last: the last start that leads to it, and when the step was last served.
    let mut latest: Vec<Option<(u32, i64)>> = vec![None; steps - 1];
    let mut served = vec![Served::default(); steps - 1];
    let next_live = next_live(&work.live);
    let mut low = 0_usize;
    for moment in 0..work.all.len() {
        let own = &work.all[moment];
        let at = own.at;
        if !own.starts.is_empty() {
            latest[0] = Some((own.starts.end - 1, at));
            served[0].moments.push((at, own.starts.start));
        }
        for slot in work.slots(moment) {
            let step = slot.step as usize;
            if step == steps - 1 {
                continue;
            }
            let last = latest[step - 1].filter(|l| at <= forbidden.limit(shape, step, l.1));
            if let Some((start, _)) = last {
                latest[step] = Some((start, at));
                if let Some(first) = first(&mut served[step - 1], forbidden.floor(shape, step, at)) {
                    served[step].moments.push((at, first));
                }
            }
        }
        if own.ends.is_empty() {
            continue;
        }
        let Some((last, _)) = latest[steps - 2].filter(|l| at <= forbidden.limit(shape, steps - 1, l.1)) else {
            continue;
        };
        while low < work.starts.len() && attempts.end[work.starts[low].attempt as usize] < at {
            low += 1;
        }
        let found = match credit {
            Credit::Latest => Some(last as usize),
            Credit::Earliest => first(&mut served[steps - 2], forbidden.floor(shape, steps - 1, at))
                .map(|first| next_live[low.max(first as usize).min(work.starts.len())] as usize),
        };
        if let Some(found) = found.filter(|&i| low <= i && i <= last as usize) {
            attempts.converted[work.starts[found].attempt as usize] = true;
        }
    }
}

/// The first start that leads to a step not earlier than `floor`, which rises from call to call.
fn first(served: &mut Served, floor: i64) -> Option<u32> {
    while served.moments.get(served.from).is_some_and(|m| m.0 < floor) {
        served.from += 1;
    }
    served.moments.get(served.from).map(|m| m.1)
}

/// For each start, and behind the last: the next one that leads anywhere, itself included.
fn next_live(live: &[bool]) -> Vec<u32> {
    let mut next = vec![live.len() as u32; live.len() + 1];
    for i in (0..live.len()).rev() {
        next[i] = if live[i] { i as u32 } else { next[i + 1] };
    }
    next
}

/// Longer chains of an entity that has, at one moment, rows that may serve several steps: for each row of the last step
/// the first steps are tried in turn.
fn one_by_one(shape: &Shape, attempts: &mut Attempts, forbidden: &Forbidden, work: &mut Moments, credit: Credit) {
    for end in 0..work.ends.len() {
        let end = work.ends[end];
        let begun = work.starts.partition_point(|s| attempts.at[s.attempt as usize] <= end.at);
        let in_time = work.starts.partition_point(|s| attempts.end[s.attempt as usize] < end.at).min(begun);
        let mut tried: Box<dyn Iterator<Item = usize>> = match credit {
            Credit::Latest => Box::new((in_time..begun).rev()),
            Credit::Earliest => Box::new(in_time..begun),
        };
        if let Some(found) = tried.find(|&start| leads(shape, forbidden, work, start, end)) {
            attempts.converted[work.starts[found].attempt as usize] = true;
        }
    }
}

/// Whether a chain leads from a start to a row of the last step.
fn leads(shape: &Shape, forbidden: &Forbidden, work: &mut Moments, start: usize, end: super::moments::End) -> bool {
    let steps = shape.steps;
    let event = work.starts[start].event;
    if event == end.event {
        return false;
    }
    let first = work.all.partition_point(|m| m.starts.end as usize <= start);
    // Per step: when it was last served.
    let mut done: Vec<Option<i64>> = vec![None; steps - 1];
    done[0] = Some(work.all[first].at);
    for moment in first..=end.moment as usize {
        let at = work.all[moment].at;
        let out = [if moment == first { event } else { NOBODY[0] }, if at == end.at { end.event } else { NOBODY[1] }];
        // From what was done before this moment, so a row serves one step only.
        for from in (0..steps - 2).rev() {
            if done[from].is_none_or(|last| at > forbidden.limit(shape, from + 1, last)) {
                continue;
            }
            let Some(until) = work.run(moment, from + 1, out) else { continue };
            done[from + 1..=until.min(steps - 2)].fill(Some(at));
        }
    }
    done[steps - 2].is_some_and(|last| end.at <= forbidden.limit(shape, steps - 1, last))
}
