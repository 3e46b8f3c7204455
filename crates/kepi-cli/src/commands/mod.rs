//! The commands, a file each.

pub(crate) mod asked;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod describe;
mod describe_fits;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod init;
pub(crate) mod lineage;
pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod man;
pub(crate) mod plugin;
pub(crate) mod query;
pub(crate) mod report;
pub(crate) mod store;
pub(crate) mod sync;
pub(crate) mod target;
pub(crate) mod test;
