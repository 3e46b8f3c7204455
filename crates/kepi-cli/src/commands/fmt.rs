//! `kepi fmt`: the language's one style, in place.

use crate::args::FmtArgs;
use crate::context::Context;
use crate::failure::Failure;
use kepi_engine::{Severity, SourceText};
use kepi_view::diagnostics_report;
use std::io::Read;
use std::path::{Path, PathBuf};

pub(crate) fn run(context: &Context, args: &FmtArgs) -> Result<(), Failure> {
    if args.files.iter().any(|file| file == Path::new("-")) {
        if args.files.len() > 1 {
            return Err(Failure::usage("`-` is the standard input and stands alone"));
        }
        return standard_input(context, args.check);
    }
    let mut files = Vec::new();
    if args.files.is_empty() {
        model_files(&context.project()?.join("model"), &mut files)?;
    }
    for file in &args.files {
        match file.is_dir() {
            true => model_files(file, &mut files)?,
            false => files.push(file.clone()),
        }
    }
    let (mut changed, mut failed) = (0, false);
    for file in &files {
        let text = std::fs::read_to_string(file)
            .map_err(|e| Failure::io(format!("{} cannot be read: {e}", file.display())))?;
        let Some(formatted) = formatted(context, file, &text) else {
            failed = true;
            continue;
        };
        kept_as_written(context, file, &text);
        if formatted == text {
            continue;
        }
        changed += 1;
        context.terminal.words(&file.display().to_string());
        if !args.check {
            replace(file, &formatted)?;
        }
    }
    if args.check && changed > 0 {
        context.terminal.words(&format!("{changed} of {} files would change", files.len()));
        failed = true;
    }
    if failed { Err(Failure::Said(1)) } else { Ok(()) }
}

fn standard_input(context: &Context, check: bool) -> Result<(), Failure> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut text)
        .map_err(|e| Failure::io(format!("the standard input cannot be read: {e}")))?;
    let Some(formatted) = formatted(context, Path::new("input"), &text) else { return Err(Failure::Said(1)) };
    if check {
        return if formatted == text { Ok(()) } else { Err(Failure::Said(1)) };
    }
    context.terminal.data(formatted.as_bytes())
}

/// Says of how many statements a comment in their middle keeps the form.
fn kept_as_written(context: &Context, file: &Path, text: &str) {
    let words = match kepi_engine::kept_as_written(text) {
        0 => return,
        1 => "1 statement keeps its form: a comment stands in its middle".to_string(),
        many => format!("{many} statements keep their form: a comment stands in the middle of each"),
    };
    context.terminal.words(&format!("{}: {words}", file.display()));
}

/// The text in style; none where it has mistakes, which are then said.
fn formatted(context: &Context, file: &Path, text: &str) -> Option<String> {
    let (formatted, diagnostics) = kepi_engine::format(text);
    if !diagnostics.iter().any(|d| d.severity == Severity::Error) {
        return Some(formatted);
    }
    let texts = [SourceText { path: file.to_path_buf(), text: text.to_string() }];
    context.terminal.words(&diagnostics_report(&texts, &diagnostics, context.terminal.err));
    None
}

/// All `.kepi` files of a folder and the folders in it, by name.
fn model_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let fails = |e: std::io::Error| Failure::io(format!("{} cannot be read: {e}", folder.display()));
    let entries: Result<Vec<_>, _> = std::fs::read_dir(folder).map_err(fails)?.collect();
    let mut paths: Vec<PathBuf> = entries.map_err(fails)?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            model_files(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "kepi") {
            files.push(path);
        }
    }
    Ok(())
}

/// Takes the file's place with a whole new one.
fn replace(file: &Path, text: &str) -> Result<(), Failure> {
    let part = file.with_extension(format!("kepi.{}.part", std::process::id()));
    std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, file)).map_err(|error| {
        // What is left of the part is of no use; that it cannot be removed changes nothing.
        let _ = std::fs::remove_file(&part);
        Failure::io(format!("{} cannot be written: {error}", file.display()))
    })
}
