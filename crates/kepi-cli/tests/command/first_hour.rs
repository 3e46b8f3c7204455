//! The first hour with files of one's own: plain `kepi load FILE`, in whatever order they lie there.

use crate::{Said, kepi, kepi_with, project_with};
use std::path::{Path, PathBuf};

const CUSTOMERS: &str = "customer_id,name,country,signup_date\nc1,Ann,NL,2025-01-01\nc2,Bob,DE,2025-01-15\n";
const ORDERS: &str =
    "order_id,customer_id,ordered_at,amount\n1,c1,2025-01-05,10\n2,c2,2025-02-05,20\n3,c1,2025-02-07,20\n";
const HEADERS: &str =
    "InvoiceId,CustomerId,InvoiceDate,Total\n1,a,2025-01-03,10\n2,b,2025-02-03,20\n3,a,2025-02-07,20\n";
const LINES: &str = "InvoiceLineId,InvoiceId,TrackId,Quantity\n1,1,x,1\n2,1,y,2\n3,2,x,1\n4,3,x,7\n";

fn load(folder: &tempfile::TempDir, arguments: &[&str]) -> Said {
    kepi(folder.path(), &[&["load"], arguments].concat())
}

/// Loads files one after the other; each has to be taken.
fn load_all(folder: &tempfile::TempDir, files: &[&str]) {
    for file in files {
        let said = load(folder, &[file]);
        assert_eq!(said.code, 0, "{file}: {}", said.err);
    }
}

fn answer(folder: &tempfile::TempDir, query: &str) -> String {
    let said = kepi(folder.path(), &["query", query, "--format", "csv", "--now", "2025-06-01"]);
    assert_eq!(said.code, 0, "{query}: {}", said.err);
    said.out
}

fn model(folder: &tempfile::TempDir, file: &str) -> String {
    std::fs::read_to_string(folder.path().join("model").join(file)).unwrap()
}

#[test]
fn a_table_of_customers_is_the_entity_in_whatever_order() {
    for order in [["customers.csv", "orders.csv"], ["orders.csv", "customers.csv"]] {
        let folder = project_with(&[("customers.csv", CUSTOMERS), ("orders.csv", ORDERS)]);
        load_all(&folder, &order);
        let by_country = answer(&folder, "show sum(orders.amount) by country");
        assert_eq!(by_country, "country,sum(orders.amount)\nDE,20\nNL,30\n", "{order:?}");
        assert!(model(&folder, "customer.kepi").contains("entity customer key customer_id from signup_date {"));
        let counts = answer(&folder, "show count(customer) at 2025-01-10");
        assert_eq!(counts, "count(customer)\n1\n", "{order:?}");
        assert_eq!(kepi(folder.path(), &["check"]).code, 0);
    }
}

#[test]
fn an_entity_that_is_asked_for_exists_from_its_date() {
    let folder = project_with(&[("people.csv", CUSTOMERS)]);
    let said = load(&folder, &["people.csv", "--entity", "customer", "--key", "customer_id"]);
    assert!(said.code == 0 && said.err.contains("customer  2 new"), "{}", said.err);
    assert!(model(&folder, "customer.kepi").contains("entity customer key customer_id from signup_date {"));
    assert_eq!(kepi(folder.path(), &["check"]).code, 0);
    // One that events have made known keeps its key.
    let folder = project_with(&[("people.csv", CUSTOMERS), ("orders.csv", ORDERS)]);
    load_all(&folder, &["orders.csv"]);
    let said = load(&folder, &["people.csv", "--entity", "customer", "--key", "customer_id"]);
    assert!(said.code == 0 && said.err.contains("customer  2 new"), "{}", said.err);
    assert_eq!(answer(&folder, "show sum(orders.amount) by country"), "country,sum(orders.amount)\nDE,20\nNL,30\n");
}

