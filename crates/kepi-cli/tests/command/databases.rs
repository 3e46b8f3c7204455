//! Connectors that are compiled in, each against the real program: what is pulled, what is asked for again, what is told.

use super::packs::file;
use super::postgres_server::Server;
use super::{kepi, kepi_in, project_with};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The first row of an answer.
pub(super) fn answer(folder: &Path, query: &str) -> Vec<f64> {
    let ran = kepi(folder, &["query", query, "--format", "json", "--now", "2026-06-01"]);
    assert_eq!(ran.code, 0, "{query}: {}", ran.err);
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    answer["rows"][0].as_array().unwrap().iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

pub(super) fn expect(folder: &Path, expected: &[(&str, f64)]) {
    let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    let found = answer(folder, &format!("show {}", names.join(", ")));
    for ((name, wanted), found) in expected.iter().zip(found) {
        assert!((found - wanted).abs() < 1e-6, "{name}: {found} is not {wanted}");
    }
}

pub(super) fn sync(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let ran = kepi_in(folder, &[&["sync"], arguments].concat(), variables);
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
    ran.err
}

#[test]
fn the_sqlite_pack_says_what_the_database_says() {
    let folder = project_with(&[("model/shop.kepi", &file("sqlite/sqlite.kepi"))]);
    let database = rusqlite::Connection::open(folder.path().join("shop.db")).unwrap();
    database.execute_batch(&file("sqlite/fixtures/shop.sql")).unwrap();
    for source in ["shop_customers", "shop_invoices", "shop_lines"] {
        sync(folder.path(), &[source], &[]);
    }
    expect(
        folder.path(),
        &[
            ("sales", 13.91),
            ("invoice_count", 5.0),
            ("invoice_size", 2.782),
            ("buyers", 3.0),
            ("sales_per_buyer", 13.91 / 3.0),
            ("new_buyers", 3.0),
            ("repeat_rate", 0.4),
            ("tracks_sold", 10.0),
            ("track_price", 1.391),
            ("basket", 2.0),
            ("rock_share", 0.6),
            ("ninety_day_return", 1.0 / 3.0),
        ],
    );
    assert!(sync(folder.path(), &["shop_invoices"], &[]).contains("nothing new"));
    let more = "insert into Invoice values (6, 2, '2025-04-01 00:00:00', 'Ireland', 1.00), (7, 2, '2025-05-01 00:00:00', null, 2.00)";
    database.execute_batch(more).unwrap();
    let said = sync(folder.path(), &["shop_invoices"], &[]);
    assert!(said.contains("2 new"), "{said}");
    expect(folder.path(), &[("sales", 16.91), ("invoice_count", 7.0)]);
}

#[test]
fn the_sqlite_pack_reads_a_real_shop() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/chinook/Chinook_Sqlite.sqlite");
    if !shared.is_file() {
        eprintln!("skipped: {} is not there", shared.display());
        return;
    }
    let folder = project_with(&[("model/shop.kepi", &file("sqlite/sqlite.kepi"))]);
    std::fs::copy(shared, folder.path().join("shop.db")).unwrap();
    for source in ["shop_customers", "shop_invoices", "shop_lines"] {
        sync(folder.path(), &[source], &[]);
    }
    let expected = [("sales", 2_328.6), ("invoice_count", 412.0), ("buyers", 59.0), ("tracks_sold", 2_240.0)];
    expect(folder.path(), &expected);
    assert!((answer(folder.path(), "show count(customer)")[0] - 59.0).abs() < 1e-9);
}

const PASSWORD: &str = "reader-secret-1";
const SECRET: [(&str, &str); 1] = [("POSTGRES_PASSWORD", PASSWORD)];

fn shop() -> Option<Server> {
    let server = Server::start()?;
    server.run("postgres", "create database shop");
    server.run("shop", &file("postgres/fixtures/shop.sql"));
    let grants = "create role kepi_reader login password 'reader-secret-1'; grant usage on schema app to kepi_reader; \
                  grant select on all tables in schema app to kepi_reader; \
                  alter default privileges in schema app grant select on tables to kepi_reader";
    server.run("shop", grants);
    Some(server)
}

