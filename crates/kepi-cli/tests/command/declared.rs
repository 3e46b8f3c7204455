//! What is declared and grows with its tables: columns that are kept, periods that come from a table, totals of cohorts.

use super::{kepi, project_with};
use std::fs;

const MODEL: &str = r#"
calendar retail from "445.csv"
entity customer key id
event orders of customer at ordered { amount: number }
event new_customers = first(orders) per customer
metric made = count(orders)
source book from "orders.csv" { orders: at ordered, id no, of customer, amount }
target goal on made during retail.2025 reach 4 each retail.month
"#;

const ORDERS: &str = "no,ordered,customer,amount,shop
1,2025-01-05,a,1,North
2,2025-02-05,a,2,North
3,2025-01-30,b,4,South
4,2025-02-01,c,8,
5,2025-03-02,c,16,South
6,2025-02-20,d,32,North
7,2025-02-21,f,64,North
8,2025-03-01,e,128,North
9,2024-12-30,z,256,North
";

/// A month of four weeks, one of four, and the rest of a quarter.
fn calendar() -> String {
    let day = |month: usize, day: usize| {
        let label = match (month, day) {
            (1, ..29) => "P1",
            (1, _) | (2, ..26) => "P2",
            _ => "P3",
        };
        format!("2025-{month:02}-{day:02},{label},2025\n")
    };
    let months = [(1, 31), (2, 28), (3, 31)];
    let days = months.into_iter().flat_map(|(month, last)| (1..=last).map(move |number| (month, number)));
    format!("day,month,year\n{}", days.map(|(month, number)| day(month, number)).collect::<String>())
}

fn shop() -> tempfile::TempDir {
    let folder = project_with(&[("model/shop.kepi", MODEL), ("orders.csv", ORDERS), ("445.csv", &calendar())]);
    let loaded = kepi(folder.path(), &["load", "orders.csv"]);
    assert!(loaded.code == 0 && loaded.err.contains("orders  9 new"), "{}", loaded.err);
    folder
}

