//! Plugins' functions at a tiny scale: a component, a script and the language give the same answers.
#![allow(clippy::unwrap_used)] // A test that cannot set up its data is to fail.

use kepi_bench::{PluginOptions, plugins};

#[test]
fn plugins_answer_like_the_language() {
    let folder = tempfile::tempdir().unwrap();
    let options = PluginOptions { folder: folder.path().to_path_buf(), rows: 20_000, repeats: 1, times_max: None };
    let table = plugins(&options, &|_| ()).unwrap();
    for row in ["| scalar | the language |", "| scalar | a component |", "| aggregate | a script |"] {
        assert!(table.contains(row), "{table}");
    }
    // What takes longer than it may is an error that says so: nothing is a thousand times faster than the language.
    let hasty = PluginOptions { times_max: Some(0.001), ..options };
    assert!(plugins(&hasty, &|_| ()).unwrap_err().to_string().contains("a component is too slow (scalar: "));
}
