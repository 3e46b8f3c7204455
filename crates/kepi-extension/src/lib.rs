//! The seam between the workers: who implements what another one uses, in Arrow and kepi types.
//!
//! `kepi-store` implements [`EventScan`], `kepi-exec` uses it, neither knows the other. `kepi-plugin` implements
//! [`ScalarFunction`], [`AggregateFunction`] and [`Connector`].

mod connector;
mod function;
mod scan;

pub use connector::{Connector, ConnectorHost, Page, PageRequest};
pub use function::{Accumulator, AggregateFunction, FunctionError, Functions, ScalarFunction};
pub use scan::{
    AT, Attribute, Batches, ColumnInfo, ColumnKind, EntityInfo, EventScan, ID, ScanError, ScanRequest, StreamInfo,
};
