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
