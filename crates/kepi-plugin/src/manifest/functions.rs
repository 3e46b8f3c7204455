//! What must hold of the functions in a manifest: names, kinds, what stands where, what models and series give.

use super::check::{Mistake, is_name};
use super::written::{Kinds, WrittenFunction, WrittenSample};
use super::{ManifestFunction, ManifestSample};
use crate::kinds::{parse_accepted, parse_returns};
use kepi_model::declared::{FunctionKind, Returns, Signature, SignatureParameter};
use kepi_model::value::Kind;
use toml::Spanned;

/// A function, or its first mistake.
pub(super) fn check_function(function: WrittenFunction) -> Result<ManifestFunction, Mistake> {
    check_name(&function.name)?;
    if function.doc.get_ref().trim().is_empty() {
        return Err((function.doc.span(), "the doc is empty; `kepi describe` shows it".to_string()));
    }
    let kind = *function.kind.get_ref();
    let params_span = function.params.span();
    if kind != FunctionKind::Scalar && function.params.get_ref().is_empty() {
        let which = if kind == FunctionKind::Aggregate { "an aggregate" } else { kind.word() };
        return Err((params_span, format!("{which} needs a parameter")));
    }
    let mut parameters: Vec<SignatureParameter> = Vec::new();
    for parameter in function.params.into_inner() {
        check_name(&parameter.name)?;
        let span = parameter.name.span();
        if parameters.iter().any(|p| p.name == *parameter.name.get_ref()) {
            return Err((span, format!("the parameter `{}` is there twice", parameter.name.get_ref())));
        }
        if !parameter.optional && parameters.last().is_some_and(|p| p.optional) {
            return Err((span, "a needed parameter cannot stand behind an optional one".to_string()));
        }
        let words = match parameter.kind.get_ref() {
            Kinds::One(word) => std::slice::from_ref(word),
            Kinds::Several(words) => words.as_slice(),
        };
        let mut accepts = Vec::new();
        for word in words {
            accepts.extend(parse_accepted(word).map_err(|message| (parameter.kind.span(), message))?);
        }
        parameters.push(SignatureParameter {
            name: parameter.name.into_inner(),
            accepts,
            optional: parameter.optional,
            constant: parameter.constant,
        });
    }
    check_shape(kind, &parameters).map_err(|message| (params_span, message))?;
    let names: Vec<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
    let returns_span = function.returns.span();
    let returns = parse_returns(function.returns.get_ref(), &names);
    let returns = returns.map_err(|message| (function.returns.span(), message))?;
    if let Returns::SameAs(index) = returns
        && parameters[index].optional
    {
        return Err((function.returns.span(), "the result cannot be the same as an optional parameter".to_string()));
    }
    let (name, doc) = (function.name.into_inner(), function.doc.into_inner().trim().to_string());
    check_learned(kind, &parameters, &returns).map_err(|message| (returns_span, message))?;
    let signature = Signature { name, kind, doc, parameters, returns };
    let sample = |written: WrittenSample| ManifestSample {
        args: written.args.into_iter().map(plain).collect(),
        season: written.season,
        now: written.now.map(|now| now.to_string()),
        gives: plain(written.gives),
    };
    let samples = function.samples.into_iter().map(sample).collect();
    Ok(ManifestFunction { signature, sees_missing: function.sees_missing, samples })
}

/// A value of a sample; TOML has no word for what is missing.
fn plain(value: toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) if text == "missing" => serde_json::Value::Null,
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(yes) => yes.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(plain).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(name, value)| (name, plain(value))).collect(),
    }
}

/// What stands first in the parameters of a model and a series, and where constants may stand.
fn check_shape(kind: FunctionKind, parameters: &[SignatureParameter]) -> Result<(), String> {
    let entity = |p: &SignatureParameter| p.accepts.iter().any(|kind| matches!(kind, Kind::Entity(_)));
    for (index, parameter) in parameters.iter().enumerate() {
        let (name, first) = (&parameter.name, index == 0);
        let of_model = kind == FunctionKind::Model;
        if entity(parameter) && !(of_model && first && parameter.accepts.len() == 1 && !parameter.optional) {
            return Err(format!("`{name}` is an entity, which only the first parameter of a model can be"));
        }
        if of_model && first && !entity(parameter) {
            return Err(format!("the first parameter of a model is the entity: `{name}` needs kind = \"entity\""));
        }
        match kind {
            FunctionKind::Scalar | FunctionKind::Aggregate if parameter.constant => {
                return Err(format!("`{name}` is constant, which only parameters of a model or a series can be"));
            }
            FunctionKind::Model | FunctionKind::Series if first && (parameter.constant || parameter.optional) => {
                return Err(format!("`{name}`, the first parameter, can be neither constant nor optional"));
            }
            FunctionKind::Model if parameter.optional && !parameter.constant => {
                return Err(format!("`{name}` is optional, which only constants of a model can be"));
            }
            FunctionKind::Series if !first && !parameter.constant => {
                return Err(format!(
                    "`{name}` needs constant = true: a series has one parameter that is none, the first"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a model and a series can learn from, and give: numbers that have a mean.
fn check_learned(kind: FunctionKind, parameters: &[SignatureParameter], returns: &Returns) -> Result<(), String> {
    if !matches!(kind, FunctionKind::Model | FunctionKind::Series) {
        return Ok(());
    }
    let word = kind.word();
    let numbers =
        |kind: &Kind| matches!(kind, Kind::Number | Kind::Percent | Kind::Points | Kind::Money(_) | Kind::Duration);
    if kind == FunctionKind::Model && parameters.iter().any(|p| p.accepts.is_empty() || p.accepts.contains(&Kind::Text))
    {
        return Err("a model takes an entity, times, dates, numbers and yes/no, no text and not `any`".to_string());
    }
    let gives = match returns {
        Returns::Unit(unit) => numbers(&unit.kind),
        Returns::SameAs(index) => {
            let accepts = &parameters[*index].accepts;
            !accepts.is_empty()
                && accepts.iter().all(|k| numbers(k) || *k == Kind::Count && kind == FunctionKind::Series)
        }
    };
    if gives {
        return Ok(());
    }
    Err(format!("a {word} returns number, percent, points, money or duration"))
}

fn check_name(name: &Spanned<String>) -> Result<(), Mistake> {
    if is_name(name.get_ref()) {
        return Ok(());
    }
    let message = format!("`{}` is no name: letters, digits and `_` are needed, with a letter first", name.get_ref());
    Err((name.span(), message))
}
