//! `kepi target`: where the targets stand; exit code 3 when one is missed.

use crate::args::{TargetArgs, TargetFormat};
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt;
use crate::times::parse_moment;
use kepi_engine::{Request, TargetState};
use kepi_view::{targets_json, targets_table};

/// The exit code of a missed target.
const MISSED: u8 = 3;

pub(crate) fn run(context: &Context, args: &TargetArgs) -> Result<(), Failure> {
    let engine = context.engine()?;
    let zone = engine.zone();
    let now = args.now.as_deref().map(|now| parse_moment(now, &zone)).transpose()?;
    let request = Request { now, ..Request::default() };
    let guard = interrupt::stops(&request.cancel);
    let targets = engine.targets(args.name.as_deref(), &request)?;
    drop(guard);
    let terminal = &context.terminal;
    match args.format {
        TargetFormat::Json => terminal.data(targets_json(&targets, &zone).as_bytes())?,
        TargetFormat::Table if targets.is_empty() => terminal.words("the model declares no targets"),
        TargetFormat::Table => terminal.data(targets_table(&targets, &zone, terminal.out).as_bytes())?,
    }
    let missed = targets.iter().any(|target| target.state == TargetState::Missed);
    if missed { Err(Failure::Said(MISSED)) } else { Ok(()) }
}
