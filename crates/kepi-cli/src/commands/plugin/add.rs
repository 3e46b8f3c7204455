//! `kepi plugin add`: shows what a plugin asks for, asks, and grants it.

use crate::context::Context;
use crate::failure::Failure;
use crate::plugin_args::AddArgs;
use kepi_view::inert;
use std::io::{BufRead, IsTerminal};

pub(crate) fn run(context: &Context, args: &AddArgs) -> Result<(), Failure> {
    let engine = context.engine()?;
    let offer = engine.plugin_offer(&args.plugin)?;
    let terminal = &context.terminal;
    let about = match offer.description.is_empty() {
        true => String::new(),
        false => format!(": {}", inert(&offer.description)),
    };
    terminal.words(&format!("{} {}{about}", inert(&offer.id), inert(&offer.version)));
    if offer.added {
        terminal.words("it is added already, just as it is");
        return Ok(());
    }
    for change in &offer.changes {
        terminal.words(&format!("since it was added: {}", inert(change)));
    }
    match offer.asks.as_slice() {
        [] => terminal.words("it asks for nothing: it can only compute"),
        asks => {
            terminal.words("it asks:");
            asks.iter().for_each(|ask| terminal.words(&format!("  {}", inert(ask))));
        }
    }
    if !args.yes && !agreed(context)? {
        terminal.words("nothing was granted");
        return Err(Failure::Said(1));
    }
    engine.plugin_add(&offer)?;
    terminal.words("added: kepi.lock has its hashes and what was granted");
    Ok(())
}

/// Asks the person at the terminal; without one there is nobody to ask.
fn agreed(context: &Context) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("nobody is there to be asked").with_help("`--yes` grants it without a question"));
    }
    context.terminal.words("Grant this? [y/N]");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|e| Failure::io(format!("the answer cannot be read: {e}")))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
