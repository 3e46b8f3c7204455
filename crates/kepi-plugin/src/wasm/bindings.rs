//! The contract `plugins/wit/v0.1` as Rust types.

#![allow(missing_docs, unreachable_pub)] // Generated; the WIT file says what everything is.

wasmtime::component::bindgen!({
    path: "../../plugins/wit/v0.1",
    world: "functions-plugin",
    imports: { default: trappable },
});
