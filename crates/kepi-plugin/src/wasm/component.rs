//! A component: compiled at the first call, compared with its manifest, and its idle instances.

use super::bindings::kepi::plugin::types::{DataType as WasmType, Error as PluginFault, Signature as Described};
use super::bindings::kepi::plugin::{clock, files, http, log, secrets};
use super::engine::Runtime;
use super::exports::Wanted;
use super::instance::{Instance, State};
use super::{cache, marshal};
use crate::Settings;
use crate::code::Code;
use crate::failure::{Failure, inert};
use crate::manifest::{Capabilities, Provides};
use kepi_model::declared::{FunctionKind, Returns, Signature};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use wasmtime::component::{HasSelf, InstancePre, Linker};

/// A component that may not have been started yet.
pub(crate) struct Component {
    code: Arc<Code>,
    pub(super) settings: Settings,
    ready: OnceLock<Result<Ready, Failure>>,
    idle: Mutex<Vec<Instance>>,
}

/// A compiled component that does what its manifest says.
struct Ready {
    runtime: &'static Runtime,
    instances: InstancePre<State>,
    wanted: Wanted,
    /// By own name; a plugin's functions share one list of names.
    shapes: BTreeMap<String, Shape>,
}

/// A function as the component itself describes it.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// What each parameter takes.
    pub(super) accepts: Vec<Vec<WasmType>>,
    /// Whether missing values are sent.
    pub(super) sees_missing: bool,
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component").field("id", &self.code.found.manifest.id).finish_non_exhaustive()
    }
}

impl Component {
    /// A component that is read and compiled at its first call.
    pub(crate) fn new(code: Arc<Code>, settings: Settings) -> Component {
        Component { code, settings, ready: OnceLock::new(), idle: Mutex::default() }
    }

    /// The id of the plugin.
    pub(super) fn id(&self) -> &str {
        &self.code.found.manifest.id
    }

    /// The shape of a function; compiles the component if that has not been done.
    pub(super) fn shape(&self, name: &str) -> Result<Shape, Failure> {
        let ready = self.ready()?;
        ready
            .shapes
            .get(name)
            .cloned()
            .ok_or_else(|| Failure::Failed(format!("the component has no function `{name}`")))
    }

    /// What the plugin asks for.
    pub(super) fn capabilities(&self) -> &Capabilities {
        &self.code.found.manifest.capabilities
    }

    /// An instance that nobody has used.
    pub(super) fn fresh(&self) -> Result<Instance, Failure> {
        let ready = self.ready()?;
        instantiate(ready.runtime, &ready.instances, &ready.wanted, self.id(), &self.settings)
    }

    /// An instance that nobody else uses.
    pub(super) fn take(&self) -> Result<Instance, Failure> {
        self.ready()?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| self.fresh(), Ok)
    }

    /// Gives an instance back. One that has trapped must be dropped instead: what it holds is not to be relied on. One
    /// that has taken much memory is dropped here, so that a component that leaks fails late or never.
    pub(super) fn give_back(&self, instance: Instance) {
        if instance.store.data().memory_bytes() > self.settings.limits.memory_bytes_max / 2 {
            return;
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
    }

    /// Calls into an instance, with full time. After a failure that is not the plugin's own answer the instance is gone.
    pub(super) fn call<R>(
        &self,
        instance: Instance,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<Result<R, PluginFault>>,
    ) -> (Option<Instance>, Result<R, Failure>) {
        match self.ready() {
            Ok(ready) => run(ready.runtime, instance, call),
            Err(failure) => (None, Err(failure)),
        }
    }

    /// The same for calls whose errors have words of their own.
    pub(super) fn call_any<R>(
        &self,
        instance: Instance,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<R>,
    ) -> (Option<Instance>, Result<R, Failure>) {
        match self.ready() {
            Ok(ready) => run_any(ready.runtime, instance, call),
            Err(failure) => (None, Err(failure)),
        }
    }

    fn ready(&self) -> Result<&Ready, Failure> {
        self.ready.get_or_init(|| self.prepare()).as_ref().map_err(Clone::clone)
    }

    fn prepare(&self) -> Result<Ready, Failure> {
        let span = tracing::debug_span!("prepare plugin", plugin = self.id());
        let _entered = span.enter();
        let runtime = Runtime::get().map_err(Failure::Failed)?;
        let wasm = self.code.bytes()?;
        if wasm.starts_with(b"\0asm\x01\0\0\0") {
            return Err(Failure::Failed("it is a core module, not a component".to_string()));
        }
        let unusable = |error: wasmtime::Error| {
            Failure::Failed(format!("it is no plugin of api 0.1: {}", inert(&format!("{error:#}"))))
        };
        let component = cache::compile(&runtime.engine, wasm, self.settings.cache.as_deref()).map_err(unusable)?;
        let mut linker: Linker<State> = Linker::new(&runtime.engine);
        log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(unusable)?;
        if self.code.found.manifest.offers(Provides::Connector) {
            clock::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(unusable)?;
            files::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(unusable)?;
            http::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(unusable)?;
            secrets::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(unusable)?;
        }
        // WASI and whatever else it was built with: it may be imported, but not called.
        linker.define_unknown_imports_as_traps(&component).map_err(unusable)?;
        let instances = linker.instantiate_pre(&component).map_err(unusable)?;
        let wanted = Wanted::find(&self.code.found.manifest, &instances).map_err(unusable)?;
        let instance = instantiate(runtime, &instances, &wanted, self.id(), &self.settings)?;
        let manifest = &self.code.found.manifest;
        let (instance, described) = run(runtime, instance, |i| {
            let mut described: BTreeMap<FunctionKind, Vec<Described>> = BTreeMap::new();
            if manifest.offers(Provides::Scalar) {
                described.insert(FunctionKind::Scalar, i.exports.functions()?.call_list_scalars(&mut i.store)?);
            }
            if manifest.offers(Provides::Aggregate) {
                described.insert(FunctionKind::Aggregate, i.exports.functions()?.call_list_aggregates(&mut i.store)?);
            }
            if manifest.offers(Provides::Model) {
                described.insert(FunctionKind::Model, i.exports.models()?.call_list_models(&mut i.store)?);
            }
            if manifest.offers(Provides::Series) {
                described.insert(FunctionKind::Series, i.exports.series()?.call_list_series(&mut i.store)?);
            }
            Ok(Ok(described))
        });
        let described = described?;
        if let Some(instance) = instance {
            self.give_back(instance);
        }
        let declared = manifest.functions.iter().map(|f| &f.signature);
        let shapes = declared.map(|s| {
            let described = described.get(&s.kind).map(Vec::as_slice).unwrap_or_default();
            Ok((s.name.clone(), compare(s, described)?))
        });
        let shapes = shapes.collect::<Result<BTreeMap<String, Shape>, String>>();
        let unlike = |what: String| Failure::Failed(format!("kepi-plugin.toml and the component differ: {what}"));
        Ok(Ready { runtime, instances, wanted, shapes: shapes.map_err(unlike)? })
    }
}

