//! What a run has found, as Markdown.

use kepi_engine::grouped;
use std::fmt::Write;
use std::time::Duration;

/// A question's times.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) family: &'static str,
    pub(crate) title: &'static str,
    pub(crate) first: Duration,
    /// Computed again.
    pub(crate) again: Duration,
    /// Asked again, where the answer was kept.
    pub(crate) kept: Option<Duration>,
    /// Asked once after one row in a hundred was new, with what was kept of the others.
    pub(crate) after_new: Option<Duration>,
    /// As a process of its own: kepi, then the `duckdb` program.
    pub(crate) cold: Option<(Duration, Duration)>,
    /// Beside ClickHouse, where it was asked.
    pub(crate) clickhouse: Option<Beside>,
    pub(crate) duckdb_first: Duration,
    pub(crate) duckdb_again: Duration,
    pub(crate) floor: Option<Duration>,
    /// Where the answers differ; none: they are equal.
    pub(crate) difference: Option<String>,
}

impl Asked {
    /// The times of both sides, for who waits.
    pub(crate) fn told(&self) -> String {
        let equal = if self.difference.is_some() { "; the answers differ" } else { "" };
        let (ours, theirs) = (millis(self.again), millis(self.duckdb_again));
        format!("{}: kepi {ours} ms, DuckDB {theirs} ms{equal}", self.title)
    }
}

/// Two engines by turns, with the second one's answer held against the first one's.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    pub(crate) kepi: Duration,
    pub(crate) theirs: Duration,
    /// Where the answers differ; none: they are equal.
    pub(crate) difference: Option<String>,
}

/// A file's loads.
#[derive(Clone, Debug)]
pub(crate) struct LoadLine {
    pub(crate) what: String,
    pub(crate) rows: u64,
    pub(crate) kepi: Duration,
    pub(crate) duckdb: Duration,
    pub(crate) kepi_bytes: u64,
    pub(crate) duckdb_bytes: u64,
}

/// What a run has found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub(crate) duckdb: String,
    /// ClickHouse's version, where it was asked.
    pub(crate) clickhouse: Option<String>,
    pub(crate) threads: usize,
    /// The streams that the questions are about, with their rows.
    pub(crate) rows: Vec<(String, u64)>,
    /// The machine's, at its highest.
    pub(crate) load_average: Option<f64>,
    /// kepi's and the bench's memory after the loads.
    pub(crate) peak_bytes: Option<u64>,
    /// kepi's store with everything in it, on disk.
    pub(crate) store_bytes: u64,
    pub(crate) loads: Vec<LoadLine>,
    pub(crate) asked: Vec<Asked>,
}

impl Report {
    /// The questions whose answers differ, with the difference.
    pub fn unequal(&self) -> Vec<(&str, String)> {
        let beside = |asked: &Asked| asked.clickhouse.as_ref()?.difference.clone();
        let of = |asked: &Asked| asked.difference.clone().or_else(|| beside(asked));
        self.asked.iter().filter_map(|asked| Some((asked.title, of(asked)?))).collect()
    }

    /// How many questions were asked.
    pub fn asked(&self) -> usize {
        self.asked.len()
    }

    /// As Markdown tables.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    /// What was asked of what, in a sentence.
    pub(crate) fn setting(&self) -> String {
        let rows: Vec<String> = self.rows.iter().map(|(name, rows)| format!("{} {name}", grouped(*rows))).collect();
        let mut text = format!("{}; {} threads on both sides, DuckDB {}", rows.join(", "), self.threads, self.duckdb);
        if let Some(load) = self.load_average {
            text.push_str(&format!(", load average {load:.1}"));
        }
        if let Some(bytes) = self.peak_bytes {
            text.push_str(&format!(", at most {} MB of memory while loading", bytes / 1_000_000));
        }
        text + "."
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{}\n", self.setting())?;
        let new = self.asked.iter().any(|asked| asked.after_new.is_some());
        let (head, rule) = if new { ("after 1 % new rows, ms | ", "---:|") } else { ("", "") };
        write!(out, "| question | kepi first, ms | kepi again, ms | kepi kept, ms | {head}")?;
        out.push_str(
            "DuckDB first, ms | DuckDB again, ms | DuckDB ÷ kepi, first | again | plain arrays, ms | equal |\n",
        );
        writeln!(out, "|---|---:|---:|---:|{rule}---:|---:|---:|---:|---:|---|")?;
        let mut family = "";
        for asked in &self.asked {
            if asked.family != family {
                family = asked.family;
                writeln!(out, "| **{family}** | | | | {}| | | | | |", if new { "| " } else { "" })?;
            }
            let after = match (new, asked.after_new) {
                (true, took) => format!("{} | ", took.map_or_else(String::new, millis)),
                (false, _) => String::new(),
            };
            let equal = match &asked.difference {
                None => "yes".to_string(),
                Some(difference) => format!("**no**: {difference}"),
            };
            writeln!(
                out,
                "| {} | {} | {} | {} | {after}{} | {} | {} | {} | {} | {equal} |",
                asked.title,
                millis(asked.first),
                millis(asked.again),
                asked.kept.map_or_else(String::new, millis),
                millis(asked.duckdb_first),
                millis(asked.duckdb_again),
                times(asked.duckdb_first, asked.first),
                times(asked.duckdb_again, asked.again),
                asked.floor.map_or_else(String::new, millis),
            )?;
        }
        self.write_summary(out)?;
        self.write_clickhouse(out)?;
        match self.loads.is_empty() {
            true => Ok(()),
            false => self.write_loads(out),
        }
    }

