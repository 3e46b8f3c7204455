//! Real exports: what the engine answers, beside an independent computation from the raw file, beside figures that
//! were worked out once with other tools.
//!
//! The data stand beside the repository, in `../shared/data`; without them these tests say so and do nothing.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may stop, and says why it skips.

use jiff::civil::Date;
use kepi_tests::oracle::{Calendar, Value};
use kepi_tests::project::{self, Project};
use kepi_tests::shown::{Shown, ShownTable};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn data(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: there is no {}", folder.display());
    None
}

/// The project of a folder of `models/`, with its files loaded; none, in words, while the engine loads nothing.
fn project(model: &str, loads: &[(&str, PathBuf)]) -> Option<Project> {
    if !project::is_there() {
        eprintln!("the engine does not load files yet: only the independent computation is checked");
        return None;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(model);
    let mut files: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect();
    files.sort();
    let project = Project::of_models(&files).unwrap();
    for (source, file) in loads {
        project.load(source, file).unwrap();
    }
    Some(project)
}

/// Rows by their labels, the labels joined by a blank.
type Figures = BTreeMap<String, Vec<Option<f64>>>;

/// Answers of one project as rows: the labels as text, then the numbers.
struct Asking {
    project: Project,
    calendar: Calendar,
    now: i64,
}

impl Asking {
    fn new(project: Project, now: &str) -> Asking {
        let calendar = Calendar::new("UTC", &[]).unwrap();
        let Value::Date(day) = calendar.literal(now).unwrap() else { panic!("{now} is no day") };
        let now = calendar.start_of_day(day);
        Asking { project, calendar, now }
    }

    fn ask(&self, query: &str) -> Figures {
        let table: ShownTable =
            self.project.answer(query, self.now, &self.calendar).unwrap_or_else(|problem| panic!("{query}: {problem}"));
        let row = |row: &Vec<Shown>| {
            let labels: Vec<String> = row[..table.labels].iter().map(|label| label.write(&self.calendar)).collect();
            let values = row[table.labels..].iter().map(|value| match value {
                Shown::Missing => None,
                Shown::Number(number) => Some(number.to_f64()),
                other => panic!("{query}: {other:?} is no number"),
            });
            (labels.join(" "), values.collect())
        };
        table.rows.iter().map(row).collect()
    }

    /// Asserts that a query gives these rows, the labels joined by a blank.
    fn expect(&self, query: &str, expected: &Figures) {
        let found = self.ask(query);
        let (a, b): (Vec<_>, Vec<_>) = (found.keys().collect(), expected.keys().collect());
        assert_eq!(a, b, "{query}");
        for (label, values) in expected {
            for (index, (x, y)) in found[label].iter().zip(values).enumerate() {
                assert!(close(*x, *y), "{query}: {label}, value {index}: {x:?} and {y:?}");
            }
            assert_eq!(found[label].len(), values.len(), "{query}");
        }
    }
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-6),
        (a, b) => a.is_none() && b.is_none(),
    }
}

// ---------------------------------------------------------------- the reseller's pipeline

/// A closed deal of the raw file, its product's name mended.
struct Closed {
    agent: String,
    product: String,
    account: String,
    won: bool,
    closed: Date,
    days: i64,
    value: i64,
}

/// The rows of a file by the names of its header.
fn rows(folder: &Path, file: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(folder.join(file)).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

fn closed(folder: &Path) -> Vec<Closed> {
    let mut all = Vec::new();
    for row in rows(folder, "sales_pipeline.csv") {
        let won = match &row["deal_stage"][..] {
            "Won" => true,
            "Lost" => false,
            _ => continue,
        };
        let closed: Date = row["close_date"].parse().unwrap();
        let engaged: Date = row["engage_date"].parse().unwrap();
        all.push(Closed {
            agent: row["sales_agent"].clone(),
            product: if row["product"] == "GTXPro" { "GTX Pro".to_string() } else { row["product"].clone() },
            account: row["account"].clone(),
            won,
            closed,
            days: i64::from(closed.since(engaged).unwrap().get_days()),
            value: row["close_value"].parse().unwrap(),
        });
    }
    all
}

fn median(values: &[i64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle] as f64),
        _ => Some((sorted[middle - 1] + sorted[middle]) as f64 / 2.0),
    }
}

fn mean(values: &[i64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<i64>() as f64 / values.len() as f64)
}

const SHOWN: &str = "show won_deals, count(closes), win_rate, won_revenue, deal_mean, deal_median, sales_cycle, \
                     sales_cycle_mean, sales_cycle_closed, price_realised, price_realised_mean";

