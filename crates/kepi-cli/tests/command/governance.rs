//! Tests, targets, reports, lineage and changes, as a person asks for them.

use super::{folder, kepi, project_with};
use std::fs;
use std::path::Path;

const ORDERS: &str = "order_id,customer,ordered,amount
1,ada,2025-01-03,100
2,ada,2025-02-03,50
3,bob,2025-02-10,150
";

const MODEL: &str = r#"
entity customer key customer { }
event orders of customer at ordered { amount: money(EUR) }
event new_customers = first(orders) per customer
state active of customer = from orders for 2 months
## What was sold.
metric revenue : money = sum(orders.amount) with better = "up"
source book from "orders.csv" { orders: at ordered, id order_id, of customer, amount }

target year on revenue during 2025 reach 3650 EUR with owner = "ada"
target first on revenue during 2025-01 reach 100 EUR
target late on revenue during 2025-02 reach 1000 EUR

## What we look at on Mondays.
report weekly every week with title = "The <week>" {
  show revenue per month during 2025-Q1
  show closing(active) at 2025-03-01
}

test "two customers" {
  given orders (customer, ordered, amount)
    ("ada", 2025-01-03, 100 EUR)
    ("bob", 2025-02-03, 50 EUR)
  expect count(new_customers) gives 2
  expect revenue per month during 2025-Q1 gives (2025-01-01, 100 EUR) (2025-02-01, 50 EUR) (2025-03-01, 0 EUR)
  expect closing(active) at 2025-03-10 gives 1
}
"#;

