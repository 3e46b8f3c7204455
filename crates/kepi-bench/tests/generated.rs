//! The generated data at a tiny scale: the same every time, loaded whole, and answered like plain loops answer it.
#![allow(clippy::unwrap_used)] // A test that cannot set up its data is to fail.

use kepi_bench::{FAMILIES, Floor, Format, GenerateOptions, Generated, STREAMS, ask, generate};
use kepi_engine::{Engine, LoadRequest};
use std::fs;
use std::path::Path;

fn made(folder: &Path, seed: u64, formats: &[Format], streams: &[&str]) -> Generated {
    let options = GenerateOptions {
        folder: folder.to_path_buf(),
        scale: 0.001,
        seed,
        formats: formats.to_vec(),
        streams: streams.iter().map(|s| (*s).to_string()).collect(),
    };
    generate(&options, &|_| ()).unwrap()
}

fn bytes(folder: &Path, file: &str) -> Vec<u8> {
    fs::read(folder.join("data").join(file)).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (one, two, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let generated = made(one.path(), 1, &[Format::Parquet, Format::Csv], &[]);
    assert_eq!(generated.customers, 500);
    // A stream does not depend on which others are written.
    made(two.path(), 1, &[Format::Parquet, Format::Csv], &["purchases"]);
    made(other.path(), 2, &[Format::Csv], &["purchases"]);
    for file in ["purchases.parquet", "purchases.csv"] {
        assert_eq!(bytes(one.path(), file), bytes(two.path(), file), "{file}");
    }
    assert_ne!(bytes(one.path(), "purchases.csv"), bytes(other.path(), "purchases.csv"));
    // Pinned, so that figures of different days are about the same data.
    let rows: Vec<(&str, u64)> = generated.streams.iter().map(|(name, rows)| (name.as_str(), *rows)).collect();
    assert_eq!(rows, PINNED);
    for (stream, rows) in rows {
        let lines = bytes(one.path(), &format!("{stream}.csv")).iter().filter(|b| **b == b'\n').count() as u64;
        assert_eq!(lines, rows + 1, "{stream}: a header and a line a row");
    }
}

const PINNED: [(&str, u64); 6] =
    [("signups", 500), ("visits", 19_954), ("purchases", 6_389), ("surveys", 488), ("spend", 17_554), ("rates", 1_461)];

#[test]
fn every_stream_loads_whole_and_kepi_answers_like_plain_loops() {
    let folder = tempfile::tempdir().unwrap();
    let generated = made(folder.path(), 1, &[Format::Parquet, Format::Csv], &[]);
    let engine = Engine::open(folder.path()).unwrap();
    let load = |stream: &str, ending: &str| {
        let file = folder.path().join("data").join(format!("{stream}.{ending}"));
        let source = Some(format!("{stream}_export"));
        let request =
            LoadRequest { files: vec![file.display().to_string()], source, strict: true, ..LoadRequest::default() };
        engine.load(request, &|_| ()).unwrap().targets.remove(0)
    };
    for (stream, rows) in &generated.streams {
        assert_eq!(load(stream, "parquet").added, *rows, "{stream}");
        // The other file holds the same rows.
        let again = load(stream, "csv");
        assert_eq!((again.added, again.known, again.replaced), (0, *rows, 0), "{stream}");
    }
    assert_eq!(generated.streams.len(), STREAMS.len());
    let floor = Floor::read(folder.path()).unwrap();
    for question in FAMILIES[0].questions {
        for threads in [1, 2] {
            let (ours, _) = ask(&engine, question.kepi, Some(threads)).unwrap();
            let plain = floor.ask(question.title).unwrap();
            assert_eq!(ours.difference(&plain, question.comparison), None, "{}", question.title);
        }
    }
}
