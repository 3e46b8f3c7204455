//! `kepi plugin`: making, checking and permitting plugins.

mod add;
mod audit;
mod list;

use crate::context::Context;
use crate::failure::Failure;
use crate::plugin_args::PluginCommand;
use kepi_view::inert;

pub(crate) fn run(context: &Context, command: &PluginCommand) -> Result<(), Failure> {
    match command {
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
