//! DuckDB's side.

use crate::driver::Package;
use std::path::PathBuf;

/// Its Python package.
pub(crate) const DUCKDB: Package = Package {
    engine: "DuckDB",
    package: "duckdb",
    environment: "duckdb-venv",
    script: include_str!("drivers/duckdb.py"),
};

/// The Python of `KEPI_BENCH_PYTHON`, else `python3`, if it has DuckDB's package.
pub fn python_with_duckdb() -> Option<PathBuf> {
    let python = std::env::var_os("KEPI_BENCH_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    DUCKDB.is_in(&python).then_some(python)
}
