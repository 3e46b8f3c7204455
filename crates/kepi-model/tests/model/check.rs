//! Looking into every definition: nothing twice, nothing hidden.

use crate::shop::{catalog, listed, now, shop};
use insta::assert_snapshot;
use kepi_syntax::{Code, Severity};

#[test]
fn the_shop_is_right() {
    let catalog = shop("");
    let problems = catalog.check(now(&catalog));
    assert!(problems.iter().all(|p| p.severity == Severity::Warning), "{problems:?}");
    assert_snapshot!(listed(include_str!("shop.kepi"), &problems));
}

#[test]
fn only_bare_ratios_ask_for_an_explanation() {
    let catalog = shop(
        "metric bare = ratio(count(leads), count(orders))\n\
         ## Leads that bought.\nmetric told = ratio(count(leads), count(orders))\n\
         metric titled = ratio(count(leads), count(orders)) with title = \"Leads\"\n\
         metric divided = count(leads) / count(orders)\n\
         metric total = sum(revenue)\n\
         metric doubled = 2 * ratio(count(leads), count(orders))",
    );
    let lints = catalog.check(now(&catalog));
    let lints: Vec<&str> =
        lints.iter().filter(|p| p.code == Code::LintNoDoc).map(|p| p.message.split('`').nth(1).unwrap()).collect();
    let own: Vec<&&str> =
        lints.iter().filter(|n| ["bare", "told", "titled", "divided", "total", "doubled"].contains(n)).collect();
    assert_eq!(own, [&"bare"]);
}

#[test]
fn a_broken_definition_is_told_once_where_it_stands() {
    let text = "module m\nentity c key id { }\nevent o of c at day { n: number }\nmetric a = sum(o.nn)\n\
                metric b = a + 1\nmetric d = ratio(a, b) with title = \"d\"\nreport r { show a, b  show d }";
    let (catalog, problems) = catalog(&[text]);
    assert_eq!(problems, []);
    assert_snapshot!(listed(text, &catalog.check(now(&catalog))));
}

#[test]
fn reports_see_the_names_of_their_module() {
    let one =
        "module one\nentity c key id { }\nevent o of c at day { n: number }\nmetric a = sum(o.n)\nreport r { show a }";
    let two = one.replace("module one", "module two");
    let (catalog, problems) = catalog(&[one, &two]);
    assert_eq!(problems, []);
    assert_eq!(catalog.check(now(&catalog)), []);
}