/// The figures of some deals, in the order of [`SHOWN`].
fn figures(deals: &[&Closed], prices: &BTreeMap<String, i64>) -> Vec<Option<f64>> {
    let won: Vec<&&Closed> = deals.iter().filter(|deal| deal.won).collect();
    let values: Vec<i64> = won.iter().map(|deal| deal.value).collect();
    let seconds: Vec<i64> = won.iter().map(|deal| deal.days * 86_400).collect();
    let all: Vec<i64> = deals.iter().map(|deal| deal.days * 86_400).collect();
    let listed: i64 = won.iter().map(|deal| prices[&deal.product]).sum();
    let each: f64 = won.iter().map(|deal| deal.value as f64 / prices[&deal.product] as f64).sum();
    let (count, total) = (won.len() as f64, values.iter().sum::<i64>() as f64);
    vec![
        Some(count),
        Some(deals.len() as f64),
        Some(count / deals.len() as f64),
        Some(total),
        mean(&values),
        median(&values),
        median(&seconds),
        mean(&seconds),
        mean(&all),
        (listed > 0).then(|| total / listed as f64),
        (!won.is_empty()).then(|| each / count),
    ]
}

/// Label, deals won, deals closed, won revenue: worked out once with Python from the raw files.
const KNOWN: [(&str, f64, f64, f64); 24] = [
    ("", 4238.0, 6711.0, 10_005_534.0),
    ("product GTK 500", 15.0, 25.0, 400_612.0),
    ("product GTX Basic", 915.0, 1436.0, 499_263.0),
    ("product GTX Plus Basic", 653.0, 1051.0, 705_275.0),
    ("product GTX Plus Pro", 479.0, 745.0, 2_629_651.0),
    ("product GTX Pro", 729.0, 1147.0, 3_510_578.0),
    ("product MG Advanced", 654.0, 1084.0, 2_216_387.0),
    ("product MG Special", 793.0, 1223.0, 43_768.0),
    ("series GTK", 15.0, 25.0, 400_612.0),
    ("series GTX", 2776.0, 4379.0, 7_344_767.0),
    ("series MG", 1447.0, 2307.0, 2_260_155.0),
    ("regional_office Central", 1629.0, 2604.0, 3_346_293.0),
    ("regional_office East", 1171.0, 1858.0, 3_090_594.0),
    ("regional_office West", 1438.0, 2249.0, 3_568_647.0),
    ("manager Melvin Marxen", 882.0, 1418.0, 2_251_930.0),
    ("manager Rocco Neubert", 691.0, 1113.0, 1_960_545.0),
    ("sector technology", 671.0, 1058.0, 1_515_487.0),
    ("sector retail", 799.0, 1267.0, 1_867_528.0),
    ("agent Darcel Schlecht", 349.0, 553.0, 1_153_214.0),
    ("agent Wilburn Farren", 55.0, 79.0, 157_640.0),
    ("month 2017-03-01", 531.0, 647.0, 1_134_672.0),
    ("month 2017-12-01", 511.0, 651.0, 1_131_573.0),
    ("quarter 2017-04-01", 1254.0, 2032.0, 3_086_111.0),
    ("quarter 2017-10-01", 1196.0, 1985.0, 2_802_496.0),
];