/// The pack, for this server, with more options.
fn model(server: &Server, more: &str) -> String {
    let here = format!("host = \"127.0.0.1\", port = \"{}\"{more}", server.port);
    file("postgres/postgres.kepi").replace("host = \"localhost\"", &here)
}

#[test]
fn the_postgres_pack_says_what_the_database_says() {
    let Some(server) = shop() else { return };
    let folder = project_with(&[("model/shop.kepi", &model(&server, ""))]);
    let folder = folder.path();
    for source in ["shop_customers", "shop_orders", "shop_refunds"] {
        let said = sync(folder, &[source], &SECRET);
        assert!(!said.contains(PASSWORD), "{said}");
    }
    let big = 123_456_789_012.34;
    expect(
        folder,
        &[
            ("new_customers", 3.0),
            ("order_count", 3.0),
            ("revenue", big + 60.0),
            ("order_value", (big + 60.0) / 3.0),
            ("buyers", 3.0),
            ("revenue_per_buyer", (big + 60.0) / 3.0),
            ("first_orders", 3.0),
            ("activation", 1.0),
            ("cancelled_share", 0.25),
            ("refunded", 4.9),
            ("net_revenue", big + 55.1),
            ("refund_rate", 4.9 / (big + 60.0)),
            ("web_share", 60.0 / (big + 60.0)),
        ],
    );
    // Placed at 23:30 two hours west of Greenwich.
    assert_eq!(answer(folder, "show count(paid) during 2025-02"), [1.0]);

    // What changes: one is worth less, one is deleted, thirty are written at one moment.
    server.run(
        "shop",
        "update app.orders set total = 10.10, updated_at = '2025-06-01' where total > 1000000;
         update app.orders set deleted_at = now(), updated_at = '2025-06-01' where status = 'cancelled';
         insert into app.orders select gen_random_uuid(), 2, 'paid', 1.01, null, null, '2025-05-05', '2025-06-01', null
         from generate_series(1, 30)",
    );
    let said = sync(folder, &["shop_orders"], &SECRET);
    assert!(said.contains("30 new"), "{said}");
    expect(folder, &[("revenue", 10.1 + 60.0 + 30.3), ("order_count", 33.0), ("cancelled_share", 0.0)]);
    // The order that was never updated has no moment, and is read each time, as are the last ten minutes.
    let said = sync(folder, &["shop_orders"], &SECRET);
    assert!(said.contains("31 known") || said.contains("32 known"), "{said}");
    let state = sync_state(folder);
    assert!(state.contains("2025-06-01 00:00:00+00"), "{state}");
    // From the start, in small bites, the same.
    sync(folder, &["shop_orders", "--reset"], &SECRET);
    for _ in 0..40 {
        if sync(folder, &["shop_orders", "--limit", "1"], &SECRET).contains("nothing new") {
            break;
        }
    }
    expect(folder, &[("revenue", 10.1 + 60.0 + 30.3), ("order_count", 33.0)]);
    let since = sync(folder, &["shop_orders", "--since", "2025-07-01"], &SECRET);
    assert!(since.contains("1 known"), "only the order without a moment: {since}");
}

