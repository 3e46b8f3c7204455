//! Messages about text that does not follow the grammar: what was expected in plain words, and the known repairs.

mod definition;
mod describe;
mod habits;
mod number;
mod query;
mod repair;
mod scene;

use crate::diagnostic::{Code, Diagnostic};
use crate::grammar::Rule;
use crate::scan::{Kind, Token};
use crate::span::Span;
use crate::split::Chunk;
use pest::error::{Error, ErrorVariant, InputLocation};

/// Returns the message for text or a name whose closing mark is missing.
pub(crate) fn unclosed(tokens: &[Token]) -> Option<Diagnostic> {
    let token = tokens.iter().find(|token| matches!(token.kind, Kind::OpenText | Kind::OpenTick))?;
    let place = Span::new(token.start, token.end);
    Some(if token.kind == Kind::OpenText {
        Diagnostic::error(Code::Unclosed, place, "this text has no closing quote on its line")
            .help("end it with `\"`; a quote inside text is written `\\\"`")
    } else {
        Diagnostic::error(Code::Unclosed, place, "this name has no closing backtick on its line")
            .help("end it with a backtick, as in `` `Survey date` ``")
    })
}

/// Makes the message for what pest could not match.
pub(crate) fn explain(text: &str, chunk: Chunk, tokens: &[Token], error: &Error<Rule>) -> Diagnostic {
    let at = chunk.start
        + match error.location {
            InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
        };
    let positives = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives.as_slice(),
        ErrorVariant::CustomError { .. } => {
            return Diagnostic::error(
                Code::TooLarge,
                Span::new(chunk.start, (chunk.start + 1).min(chunk.end)),
                "this statement takes too many steps to read",
            )
            .help("split it: name parts of it in definitions of their own");
        }
    };
    let index = tokens.iter().position(|token| token.end > at).unwrap_or(tokens.len());
    let scene = scene::Scene::new(text, tokens, index, chunk.end);
    repair::known(&scene).unwrap_or_else(|| generic(&scene, positives))
}

/// Says what was expected and what stands there instead.
fn generic(scene: &scene::Scene<'_>, positives: &[Rule]) -> Diagnostic {
    let expected = describe::expected(positives);
    let found = match scene.found() {
        "" => "the end".to_owned(),
        word if word.chars().count() <= 40 => format!("`{word}`"),
        _ => "this".to_owned(),
    };
    let message = match expected.split_last() {
        None => format!("{found} does not fit here"),
        Some((only, [])) => format!("expected {only}, found {found}"),
        Some((last, rest)) => format!("expected {} or {last}, found {found}", rest.join(", ")),
    };
    let problem = Diagnostic::error(Code::Syntax, scene.place(), message);
    match scene.before() {
        word if word.is_empty() || scene.found().is_empty() => problem,
        word => {
            let place = scene.place_before();
            problem.related(place, format!("after this `{word}`"))
        }
    }
}
