//! The arguments of `kepi plugin` and its help.

use clap::{Args, Subcommand};

#[derive(Args, Debug)]
pub(crate) struct PluginArgs {
    #[command(subcommand)]
    pub(crate) command: PluginCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
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
