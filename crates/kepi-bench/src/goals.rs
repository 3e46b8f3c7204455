//! The questions with goals, as tables with the goals beside.

use crate::questions::Goal;
use crate::report::{Asked, Report, geometric_mean, millis, times};
use std::fmt::{Result, Write};
use std::time::Duration;

/// How many times faster than DuckDB, as the geometric mean.
const FASTER: f64 = 10.0;
/// How many times as long as the plain passes.
const FLOOR: f64 = 3.0;
/// How long a kept answer may take.
const KEPT: Duration = Duration::from_millis(10);
/// Bytes of an event on disk.
const BYTES: f64 = 40.0;
/// Memory in which scale 1 has to fit.
const MEMORY: u64 = 1_500_000_000;

/// What was measured of one scale.
#[derive(Debug, Default)]
pub(crate) struct OfScale {
    pub(crate) scale: f64,
    /// With two threads, cold starts and loads.
    pub(crate) main: Report,
    /// With other numbers of threads.
    pub(crate) threads: Vec<Report>,
    pub(crate) shuffled: Report,
    pub(crate) late: Report,
    pub(crate) new: Report,
    /// The most memory while everything is loaded, and while the questions are asked.
    pub(crate) memory: (Option<u64>, Option<u64>),
    /// Whether that is all of it.
    pub(crate) done: bool,
}

impl OfScale {
    /// Everything of this scale.
    pub(crate) fn write(&self, out: &mut String) -> Result {
        writeln!(out, "### Scale {}\n\n{}\n", self.scale, self.main.setting())?;
        self.write_questions(out)?;
        match self.done {
            true => self.write_goals(out)?,
            false => writeln!(out, "Not all of this scale has been measured.\n")?,
        }
        if !self.threads.is_empty() {
            self.write_threads(out)?;
        }
        self.main.write_clickhouse(out)?;
        self.main.write_loads(out)?;
        out.push('\n');
        Ok(())
    }

    fn write_questions(&self, out: &mut String) -> Result {
        out.push_str(
            "| question | kepi first, ms | DuckDB first, ms | ÷ | kepi again, ms | DuckDB again, ms | ÷ | plain arrays, ms | kepi ÷ plain | kept, ms | after 1 % new, ms | cold kepi, ms | cold duckdb, ms | ÷ | shuffled, ms | 1 % late, ms | equal |\n",
        );
        out.push_str("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n");
        for asked in &self.main.asked {
            let of = |report: &Report| report.asked.iter().find(|other| other.title == asked.title).cloned();
            let (new, shuffled, late) = (of(&self.new), of(&self.shuffled), of(&self.late));
            let again = |other: &Option<Asked>| other.as_ref().map_or_else(String::new, |other| millis(other.again));
            let local = if Goal::of(asked.title).is_some_and(|goal| goal.row_local) { " †" } else { "" };
            let optional = |time: Option<Duration>| time.map_or_else(String::new, millis);
            writeln!(
                out,
                "| {}{local} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                asked.title,
                millis(asked.first),
                millis(asked.duckdb_first),
                times(asked.duckdb_first, asked.first),
                millis(asked.again),
                millis(asked.duckdb_again),
                times(asked.duckdb_again, asked.again),
                optional(asked.floor),
                asked.floor.map_or_else(String::new, |floor| times(asked.again, floor)),
                optional(asked.kept),
                optional(new.as_ref().and_then(|new| new.after_new)),
                optional(asked.cold.map(|cold| cold.0)),
                optional(asked.cold.map(|cold| cold.1)),
                asked.cold.map_or_else(String::new, |(ours, theirs)| times(theirs, ours)),
                again(&shuffled),
                again(&late),
                self.equal(asked),
            )?;
        }
        out.push_str(
            "\n† what a row adds depends on that row alone. *equal*: kepi, DuckDB and the plain arrays; loaded in order, in \
             shuffled halves, with 1 % late rows, and with 1 % new rows after the question was asked.\n\n",
        );
        Ok(())
    }

    /// Whether all answers to a question are equal; else where the first difference is.
    fn equal(&self, asked: &Asked) -> String {
        let reports = [("", &self.main), ("shuffled: ", &self.shuffled), ("late: ", &self.late), ("new: ", &self.new)];
        let threads = self.threads.iter().map(|report| ("threads: ", report));
        for (which, report) in reports.into_iter().chain(threads) {
            let same = report.asked.iter().find(|other| other.title == asked.title);
            if let Some(difference) = same.and_then(|same| same.difference.as_ref()) {
                return format!("**no**: {which}{difference}");
            }
        }
        "yes".to_string()
    }

