//! The arguments of `kepi store` and its help.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    pub(crate) command: StoreCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Say what is stored, and how much room it takes
    Info(JsonArgs),
    /// List the loads, and what was taken out
    Loads(JsonArgs),
    /// Read every file and check it
    Verify(VerifyArgs),
    /// Put the rows of each event together
    Compact(JsonArgs),
    /// Take out the rows that one load brought
    Unload(UnloadArgs),
    /// Erase everything about one customer, or another entity
    Erase(EraseArgs),
    /// Copy the project while others work with it
    Backup(BackupArgs),
    /// Put a copy into an empty folder
    Restore(RestoreArgs),
    /// Write the rows of an event as CSV, JSON lines or Parquet
    Export(ExportArgs),
}

#[derive(Args, Debug)]
pub(crate) struct JsonArgs {
    /// Print JSON for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Exits with 4 when something is damaged, and says in which file and where. Damaged answers that were kept for being asked
again are no damage: they are removed and computed anew."
)]
pub(crate) struct VerifyArgs {
    /// Make what can be made anew from the journal first: the list of files, the writer's memory
    #[arg(long)]
    pub(crate) repair: bool,
    /// Print JSON for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  kepi store loads; kepi store unload 7

Rows that the load replaced do not come back, attributes that it set stay, and rows that an earlier load had brought
already belong to that one: all of it is said. Load those files again if you need them.")]
pub(crate) struct UnloadArgs {
    /// The number of the load, as `kepi store loads` lists it
    pub(crate) load: u64,
    /// Print JSON for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kepi store erase --entity customer=ada@example.com
  kepi store erase --entity customer=C-17 --entity customer=C-18

All events that name the key go, in whatever column they name it, with its attributes, what these were, rejected rows, kept
answers and the prompt's history; keys merged with it are the same person and go too. An entry in `kepi store loads` stays,
without the key. The store is written anew, so erase many keys at once. What lies elsewhere is yours to remove: the files that
were loaded, backups, the source that a connector reads. Loading such a file again brings the key back.")]
pub(crate) struct EraseArgs {
    /// An entity and one of its keys; may be given several times
    #[arg(long, value_name = "ENTITY=KEY", value_parser = entity_key, required = true)]
    pub(crate) entity: Vec<(String, String)>,
    /// Print JSON for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kepi store backup /backups/sales-2026-03-17.tar
  kepi store backup /backups/today

Loads and queries may go on meanwhile. The copy has the settings, the model, the plugins and the store as of one snapshot;
secrets, rejected rows and kept answers are left out.")]
pub(crate) struct BackupArgs {
    /// A file that ends in .tar, or a folder that is empty or not there
    #[arg(value_name = "FILE|DIR")]
    pub(crate) target: PathBuf,
    /// Print JSON for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  kepi store restore /backups/sales-2026-03-17.tar sales")]
pub(crate) struct RestoreArgs {
    /// What `kepi store backup` made
    #[arg(value_name = "FILE|DIR")]
    pub(crate) backup: PathBuf,
    /// Where; a folder that is empty or not there
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) folder: PathBuf,
    /// Print JSON for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kepi store export orders > orders.csv
  kepi store export orders --output orders.parquet
  kepi store export customer --format jsonl        an entity: its keys and attributes

Keys, texts and amounts are written as they were loaded, times in UTC; keys that were merged as those that they mean.")]
pub(crate) struct ExportArgs {
    /// The event, or an entity
    #[arg(value_name = "EVENT")]
    pub(crate) name: String,
    /// csv, jsonl or parquet [default: by the ending of --output, else csv]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Write to a file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

fn entity_key(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((entity, key)) if !entity.is_empty() && !key.is_empty() => Ok((entity.to_string(), key.to_string())),
        _ => Err("write ENTITY=KEY, such as customer=C-17".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_have_any_characters() {
        assert_eq!(entity_key("customer=a=b"), Ok(("customer".to_string(), "a=b".to_string())));
        assert!(entity_key("customer").is_err() && entity_key("=x").is_err() && entity_key("x=").is_err());
    }
}
