//! `kepi plugin check`: a line per rule, and the name of each fault.

use super::folders;
use crate::context::Context;
use crate::failure::Failure;
use crate::plugin_args::CheckArgs;
use kepi_engine::{Verdict, check_plugin};
use kepi_view::inert;

pub(crate) fn run(context: &Context, args: &CheckArgs) -> Result<(), Failure> {
    let mut broken = 0;
    for folder in folders(context, &args.plugins)? {
        let check = check_plugin(&folder)?;
        let mut out = format!("{} {}\n", inert(&check.id), inert(&check.version));
        for result in &check.rules {
            let place = match result.stream.is_empty() {
                true => String::new(),
                false => format!("{}: ", inert(&result.stream)),
            };
            let rule = result.rule;
            match &result.verdict {
                Verdict::Holds => out.push_str(&format!("  ok    {place}{rule}\n")),
                Verdict::NotChecked(why) => out.push_str(&format!("  –     {place}{rule}: {}\n", inert(why))),
                Verdict::Broken(faults) => {
                    for fault in faults {
                        out.push_str(&format!("  fails {place}{rule}: {}\n", inert(fault)));
                    }
                }
            }
        }
        context.terminal.data(out.as_bytes())?;
        match check.broken() {
            0 => {}
            1 => context.terminal.words("1 rule is broken"),
            many => context.terminal.words(&format!("{many} rules are broken")),
        }
        broken += check.broken();
    }
    if broken == 0 { Ok(()) } else { Err(Failure::Said(1)) }
}
