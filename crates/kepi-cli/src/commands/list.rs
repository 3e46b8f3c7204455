//! `kepi list`: what the model defines.

use crate::args::ListArgs;
use crate::context::Context;
use crate::failure::Failure;
use kepi_engine::Listed;
use kepi_view::inert;

pub(crate) fn run(context: &Context, args: &ListArgs) -> Result<(), Failure> {
    let listed = context.engine()?.list();
    let shown = wanted(&listed, args.kind.as_deref())?;
    context.terminal.data(lines(&shown).as_bytes())
}

/// The definitions of a kind; a kind that nothing has is a usage mistake that names those there are.
pub(crate) fn wanted<'a>(listed: &'a [Listed], kind: Option<&str>) -> Result<Vec<&'a Listed>, Failure> {
    let Some(kind) = kind else { return Ok(listed.iter().collect()) };
    // Said as people say it: `list metrics`.
    let is =
        |l: &&Listed| l.kind == kind || format!("{}s", l.kind) == kind || (l.kind == "entity" && kind == "entities");
    let found: Vec<&Listed> = listed.iter().filter(is).collect();
    if found.is_empty() {
        let mut kinds: Vec<&str> = listed.iter().map(|l| l.kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        return Err(Failure::usage(format!("the model has no {kind}")).with_help(match kinds.is_empty() {
            true => "it is empty; definitions stand in model/*.kepi".to_string(),
            false => format!("it has {}", kinds.join(", ")),
        }));
    }
    Ok(found)
}

/// A line each: kind, name, unit, what it is.
pub(crate) fn lines(listed: &[&Listed]) -> String {
    let name = |l: &Listed| if l.module.is_empty() { l.name.clone() } else { format!("{}.{}", l.module, l.name) };
    // Names of the module in which the query stands need no prefix; several modules do.
    let modules = listed.iter().map(|l| l.module.as_str()).collect::<std::collections::BTreeSet<_>>().len();
    let rows: Vec<[String; 4]> = listed
        .iter()
        .map(|l| {
            let name = if modules > 1 { name(l) } else { l.name.clone() };
            [l.kind.clone(), name, l.unit.clone(), l.doc.lines().next().unwrap_or_default().to_string()]
        })
        .map(|row| row.map(|text| inert(&text).into_owned()))
        .collect();
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (kind, name, unit) = (wide(0), wide(1), wide(2));
    rows.iter()
        .map(|[a, b, c, d]| format!("{}\n", format!("{a:kind$}  {b:name$}  {c:unit$}  {d}").trim_end()))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    fn listed(kind: &str, name: &str, unit: &str, doc: &str) -> Listed {
        let text = str::to_string;
        Listed { kind: text(kind), name: text(name), unit: text(unit), doc: text(doc), module: text("crm") }
    }

    #[test]
    fn kinds_are_chosen_as_people_say_them() {
        let all = [listed("entity", "customer", "", ""), listed("metric", "cac", "money", "What a customer costs.")];
        assert_eq!(wanted(&all, Some("entities")).unwrap().len(), 1);
        assert_eq!(wanted(&all, Some("metrics")).unwrap().len(), 1);
        assert!(wanted(&all, Some("state")).is_err());
        let shown = lines(&wanted(&all, None).unwrap());
        assert_eq!(shown, "entity  customer\nmetric  cac       money  What a customer costs.\n");
    }
}
