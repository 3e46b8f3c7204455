//! The demo: a small CRM company over three years, the same on every machine, loaded like any other data.

mod dice;
mod marketing;
mod moment;
mod sales;
mod service;
mod table;

use crate::Engine;
use crate::api::{DemoReport, EngineError, LoadRequest, Progress};
use crate::project_files::{IGNORE, write_new};
use std::path::{Path, PathBuf};
use table::Table;

/// The entities and events of the demo, which are also the model of the template `crm`.
pub(crate) const COMPANY: &str = include_str!("model/company.kepi");
/// Its metrics.
pub(crate) const METRICS: &str = include_str!("model/metrics.kepi");
/// Its targets, its report and its tests.
pub(crate) const GOALS: &str = include_str!("model/goals.kepi");
const SOURCES: &str = include_str!("model/sources.kepi");
const SETTINGS: &str = include_str!("model/kepi.toml");
/// Begins the `kepi.toml` of a demo, and so tells its folder from others.
const MARK: &str = "# The demo company of kepi.";

/// The sources in the order in which they are loaded, each with its file: entities before what refers to them.
const LOADS: &[(&str, &str)] = &[
    ("customer_table", "customers.csv"),
    ("campaign_table", "campaigns.csv"),
    ("deal_table", "deals.csv"),
    ("lead_list", "leads.csv"),
    ("stage_log", "stages.csv"),
    ("order_book", "orders.csv"),
    ("subscription_list", "subscriptions.csv"),
    ("spend_ledger", "spend.csv"),
    ("survey_answers", "surveys.csv"),
    ("ticket_list", "tickets.csv"),
    ("contact_log", "contacts.csv"),
    ("mailing_log", "emails.csv"),
];

/// What the dashboard shows, in its order.
const DASHBOARD: &[&str] = &[
    "new_revenue",
    "aov",
    "new_revenue_per_customer",
    "cac",
    "roi",
    "conversion_rate",
    "win_rate",
    "sales_cycle",
    "churn_rate",
    "nrr",
    "nps",
    "csat",
    "fcr",
    "response_time",
    "email_open",
];

/// Makes the company's project in a folder and loads it. Files that are there stay as they are, and rows that are
/// known stay single, so a second run changes nothing. A folder that holds something else is an error.
pub(crate) fn run(folder: &Path, progress: &dyn Fn(Progress)) -> Result<DemoReport, EngineError> {
    refuse_foreign(folder)?;
    let mut report = DemoReport {
        project: folder.to_path_buf(),
        metrics: DASHBOARD.iter().map(|name| (*name).to_string()).collect(),
        ..DemoReport::default()
    };
    // The mark comes first: a run that was broken off is then known as ours.
    let texts = [
        ("kepi.toml", SETTINGS),
        (".kepi/.gitignore", IGNORE),
        ("model/company.kepi", COMPANY),
        ("model/sources.kepi", SOURCES),
        ("model/metrics.kepi", METRICS),
        ("model/goals.kepi", GOALS),
    ];
    for (file, text) in texts {
        report.written.extend(write_new(&folder.join(file), text)?);
    }
    write_data(folder, progress, &mut report.written)?;
    let engine = Engine::open(folder)?;
    for (number, (source, file)) in LOADS.iter().enumerate() {
        let total = Some(LOADS.len() as u64);
        progress(Progress { what: format!("loading {file}"), done: number as u64, total });
        let request = LoadRequest {
            files: vec![folder.join("data").join(file).to_string_lossy().into_owned()],
            source: Some((*source).to_string()),
            ..LoadRequest::default()
        };
        report.loads.push(((*source).to_string(), engine.load(request, &|_| {})?));
    }
    Ok(report)
}

/// Makes the tables that are not there yet.
fn write_data(folder: &Path, progress: &dyn Fn(Progress), written: &mut Vec<PathBuf>) -> Result<(), EngineError> {
    let data = folder.join("data");
    if LOADS.iter().all(|(_, file)| data.join(file).is_file()) {
        return Ok(());
    }
    progress(Progress { what: "making the company".to_string(), done: 0, total: None });
    for table in tables() {
        written.extend(write_new(&data.join(table.file), &table.text)?);
    }
    Ok(())
}

/// All tables of the company.
fn tables() -> Vec<Table> {
    let sales::Sales { people, orders, mut tables } = sales::play();
    tables.extend(service::play(&people, &orders));
    tables.extend(marketing::play(&people));
    tables
}

