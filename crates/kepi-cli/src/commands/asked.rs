//! A text with queries from an argument, a file or the standard input, made into a request.

use crate::args::Asked;
use crate::failure::Failure;
use crate::times::parse_moment;
use kepi_engine::{Engine, Limits, Request};
use std::io::{IsTerminal, Read};
use std::path::Path;

/// Reads the text; one with nothing in it is a usage mistake.
pub(crate) fn text(asked: &Asked) -> Result<String, Failure> {
    let text = whole_text(asked)?;
    if text.trim().is_empty() { Err(no_query()) } else { Ok(text) }
}

fn no_query() -> Failure {
    Failure::usage("there is no query")
        .with_help("`kepi query 'show …'`, `kepi query -f FILE`, or `kepi repl` to ask at a prompt")
}

fn whole_text(asked: &Asked) -> Result<String, Failure> {
    if let Some(file) = &asked.file {
        if file == Path::new("-") {
            return standard_input();
        }
        return std::fs::read_to_string(file)
            .map_err(|e| Failure::io(format!("{} cannot be read: {e}", file.display())));
    }
    match asked.query.as_deref() {
        Some("-") => standard_input(),
        Some(text) => Ok(text.to_string()),
        None if std::io::stdin().is_terminal() => Err(no_query()),
        None => standard_input(),
    }
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    match std::io::stdin().lock().read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::io(format!("the standard input cannot be read: {error}"))),
    }
}

/// Makes the request.
pub(crate) fn request(engine: &Engine, asked: &Asked, text: String) -> Result<Request, Failure> {
    let now = match &asked.now {
        Some(now) => Some(parse_moment(now, &engine.zone())?),
        None => None,
    };
    let threads = asked.threads.and_then(|n| usize::try_from(n).ok());
    let limits = Limits { wall_time_max: asked.timeout, threads, memory_bytes_max: None };
    Ok(Request { text, now, limits, no_cache: asked.no_cache, ..Request::default() })
}
