//! The interpreter: limits, what it offers to scripts, and what its errors mean.

use super::context::{self, Answer, Ask, Halt};
use super::{columns, json, keyset, network};
use crate::failure::{Failure, inert};
use crate::settings::{Limits, bytes_in_words};
use rhai::module_resolvers::DummyModuleResolver;
use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Position};

/// After so many operations a script is asked whether its time is over.
const OPERATIONS_BETWEEN_CHECKS: u64 = 256;
/// Functions that a script may have.
const FUNCTIONS_MAX: usize = 500;

/// What `bad_argument("…")` makes: thrown, it says that the caller is at fault.
#[derive(Clone)]
struct BadArgument(String);

pub(super) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// An interpreter with all limits set and nothing ambient: no files, no clock, no modules, no `eval`.
pub(super) fn build(limits: &Limits) -> Engine {
    let mut engine = Engine::new();
    engine.set_max_operations(limits.script_operations_max);
    engine.set_max_call_levels(limits.script_call_depth_max);
    engine.set_max_expr_depths(limits.script_expression_depth_max, limits.script_expression_depth_max);
    engine.set_max_variables(limits.script_variables_max);
    engine.set_max_functions(FUNCTIONS_MAX);
    engine.set_max_modules(0);
    engine.set_max_string_size(limits.script_text_bytes_max);
    engine.set_max_array_size(limits.script_array_items_max);
    engine.set_max_map_size(limits.script_map_entries_max);
    engine.set_module_resolver(DummyModuleResolver::new());
    engine.disable_symbol("eval");
    engine.disable_symbol("import");
    engine.on_progress(|operations| {
        let due = operations.is_multiple_of(OPERATIONS_BETWEEN_CHECKS);
        if due { context::halt().map(Dynamic::from) } else { None }
    });
    engine.on_print(context::log);
    engine.on_debug(|text, _, _| context::log(text));

    // The interpreter's own would stop the thread, or tell the time on the wall.
    engine.register_fn("sleep", |_: i64| -> Fallible<()> { refuse("a script cannot sleep") });
    engine.register_fn("sleep", |_: f64| -> Fallible<()> { refuse("a script cannot sleep") });
    engine.register_fn("timestamp", || -> Fallible<()> { refuse("a script has no clock but now()") });

    columns::register(&mut engine);
    engine.register_type_with_name::<BadArgument>("bad_argument");
    engine.register_fn("bad_argument", |message: ImmutableString| BadArgument(message.to_string()));
    engine.register_fn("log", |message: ImmutableString| context::log(&message));
    network::register(&mut engine);
    engine.register_fn("now", || -> Fallible<i64> {
        match context::ask(Ask::Now) {
            Ok(Answer::Instant(now)) => Ok(now),
            other => refuse(&other.err().unwrap_or_default()),
        }
    });
    engine.register_fn("read_file", |path: ImmutableString| -> Fallible<ImmutableString> {
        match context::ask(Ask::ReadFile(path.to_string())) {
            Ok(Answer::Text(text)) => Ok(text.into()),
            other => refuse(&other.err().unwrap_or_default()),
        }
    });
    engine.register_fn("list_files", |pattern: ImmutableString| -> Fallible<Array> {
        match context::ask(Ask::ListFiles(pattern.to_string())) {
            Ok(Answer::Names(names)) => Ok(names.into_iter().map(Dynamic::from).collect()),
            other => refuse(&other.err().unwrap_or_default()),
        }
    });
    engine.register_fn("parse_json", |text: ImmutableString| json::parse(&text).or_else(|error| refuse(&error)));
    engine.register_fn("json_records", |text: ImmutableString| json::records(&text).or_else(|error| refuse(&error)));
    engine.register_fn("keyset_page", |records: Array, fields: Array, cursor: Dynamic, size: i64| {
        keyset::page(records, &fields, &cursor, size).or_else(|error| refuse(&error))
    });
    engine.register_fn("to_json", |value: Dynamic| -> Fallible<ImmutableString> {
        json::write(&value).map(Into::into).or_else(|error| refuse(&error))
    });
    engine
}

/// An error of a function that scripts call.
pub(super) fn refuse<T>(message: &str) -> Fallible<T> {
    Err(message.into())
}

/// A place as messages say it: `:12` or nothing where it is not known.
pub(super) fn place(position: Position) -> String {
    position.line().map(|line| format!(":{line}")).unwrap_or_default()
}

/// Says in words why a script ended, with its own line.
pub(super) fn explain(error: &EvalAltResult, file: &str, limits: &Limits) -> Failure {
    let mut inner = error;
    // The outermost error says only which function was called.
    while let EvalAltResult::ErrorInFunctionCall(_, _, cause, _) = inner {
        inner = cause;
    }
    let failed = |message: &str| Failure::Failed(format!("{file}{}: {}", place(inner.position()), inert(message)));
    match inner {
        EvalAltResult::ErrorTerminated(why, _) => {
            let halt = why.clone().try_cast::<Halt>().unwrap_or(Halt::Stopped);
            halt.failure(limits)
        }
        EvalAltResult::ErrorTooManyOperations(_) => {
            Failure::Limit(format!("{} operations", limits.script_operations_max))
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            Failure::Limit(format!("{} calls within calls", limits.script_call_depth_max))
        }
        EvalAltResult::ErrorTooManyVariables(_) => Failure::Limit(format!("{} variables", limits.script_variables_max)),
        EvalAltResult::ErrorDataTooLarge(what, _) if what.contains("string") => {
            Failure::Limit(format!("{} of text", bytes_in_words(limits.script_text_bytes_max)))
        }
        EvalAltResult::ErrorDataTooLarge(what, _) if what.contains("map") => {
            Failure::Limit(format!("{} entries of a map", limits.script_map_entries_max))
        }
        EvalAltResult::ErrorDataTooLarge(..) => {
            Failure::Limit(format!("{} items of an array", limits.script_array_items_max))
        }
        EvalAltResult::ErrorRuntime(value, _) => match value.clone().try_cast::<BadArgument>() {
            Some(BadArgument(message)) => Failure::Argument(inert(&message)),
            None => network::fault(value).unwrap_or_else(|| failed(&value.to_string())),
        },
        other => {
            // The interpreter's own text ends with the place, which stands in front already.
            let text = other.to_string();
            let end = text.rfind(" (line ").unwrap_or(text.len());
            failed(&text[..end])
        }
    }
}
