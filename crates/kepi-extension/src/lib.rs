//! The seam between the workers: who implements what another one uses, in Arrow and kepi types.
//!
//! `kepi-store` implements [`EventScan`], `kepi-exec` uses it, neither knows the other. `kepi-plugin` implements
//! [`ScalarFunction`], [`AggregateFunction`], [`ModelFunction`], [`SeriesFunction`] and [`Connector`]; what a connector may
//! ask of its host, [`ConnectorHost`], is put together by `kepi-engine` from the host services of `kepi-connect`.

mod connector;
mod contents;
mod derived;
mod function;
mod http;
mod learned;
mod partials;
mod scan;

pub use connector::{Connector, ConnectorError, ConnectorHost, Page, PageRequest, StreamField, StreamShape};
pub use contents::Contents;
pub use derived::Derived;
pub use function::{Accumulator, AggregateFunction, FunctionError, Functions, ScalarFunction, Told};
pub use http::{HttpError, HttpRequest, HttpResponse};
pub use learned::{Fitted, ModelFunction, ModelTable, SeriesFunction};
pub use partials::{Partials, SegmentInfo, Stored};
pub use scan::{
    AT, Attribute, Batches, ColumnInfo, ColumnKind, EntityInfo, EventScan, ID, ScanError, ScanRequest, StreamInfo,
};
