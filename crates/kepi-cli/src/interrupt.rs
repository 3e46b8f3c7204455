//! Ctrl-C: stops what runs; pressed again, or with nothing to stop, it ends the process.

use kepi_engine::Cancel;
use std::sync::{Mutex, OnceLock, PoisonError};

static RUNNING: Mutex<Option<Cancel>> = Mutex::new(None);
static INSTALLED: OnceLock<()> = OnceLock::new();

/// Makes Ctrl-C stop the work that this flag belongs to, until the guard is dropped.
pub(crate) fn stops(cancel: &Cancel) -> Guard {
    INSTALLED.get_or_init(|| {
        // Without a handler Ctrl-C ends the process at once: the store survives that as well.
        let _ = ctrlc::set_handler(|| {
            let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match running {
                Some(cancel) if !cancel.is_cancelled() => cancel.cancel(),
                _ => std::process::exit(130),
            }
        });
    });
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some(cancel.clone());
    Guard
}

/// While it lives, Ctrl-C stops the work.
pub(crate) struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
