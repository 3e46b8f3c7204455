//! Ends running calls of plugins when a request is cancelled or late: only between batches does a query look itself.

use crate::plugins::Plugins;
use kepi_exec::Cancel;
use kepi_plugin::Stop;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the request is looked at.
const EVERY: Duration = Duration::from_millis(10);

/// Watches a request for as long as it lives; without plugins there is nothing to watch.
#[derive(Debug)]
pub(crate) struct Watch {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Watch {
    pub(crate) fn over(plugins: &Plugins, cancel: &Cancel) -> Watch {
        if !plugins.are_used() {
            return Watch { running: None };
        }
        let (done, ended) = channel();
        let (stop, cancel): (Stop, Cancel) = (plugins.stop.clone(), cancel.clone());
        let look = move || {
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                if cancel.is_cancelled() || cancel.is_late() {
                    return stop.stop();
                }
            }
        };
        // Without a thread the plugin's own time limit ends the call.
        let watcher = std::thread::Builder::new().name("kepi-watch".to_string()).spawn(look);
        Watch { running: watcher.ok().map(|watcher| (done, watcher)) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some((done, watcher)) = self.running.take() {
            drop(done);
            // It has nothing to say, and cannot panic.
            let _ = watcher.join();
        }
    }
}