    /// The table of the questions that ClickHouse was asked; nothing where it was not.
    pub(crate) fn write_clickhouse(&self, out: &mut String) -> std::fmt::Result {
        let Some(version) = &self.clickhouse else { return Ok(()) };
        writeln!(out, "\n| beside ClickHouse {version} | kepi again, ms | ClickHouse again, ms | ÷ | equal |")?;
        out.push_str("|---|---:|---:|---:|---|\n");
        let both = || self.asked.iter().filter_map(|asked| Some((asked.title, asked.clickhouse.as_ref()?)));
        for (title, beside) in both() {
            let equal = beside.difference.as_ref().map_or("yes".to_string(), |other| format!("**no**: {other}"));
            let (ours, theirs) = (millis(beside.kepi), millis(beside.theirs));
            writeln!(out, "| {title} | {ours} | {theirs} | {} | {equal} |", times(beside.theirs, beside.kepi))?;
        }
        let ratios: Vec<f64> =
            both().map(|(_, beside)| beside.theirs.as_secs_f64() / beside.kepi.as_secs_f64().max(1e-9)).collect();
        writeln!(
            out,
            "\n{} questions; geometric mean of ClickHouse ÷ kepi {:.1}.",
            ratios.len(),
            geometric_mean(&ratios)
        )
    }

    /// The table of loads.
    pub(crate) fn write_loads(&self, out: &mut String) -> std::fmt::Result {
        out.push('\n');
        out.push_str("| load | rows | kepi, s | DuckDB, s | kepi, M rows/s | DuckDB, M rows/s | DuckDB ÷ kepi | kepi, bytes a row | DuckDB |\n");
        out.push_str("|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
        for load in &self.loads {
            let rows = load.rows.max(1) as f64;
            let rate = |took: Duration| format!("{:.2}", rows / took.as_secs_f64().max(1e-9) / 1e6);
            writeln!(
                out,
                "| {} | {} | {:.2} | {:.2} | {} | {} | {} | {:.1} | {:.1} |",
                load.what,
                grouped(load.rows),
                load.kepi.as_secs_f64(),
                load.duckdb.as_secs_f64(),
                rate(load.kepi),
                rate(load.duckdb),
                times(load.duckdb, load.kepi),
                load.kepi_bytes as f64 / rows,
                load.duckdb_bytes as f64 / rows,
            )?;
        }
        Ok(())
    }

    /// The geometric mean of the ratios, and the questions in which kepi is behind.
    fn write_summary(&self, out: &mut String) -> std::fmt::Result {
        let ratios = |of: fn(&Asked) -> (Duration, Duration)| -> Vec<f64> {
            let both = self.asked.iter().map(of).filter(|(_, ours)| !ours.is_zero());
            both.map(|(theirs, ours)| theirs.as_secs_f64().max(1e-9) / ours.as_secs_f64()).collect()
        };
        let (first, again) = (ratios(|a| (a.duckdb_first, a.first)), ratios(|a| (a.duckdb_again, a.again)));
        let behind = |ratios: &[f64]| ratios.iter().filter(|ratio| **ratio < 1.0).count();
        writeln!(
            out,
            "\n{} questions; geometric mean of DuckDB ÷ kepi {:.1} at first, {:.1} again; kepi behind in {} at first, in {} again.",
            self.asked.len(),
            geometric_mean(&first),
            geometric_mean(&again),
            behind(&first),
            behind(&again),
        )
    }
}

/// 1 of none.
pub(crate) fn geometric_mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len().max(1) as f64).exp()
}

pub(crate) fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis < 10.0 { format!("{millis:.1}") } else { format!("{millis:.0}") }
}

pub(crate) fn times(theirs: Duration, ours: Duration) -> String {
    format!("{:.1}", theirs.as_secs_f64() / ours.as_secs_f64().max(1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_numbers_as_people_read_them() {
        assert_eq!(millis(Duration::from_micros(9_440)), "9.4");
        assert_eq!(millis(Duration::from_micros(51_600)), "52");
        assert_eq!(times(Duration::from_millis(100), Duration::from_millis(40)), "2.5");
    }
}
