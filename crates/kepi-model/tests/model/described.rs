//! Lists, descriptions and completion of what has a name.

use crate::shop::{now, shop};
use insta::assert_snapshot;
use std::fmt::Write;

const MORE: &str = "## Who buys again.\n\
     segment often(times: number = 3) of customer = count(orders) >= times\n\
     ## What is left of an amount.\nfunction left_of(amount, share: number = 0.2) = amount * (1 - share)\n\
     ## The plan of the year.\ntarget plan on new_revenue during 2026 reach 1M EUR with owner = \"sales\"\n\
     report monthly every month with title = \"The month\" { show new_revenue, cac per month }\n\
     test \"one order. one customer\" { given orders (customer, ordered, amount) (\"c1\", 2025-03-01, 5 EUR) \
       expect count(orders) gives 1 }";

#[test]
fn what_stands_beside_the_definitions_is_listed_and_described() {
    let catalog = shop(MORE);
    let now = now(&catalog);
    let mut out = String::new();
    let kinds = ["target", "report", "test", "source", "calendar", "function", "plugin function"];
    for listed in catalog.list(now).iter().filter(|listed| kinds.contains(&listed.kind.as_str())) {
        writeln!(out, "{}  {}  {}", listed.kind, listed.name, listed.doc.as_deref().unwrap_or("-")).unwrap();
    }
    for name in [
        "plan",
        "target crm.plan",
        "report monthly",
        "one order. one customer",
        "pipeline",
        "fiscal",
        "left_of",
        "function percentile",
        "stats.mode",
        "tax.net",
        "often",
        "new_revenue",
    ] {
        let Some(found) = catalog.describe(name, now) else { panic!("{name} is not described") };
        writeln!(out, "\n{name}: {} {}", found.kind, found.name).unwrap();
        writeln!(out, "  {}", found.doc.as_deref().unwrap_or("-").lines().next().unwrap_or_default()).unwrap();
        for (attribute, value) in &found.attributes {
            writeln!(out, "  {attribute} = {value}").unwrap();
        }
        for (field, ty, _) in &found.fields {
            writeln!(out, "  {field}: {ty}").unwrap();
        }
        writeln!(out, "  uses {:?}, used by {:?}", found.uses, found.used_by).unwrap();
    }
    assert_snapshot!(out);
    assert!(catalog.describe("report plan", now).is_none());
}

#[test]
fn completion_knows_targets_reports_and_the_periods_of_calendars() {
    let catalog = shop(MORE);
    let texts = |prefix: &str| -> Vec<String> {
        catalog.suggest(prefix).into_iter().map(|s| format!("{} ({})", s.text, s.kind)).collect()
    };
    assert_eq!(texts("fiscal.q"), ["fiscal.quarter (period)"]);
    assert!(texts("month").contains(&"monthly (report)".to_string()));
    assert!(texts("pl").contains(&"plan (target)".to_string()));
}
