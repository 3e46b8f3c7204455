//! How much memory loading everything and asking the questions of the goals takes, in a process that does nothing else.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test that cannot set up its data is to fail, and one that is skipped says so.

use kepi_bench::{Alone, Format, GenerateOptions, generate};

/// Scale 1 has to fit into 1.5 GB. A two-hundredth of it is little more than the program itself, its pages and those of
/// the mapped files: what grows with the rows must not be large beside that.
const MOST: u64 = 160_000_000;

#[test]
fn loading_and_asking_stay_within_their_memory() {
    let folder = tempfile::tempdir().unwrap();
    let options = GenerateOptions {
        folder: folder.path().to_path_buf(),
        scale: 0.005,
        seed: 1,
        formats: vec![Format::Parquet],
        streams: Vec::new(),
    };
    generate(&options, &|_| ()).unwrap();
    let Some(loading) = Alone::Load.run(folder.path(), 2).unwrap() else {
        eprintln!("skipped: the system does not tell how much memory a process has had");
        return;
    };
    let asking = Alone::Ask.run(folder.path(), 2).unwrap().unwrap();
    assert!(loading <= MOST && asking <= MOST, "{loading} bytes after loading, {asking} after asking");
    eprintln!("{loading} bytes after loading, {asking} after asking");
}