#[test]
fn the_sales_pipeline_gives_the_figures_of_an_independent_computation() {
    let Some(folder) = data("crm_sales_opportunities") else { return };
    let closed = closed(&folder);
    let of = |file: &str, key: &str, value: &str| -> BTreeMap<String, String> {
        rows(&folder, file).into_iter().map(|row| (row[key].clone(), row[value].clone())).collect()
    };
    let series = of("products.csv", "product", "series");
    let prices: BTreeMap<String, i64> =
        of("products.csv", "product", "sales_price").into_iter().map(|(k, v)| (k, v.parse().unwrap())).collect();
    let managers = of("sales_teams.csv", "sales_agent", "manager");
    let offices = of("sales_teams.csv", "sales_agent", "regional_office");
    let sectors: BTreeMap<String, String> = of("accounts.csv", "account", "sector")
        .into_iter()
        .map(|(account, sector)| (account, if sector == "technolgy" { "technology".to_string() } else { sector }))
        .collect();

    type Label<'a> = (&'a str, Box<dyn Fn(&Closed) -> String + 'a>);
    let labels: Vec<Label<'_>> = vec![
        ("product", Box::new(|deal| deal.product.clone())),
        ("series", Box::new(|deal| series[&deal.product].clone())),
        ("agent", Box::new(|deal| deal.agent.clone())),
        ("manager", Box::new(|deal| managers[&deal.agent].clone())),
        ("regional_office", Box::new(|deal| offices[&deal.agent].clone())),
        ("sector", Box::new(|deal| sectors[&deal.account].clone())),
        ("month", Box::new(|deal| deal.closed.first_of_month().to_string())),
        (
            "quarter",
            Box::new(|deal| {
                let month = (deal.closed.month() - 1) / 3 * 3 + 1;
                jiff::civil::date(deal.closed.year(), month, 1).to_string()
            }),
        ),
    ];
    let mut tables: Vec<(&str, Figures)> = Vec::new();
    tables.push(("", BTreeMap::from([(String::new(), figures(&closed.iter().collect::<Vec<_>>(), &prices))])));
    for (name, label) in &labels {
        let mut groups: BTreeMap<String, Vec<&Closed>> = BTreeMap::new();
        for deal in &closed {
            groups.entry(label(deal)).or_default().push(deal);
        }
        tables.push((name, groups.iter().map(|(key, deals)| (key.clone(), figures(deals, &prices))).collect()));
    }

    // The independent computation itself, against what is known of the file.
    let all = &tables[0].1[""];
    assert!((all[7].unwrap() / 86_400.0 - 51.78).abs() < 0.005, "the cycle of won deals");
    assert!((all[8].unwrap() / 86_400.0 - 47.99).abs() < 0.005, "the cycle of all closed deals");
    assert_eq!(all[5], Some(1117.0), "the median deal");
    assert_eq!(all[6], Some(57.0 * 86_400.0), "the median cycle");
    for (label, won, deals, revenue) in KNOWN {
        let (name, key) = label.split_once(' ').unwrap_or((label, ""));
        let table = &tables.iter().find(|(table, _)| *table == name).unwrap().1;
        assert_eq!(table[key][..2], [Some(won), Some(deals)], "{label}");
        assert_eq!(table[key][3], Some(revenue), "{label}");
    }

    let files = ["pipeline", "accounts", "products", "teams"];
    let names = ["sales_pipeline.csv", "accounts.csv", "products.csv", "sales_teams.csv"];
    let loads: Vec<(&str, PathBuf)> = files.into_iter().zip(names.map(|name| folder.join(name))).collect();
    let Some(project) = project("crm_sales", &loads) else { return };
    let asking = Asking::new(project, "2018-01-01");
    for (name, table) in &tables {
        let clause = match *name {
            "" => String::new(),
            // March to December: the months in which deals were closed.
            "month" => " per month during 2017 having count(closes) > 0".to_string(),
            "quarter" => " per quarter".to_string(),
            label => format!(" by {label}"),
        };
        asking.expect(&format!("{SHOWN}{clause}"), table);
    }
    let engaged = rows(&folder, "sales_pipeline.csv").iter().filter(|row| !row["engage_date"].is_empty()).count();
    assert_eq!(engaged, 8300);
    asking.expect(
        "show count(engagements), count(engagements where account is missing), count(product), count(agent)",
        &BTreeMap::from([(String::new(), vec![Some(8300.0), Some(1088.0), Some(7.0), Some(35.0)])]),
    );
}

// ---------------------------------------------------------------- the record shop

/// A purchase: customer, day, discs, cents.
struct Purchase {
    customer: String,
    day: Date,
    cents: i64,
}

/// Month, orders, buyers, cents, new customers, cents of first years: worked out once with Python.
const SHOP: [(&str, f64, f64, i64, f64, i64); 18] = [
    ("1997-01-01", 885.0, 781.0, 2_859_270, 781.0, 2_859_270),
    ("1997-02-01", 1178.0, 981.0, 4_043_381, 857.0, 4_043_381),
    ("1997-03-01", 1204.0, 948.0, 4_347_210, 719.0, 4_347_210),
    ("1997-04-01", 362.0, 267.0, 1_284_205, 0.0, 1_284_205),
    ("1997-05-01", 291.0, 224.0, 1_088_033, 0.0, 1_088_033),
    ("1997-06-01", 284.0, 232.0, 990_725, 0.0, 990_725),
    ("1997-07-01", 284.0, 203.0, 1_086_623, 0.0, 1_086_623),
    ("1997-08-01", 235.0, 178.0, 876_276, 0.0, 876_276),
    ("1997-09-01", 237.0, 168.0, 735_832, 0.0, 735_832),
    ("1997-10-01", 246.0, 176.0, 884_505, 0.0, 884_505),
    ("1997-11-01", 274.0, 205.0, 1_015_138, 0.0, 1_015_138),
    ("1997-12-01", 248.0, 183.0, 911_284, 0.0, 911_284),
    ("1998-01-01", 202.0, 149.0, 735_682, 0.0, 621_038),
    ("1998-02-01", 198.0, 157.0, 767_971, 0.0, 405_050),
    ("1998-03-01", 278.0, 211.0, 985_005, 0.0, 151_119),
    ("1998-04-01", 165.0, 125.0, 601_153, 0.0, 0),
    ("1998-05-01", 176.0, 134.0, 637_814, 0.0, 0),
    ("1998-06-01", 172.0, 138.0, 559_087, 0.0, 0),
];

