//! The company's files, as the oracle and as the engine read them: the engine through the models' sources, the oracle
//! through the mappings below.

use kepi_tests::case::GivenTable;
use kepi_tests::given;
use kepi_tests::oracle::Oracle;
use kepi_tests::project::Project;
use std::fs;
use std::path::{Path, PathBuf};

/// When all questions are asked: in the middle of a month and of a day.
pub(crate) const NOW: &str = "2026-07-15T10:00:00Z";

/// Which of the two models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompanyModel {
    Catalogue,
    Examples,
}

impl CompanyModel {
    /// Its name, which its files begin with.
    pub(crate) fn name(self) -> &'static str {
        match self {
            CompanyModel::Catalogue => "catalogue",
            CompanyModel::Examples => "examples",
        }
    }

    /// Its text, without the sources beside it.
    pub(crate) fn text(self) -> String {
        self.file(&format!("{}.kepi", self.name()))
    }

    /// One of its files.
    pub(crate) fn file(self, name: &str) -> String {
        fs::read_to_string(models().join(self.name()).join(name)).unwrap()
    }

    /// The oracle with all rows.
    pub(crate) fn oracle(self) -> Oracle {
        given::oracle(&self.text(), &self.tables(), now())
            .unwrap_or_else(|problem| panic!("{}: {problem}", self.name()))
    }

    /// A project with all rows loaded, the late orders after the others.
    pub(crate) fn project(self) -> Project {
        let files = [format!("{}.kepi", self.name()), format!("{}_sources.kepi", self.name())];
        let models: Vec<(String, String)> = files.iter().map(|file| (file.clone(), self.file(file))).collect();
        let project = Project::of_models(&models).unwrap_or_else(|problem| panic!("{}: {problem}", self.name()));
        let mut sources = sources(&models);
        sources.push(("order_book".to_string(), "data/orders_late.csv".to_string()));
        for (source, file) in sources {
            project.load(&source, &folder().join(file)).unwrap_or_else(|problem| panic!("{problem}"));
        }
        project
    }

    /// The rows of every declared table.
    fn tables(self) -> Vec<GivenTable> {
        let mut tables = Vec::new();
        for name in match self {
            CompanyModel::Catalogue => &CATALOGUE[..],
            CompanyModel::Examples => &EXAMPLES[..],
        } {
            tables.push(rows(name));
        }
        tables.extend([read("customers", "customer"), read("campaigns", "campaign"), read("deals", "deal")]);
        tables.extend([
            read("tickets", "ticket"),
            renamed("merges", "merges customer", &[("from", "anonymous_id"), ("into", "user_id")]),
        ]);
        tables.push(renamed("rates", "rates", &[("day", "day"), ("from", "base"), ("to", "quote"), ("rate", "rate")]));
        if self == CompanyModel::Catalogue {
            tables.push(mails("opt_outs", "left"));
        }
        tables.extend([mails("sends", "sent"), mails("deliveries", "delivered"), mails("clicks", "clicked")]);
        // Rows of one event are numbered through all its files.
        let late = read("orders_late", "orders").rows;
        tables.iter_mut().filter(|table| table.name == "orders").for_each(|table| table.rows.extend(late.clone()));
        if self == CompanyModel::Examples {
            tables.extend(reseller());
            tables.push(read("tiers", "customer"));
            let balances =
                [("from", "start_date"), ("until", "end_date"), ("customer", "customer_id"), ("value", "amount")];
            tables.push(renamed("balances", "balance", &balances));
        }
        let unknown: &[(&str, &str)] = match self {
            CompanyModel::Catalogue => &[("contacts", "agent_name")],
            CompanyModel::Examples => &[("leads", "qualified"), ("contacts", "channel")],
        };
        for (name, column) in unknown {
            tables.iter_mut().filter(|table| table.name == *name).for_each(|table| drop_column(table, column));
        }
        tables
    }
}

