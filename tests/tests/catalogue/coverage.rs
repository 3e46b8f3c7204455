//! That nothing of a model goes unasked: each definition has a section of its own, with the questions of its kind.

use crate::answers::{AnswerFile, files};
use crate::data::CompanyModel;
use kepi_syntax::ast::{File, Query, StatementKind};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Metrics whose parts have no label in common, such as the spend of campaigns beside the state of customers.
pub(crate) const WITHOUT_LABEL: [&str; 2] = ["clv_cac", "retention_cost"];

/// What a plugin's model gives, which the oracle does not run: it has a test of its own.
const LEARNED: [&str; 1] = ["clv_expected"];

pub(crate) fn run(of: CompanyModel) {
    let text = of.text();
    let (model, mistakes) = kepi_syntax::parse_file(&text);
    assert_eq!(mistakes, []);
    let files = files(of, "answers");
    let sections = sections(&files);
    let asked: BTreeSet<String> = sections.values().flatten().map(kepi_syntax::query_text).collect();
    let mut problems = Vec::new();
    for statement in &model.statements {
        let queries = match &statement.kind {
            StatementKind::Query(query) => std::slice::from_ref(query),
            StatementKind::Report(report) => &report.queries[..],
            _ => &[],
        };
        for text in queries.iter().map(kepi_syntax::query_text).filter(|text| !asked.contains(text)) {
            problems.push(format!("`{text}` is not asked"));
        }
        let Some((name, kind)) = named(&statement.kind) else { continue };
        if LEARNED.contains(&&name[..]) {
            continue;
        }
        let Some(queries) = sections.get(&name) else {
            problems.push(format!("`{name}` has no section"));
            continue;
        };
        problems.extend(lacking(&name, kind, queries));
    }
    for name in declared_beside(of).difference(&names(&model)) {
        if !(LEARNED.contains(&&name[..]) && of == CompanyModel::Examples) {
            problems.push(format!("`{name}` is missing here"));
        }
    }
    assert!(problems.is_empty(), "{}: {}", of.name(), problems.join("\n"));
}

/// What a definition is, for the questions that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Asked plainly, per period, by a label and beside a period before.
    Measured,
    /// Asked beside the target.
    Target,
    /// Its own queries.
    Report,
}

fn named(kind: &StatementKind) -> Option<(String, Kind)> {
    Some(match kind {
        StatementKind::Entity(it) => (it.name.text.clone(), Kind::Measured),
        StatementKind::Event(it) => (it.name.text.clone(), Kind::Measured),
        StatementKind::State(it) => (it.name.text.clone(), Kind::Measured),
        StatementKind::Function(it) => (it.name.text.clone(), Kind::Measured),
        StatementKind::Measure(it)
        | StatementKind::Segment(it)
        | StatementKind::Dimension(it)
        | StatementKind::Metric(it) => (it.name.text.clone(), Kind::Measured),
        StatementKind::Target(it) => (it.name.text.clone(), Kind::Target),
        StatementKind::Report(it) => (it.name.text.clone(), Kind::Report),
        _ => return None,
    })
}

fn names(file: &File) -> BTreeSet<String> {
    file.statements.iter().filter_map(|statement| named(&statement.kind)).map(|(name, _)| name).collect()
}

/// The questions under each title.
fn sections(files: &[AnswerFile]) -> BTreeMap<String, Vec<Query>> {
    let mut sections: BTreeMap<String, Vec<Query>> = BTreeMap::new();
    for case in files.iter().flat_map(|file| &file.cases) {
        let queries = case.questions.iter().filter_map(|question| kepi_syntax::parse_query(&question.text).0);
        sections.entry(case.title.clone()).or_default().extend(queries);
    }
    sections
}

/// What a definition's section does not ask.
fn lacking(name: &str, kind: Kind, queries: &[Query]) -> Vec<String> {
    let any = |is: &dyn Fn(&Query) -> bool| queries.iter().any(is);
    let mentions = |query: &Query| kepi_syntax::query_text(query).contains(name);
    let wanted: Vec<(&str, bool)> = match kind {
        Kind::Report => vec![],
        Kind::Target => vec![("`vs target`", any(&|q| !q.versus.is_empty()))],
        Kind::Measured => vec![
            ("it", queries.iter().any(mentions)),
            ("it plainly", any(&|q| mentions(q) && q.per.is_none() && q.versus.is_empty())),
            ("`per` a period", any(&|q| mentions(q) && q.per.is_some())),
            ("`by` a label", any(&|q| mentions(q) && !q.by.is_empty()) || WITHOUT_LABEL.contains(&name)),
            ("`vs previous`", any(&|q| mentions(q) && !q.versus.is_empty())),
        ],
    };
    wanted.into_iter().filter(|(_, is)| !is).map(|(what, _)| format!("`{name}`: nothing asks {what}")).collect()
}

/// What the design's file of the same name declares, where it stands beside the repository.
fn declared_beside(of: CompanyModel) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../shared/design/{}.kepi", of.name()));
    match std::fs::read_to_string(&path) {
        Ok(text) => names(&kepi_syntax::parse_file(&text).0),
        Err(_) => {
            eprintln!("not compared with the design: there is no {}", path.display());
            BTreeSet::new()
        }
    }
}