#[test]
fn headers_and_lines_load_in_whatever_order_and_keep_their_names() {
    for order in [["Invoice.csv", "InvoiceLine.csv"], ["InvoiceLine.csv", "Invoice.csv"]] {
        let folder = project_with(&[("Invoice.csv", HEADERS), ("InvoiceLine.csv", LINES)]);
        load_all(&folder, &order);
        let sums = answer(&folder, "show sum(invoice_line.Quantity), sum(invoices.Total)");
        assert_eq!(sums, "sum(invoice_line.Quantity),sum(invoices.Total)\n11,50\n", "{order:?}");
        // Both are of the invoice, so that what one says of it can be asked of the other.
        let both = answer(&folder, "show count(invoice where count(invoice_line) = 2 and count(invoices) = 1) as both");
        assert_eq!(both, "both\n1\n", "{order:?}");
        assert_eq!(kepi(folder.path(), &["check"]).code, 0);
    }
}

#[test]
fn tables_that_link_things_leave_the_entity_to_the_things() {
    let deals = "deal_id,dealname,amount,createdate\nd1,Big,100,2025-01-02\nd2,Small,10,2025-01-09\n";
    let links = "deal_id,contact_id,category\nd1,k1,HUBSPOT\nd2,k2,HUBSPOT\n";
    let contacts = "contact_id,email,createdate\nk1,a@x.nl,2024-12-01\nk2,b@x.nl,2024-12-03\n";
    let files = [("deal.csv", deals), ("deal_contact.csv", links), ("contact.csv", contacts)];
    for order in [["deal.csv", "deal_contact.csv", "contact.csv"], ["contact.csv", "deal_contact.csv", "deal.csv"]] {
        let folder = project_with(&files);
        load_all(&folder, &order);
        assert_eq!(
            answer(&folder, "show count(deal_contact) by email"),
            "email,count(deal_contact)\na@x.nl,1\nb@x.nl,1\n"
        );
        assert_eq!(answer(&folder, "show sum(deals.amount) during 2025-01"), "sum(deals.amount)\n110\n", "{order:?}");
        assert!(model(&folder, "deals.kepi").contains("event deals of deal at createdate {"), "{order:?}");
    }
}

#[test]
fn what_is_declared_is_filled_by_a_file_with_its_columns() {
    let declared =
        "entity customer key customer { region: text }\nevent orders of customer at ordered { amount: number }\n";
    let orders = "order_id,customer,ordered,amount\n1,a,2025-01-01,5\n2,a,2025-01-02,6\n";
    let folder = project_with(&[
        ("model/m.kepi", declared),
        ("customer.csv", "customer,region\na,N\n"),
        ("orders.csv", orders),
        ("q1.csv", "customer,ordered,amount\na,2025-03-01,9\n"),
        ("shop.csv", "customer,when,amount\na,2025-03-01,9\n"),
    ]);
    let said = load(&folder, &["customer.csv"]);
    assert!(said.code == 0 && said.err.contains("customer  1 new"), "{}", said.err);
    let said = load(&folder, &["orders.csv"]);
    assert!(said.code == 0 && said.err.contains("orders  2 new"), "{}", said.err);
    // The id is known: the changed row takes the place of the old one, and is no further one.
    std::fs::write(folder.path().join("orders.csv"), orders.replace(",5\n", ",50\n")).unwrap();
    let said = load(&folder, &["orders.csv"]);
    assert!(said.code == 0 && said.err.contains("1 known, 1 replaced"), "{}", said.err);
    // A file of another name, with these columns and no others.
    let said = load(&folder, &["q1.csv"]);
    assert!(said.code == 0 && said.err.contains("orders  1 new"), "{}", said.err);
    assert_eq!(answer(&folder, "show sum(orders.amount) by region"), "region,sum(orders.amount)\nN,65\n");
    // With other columns it is something else.
    let said = load(&folder, &["shop.csv"]);
    assert!(said.code == 0 && said.err.contains("shop  1 new"), "{}", said.err);
}

