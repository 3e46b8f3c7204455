//! Chains of any order: how many steps have a row of their own after the first.

use super::moments::{Moments, Slot};
use super::{Attempts, Forbidden, NOWHERE, Shape};

/// How many steps the attempts of an entity reach.
pub(super) fn look_at(shape: &Shape, attempts: &mut Attempts, forbidden: &Forbidden, work: &mut Moments) {
    let steps = shape.steps;
    // Per step its next rows, the earliest last: as many as could all be taken by other steps or begin the attempt, and
    // one more.
    let most = if work.shared { steps + 1 } else { 1 };
    let mut later: Vec<Vec<(i64, Slot)>> = vec![Vec::new(); steps];
    let mut rows = vec![(NOWHERE, 0); steps - 1];
    let mut candidates = Vec::new();
    for moment in (0..work.all.len()).rev() {
        let at = work.all[moment].at;
        for slot in work.slots(moment).iter().rev() {
            let later = &mut later[slot.step as usize];
            if later.len() == most {
                later.remove(0);
            }
            later.push((at, *slot));
        }
        for start in work.all[moment].starts.clone() {
            let start = work.starts[start as usize];
            let end = attempts.all[start.attempt as usize].end;
            rows.fill((NOWHERE, 0));
            if work.shared {
                candidates.clear();
                for own in &later {
                    candidates.extend(own.iter().rev().take_while(|r| r.0 <= end).map(|r| r.1));
                }
                let found = work.match_any(&candidates, steps, [start.event, u32::MAX]);
                for step in 1..steps {
                    let row = found.row(&candidates, step);
                    let own = later[step].iter().find(|r| r.1.row == row);
                    rows[step - 1] = own.map_or((NOWHERE, 0), |own| (row, own.0));
                }
            } else {
                for (step, own) in later.iter().enumerate().skip(1) {
                    if let Some((at, slot)) = own.last().filter(|r| r.0 <= end) {
                        rows[step - 1] = (slot.row, *at);
                    }
                }
            }
            let reached = rows.iter().filter(|row| row.0 != NOWHERE).count();
            attempts.put(shape, start.attempt, &rows, at, forbidden);
            attempts.all[start.attempt as usize].reached = reached as u16 + 1;
        }
    }
}
