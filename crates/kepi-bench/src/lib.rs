//! Generated events and timed questions, beside other engines.
//!
//! `generate` writes the events of a made-up shop, the same on every machine, with a kepi project that maps them.
//! `compare` loads them into kepi and into DuckDB, checks that both give the same answers, and only then times both.

mod alone;
mod answer;
mod arrange;
mod civil;
mod clickhouse;
mod cold;
mod compare;
mod dice;
mod driver;
mod duckdb;
mod error;
mod figures;
mod floor;
mod generate;
mod goals;
mod kepi;
mod plugins;
mod project;
mod questions;
mod report;
mod shop;
mod streams;
mod table;

pub use alone::Alone;
pub use answer::Answer;
pub use arrange::Arrangement;
pub use clickhouse::has_clickhouse;
pub use compare::{CompareOptions, compare};
pub use duckdb::python_with_duckdb;
pub use error::BenchError;
pub use figures::{FigureOptions, figures};
pub use floor::Floor;
pub use generate::{GenerateOptions, Generated, generate};
pub use kepi::ask;
pub use plugins::{PluginOptions, plugins};
pub use questions::{Comparison, FAMILIES, Family, GOALS, Goal, Question};
pub use report::Report;
pub use streams::STREAMS;
pub use table::Format;
