//! `kepi query`: answers, in a format, to the standard output or a file.

use super::asked;
use crate::args::QueryArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt;
use crate::terminal::Terminal;
use kepi_engine::{Answer, SourceText};
use kepi_view::{Format, Look, diagnostics_report, find_format, words};
use std::path::Path;

pub(crate) fn run(context: &Context, args: &QueryArgs) -> Result<(), Failure> {
    // A format that is not there is refused before anything runs.
    let format = format(args.format.as_deref(), args.output.as_deref())?;
    let text = asked::text(&args.asked)?;
    let engine = context.engine()?;
    let mut request = asked::request(&engine, &args.asked, text.clone())?;
    request.totals = args.totals;
    let guard = interrupt::stops(&request.cancel);
    let answers = engine.query(request).map_err(|e| Failure::from(e).in_file(args.asked.file.as_deref()))?;
    drop(guard);
    let terminal = &context.terminal;
    match &args.output {
        Some(file) => {
            let bytes = (format.write)(&answers, Look::default())?;
            write_file(file, &bytes)?;
        }
        None => terminal.data(&(format.write)(&answers, terminal.out)?)?,
    }
    say_beside(terminal, format, &text, args.asked.file.as_deref(), &answers);
    Ok(())
}

/// The format that is named, or that the ending of a file means.
pub(crate) fn format(name: Option<&str>, output: Option<&Path>) -> Result<&'static Format, Failure> {
    if let Some(name) = name {
        return find_format(name).map_err(|e| Failure::usage(e.to_string()));
    }
    let ending = output.and_then(Path::extension).and_then(|e| e.to_str());
    match ending {
        Some(ending) if kepi_view::LATER.contains(&ending) => {
            find_format(ending).map_err(|e| Failure::usage(e.to_string()))
        }
        Some(ending) => match kepi_view::FORMATS.iter().find(|f| f.endings.contains(&ending)) {
            Some(format) => Ok(format),
            None => Err(Failure::usage(format!("no format is known by the ending .{ending}"))
                .with_help("name one with --format")),
        },
        None => find_format("table").map_err(|e| Failure::usage(e.to_string())),
    }
}

/// Says that a file cannot be written.
pub(crate) fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::io(format!("{} cannot be written: {error}", file.display()))
}

/// Writes beside the file and then takes its place, so that nobody sees half of it.
pub(crate) fn write_file(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let fails = |e: std::io::Error| unwritable(file, &e);
    if file.exists() && !file.is_file() {
        // A device or a pipe: there is no place to take.
        return std::fs::write(file, bytes).map_err(fails);
    }
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let part = file.with_file_name(name);
    std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, file)).map_err(|error| {
        // What is left of the part is of no use; that it cannot be removed changes nothing.
        let _ = std::fs::remove_file(&part);
        fails(error)
    })
}

/// Says what stands beside the data: lints of the text, partial periods, notes.
pub(crate) fn say_beside(terminal: &Terminal, format: &Format, text: &str, file: Option<&Path>, answers: &[Answer]) {
    let texts = [SourceText { path: file.unwrap_or(Path::new("query")).to_path_buf(), text: text.to_string() }];
    for answer in answers {
        if !answer.warnings.is_empty() {
            terminal.words(diagnostics_report(&texts, &answer.warnings, terminal.err).trim_end());
        }
        if !format.has_notes {
            for line in words(answer) {
                match line.starts_with('*') {
                    true => terminal.words(&line),
                    false => terminal.note(&line),
                }
            }
        }
    }
    if !format.has_totals && answers.iter().any(|answer| answer.frame.totals.is_some()) {
        terminal.note(&format!("{} shows no totals; table, md and json do", format.name));
    }
}
