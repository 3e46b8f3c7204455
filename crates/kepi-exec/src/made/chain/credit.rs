//! Conversions: each row of the last step is credited to one first step.

use super::moments::{End, Moments, NOBODY};
use super::{Attempts, Forbidden, Shape, Since};
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
    let (mut low, mut high) = (0, 0);
    for end in &work.ends {
        let since = Since::new(shape, forbidden, 1, end.at);
        while high < starts.len() && starts[high].at <= end.at {
            high += 1;
        }
        while low < high && (attempts.all[starts[low].attempt as usize].end < end.at || since.is_behind(starts[low].at))
        {
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
            attempts.all[starts[found].attempt as usize].converted = true;
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
        let ways = |latest: &mut Vec<Option<(u32, i64)>>, served: &mut Vec<Served>, step: usize| {
            let last = latest[step - 1].filter(|l| at <= forbidden.limit(shape, step, l.1))?.0;
            let first = first(&mut served[step - 1], &Since::new(shape, forbidden, step, at))?;
            if step < steps - 1 {
                latest[step] = Some((last, at));
                served[step].moments.push((at, first));
            }
            Some((first, last))
        };
        let begin = |latest: &mut Vec<Option<(u32, i64)>>, served: &mut Vec<Served>| {
            if !own.starts.is_empty() {
                latest[0] = Some((own.starts.end - 1, at));
                served[0].moments.push((at, own.starts.start));
            }
        };
        let found = if work.is_one_row(moment) {
            // The row serves one of its steps, so each goes on from what was done before.
            let slots = work.slots(moment).iter().rev().map(|slot| slot.step as usize);
            let found = slots.fold(None, |found, step| {
                let way = ways(&mut latest, &mut served, step);
                if step == steps - 1 { way } else { found }
            });
            begin(&mut latest, &mut served);
            found
        } else {
            begin(&mut latest, &mut served);
            let slots = work.slots(moment).iter().map(|slot| slot.step as usize);
            slots.fold(None, |_, step| ways(&mut latest, &mut served, step).filter(|_| step == steps - 1))
        };
        let Some((first, last)) = found else { continue };
        while low < work.starts.len() && attempts.all[work.starts[low].attempt as usize].end < at {
            low += 1;
        }
        let found = match credit {
            Credit::Latest => last as usize,
            Credit::Earliest => next_live[low.max(first as usize).min(work.starts.len())] as usize,
        };
        if low <= found && found <= last as usize {
            attempts.all[work.starts[found].attempt as usize].converted = true;
        }
    }
}

/// The first start that leads to a step served soon enough before another one, which is later from call to call.
fn first(served: &mut Served, since: &Since<'_>) -> Option<u32> {
    while served.moments.get(served.from).is_some_and(|m| since.is_behind(m.0)) {
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
    let next_live = next_live(&work.live);
    let mut way = Way::default();
    for end in 0..work.ends.len() {
        let end = work.ends[end];
        let begun = work.starts.partition_point(|s| s.at <= end.at);
        let in_time = work.starts.partition_point(|s| attempts.all[s.attempt as usize].end < end.at).min(begun);
        let mut leads = |start: usize| way.leads(shape, forbidden, work, start, end);
        let found = match credit {
            Credit::Latest => (in_time..begun).rev().find(|&start| leads(start)),
            Credit::Earliest => {
                // The same start is often the first again; those that lead nowhere are passed over.
                let live = |from: usize| Some(next_live[from] as usize).filter(|&start| start < begun);
                std::iter::successors(live(in_time), |&start| live(start + 1)).find(|&start| leads(start))
            }
        };
        if let Some(found) = found {
            attempts.all[work.starts[found].attempt as usize].converted = true;
        }
    }
}

/// How far the steps from one start have come, moment by moment.
#[derive(Debug, Default)]
struct Way {
    start: usize,
    /// The moments before this one have been looked at.
    moment: usize,
    /// Per step but the last: when it was last served; empty: nothing has been looked at.
    done: Vec<Option<i64>>,
}

impl Way {
    /// Whether a chain leads from a start to a row of the last step.
    fn leads(&mut self, shape: &Shape, forbidden: &Forbidden, work: &mut Moments, start: usize, end: End) -> bool {
        let steps = shape.steps;
        let event = work.starts[start].event;
        if event == end.event {
            return false;
        }
        let first = work.all.partition_point(|m| m.starts.end as usize <= start);
        let last = end.moment as usize;
        if self.done.is_empty() || self.start != start || self.moment > last {
            self.done.clear();
            self.done.resize(steps - 1, None);
            self.done[0] = Some(work.all[first].at);
            (self.start, self.moment) = (start, first);
        }
        let out = |moment: usize| if moment == first { event } else { NOBODY[0] };
        while self.moment < last {
            serve(shape, forbidden, work, &mut self.done, self.moment, [out(self.moment), NOBODY[1]]);
            self.moment += 1;
        }
        // At its own moment the last row serves no other step.
        let mut done = self.done.clone();
        serve(shape, forbidden, work, &mut done, last, [out(last), end.event]);
        done[steps - 2].is_some_and(|at| end.at <= forbidden.limit(shape, steps - 1, at))
    }
}

/// Serves further steps at a moment, from what was done before it, so that a row serves one step only.
fn serve(
    shape: &Shape,
    forbidden: &Forbidden,
    work: &mut Moments,
    done: &mut [Option<i64>],
    moment: usize,
    out: [u32; 2],
) {
    let (steps, at) = (shape.steps, work.all[moment].at);
    for from in (0..steps - 2).rev() {
        if done[from].is_none_or(|last| at > forbidden.limit(shape, from + 1, last)) {
            continue;
        }
        if let Some(until) = work.run(moment, from + 1, out) {
            done[from + 1..=until.min(steps - 2)].fill(Some(at));
        }
    }
}
