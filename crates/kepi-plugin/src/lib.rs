//! Finds, checks, permits and runs plugins: wasm components and rhai scripts.
