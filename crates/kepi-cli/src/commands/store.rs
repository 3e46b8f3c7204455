//! `kepi store`: what is stored, whether it is sound, copies of it, and taking things out.

use super::query::unwritable;
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt;
use crate::store_args::{ExportArgs, StoreCommand};
use crate::terminal::Terminal;
use kepi_engine::grouped;
use kepi_engine::{
    BackupReport, Cancel, Engine, EraseReport, ExportFormat, LoadListed, StoreInfo, UnloadReport, VerifyReport,
};
use kepi_view::inert;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};

/// The exit code of damage.
const DAMAGED: u8 = 4;

pub(crate) fn run(context: &Context, command: &StoreCommand) -> Result<(), Failure> {
    let terminal = &context.terminal;
    match command {
        StoreCommand::Info(args) => {
            let info = context.engine()?.store_info()?;
            if args.json { print_json(terminal, &info) } else { terminal.data(info_table(&info).as_bytes()) }
        }
        StoreCommand::Loads(args) => {
            let loads = context.engine()?.store_loads()?;
            match loads.is_empty() && !args.json {
                true => terminal.words("nothing was loaded yet"),
                false if args.json => print_json(terminal, &loads)?,
                false => terminal.data(loads_table(&loads).as_bytes())?,
            }
            Ok(())
        }
        StoreCommand::Verify(args) => {
            let report = context.engine()?.store_verify(args.repair)?;
            if args.json {
                print_json(terminal, &report)?;
            } else {
                say_verified(terminal, &report);
            }
            if report.damages.is_empty() { Ok(()) } else { Err(Failure::Said(DAMAGED)) }
        }
        StoreCommand::Compact(args) => {
            let report = context.engine()?.store_compact()?;
            if args.json {
                return print_json(terminal, &report);
            }
            terminal.words(&format!("{} before, {} now", size(report.before), size(report.after)));
            Ok(())
        }
        StoreCommand::Unload(args) => {
            let report = context.engine()?.store_unload(args.load)?;
            if args.json {
                return print_json(terminal, &report);
            }
            unloaded(&report).iter().for_each(|line| terminal.words(line));
            Ok(())
        }
        StoreCommand::Erase(args) => {
            let report = context.engine()?.store_erase(&args.entity)?;
            if args.json {
                return print_json(terminal, &report);
            }
            erased(&report).iter().for_each(|line| terminal.words(line));
            Ok(())
        }
        StoreCommand::Backup(args) => {
            let report = context.engine()?.store_backup(&args.target)?;
            if args.json { print_json(terminal, &report) } else { say_copied(terminal, &report) }
        }
        StoreCommand::Restore(args) => {
            let report = Engine::store_restore(&args.backup, &args.folder)?;
            if args.json { print_json(terminal, &report) } else { say_copied(terminal, &report) }
        }
        StoreCommand::Export(args) => export(context, args),
    }
}

fn print_json(terminal: &Terminal, value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::io(error.to_string()))?;
    terminal.data(format!("{text}\n").as_bytes())
}

fn export(context: &Context, args: &ExportArgs) -> Result<(), Failure> {
    let ending = args.output.as_deref().and_then(|file| file.extension()).and_then(|ending| ending.to_str());
    let format = match args.format.as_deref().or(ending).unwrap_or("csv") {
        "csv" => ExportFormat::Csv,
        "jsonl" | "ndjson" => ExportFormat::Jsonl,
        "parquet" => ExportFormat::Parquet,
        other => {
            return Err(Failure::usage(format!("`{other}` is no format of an export"))
                .with_help("it may be csv, jsonl or parquet: name one with --format"));
        }
    };
    let engine = context.engine()?;
    let cancel = Cancel::default();
    let guard = interrupt::stops(&cancel);
    let rows = match &args.output {
        None => {
            let mut out = Out { terminal: &context.terminal, failed: None };
            let rows = engine.store_export(&args.name, format, &mut BufWriter::new(&mut out), &cancel);
            match out.failed {
                Some(failure) => return Err(failure),
                None => rows?,
            }
        }
        Some(file) => {
            let mut name = file.file_name().unwrap_or_default().to_os_string();
            name.push(format!(".{}.part", std::process::id()));
            let part = file.with_file_name(name);
            let fails = |error: std::io::Error| unwritable(file, &error);
            let mut out = BufWriter::new(File::create(&part).map_err(fails)?);
            let written = engine.store_export(&args.name, format, &mut out, &cancel).map_err(Failure::from);
            let named = written.and_then(|rows| {
                out.flush().and_then(|()| std::fs::rename(&part, file)).map_err(fails)?;
                Ok(rows)
            });
            named.inspect_err(|_| {
                // What is left of the part is of no use; that it cannot be removed changes nothing.
                let _ = std::fs::remove_file(&part);
            })?
        }
    };
    drop(guard);
    context.terminal.words(&counted(rows, "row"));
    Ok(())
}

