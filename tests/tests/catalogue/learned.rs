//! `clv_expected`: a plugin's model, which the oracle does not run.

use crate::data::{CompanyModel, now};
use kepi_tests::shown::Shown;

/// What another program gives at the end of 2025 for the 87 customers who ordered until then: BG/NBD and Gamma-Gamma fitted
/// by the greatest likelihood (-745.387 of the purchases), over three years of 365.2425 days.
const EXPECTED: f64 = 986.57;

/// Asks for it in one cell, in several, and of each label by itself.
pub(crate) fn run() {
    let project = CompanyModel::Catalogue.project();
    let oracle = CompanyModel::Catalogue.oracle();
    let ask = |query: &str| {
        let table = project.answer(query, now(), oracle.calendar()).unwrap_or_else(|e| panic!("{query}: {e}"));
        let number = |value: &Shown| match value {
            Shown::Number(number) => Some(number.to_f64()),
            _ => None,
        };
        let row = |row: &Vec<Shown>| {
            let labels = row[..table.labels].iter().map(|label| label.write(oracle.calendar())).collect::<Vec<_>>();
            (labels.join(" "), row[table.labels..].iter().map(number).collect::<Vec<_>>())
        };
        table.rows.iter().map(row).collect::<Vec<_>>()
    };
    let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a / b - 1.0).abs() < 1e-9,
        (a, b) => a.is_none() && b.is_none(),
    };
    let value = ask("show clv_expected during 2025")[0].1[0].unwrap();
    assert!((value / EXPECTED - 1.0).abs() < 0.005, "{value}, another program gives {EXPECTED}");
    let quarters = ask("show clv_expected per quarter during 2025");
    assert_eq!(quarters.len(), 4);
    assert!(same(quarters[3].1[0], Some(value)), "{quarters:?} ends at the same moment as {value}");
    let regions = ask("show clv_expected by region during 2025");
    assert!(regions.len() > 1 && regions.iter().any(|(_, values)| values[0].is_some()), "{regions:?}");
    for (region, values) in regions.iter().filter(|(region, _)| !region.is_empty() && region != "-") {
        let alone = ask(&format!("show clv_expected where region = \"{region}\" during 2025"));
        assert!(same(alone[0].1[0], values[0]), "{region}: {values:?} among others, {alone:?} alone");
    }
    // The year before had 23 customers who bought again, and has a value of its own beside this one.
    let compared = ask("show clv_expected vs previous year during 2025");
    let before = ask("show clv_expected during 2024")[0].1[0];
    assert!(same(compared[0].1[0], Some(value)) && same(compared[0].1[1], before), "{compared:?}, {before:?}");
}