#[test]
fn a_file_that_is_named_like_what_is_declared_says_what_it_lacks() {
    let declared =
        "entity customer key customer { region: text }\nevent orders of customer at ordered { amount: number }\n";
    let folder = project_with(&[
        ("model/m.kepi", declared),
        ("customer.csv", "code,region\na,N\nb,S\n"),
        ("orders.csv", "customer,day,amount\na,2025-01-01,5\n"),
    ]);
    for (file, lacks, command) in [
        ("customer.csv", "no column `customer` of the declared entity", "--entity customer --key COLUMN"),
        ("orders.csv", "no column `ordered` of the declared event", "--as orders --at COLUMN"),
    ] {
        let said = load(&folder, &[file]);
        assert!(said.code == 2 && said.err.contains(lacks) && said.err.contains(command), "{}", said.err);
    }
    // And the commands work.
    let said = load(&folder, &["customer.csv", "--entity", "customer", "--key", "code"]);
    assert!(said.code == 0 && said.err.contains("customer  2 new"), "{}", said.err);
    let said = load(&folder, &["orders.csv", "--as", "orders", "--at", "day"]);
    assert!(said.code == 0 && said.err.contains("orders  1 new"), "{}", said.err);
    let said = load(&folder, &["customer.csv", "--as", "customer"]);
    let help = "kepi load customer.csv --entity customer --key customer";
    assert!(said.code == 2 && said.err.contains("`customer` is an entity") && said.err.contains(help), "{}", said.err);
}

#[test]
fn whole_numbers_that_no_number_holds_are_codes() {
    let ids = "id,at,big\n1,2025-01-01,12345678901234567890\n2,2025-01-02,12345678901234567891\n";
    let folder = project_with(&[("b.csv", ids)]);
    load_all(&folder, &["b.csv"]);
    assert_eq!(answer(&folder, "show unique(b.big)"), "unique(b.big)\n2\n");
}

#[test]
fn rows_with_one_id_are_told_when_they_are_not_equal() {
    let declared =
        "event lines at day { amount: number }\nsource o from \"lines.csv\" { lines: at day, id order_no, amount }\n";
    let rows =
        "order_no,day,amount\n1,2025-01-01,10\n1,2025-01-01,20\n2,2025-01-02,30\n2,2025-01-02,30\n2,2025-01-02,40\n";
    let folder = project_with(&[("model/m.kepi", declared), ("lines.csv", rows)]);
    let said = load(&folder, &["lines.csv"]);
    let counts = "lines  1 known, 2 new, 2 replaced by later rows of this load";
    assert!(said.code == 0 && said.err.contains(counts), "{}", said.err);
    assert!(
        said.err.contains("`order_no` repeats with other values: of rows with one id the last is kept"),
        "{}",
        said.err
    );
}

#[test]
fn several_tables_in_one_load_are_told_how_to_be_loaded() {
    let folder = project_with(&[("customers.csv", CUSTOMERS), ("orders.csv", ORDERS)]);
    let said = load(&folder, &["customers.csv", "orders.csv"]);
    assert!(said.code == 4 && said.err.contains("do kepi load \"$file\"; done"), "{}", said.err);
    load_all(&folder, &["orders.csv"]);
    std::fs::write(folder.path().join("older.csv"), "order_id,customer_id,ordered_at\n7,c1,2024-01-05\n").unwrap();
    let said = load(&folder, &["older.csv", "--source", "orders"]);
    assert!(said.code == 4 && said.err.contains("--as EVENT --id COLUMN"), "{}", said.err);
    let said = load(&folder, &["older.csv", "--as", "orders", "--id", "order_id"]);
    assert!(said.code == 0 && said.err.contains("orders  1 new"), "{}", said.err);
}

