//! Larger texts that lie beside a checkout; their absence is said and no failure.

use crate::format::formatted;
use kepi_syntax::{file_text, parse_file};
use std::path::Path;

#[test]
#[allow(clippy::print_stderr)] // A skipped test must say so.
fn texts_beside_the_checkout_survive_the_formatter() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/design");
    for name in ["examples.kepi", "catalogue.kepi"] {
        let Ok(text) = std::fs::read_to_string(folder.join(name)) else {
            eprintln!("skipped: {name} is not there");
            continue;
        };
        let (file, problems) = parse_file(&text);
        assert_eq!(problems, [], "{name}");
        assert!(file.statements.len() > 100, "{name}");
        formatted(&text);
        let file = file.without_spans();
        assert_eq!(parse_file(&file_text(&file)).0.without_spans(), file, "{name}");
    }
}