/// A project with targets, a report and a test, and three orders.
fn company() -> tempfile::TempDir {
    let folder = project_with(&[("model/company.kepi", MODEL), ("orders.csv", ORDERS)]);
    let said = kepi(folder.path(), &["load", "--source", "book"]);
    assert_eq!(said.code, 0, "{}", said.err);
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

#[test]
fn tests_that_pass_are_a_line_each() {
    let folder = company();
    let said = kepi(folder.path(), &["test"]);
    assert_eq!(said.out, "ok    two customers  (model/company.kepi:20)\n", "{}", said.err);
    assert_eq!((said.code, said.err.as_str()), (0, "1 of 1 passed\n"));
}

#[test]
fn a_test_that_fails_says_what_was_given_wanted_and_got() {
    let folder = company();
    let text = "test \"wrong\" {
  given orders (customer, ordered, amount)
    (\"ada\", 2025-01-03, 100 EUR)
  expect revenue during 2025 gives 101 EUR
  expect count(orders) gives 1
  expect ratio(revenue, count(orders) * 3) gives 33.3 EUR
  expect share(orders where amount > 1000 EUR) gives missing
}
test \"impossible\" {
  given ordrs (customer, ordered) (\"ada\", 2025-01-03)
  expect revenue gives 1 EUR
}
";
    write(folder.path(), "more.kepi", text);
    let said = kepi(folder.path(), &["test", "more.kepi"]);
    assert_eq!((said.code, said.err.as_str()), (1, "0 of 2 passed\n"));
    let wanted = "FAIL  wrong  (more.kepi:1)
      given   orders (customer, ordered, amount)
                  (\"ada\", 2025-01-03, 100 EUR)
      expect  show revenue during 2025
      wanted  101 EUR
      got     revenue
              ───────
              100 EUR
      since   row 1: `revenue` is not what was wanted
      expect  show share(orders where amount > 1000 EUR)
      wanted  missing
      got     share(orders where amount > 1000 EUR)
              ─────────────────────────────────────
                                                0 %
      since   row 1: `share(orders where amount > 1000 EUR)` is not what was wanted
FAIL  impossible  (more.kepi:9)
";
    assert!(said.out.starts_with(wanted), "{}", said.out);
    assert!(said.out.contains("`ordrs` is unknown") && said.out.contains("did you mean `orders`?"), "{}", said.out);
}

#[test]
fn without_tests_it_says_what_one_is() {
    let folder = project_with(&[]);
    let said = kepi(folder.path(), &["test"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    assert!(said.err.contains("there are no tests"), "{}", said.err);
}

#[test]
fn a_test_needs_no_data_and_touches_none() {
    let folder = project_with(&[("model/company.kepi", MODEL)]);
    let store = folder.path().join(".kepi/store");
    let before = store.exists();
    assert_eq!(kepi(folder.path(), &["test"]).code, 0);
    assert_eq!(store.exists(), before);
}

#[test]
fn a_missed_target_is_three() {
    let folder = company();
    let fine = kepi(folder.path(), &["target", "year", "--now", "2025-01-06"]);
    assert_eq!(fine.code, 0, "{}", fine.err);
    let line = fine.out.lines().nth(2).unwrap();
    // Five days ask for 50 EUR, 100 came.
    let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells[..6], ["year", "on track", "100 EUR", "50 EUR", "3,650 EUR", "2025-12-31"], "{line}");
    let first = kepi(folder.path(), &["target", "first", "--now", "2025-01-06"]);
    assert!(first.code == 0 && first.out.contains("met"), "{}", first.out);
    let late = kepi(folder.path(), &["target", "late", "--now", "2025-03-01"]);
    assert!(late.code == 3 && late.out.contains("missed"), "{} {}", late.code, late.out);
    let all = kepi(folder.path(), &["target", "--now", "2025-03-01", "--format", "json"]);
    assert_eq!((all.code, all.err.as_str()), (3, ""));
    let states: Vec<&str> =
        all.out.lines().filter_map(|l| l.split("\"status\": \"").nth(1)?.split('"').next()).collect();
    assert_eq!(states, ["at risk", "met", "missed"], "{}", all.out);
    assert!(all.out.contains("\"attributes\": {\"owner\": \"ada\"}"), "{}", all.out);
}

#[test]
fn names_that_are_not_there_are_told_with_those_that_are() {
    let folder = company();
    for (arguments, code, words) in [
        (["target", "yeer"], 2, "there are year, first, late"),
        (["report", "daily"], 2, "there are weekly"),
        (["lineage", "revenu"], 1, "nothing is called `revenu`"),
        (["diff", "revenu"], 1, "nothing is called `revenu`"),
        (["diff", "active"], 1, "only metrics have a history"),
    ] {
        let said = kepi(folder.path(), &arguments);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{arguments:?}");
        assert!(said.err.contains(words), "{arguments:?}: {}", said.err);
    }
    let empty = folder_with_a_project();
    let said = kepi(empty.path(), &["target"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    assert!(said.err.contains("no targets"), "{}", said.err);
}

fn folder_with_a_project() -> tempfile::TempDir {
    let folder = folder();
    assert_eq!(kepi(folder.path(), &["init", "."]).code, 0);
    folder
}

#[test]
fn a_report_is_its_answers_in_any_format() {
    let folder = company();
    let table = kepi(folder.path(), &["report", "weekly", "--now", "2025-04-01"]);
    assert_eq!(table.code, 0, "{}", table.err);
    assert!(table.out.contains("2025-02  200 EUR") && table.out.contains("closing(active)"), "{}", table.out);
    let page = kepi(folder.path(), &["report", "weekly", "--output", "week.html"]);
    assert_eq!((page.code, page.out.as_str()), (0, ""), "{}", page.err);
    let html = fs::read_to_string(folder.path().join("week.html")).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.contains("<h1>The &lt;week&gt;</h1>"), "{html}");
    assert!(html.contains("<p>What we look at on Mondays.</p>") && html.matches("<table>").count() == 2, "{html}");
    let md = kepi(folder.path(), &["report", "weekly", "--format", "md"]);
    assert!(
        md.out.starts_with("# The <week>\n\nWhat we look at on Mondays.\n\n## show revenue per month"),
        "{}",
        md.out
    );
    let wrong = kepi(folder.path(), &["report", "weekly", "--format", "parquet"]);
    assert_eq!(wrong.code, 2, "{}", wrong.err);
}

#[test]
fn lineage_goes_down_to_the_files_and_up_to_what_uses_it() {
    let folder = company();
    let said = kepi(folder.path(), &["lineage", "revenue"]);
    let lines: Vec<&str> = said.out.lines().map(str::trim).collect();
    assert_eq!((said.code, lines[0]), (0, "metric revenue  (model/company.kepi:7)"), "{}", said.out);
    let place = |start: &str| lines.iter().position(|line| line.starts_with(start));
    assert!(place("file orders.csv") < place("used by"), "{}", said.out);
    for user in ["report weekly", "target late", "test \"two customers\""] {
        assert!(place(user) > place("used by"), "{user}: {}", said.out);
    }
    let dot = kepi(folder.path(), &["lineage", "active", "--format", "dot"]).out;
    assert!(dot.starts_with("digraph lineage {") && dot.contains("active (state)") && dot.contains(" -> "), "{dot}");
    let mermaid = kepi(folder.path(), &["lineage", "active", "--format", "mermaid"]).out;
    assert!(mermaid.starts_with("graph LR\n") && mermaid.contains("-->"), "{mermaid}");
    let json = kepi(folder.path(), &["lineage", "active", "--format", "json"]).out;
    assert!(json.contains("{\"name\": \"active\", \"kind\": \"state\""), "{json}");
    assert_eq!(kepi(folder.path(), &["lineage", "active", "--format", "svg"]).code, 2);
}

#[test]
fn a_change_of_a_definition_shows_its_texts_and_values() {
    let folder = company();
    let first = kepi(folder.path(), &["diff", "revenue", "--now", "2025-03-15"]);
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.err.contains("no other definition"), "{}", first.err);
    // A comment and a new line change no definition.
    write(folder.path(), "model/company.kepi", &MODEL.replace("= sum(orders.amount)", "=\n  sum(orders.amount) # all"));
    assert!(kepi(folder.path(), &["diff", "revenue"]).err.contains("no other definition"));
    let changed = MODEL.replace("= sum(orders.amount)", "= sum(orders.amount where amount > 60 EUR)");
    write(folder.path(), "model/company.kepi", &changed);
    let said = kepi(folder.path(), &["diff", "revenue", "--now", "2025-03-15"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with("revenue  ") && lines[1].starts_with("before: "), "{}", said.out);
    assert!(said.out.contains("- metric revenue : money = sum(orders.amount)\n"), "{}", said.out);
    assert!(said.out.contains("+ metric revenue : money = sum(orders.amount where amount > 60 EUR)"), "{}", said.out);
    // February had 50 and 150 EUR.
    let february = lines.iter().find(|line| line.starts_with("2025-02")).unwrap();
    assert_eq!(february.split_whitespace().collect::<Vec<_>>(), ["2025-02", "200", "EUR", "150", "EUR", "≠"]);
    let january = lines.iter().find(|line| line.starts_with("2025-01")).unwrap();
    assert!(!january.contains('≠'), "{january}");
}

#[test]
fn lints_warn_and_do_not_fail() {
    let folder = company();
    let more =
        "metric per_customer = ratio(revenue, count(new_customers))\nsegment huge of orders = amount > 1000 EUR\n";
    write(folder.path(), "model/more.kepi", more);
    let said = kepi(folder.path(), &["check"]);
    assert_eq!(said.code, 0, "{}", said.err);
    for number in ["K501", "K504"] {
        assert!(said.err.contains(number), "{number}: {}", said.err);
    }
    assert!(said.err.contains("`huge` matches none of 3 orders"), "{}", said.err);
    assert!(said.err.contains("no mistakes, 2 warnings"), "{}", said.err);
}
