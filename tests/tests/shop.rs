//! Every question of the bench on a tiny shop: the engine says what the oracle says.
#![allow(clippy::unwrap_used)] // A test that cannot set up its data is to fail.

use kepi_bench::{FAMILIES, Format, GenerateOptions, generate};
use kepi_tests::case::GivenTable;
use kepi_tests::given;
use kepi_tests::oracle::{Oracle, Value};
use kepi_tests::project::Project;
use kepi_tests::shown::ShownTable;
use std::fs;
use std::path::Path;

/// As of when everything is asked.
const NOW: &str = "2026-01-01";

/// A file of the shop as a table: columns by their names in the file and in the table, and which lines are wanted.
struct Wanted {
    file: &'static str,
    table: &'static str,
    columns: &'static [(&'static str, &'static str)],
    /// One line of so many.
    one_of: usize,
}

const TABLES: [Wanted; 7] = [
    Wanted {
        file: "signups",
        table: "customer",
        columns: &[("customer", "customer"), ("plan", "tier"), ("country", "region")],
        one_of: 1,
    },
    Wanted {
        file: "signups",
        table: "signups",
        columns: &[
            ("joined", "joined"),
            ("customer", "customer"),
            ("channel", "channel"),
            ("country", "country"),
            ("plan", "plan"),
        ],
        one_of: 1,
    },
    Wanted {
        file: "visits",
        table: "visits",
        columns: &[("visited", "visited"), ("customer", "customer"), ("page", "page")],
        one_of: 1,
    },
    Wanted {
        file: "purchases",
        table: "purchases",
        columns: &[
            ("purchase", "id"),
            ("bought", "bought"),
            ("customer", "customer"),
            ("channel", "channel"),
            ("product", "product"),
            ("amount", "amount"),
            ("cost", "cost"),
            ("country", "country"),
        ],
        one_of: 1,
    },
    Wanted {
        file: "surveys",
        table: "surveys",
        columns: &[("survey", "id"), ("answered", "answered"), ("customer", "customer"), ("score", "score")],
        one_of: 1,
    },
    // As many at every scale, and more than the oracle needs.
    Wanted {
        file: "spend",
        table: "spend",
        columns: &[("booked", "booked"), ("channel", "channel"), ("amount", "amount")],
        one_of: 37,
    },
    Wanted {
        file: "rates",
        table: "rates",
        columns: &[("day", "day"), ("base", "from"), ("quote", "to"), ("rate", "rate")],
        one_of: 5,
    },
];

fn table(folder: &Path, wanted: &Wanted) -> GivenTable {
    let path = folder.join("data").join(format!("{}.csv", wanted.file));
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let places: Vec<usize> =
        wanted.columns.iter().map(|(file, _)| header.iter().position(|name| name == *file).unwrap()).collect();
    // A moment is written with a `T` in the language.
    let is_moment =
        |place: usize| matches!(&header[place], "joined" | "visited" | "bought" | "answered" | "booked" | "day");
    let cell = |line: &csv::StringRecord, place: usize| match is_moment(place) {
        true => line[place].replace(' ', "T"),
        false => line[place].to_string(),
    };
    let lines = reader.records().map(|line| line.unwrap()).step_by(wanted.one_of);
    GivenTable {
        name: wanted.table.to_string(),
        columns: wanted.columns.iter().map(|(_, name)| (*name).to_string()).collect(),
        rows: lines.map(|line| places.iter().map(|place| cell(&line, *place)).collect()).collect(),
    }
}

fn expected(oracle: &Oracle, text: &str) -> Result<ShownTable, String> {
    match kepi_syntax::parse_query(text) {
        (Some(query), problems) if problems.is_empty() => {
            Ok(ShownTable::of(&oracle.answer(&query)?, oracle.calendar()))
        }
        (_, problems) => Err(format!("{problems:?}")),
    }
}

#[test]
fn the_engine_answers_every_question_like_the_oracle() {
    let folder = tempfile::tempdir().unwrap();
    let options = GenerateOptions {
        folder: folder.path().to_path_buf(),
        scale: 0.000_02,
        seed: 7,
        formats: vec![Format::Csv],
        streams: Vec::new(),
    };
    generate(&options, &|_| ()).unwrap();
    let model = fs::read_to_string(folder.path().join("model/shop.kepi")).unwrap();
    let tables: Vec<GivenTable> = TABLES.iter().map(|wanted| table(folder.path(), wanted)).collect();
    let Value::Date(day) = given::oracle(&model, &[], 0).unwrap().calendar().literal(NOW).unwrap() else {
        panic!("{NOW} is no day");
    };
    let calendar = given::oracle(&model, &[], 0).unwrap();
    let now = calendar.calendar().start_of_day(day);
    let oracle = given::oracle(&model, &tables, now).unwrap();
    let project = Project::new(&model, &given::files(&oracle, &tables)).unwrap();
    let mut problems = Vec::new();
    let (mut asked, mut cells) = (0, 0);
    for question in FAMILIES.iter().flat_map(|family| family.questions) {
        asked += 1;
        let answers = expected(&oracle, question.kepi)
            .map_err(|problem| format!("oracle: {problem}"))
            .and_then(|expected| Ok((project.answer(question.kepi, now, oracle.calendar())?, expected)));
        match answers {
            Ok((found, expected)) => {
                cells += expected.rows.len();
                if let Some(difference) = found.difference(&expected, oracle.calendar()) {
                    problems.push(format!("{}: {difference}", question.title));
                }
            }
            Err(problem) => problems.push(format!("{}: {problem}", question.title)),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    // Answers without rows would be equal, too.
    assert!(asked >= 65 && cells > 8_000, "{asked} questions with {cells} rows");
}