/// Lets only a folder pass that is new, empty or the demo's own.
fn refuse_foreign(folder: &Path) -> Result<(), EngineError> {
    let fails = |e: std::io::Error| EngineError::data(format!("{} cannot be read: {e}", folder.display()));
    if !folder.exists() {
        return Ok(());
    }
    if std::fs::read_to_string(folder.join("kepi.toml")).is_ok_and(|text| text.starts_with(MARK)) {
        return Ok(());
    }
    if std::fs::read_dir(folder).map_err(fails)?.next().is_none() {
        return Ok(());
    }
    Err(EngineError::usage(format!("{} holds something that is not the demo", folder.display()))
        .with_help("name a folder that is new or empty: `kepi demo DIR`"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;
    use std::collections::BTreeMap;

    fn column(table: &Table, name: &str) -> Vec<String> {
        let mut lines = table.text.lines();
        let place = lines.next().unwrap().split(',').position(|header| header == name).unwrap();
        lines.map(|line| line.split(',').nth(place).unwrap().to_string()).collect()
    }

    fn company() -> BTreeMap<&'static str, Table> {
        tables().into_iter().map(|table| (table.file, table)).collect()
    }

    #[test]
    fn the_company_is_the_same_every_time_and_has_a_table_for_each_source() {
        let (once, again) = (company(), company());
        assert_eq!(once.len(), LOADS.len());
        for (source, file) in LOADS {
            assert_eq!(once[file].text, again[file].text);
            assert!(SOURCES.contains(&format!("source {source} from \"data/{file}\"")), "{source}");
        }
        // A change of the generator is noticed here, not in the numbers of somebody's demo.
        let counts: Vec<usize> = LOADS.iter().map(|(_, file)| once[file].rows).collect();
        assert_eq!(counts, [16_192, 9, 9_258, 17_371, 29_847, 9_205, 914, 351, 2_428, 2_187, 3_030, 33_795]);
    }

    #[test]
    fn nothing_happens_after_now_and_rows_are_whole() {
        let now = moment::Moment::now().text();
        assert!(SETTINGS.contains(&now));
        for table in company().values() {
            let width = table.text.lines().next().unwrap().split(',').count();
            for line in table.text.lines().skip(1) {
                assert_eq!(line.split(',').count(), width, "{line}");
                let late = line.split(',').find(|cell| cell.get(4..5) == Some("-") && **cell >= *now.as_str());
                assert_eq!(late, None, "{}: {line}", table.file);
            }
        }
    }

    #[test]
    fn the_company_is_plausible() {
        let company = company();
        let orders = &company["orders.csv"];
        let buyers: std::collections::BTreeSet<String> = column(orders, "customer").into_iter().collect();
        assert!((2_000..6_000).contains(&buyers.len()), "{} buyers", buyers.len());
        let stages = column(&company["stages.csv"], "stage");
        let count = |stage: &str| stages.iter().filter(|s| *s == stage).count() as f64;
        let rate = count("won") / (count("won") + count("lost"));
        assert!((0.3..0.6).contains(&rate), "win rate {rate}");
        let revenue: f64 = column(orders, "amount").iter().map(|amount| amount.parse::<f64>().unwrap()).sum();
        let spent: f64 = column(&company["spend.csv"], "amount").iter().map(|a| a.parse::<f64>().unwrap()).sum();
        assert!((1.5..8.0).contains(&(revenue / spent)), "revenue {revenue}, spent {spent}");
    }

    #[test]
    fn the_model_is_written_in_the_languages_style() {
        for text in [COMPANY, METRICS, SOURCES, GOALS] {
            assert_eq!(kepi_syntax::format_text(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_folder_with_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refuse_foreign(folder.path()).is_ok());
        assert!(refuse_foreign(&folder.path().join("new")).is_ok());
        std::fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
        assert_eq!(refuse_foreign(folder.path()).unwrap_err().exit_code(), 2);
        std::fs::write(folder.path().join("kepi.toml"), "timezone = \"UTC\"\n").unwrap();
        assert!(refuse_foreign(folder.path()).is_err());
        std::fs::write(folder.path().join("kepi.toml"), SETTINGS).unwrap();
        assert!(refuse_foreign(folder.path()).is_ok());
    }
}
