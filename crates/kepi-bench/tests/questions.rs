//! Every question at a tiny scale: kepi and DuckDB give the same answers, and ClickHouse where its package is there.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test that cannot set up its data is to fail, and one that is skipped says so.

use kepi_bench::{
    CompareOptions, FAMILIES, Format, GenerateOptions, compare, generate, has_clickhouse, python_with_duckdb,
};

#[test]
fn kepi_answers_like_others() {
    let Some(python) = python_with_duckdb() else {
        eprintln!("skipped: no Python with the package `duckdb`; KEPI_BENCH_PYTHON names one");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let options = GenerateOptions {
        folder: folder.path().to_path_buf(),
        scale: 0.002,
        seed: 1,
        formats: vec![Format::Parquet],
        streams: Vec::new(),
    };
    generate(&options, &|_| ()).unwrap();
    let options = CompareOptions {
        clickhouse: has_clickhouse(&python),
        python: Some(python),
        ..CompareOptions::of(folder.path())
    };
    let report = compare(&options, &|_| ()).unwrap();
    assert_eq!(report.asked(), FAMILIES.iter().map(|family| family.questions.len()).sum::<usize>());
    assert_eq!(report.unequal(), []);
}
