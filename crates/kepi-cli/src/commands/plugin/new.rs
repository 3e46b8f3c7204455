//! `kepi plugin new`: the files with which a plugin begins.

use crate::context::Context;
use crate::failure::Failure;
use crate::plugin_args::{Kind, Language, NewArgs};
use kepi_engine::{PluginKind, PluginLanguage, new_plugin};
use std::path::PathBuf;

pub(crate) fn run(context: &Context, args: &NewArgs) -> Result<(), Failure> {
    let place = match &args.dir {
        Some(dir) => dir.clone(),
        None => context.project().map_or_else(|_| PathBuf::from("."), |project| project.join("plugins")),
    };
    let language = match args.lang {
        Language::Rhai => PluginLanguage::Rhai,
        Language::Rust => PluginLanguage::Rust,
        Language::Python => PluginLanguage::Python,
        Language::Js => PluginLanguage::JavaScript,
        Language::Rest => PluginLanguage::Rest,
    };
    let usual = if args.lang == Language::Rest { Kind::Connector } else { Kind::Scalar };
    let kind = match args.kind.unwrap_or(usual) {
        Kind::Scalar => PluginKind::Scalar,
        Kind::Aggregate => PluginKind::Aggregate,
        Kind::Connector => PluginKind::Connector,
        Kind::Model => PluginKind::Model,
        Kind::Series => PluginKind::Series,
    };
    let written = new_plugin(&place, &args.name, language, kind)?;
    let terminal = &context.terminal;
    let carried = |file: &&PathBuf| file.components().any(|part| part.as_os_str() == "sdk");
    for file in written.iter().filter(|file| !carried(file)) {
        terminal.words(&format!("wrote {}", file.display()));
    }
    match written.iter().filter(carried).count() {
        0 => {}
        files => terminal
            .words(&format!("wrote {files} files of the SDK to {}", place.join(&args.name).join("sdk").display())),
    }
    // What lies in the project's plugins/ is called by its id, anything else by its place.
    let own = args.dir.is_none() && context.project().is_ok();
    let folder = if own { format!("my.{}", args.name) } else { place.join(&args.name).display().to_string() };
    let builds = match args.lang {
        Language::Rhai | Language::Rest => String::new(),
        Language::Rust | Language::Python | Language::Js => format!("`kepi plugin build {folder}` builds it, "),
    };
    terminal.hint(&format!(
        "{builds}`kepi plugin check {folder}` checks it; a model uses it by `use plugin \"my.{}\" as {}`",
        args.name,
        args.name.replace('-', "_")
    ));
    Ok(())
}
