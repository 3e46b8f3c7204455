//! `kepi load`: files into the store, and what became of their rows.

use crate::args::{Conflict, LoadArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Bar;
use kepi_engine::{LoadReport, LoadRequest, OnConflict, TargetReport, grouped};
use kepi_view::inert;

pub(crate) fn run(context: &Context, args: &LoadArgs) -> Result<(), Failure> {
    let engine = context.engine()?;
    let request = request(args);
    let guard = interrupt::stops(&request.cancel);
    let bar = Bar::new();
    let report = engine.load(request, &|progress| bar.show(&progress));
    drop((bar, guard));
    let report = report?;
    for line in summary(&report) {
        context.terminal.words(&line);
    }
    if all_rejected(&report) { Err(Failure::io("no row could be loaded")) } else { Ok(()) }
}

/// Whether there were rows, and none of them was any good.
pub(super) fn all_rejected(report: &LoadReport) -> bool {
    let taken = |t: &TargetReport| t.added + t.known + t.replaced + t.overtaken + t.skipped + t.removed > 0;
    report.rejected_count > 0 && !report.targets.iter().any(taken)
}

fn request(args: &LoadArgs) -> LoadRequest {
    let mut options = Vec::new();
    let mut option = |name: &str, value: Option<&str>| {
        options.extend(value.map(|value| (name.to_string(), value.to_string())));
    };
    option("delimiter", args.delimiter.as_deref());
    option("header", args.no_header.then_some("no"));
    option("columns", args.columns.as_deref());
    option("encoding", args.encoding.as_deref());
    option("dates", args.dates.as_deref());
    option("decimal", args.decimal.as_deref());
    option("timezone", args.timezone.as_deref());
    LoadRequest {
        files: args.files.clone(),
        source: args.source.clone(),
        as_event: args.as_event.clone(),
        at: args.at.clone(),
        id: args.id.clone(),
        of: args.of.clone(),
        where_: args.where_.clone(),
        entity: args.entity.clone(),
        key: args.key.clone(),
        all: args.all,
        strict: args.strict,
        on_conflict: match args.on_conflict {
            Conflict::Keep => OnConflict::Keep,
            Conflict::Replace => OnConflict::Replace,
        },
        options,
        ..LoadRequest::default()
    }
}

/// What a load did, a line each: what was inferred, what each target got, what was rejected.
pub(crate) fn summary(report: &LoadReport) -> Vec<String> {
    let mut lines: Vec<String> = report.notes.iter().map(|note| inert(note).into_owned()).collect();
    if let Some(file) = &report.declared {
        lines.push(format!("the declaration is written to {}", file.display()));
    }
    let wide = report.targets.iter().map(|t| inert(&t.name).chars().count()).max().unwrap_or(0);
    for target in &report.targets {
        lines.push(format!("{:wide$}  {}", inert(&target.name), counts(target)));
        lines.extend(target.notes.iter().map(|note| format!("{:wide$}  {}", "", inert(note))));
    }
    if report.rejected_count > 0 {
        let rows = if report.rejected_count == 1 { "row is" } else { "rows are" };
        let kept = report.rejected_path.as_ref().map(|path| format!(" and kept in {}", path.display()));
        lines.push(format!("{} {rows} rejected{}:", grouped(report.rejected_count), kept.unwrap_or_default()));
        for row in &report.rejected {
            lines.push(format!("  {}:{}: {}", inert(&row.file), row.line, inert(&row.reason)));
        }
        let more = report.rejected_count.saturating_sub(report.rejected.len() as u64);
        if more > 0 {
            lines.push(format!("  … and {} more", grouped(more)));
        }
    }
    lines
}

/// `1,000 known, 10 new`; what is zero is left out, except that nothing at all is said.
fn counts(target: &TargetReport) -> String {
    let parts: Vec<String> = [
        (target.known, "known"),
        (target.added, "new"),
        (target.replaced, "replaced"),
        (target.overtaken, "replaced by later rows of this load"),
        (target.removed, "deleted"),
        (target.skipped, "left out by the mapping"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{} {word}", grouped(count)))
    .collect();
    if parts.is_empty() { "no rows".to_string() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kepi_engine::RejectedRow;

    #[test]
    fn the_summary_counts_what_became_of_the_rows() {
        let target = |name: &str, known, added| TargetReport {
            name: name.to_string(),
            kind: "event".to_string(),
            read: known + added,
            known,
            added,
            ..TargetReport::default()
        };
        let report = LoadReport {
            targets: vec![target("orders", 1000, 10), target("customer", 0, 0)],
            rejected: vec![RejectedRow {
                file: "orders.csv".to_string(),
                line: 12,
                reason: "`x\x1b[2J` is no amount".to_string(),
            }],
            rejected_count: 1_201,
            rejected_path: Some(".kepi/rejected/3.jsonl".into()),
            declared: Some("model/orders.kepi".into()),
            notes: vec!["the time is `ordered`".to_string()],
            ..LoadReport::default()
        };
        assert_eq!(
            summary(&report),
            [
                "the time is `ordered`",
                "the declaration is written to model/orders.kepi",
                "orders    1,000 known, 10 new",
                "customer  no rows",
                "1,201 rows are rejected and kept in .kepi/rejected/3.jsonl:",
                "  orders.csv:12: `x␛[2J` is no amount",
                "  … and 1,200 more",
            ]
        );
    }
}
