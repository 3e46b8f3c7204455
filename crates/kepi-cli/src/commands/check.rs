//! `kepi check`: every mistake and lint of the model.

use crate::args::CheckArgs;
use crate::context::Context;
use crate::failure::Failure;
use kepi_view::{diagnostics_json, diagnostics_report};

pub(crate) fn run(context: &Context, args: &CheckArgs) -> Result<(), Failure> {
    let report = context.engine()?.check(&args.files)?;
    let terminal = &context.terminal;
    let errors = report.errors();
    if args.json {
        terminal.data(diagnostics_json(&report.texts, &report.diagnostics, report.definitions).as_bytes())?;
    } else {
        if !report.diagnostics.is_empty() {
            let shown = diagnostics_report(&report.texts, &report.diagnostics, terminal.err);
            terminal.words(&shown);
        }
        let lints = report.diagnostics.len() - errors;
        terminal.words(&format!(
            "{}: {}, {}",
            counted(report.definitions, "definition"),
            counted(errors, "mistake"),
            counted(lints, "warning")
        ));
    }
    report.notes.iter().for_each(|note| terminal.note(note));
    if report.unseen > 0 {
        terminal.note(&format!(
            "the data were not looked at for {}: that took too long",
            counted(report.unseen, "definition")
        ));
    }
    if errors > 0 { Err(Failure::Said(1)) } else { Ok(()) }
}

fn counted(number: usize, what: &str) -> String {
    match number {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    }
}
