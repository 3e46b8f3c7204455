//! Threads that begin to work at once, each on a processor of its own.
//!
//! A thread that is started, or woken up, waits on the processor of whoever did that, unless the system finds another
//! one idle. In a virtual machine a processor that has slept for a moment does not count as idle: its host has put it
//! aside. The new thread waits then until the other one waits for something, or until the system looks at its load
//! again, for two or three milliseconds: longer than many a question takes. So whoever begins a share of some work says
//! so ([`AtWork`]), moves to another processor where somebody else of this program is at work on its own, and lets
//! those who wait behind it begin.

use std::marker::PhantomData;
use std::sync::OnceLock;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod system;

/// A thread at work on a share of something, as long as the value lives.
#[derive(Debug)]
#[must_use = "the work ends where this is dropped"]
pub struct AtWork {
    /// Whether the thread is at work because of this value, and not of one before it.
    first: bool,
    /// It is about this thread, and stays on it.
    here: PhantomData<*const ()>,
}

impl AtWork {
    /// Begins a share of work: on another processor where another thread of this program is at work on this one. Who
    /// shares work with threads that are still to be started says so before that, and lets them begin then
    /// ([`give_way`]).
    pub fn begin() -> AtWork {
        AtWork { first: system::begin(false), here: PhantomData }
    }

    /// The same for a thread that was started by one that works on here: on another processor, unless more are at work
    /// on all of them.
    pub fn begin_beside() -> AtWork {
        AtWork { first: system::begin(true), here: PhantomData }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if self.first {
            system::end();
        }
    }
}

/// Lets those go first who wait for this processor: threads that were started just now move on from there.
pub fn give_way() {
    std::thread::yield_now();
}

/// What is made once: by whoever asks first. Others wait for it, and are not at work meanwhile.
pub fn once<T>(made: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    if let Some(made) = made.get() {
        return made;
    }
    let at_work = system::end();
    let back_to_work = || {
        if at_work {
            system::begin(false);
        }
    };
    let mut own = false;
    let made = made.get_or_init(|| {
        own = true;
        back_to_work();
        make()
    });
    if !own {
        back_to_work();
    }
    made
}

/// Does two things side by side, the first one on a thread of its own.
///
/// Panics where one of them does, with the same message.
pub fn both<A: Send, B>(beside: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    let _at_work = AtWork::begin();
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| {
            let _at_work = AtWork::begin_beside();
            beside()
        });
        give_way();
        let here = here();
        (beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), here)
    })
}

/// Tests count threads at work, so that one goes on at a time.
#[cfg(test)]
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::PoisonError;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn both_are_done_at_once_and_a_panic_goes_on() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        // Each waits for the other: one behind the other they would never end.
        let met = std::sync::Barrier::new(2);
        let meet = |value: usize| {
            met.wait();
            value
        };
        assert_eq!(both(|| meet(1), || meet(2)), (1, 2));
        let panic = std::panic::catch_unwind(|| both(|| panic!("beside"), || 2)).err();
        assert_eq!(panic.as_ref().and_then(|panic| panic.downcast_ref()), Some(&"beside"));
    }

    #[test]
    fn what_is_made_once_is_made_by_one_and_seen_by_all() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (made, makers) = (OnceLock::new(), AtomicUsize::new(0));
        let make = || {
            std::thread::sleep(std::time::Duration::from_millis(5));
            makers.fetch_add(1, Ordering::Relaxed)
        };
        let ask = || {
            let _at_work = AtWork::begin();
            *once(&made, make)
        };
        std::thread::scope(|scope| {
            let asked: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            assert!(asked.into_iter().all(|asked| asked.join().is_ok_and(|made| made == 0)));
        });
        assert_eq!(makers.into_inner(), 1);
    }
}
