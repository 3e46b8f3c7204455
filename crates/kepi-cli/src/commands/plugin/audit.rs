//! `kepi plugin audit`: what each plugin may do, and what is not as kepi.lock says.

use crate::context::Context;
use crate::failure::Failure;
use kepi_view::inert;

pub(crate) fn run(context: &Context) -> Result<(), Failure> {
    let audit = context.engine()?.plugin_audit()?;
    let mut out = String::new();
    for (plugin, granted) in &audit.granted {
        out.push_str(&format!("{} may\n", inert(plugin)));
        granted.iter().for_each(|line| out.push_str(&format!("  {}\n", inert(line))));
    }
    context.terminal.data(out.as_bytes())?;
    for (plugin, what, help) in &audit.problems {
        context.terminal.error(&format!("{}: {}", inert(plugin), inert(what)));
        context.terminal.hint(&inert(help));
    }
    match audit.problems.len() {
        0 => {
            context.terminal.words("every plugin is what was added");
            Ok(())
        }
        _ => Err(Failure::Said(1)),
    }
}