/// The standard output as something to write to; remembers why it failed.
struct Out<'a> {
    terminal: &'a Terminal,
    failed: Option<Failure>,
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.terminal.data(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(failure) => {
                let error = std::io::Error::other(failure.to_string());
                self.failed = Some(failure);
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn info_table(info: &StoreInfo) -> String {
    let mut out = format!(
        "snapshot {}, format {}, {}, {}, {} in {}\n\n",
        info.snapshot,
        info.format,
        counted(info.loads, "load"),
        counted(info.rows, "row"),
        size(info.bytes),
        info.folder.display()
    );
    let mut lines = vec![["event", "rows", "segments", "replaced", "size", "first", "last"].map(String::from)];
    for event in &info.events {
        let day = |moment: &Option<String>| moment.clone().unwrap_or_else(|| "–".to_string());
        lines.push([
            inert(&event.name).into_owned(),
            grouped(event.rows),
            grouped(event.segments),
            grouped(event.replaced),
            size(event.bytes),
            day(&event.first),
            day(&event.last),
        ]);
    }
    out.push_str(&table(&lines, &[1, 2, 3, 4]));
    let mut lines = vec![["entity", "keys", "merged", "attributes", "size"].map(String::from)];
    for entity in &info.entities {
        let numbers = [entity.keys, entity.merged, entity.attributes].map(grouped);
        let [keys, merged, attributes] = numbers;
        lines.push([inert(&entity.name).into_owned(), keys, merged, attributes, size(entity.bytes)]);
    }
    out.push('\n');
    out.push_str(&table(&lines, &[1, 2, 3, 4]));
    let mut lines = vec![["files", "size"].map(String::from)];
    lines.extend(info.files.iter().map(|part| [part.what.clone(), size(part.bytes)]));
    out.push('\n');
    out.push_str(&table(&lines, &[1]));
    let recent: u64 = info.events.iter().map(|event| event.recent).sum();
    if recent > 0 {
        out.push_str(&format!("\n{} in the journal, and in no segment yet\n", counted(recent, "row")));
    }
    out
}

fn loads_table(loads: &[LoadListed]) -> String {
    let mut lines = vec![["load", "when", "what", "rows"].map(String::from)];
    for load in loads {
        let rows = load.targets.iter().map(|target| {
            let parts = [(target.added, "new"), (target.known, "known"), (target.replaced, "replaced")];
            let parts: Vec<String> = parts
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, word)| format!("{} {word}", grouped(*count)))
                .collect();
            let parts = if parts.is_empty() { "no rows".to_string() } else { parts.join(", ") };
            format!("{} {parts}", inert(&target.name))
        });
        let rows: Vec<String> = rows.collect();
        lines.push([load.load.to_string(), load.at.clone(), inert(&load.label).into_owned(), rows.join("; ")]);
    }
    table(&lines, &[0])
}

