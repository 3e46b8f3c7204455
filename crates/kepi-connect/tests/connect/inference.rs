//! What is inferred from small tables, as the model file that is written.

use crate::{Folder, options};
use kepi_connect::{Hints, Inferred, Table, declaration, infer_table};
use kepi_model::value::Currency;

fn declared(name: &str, text: &str, hints: &Hints) -> String {
    let folder = Folder::new();
    let table = Table::open(&[folder.file(name, text)], &options(&[])).unwrap();
    let hints = Hints { from: Some(name.to_string()), ..hints.clone() };
    let (inferred, options, _) = infer_table(&table, &hints).unwrap();
    assert_named_once(&inferred);
    let text = declaration(&inferred, &options);
    let (_, diagnostics) = kepi_syntax::parse_file(&text);
    assert!(diagnostics.is_empty(), "{diagnostics:?}\n{text}");
    text
}

fn assert_named_once(inferred: &Inferred) {
    let fields: Vec<&String> = inferred.columns.iter().map(|c| &c.field).collect();
    assert!(fields.iter().enumerate().all(|(i, f)| !fields[..i].contains(f)), "{fields:?}");
}

#[test]
fn an_event_with_time_id_and_subject() {
    let text = "order_id,customer_id,created_at,updated_at,amount,discount,express,zip,note,product\n\
        1001,c1,2025-01-03 10:00:00,2025-02-01 00:00:00,12.50,5%,yes,01234,\"a \"\"b\"\" \\ c\",p1\n\
        1002,c2,2025-01-04 11:30:00,2025-02-01 00:00:00,7,10%,no,99999,,p2\n\
        1003,c1,2025-01-05 12:00:00,2025-02-01 00:00:00,100.00,0%,no,01235,x,p1\n";
    insta::assert_snapshot!(declared("orders.csv", text, &Hints::default()));
    let hints = Hints {
        currency: Some(Currency(*b"EUR")),
        known_entities: vec!["customer".to_string()],
        name: Some("sales".to_string()),
        ..Hints::default()
    };
    insta::assert_snapshot!("orders_with_hints", declared("orders.csv", text, &hints));
}

#[test]
fn an_entity_is_a_unique_key_without_a_time() {
    let text = "customerID,gender,SeniorCitizen,Partner,Lines,Charges,Churn\n\
        a-1,Female,0,Yes,Yes,65.6,No\na-2,Male,1,No,No,59.9,No\na-3,Male,0,No,No line,73.9,Yes\na-4,Male,0,No,No, ,Yes\n\
        a-5,Male,0,No,No,1,Yes\na-6,Male,0,No,No,2,Yes\na-7,Male,0,No,No,3,Yes\na-8,Male,0,No,No,4,Yes\n\
        a-9,Male,0,No,No,5,Yes\na-10,Male,0,No,No,6,Yes\n";
    insta::assert_snapshot!(declared("telco.csv", text, &Hints::default()));
}

#[test]
fn hostile_names_are_written_so_that_they_are_read_back() {
    let text =
        "where,of,`tick`,2nd,año,sla status,from,by,when\n1,a,b,c,d,e,f,g,2025-01-01\n2,a,b,c,d,e,f,g,2025-01-02\n";
    insta::assert_snapshot!(declared("order by; drop.csv", text, &Hints::default()));
}

#[test]
fn found_options_are_stated() {
    let text = "10.01.2025 10:00;c1;1.234,50\n11.01.2025 11:00;c2;7,25\n31.01.2025 12:00;c1;9\n";
    insta::assert_snapshot!(declared("verkäufe.csv", text, &Hints::default()));
}

#[test]
fn amounts_take_the_currency_beside_them() {
    let text = "id,at,currency,total\n1,2025-01-01,EUR,5\n2,2025-01-02,USD,6.5\n3,2025-01-02,USD,6.5\n";
    insta::assert_snapshot!(declared("invoices.csv", text, &Hints::default()));
    let one = declared("spend.csv", "day,campaign,cost\n2025-01-01,a,€ 5\n2025-01-02,a,€ 6\n", &Hints::default());
    assert!(one.contains("cost: money(EUR)"), "{one}");
}

#[test]
fn a_column_that_changes_type_rejects_few_rows_or_becomes_text() {
    let rows = |bad: usize| -> String {
        let row = |i: usize| {
            format!("2025-01-{:02},{}\n", i % 28 + 1, if i < 100 - bad { i.to_string() } else { "broken".into() })
        };
        std::iter::once("day,n\n".to_string()).chain((0..100).map(row)).collect()
    };
    let few = declared("t.csv", &rows(3), &Hints::default());
    assert!(few.contains("n: number") && few.contains("3 of 100 values do not fit, the first is `broken`"), "{few}");
    let many = declared("t.csv", &rows(40), &Hints::default());
    assert!(many.contains("n: text") && many.contains("60 of 100 values are numbers, but not `broken`"), "{many}");
}

#[test]
fn json_paths_become_fields() {
    let text = "{\"customer\": {\"id\": \"c1\"}, \"at\": \"2025-01-01T10:00:00Z\", \"v\": 1.5}\n\
        {\"customer\": {\"id\": \"c1\"}, \"at\": \"2025-01-02T10:00:00Z\", \"v\": 2}\n";
    insta::assert_snapshot!(declared("visits.jsonl", text, &Hints::default()));
}

#[test]
fn a_header_without_rows_is_said() {
    let text = declared("h.csv", "customer_id,created_at\n", &Hints::default());
    assert!(text.contains("there are no rows"), "{text}");
}
