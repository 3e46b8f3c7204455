//! `kepi report`: the queries of a report, answered together.

use super::query::{format, say_beside, write_file};
use crate::args::ReportArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt;
use crate::times::parse_moment;
use kepi_engine::Request;
use kepi_view::{Look, page};

pub(crate) fn run(context: &Context, args: &ReportArgs) -> Result<(), Failure> {
    // A format that is not there is refused before anything runs.
    let format = format(args.format.as_deref(), args.output.as_deref())?;
    let engine = context.engine()?;
    let now = args.now.as_deref().map(|now| parse_moment(now, &engine.zone())).transpose()?;
    let request = Request { now, ..Request::default() };
    let guard = interrupt::stops(&request.cancel);
    let report = engine.report(&args.name, &request)?;
    drop(guard);
    let terminal = &context.terminal;
    let title = report.title.as_deref().unwrap_or(&report.name);
    let look = if args.output.is_some() { Look::default() } else { terminal.out };
    let bytes = match format.name {
        "html" => page(title, report.doc.as_deref(), &report.answers)?.into_bytes(),
        "md" => {
            let mut text = format!("# {title}\n\n");
            text.extend(report.doc.iter().map(|doc| format!("{doc}\n\n")));
            for answer in &report.answers {
                text.push_str(&format!("## {}\n\n", answer.query));
                text.push_str(&String::from_utf8_lossy(&(format.write)(std::slice::from_ref(answer), look)?));
                text.push('\n');
            }
            text.into_bytes()
        }
        _ => (format.write)(&report.answers, look)?,
    };
    match &args.output {
        Some(file) => write_file(file, &bytes)?,
        None => terminal.data(&bytes)?,
    }
    say_beside(terminal, format, "", None, &report.answers);
    Ok(())
}
