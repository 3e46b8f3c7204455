//! `kepi plugin`: making, checking and permitting plugins.

mod add;
mod audit;
mod check;
mod list;
mod new;

use crate::context::Context;
use crate::failure::Failure;
use crate::plugin_args::PluginCommand;
use kepi_engine::{build_plugin, is_shipped_plugin};
use kepi_view::inert;
use std::path::{Path, PathBuf};

pub(crate) fn run(context: &Context, command: &PluginCommand) -> Result<(), Failure> {
    match command {
        PluginCommand::New(args) => new::run(context, args),
        PluginCommand::Build(args) => {
            for folder in folders(context, &args.plugins)? {
                let said = match build_plugin(&folder)? {
                    Some(component) => format!("built {}", component.display()),
                    None => format!("{}: nothing has to be built", folder.display()),
                };
                context.terminal.words(&said);
            }
            Ok(())
        }
        PluginCommand::Check(args) => check::run(context, args),
        PluginCommand::Add(args) => add::run(context, args),
        PluginCommand::List => list::run(context),
        PluginCommand::Remove(args) => {
            let folder = context.engine()?.plugin_remove(&args.id, args.files)?;
            context.terminal.words(&format!("{} has no grants any more", inert(&args.id)));
            if let Some(folder) = folder {
                context.terminal.words(&format!("removed {}", folder.display()));
            }
            Ok(())
        }
        PluginCommand::Audit => audit::run(context),
    }
}

/// The folders of plugins that are named: by id in the project, or by their place; none: this folder, or all of the
/// project.
fn folders(context: &Context, named: &[String]) -> Result<Vec<PathBuf>, Failure> {
    let is_plugin = |folder: &Path| folder.join("kepi-plugin.toml").is_file();
    if named.is_empty() {
        if is_plugin(Path::new(".")) {
            return Ok(vec![PathBuf::from(".")]);
        }
        let own = context.engine()?.plugin_folders();
        return match own.is_empty() {
            true => Err(Failure::usage("there is no plugin here, and none in plugins/ of the project")
                .with_help("`kepi plugin new` makes one")),
            false => Ok(own.into_iter().map(|(_, folder)| folder).collect()),
        };
    }
    let one = |name: &String| {
        if is_plugin(Path::new(name)) {
            return Ok(PathBuf::from(name));
        }
        let own = context.engine().map(|engine| engine.plugin_folders()).unwrap_or_default();
        let known = own.into_iter().find(|(id, _)| id == name).map(|(_, folder)| folder);
        known.ok_or_else(|| match is_shipped_plugin(name) {
            true => Failure::usage(format!("{name} is part of kepi; its source is in plugins/ of kepi's own checkout"))
                .with_help("name its folder there"),
            false => {
                Failure::usage(format!("{name} is neither a folder with a kepi-plugin.toml nor the id of a plugin"))
                    .with_help("`kepi plugin list` shows what there is")
            }
        })
    };
    named.iter().map(one).collect()
}
