//! `kepi init`: a project in a folder.

use crate::args::InitArgs;
use crate::context::Context;
use crate::failure::Failure;
use kepi_engine::Engine;

pub(crate) fn run(context: &Context, args: &InitArgs) -> Result<(), Failure> {
    let written = Engine::init(&args.dir, args.template.as_deref())?;
    let terminal = &context.terminal;
    for file in &written {
        terminal.words(&format!("wrote {}", file.display()));
    }
    terminal.hint("`kepi load FILE` brings data in and writes what it infers to model/; `kepi query 'show …'` asks");
    Ok(())
}
