//! `kepi completions`: what a shell needs to complete commands and flags.

use crate::args::{Arguments, CompletionsArgs};
use crate::context::Context;
use crate::failure::Failure;
use clap::CommandFactory;

pub(crate) fn run(context: &Context, args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "kepi", &mut script);
    context.terminal.data(&script)
}
