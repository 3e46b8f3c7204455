//! A progress bar after one second, on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};
use kepi_engine::Progress;
use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const QUIET: Duration = Duration::from_secs(1);

/// The bar of one run; it goes when it is dropped.
pub(crate) struct Bar {
    started: Instant,
    on_terminal: bool,
    shown: RefCell<Option<ProgressBar>>,
}

impl Bar {
    /// Begins a run.
    pub(crate) fn new() -> Bar {
        Bar { started: Instant::now(), on_terminal: std::io::stderr().is_terminal(), shown: RefCell::new(None) }
    }

    /// Shows how far the run is, if it has taken long enough for somebody to wonder.
    pub(crate) fn show(&self, progress: &Progress) {
        if !self.on_terminal || self.started.elapsed() < QUIET {
            return;
        }
        let mut shown = self.shown.borrow_mut();
        let bar = shown.get_or_insert_with(|| ProgressBar::new(0).with_elapsed(self.started.elapsed()));
        let template = match progress.total {
            Some(_) => "{elapsed:>4} {bar:30} {percent:>3} % {msg}",
            None => "{elapsed:>4} {human_pos} {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_length(progress.total.unwrap_or(0));
        bar.set_message(kepi_view::inert(&progress.what).into_owned());
        bar.set_position(progress.done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.shown.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }
}
