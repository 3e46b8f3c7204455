//! Larger models that lie beside a checkout; their absence is said and no failure.

use crate::shop::{listed, now};
use kepi_model::catalog::{Catalog, ModelFile};
use kepi_model::settings::Settings;
use kepi_syntax::ast::StatementKind;
use kepi_syntax::{Code, Diagnostic, Severity, parse_file};
use std::path::Path;

/// The errors of a model and of the queries in it; what is not there yet is one of them.
#[allow(clippy::print_stderr)] // A skipped test must say so.
fn errors(name: &str) -> Option<(String, Vec<Diagnostic>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/design").join(name);
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("skipped: {name} is not there");
        return None;
    };
    let (tree, problems) = parse_file(&text);
    assert_eq!(problems, [], "{name}");
    let (catalog, mut problems) =
        Catalog::build(&[ModelFile { index: 0, tree: tree.clone() }], Settings::default(), vec![]);
    problems.extend(catalog.check(now(&catalog)));
    for (index, problem) in problems.iter().enumerate() {
        assert!(!problems[..index].contains(problem), "said twice: {problem:?}");
    }
    for statement in &tree.statements {
        if let StatementKind::Query(query) = &statement.kind {
            problems.extend(catalog.query(query, now(&catalog), 0).1);
        }
    }
    problems.retain(|p| p.severity == Severity::Error || p.code == Code::NotYet);
    Some((text, problems))
}

#[test]
fn the_catalogue_lacks_only_a_plugin() {
    let Some((text, problems)) = errors("catalogue.kepi") else { return };
    let said = listed(&text, &problems);
    assert!(problems.len() == 1 && said.contains("bgnbd"), "{said}");
}

#[test]
fn the_examples_are_right() {
    let Some((text, problems)) = errors("examples.kepi") else { return };
    assert_eq!(problems, [], "{}", listed(&text, &problems));
}
