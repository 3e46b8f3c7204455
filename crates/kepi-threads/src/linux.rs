//! Where the threads of this program are at work, on Linux.

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

/// Processors beyond this number are not looked at: what begins there stays there.
const PROCESSORS: usize = 1024;

/// How many threads began to work on each processor and are still at it. The system may have moved them since.
static AT_WORK: [AtomicU32; PROCESSORS] = [const { AtomicU32::new(0) }; PROCESSORS];

thread_local! {
    /// Where this thread is counted; none: nowhere.
    static PLACE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Counts this thread where it is, or where fewer are at work; whether it was counted nowhere before. `beside`: it was
/// started by one that goes on to work here, so that any other processor where no more are at work will do.
pub(crate) fn begin(beside: bool) -> bool {
    let before = PLACE.take();
    if let Some(before) = before {
        AT_WORK[before].fetch_sub(1, Ordering::Relaxed);
    }
    PLACE.set(sched_getcpu().ok().filter(|here| *here < PROCESSORS).map(|here| place(here, beside)));
    before.is_none()
}

/// The work is done, or rests; whether there was any.
pub(crate) fn end() -> bool {
    let place = PLACE.take();
    if let Some(place) = place {
        AT_WORK[place].fetch_sub(1, Ordering::Relaxed);
    }
    place.is_some()
}

/// Where this thread is counted from now on.
fn place(here: usize, beside: bool) -> usize {
    let others = AT_WORK[here].fetch_add(1, Ordering::Relaxed);
    // Alone it stays.
    let most = match beside {
        true => others,
        false => others.saturating_sub(1),
    };
    let moved = if others > 0 { move_away(here, most) } else { None };
    let Some(other) = moved else { return here };
    AT_WORK[here].fetch_sub(1, Ordering::Relaxed);
    AT_WORK[other].fetch_add(1, Ordering::Relaxed);
    other
}

/// Moves this thread to the processor on which the fewest are at work, at most so many. Only to begin with: the system may
/// move it on as it likes. None: there is no such processor, or the system does not allow it.
fn move_away(here: usize, most: u32) -> Option<usize> {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).ok()?;
    let at_work = |cpu: &usize| AT_WORK[*cpu].load(Ordering::Relaxed);
    let others = (0..PROCESSORS.min(CpuSet::count())).filter(|cpu| *cpu != here && allowed.is_set(*cpu) == Ok(true));
    let other = others.min_by_key(at_work).filter(|cpu| at_work(cpu) <= most)?;
    let mut only = CpuSet::new();
    let moved = only.set(other).and_then(|()| sched_setaffinity(this, &only)).is_ok();
    // What was allowed before is allowed again.
    let _ = sched_setaffinity(this, &allowed);
    moved.then_some(other)
}

#[cfg(test)]
mod tests {
    use super::PLACE;
    use crate::{ALONE, AtWork, once};
    use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
    use nix::unistd::Pid;
    use std::sync::{OnceLock, PoisonError};

    fn allowed() -> Vec<usize> {
        let set = sched_getaffinity(Pid::from_raw(0)).expect("a thread may ask where it may run");
        (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu) == Ok(true)).collect()
    }

    #[test]
    fn two_at_work_begin_on_two_processors_and_may_be_moved_as_before() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let before = allowed();
        let at_work = AtWork::begin();
        let here = PLACE.get().expect("who is at work is counted somewhere");
        let begin = || {
            let _at_work = AtWork::begin();
            (PLACE.get(), sched_getcpu().ok(), allowed())
        };
        let (there, ran_on, after) =
            std::thread::scope(|scope| scope.spawn(begin).join().expect("the other thread does not panic"));
        let (there, ran_on) = there.zip(ran_on).expect("who is at work is counted somewhere");
        assert_eq!((&allowed(), &after), (&before, &before));
        // Some sandboxes let nobody move.
        let this = Pid::from_raw(0);
        let may_move = sched_getaffinity(this).and_then(|set| sched_setaffinity(this, &set)).is_ok();
        if before.len() > 1 && may_move {
            assert_ne!(here, there);
            assert!(before.contains(&there) && before.contains(&ran_on));
        }
        let lock = OnceLock::new();
        assert_eq!(once(&lock, || PLACE.get().is_some()), &true, "who makes something is at work");
        drop(AtWork::begin());
        assert!(PLACE.get().is_some(), "work within work ends before it");
        drop(at_work);
        assert!(PLACE.get().is_none());
    }
}
