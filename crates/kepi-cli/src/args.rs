//! The arguments of the command, and its help.

use crate::plugin_args::PluginArgs;
use crate::store_args::StoreArgs;
use crate::terminal::Colour;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// KPIs as code, in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "kepi",
    bin_name = "kepi",
    version,
    max_term_width = 100,
    subcommand_required = false,
    after_help = "Without a command: the prompt, inside a project on a terminal.\n\
                  \n\
                  Exit codes: 0 fine, 1 the query, check or test failed, 2 usage, 3 a target missed, 4 data or files, 130 interrupted."
)]
pub(crate) struct Arguments {
    /// The project's folder [default: the nearest parent with a kepi.toml]
    #[arg(long, global = true, value_name = "DIR", env = "KEPI_PROJECT", hide_env_values = true)]
    pub(crate) project: Option<PathBuf>,
    /// When to use colours: auto, always or never; NO_COLOR is respected
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(crate) color: Colour,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a project
    Init(InitArgs),
    /// Make a small CRM company, load it and show its KPIs
    Demo(DemoArgs),
    /// Load files into the store
    Load(Box<LoadArgs>),
    /// Pull from a connector into the store
    Sync(SyncArgs),
    /// Answer queries
    Query(QueryArgs),
    /// Say how a query is understood and run
    Explain(ExplainArgs),
    /// Check names, types and units of the model
    Check(CheckArgs),
    /// Format files in the language's one style
    Fmt(FmtArgs),
    /// List what the model defines
    List(ListArgs),
    /// Describe one definition
    Describe(DescribeArgs),
    /// Say what a definition is made of, and what is made of it
    Lineage(LineageArgs),
    /// Say how a metric changed, and what that does to its values
    Diff(DiffArgs),
    /// Run the `test` blocks, each on its own rows
    Test(TestArgs),
    /// Say where the targets stand
    Target(TargetArgs),
    /// Run a report
    Report(ReportArgs),
    /// Make, check and permit plugins
    Plugin(PluginArgs),
    /// Look after the store: what is in it, checks, copies, taking things out
    Store(StoreArgs),
    /// Ask at a prompt
    Repl,
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print a page of the manual
    Man(ManArgs),
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  kepi init\n  kepi init sales --template crm")]
pub(crate) struct InitArgs {
    /// Where; the folder is made if need be
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Begin with a model: `crm`
    #[arg(long, value_name = "NAME")]
    pub(crate) template: Option<String>,
}

#[derive(Args, Debug)]
#[command(
    after_help = "A second run changes nothing: files that are there stay as they are, rows that are known stay single."
)]
pub(crate) struct DemoArgs {
    /// Where; a folder that holds something else is refused
    #[arg(default_value = "kepi-demo")]
    pub(crate) dir: PathBuf,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kepi load sales_pipeline.csv --source pipeline        a `source` of the model maps the columns
  kepi load orders.csv                                  infers the declaration, writes it to model/orders.kepi
  kepi load 'orders-*.csv.gz' --as orders --at ordered --id order_id --of customer=customer_id
  kepi load accounts.csv --entity account --key account
  zcat big.csv.gz | kepi load - --as orders

Loading the same rows again adds nothing. Malformed rows are kept in .kepi/rejected with the reason.")]
pub(crate) struct LoadArgs {
    /// CSV, TSV, JSON, Parquet or Arrow, plain, gzip or zstd; globs; `-` is the standard input. With --source: what the source names
    #[arg(required_unless_present = "source", value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// The `source` of the model that maps the columns
    #[arg(long, value_name = "NAME", conflicts_with_all = ["as_event", "entity", "at", "id", "of", "key"])]
    pub(crate) source: Option<String>,
    /// The event that the rows are
    #[arg(long = "as", value_name = "EVENT", conflicts_with = "entity")]
    pub(crate) as_event: Option<String>,
    /// The column of the time
    #[arg(long, value_name = "COLUMN", conflicts_with = "entity")]
    pub(crate) at: Option<String>,
    /// The column that identifies a row
    #[arg(long, value_name = "COLUMN", conflicts_with = "entity")]
    pub(crate) id: Option<String>,
    /// An entity and the column of its key; may be given several times
    #[arg(long, value_name = "ENTITY=COLUMN", value_parser = pair, conflicts_with = "entity")]
    pub(crate) of: Vec<(String, String)>,
    /// The entity whose attributes the rows are
    #[arg(long, value_name = "ENTITY", requires = "key")]
    pub(crate) entity: Option<String>,
    /// The column of the entity's key
    #[arg(long, value_name = "COLUMN", requires = "entity")]
    pub(crate) key: Option<String>,
    /// Take only rows for which this holds
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) where_: Option<String>,
    /// Keep columns that no declaration names, as text
    #[arg(long)]
    pub(crate) all: bool,
    /// Refuse a file whole if one row is malformed
    #[arg(long)]
    pub(crate) strict: bool,
    /// What a changed row with a known id does
    #[arg(long, value_name = "WHAT", default_value = "replace")]
    pub(crate) on_conflict: Conflict,
    /// What stands between columns: a character, `tab`, or `blanks`
    #[arg(long, value_name = "CHARACTER", allow_hyphen_values = true, help_heading = "How the file is written")]
    pub(crate) delimiter: Option<String>,
    /// The first row is data, not names
    #[arg(long, help_heading = "How the file is written")]
    pub(crate) no_header: bool,
    /// Names of the columns, separated by commas
    #[arg(long, value_name = "NAMES", help_heading = "How the file is written")]
    pub(crate) columns: Option<String>,
    /// The character encoding, such as `windows-1252`
    #[arg(long, value_name = "NAME", help_heading = "How the file is written")]
    pub(crate) encoding: Option<String>,
    /// The format of dates, such as `%d/%m/%Y`; `epoch`, `epoch_ms` for seconds, milliseconds since 1970
    #[arg(long, value_name = "FORMAT", help_heading = "How the file is written")]
    pub(crate) dates: Option<String>,
    /// The decimal character: `.` or `,`
    #[arg(long, value_name = "CHARACTER", help_heading = "How the file is written")]
    pub(crate) decimal: Option<String>,
    /// The time zone of times without an offset
    #[arg(long, value_name = "ZONE", help_heading = "How the file is written")]
    pub(crate) timezone: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((entity, column)) if !entity.is_empty() && !column.is_empty() => {
            Ok((entity.to_string(), column.to_string()))
        }
        _ => Err("write ENTITY=COLUMN, such as customer=customer_id".to_string()),
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Conflict {
    /// The known row stays
    Keep,
    /// The new row takes its place
    Replace,
}

#[derive(Args, Debug)]
pub(crate) struct SyncArgs {
    /// The source of the model that names the connector
    pub(crate) source: String,
    /// Begin anew, without the stored cursor
    #[arg(long)]
    pub(crate) full: bool,
    /// Only what changed from this time on
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// How many records at most
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Write the answers from outside to this folder
    #[arg(long, value_name = "DIR", conflicts_with = "replay")]
    pub(crate) record: Option<PathBuf>,
    /// Take the answers from this folder instead of from outside
    #[arg(long, value_name = "DIR")]
    pub(crate) replay: Option<PathBuf>,
    /// Pull nothing: print where the source stands, as JSON
    #[arg(long, group = "instead")]
    pub(crate) state: bool,
    /// Pull nothing: let the source stand where this JSON says
    #[arg(long, value_name = "JSON", group = "instead")]
    pub(crate) set_state: Option<String>,
    /// Pull nothing: forget where the source stands; its rows stay
    #[arg(long, group = "instead")]
    pub(crate) reset: bool,
}

/// A text with queries, and what they may use.
#[derive(Args, Debug)]
pub(crate) struct Asked {
    /// The text; `-` (or nothing, when piped) is the standard input
    #[arg(value_name = "QUERY", conflicts_with = "file")]
    pub(crate) query: Option<String>,
    /// A file with the text
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The moment for which it is answered: 2026-03-01, or with a time and an offset
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// How long it may take: 30s, 500ms, 2m
    #[arg(long, value_name = "TIME", value_parser = crate::times::parse_length)]
    pub(crate) timeout: Option<std::time::Duration>,
    /// Compute anew, also where an answer is kept from before
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// How many threads it may use
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(crate) threads: Option<u64>,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kepi query 'show new_revenue by region per month last 12 months vs previous year'
  kepi query 'win_rate, sales_cycle this year to date' --format line
  kepi query -f board.kepi --format json --output board.json --now 2026-03-01

Data go to the standard output, notes to the standard error.")]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// table, line, md, html, csv, json or jsonl [default: by the ending of --output, else table]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Write to a file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Add the totals over all rows
    #[arg(long)]
    pub(crate) totals: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  kepi explain 'show first_year_value per month' --level words")]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How deep [default: all]
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    pub(crate) level: Vec<Level>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// What is computed, in sentences
    Words,
    /// What ran, with row counts
    Steps,
    /// The physical plan
    Plan,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// Files to check beside the model; none: the model
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Print JSON for editors and scripts
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct FmtArgs {
    /// Files and folders; none: the project's model; `-` is the standard input
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Change nothing; exit 1 if something would change
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  kepi lineage cac --format dot | dot -Tsvg > cac.svg")]
pub(crate) struct LineageArgs {
    /// The name of a definition, a source, a target or a report
    pub(crate) name: String,
    /// text, json, dot or mermaid
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: LineageFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LineageFormat {
    Text,
    Json,
    Dot,
    Mermaid,
}

#[derive(Args, Debug)]
#[command(
    after_help = "The definitions of metrics are recorded by `kepi check` and `kepi load` in .kepi/definitions.jsonl."
)]
pub(crate) struct DiffArgs {
    /// The metric's name
    pub(crate) name: String,
    /// The moment for which its values are computed: 2026-03-01, or with a time and an offset
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct TestArgs {
    /// Files with tests, beside the model; none: the model's own
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Args, Debug)]
#[command(after_help = "Exits with 3 when a target is missed.")]
pub(crate) struct TargetArgs {
    /// Only this one
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// table or json
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: TargetFormat,
    /// The moment for which it is said: 2026-03-01, or with a time and an offset
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetFormat {
    Table,
    Json,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  kepi report monthly_review --format html --output review.html")]
pub(crate) struct ReportArgs {
    /// The report's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// table, line, md, html, csv, json or jsonl [default: by the ending of --output, else table]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Write to a file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The moment for which it is answered: 2026-03-01, or with a time and an offset
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Only this kind: metric, event, entity, measure, segment, dimension, source …
    #[arg(value_name = "KIND")]
    pub(crate) kind: Option<String>,
}

#[derive(Args, Debug)]
#[command(
    after_help = "The models behind a metric, a dimension or a segment are fitted, and it is said how well they fit."
)]
pub(crate) struct DescribeArgs {
    /// The definition's name
    pub(crate) name: String,
    /// text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: DescribeFormat,
    /// The moment for which its models are fitted: 2026-03-01, or with a time and an offset
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DescribeFormat {
    Text,
    Json,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  kepi completions bash > ~/.local/share/bash-completion/completions/kepi")]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kepi man | man -l -
  kepi man store erase | man -l -
  kepi man --output ~/.local/share/man/man1        all pages, as files")]
pub(crate) struct ManArgs {
    /// The command; none: kepi itself
    #[arg(value_name = "COMMAND", conflicts_with = "output")]
    pub(crate) command: Vec<String>,
    /// Write the pages of all commands into this folder
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn entities_and_columns_come_in_pairs() {
        assert_eq!(pair("customer=customer id"), Ok(("customer".to_string(), "customer id".to_string())));
        assert!(pair("customer").is_err() && pair("=x").is_err() && pair("x=").is_err());
    }
}
