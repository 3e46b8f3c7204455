//! Two whole models, `models/catalogue/catalogue.kepi` (a KPI of each kind that a sales team asks for) and
//! `models/examples/examples.kepi` (a statement of each kind), on a small company's rows: every definition is asked, the engine, the
//! oracle and the written answer agree, and some answers are worked out by hand.
//!
//! `KEPI_BLESS=1` rewrites the result blocks of `answers/` with the oracle's answers, never those of `by_hand/`.
//! `KEPI_CASE=word` runs the sections whose title has the word.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may stop, and says why it skips.

mod answers;
mod coverage;
mod data;
mod governance;
mod learned;

use data::CompanyModel;
use insta::assert_snapshot;

#[test]
fn the_catalogue_answers_as_written() {
    assert_snapshot!(answers::run(CompanyModel::Catalogue), @"
    crm.new_revenue_2026 at risk: 4565.000000 of 642465.753425, 1200000.000000 in the end; needed 215979.514327, trailing 886.666667
    crm.new_revenue_monthly missed: 230.000000 of 46505.376344, 100000.000000 in the end; needed -, trailing 886.666667
      2026-01-01 120.000000 not met
      2026-02-01 265.000000 not met
      2026-03-01 1290.000000 not met
      2026-04-01 1560.000000 not met
      2026-05-01 330.000000 not met
      2026-06-01 770.000000 not met
      2026-07-01 230.000000 runs
    crm.churn_2026 at risk: 0.059701 of 0.030055, 0.020000 in the end; needed -0.007215, trailing 0.005408
    ");
}

#[test]
fn the_examples_answer_as_written() {
    assert_snapshot!(answers::run(CompanyModel::Examples), @"
    crm.benelux at risk: 765.000000 of 642739.726027, 1200000.000000 in the end; needed 216771.341108, trailing 193.333333
    crm.monthly missed: 230.000000 of 46774.193548, 100000.000000 in the end; needed -, trailing 886.666667
      2026-01-01 120.000000 not met
      2026-02-01 265.000000 not met
      2026-03-01 1290.000000 not met
      2026-04-01 1560.000000 not met
      2026-05-01 330.000000 not met
      2026-06-01 770.000000 not met
      2026-07-01 230.000000 runs
    crm.turnover met: 22820.250000 of 16000.000000, 16000.000000 in the end; needed -, trailing 2011.833333
    crm.value_for_cost at risk: 0.375022 of 3.000000, 3.000000 in the end; needed 0.477269, trailing -0.187193
    crm.churn at risk: 0.059701 of 0.030055, 0.020000 in the end; needed -0.007218, trailing 0.005408
    ");
}

#[test]
fn every_definition_of_the_catalogue_is_asked() {
    coverage::run(CompanyModel::Catalogue);
}

#[test]
fn every_definition_of_the_examples_is_asked() {
    coverage::run(CompanyModel::Examples);
}

#[test]
fn the_expected_value_is_that_of_another_program() {
    learned::run();
}
