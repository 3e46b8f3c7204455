//! One instance of a component: its memory and time, and what its end means.

use super::bindings::kepi::plugin::log;
use super::engine::{Runtime, STACK_BYTES_MAX};
use super::exports::Exports;
use super::services::Services;
use crate::failure::{Failure, inert};
use crate::settings::{Limits, Settings, Stop, bytes_in_words};
use std::time::{Duration, Instant};
use wasmtime::{ResourceLimiter, Store, Trap, UpdateDeadline};

/// The tables of a component may have this many entries.
const TABLE_ENTRIES_MAX: usize = 100_000;
/// The epoch says nothing before this many ticks; the callback then looks at the clock.
const TICKS: u64 = 1;

/// A started component.
pub(super) struct Instance {
    pub(super) store: Store<State>,
    pub(super) exports: Exports,
}

/// What the host knows of an instance.
pub(super) struct State {
    plugin: String,
    limits: Limits,
    stop: Stop,
    memory_bytes: usize,
    memory_refused: bool,
    host_calls: u32,
    last_error: Option<String>,
    deadline: Instant,
    /// The way to the host of a connector, while a call of it runs.
    pub(super) services: Option<Services>,
    /// What it was told in confidence.
    secrets: Vec<String>,
}

/// A limit that the host itself found to be passed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Exceeded {
    #[error("time")]
    Time,
    #[error("host calls")]
    HostCalls,
    #[error("stopped")]
    Stopped,
}

impl State {
    /// A store for one instance, with all its limits.
    pub(super) fn store(runtime: &Runtime, plugin: &str, settings: &Settings) -> Store<State> {
        let state = State {
            plugin: plugin.to_string(),
            limits: settings.limits.clone(),
            stop: settings.stop.clone(),
            memory_bytes: 0,
            memory_refused: false,
            host_calls: 0,
            last_error: None,
            deadline: Instant::now() + settings.limits.wall_time_max,
            services: None,
            secrets: Vec::new(),
        };
        let mut store = Store::new(&runtime.engine, state);
        store.limiter(|state| state);
        store.set_hostcall_fuel(settings.limits.answer_bytes_max);
        store.set_epoch_deadline(TICKS);
        store.epoch_deadline_callback(|context| {
            let state = context.data();
            if state.stop.is_stopped() {
                return Err(wasmtime::Error::new(Exceeded::Stopped));
            }
            if Instant::now() >= state.deadline {
                return Err(wasmtime::Error::new(Exceeded::Time));
            }
            Ok(UpdateDeadline::Continue(TICKS))
        });
        store
    }

    /// Gives the next call its full time and host calls.
    pub(super) fn begin(&mut self) {
        self.deadline = Instant::now() + self.limits.wall_time_max;
        self.host_calls = 0;
        self.memory_refused = false;
        self.last_error = None;
    }

    /// Counts a call of the host.
    pub(super) fn calls_host(&mut self) -> wasmtime::Result<()> {
        self.host_calls += 1;
        if self.host_calls > self.limits.host_calls_max {
            return Err(wasmtime::Error::new(Exceeded::HostCalls));
        }
        Ok(())
    }

    /// Gives back the time for which the host let it wait.
    pub(super) fn waited(&mut self, time: Duration) {
        self.deadline += time;
    }

    /// Remembers what must not be shown.
    pub(super) fn keep_secret(&mut self, secret: &str) {
        if !secret.is_empty() && !self.secrets.iter().any(|known| known == secret) {
            self.secrets.push(secret.to_string());
        }
    }

    /// A text with `***` where a secret stood.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_string(), |text, secret| text.replace(secret, "***"))
    }

    /// How much memory the instance has taken.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Says in words why an instance ended.
    pub(super) fn explain(&self, error: &wasmtime::Error) -> Failure {
        match error.downcast_ref::<Exceeded>() {
            Some(Exceeded::Time) => return Failure::Limit(self.limits.time_in_words()),
            Some(Exceeded::HostCalls) => {
                return Failure::Limit(format!("{} calls of its host", self.limits.host_calls_max));
            }
            Some(Exceeded::Stopped) => return Failure::Failed("it was stopped".to_string()),
            None => {}
        }
        let trap = error.downcast_ref::<Trap>();
        // A Rust guest that gets no memory panics or traps: both look like a bug of its own.
        if self.memory_refused {
            return Failure::Limit(format!("{} of memory", bytes_in_words(self.limits.memory_bytes_max)));
        }
        if trap == Some(&Trap::StackOverflow) {
            return Failure::Limit(format!("{} of stack", bytes_in_words(STACK_BYTES_MAX)));
        }
        let root = error.root_cause().to_string();
        if root.contains("fuel allocated for hostcalls has been exhausted") {
            return Failure::Limit(format!("{} for an answer", bytes_in_words(self.limits.answer_bytes_max)));
        }
        if let Some(import) = root.strip_prefix("unknown import: ").and_then(|rest| rest.split(" has not").next()) {
            return Failure::Failed(format!("it calls {}, which kepi does not offer", inert(import)));
        }
        match (&self.last_error, trap) {
            (Some(message), Some(Trap::UnreachableCodeReached)) => {
                Failure::Failed(inert(&self.without_secrets(message)))
            }
            (None, Some(Trap::UnreachableCodeReached)) => Failure::Failed("it panicked without a message".to_string()),
            (_, Some(trap)) => Failure::Failed(format!("it trapped: {trap}")),
            (_, None) => Failure::Failed(inert(&root)),
        }
    }
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let all = self.memory_bytes + desired.saturating_sub(current);
        if all > self.limits.memory_bytes_max {
            self.memory_refused = true;
            return Ok(false);
        }
        self.memory_bytes = all;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ENTRIES_MAX)
    }
}

impl log::Host for State {
    fn write(&mut self, level: String, message: String) -> wasmtime::Result<()> {
        self.calls_host()?;
        let (plugin, text) = (self.plugin.as_str(), inert(&self.without_secrets(&message)));
        if let Some(services) = &self.services {
            services.log(&text);
        }
        match level.as_str() {
            "error" => {
                tracing::error!(plugin, "{text}");
                self.last_error = Some(message);
            }
            "warn" => tracing::warn!(plugin, "{text}"),
            "debug" => tracing::debug!(plugin, "{text}"),
            "trace" => tracing::trace!(plugin, "{text}"),
            _ => tracing::info!(plugin, "{text}"),
        }
        Ok(())
    }
}

impl super::bindings::kepi::plugin::types::Host for State {}
