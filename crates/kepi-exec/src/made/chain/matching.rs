//! A row of its own for each of several steps, where rows may serve more than one.

use super::super::NOWHERE;
use super::moments::Slot;

/// Which row serves which step. Steps are added one by one; those before may have to take other rows.
#[derive(Debug, Default)]
pub(super) struct Matching {
    /// Event and step.
    taken: Vec<(u32, u32)>,
    seen: Vec<(u32, u32)>,
    queue: Vec<u32>,
}

impl Matching {
    /// Serves the steps `first` to `last` as far as possible; the last that is served. `slots` are by step, `out` are
    /// events that are left out.
    pub(super) fn run(&mut self, slots: &[Slot], first: usize, last: usize, out: [u32; 2]) -> Option<usize> {
        self.taken.clear();
        let mut done = None;
        for step in first..=last {
            if !self.add(slots, step as u32, out) {
                break;
            }
            done = Some(step);
        }
        done
    }

    /// Serves as many of the steps from the second on as possible.
    pub(super) fn most(&mut self, slots: &[Slot], steps: usize, out: [u32; 2]) {
        self.taken.clear();
        for step in 1..steps {
            self.add(slots, step as u32, out);
        }
    }

    /// How many steps are served.
    pub(super) fn count(&self) -> usize {
        self.taken.len()
    }

    /// The row that serves a step.
    pub(super) fn row(&self, slots: &[Slot], step: usize) -> u32 {
        let step = step as u32;
        let event = self.taken.iter().find(|t| t.1 == step).map(|t| t.0);
        slots.iter().find(|s| s.step == step && Some(s.event) == event).map_or(NOWHERE, |s| s.row)
    }

    /// Serves one step more, by a row that is free or becomes free: breadth first over the rows that could change hands.
    fn add(&mut self, slots: &[Slot], step: u32, out: [u32; 2]) -> bool {
        self.seen.clear();
        self.queue.clear();
        self.queue.push(step);
        let mut next = 0;
        while let Some(&asking) = self.queue.get(next) {
            next += 1;
            let from = slots.partition_point(|s| s.step < asking);
            for slot in slots[from..].iter().take_while(|s| s.step == asking) {
                if out.contains(&slot.event) || self.seen.iter().any(|s| s.0 == slot.event) {
                    continue;
                }
                self.seen.push((slot.event, asking));
                match self.taken.iter().find(|t| t.0 == slot.event) {
                    Some(&(_, owner)) => self.queue.push(owner),
                    None => {
                        self.hand_over(slot.event, step);
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Gives a free event to the step that asked for it, that step's event to the one that asked for it, and so on.
    fn hand_over(&mut self, mut event: u32, step: u32) {
        while let Some(&(_, asking)) = self.seen.iter().find(|s| s.0 == event) {
            let old = self.taken.iter().position(|t| t.1 == asking);
            match old {
                Some(place) => {
                    let given = std::mem::replace(&mut self.taken[place].0, event);
                    event = given;
                }
                None => self.taken.push((event, asking)),
            }
            if asking == step {
                return;
            }
        }
    }
}
