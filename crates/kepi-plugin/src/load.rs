//! Making a plugin that was found usable under its alias.

use crate::manifest::{ManifestFunction, Provides, Runtime, is_name};
use crate::script::{Script, ScriptConnector, ScriptScalar};
use crate::wasm::{Component, WasmAggregate, WasmScalar};
use crate::{Found, PluginError, Settings};
use kepi_extension::{AggregateFunction, Connector, Functions, ScalarFunction};
use kepi_model::declared::{FunctionKind, Signature};
use std::sync::Arc;

/// A plugin that can be called. Nothing of it runs before its first call.
#[derive(Clone, Debug)]
pub struct Loaded {
    id: String,
    functions: Functions,
    connector: Option<Arc<dyn Connector>>,
}

impl Loaded {
    /// The id of the plugin.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The signatures of its functions by full name, such as `margins.margin_pct`: scalars first, each in order of name.
    pub fn signatures(&self) -> Vec<Signature> {
        let scalars = self.functions.scalars.values().map(|f| f.signature().clone());
        scalars.chain(self.functions.aggregates.values().map(|f| f.signature().clone())).collect()
    }

    /// Its functions by full name.
    pub fn functions(&self) -> Functions {
        self.functions.clone()
    }

    /// Its connector, if it is one.
    pub fn connector(&self) -> Option<Arc<dyn Connector>> {
        self.connector.clone()
    }
}

/// Makes a plugin usable as `alias`, reading no more than its manifest.
pub fn load(found: &Found, alias: &str, settings: &Settings) -> Result<Loaded, PluginError> {
    let unsupported = |what: String| Err(PluginError::Unsupported { id: found.manifest.id.clone(), what });
    if !is_name(alias) {
        return unsupported(format!("cannot be used as `{alias}`, which is no name"));
    }
    let full_name =
        |f: &ManifestFunction| Signature { name: format!("{alias}.{}", f.signature.name), ..f.signature.clone() };
    let mut functions = Functions::default();
    let mut connector: Option<Arc<dyn Connector>> = None;
    match found.manifest.runtime {
        Runtime::Wasm => {
            if found.manifest.offers(Provides::Connector) {
                return unsupported(
                    "is a connector made of wasm, which is not there yet; rhai connectors are".to_string(),
                );
            }
            let component = Arc::new(Component::new(found.clone(), settings.clone()));
            for function in &found.manifest.functions {
                let signature = full_name(function);
                let (name, own, component) = (signature.name.clone(), &function.signature.name, Arc::clone(&component));
                match signature.kind {
                    FunctionKind::Scalar => {
                        let scalar: Arc<dyn ScalarFunction> = Arc::new(WasmScalar::new(component, own, signature));
                        functions.scalars.insert(name, scalar);
                    }
                    FunctionKind::Aggregate => {
                        let aggregate: Arc<dyn AggregateFunction> =
                            Arc::new(WasmAggregate::new(component, own, signature));
                        functions.aggregates.insert(name, aggregate);
                    }
                    kind @ (FunctionKind::Model | FunctionKind::Series) => {
                        return unsupported(format!("has a {} made of wasm, which is not there yet", kind.word()));
                    }
                }
            }
        }
        // The services of the host run it; nothing of it is a plugin's code.
        Runtime::Rest => {}
        Runtime::Rhai => {
            let script = Arc::new(Script::new(found.clone(), settings.clone()));
            for function in &found.manifest.functions {
                let signature = full_name(function);
                if signature.kind != FunctionKind::Scalar {
                    let kind = signature.kind.word();
                    return unsupported(format!(
                        "has the {kind} `{}` in rhai, which is not there yet; scalar functions and connectors are",
                        function.signature.name
                    ));
                }
                let name = signature.name.clone();
                let scalar: Arc<dyn ScalarFunction> =
                    Arc::new(ScriptScalar::new(Arc::clone(&script), function, signature));
                functions.scalars.insert(name, scalar);
            }
            if found.manifest.offers(Provides::Connector) {
                connector = Some(Arc::new(ScriptConnector::new(script)));
            }
        }
    }
    Ok(Loaded { id: found.manifest.id.clone(), functions, connector })
}
