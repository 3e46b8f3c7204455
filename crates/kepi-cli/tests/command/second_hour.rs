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

#[test]
fn a_type_that_was_changed_after_the_load_is_told_with_its_place_and_the_way_out() {
    let folder = loaded(MODEL, &[("orders", ORDERS)]);
    let changed = MODEL.replace("status: text", "status: number");
    fs::write(folder.path().join("model/shop.kepi"), &changed).unwrap();
    let told = |said: crate::Said, code: i32| {
        assert_eq!(said.code, code, "{}", said.err);
        let all = format!("{}{}", said.out, said.err);
        for wanted in ["K315", "shop.kepi:2:54", "declared as number, and texts are stored in it", "remove .kepi/store"]
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
    assert!(format!("{}{}", said.out, said.err).contains(&format!("write `{told}`")), "{}", said.err);
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
fn of_whom_a_state_is_told_too_early_is_said() {
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
    assert!(ask("show closing(fee) per month during 2025-Q1").contains(told));
    assert!(ask("show count(started(fee > 5))").contains(told));
    // Who existed before the window is not missed in it.
    assert!(!ask("show closing(fee) per month during 2025-Q2").contains("begins earlier"));
}
