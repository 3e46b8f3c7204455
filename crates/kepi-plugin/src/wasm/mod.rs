//! Plugins that are WebAssembly components.

mod aggregate;
mod bindings;
mod cache;
mod component;
mod connector;
mod engine;
mod exports;
mod instance;
mod learned;
mod marshal;
mod scalar;
mod services;

pub(crate) use aggregate::WasmAggregate;
pub(crate) use component::Component;
pub(crate) use connector::WasmConnector;
pub(crate) use learned::{WasmModel, WasmSeries};
pub(crate) use scalar::WasmScalar;

/// Makes a component of a core module that was built against the contract. The error says what it lacks.
pub fn core_to_component(core: &[u8]) -> Result<Vec<u8>, String> {
    let encoder = wit_component::ComponentEncoder::default().validate(true).module(core);
    encoder.and_then(|mut encoder| encoder.encode()).map_err(|error| format!("{error:#}"))
}
