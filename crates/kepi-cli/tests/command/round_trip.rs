//! What is exported comes back as what it was: the same answers from a project with the same model.

use super::{kepi, project_with};
use std::path::Path;

const SETTINGS: &str = "timezone = \"Europe/Amsterdam\"\nnow = \"2025-06-01\"\n";
const MODEL: &str = r#"
entity customer key id from created { created: time  region: text  tier: text history  seats: number history }
entity plan key code { price: money(EUR)  grade: text history }
event orders of customer, plan at ordered { amount: money(EUR)  gift: bool  due: date }
event notes { text: text }
state balance of customer { value: money(EUR) }
state level of customer { value: text }
state open of customer { value: bool }

source book from "order_book.csv" { orders: at ordered, id no, of customer client, plan plan, amount, gift, due }
source people from "people.csv" { customer: key id, created, region, tier, seats, from changed, until ended }
source prices from "price_list.csv" { plan: key code, price, grade }
source sheets from "sheets.csv" { balance: of customer who, from begins, until ends, value = amount }
source levels from "level_list.csv" { level: of customer who, from begins, until ends, value = amount }
source opens from "open_list.csv" { open: of customer who, from begins, until ends, value = on }
source lines from "lines.csv" { notes: text }
"#;
const FILES: [(&str, &str); 7] = [
    (
        "order_book.csv",
        "no,ordered,client,plan,amount,gift,due\n\
         7,2025-01-05,ada,basic,10.50,yes,2025-02-01\n\
         8,2025-01-05,bob,pro,20,no,\n\
         9,2025-03-30T02:30,ada,pro,-3.25,,2025-04-01\n\
         10,2025-04-02,,basic,7,no,2025-05-01\n\
         11,2025-04-02,dan,,1,no,2025-05-01\n",
    ),
    (
        "people.csv",
        "id,created,region,tier,seats,changed,ended\n\
         ada,2024-12-01,eu,gold,3,2025-01-01,2025-02-01\n\
         ada,2024-12-01,eu,silver,4,2025-03-01,\n\
         bob,2024-12-02,\"a, \"\"b\"\"\",,2,2024-12-31,\n\
         cleo,2025-04-01,,bronze,,2025-04-15,\n",
    ),
    ("price_list.csv", "code,price,grade\nbasic,5,low\npro,19.99,high\nold,,\n"),
    (
        "sheets.csv",
        "who,begins,ends,amount\n\
         ada,2025-01-01,2025-02-01,100\nada,2025-02-01,,50.25\nbob,2025-01-15T12:00,2025-05-01,7\ncleo,2025-03-01,2025-03-01,9\n",
    ),
    ("level_list.csv", "who,begins,ends,amount\nada,2025-01-01,,high\nbob,2025-02-01,2025-04-01,low\n"),
    ("open_list.csv", "who,begins,ends,on\nada,2025-01-01,2025-03-01,yes\nada,2025-04-01,,yes\nbob,2025-03-01,,no\n"),
    ("lines.csv", "text\n one\n\"two, 2\"\n one\n"),
];
const QUERIES: [&str; 13] = [
    "show count(orders) by orders.plan.grade per month during 2025",
    "show sum(orders.amount), count(orders), unique(orders.customer) by plan per month during 2025",
    "show sum(orders.amount) by customer.tier, orders.gift, orders.due",
    "show sum(orders.amount * customer.seats) by customer per month",
    "show sum(orders.amount), sum(orders.plan.price) by customer.region",
    "show count(customer) by tier, region at 2025-01-15",
    "show count(customer) by tier, region at 2025-02-15",
    "show count(customer) by seats at 2025-04-20",
    "show closing(balance), opening(balance), avg(balance), count(started(balance)), count(ended(balance)) per month during 2025",
    "show count(customer) by level per month during 2025",
    "show closing(open), opening(open), count(stays(open)) per month during 2025",
    "show count(notes) by text",
    "show count(plan) by price at 2025-06-01",
];
/// Exported, and how the command that loads it again goes on.
const KINDS: [(&str, &str); 7] = [
    ("orders", "event"),
    ("customer", "entity"),
    ("plan", "entity"),
    ("balance", "state"),
    ("level", "state"),
    ("open", "state"),
    ("notes", "event"),
];

