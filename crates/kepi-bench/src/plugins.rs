//! Functions of plugins beside the built-in ones, through real queries in one run: a component made of Rust, and a script.

use crate::error::BenchError;
use crate::generate::{GenerateOptions, generate};
use crate::kepi;
use crate::questions::Comparison;
use crate::table::Format;
use kepi_engine::Engine;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Purchases that `generate` makes at scale 1.
const PURCHASES_OF_SCALE: f64 = 6_000_000.0;

/// The aggregate of the component that the host's tests use: sums, without any fault.
const COMPONENT: &str = r#"id = "bench.component"
version = "0.1.0"
api = "0.1"
runtime = "wasm"
provides = ["aggregate"]
file = "component.wasm"

[[function]]
name = "sums"
kind = "aggregate"
doc = "The sum."
params = [{ name = "x", kind = "money" }]
returns = "same as x"
"#;

const SCRIPT: &str = r#"id = "bench.script"
version = "0.1.0"
api = "0.1"
runtime = "rhai"
provides = ["scalar", "aggregate"]
file = "script.rhai"

[[function]]
name = "margin"
kind = "scalar"
doc = "The margin."
params = [{ name = "revenue", kind = "money" }, { name = "cost", kind = "money" }]
returns = "percent"

[[function]]
name = "sums"
kind = "aggregate"
doc = "The sum."
params = [{ name = "x", kind = "money" }]
returns = "same as x"
"#;

const RHAI: &str = "fn margin(revenue, cost) {
    if revenue == 0.0 { return; }
    (revenue - cost) / revenue
}

fn sums(x) { sum(x) }
";

const MODEL: &str = "use plugin \"acme.margins\" as margins
use plugin \"bench.component\" as component
use plugin \"bench.script\" as script
";

/// What is compared: the same number by the language, by a component and by a script.
const RIVALS: [(&str, [&str; 3]); 2] = [
    (
        "scalar",
        [
            "show avg((purchases.amount - purchases.cost) / purchases.amount) by country",
            "show avg(margins.margin_pct(purchases.amount, purchases.cost)) by country",
            "show avg(script.margin(purchases.amount, purchases.cost)) by country",
        ],
    ),
    (
        "aggregate",
        [
            "show sum(purchases.amount) by country",
            "show component.sums(purchases.amount) by country",
            "show script.sums(purchases.amount) by country",
        ],
    ),
];

/// How plugins are timed.
#[derive(Clone, Debug)]
pub struct PluginOptions {
    /// A folder for the data; what an earlier run has left there is used again.
    pub folder: PathBuf,
    /// About how many rows.
    pub rows: u64,
    /// How often each question is asked; the median counts.
    pub repeats: usize,
    /// The component may take so many times what the built-in function takes; none: whatever.
    pub times_max: Option<f64>,
}

/// Times the functions on one thread, after all three have given the same answers; gives a table.
///
/// Errors: answers that differ, a component that takes more than it may, whatever keeps the data from being made.
pub fn plugins(options: &PluginOptions, told: &dyn Fn(&str)) -> Result<String, BenchError> {
    let rows = prepare(options, told)?;
    let engine = Engine::open(&options.folder)?;
    let mut table = String::from("| function | by | s | M rows/s | times the built-in |\n|---|---|---|---|---|\n");
    let mut slow = Vec::new();
    for (what, questions) in RIVALS {
        let mut answers = Vec::new();
        let mut built_in = Duration::ZERO;
        for (by, question) in ["the language", "a component", "a script"].into_iter().zip(questions) {
            told(question);
            // The first time compiles the component.
            let (answer, _) = kepi::ask(&engine, question, Some(1))?;
            let mut times = Vec::new();
            for _ in 0..options.repeats.max(1) {
                times.push(kepi::ask(&engine, question, Some(1))?.1);
            }
            times.sort_unstable();
            let median = times[times.len() / 2];
            if answers.is_empty() {
                built_in = median;
            }
            answers.push(answer);
            let times = median.as_secs_f64() / built_in.as_secs_f64().max(1e-9);
            let speed = rows as f64 / 1e6 / median.as_secs_f64().max(1e-9);
            // Writing to a text does not fail.
            let _ = writeln!(table, "| {what} | {by} | {:.3} | {speed:.1} | {times:.1} |", median.as_secs_f64());
            if by == "a component" && options.times_max.is_some_and(|most| times > most) {
                slow.push(format!("{what}: {times:.1} times the built-in"));
            }
        }
        for (other, question) in answers.iter().zip(questions).skip(1) {
            if let Some(difference) = answers[0].difference(other, Comparison::Quotient) {
                return Err(BenchError::Data(format!("`{question}` differs: {difference}")));
            }
        }
    }
    match slow.is_empty() {
        true => Ok(format!("{rows} rows, one thread\n\n{table}")),
        false => Err(BenchError::Data(format!("a component is too slow ({})\n\n{table}", slow.join(", ")))),
    }
}

/// Makes the data, the plugins and the store; gives how many rows there are.
fn prepare(options: &PluginOptions, told: &dyn Fn(&str)) -> Result<u64, BenchError> {
    let folder = &options.folder;
    let scale = options.rows as f64 / PURCHASES_OF_SCALE;
    let streams = vec!["purchases".to_string()];
    let generated = GenerateOptions { folder: folder.clone(), scale, seed: 1, formats: vec![Format::Parquet], streams };
    generate(&generated, told)?;
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/misbehaves/misbehaves.wasm");
    let component = fs::read(&component).map_err(BenchError::io(&component))?;
    write(&folder.join("plugins/component/kepi-plugin.toml"), COMPONENT.as_bytes())?;
    write(&folder.join("plugins/component/component.wasm"), &component)?;
    write(&folder.join("plugins/script/kepi-plugin.toml"), SCRIPT.as_bytes())?;
    write(&folder.join("plugins/script/script.rhai"), RHAI.as_bytes())?;
    write(&folder.join("model/plugins.kepi"), MODEL.as_bytes())?;
    kepi::forget(folder)?;
    let loaded = kepi::load(folder, "purchases", &[folder.join("data/purchases.parquet")])?;
    told(&format!("{} rows loaded in {:.1} s", loaded.rows, loaded.elapsed.as_secs_f64()));
    Ok(loaded.rows)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), BenchError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(BenchError::io(folder))?;
    }
    fs::write(path, bytes).map_err(BenchError::io(path))
}
