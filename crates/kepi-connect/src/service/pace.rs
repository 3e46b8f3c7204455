//! The clock by which the services wait; tests have one of their own.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Time that only goes forward, and waiting.
pub trait Pace: Debug + Send + Sync {
    /// The time since some beginning.
    fn elapsed(&self) -> Duration;

    /// Waits.
    fn wait(&self, time: Duration);
}

/// The clock on the wall.
#[derive(Clone, Copy, Debug)]
pub struct WallPace(Instant);

impl Default for WallPace {
    fn default() -> Self {
        WallPace(Instant::now())
    }
}

impl Pace for WallPace {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// A clock that waits in no time.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct QuickPace(pub(crate) std::sync::Mutex<Duration>);

#[cfg(test)]
impl Pace for QuickPace {
    fn elapsed(&self) -> Duration {
        *self.0.lock().expect("no test panics with it")
    }

    fn wait(&self, time: Duration) {
        *self.0.lock().expect("no test panics with it") += time;
    }
}
