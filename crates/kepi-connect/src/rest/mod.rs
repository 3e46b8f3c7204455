//! Connectors without code: a TOML file describes a web service, and this reads it page by page.
//!
//! [`Definition`] is the file, read and checked. [`RestConnector`] does what it says: it fills templates, asks its host
//! for the page, finds the records in the answer, and tells by plain functions ([`paginate`]) what comes next.
//!
//! Where a run stands is a small JSON object ([`state`]): the window of time that is read, the page in it, the windows
//! that are still to come. It is all that a page needs, so a page can be asked for again after a crash.

mod ask;
mod connector;
mod definition;
mod page;
mod paginate;
mod path;
mod render;
mod run;
mod state;
mod template;
#[cfg(test)]
mod tests;
mod written;

pub use connector::RestConnector;
pub use definition::{Definition, DefinitionError};
