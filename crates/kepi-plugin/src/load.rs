//! Making a plugin that was found usable under its alias.

use crate::code::Code;
use crate::manifest::{ManifestFunction, Provides, Runtime, is_name};
use crate::model::ModelAggregate;
use crate::script::{Script, ScriptAggregate, ScriptConnector, ScriptScalar, ScriptSeries};
use crate::wasm::{Component, WasmAggregate, WasmConnector, WasmModel, WasmScalar, WasmSeries};
use crate::{Found, PluginError, Settings};
use kepi_extension::{
    AggregateFunction, Connector, Contents, Functions, ModelFunction, ScalarFunction, SeriesFunction,
};
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

    /// The signatures of its functions by full name, such as `margins.margin_pct`: scalars first, then those of rows together, then series.
    pub fn signatures(&self) -> Vec<Signature> {
        let scalars = self.functions.scalars.values().map(|f| f.signature().clone());
        // A model is among the aggregates too.
        let aggregates = self.functions.aggregates.values().map(|f| f.signature().clone());
        let series = self.functions.series.values().map(|f| f.signature().clone());
        scalars.chain(aggregates).chain(series).collect()
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
    let code = Arc::new(Code::of(found));
    for function in &found.manifest.functions {
        let contents: Arc<dyn Contents> = Arc::clone(&code) as Arc<dyn Contents>;
        functions.contents.insert(full_name(function).name, contents);
    }
    let mut connector: Option<Arc<dyn Connector>> = None;
    match found.manifest.runtime {
        Runtime::Wasm => {
            let component = Arc::new(Component::new(Arc::clone(&code), settings.clone()));
            if found.manifest.offers(Provides::Connector) {
                connector = Some(Arc::new(WasmConnector::new(Arc::clone(&component))));
            }
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
                    FunctionKind::Model => {
                        let model: Arc<dyn ModelFunction> = Arc::new(WasmModel::new(component, own, signature));
                        let bytes_max = settings.limits.gathered_bytes_max;
                        let id = &found.manifest.id;
                        let aggregate = ModelAggregate::new(Arc::clone(&model), id, bytes_max);
                        functions.aggregates.insert(name.clone(), Arc::new(aggregate));
                        functions.models.insert(name, model);
                    }
                    FunctionKind::Series => {
                        let series: Arc<dyn SeriesFunction> = Arc::new(WasmSeries::new(component, own, signature));
                        functions.series.insert(name, series);
                    }
                }
            }
        }
        // The host itself runs it; nothing of it is a plugin's code.
        Runtime::Rest => {}
        Runtime::Native if found.is_shipped() => {}
        Runtime::Native => {
            return unsupported("has the runtime \"native\", which is for what is compiled into kepi".to_string());
        }
        Runtime::Rhai => {
            let script = Arc::new(Script::new(Arc::clone(&code), settings.clone()));
            for function in &found.manifest.functions {
                let signature = full_name(function);
                let (name, script) = (signature.name.clone(), Arc::clone(&script));
                match signature.kind {
                    FunctionKind::Scalar => {
                        let scalar: Arc<dyn ScalarFunction> = Arc::new(ScriptScalar::new(script, function, signature));
                        functions.scalars.insert(name, scalar);
                    }
                    FunctionKind::Aggregate if function.sees_missing => {
                        let name = &function.signature.name;
                        let what =
                            format!("has the aggregate `{name}` with sees_missing, which a script's cannot have");
                        return unsupported(what);
                    }
                    FunctionKind::Aggregate => {
                        let aggregate = ScriptAggregate::new(script, function, signature);
                        functions.aggregates.insert(name, Arc::new(aggregate));
                    }
                    FunctionKind::Series => {
                        let series: Arc<dyn SeriesFunction> = Arc::new(ScriptSeries::new(script, function, signature));
                        functions.series.insert(name, series);
                    }
                    FunctionKind::Model => {
                        return unsupported(format!(
                            "has the model `{}` in rhai, which would be too slow to fit: write it as a component",
                            function.signature.name
                        ));
                    }
                }
            }
            if found.manifest.offers(Provides::Connector) {
                connector = Some(Arc::new(ScriptConnector::new(script)));
            }
        }
    }
    Ok(Loaded { id: found.manifest.id.clone(), functions, connector })
}
