//! The `kepi` command: reads its arguments, runs one command, ends with its exit code.

mod args;
mod commands;
mod context;
mod failure;
mod interrupt;
mod plugin_args;
mod progress;
mod repl;
mod store_args;
mod terminal;
mod times;

use args::{Arguments, Command};
use clap::{CommandFactory, Parser};
use context::Context;
use failure::Failure;
use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;
use terminal::Terminal;

fn main() -> ExitCode {
    kepi_engine::keep_memory();
    // clap ends the process itself: 0 for help and version, 2 for a mistake in the usage.
    let arguments = Arguments::parse();
    let terminal = Terminal::new(arguments.color);
    let context = Context::new(arguments.project, terminal);
    match run(&context, arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.say(&terminal);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(context: &Context, command: Option<Command>) -> Result<(), Failure> {
    let Some(command) = command else { return run_alone(context) };
    match command {
        Command::Init(args) => commands::init::run(context, &args),
        Command::Demo(args) => commands::demo::run(context, &args),
        Command::Load(args) => commands::load::run(context, &args),
        Command::Sync(args) => commands::sync::run(context, &args),
        Command::Query(args) => commands::query::run(context, &args),
        Command::Explain(args) => commands::explain::run(context, &args),
        Command::Check(args) => commands::check::run(context, &args),
        Command::Fmt(args) => commands::fmt::run(context, &args),
        Command::List(args) => commands::list::run(context, &args),
        Command::Describe(args) => commands::describe::run(context, &args),
        Command::Lineage(args) => commands::lineage::run(context, &args),
        Command::Diff(args) => commands::diff::run(context, &args),
        Command::Test(args) => commands::test::run(context, &args),
        Command::Target(args) => commands::target::run(context, &args),
        Command::Report(args) => commands::report::run(context, &args),
        Command::Plugin(args) => commands::plugin::run(context, &args.command),
        Command::Repl => repl::run(context),
        Command::Completions(args) => commands::completions::run(context, &args),
        Command::Man(args) => commands::man::run(context, &args),
        Command::Store(args) => commands::store::run(context, &args.command),
    }
}

/// `kepi` alone in a project: the prompt, for a person or for what comes through a pipe; else the help.
fn run_alone(context: &Context) -> Result<(), Failure> {
    let asked = match std::io::stdin().is_terminal() {
        true => std::io::stdout().is_terminal(),
        // Nothing asks where the input is empty, as in a job without one.
        false => std::io::stdin().lock().fill_buf().is_ok_and(|input| !input.is_empty()),
    };
    if asked && context.project().is_ok() {
        return repl::run(context);
    }
    context.terminal.data(Arguments::command().render_help().to_string().as_bytes())
}