fn sync_state(folder: &Path) -> String {
    let ran = kepi(folder, &["sync", "shop_orders", "--state"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.out
}

#[test]
fn what_a_postgres_server_refuses_is_told_with_the_repair() {
    let Some(server) = shop() else { return };
    let told = |more: &str, source: &str, variables: &[(&str, &str)]| {
        let folder = project_with(&[("model/shop.kepi", &model(&server, more))]);
        let ran = kepi_in(folder.path(), &["sync", source], variables);
        assert_ne!(ran.code, 0, "{}", ran.out);
        assert!(!ran.err.contains(PASSWORD), "{}", ran.err);
        ran.err
    };
    let wrong = told("", "shop_refunds", &[("POSTGRES_PASSWORD", "guess-again")]);
    assert!(wrong.contains("password authentication failed for user \"kepi_reader\""), "{wrong}");
    let none = told("", "shop_refunds", &[]);
    assert!(none.contains("asks for a password") && none.contains("POSTGRES_PASSWORD"), "{none}");
    let role = told(", query = \"select * from pg_authid\", key = \"oid\"", "shop_refunds", &SECRET);
    assert!(role.contains("permission denied for table pg_authid"), "{role}");
    let write = told(", query = \"delete from app.refunds returning *\", key = \"line\"", "shop_refunds", &SECRET);
    assert!(write.contains("syntax error"), "{write}");
    let column = told(", key = \"nr\"", "shop_refunds", &SECRET);
    assert!(
        column.contains("there is no column `nr`; there are order_id, line, customer_id, amount, refunded_on"),
        "{column}"
    );
    let option = told(", tls = \"yes\"", "shop_refunds", &SECRET);
    assert!(option.contains("there is no option `tls`; there are host, port"), "{option}");
    let mode = told(", sslmode = \"prefer\"", "shop_refunds", &SECRET);
    assert!(mode.contains("`prefer` is neither verify-full nor disable"), "{mode}");
    server.run("shop", "drop table app.refunds");
    let gone = told("", "shop_refunds", &SECRET);
    assert!(gone.contains("there is no table `app.refunds`; there are app.customers, app.orders"), "{gone}");
}

#[test]
fn a_server_has_to_show_who_it_is() {
    let Some(server) = shop() else { return };
    let with = |host: &str, certificate: Option<PathBuf>| {
        let root = certificate.map_or(String::new(), |path| format!(", root_cert = \"{}\"", path.display()));
        let model = model(&server, &format!(", sslmode = \"verify-full\"{root}")).replace("127.0.0.1", host);
        let folder = project_with(&[("model/shop.kepi", &model)]);
        kepi_in(folder.path(), &["sync", "shop_refunds"], &SECRET)
    };
    let known = with("localhost", Some(server.certificate()));
    assert!(known.code == 0 && known.err.contains("1 new"), "{}", known.err);
    let other_name = with("127.0.0.1", Some(server.certificate()));
    assert!(other_name.code != 0 && other_name.err.contains("not valid for name"), "{}", other_name.err);
    let unknown = with("localhost", None);
    assert!(unknown.code != 0 && unknown.err.contains("invalid peer certificate"), "{}", unknown.err);
}

#[test]
fn killed_while_it_pulls_from_postgres_nothing_is_lost_or_twice() {
    let Some(server) = shop() else { return };
    // Every seventh shares its moment with the six before.
    server.run(
        "shop",
        "insert into app.orders select ('00000000-0000-0001-0000-' || lpad(n::text, 12, '0'))::uuid, n % 100, 'paid', n, null,
         null, '2025-04-01', '2025-04-01'::timestamptz + (n / 7) * interval '1 second', null from generate_series(1, 45000) n",
    );
    let folder = project_with(&[("model/shop.kepi", &model(&server, ""))]);
    let mut kills = 0;
    for wait in 1..60u64 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kepi"))
            .args(["sync", "shop_orders"])
            .current_dir(folder.path())
            .env_remove("KEPI_PROJECT")
            .envs(SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(150 * wait));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 0, "it was too fast to be killed");
    sync(folder.path(), &["shop_orders"], &SECRET);
    assert_eq!(answer(folder.path(), "show count(orders)"), [45_004.0]);
    let found = answer(folder.path(), "show count(orders), sum(orders.amount) during 2025-04");
    assert_eq!(found[0], 45_000.0);
    assert!((found[1] - 45_000.0 * 45_001.0 / 2.0).abs() < 1e-3, "{found:?}");
}
