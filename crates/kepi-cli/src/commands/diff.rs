//! `kepi diff`: how a metric changed, and what that does to its values.

use crate::args::DiffArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt;
use crate::times::parse_moment;
use kepi_engine::Request;
use kepi_view::definition_diff;

pub(crate) fn run(context: &Context, args: &DiffArgs) -> Result<(), Failure> {
    let engine = context.engine()?;
    let now = args.now.as_deref().map(|now| parse_moment(now, &engine.zone())).transpose()?;
    let request = Request { now, ..Request::default() };
    let guard = interrupt::stops(&request.cancel);
    let diff = engine.diff(&args.name, &request)?;
    drop(guard);
    let terminal = &context.terminal;
    terminal.data(definition_diff(&diff)?.as_bytes())?;
    if let Some(why) = &diff.without {
        terminal.note(&format!("its values cannot be compared: {why}"));
    }
    if diff.before.is_none() {
        terminal.note("no other definition of it was recorded; `kepi check` and `kepi load` record them");
    }
    Ok(())
}
