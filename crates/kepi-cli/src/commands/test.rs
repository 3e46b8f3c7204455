//! `kepi test`: the model's tests, each on its own rows.

use crate::args::TestArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt;
use kepi_engine::Cancel;
use kepi_view::test_report;

pub(crate) fn run(context: &Context, args: &TestArgs) -> Result<(), Failure> {
    let engine = context.engine()?;
    let cancel = Cancel::default();
    let guard = interrupt::stops(&cancel);
    let report = engine.test(&args.files, &cancel)?;
    drop(guard);
    let terminal = &context.terminal;
    terminal.data(test_report(&report, terminal.out)?.as_bytes())?;
    let (all, passed) = (report.tests.len(), report.passed());
    match all {
        0 => terminal.words("there are no tests; a `test` block in a model file is one"),
        _ => terminal.words(&format!("{passed} of {all} passed")),
    }
    if passed < all { Err(Failure::Said(1)) } else { Ok(()) }
}
