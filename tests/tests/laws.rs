//! What must change no answer: how rows were loaded, whether the store was compacted, how many threads compute.
//!
//! All questions of the bench and more, so that every construct is asked, on a small shop; builds for tests give every
//! thread a part of even so few rows.
#![allow(clippy::unwrap_used)] // A test that cannot set up its data is to fail.

use kepi_bench::{FAMILIES, Format, GenerateOptions, STREAMS, generate};
use kepi_engine::{Answer, Engine, EngineError, LoadRequest, Request};
use kepi_store::Store;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// As of when everything is asked.
const NOW: &str = "2026-01-01T00:00:00Z";

/// What the bench does not ask.
const MORE: [&str; 31] = [
    "show count(customer), share(customer where active), unique(purchases.product) by customer.region per quarter during 2025",
    "show first(purchases.amount), last(purchases.amount), min(purchases.at), unique(purchases.product where product > \"p\") by channel per year",
    "show percentile(revenue, 90, mode: observed), avg(revenue where amount > 50 EUR) by product per year",
    "show kept(active), time_in(active), avg(time_in(active) per customer) per quarter during 2024",
    "show kept(basket where opening(basket) > 20 EUR), count(ended(basket)), sum(ended(basket).value) per quarter during 2025",
    "show sum(stays(basket).length), max(stays(basket).value) per month during 2025",
    "show closing(active) by customer.tier at 2025-03-01",
    "show avg(active) by customer.region per week during 2025-Q1",
    "show sum(closing(basket) per customer where opening(basket) = 0 EUR) per month during 2025",
    "show funnel(visits -> purchases -> surveys, within 60 days, order: strict, among: [signups, surveys]) per year since 2022-01-01",
    "show funnel(visits where page = \"/page/00\" -> visits where page = \"/page/01\" -> purchases, order: any, within 30 days) during 2025",
    "show funnel(signups -> purchases -> purchases, hold: channel, entry: every) by plan",
    "show funnel(visits where page = \"/page/00\" without surveys -> purchases, within 90 days, exclude: drop, entry: first) by customer.region",
    "show funnel(visits -> purchases, order: later, edge: open, within 1 day) per quarter during 2024",
    "show conversion(visits -> purchases, credit: earliest, within 7 days) by page per quarter during 2025",
    "show conversion(visits -> purchases, order: strict) per month during 2025",
    "show retention(new_customers -> purchases, period: month, clock: own, brackets: [1, 3, 7]) by channel during 2025",
    "show retention(purchases -> visits, period: week, mode: onward, age: 2) per month during 2025",
    "show count(sessions(visits, 2 hours)), max(journeys.length), sum(journeys.count) by page per month during 2025",
    "show count(purchases where gap(purchases) > 30 days), avg(gap(purchases where amount > 50 EUR)) by channel per year",
    "show count(customer) by lifecycle(visits, week) as stage, region per week during 2025-Q1",
    "show sum(sum(revenue) per customer over last 60 days), stddev(sum(revenue) per day) per month during 2025",
    "show avg(avg(sum(revenue) per customer) per country), first(sum(revenue) per day), last(count(visits) per week) during 2025",
    "show avg(sum(revenue where first_year) per every customer), median(count(visits) per customer, month) by region per quarter during 2025",
    "show rank(sum(revenue), product), of_total(sum(revenue), country), total(count(purchases)) by country, product during 2025 order by sum(revenue) desc limit 5",
    "show count(purchases), sum(margin) by product per quarter during 2025 order by count(purchases) desc limit 2 with other",
    "show sum(revenue), avg(score_of) by channel per month during 2025 fill previous",
    "show sum(revenue) per week last 8 weeks to date vs previous year aligned by weekday, previous, 2024",
    "show lift(share(purchases where count(purchases) > 1), test: customer.tier = \"plus\", control: customer.tier = \"basic\") by country",
    "show sum(revenue) as r by product, customer.spent per year having r > 100 USD and rank(r, product) <= 3 order by r desc, product in USD",
    "show trailing(churn_rate, 12 months), prior(running(sum(revenue)), 1 month), growth(unique(visits.customer), 1 quarter) per quarter during 2025",
];

/// A measure for the questions above.
const MODEL: &str = "measure score_of = purchases.amount * 2\n";

/// The files of a shop, in a folder that goes with them.
fn shop() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let options = GenerateOptions {
        folder: folder.path().to_path_buf(),
        scale: 0.000_1,
        seed: 11,
        formats: vec![Format::Csv],
        streams: Vec::new(),
    };
    generate(&options, &|_| ()).unwrap();
    folder
}

