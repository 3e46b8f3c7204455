//! The one wasmtime engine of the process, and the clock that lets it stop a component.

use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use wasmtime::{Config, Engine};

/// How often a running component is asked whether its time is over.
const TICK: Duration = Duration::from_millis(10);
/// The stack of a component, in bytes. Less than a quarter of what a thread has.
pub(super) const STACK_BYTES_MAX: usize = 512 << 10;

/// The engine, and the clock that runs while a component does.
pub(super) struct Runtime {
    pub(super) engine: Engine,
    clock: Arc<Clock>,
}

/// Counts the components that run; the ticking thread sleeps while there is none.
#[derive(Default)]
struct Clock {
    running: Mutex<usize>,
    wake: Condvar,
}

/// Keeps the clock ticking while it lives.
pub(super) struct Ticking(Arc<Clock>);

impl Runtime {
    /// The engine, made at the first call in the process.
    pub(super) fn get() -> Result<&'static Runtime, String> {
        static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
        RUNTIME.get_or_init(|| Runtime::start().map_err(|e| format!("{e:#}"))).as_ref().map_err(Clone::clone)
    }

    fn start() -> wasmtime::Result<Runtime> {
        let mut config = Config::new();
        config.wasm_component_model(true);
        config.epoch_interruption(true);
        config.max_wasm_stack(STACK_BYTES_MAX);
        // The same inputs have to give the same digits on every machine.
        config.cranelift_nan_canonicalization(true);
        config.relaxed_simd_deterministic(true);
        let engine = Engine::new(&config)?;
        let clock = Arc::new(Clock::default());
        let (ticked, ticking) = (engine.clone(), Arc::clone(&clock));
        std::thread::Builder::new().name("kepi-plugin-clock".to_string()).spawn(move || ticking.tick(&ticked))?;
        Ok(Runtime { engine, clock })
    }

    /// Starts the clock, or keeps it going.
    pub(super) fn ticking(&self) -> Ticking {
        *self.clock.running.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.clock.wake.notify_one();
        Ticking(Arc::clone(&self.clock))
    }
}

impl Clock {
    fn tick(&self, engine: &Engine) {
        loop {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            drop(self.wake.wait_while(running, |running| *running == 0).unwrap_or_else(PoisonError::into_inner));
            std::thread::sleep(TICK);
            engine.increment_epoch();
        }
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        *self.0.running.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }
}