fn answer(folder: &tempfile::TempDir, query: &str, more: &[&str]) -> String {
    let said = kepi(folder.path(), &[&["query", query, "--now", "2025-03-15"], more].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    said.out
}

#[test]
fn columns_that_are_not_declared_are_kept_where_all_are_asked_for() {
    let folder = shop();
    let load = |arguments: &[&str]| kepi(folder.path(), &[&["load"], arguments].concat());
    let all = load(&["orders.csv", "--all"]);
    assert!(all.code == 0 && all.err.contains("`orders` has new text fields in model/shop.kepi: shop"), "{}", all.err);
    assert!(all.err.contains("orders  1 known, 8 replaced"), "{}", all.err);
    let model = fs::read_to_string(folder.path().join("model/shop.kepi")).unwrap();
    assert!(model.contains("shop: text") && model.contains("orders: shop, at ordered"), "{model}");
    let found = answer(&folder, "show count(orders) by shop", &["--format", "csv"]);
    assert_eq!(found, "shop,count(orders)\nNorth,6\nSouth,2\n,1\n");
    // Once they are declared, they are read without being asked for.
    let again = load(&["orders.csv"]);
    assert!(again.code == 0 && again.err.contains("orders  9 known"), "{}", again.err);
    // An event without a source, and one whose fields were left out.
    fs::write(folder.path().join("model/more.kepi"), "event calls of customer at called\n").unwrap();
    fs::write(folder.path().join("calls.csv"), "called,customer,minutes\n2025-01-01,a,5\n").unwrap();
    let calls = load(&["calls.csv", "--as", "calls", "--all"]);
    assert!(calls.code == 0 && calls.err.contains("calls  1 new"), "{}", calls.err);
    assert_eq!(
        fs::read_to_string(folder.path().join("model/more.kepi")).unwrap(),
        "event calls of customer at called {\n  minutes: text\n}\n"
    );
    // Attributes, beside those there are.
    fs::write(folder.path().join("people.csv"), "id,mood\na,good\n").unwrap();
    let people = load(&["people.csv", "--entity", "customer", "--key", "id", "--all"]);
    assert_eq!(people.code, 0, "{}", people.err);
    assert_eq!(
        answer(&folder, "show count(customer) by mood having mood = \"good\"", &["--format", "csv"]),
        "mood,count(customer)\ngood,1\n"
    );
}

#[test]
fn nothing_is_written_where_it_is_open_whose_columns_they_are() {
    let two = "entity customer key id\nevent orders of customer at ordered\nevent visits of customer at ordered\n\
        source book from \"orders.csv\" { orders: at ordered, id no, of customer  visits: at ordered, id no, of customer }\n";
    let folder = project_with(&[("model/shop.kepi", two), ("orders.csv", ORDERS)]);
    let said = kepi(folder.path(), &["load", "orders.csv", "--all"]);
    assert!(said.code == 2 && said.err.contains("nothing says whose the others are"), "{}", said.err);
    assert_eq!(fs::read_to_string(folder.path().join("model/shop.kepi")).unwrap(), two);
}

#[test]
fn cohorts_and_targets_by_the_periods_of_a_table() {
    let folder = shop();
    let csv = |query: &str| answer(&folder, query, &["--format", "csv"]);
    // Whoever began before the table has no period of it.
    assert_eq!(
        csv("show sum(orders.amount), count(new_customers) by cohort(new_customers, retail.month) as c"),
        "c,sum(orders.amount),count(new_customers)\n2025-01-01,3,1\n2025-01-29,124,4\n2025-02-26,128,1\n,256,1\n"
    );
    assert_eq!(
        csv("show sum(orders.amount) by age(new_customers, retail.month) as a"),
        "a,sum(orders.amount)\n0,237\n1,18\n,256\n"
    );
    assert!(answer(&folder, "show count(orders) by cohort(new_customers, retail.month) as c", &[]).contains("P2"));
    // 17 of the 34 days of the third period are over.
    assert_eq!(
        csv("show made vs target per retail.month during retail.2025"),
        "retail.month,made,made target,made change,made change %\n2025-01-01,1,4,-3,-0.75\n2025-01-29,5,4,1,0.25\n\
         2025-02-26,2,2,0,0\n"
    );
    let groups = kepi(folder.path(), &["query", "show avg(count(orders) per customer, retail.month)"]);
    assert!(groups.code != 0 && groups.err.contains("is outside the table of `retail.month`"), "{}", groups.err);
}

#[test]
fn totals_leave_out_cohorts_that_are_too_young() {
    let folder = shop();
    let back = "retention(new_customers -> orders, period: month, age: 1)";
    let rows = |query: &str| -> Vec<String> {
        let out = answer(&folder, query, &["--totals", "--format", "md"]);
        out.lines().skip(2).map(|line| line.replace(['|', ' '], "")).filter(|line| !line.is_empty()).collect()
    };
    // Of January's two one is back in February, of February's three one in March, which still runs.
    let wanted = |rows: &[String], run: &str| {
        assert_eq!(rows[..2], ["2025-0150.0%".to_string(), "2025-02*33.3%".to_string()], "{rows:?}");
        assert_eq!(rows[2], format!("2025-03*{run}"), "{rows:?}");
        assert!(rows[3].contains("total") && rows[3].contains("50.0%"), "{rows:?}");
    };
    wanted(&rows(&format!("show {back} as back per month during 2025-Q1")), "–");
    let by_label = rows(&format!("show {back} as back by cohort(new_customers, month) as c during 2025-Q1"));
    assert_eq!(by_label[..2], ["2025-0150.0%".to_string(), "2025-02*33.3%".to_string()], "{by_label:?}");
    assert!(by_label.iter().any(|row| row.contains("total") && row.contains("50.0%")), "{by_label:?}");
    // A quarter is no cohort of a month: what is too young is not in it at all.
    assert_eq!(rows(&format!("show {back} as back per quarter during 2025-Q1"))[0], "2025-Q1*50%");
}