/// Month of the first order, customers, cents of first years.
const COHORTS: [(&str, f64, i64); 3] =
    [("1997-01-01", 781.0, 6_840_597), ("1997-02-01", 857.0, 7_687_964), ("1997-03-01", 719.0, 6_771_128)];

#[test]
fn the_record_shop_gives_the_figures_of_an_independent_computation() {
    let Some(folder) = data("cdnow") else { return };
    let text = fs::read_to_string(folder.join("CDNOW_sample.txt")).unwrap();
    let purchases: Vec<Purchase> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|cells| !cells.is_empty())
        .map(|cells| Purchase {
            customer: cells[0].to_string(),
            day: Date::strptime("%Y%m%d", cells[2]).unwrap(),
            cents: cells[4].replace('.', "").parse().unwrap(),
        })
        .collect();
    assert_eq!(purchases.len(), 6919);
    let mut first: BTreeMap<&str, Date> = BTreeMap::new();
    for purchase in &purchases {
        let day = first.entry(&purchase.customer).or_insert(purchase.day);
        *day = purchase.day.min(*day);
    }
    let in_first_year = |p: &Purchase| p.day < first[&p.customer[..]] + jiff::Span::new().years(1);

    let mut months: Figures = BTreeMap::new();
    for (month, orders, buyers, cents, new, first_year) in SHOP {
        let inside: Vec<&Purchase> = purchases.iter().filter(|p| p.day.first_of_month().to_string() == month).collect();
        let mut customers: Vec<&str> = inside.iter().map(|p| &p.customer[..]).collect();
        customers.sort_unstable();
        customers.dedup();
        let newly = first.values().filter(|day| day.first_of_month().to_string() == month).count() as f64;
        let early: i64 = inside.iter().filter(|p| in_first_year(p)).map(|p| p.cents).sum();
        assert_eq!((inside.len() as f64, customers.len() as f64), (orders, buyers), "{month}");
        assert_eq!(inside.iter().map(|p| p.cents).sum::<i64>(), cents, "{month}");
        assert_eq!((newly, early), (new, first_year), "{month}");
        let value = (new > 0.0).then(|| early as f64 / 100.0 / new);
        let values =
            vec![Some(orders), Some(buyers), Some(cents as f64 / 100.0), Some(new), Some(early as f64 / 100.0), value];
        months.insert(month.to_string(), values);
    }
    let mut cohorts = BTreeMap::new();
    for (cohort, size, cents) in COHORTS {
        let members = |p: &&Purchase| first[&p.customer[..]].first_of_month().to_string() == cohort;
        let early: i64 = purchases.iter().filter(members).filter(|p| in_first_year(p)).map(|p| p.cents).sum();
        assert_eq!(early, cents, "{cohort}");
        cohorts.insert(cohort.to_string(), vec![Some(size), Some(cents as f64 / 100.0 / size)]);
    }

    let Some(project) = project("cdnow", &[("cdnow", folder.join("CDNOW_sample.txt"))]) else { return };
    let asking = Asking::new(project, "1998-07-01");
    asking.expect(
        "show count(orders), unique(orders.customer), sum(revenue), count(new_customers), new_revenue, \
         ratio(sum(revenue where first_year), count(new_customers)) per month",
        &months,
    );
    asking.expect(
        "show count(new_customers), new_revenue_per_customer by cohort(new_customers, month) as cohort",
        &cohorts,
    );
    asking.expect(
        "show count(orders), unique(orders.customer), sum(revenue), sum(orders.items), count(customer where count(orders) > 1)",
        &BTreeMap::from([(
            String::new(),
            vec![Some(6919.0), Some(2357.0), Some(244_091.94), Some(16_479.0), Some(1152.0)],
        )]),
    );
}