/// A project with the shop's rows in so many loads of each file. Rows with ids come in any order: whatever the files say
/// of their order, it is that of their ids.
fn loaded(shop: &Path, loads: usize) -> (TempDir, Engine) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("model")).unwrap();
    fs::copy(shop.join("kepi.toml"), root.join("kepi.toml")).unwrap();
    for file in ["shop.kepi", "sources.kepi"] {
        fs::copy(shop.join("model").join(file), root.join("model").join(file)).unwrap();
    }
    fs::write(root.join("model/more.kepi"), MODEL).unwrap();
    let engine = Engine::open(root).unwrap();
    let tables: Vec<(&str, String, Vec<String>)> = STREAMS.iter().map(|stream| rows(shop, stream, loads)).collect();
    for load in 0..loads {
        for (stream, header, rows) in &tables {
            let part = rows.len().div_ceil(loads);
            let own = &rows[(load * part).min(rows.len())..((load + 1) * part).min(rows.len())];
            let file = root.join(format!("{stream}.csv"));
            fs::write(&file, format!("{header}\n{}\n", own.join("\n"))).unwrap();
            let request = LoadRequest {
                files: vec![file.display().to_string()],
                source: Some(format!("{stream}_export")),
                ..LoadRequest::default()
            };
            assert_eq!(engine.load(request, &|_| {}).unwrap().rejected_count, 0, "{stream}");
        }
    }
    (folder, engine)
}

/// The lines of a file; those of rows with ids shuffled where they are loaded in several parts.
fn rows<'s>(shop: &Path, stream: &'s str, loads: usize) -> (&'s str, String, Vec<String>) {
    let text = fs::read_to_string(shop.join("data").join(format!("{stream}.csv"))).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    let header = lines.remove(0);
    if loads > 1 && ["purchases", "surveys"].contains(&stream) {
        lines.sort_by_key(|line| {
            line.bytes().fold(loads as u32, |mixed, b| mixed.wrapping_mul(0x0100_0193) ^ u32::from(b))
        });
    }
    (stream, header, lines)
}

/// What is asked.
fn questions() -> Vec<&'static str> {
    let bench = FAMILIES.iter().flat_map(|family| family.questions).map(|question| question.kepi);
    bench.chain(MORE).collect()
}

/// The answers on so many threads, computed anew.
fn answers(engine: &Engine, threads: usize) -> Vec<Answer> {
    let now = NOW.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let ask = |text: &&str| {
        let mut request =
            Request { text: (*text).to_string(), now: Some(now), no_cache: true, totals: true, ..Request::default() };
        request.limits.threads = Some(threads);
        match engine.query(request) {
            Ok(mut answers) => Ok(answers.remove(0)),
            Err(EngineError::Text { diagnostics, .. }) => Err(format!("{text}: {:?}", diagnostics[0].message)),
            Err(other) => Err(format!("{text}: {other}")),
        }
    };
    let (good, bad): (Vec<_>, Vec<_>) = questions().iter().map(ask).partition(Result::is_ok);
    let problems: Vec<String> = bad.into_iter().filter_map(Result::err).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    good.into_iter().filter_map(Result::ok).collect()
}

/// That two engines, or one in two ways, say the same to the last digit.
fn same(one: &[Answer], other: &[Answer], how: &str) {
    let mut cells = 0;
    for (a, b) in one.iter().zip(other) {
        assert_eq!(a.frame.columns, b.frame.columns, "{how}: {}", a.query);
        assert_eq!(a.frame.rows, b.frame.rows, "{how}: {}", a.query);
        assert_eq!(a.frame.totals, b.frame.totals, "{how}: {}", a.query);
        assert_eq!(a.frame.partial, b.frame.partial, "{how}: {}", a.query);
        assert_eq!(a.frame.partial_rows, b.frame.partial_rows, "{how}: {}", a.query);
        assert_eq!(a.frame.notes, b.frame.notes, "{how}: {}", a.query);
        cells += a.frame.rows.num_rows() * a.frame.rows.num_columns();
    }
    // Answers without rows would be equal, too.
    assert!(one.len() >= 95 && one.len() == other.len() && cells > 10_000, "{} questions, {cells} cells", one.len());
}

#[test]
fn loads_and_threads_and_compaction_change_nothing() {
    let shop = shop();
    let (_folder, whole) = loaded(shop.path(), 1);
    let expected = answers(&whole, 1);
    for threads in [2, 3] {
        same(&expected, &answers(&whole, threads), &format!("{threads} threads"));
    }
    for loads in [2, 7] {
        let (folder, engine) = loaded(shop.path(), loads);
        same(&expected, &answers(&engine, 1), &format!("{loads} loads"));
        Store::open_writer(&folder.path().join(".kepi/store"), "test").unwrap().compact().unwrap();
        same(&expected, &answers(&engine, 2), &format!("{loads} loads, compacted, two threads"));
    }
}
