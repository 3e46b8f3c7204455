//! Ordered chains: how far each attempt gets, from the last moment to the first.
//!
//! For each step it is known at which later moment it can next be served such that the rest of the way is open. Without
//! forbidden rows the earliest moment is always right. With them, or with a time within which each step must follow the
//! one before, it may lead into a dead end: a later row may lie behind the forbidden one, or near enough to the next. So
//! ways are kept apart by their *aim*: one that only takes the earliest, and one per guarded step that is sure to reach it. An attempt takes the way with the farthest aim that it reaches in time.
//! A way that is open from a moment is open, and not later, from all moments before it that are open at all, so for each
//! aim the earliest moment is right again, and each moment is looked at once.

use super::moments::{Moments, NOBODY, Start};
use super::{Attempts, Forbidden, Shape};
use kepi_model::core::{ChainOrder, Credit};

/// What serving a step at a moment leads to, for one aim.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    step: u32,
    /// The last step that is served at the same moment; [`NONE`]: the aim cannot be reached.
    until: u32,
    /// The moment at which it goes on; [`NONE`]: nowhere.
    next: u32,
}

const NONE: u32 = u32::MAX;

/// How far the attempts of an entity get.
pub(super) fn look_at(shape: &Shape, attempts: &mut Attempts, forbidden: &Forbidden, work: &mut Moments) {
    let steps = shape.steps;
    let aims = shape.guarded.len() + 1;
    work.nodes.clear();
    work.next.clear();
    work.next.resize(aims * (steps + 1), NONE);
    work.live.clear();
    work.live.resize(work.starts.len(), false);
    // Where each step is later than the one before, a moment serves no more than one.
    let apart = shape.order == ChainOrder::Later;
    let wants_live = shape.credit == Some(Credit::Earliest) && steps > 2;
    for moment in (0..work.all.len()).rev() {
        let at = work.all[moment].at;
        let first_node = work.nodes.len();
        work.all[moment].nodes = first_node as u32;
        let mut known = None;
        for slot in 0..work.slots(moment).len() {
            let step = work.slots(moment)[slot].step as usize;
            if known == Some(step) {
                continue;
            }
            known = Some(step);
            let last = if apart { step } else { work.run(moment, step, NOBODY).unwrap_or(step) };
            for aim in 0..aims {
                let (until, next) = best(shape, forbidden, work, aim, step..last + 1, at).unwrap_or((NONE, NONE));
                work.nodes.push(Node { step: step as u32, until, next });
            }
        }
        for start in work.all[moment].starts.clone() {
            let Start { attempt, event, .. } = work.starts[start as usize];
            let out = [event, u32::MAX];
            let last = if apart { 0 } else { work.run(moment, 1, out).unwrap_or(0) };
            let end = attempts.all[attempt as usize].end;
            for aim in (0..aims).rev() {
                let Some(way) = best(shape, forbidden, work, aim, 0..last + 1, at) else { continue };
                let reached = follow(work, aims, aim, moment, way, out, end);
                if aim == 0 || work.path.len() >= shape.guarded[aim - 1] {
                    let path = std::mem::take(&mut work.path);
                    attempts.put(shape, attempt, &path, reached, forbidden);
                    work.path = path;
                    break;
                }
            }
            if wants_live {
                for aim in 0..aims {
                    let Some(way) = best(shape, forbidden, work, aim, 0..last + 1, at) else { continue };
                    follow(work, aims, aim, moment, way, out, i64::MAX);
                    work.live[start as usize] |= work.path.len() + 1 == steps;
                }
            }
        }
        for (i, node) in work.nodes[first_node..].iter().enumerate() {
            if node.until != NONE {
                work.next[(i % aims) * (steps + 1) + node.step as usize] = moment as u32;
            }
        }
    }
}

/// The last of some steps, all of them served at a moment, after which the aim is open; and where it goes on.
fn best(
    shape: &Shape,
    forbidden: &Forbidden,
    work: &Moments,
    aim: usize,
    steps: std::ops::Range<usize>,
    at: i64,
) -> Option<(u32, u32)> {
    let target = if aim == 0 { 0 } else { shape.guarded[aim - 1] };
    steps.rev().find_map(|step| {
        let mut next = work.next[aim * (shape.steps + 1) + step + 1];
        if next != NONE && shape.guarded.contains(&(step + 1)) {
            // The way is closed by a forbidden row before the next step, or by the time that it would take.
            let limit = forbidden.limit(shape, step + 1, at);
            if work.all[next as usize].at > limit {
                next = NONE;
            }
        }
        (step >= target || next != NONE).then_some((step as u32, next))
    })
}

/// Follows a way from a moment up to the end of its time: the rows go to the path. Gives the moment of the last of them.
fn follow(
    work: &mut Moments,
    aims: usize,
    aim: usize,
    moment: usize,
    (until, mut next): (u32, u32),
    out: [u32; 2],
    end: i64,
) -> i64 {
    work.path.clear();
    if until > 0 {
        work.serve(moment, 1..until as usize + 1, out);
    }
    let mut last = work.all[moment].at;
    while next != NONE {
        let moment = next as usize;
        let at = work.all[moment].at;
        if at > end {
            break;
        }
        let step = work.path.len() + 1;
        let first = work.all[moment].nodes as usize + aim;
        let Some(&node) = work.nodes[first..].iter().step_by(aims).find(|node| node.step as usize == step) else {
            break;
        };
        work.serve(moment, step..node.until as usize + 1, NOBODY);
        (last, next) = (at, node.next);
    }
    last
}
