//! Plugins that are rhai scripts.

mod aggregate;
mod columns;
mod connector;
mod context;
mod engine;
mod json;
mod keyset;
mod network;
mod scalar;
mod series;
mod service;
mod values;

pub(crate) use aggregate::ScriptAggregate;
pub(crate) use connector::ScriptConnector;
pub(crate) use scalar::ScriptScalar;
pub(crate) use series::ScriptSeries;
pub use service::{ImitatedService, Select};

use crate::Settings;
use crate::code::Code;
use crate::failure::Failure;
use context::Context;
use kepi_extension::ConnectorHost;
use kepi_model::declared::FunctionKind;
use rhai::{AST, CallFnOptions, Dynamic, Engine, Scope};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The longest script, in bytes.
const SCRIPT_BYTES_MAX: usize = 1 << 20;

/// A script that may not have been read yet. Its engine is shared by all its calls, which may come from any thread.
pub(crate) struct Script {
    code: Arc<Code>,
    settings: Settings,
    ready: OnceLock<Result<Ready, Failure>>,
}

/// A script that has been parsed and has what its manifest names.
struct Ready {
    engine: Engine,
    ast: AST,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("id", &self.code.found.manifest.id).finish_non_exhaustive()
    }
}

/// A function of a script, ready to be called many times on the script's thread.
pub(super) struct Callable<'a> {
    script: &'a Script,
    ready: &'a Ready,
    name: &'a str,
}

impl Script {
    /// A script that is read and parsed at its first call.
    pub(crate) fn new(code: Arc<Code>, settings: Settings) -> Script {
        Script { code, settings, ready: OnceLock::new() }
    }

    /// The id of the plugin.
    fn id(&self) -> &str {
        &self.code.found.manifest.id
    }

    /// Runs `body` with a function of the script, on a thread of its own and within the limits.
    fn run<R: Send>(
        &self,
        name: &str,
        host: Option<&dyn ConnectorHost>,
        body: impl FnOnce(Callable<'_>) -> Result<R, Failure> + Send,
    ) -> Result<R, Failure> {
        let files = self.code.found.manifest.capabilities.files.is_some();
        let context = Context::new(self.id(), &self.settings, files);
        context::on_script_thread(context, host, || {
            let ready = self.ready.get_or_init(|| self.prepare()).as_ref().map_err(Clone::clone)?;
            body(Callable { script: self, ready, name })
        })
    }

    fn prepare(&self) -> Result<Ready, Failure> {
        let file = &self.code.found.manifest.file;
        let bytes = self.code.bytes()?;
        if bytes.len() > SCRIPT_BYTES_MAX {
            return Err(Failure::Failed(format!("{file} is longer than {} MiB", SCRIPT_BYTES_MAX >> 20)));
        }
        let text = str::from_utf8(bytes).map_err(|_| Failure::Failed(format!("{file} is no UTF-8 text")))?;
        let engine = engine::build(&self.settings.limits);
        let ast = engine.compile(text).map_err(|error| {
            let place = error.position();
            Failure::Failed(format!(
                "{file}{}: {}",
                engine::place(place),
                crate::failure::inert(&error.err_type().to_string())
            ))
        })?;
        let there = |name: &str, count: usize| ast.iter_functions().any(|f| f.name == name && f.params.len() == count);
        let lacks = |call: String| {
            Err(Failure::Failed(format!("{file} has no function {call}, which kepi-plugin.toml promises")))
        };
        for function in &self.code.found.manifest.functions {
            let signature = &function.signature;
            let mut names: Vec<&str> = signature.parameters.iter().map(|p| p.name.as_str()).collect();
            if signature.kind == FunctionKind::Series {
                names.splice(1..1, ["season", "wanted"]);
            }
            if !there(&signature.name, names.len()) {
                return lacks(format!("{}({})", signature.name, names.join(", ")));
            }
        }
        if self.code.found.manifest.offers(crate::Provides::Connector) {
            for (name, parameters) in [("streams", ""), ("read", "request")] {
                if !there(name, usize::from(!parameters.is_empty())) {
                    return lacks(format!("{name}({parameters})"));
                }
            }
        }
        Ok(Ready { engine, ast })
    }
}

impl Callable<'_> {
    /// Whether the script has the function, with so many parameters.
    pub(super) fn is_there(&self, count: usize) -> bool {
        self.ready.ast.iter_functions().any(|f| f.name == self.name && f.params.len() == count)
    }

    /// Calls the function.
    pub(super) fn call(&self, arguments: Vec<Dynamic>) -> Result<Dynamic, Failure> {
        let options = CallFnOptions::new().eval_ast(false);
        let mut scope = Scope::new();
        let answer = self.ready.engine.call_fn_with_options(options, &mut scope, &self.ready.ast, self.name, arguments);
        answer.map_err(|error| {
            engine::explain(&error, &self.script.code.found.manifest.file, &self.script.settings.limits)
        })
    }
}

#[cfg(test)]
mod tests;
