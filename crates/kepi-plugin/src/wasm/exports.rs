//! Which interfaces of the contract a component exports: only those that its manifest promises are looked for.

use super::bindings::exports::kepi::plugin::{functions, models, series, source};
use crate::manifest::{Manifest, Provides};
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{AsContextMut, Error};

/// Where the promised interfaces are found in each instance.
#[derive(Clone)]
pub(super) struct Wanted {
    functions: Option<functions::GuestIndices>,
    models: Option<models::GuestIndices>,
    series: Option<series::GuestIndices>,
    source: Option<source::GuestIndices>,
}

/// The promised interfaces of one instance.
pub(super) struct Exports {
    functions: Option<functions::Guest>,
    models: Option<models::Guest>,
    series: Option<series::Guest>,
    source: Option<source::Guest>,
}

impl Wanted {
    /// Finds what the manifest promises; an interface that is not there is an error that names it.
    pub(super) fn find<T>(manifest: &Manifest, component: &InstancePre<T>) -> wasmtime::Result<Wanted> {
        let has = |what| manifest.offers(what);
        Ok(Wanted {
            functions: if has(Provides::Scalar) || has(Provides::Aggregate) {
                Some(functions::GuestIndices::new(component)?)
            } else {
                None
            },
            models: if has(Provides::Model) { Some(models::GuestIndices::new(component)?) } else { None },
            series: if has(Provides::Series) { Some(series::GuestIndices::new(component)?) } else { None },
            source: if has(Provides::Connector) { Some(source::GuestIndices::new(component)?) } else { None },
        })
    }

    /// The interfaces of an instance.
    pub(super) fn load(&self, mut store: impl AsContextMut, instance: &Instance) -> wasmtime::Result<Exports> {
        Ok(Exports {
            functions: self.functions.as_ref().map(|i| i.load(&mut store, instance)).transpose()?,
            models: self.models.as_ref().map(|i| i.load(&mut store, instance)).transpose()?,
            series: self.series.as_ref().map(|i| i.load(&mut store, instance)).transpose()?,
            source: self.source.as_ref().map(|i| i.load(&mut store, instance)).transpose()?,
        })
    }
}

impl Exports {
    /// Functions of rows and of groups of rows.
    pub(super) fn functions(&self) -> wasmtime::Result<&functions::Guest> {
        self.functions.as_ref().ok_or_else(|| unpromised("functions"))
    }

    /// Models.
    pub(super) fn models(&self) -> wasmtime::Result<&models::Guest> {
        self.models.as_ref().ok_or_else(|| unpromised("models"))
    }

    /// Series.
    pub(super) fn series(&self) -> wasmtime::Result<&series::Guest> {
        self.series.as_ref().ok_or_else(|| unpromised("series"))
    }

    /// A connector.
    pub(super) fn source(&self) -> wasmtime::Result<&source::Guest> {
        self.source.as_ref().ok_or_else(|| unpromised("source"))
    }
}

fn unpromised(what: &str) -> Error {
    Error::msg(format!("kepi-plugin.toml does not promise what the interface `{what}` is for"))
}
