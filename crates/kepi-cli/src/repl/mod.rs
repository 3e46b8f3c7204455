//! The prompt: queries, definitions and a few commands, with a person or from a pipe.

mod command;
mod editor;
mod highlight;
mod piped;
mod session;

use crate::context::Context;
use crate::failure::Failure;
use session::Session;
use std::io::IsTerminal;

/// Runs the prompt until it is left. From a pipe, the first failure gives the exit code.
pub(crate) fn run(context: &Context) -> Result<(), Failure> {
    let project = context.project()?;
    let mut session = Session::new(context.engine()?, context.terminal)?;
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        editor::run(&mut session, &project)
    } else {
        piped::run(&mut session, std::io::stdin().lock())
    }
}
