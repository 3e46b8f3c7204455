//! `kepi man`: pages of the manual, made of the same words as the help.

use crate::args::{Arguments, ManArgs};
use crate::context::Context;
use crate::failure::Failure;
use clap::{Command, CommandFactory};

pub(crate) fn run(context: &Context, args: &ManArgs) -> Result<(), Failure> {
    let mut root = Arguments::command();
    // Building gives every command its whole name and the options that all have.
    root.build();
    if let Some(folder) = &args.output {
        let fails = |e: std::io::Error| Failure::io(format!("{} cannot be written: {e}", folder.display()));
        std::fs::create_dir_all(folder).map_err(fails)?;
        clap_mangen::generate_to(Arguments::command(), folder).map_err(fails)?;
        return Ok(());
    }
    let mut command = &root;
    for name in &args.command {
        command = command.find_subcommand(name).ok_or_else(|| unknown(command, name))?;
    }
    let mut page = Vec::new();
    let title = command.get_display_name().unwrap_or("kepi").to_string();
    let page_of = clap_mangen::Man::new(command.clone()).title(title.to_uppercase()).section("1");
    page_of.render(&mut page).map_err(|e| Failure::io(format!("the page cannot be made: {e}")))?;
    context.terminal.data(&page)
}

fn unknown(command: &Command, name: &str) -> Failure {
    let known: Vec<&str> = command.get_subcommands().map(Command::get_name).filter(|name| *name != "help").collect();
    let failure = Failure::usage(format!("there is no command `{name}`"));
    match known.is_empty() {
        true => failure,
        false => failure.with_help(format!("there are {}", known.join(", "))),
    }
}