/// Events whose file has their name, and its columns theirs.
const CATALOGUE: [&str; 22] = [
    "orders",
    "spend",
    "costs",
    "leads",
    "stage_changes",
    "conversations",
    "signings",
    "subscriptions",
    "cancellations",
    "expiries",
    "renewals",
    "surveys",
    "invitations",
    "contacts",
    "requests",
    "replies",
    "closings",
    "grievances",
    "opens",
    "views",
    "content_requests",
    "record_updates",
];
const EXAMPLES: [&str; 13] = [
    "orders",
    "spend",
    "leads",
    "stage_changes",
    "surveys",
    "contacts",
    "closings",
    "opens",
    "subscriptions",
    "cancellations",
    "expiries",
    "renewals",
    "views",
];

/// The folder of all models.
fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
}

/// The folder of the company's rows and of what is answered.
pub(crate) fn folder() -> PathBuf {
    models().join("catalogue")
}

/// [`NOW`] in microseconds UTC.
pub(crate) fn now() -> i64 {
    NOW.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

/// The name and the file of each source of the models.
fn sources(models: &[(String, String)]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (_, text) in models {
        for statement in kepi_syntax::parse_file(text).0.statements {
            if let kepi_syntax::ast::StatementKind::Source(source) = statement.kind {
                found.push((source.name.text.clone(), source.from.clone()));
            }
        }
    }
    found
}

fn read(file: &str, name: &str) -> GivenTable {
    let mut reader = csv::Reader::from_path(folder().join("data").join(format!("{file}.csv"))).unwrap();
    let columns = reader.headers().unwrap().iter().map(str::to_string).collect();
    let cell = |cell: &str| if cell.is_empty() { "-".to_string() } else { cell.to_string() };
    let rows = reader.records().map(|row| row.unwrap().iter().map(cell).collect()).collect();
    GivenTable { name: name.to_string(), columns, rows }
}

fn rows(name: &str) -> GivenTable {
    read(name, name)
}

/// The columns of a file under other names.
fn renamed(file: &str, name: &str, columns: &[(&str, &str)]) -> GivenTable {
    let read = read(file, name);
    let places: Vec<usize> =
        columns.iter().map(|(_, old)| read.columns.iter().position(|column| column == old).unwrap()).collect();
    GivenTable {
        name: name.to_string(),
        columns: columns.iter().map(|(new, _)| (*new).to_string()).collect(),
        rows: read.rows.iter().map(|row| places.iter().map(|place| row[*place].clone()).collect()).collect(),
    }
}

/// One of the things that happen to a mail; not to all of them.
fn mails(event: &str, at: &str) -> GivenTable {
    let columns =
        [(at, at), ("id", "message"), ("customer", "customer"), ("campaign", "campaign"), ("message", "message")];
    let mut table = renamed("mails", event, &columns);
    table.rows.retain(|row| row[0] != "-");
    table
}

fn drop_column(table: &mut GivenTable, column: &str) {
    let place = table.columns.iter().position(|name| name == column).unwrap();
    table.columns.remove(place);
    table.rows.iter_mut().for_each(|row| drop(row.remove(place)));
}

/// The reseller's four tables, and the hops.
fn reseller() -> Vec<GivenTable> {
    let of =
        [("id", "opportunity_id"), ("opportunity", "opportunity_id"), ("account", "account"), ("agent", "sales_agent")];
    let mut engagements = renamed("sales_pipeline", "engagements", &[&[("engaged", "engage_date")], &of[..]].concat());
    engagements.rows.retain(|row| row[0] != "-");
    let more = [("closed", "close_date"), ("amount", "close_value"), ("stage", "deal_stage"), ("product", "product")];
    let mut closes = renamed("sales_pipeline", "closes", &[&more[..], &of[..]].concat());
    closes.rows.retain(|row| ["Won", "Lost"].contains(&&row[2][..]));
    closes.rows.iter_mut().filter(|row| row[3] == "GTXPro").for_each(|row| row[3] = "GTX Pro".to_string());
    let mut accounts =
        renamed("accounts", "account", &[("account", "account"), ("sector", "sector"), ("turnover", "revenue")]);
    for row in &mut accounts.rows {
        row[1] = row[1].to_lowercase();
        row[2] = format!("{:.0}", row[2].parse::<f64>().unwrap() * 1e6);
    }
    vec![engagements, closes, accounts, read("sales_teams", "agent"), rows("hops")]
}