    fn write_goals(&self, out: &mut String) -> Result {
        out.push_str("| goal | measured | |\n|---|---|---|\n");
        let mut line = |goal: &str, measured: String, reached: bool| {
            let mark = if reached { "reached" } else { "**missed**" };
            writeln!(out, "| {goal} | {measured} | {mark} |")
        };
        let asked = &self.main.asked;
        let ratio = |theirs: Duration, ours: Duration| theirs.as_secs_f64().max(1e-9) / ours.as_secs_f64().max(1e-9);
        let first: Vec<f64> = asked.iter().map(|a| ratio(a.duckdb_first, a.first)).collect();
        let mean = geometric_mean(&first);
        line(
            "first time asked: geometric mean at least 10 times faster than DuckDB",
            format!("{mean:.1} times"),
            mean >= FASTER,
        )?;
        let slower = titles(asked, |a| a.duckdb_first < a.first);
        line("… and none slower", told(&slower), slower.is_empty())?;
        let over = titles(asked, |a| a.kept.is_some_and(|kept| kept > KEPT));
        line("asked again: at most 10 ms", told(&over), over.is_empty())?;
        let new = &self.new.asked;
        let is_local = |a: &Asked| Goal::of(a.title).is_some_and(|goal| goal.row_local);
        let over = titles(new, |a| is_local(a) && a.after_new.is_some_and(|took| took > KEPT));
        line("after 1 % new rows: at most 10 ms where rows stand alone (†)", told(&over), over.is_empty())?;
        let behind = titles(asked, |a| a.cold.is_some_and(|(ours, theirs)| theirs < ours));
        line("a process of its own: faster than the `duckdb` program", told(&behind), behind.is_empty())?;
        let over = titles(asked, |a| a.floor.is_some_and(|floor| ratio(a.again, floor) > FLOOR));
        line("at most 3 times the plain arrays", told(&over), over.is_empty())?;
        let slower: Vec<&str> =
            self.main.loads.iter().filter(|load| load.kepi > load.duckdb).map(|load| load.what.as_str()).collect();
        line("loads at least as fast as `create table as`", told(&slower), slower.is_empty())?;
        let rows: u64 = self.main.rows.iter().map(|(_, rows)| rows).sum();
        let bytes = self.main.store_bytes as f64 / rows.max(1) as f64;
        line("at most 40 bytes an event on disk", format!("{bytes:.1}"), bytes <= BYTES)?;
        let (load, ask) = self.memory;
        let most = load.into_iter().chain(ask).max();
        let shown = |bytes: Option<u64>| bytes.map_or("unknown".to_string(), |b| format!("{} MB", b / 1_000_000));
        line(
            "scale 1 within 1.5 GB of memory, mapped files included",
            format!("loading everything {}, asking everything {}", shown(load), shown(ask)),
            most.is_some_and(|most| most <= MEMORY),
        )?;
        out.push('\n');
        Ok(())
    }

    /// kepi's and DuckDB's times with other numbers of threads.
    fn write_threads(&self, out: &mut String) -> Result {
        let all: Vec<&Report> = self.threads.iter().chain([&self.main]).collect();
        let heads: Vec<String> = all.iter().map(|r| format!("kepi, {0} | DuckDB, {0} | ÷ ", r.threads)).collect();
        writeln!(out, "| again, ms, by threads | {}|", heads.join("| "))?;
        writeln!(out, "|---|{}", "---:|---:|---:|".repeat(all.len()))?;
        for asked in &self.main.asked {
            write!(out, "| {} |", asked.title)?;
            for report in &all {
                match report.asked.iter().find(|other| other.title == asked.title) {
                    Some(a) => {
                        let ratio = times(a.duckdb_again, a.again);
                        write!(out, " {} | {} | {ratio} |", millis(a.again), millis(a.duckdb_again))?;
                    }
                    None => out.push_str(" | | |"),
                }
            }
            out.push('\n');
        }
        out.push('\n');
        Ok(())
    }
}

fn titles(asked: &[Asked], is: impl Fn(&Asked) -> bool) -> Vec<&str> {
    asked.iter().filter(|asked| is(asked)).map(|asked| asked.title).collect()
}

fn told(titles: &[&str]) -> String {
    match titles {
        [] => "all".to_string(),
        some => format!("not: {}", some.join("; ")),
    }
}

/// How times grow with the rows: each question at each scale, and how many times longer it takes than at the one before.
pub(crate) fn growth(scales: &[OfScale], out: &mut String) -> Result {
    let [first, ..] = scales else { return Ok(()) };
    let heads: Vec<String> = scales.iter().map(|of| format!(" scale {} |", of.scale)).collect();
    writeln!(out, "### Growth\n\n| kepi again, ms |{}", heads.concat())?;
    writeln!(out, "|---|{}", "---:|".repeat(scales.len()))?;
    for asked in &first.main.asked {
        write!(out, "| {} |", asked.title)?;
        let mut before: Option<(f64, Duration)> = None;
        for of in scales {
            let Some(here) = of.main.asked.iter().find(|other| other.title == asked.title) else {
                out.push_str(" |");
                continue;
            };
            match before {
                None => write!(out, " {} |", millis(here.again))?,
                Some((scale, then)) => write!(
                    out,
                    " {} (× {} for × {:.0}) |",
                    millis(here.again),
                    times(here.again, then),
                    of.scale / scale
                )?,
            }
            before = Some((of.scale, here.again));
        }
        out.push('\n');
    }
    out.push('\n');
    Ok(())
}