fn instantiate(
    runtime: &Runtime,
    instances: &InstancePre<State>,
    wanted: &Wanted,
    plugin: &str,
    settings: &Settings,
) -> Result<Instance, Failure> {
    let _ticking = runtime.ticking();
    let mut store = State::store(runtime, plugin, settings);
    let exports = instances.instantiate(&mut store).and_then(|instance| wanted.load(&mut store, &instance));
    match exports {
        Ok(exports) => Ok(Instance { store, exports }),
        Err(error) => Err(store.data().explain(&error)),
    }
}

fn run<R>(
    runtime: &Runtime,
    instance: Instance,
    call: impl FnOnce(&mut Instance) -> wasmtime::Result<Result<R, PluginFault>>,
) -> (Option<Instance>, Result<R, Failure>) {
    let (instance, answer) = run_any(runtime, instance, call);
    let answer = answer.and_then(|answer| {
        answer.map_err(|fault| match fault {
            PluginFault::BadArgument(message) => Failure::Argument(inert(&message)),
            PluginFault::Failed(message) => Failure::Failed(inert(&message)),
        })
    });
    (instance, answer)
}

fn run_any<R>(
    runtime: &Runtime,
    mut instance: Instance,
    call: impl FnOnce(&mut Instance) -> wasmtime::Result<R>,
) -> (Option<Instance>, Result<R, Failure>) {
    let _ticking = runtime.ticking();
    instance.store.data_mut().begin();
    let answer = call(&mut instance);
    // Whoever answers the host's calls waits until nobody can ask any more.
    instance.store.data_mut().services = None;
    match answer {
        Ok(answer) => (Some(instance), Ok(answer)),
        Err(error) => (None, Err(instance.store.data().explain(&error))),
    }
}

/// Compares what the manifest says of a function with what the component says.
fn compare(declared: &Signature, described: &[Described]) -> Result<Shape, String> {
    let name = &declared.name;
    let own = described.iter().find(|s| s.name == *name).ok_or_else(|| format!("the component has no `{name}`"))?;
    // A model is handed its entities as numbers, not as an argument.
    let parameters = &declared.parameters[usize::from(declared.kind == FunctionKind::Model)..];
    let (here, there): (Vec<&str>, Vec<&str>) =
        (parameters.iter().map(|p| p.name.as_str()).collect(), own.params.iter().map(|p| p.name.as_str()).collect());
    if here != there {
        return Err(format!(
            "`{name}` has the parameters ({}) here and ({}) there",
            here.join(", "),
            inert(&there.join(", "))
        ));
    }
    for (parameter, own) in parameters.iter().zip(&own.params) {
        if parameter.optional != own.optional {
            return Err(format!("`{}` of `{name}` is optional in only one of them", parameter.name));
        }
        if let Some(kind) = parameter.accepts.iter().find(|kind| !marshal::takes(&own.accepts, kind)) {
            return Err(format!("`{}` of `{name}` does not take {kind}", parameter.name));
        }
    }
    let returns_same = match (&declared.returns, own.returns) {
        (Returns::Unit(unit), Some(returned)) => marshal::gives(returned, &unit.kind),
        (Returns::SameAs(0), None) => declared.kind != FunctionKind::Model,
        // A series is floats in both directions, also one of counts.
        (Returns::SameAs(_), Some(returned)) if declared.kind == FunctionKind::Series => returned == WasmType::Float,
        // What the component gives is of the parameter's type.
        (Returns::SameAs(index), Some(returned)) => {
            declared.parameters[*index].accepts.iter().all(|kind| marshal::gives(returned, kind))
        }
        _ => false,
    };
    if !returns_same {
        return Err(format!("`{name}` does not return the same"));
    }
    Ok(Shape { accepts: own.params.iter().map(|p| p.accepts.clone()).collect(), sees_missing: own.sees_missing })
}
