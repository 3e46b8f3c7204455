//! The plugins that `kepi plugin new --lang rust` begins: they compile, and their own tests hold.

#![allow(clippy::unwrap_used, missing_docs)] // They are written for authors.

#[path = "../../kepi-engine/src/scaffold/templates/aggregate.rs"]
mod aggregate;
#[path = "../../kepi-engine/src/scaffold/templates/connector.rs"]
mod connector;
#[path = "../../kepi-engine/src/scaffold/templates/model.rs"]
mod model;
#[path = "../../kepi-engine/src/scaffold/templates/scalar.rs"]
mod scalar;
#[path = "../../kepi-engine/src/scaffold/templates/series.rs"]
mod series;
