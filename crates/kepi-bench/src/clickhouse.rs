//! ClickHouse's side, for the questions for which it has functions of its own: as the library that its Python package
//! brings, on tables of its own format.

use crate::driver::{Driver, Package, Rows};
use crate::error::BenchError;
use crate::questions::{Question, in_clickhouse};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Its Python package.
pub(crate) const CLICKHOUSE: Package = Package {
    engine: "ClickHouse",
    package: "chdb",
    environment: "clickhouse-venv",
    script: include_str!("drivers/clickhouse.py"),
};

/// Whether a Python has ClickHouse's package.
pub fn has_clickhouse(python: &Path) -> bool {
    CLICKHOUSE.is_in(python)
}

/// A running ClickHouse with the events in it.
#[derive(Debug)]
pub(crate) struct ClickHouse {
    driver: Driver,
    /// Its version.
    pub(crate) version: String,
}

impl ClickHouse {
    /// Starts it, and loads the streams' Parquet files. A row's table is in order of customers, then of time, which is
    /// the better one for most of the questions; texts of which there are few are dictionaries.
    pub(crate) fn start(
        folder: &Path,
        python: &Path,
        streams: &[&str],
        threads: usize,
        progress: &dyn Fn(&str),
    ) -> Result<ClickHouse, BenchError> {
        let mut driver = Driver::start(CLICKHOUSE, python)?;
        let database = folder.join("clickhouse");
        if database.exists() {
            fs::remove_dir_all(&database).map_err(BenchError::io(&database))?;
        }
        driver.open(&database, threads)?;
        progress("loading everything into ClickHouse");
        for (stream, order, few) in TABLES.iter().filter(|(stream, ..)| streams.contains(stream)) {
            let path = folder.join("data").join(format!("{stream}.parquet")).display().to_string().replace('\'', "''");
            let few: Vec<String> = few.iter().map(|column| format!("toLowCardinality({column}) as {column}")).collect();
            let few = if few.is_empty() { String::new() } else { format!("replace ({})", few.join(", ")) };
            driver.run(&format!(
                "create table {stream} engine = MergeTree order by ({order}) as select * {few} from file('{path}')"
            ))?;
            driver.run(&format!("optimize table {stream} final"))?;
        }
        Ok(ClickHouse { version: driver.version()?, driver })
    }

    /// Asks a question, where it has a text for ClickHouse.
    pub(crate) fn ask(&mut self, question: &Question) -> Result<Option<(Rows, Duration)>, BenchError> {
        let Some(sql) = in_clickhouse(question.title) else { return Ok(None) };
        let about = |error| match error {
            BenchError::Engine(engine, reason) => BenchError::Engine(engine, format!("{}: {reason}", question.title)),
            other => other,
        };
        self.driver.run(sql).map(Some).map_err(about)
    }
}

/// The streams with the order of their rows, and their columns of few texts.
const TABLES: [(&str, &str, &[&str]); 5] = [
    ("signups", "customer, joined", &["channel", "country", "plan"]),
    ("visits", "customer, visited", &["page"]),
    ("purchases", "customer, bought", &["product", "channel", "country"]),
    ("surveys", "customer, answered", &[]),
    ("spend", "booked", &["channel"]),
];
