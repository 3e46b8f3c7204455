//! The model that the tests ask: a shop with campaigns, deals, tickets and e-mail; and how answers are written down.

use crate::dump;
use kepi_model::catalog::{Catalog, ModelFile};
use kepi_model::core::Query;
use kepi_model::declared::{FunctionKind, Returns, Signature, SignatureParameter};
use kepi_model::settings::Settings;
use kepi_model::value::{Kind, Unit};
use kepi_syntax::ast::{File, StatementKind};
use kepi_syntax::{Diagnostic, Severity, line_column, parse_file, parse_query};
use std::fmt::Write;
use std::sync::LazyLock;

/// Wednesday 15 July 2026, noon in Amsterdam.
pub(crate) const NOW: &str = "2026-07-15T12:00:00+02:00";

/// Two plugin functions: one of rows together, one of single values.
pub(crate) fn plugins() -> Vec<Signature> {
    let any = |name: &str, accepts: Vec<Kind>, optional| SignatureParameter {
        name: name.into(),
        accepts,
        optional,
        constant: false,
    };
    let money = vec![Kind::Money(None)];
    vec![
        Signature {
            name: "stats.mode".into(),
            kind: FunctionKind::Aggregate,
            doc: "Takes the most frequent value.".into(),
            parameters: vec![any("of", vec![], false)],
            returns: Returns::SameAs(0),
        },
        Signature {
            name: "tax.net".into(),
            kind: FunctionKind::Scalar,
            doc: "Takes the tax out of an amount.".into(),
            parameters: vec![any("amount", money, false), any("rate", vec![Kind::Percent], true)],
            returns: Returns::Unit(Unit::of(Kind::Money(None))),
        },
    ]
}

/// A catalog of files that follow the grammar, and what is said about their names and types.
pub(crate) fn catalog(texts: &[&str]) -> (Catalog, Vec<Diagnostic>) {
    let mut files = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let (tree, problems) = parse_file(text);
        assert_eq!(problems, [], "the model must follow the grammar");
        files.push(ModelFile { index: index as u32, tree });
    }
    Catalog::build(&files, Settings::default(), plugins())
}

/// The shop, with further definitions of the same module.
pub(crate) fn shop(more: &str) -> Catalog {
    let text = format!("{}\n{more}", include_str!("shop.kepi"));
    let (catalog, problems) = catalog(&[&text]);
    assert_eq!(problems, []);
    catalog
}

/// The instant for which the tests ask.
pub(crate) fn now(catalog: &Catalog) -> i64 {
    catalog.instant(NOW).unwrap()
}

/// What a query means, which must be right.
pub(crate) fn core(catalog: &Catalog, text: &str) -> Query {
    let (query, problems) = parse_query(text);
    assert_eq!(problems, [], "{text}");
    let (lowered, problems) = catalog.query(&query.unwrap(), now(catalog), 0);
    assert!(!problems.iter().any(|p| p.severity == Severity::Error), "{text}\n{}", listed(text, &problems));
    lowered.unwrap()
}

/// What queries mean, one block each, for a snapshot.
pub(crate) fn meant(catalog: &Catalog, texts: &[&str]) -> String {
    texts.iter().map(|text| format!("{}\n", dump::query(&core(catalog, text)))).collect()
}

/// What is said about texts that may be queries or definitions.
///
/// Definitions are put behind the shop's, a query is asked of them.
pub(crate) fn said(text: &str) -> String {
    let (file, problems) = parse_file(text);
    if !problems.is_empty() {
        return listed(text, &problems);
    }
    static SHOP: LazyLock<File> = LazyLock::new(|| parse_file(include_str!("shop.kepi")).0);
    let module = parse_file("module crm").0.statements;
    let extra = File { statements: module.into_iter().chain(file.statements.clone()).collect() };
    let files = [ModelFile { index: 1, tree: SHOP.clone() }, ModelFile { index: 0, tree: extra }];
    let (catalog, mut problems) = Catalog::build(&files, Settings::default(), plugins());
    let now = now(&catalog);
    problems.extend(catalog.check(now).into_iter().filter(|p| p.file == 0));
    for statement in &file.statements {
        if let StatementKind::Query(query) = &statement.kind {
            problems.extend(catalog.query(query, now, 0).1);
        }
    }
    let shown = listed(text, &problems);
    for (index, problem) in problems.iter().enumerate() {
        assert!(!problems[..index].contains(problem), "said twice:\n{shown}");
        let near = problem.help.as_deref().and_then(|help| help.strip_prefix("did you mean `")?.strip_suffix("`?"));
        let written = text.get(problem.span.start as usize..problem.span.end as usize);
        assert!(near.is_none() || near != written, "the same word is suggested:\n{shown}");
    }
    shown
}

/// Messages as a person sees them: number, words, the place underlined, the repair.
pub(crate) fn listed(text: &str, problems: &[Diagnostic]) -> String {
    let mut out = String::new();
    for problem in problems {
        let (line, column) = line_column(text, problem.span.start as usize);
        let source = text.lines().nth(line - 1).unwrap_or_default();
        let inside = text.get(problem.span.start as usize..problem.span.end as usize).unwrap_or_default();
        let width = inside.lines().next().map_or(1, |first| first.chars().count().max(1));
        let warning = if problem.severity == Severity::Warning { " (warning)" } else { "" };
        writeln!(out, "{}{warning} {}", problem.code, problem.message).unwrap();
        writeln!(out, "  {source}\n  {}{}", " ".repeat(column - 1), "^".repeat(width)).unwrap();
        for (span, words) in &problem.related {
            let (line, _) = line_column(text, span.start as usize);
            writeln!(out, "  see line {line}: {words}").unwrap();
        }
        if let Some(help) = &problem.help {
            writeln!(out, "  help: {help}").unwrap();
        }
    }
    out
}
