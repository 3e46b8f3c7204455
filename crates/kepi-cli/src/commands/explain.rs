//! `kepi explain`: what a query means, what ran, and the plan.

use super::asked;
use crate::args::{ExplainArgs, Level};
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt;
use kepi_engine::{Explanation, Step, grouped};
use kepi_view::inert;

pub(crate) fn run(context: &Context, args: &ExplainArgs) -> Result<(), Failure> {
    let text = asked::text(&args.asked)?;
    let engine = context.engine()?;
    let request = asked::request(&engine, &args.asked, text)?;
    let guard = interrupt::stops(&request.cancel);
    let explanations = engine.explain(request).map_err(|e| Failure::from(e).in_file(args.asked.file.as_deref()))?;
    drop(guard);
    let shown: Vec<String> = explanations.iter().map(|e| explanation(e, &args.level)).collect();
    context.terminal.data(shown.join("\n").as_bytes())
}

/// An explanation as text; without levels all of them.
pub(crate) fn explanation(explanation: &Explanation, levels: &[Level]) -> String {
    let wanted = |level| levels.is_empty() || levels.contains(&level);
    let mut parts = Vec::new();
    if wanted(Level::Words) {
        parts.push(explanation.words.iter().map(|line| format!("{}\n", inert(line))).collect::<String>());
    }
    if wanted(Level::Steps) && !explanation.steps.is_empty() {
        parts.push(steps(&explanation.steps));
    }
    if wanted(Level::Plan) && !explanation.plan.is_empty() {
        // The plan's line breaks are ours; names from the data within it are not.
        parts.push(explanation.plan.lines().map(|line| format!("{}\n", inert(line))).collect());
    }
    format!("{}\n\n{}", inert(&explanation.query), parts.join("\n"))
}

fn steps(steps: &[Step]) -> String {
    let rows: Vec<[String; 3]> = steps
        .iter()
        .map(|step| {
            let rows = format!("{} → {} rows", grouped(step.rows_in), grouped(step.rows_out));
            let time = format!("{}.{} ms", step.micros / 1000, step.micros % 1000 / 100);
            [rows, time, inert(&step.text).into_owned()]
        })
        .collect();
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (wide(0), wide(1));
    rows.iter().map(|[rows, time, text]| format!("{rows:>first$}  {time:>second$}  {text}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_choose_what_is_shown() {
        let all = Explanation {
            query: "show revenue".to_string(),
            words: vec!["Revenue is summed over all time.".to_string()],
            steps: vec![Step { text: "orders".to_string(), rows_in: 12_345, rows_out: 1, micros: 1_290 }],
            plan: "Pass\n  Scan\x1b".to_string(),
        };
        assert_eq!(
            explanation(&all, &[]),
            "show revenue\n\nRevenue is summed over all time.\n\n12,345 → 1 rows  1.2 ms  orders\n\nPass\n  Scan␛\n"
        );
        assert_eq!(explanation(&all, &[Level::Words]), "show revenue\n\nRevenue is summed over all time.\n");
    }
}