#[test]
fn questions_through_a_pipe_are_answered_by_the_command_alone() {
    let folder = project_with(&[("orders.csv", ORDERS)]);
    load_all(&folder, &["orders.csv"]);
    let said = kepi_with(folder.path(), &[], "show sum(orders.amount)\n");
    assert!(said.code == 0 && said.out.contains("50"), "{} {}", said.out, said.err);
    let wrong = kepi_with(folder.path(), &[], "show sum(orders.amout)\n");
    assert!(wrong.code == 1 && wrong.out.is_empty(), "{} {}", wrong.out, wrong.err);
    let silent = kepi_with(folder.path(), &[], "");
    assert!(silent.code == 0 && silent.out.contains("Usage"), "{} {}", silent.out, silent.err);
}

#[test]
fn texts_are_raw_in_csv_and_defused_for_spreadsheets() {
    let folder = project_with(&[("calls.csv", "at,phone\n2025-01-01,+31612345678x\n2025-01-02,@handle\n")]);
    load_all(&folder, &["calls.csv"]);
    let query = "show count(calls) by phone";
    assert_eq!(answer(&folder, query), "phone,count(calls)\n+31612345678x,1\n@handle,1\n");
    let sheet = kepi(folder.path(), &["query", query, "--format", "sheet", "--now", "2025-06-01"]);
    assert_eq!(sheet.out, "phone,count(calls)\n'+31612345678x,1\n'@handle,1\n");
}

#[test]
fn another_zone_than_that_of_the_load_is_told_until_the_rows_are_loaded_again() {
    let utc = "click_id,at\n1,2025-01-01T00:30:00Z\n2,2025-01-02T00:30:00+01:00\n";
    let folder = project_with(&[("orders.csv", ORDERS), ("clicks.csv", utc)]);
    load_all(&folder, &["orders.csv", "clicks.csv"]);
    let asked = || kepi(folder.path(), &["query", "show sum(orders.amount)", "--now", "2025-06-01"]);
    assert!(!asked().err.contains("zone"), "{}", asked().err);
    let settings = std::fs::read_to_string(folder.path().join("kepi.toml")).unwrap();
    std::fs::write(folder.path().join("kepi.toml"), format!("{settings}\ntimezone = \"America/New_York\"\n")).unwrap();
    let told = "days and times of `orders` were read in UTC, and the zone is America/New_York now";
    for said in [asked(), kepi(folder.path(), &["check"])] {
        assert!(said.code == 0 && said.err.contains(told) || said.out.contains(told), "{} {}", said.out, said.err);
    }
    // Times with an offset are the same everywhere.
    load_all(&folder, &["orders.csv"]);
    assert!(!asked().err.contains("zone") && !asked().out.contains("zone"), "{}", asked().err);
}

#[test]
fn milliseconds_since_1970_are_times() {
    let events = "user_id,timestamp\na,1735689600000\na,1738368000000\nb,1738368000001\n";
    let folder = project_with(&[("clicks.csv", events)]);
    load_all(&folder, &["clicks.csv"]);
    let per_month = answer(&folder, "show count(clicks) per month from 2025-01-01 until 2025-03-01");
    assert_eq!(per_month, "month,count(clicks)\n2025-01-01,1\n2025-02-01,2\n");
}

/// Every export of a service is taken as it lies there, and all of the model that comes of it holds.
#[test]
fn the_exports_of_whole_services_load_file_by_file() {
    let folders = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/saas_seeds");
    if !folders.exists() {
        eprintln!("skipped: {} is not there", folders.display());
        return;
    }
    for service in ["hubspot", "klaviyo", "mailchimp"] {
        let project = project_with(&[]);
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folders.join(service)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "csv"));
        files.sort();
        assert!(files.len() > 5, "{service}");
        for file in &files {
            let said = kepi(project.path(), &["load", &file.display().to_string()]);
            assert_eq!(said.code, 0, "{}: {}", shown(file), said.err);
        }
        let check = kepi(project.path(), &["check"]);
        assert!(!check.err.contains("error"), "{service}: {}", check.err);
        assert_eq!(check.code, 0, "{service}: {}", check.err);
    }
}

fn shown(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
