//! The second hour with files of one's own: declarations are changed, tables come one after the other, goals are set.

use crate::{kepi, project_with};
use std::fs;

const ORDERS: &str = "order_id,customer_id,ordered_at,status\n1,c1,2025-01-05,open\n2,c2,2025-02-05,paid\n";
const MODEL: &str = "entity customer key id { }\n\
    event orders of customer at ordered_at { status: text }\n\
    source o from \"orders.csv\" { orders: at ordered_at, id order_id, of customer customer_id, status }\n";

/// A project with a model and its tables, each loaded by the source of its name.
fn loaded(model: &str, tables: &[(&str, &str)]) -> tempfile::TempDir {
    let mut files: Vec<(String, &str)> = vec![("model/shop.kepi".to_string(), model)];
    files.extend(tables.iter().map(|(name, text)| (format!("{name}.csv"), *text)));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let folder = project_with(&files);
    for (name, _) in tables {
        let said = kepi(folder.path(), &["load", &format!("{name}.csv")]);
        assert_eq!(said.code, 0, "{name}: {}", said.err);
    }
    folder
}

/// All that was said, in one line.
fn words(said: &crate::Said) -> String {
    format!("{} {}", said.out, said.err).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_type_that_was_changed_after_the_load_is_told_with_its_place_and_the_way_out() {
    let folder = loaded(MODEL, &[("orders", ORDERS)]);
    let changed = MODEL.replace("status: text", "status: number");
    fs::write(folder.path().join("model/shop.kepi"), &changed).unwrap();
    let told = |said: crate::Said, code: i32| {
        assert_eq!(said.code, code, "{}", said.err);
        let all = words(&said);
        for wanted in ["K315", "shop.kepi:2:50", "declared as number, and texts are stored in it", "remove .kepi/store"]
        {
            assert!(all.contains(wanted), "{wanted}: {all}");
        }
    };
    told(kepi(folder.path(), &["check"]), 1);
    told(kepi(folder.path(), &["query", "show sum(orders.status)"]), 1);
    told(kepi(folder.path(), &["load", "orders.csv"]), 1);
    // What does not look at the field is answered.
    let said = kepi(folder.path(), &["query", "show count(orders)", "--format", "csv"]);
    assert_eq!((said.code, said.out.as_str()), (0, "count(orders)\n2\n"), "{}", said.err);
    // A reference instead of a text is another thing, too.
    let referring =
        MODEL.replace("status: text", "status: campaign").replace("event", "entity campaign key id { }\nevent");
    fs::write(folder.path().join("model/shop.kepi"), referring).unwrap();
    let said = kepi(folder.path(), &["query", "show unique(orders.status)"]);
    assert!(said.code == 1 && said.err.contains("K315"), "{}", said.err);
    fs::remove_dir_all(folder.path().join(".kepi/store")).unwrap();
    assert_eq!(kepi(folder.path(), &["load", "orders.csv"]).code, 0);
    assert_eq!(kepi(folder.path(), &["query", "show unique(orders.status)"]).code, 0);
}

#[test]
fn a_column_that_a_later_load_brings_is_told_with_the_rows_that_lack_it() {
    let all = |said: crate::Said| {
        assert_eq!(said.code, 0, "{}", said.err);
        words(&said)
    };
    let model = |id: &str, kind: &str| {
        format!(
            "entity customer key id {{ }}\nevent orders of customer at ordered {{ amount: number{kind} }}\n\
             source book from \"orders*.csv\" {{ orders: at ordered, {id}of customer, amount{} }}\n",
            if kind.is_empty() { "" } else { ", kind" }
        )
    };
    let rows = "no,ordered,customer,amount,kind\n1,2025-01-01,ada,5,a\n2,2025-01-02,bob,6,b\n";
    let later = "no,ordered,customer,amount,kind\n3,2025-02-01,ada,7,a\n";
    for (id, help) in [("id no, ", "load the files again to fill it"), ("", "`kepi store unload N`) before you load")] {
        let folder = project_with(&[("model/shop.kepi", &model(id, "")), ("orders.csv", rows), ("orders2.csv", later)]);
        let root = folder.path();
        assert!(!all(kepi(root, &["load", "orders.csv"])).contains("is new to"));
        fs::write(root.join("model/shop.kepi"), model(id, "  kind: text")).unwrap();
        let asked = all(kepi(root, &["query", "show count(orders) by kind"]));
        assert!(asked.contains("`kind` of `orders` is missing everywhere"), "{asked}");
        assert_eq!(asked.contains("kepi store unload N"), id.is_empty(), "{asked}");
        let said = all(kepi(root, &["load", "orders2.csv"]));
        assert!(said.contains("`kind` is new to `orders`, and 2 rows from before have no value for it"), "{said}");
        assert!(said.contains(help), "{said}");
        // What is said to help does.
        if id.is_empty() {
            assert_eq!(kepi(root, &["store", "unload", "1"]).code, 0);
        }
        let said = all(kepi(root, &["load", "orders.csv"]));
        assert!(!said.contains("is new to"), "{said}");
        let found = kepi(root, &["query", "show count(orders) by kind", "--format", "csv"]);
        assert_eq!(found.out, "kind,count(orders)\na,2\nb,1\n", "{}", found.err);
    }
}

#[test]
fn what_nothing_was_loaded_into_is_told() {
    let model = "entity customer key id { }\nentity shop key id { }\nevent orders of customer at ordered { amount: number }\n\
                 event first_orders = first(orders) per customer\nstate active of customer = from orders for 1 month\n";
    let folder =
        project_with(&[("model/shop.kepi", model), ("orders.csv", "ordered,customer,amount\n2025-01-01,ada,5\n")]);
    let told = |query: &str| words(&kepi(folder.path(), &["query", query]));
    for (query, name) in [
        ("show count(shop)", "shop"),
        ("show count(customer)", "customer"),
        ("show sum(orders.amount)", "orders"),
        ("show count(first_orders)", "orders"),
        ("show avg(sum(orders.amount) per customer)", "orders"),
        ("show funnel(orders -> orders)", "orders"),
        ("show closing(active) at 2025-02-01", "customer"),
    ] {
        let said = told(query);
        assert!(said.contains(&format!("nothing has been loaded into {name}")), "{query}: {said}");
    }
    assert_eq!(kepi(folder.path(), &["load", "orders.csv"]).code, 0);
    for query in ["show count(customer)", "show count(shop), count(orders)", "show closing(active) at 2025-02-01"] {
        let said = told(query);
        assert!(!said.contains("nothing has been loaded"), "{query}: {said}");
    }
}

#[test]
fn a_field_that_was_declared_after_the_load_is_told() {
    let folder = loaded(MODEL, &[("orders", ORDERS)]);
    let more =
        MODEL.replace("status: text", "status: text  kind: text").replace("key id { }", "key id { region: text }");
    fs::write(folder.path().join("model/shop.kepi"), more).unwrap();
    for (query, wanted) in [
        ("show count(orders) by kind", "`kind` of `orders` is missing everywhere: nothing has been loaded into it"),
        ("show count(orders) by region", "`region` of `customer` is missing everywhere"),
    ] {
        let said = kepi(folder.path(), &["query", query]);
        assert!(said.code == 0 && format!("{}{}", said.out, said.err).contains(wanted), "{} {}", said.out, said.err);
    }
    let said = kepi(folder.path(), &["query", "show count(orders) by status"]);
    assert!(!format!("{}{}", said.out, said.err).contains("missing everywhere"), "{}", said.err);
}

#[test]
fn the_rows_of_a_first_moment_are_those_of_the_entity_that_it_is_taken_per() {
    let wins =
        "deal,account,won\nd1,a,2025-01-05\nd2,a,2025-01-05\nd3,a,2025-02-01\nd4,b,2025-02-02\nd5,b,2025-03-01\n";
    let model = "entity deal key id { }\nentity account key id { }\nevent wins of deal, account at won\n\
        source w from \"wins.csv\" { wins: at won, of deal, account }\n\
        event new_logos = first(wins) per account\n";
    let folder = loaded(model, &[("wins", wins)]);
    let said = kepi(folder.path(), &["check"]);
    let told = "wins where wins.at = first(wins.at, per: account)";
    assert!(words(&said).contains(&format!("write `{told}`")), "{}", said.err);
    fs::write(folder.path().join("model/told.kepi"), format!("event as_told = {told}\n")).unwrap();
    let query = "show count(new_logos), count(as_told) as told";
    let said = kepi(folder.path(), &["query", query, "--format", "csv", "--now", "2025-06-01"]);
    assert_eq!(said.out, "count(new_logos),told\n2,3\n", "{}", said.err);
}

#[test]
fn a_comparison_of_entities_alone_is_not_denied() {
    let customers = "id,churn\na,yes\nb,no\nc,no\n";
    let model = "entity customer key id { churn: bool }\n\
        source c from \"customers.csv\" { customer: key id, churn }\n\
        metric churn_rate : percent = share(customer where churn)\n";
    let folder = loaded(model, &[("customers", customers)]);
    let said = kepi(folder.path(), &["query", "show churn_rate vs previous year", "--now", "2025-06-15"]);
    let all = format!("{}{}", said.out, said.err);
    assert!(said.code == 0 && all.contains("33.3 %") && !all.contains("has not begun"), "{all}");
}

#[test]
fn of_whom_rows_speak_too_early_is_said() {
    let customers = "id,created\na,2025-01-01\nb,2025-03-20\n";
    let plans = "customer,s,e,fee\na,2025-01-01,,5\nb,2025-02-01,2025-04-10,7\n";
    let model = "entity customer key id from created { created: date }\n\
        state fee of customer { value: number }\n\
        source customers from \"customers.csv\" { customer: key id, created }\n\
        source plans from \"plans.csv\" { fee: of customer, from s, until e, value = fee }\n";
    let folder = loaded(model, &[("customers", customers), ("plans", plans)]);
    let ask = |query: &str| {
        let said = kepi(folder.path(), &["query", query, "--now", "2025-06-01"]);
        assert_eq!(said.code, 0, "{}", said.err);
        format!("{}{}", said.out, said.err)
    };
    let told = "`fee` begins earlier than `customer.created` for 1 of `customer`";
    assert!(ask("show avg(fee > 5) per month during 2025-Q1").contains(told));
    assert!(ask("show count(started(fee > 5))").contains(told));
    // Who existed before the window is not missed in it.
    assert!(!ask("show avg(fee > 5) per month during 2025-Q2").contains("begins earlier"));
    // A state that is declared is a fact, and holds as its rows say.
    let stored = ask("show closing(fee) per month during 2025-Q1");
    assert!(stored.contains("12") && !stored.contains("begins earlier"), "{stored}");
}

#[test]
fn a_table_of_agents_that_comes_after_their_deals_says_how_they_meet() {
    let deals =
        "opportunity_id,sales_agent,closed,value\n1,Ann,2025-01-05,10\n2,Bob,2025-02-05,20\n3,Ann,2025-02-07,20\n";
    let teams = "sales_agent,manager\nAnn,Mia\nBob,Max\nCyd,Max\n";
    let folder = project_with(&[("deals.csv", deals), ("sales_teams.csv", teams)]);
    let load = |file: &str| {
        let said = kepi(folder.path(), &["load", file]);
        assert_eq!(said.code, 0, "{file}: {}", said.err);
        words(&said)
    };
    load("deals.csv");
    let told =
        "declare `event deals of sales_team`, let its source map `sales_team sales_agent` instead of `sales_agent`";
    let said = load("sales_teams.csv");
    assert!(said.contains("`sales_agent` of `deals` is a text and has the keys of `sales_team`"), "{said}");
    assert!(said.contains(told), "{said}");
    for label in ["sales_team.manager", "manager", "sales_agent.manager"] {
        let said = kepi(folder.path(), &["query", &format!("show sum(deals.value) by {label}")]);
        assert!(said.code == 1 && words(&said).contains(told), "{label}: {}", said.err);
    }
    // As it says.
    let path = folder.path().join("model/deals.kepi");
    let model = fs::read_to_string(&path).unwrap();
    let linked = model.replace("event deals at", "event deals of sales_team at").replace("  sales_agent: text\n", "");
    fs::write(&path, linked.replace("id opportunity_id, sales_agent", "id opportunity_id, of sales_team sales_agent"))
        .unwrap();
    assert!(!load("deals.csv").contains("is a text"));
    let ask = |label: &str| {
        let query = format!("show sum(deals.value) by {label} as label");
        kepi(folder.path(), &["query", &query, "--format", "csv", "--now", "2025-06-01"])
    };
    for label in ["sales_team.manager", "manager"] {
        let said = ask(label);
        assert_eq!(said.out, "label,sum(deals.value)\nMax,20\nMia,30\n", "{label}: {}", said.err);
    }
    assert!(words(&ask("agent.manager")).contains("did you mean `sales_team.manager`?"));
}

#[test]
fn a_question_that_runs_years_beyond_the_data_says_where_they_end() {
    let folder = loaded(MODEL, &[("orders", ORDERS)]);
    let ask = |query: &str, now: &str| words(&kepi(folder.path(), &["query", query, "--now", now]));
    let told = "the data end on 2025-02-05, and the months go on up to now: `--now 2025-02-06`";
    let query = "show count(orders) per month";
    assert!(ask(query, "2030-01-01").contains(told), "{}", ask(query, "2030-01-01"));
    assert!(!ask(query, "2025-06-01").contains("go on up to now"));
    assert!(!ask("show count(orders) per month since 2025-01-01", "2030-01-01").contains("go on up to now"));
    assert!(ask("show retention(orders -> orders, period: month)", "2030-01-01").contains(told));
    // Labels have no rows behind the data.
    assert!(!ask("show count(orders) by status per month", "2030-01-01").contains("go on up to now"));
}

#[test]
fn a_field_of_another_event_is_found_in_the_history() {
    let calls = "customer_id,called\nc1,2025-03-01\nc2,2025-01-01\n";
    let model = format!(
        "{MODEL}event calls of customer at called\nsource calls from \"calls.csv\" {{ calls: at called, of customer customer_id }}\n"
    );
    let folder = loaded(&model, &[("orders", ORDERS), ("calls", calls)]);
    let said = kepi(folder.path(), &["query", "show count(calls) by status"]);
    let told = "`orders` has it: `last(orders.status)` is the latest of the same customer";
    assert!(said.code == 1 && words(&said).contains(told), "{}", said.err);
    let query = "show count(calls) by last(orders.status) as status";
    let said = kepi(folder.path(), &["query", query, "--format", "csv", "--now", "2025-06-01"]);
    assert_eq!(said.out, "status,count(calls)\nopen,1\n,1\n", "{}", said.err);
}

#[test]
fn intervals_that_hold_nothing_are_told() {
    let folder = loaded(
        "entity customer key id { }\nstate fee of customer { value: number }\nstate here of customer { }\n\
         source fees from \"fees.csv\" { fee: of customer c, from a, until b, value = v }\n\
         source stays from \"stays.csv\" { here: of customer c, from a, until b }\n",
        &[("stays", "c,a,b\nc1,2025-01-01,2025-02-01\n")],
    );
    let fees = "c,a,b,v\nc1,2025-03-10,2025-03-01,5\nc1,2025-03-10,2025-03-10,5\nc2,2025-01-01,,7\nc2,2025-03-01,2025-04-01,\n";
    fs::write(folder.path().join("fees.csv"), fees).unwrap();
    let said = kepi(folder.path(), &["load", "fees.csv"]);
    let all = words(&said);
    assert_eq!(said.code, 0, "{all}");
    for wanted in [
        "fee 4 new",
        "2 intervals end where they begin or before, and hold nothing",
        "1 interval has no value, and holds nothing",
    ] {
        assert!(all.contains(wanted), "{wanted}: {all}");
    }
    let said = kepi(folder.path(), &["load", "stays.csv"]);
    assert!(said.code == 0 && !words(&said).contains("interval"), "{}", words(&said));
}
