//! `kepi sync`: pulls from a connector.

use super::load::{all_rejected, summary};
use crate::args::SyncArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Bar;
use crate::times::parse_moment;
use kepi_engine::{EngineError, SyncRequest};

pub(crate) fn run(context: &Context, args: &SyncArgs) -> Result<(), Failure> {
    let engine = context.engine()?;
    if args.state {
        return match engine.source_state(&args.source)? {
            Some(state) => context.terminal.data(format!("{state}\n").as_bytes()),
            None => {
                context.terminal.words(&format!("`{}` was never pulled", args.source));
                Ok(())
            }
        };
    }
    if args.reset || args.set_state.is_some() {
        return Ok(engine.set_source_state(&args.source, args.set_state.as_deref())?);
    }
    let since = match &args.since {
        Some(text) => Some(parse_moment(text, &engine.zone())?),
        None => None,
    };
    let request = SyncRequest {
        source: args.source.clone(),
        full: args.full,
        since,
        limit: args.limit,
        record: args.record.clone(),
        replay: args.replay.clone(),
        ..SyncRequest::default()
    };
    let guard = interrupt::stops(&request.cancel);
    let bar = Bar::new();
    let report = engine.sync(request, &|progress| bar.show(&progress));
    drop((bar, guard));
    let report = report?;
    for line in summary(&report) {
        context.terminal.words(&line);
    }
    // The source stands behind them now.
    let again = format!("once the source reads them, `kepi sync {} --full` pulls the rejected rows again", args.source);
    match report.rejected_count {
        0 => Ok(()),
        _ if all_rejected(&report) => Err(EngineError::data("no row could be stored").with_help(again).into()),
        _ => {
            context.terminal.hint(&again);
            Ok(())
        }
    }
}
