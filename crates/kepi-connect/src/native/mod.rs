//! Connectors that are compiled in, because no description or script could be one: databases and object stores.

mod keyset;
mod objects;
mod options;
mod postgres;
mod sqlite;

use kepi_extension::{Connector, ConnectorError, FunctionError};
use std::sync::Arc;
use std::time::Duration;

/// The connector that is compiled in for a plugin's id; none: there is none of that id.
pub fn native(id: &str) -> Option<Arc<dyn Connector>> {
    match id {
        objects::ID => Some(Arc::new(objects::Objects::default())),
        postgres::ID => Some(Arc::new(postgres::Postgres::default())),
        sqlite::ID => Some(Arc::new(sqlite::Sqlite)),
        _ => None,
    }
}

/// A mistake in the source's options: the user's to mend.
fn config_error(id: &str, message: impl Into<String>) -> ConnectorError {
    ConnectorError::Config { connector: id.to_string(), message: message.into() }
}

/// What failed, and will fail again.
fn failed(id: &str, message: impl Into<String>) -> ConnectorError {
    let function = "read".to_string();
    ConnectorError::Failed(FunctionError::Failed { plugin: id.to_string(), function, message: message.into() })
}

/// What may succeed later.
fn transient(id: &str, message: impl Into<String>, retry_after: Option<Duration>) -> ConnectorError {
    ConnectorError::Transient { connector: id.to_string(), message: message.into(), retry_after }
}