fn answers(project: &Path) -> Vec<String> {
    let ask = |query: &&str| {
        let said = kepi(project, &["query", query, "--format", "csv"]);
        assert_eq!(said.code, 0, "{query}: {}", said.err);
        said.out
    };
    QUERIES.iter().map(ask).collect()
}

#[test]
fn every_kind_comes_back_as_what_it_was() {
    let mut files = vec![("kepi.toml", SETTINGS), ("model/all.kepi", MODEL)];
    files.extend(FILES);
    let own = project_with(&files);
    for (file, _) in FILES {
        let load = kepi(own.path(), &["load", file]);
        assert_eq!(load.code, 0, "{file}: {}", load.err);
    }
    let expected = answers(own.path());
    for format in ["csv", "jsonl", "parquet"] {
        let other = project_with(&files[..2]);
        for (name, kind) in KINDS {
            let path = own.path().join(format!("{name}.{format}"));
            let path = path.to_str().unwrap();
            let said = kepi(own.path(), &["store", "export", name, "--output", path]);
            assert_eq!(said.code, 0, "{name}: {}", said.err);
            let load = kepi(other.path(), &["load", path]);
            assert_eq!(load.code, 0, "{name} {format}: {}", load.err);
            assert!(load.err.contains(&format!("the declared {kind} `{name}`")), "{name} {format}: {}", load.err);
            // It is known where it comes from, too.
            let again = kepi(other.path(), &["load", path]);
            assert!(again.code == 0 && !again.err.contains(" new"), "{name} {format}: {}", again.err);
        }
        let models = |project: &Path| std::fs::read_dir(project.join("model")).unwrap().count();
        assert_eq!(models(other.path()), models(own.path()), "something new was declared");
        for ((query, expected), found) in QUERIES.iter().zip(&expected).zip(answers(other.path())) {
            assert_eq!(*expected, found, "{format}: {query}");
        }
    }
    // Where it comes from nothing changes.
    for (name, _) in KINDS {
        let load = kepi(own.path(), &["load", &format!("{name}.csv")]);
        assert_eq!(load.code, 0, "{name}: {}", load.err);
    }
    assert_eq!(expected, answers(own.path()));
}

#[test]
fn loads_are_listed_by_the_clock_and_history_is_dated_by_now() {
    let model =
        "entity customer key id { tier: text history }\nevent orders of customer at ordered { amount: number }\n";
    let folder = project_with(&[
        ("kepi.toml", "now = \"2025-01-10\"\n"),
        ("model/shop.kepi", model),
        ("customer.csv", "id,tier\nada,gold\n"),
        ("orders.csv", "ordered,customer,amount\n2025-01-01,ada,1\n2025-02-05,ada,2\n2025-02-15,ada,4\n"),
    ]);
    let root = folder.path();
    for file in ["customer.csv", "orders.csv"] {
        assert_eq!(kepi(root, &["load", file]).code, 0, "{file}");
    }
    // A month later, as the project has it, she is something else.
    std::fs::write(root.join("kepi.toml"), "now = \"2025-02-10\"\n").unwrap();
    std::fs::write(root.join("customer.csv"), "id,tier\nada,silver\n").unwrap();
    assert_eq!(kepi(root, &["load", "customer.csv"]).code, 0);
    let query = ["query", "show sum(orders.amount) by orders.customer.tier as tier", "--now", "2025-03-01"];
    let said = kepi(root, &[&query[..], &["--format", "csv"]].concat());
    assert_eq!(said.out, "tier,sum(orders.amount)\ngold,3\nsilver,4\n", "{}", said.err);
    let loads: serde_json::Value = serde_json::from_str(&kepi(root, &["store", "loads", "--json"]).out).unwrap();
    let dates: Vec<&str> = loads.as_array().unwrap().iter().map(|load| load["at"].as_str().unwrap()).collect();
    assert_eq!(dates.len(), 3);
    assert!(dates.iter().all(|date| !date.starts_with("2025-0")), "{dates:?}");
}