/// The two models of the record shop's customers through queries. What customers are expected to buy was worked out from
/// the published parameters by another program: per customer 0.70149 purchases in 39 weeks worth 25.437 USD, and 81.344 %
/// still there.
#[test]
fn the_record_shop_expects_what_the_published_models_expect() {
    let Some(folder) = data("cdnow") else { return };
    let Some(project) = project("cdnow", &[("cdnow", folder.join("CDNOW_sample.txt"))]) else { return };
    let asking = Asking::new(project, "1998-07-01");
    let expected = "show bgnbd.purchases(orders.customer, orders.at, horizon: 39 weeks), \
                    bgnbd.clv(orders.customer, orders.at, orders.amount, horizon: 39 weeks), \
                    bgnbd.alive(orders.customer, orders.at)";
    let near = |found: &[Option<f64>]| {
        for (found, wanted) in found.iter().zip([0.701_49, 25.437, 0.813_44]) {
            assert!((found.unwrap() / wanted - 1.0).abs() < 0.001, "{found:?} and {wanted}");
        }
    };
    near(&asking.ask(&format!("{expected} since 1997-01-01 until 1997-10-01"))[""]);
    // All time up to the window's end, wherever the window begins; each period has an end of its own.
    near(&asking.ask(&format!("{expected} during 1997-09"))[""]);
    let months = asking.ask(&format!("{expected} per month since 1997-08-01 until 1997-11-01"));
    assert_eq!(months.len(), 3);
    near(&months["1997-09-01"]);
    for (month, end) in [("1997-08-01", "1997-09-01"), ("1997-10-01", "1997-11-01")] {
        let alone = asking.ask(&format!("{expected} since 1997-01-01 until {end}"));
        for (a, b) in months[month].iter().zip(&alone[""]) {
            assert!((a.unwrap() / b.unwrap() - 1.0).abs() < 1e-9, "{month}: {a:?} among months, {b:?} alone");
        }
    }
    // A condition and a label choose the rows that are learned from.
    let cohorts = asking
        .ask("show bgnbd.alive(orders.customer, orders.at) by cohort(new_customers, month) as cohort until 1997-10-01");
    assert_eq!(cohorts.keys().map(String::as_str).collect::<Vec<_>>(), ["1997-01-01", "1997-02-01", "1997-03-01"]);
    let few = "show bgnbd.alive(orders.customer where amount > 200 USD, orders.at) until 1997-10-01";
    assert_eq!(asking.ask(few)[""], [None]);
    let request =
        |text: &str| kepi_engine::Request { text: text.to_string(), now: Some(asking.now), ..Default::default() };
    let answers = asking.project.engine().query(request(few)).unwrap();
    let notes: Vec<&str> = answers[0].frame.notes.iter().map(|note| note.text.as_str()).collect();
    assert!(notes.iter().any(|n| n.contains("bought again; 10 are needed to learn from")), "{notes:?}");
    let explained = asking.project.engine().explain(request(&format!("{expected} until 1997-10-01"))).unwrap();
    let words = explained[0].words.join("\n");
    for said in ["customers 2357; bought again 946; r 0.242", "log likelihood of purchases -9582.4"] {
        assert!(words.contains(said), "{said}:\n{words}");
    }
}

#[test]
fn the_record_shop_goes_on_along_a_line() {
    let Some(folder) = data("cdnow") else { return };
    let Some(project) = project("cdnow", &[("cdnow", folder.join("CDNOW_sample.txt"))]) else { return };
    // The data end with June, which is the last complete month.
    let asking = Asking::new(project, "1998-07-01");
    let figures = asking.ask(
        "show sum(revenue), holt.forecast(sum(revenue)), holt.forecast(count(orders), level: 1, trend: 0), count(orders) \
         per month during 1998",
    );
    assert_eq!(figures.len(), 12);
    let value = |month: u32, column: usize| figures[&format!("1998-{month:02}-01")][column].unwrap();
    for month in 1..=6 {
        assert!(close(Some(value(month, 0)), Some(value(month, 1))), "{month}: a complete month shows its value");
    }
    // The others go on along a line, whatever stands in them.
    let step = value(8, 1) - value(7, 1);
    for month in 7..=12 {
        assert_eq!(value(month, 0), 0.0, "{month} has not begun");
        assert!(
            (value(month, 1) - value(7, 1) - f64::from(month - 7) * step).abs() < 1e-6 * value(7, 1).abs(),
            "{figures:?}"
        );
    }
    // With a level that forgets everything but the last value, and one trend for all time, June goes on by it.
    let trend = value(8, 2) - value(7, 2);
    assert!(close(Some(value(7, 2) - trend), Some(value(6, 3))), "{figures:?}");
    let by_kind = asking.ask("show holt.forecast(sum(revenue)) by amount > 100 USD as large per month during 1998");
    assert_eq!(by_kind.len(), 24);
}
