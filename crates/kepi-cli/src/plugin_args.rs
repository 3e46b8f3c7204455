//! The arguments of `kepi plugin` and its help.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct PluginArgs {
    #[command(subcommand)]
    pub(crate) command: PluginCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Begin a plugin
    New(NewArgs),
    /// Build a plugin's component from its source
    Build(BuildArgs),
    /// Check a plugin: its manifest, its file, its samples, and a connector against the service beside it
    Check(CheckArgs),
    /// Take a plugin into the project, and grant what it asks for
    Add(AddArgs),
    /// List the plugins that the project can use
    List,
    /// Take back what a plugin was granted
    Remove(RemoveArgs),
    /// Compare the plugins with kepi.lock
    Audit,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kepi plugin add acme.crm               one that lies in plugins/ of the project
  kepi plugin add ../crm-plugin --yes    one from elsewhere: its manifest and its file are copied to plugins/

What it asks for is shown and asked about. kepi.lock then holds the hashes of manifest and file and the grants; a plugin that
is not what was added is refused. Functions of a plugin in plugins/ work without it: they can do nothing but compute.")]
pub(crate) struct AddArgs {
    /// The id of a plugin in plugins/, or a folder with a kepi-plugin.toml
    #[arg(value_name = "ID|DIR")]
    pub(crate) plugin: String,
    /// Grant what it asks for without a question
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "A connector is checked against service.rhai beside it, a script that answers as the service does from the records of
fixtures/STREAM.json: with shared times, small pages, second runs, refusals, redirects, cut and repeated answers.
Exits with 1 when a rule is broken."
)]
pub(crate) struct CheckArgs {
    /// The id of a plugin in plugins/, or a folder with a kepi-plugin.toml; none: this folder, or all in plugins/
    #[arg(value_name = "ID|DIR")]
    pub(crate) plugins: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct RemoveArgs {
    /// The plugin's id
    pub(crate) id: String,
    /// Remove its folder in plugins/ as well
    #[arg(long)]
    pub(crate) files: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kepi plugin new margins --lang rhai --kind scalar       a KPI in a script of ten lines
  kepi plugin new crm --lang rest                         a web service without code, with an imitation to check it against
  kepi plugin new spread --lang rust --kind aggregate     a component; `kepi plugin build` builds it
  kepi plugin new till --lang python --kind connector     the same in Python

rust, python and js do every kind; rhai all but model; rest does connector.")]
pub(crate) struct NewArgs {
    /// Its name: small letters, digits and `-`
    pub(crate) name: String,
    /// What it is written in: rhai, rust, python or js; rest: a file that describes a web service
    #[arg(long, value_name = "LANGUAGE", default_value = "rhai", hide_possible_values = true)]
    pub(crate) lang: Language,
    /// What it is: scalar, aggregate, model, series or connector [default: scalar, with rest connector]
    #[arg(long, value_name = "KIND", hide_possible_values = true)]
    pub(crate) kind: Option<Kind>,
    /// Where its folder is made [default: plugins/ of the project, else this folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    Rhai,
    Rust,
    Python,
    #[value(alias = "javascript")]
    Js,
    Rest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Scalar,
    Aggregate,
    Connector,
    Model,
    Series,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Rust needs cargo and `rustup target add wasm32-unknown-unknown`; where rustup is absent, KEPI_WASM_TOOLCHAIN may name a
folder with a `rustc` that knows the target and has the standard library as source. Python needs componentize-py,
JavaScript node and componentize-js. Scripts and descriptions need no building."
)]
pub(crate) struct BuildArgs {
    /// The id of a plugin in plugins/, or its folder; none: this folder, or all in plugins/
    #[arg(value_name = "ID|DIR")]
    pub(crate) plugins: Vec<String>,
}
