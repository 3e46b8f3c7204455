//! The contract `plugins/wit/v0.1` as Rust types.

#![allow(missing_docs, unreachable_pub)] // Generated; the WIT file says what everything is.

wasmtime::component::bindgen!({
    path: "../../plugins/wit/v0.1",
    // All that the host offers and may call. A component imports and exports a part of it, in a world of its own.
    inline: "
        package kepi:host;

        world host {
            import kepi:plugin/log@0.1.0;
            import kepi:plugin/clock@0.1.0;
            import kepi:plugin/files@0.1.0;
            import kepi:plugin/http@0.1.0;
            import kepi:plugin/secrets@0.1.0;
            export kepi:plugin/functions@0.1.0;
            export kepi:plugin/models@0.1.0;
            export kepi:plugin/series@0.1.0;
            export kepi:plugin/source@0.1.0;
        }
    ",
    world: "kepi:host/host",
    imports: { default: trappable },
});