fn say_verified(terminal: &Terminal, report: &VerifyReport) {
    for damage in &report.damages {
        terminal.error(&inert(damage));
    }
    for kept in &report.kept {
        terminal.note(&format!("a kept answer was damaged and is removed: {}", inert(kept)));
    }
    if report.damages.is_empty() {
        terminal.words(&format!(
            "snapshot {} is sound: {} with {} were read",
            report.snapshot,
            counted(report.files, "file"),
            counted(report.rows, "row")
        ));
    } else if report.damages.iter().any(|damage| damage.contains("manifest")) {
        terminal.hint("`kepi store verify --repair` makes the list of files anew from the journal");
    } else {
        terminal.hint("`kepi store restore` puts a backup into an empty folder");
    }
}

fn unloaded(report: &UnloadReport) -> Vec<String> {
    let mut lines = vec![format!("load {} ({}) is taken out", report.load, inert(&report.label))];
    lines.extend(removed(&report.rows, &report.keys));
    for (event, rows) in &report.not_brought_back {
        lines.push(format!(
            "{} of {} that it had replaced {} not brought back: load their files again",
            counted(*rows, "row"),
            inert(event),
            if *rows == 1 { "is" } else { "are" }
        ));
    }
    for (entity, keys) in &report.stays {
        lines.push(match entity.strip_prefix("merges of ") {
            Some(entity) => format!(
                "{} of {} that it made {} not taken back",
                counted(*keys, "merge"),
                inert(entity),
                if *keys == 1 { "is" } else { "are" }
            ),
            None => format!("attributes that it set of {} {} stay", grouped(*keys), inert(entity)),
        });
    }
    lines
}

fn erased(report: &EraseReport) -> Vec<String> {
    let mut lines = removed(&report.rows, &report.keys);
    for (count, what) in [
        (report.rejected, "rejected row"),
        (report.history, "line of the prompt's history|lines of the prompt's history"),
        (report.answers, "kept answer"),
    ] {
        if count > 0 {
            lines.push(format!("{} removed", counted(count, what)));
        }
    }
    if report.unknown > 0 {
        lines.push(format!("{} not found", counted(report.unknown, "key")));
    }
    for (place, texts) in &report.mentions {
        lines.push(format!("still named in {}: {}", inert(place), counted(*texts, "text")));
    }
    lines.push("files that were loaded, backups and connected services have it still: load none of them again before it is gone there".into());
    lines
}

fn removed(rows: &BTreeMap<String, u64>, keys: &BTreeMap<String, u64>) -> Vec<String> {
    let of =
        |(name, count): (&String, &u64), what: &str| format!("{} of {} removed", counted(*count, what), inert(name));
    rows.iter().map(|one| of(one, "row")).chain(keys.iter().map(|one| of(one, "key"))).collect()
}

fn say_copied(terminal: &Terminal, report: &BackupReport) -> Result<(), Failure> {
    let snapshot = report.snapshot.map_or("nothing is stored yet".to_string(), |number| format!("snapshot {number}"));
    terminal.words(&format!(
        "{}: {snapshot}, {}, {} in {}",
        report.path.display(),
        counted(report.rows, "row"),
        size(report.bytes),
        counted(report.files, "file")
    ));
    Ok(())
}

/// `1 row`, `2 rows`; what has another plural has it behind a bar.
fn counted(count: u64, what: &str) -> String {
    let (one, many) = match what.split_once('|') {
        Some((one, many)) => (one.to_string(), many.to_string()),
        None => (what.to_string(), format!("{what}s")),
    };
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Columns below each other; those named stand to the right.
fn table<const N: usize>(lines: &[[String; N]], right: &[usize]) -> String {
    let wide = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(wide).collect();
    let mut out = String::new();
    for line in lines {
        let cells = line.iter().enumerate().map(|(column, cell)| {
            let room = " ".repeat(widths[column] - cell.chars().count());
            if right.contains(&column) { format!("{room}{cell}") } else { format!("{cell}{room}") }
        });
        let cells: Vec<String> = cells.collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_said_in_the_unit_that_fits() {
        assert_eq!(
            [0, 999, 1000, 999_949, 999_950, 12_300_000].map(size),
            ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "12.3 MB"]
        );
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!([counted(1, "row"), counted(1_200, "row"), counted(2, "a|b")], ["1 row", "1,200 rows", "2 b"]);
    }
}
