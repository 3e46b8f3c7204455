//! What is inferred from small tables, as the model file that is written.

use crate::{Folder, options};
use kepi_connect::{Hints, Inferred, KnownEntity, Table, declaration, infer_table};
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
        known: vec![KnownEntity { name: "customer".to_string(), key: "customer_id".to_string(), open: true }],
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

fn first_line(text: &str) -> &str {
    text.lines().find(|line| line.starts_with("entity ") || line.starts_with("event ")).unwrap_or_default()
}

#[test]
fn tables_of_things_are_entities_from_their_date_and_tables_of_facts_are_events() {
    let cases = [
        (
            "customers.csv",
            "customer_id,name,signup_date\na,Ann,2025-01-01\nb,Bob,2025-01-02\n",
            "entity customer key customer_id from signup_date {",
        ),
        ("crm_accounts.csv", "id,name,updated_at\na,Ann,2025-01-01\nb,Bob,2025-01-02\n", "entity account key `id` {"),
        ("plans.csv", "id,price,created\na,5,2025-01-01\nb,6,2025-01-02\n", "entity plan key `id` from created {"),
        // The day of an export is nobody's beginning.
        ("users.csv", "user_id,email,date\na,x@y,2025-01-01\nb,z@y,2025-01-01\n", "entity user key user_id {"),
        (
            "contact_list.csv",
            "id,name,created_at\n1,a,2025-01-01\n2,b,2025-01-02\n",
            "entity contact_list key `id` from created_at {",
        ),
        (
            "people.csv",
            "customer_id,email,created_at\na,x,2025-01-01\nb,z,2025-01-03\n",
            "entity customer key customer_id from created_at {",
        ),
        // Rows that happened, though each is of another customer so far.
        (
            "signups.csv",
            "customer_id,plan,signed_up_at\na,x,2025-01-01\nb,z,2025-01-03\n",
            "event signups of customer at signed_up_at {",
        ),
        (
            "payments.csv",
            "payment_id,customer_id,paid_at,amount\n1,a,2025-01-01,1\n2,b,2025-01-03,2\n",
            "event payments of customer at paid_at {",
        ),
        (
            "customers_history.csv",
            "customer_id,tier,changed_at\na,1,2025-01-01\na,2,2025-01-03\n",
            "event customers_history of customer at changed_at {",
        ),
        // A time of somebody else.
        (
            "marketing_campaign.csv",
            "ID,Income,Dt_Customer\n1,5,2025-01-01\n2,6,2025-01-03\n",
            "event marketing_campaign at Dt_Customer {",
        ),
    ];
    for (file, text, wanted) in cases {
        let text = declared(file, text, &Hints::default());
        let found =
            text.lines().filter(|line| line.ends_with(" {") && !line.starts_with("source ")).collect::<Vec<_>>();
        assert_eq!(found, [wanted], "{file}\n{text}");
    }
}

#[test]
fn what_has_a_number_of_its_own_is_an_event_of_it_and_parts_and_links_are_of_what_they_name() {
    let cases = [
        (
            "Invoice.csv",
            "InvoiceId,CustomerId,InvoiceDate\n1,a,2025-01-03\n2,b,2025-02-03\n3,a,2025-02-04\n",
            "event invoices of customer, invoice at InvoiceDate {",
        ),
        (
            "deals.csv",
            "id,company_id,created,amount\n1,a,2025-01-03,5\n2,a,2025-02-03,6\n",
            "event deals of company, deal at created {",
        ),
        (
            "InvoiceLine.csv",
            "InvoiceLineId,InvoiceId,Quantity\n1,1,1\n2,1,2\n3,2,1\n",
            "event invoice_line of invoice {",
        ),
        ("lines.csv", "line_id,order_id,n\n1,1,1\n2,1,2\n3,2,1\n", "event lines of order {"),
        // The deals that were merged into others are not all deals.
        ("merged_deals.csv", "deal_id,merged_deal_id,who\n1,7,a\n1,8,b\n", "event merged_deals of deal {"),
        ("order_items.csv", "order_item_id,order_id,name,price\n1,1,a,1\n2,2,b,2\n", "event order_items of order {"),
        (
            "deal_contact_data.csv",
            "contact_id,deal_id,category\n1,1,x\n2,2,x\n",
            "event deal_contact_data of contact, deal {",
        ),
        // Tags of an order have its number, which does not repeat in so few rows.
        (
            "order_tag.csv",
            "index,order_id,_fivetran_synced,value\n1,7,2025-01-01,a\n1,8,2025-01-01,b\n",
            "event order_tag of order {",
        ),
        ("customer_summary.csv", "customer_id,orders\na,1\nb,2\n", "entity customer key customer_id {"),
        ("ProductLines.csv", "productLine,textDescription\na,x\nb,y\n", "entity product_line key productLine {"),
    ];
    for (file, text, wanted) in cases {
        let text = declared(file, text, &Hints::default());
        let found = text.lines().rfind(|line| line.ends_with(" {") && !line.starts_with("source "));
        assert_eq!(found, Some(wanted), "{file}\n{text}");
        // A foreign key is no identity, though it does not repeat yet.
        assert!(
            !text.contains("id order_id, of") && !text.contains(" id deal_id") && !text.contains(" id contact_id"),
            "{text}"
        );
    }
}

#[test]
fn names_that_are_taken_are_left_alone() {
    let entity = |open| KnownEntity { name: "customer".to_string(), key: "customer_id".to_string(), open };
    let hints = |open| Hints { known: vec![entity(open)], taken: vec!["customer".to_string()], ..Hints::default() };
    let rows = "customer_id,email,created_at\na,x,2025-01-01\nb,z,2025-01-03\n";
    let open = declared("vip_customers.csv", rows, &hints(true));
    assert_eq!(first_line(&open), "entity customer key customer_id from created_at {");
    let own = declared("vip_customers.csv", rows, &hints(false));
    assert_eq!(first_line(&own), "entity vip_customer key customer_id from created_at {");
    let summary = declared("customer_summary.csv", "customer_id,orders\na,1\nb,2\n", &hints(false));
    assert_eq!(first_line(&summary), "event customer_summary of customer {");
    assert!(
        summary.contains("`kepi load customer_summary.csv --entity customer --key customer_id --all`"),
        "{summary}"
    );
    let lines = "line_id,invoice_id,n\n1,1,1\n2,1,2\n";
    let taken = Hints { taken: vec!["invoice".to_string(), "invoice_lines".to_string()], ..Hints::default() };
    let lines = declared("invoice_lines.csv", lines, &taken);
    assert_eq!(first_line(&lines), "event invoice_lines_rows {");
    assert!(lines.contains("`invoice_id` stays a text"), "{lines}");
}

#[test]
fn numbers_that_count_from_1970_are_times_where_the_name_says_so() {
    let text = "user_id,timestamp,phone\na,1735689600000,1735689600\na,1735689601000,1735689601\n";
    let found = declared("events.csv", text, &Hints::default());
    assert!(found.contains("event events of user at timestamp {") && found.contains("dates = \"epoch_ms\""), "{found}");
    assert!(found.contains("phone: text"), "{found}");
}
