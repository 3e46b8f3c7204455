//! `kepi describe`: everything about one definition.

use super::describe_fits;
use crate::args::{DescribeArgs, DescribeFormat};
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt;
use crate::times::parse_moment;
use kepi_engine::{Described, Engine, EngineError, Learned, Request};
use kepi_view::inert;
use serde_json::json;

pub(crate) fn run(context: &Context, args: &DescribeArgs) -> Result<(), Failure> {
    let engine = context.engine()?;
    let now = args.now.as_deref().map(|now| parse_moment(now, &engine.zone())).transpose()?;
    let described = find(&engine, &args.name)?;
    let learned = fits(&engine, &args.name, now)?;
    let shown = match args.format {
        DescribeFormat::Text => text(&described) + describe_fits::text(&learned).as_str(),
        DescribeFormat::Json => machine(&described, &learned),
    };
    context.terminal.data(shown.as_bytes())
}

/// What the models behind a definition have learned.
fn fits(engine: &Engine, name: &str, now: Option<i64>) -> Result<Vec<Learned>, Failure> {
    let request = Request { now, ..Request::default() };
    let guard = interrupt::stops(&request.cancel);
    let learned = engine.learned(name, &request)?;
    drop(guard);
    Ok(learned)
}

/// The definition and its models at the prompt.
pub(crate) fn with_fits(engine: &Engine, name: &str) -> Result<String, Failure> {
    Ok(text(&find(engine, name)?) + describe_fits::text(&fits(engine, name, None)?).as_str())
}

/// Finds a definition; one that is not there is a failure.
pub(crate) fn find(engine: &Engine, name: &str) -> Result<Described, Failure> {
    engine.describe(name).ok_or_else(|| {
        let error = EngineError::failed(format!("nothing is called `{name}`"));
        Failure::Engine(error.with_help("`kepi list` shows what there is"))
    })
}

/// The definition, then a line for everything known about it.
pub(crate) fn text(described: &Described) -> String {
    let mut out = String::new();
    for line in described.doc.lines() {
        out.push_str(&format!("## {}\n", inert(line)));
    }
    for line in described.text.lines() {
        out.push_str(&format!("{}\n", inert(line)));
    }
    out.push('\n');
    let mut facts = vec![("kind", described.kind.clone())];
    if !described.unit.is_empty() {
        facts.push(("unit", described.unit.clone()));
    }
    facts.extend(described.attributes.iter().map(|(name, value)| (name.as_str(), value.clone())));
    if !described.uses.is_empty() {
        facts.push(("uses", described.uses.join(", ")));
    }
    if !described.used_by.is_empty() {
        facts.push(("used by", described.used_by.join(", ")));
    }
    facts.extend(described.stored.clone().map(|stored| ("stored", stored)));
    let wide = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in facts {
        out.push_str(&format!("{:wide$}  {}\n", inert(name), inert(&value)));
    }
    out
}

/// The same as JSON, in a line.
fn machine(described: &Described, learned: &[Learned]) -> String {
    let or_null = |text: &String| (!text.is_empty()).then(|| text.clone());
    let attributes: Vec<_> = described.attributes.iter().map(|(n, v)| json!({"name": n, "value": v})).collect();
    let value = json!({
        "schema": 1,
        "kind": described.kind,
        "name": described.name,
        "text": described.text,
        "unit": or_null(&described.unit),
        "doc": or_null(&described.doc),
        "attributes": attributes,
        "uses": described.uses,
        "used_by": described.used_by,
        "stored": described.stored,
        "models": describe_fits::value(learned),
    });
    format!("{value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_begins_with_the_definition() {
        let described = Described {
            kind: "metric".to_string(),
            name: "cac".to_string(),
            text: "metric cac : money = ratio(sum(spend.amount), count(new_customers))".to_string(),
            unit: "money(EUR)".to_string(),
            doc: "What a customer costs.".to_string(),
            attributes: vec![("owner".to_string(), "sales".to_string())],
            uses: vec!["spend".to_string(), "new_customers".to_string()],
            used_by: Vec::new(),
            stored: None,
        };
        assert_eq!(
            text(&described),
            "## What a customer costs.\nmetric cac : money = ratio(sum(spend.amount), count(new_customers))\n\n\
             kind   metric\nunit   money(EUR)\nowner  sales\nuses   spend, new_customers\n"
        );
    }
}
