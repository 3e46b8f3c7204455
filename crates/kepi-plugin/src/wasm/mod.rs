//! Plugins that are WebAssembly components.

mod aggregate;
mod bindings;
mod cache;
mod component;
mod engine;
mod exports;
mod instance;
mod marshal;
mod scalar;

pub(crate) use aggregate::WasmAggregate;
pub(crate) use component::Component;
pub(crate) use scalar::WasmScalar;
