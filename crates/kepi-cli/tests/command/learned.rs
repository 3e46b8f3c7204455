//! What models learned is told by `kepi describe`: from how much, with which parameters, how well, or why not.

use super::{kepi, project_with};
use std::fs;

const MODEL: &str = r#"
use plugin "kepi.bgnbd" as bgnbd
entity customer key id
event orders of customer at ordered { amount: number }
source book from "orders.csv" { orders: at ordered, of customer, amount }
metric purchases = bgnbd.purchases(orders.customer, orders.at, horizon: 1 year)
metric worth = purchases * avg(orders.amount)
metric made = count(orders)
dimension stays of customer = bgnbd.alive(orders.customer, orders.at)
segment staying of customer = stays > 50%
"#;

/// 40 customers who order every `1 + number` days, some of them once.
fn orders() -> String {
    let mut text = "ordered,customer,amount\n".to_string();
    for customer in 0..40 {
        let times = if customer % 4 == 0 { 1 } else { 2 + customer % 5 };
        for time in 0..times {
            let day = 1 + (customer % 7) + time * (1 + customer % 9);
            let (month, day) = if day > 31 { (2, day - 31) } else { (1, day) };
            text.push_str(&format!("2026-{month:02}-{day:02},c{customer},{}\n", 10 + customer));
        }
    }
    text
}

#[test]
fn a_description_tells_what_the_models_behind_it_learned() {
    let text = orders();
    let folder = project_with(&[("model/main.kepi", MODEL), ("orders.csv", &text)]);
    let run = |arguments: &[&str]| {
        let said = kepi(folder.path(), arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
        said.out
    };
    run(&["load", "orders.csv", "--source", "book"]);
    let rows = text.lines().count() - 1;
    for (name, model) in [("purchases", "bgnbd.purchases"), ("worth", "bgnbd.purchases"), ("stays", "bgnbd.alive")] {
        let out = run(&["describe", name, "--now", "2026-03-01"]);
        let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
        let has = |line: &[&str]| assert!(lines.iter().any(|l| l == line), "{name}, {line:?}:\n{out}");
        assert!(out.contains(&format!("\nfit of {model}(")), "{out}");
        has(&["rows", &rows.to_string()]);
        has(&["entities", "40"]);
        has(&["bought", "again", "30"]);
        has(&["converged", "yes"]);
    }
    let machine = |name: &str, now: &str| -> serde_json::Value {
        serde_json::from_str(&run(&["describe", name, "--format", "json", "--now", now])).unwrap()
    };
    let staying = machine("staying", "2026-03-01");
    assert_eq!(
        (&staying["schema"], &staying["kind"], &staying["name"]),
        (&1.into(), &"segment".into(), &"staying".into())
    );
    let fit = &staying["models"][0]["fits"][0];
    assert_eq!((&fit["rows"], &fit["entities"]), (&rows.into(), &40.into()));
    let named = |name: &str| fit["diagnostics"].as_array().unwrap().iter().any(|pair| pair["name"] == name);
    assert!(named("r") && named("alpha, weeks") && named("log likelihood of purchases") && fit["warnings"].is_array());
    // Of fewer rows, as of an earlier day; and of too few.
    let before = text.lines().skip(1).filter(|line| line < &"2026-01-10").count();
    assert_eq!(machine("purchases", "2026-01-10")["models"][0]["fits"][0]["rows"], before);
    let few = machine("purchases", "2026-01-03");
    assert!(few["models"][0]["why"].as_str().unwrap().contains("10 are needed to learn from"), "{few}");
    assert!(run(&["describe", "purchases", "--now", "2026-01-03"]).contains("\n  not fitted: "));
    // Nothing is run where no model is asked.
    assert_eq!(machine("made", "2026-03-01")["models"], serde_json::json!([]));
    fs::remove_dir_all(folder.path().join(".kepi")).unwrap();
    assert!(!run(&["describe", "made"]).contains("fit of"));
}
