//! The end of a pass that was read in parts: its cells as rows. What was kept of the functions of plugins they may refuse;
//! then everything is computed anew, so that no question fails because something was kept.

use super::state::Cells;
use super::{Part, Pass, Source, parts, run, run_part, saved, together};
use crate::ExecError;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use kepi_extension::Partials;
use std::sync::Arc;
use std::time::Duration;

/// The cells of all parts together, and the same as rows.
pub(crate) fn shown(
    cells: Cells,
    pass: &Pass,
    source: &Source,
    schema: &SchemaRef,
) -> Result<(Cells, RecordBatch), ExecError> {
    let kept = saved::runs_plugins(pass) && !cells.report.kept.is_empty();
    match put_together(cells, pass, source, schema) {
        Err(refused @ (ExecError::Function(_) | ExecError::Failed(_))) if kept => {
            tracing::warn!("what was kept of a plugin's function is refused, and computed anew: {refused}");
            let source = &source.without_what_is_kept();
            put_together(read_anew(pass, source)?, pass, source, schema)
        }
        other => other,
    }
}

fn put_together(
    cells: Cells,
    pass: &Pass,
    source: &Source,
    schema: &SchemaRef,
) -> Result<(Cells, RecordBatch), ExecError> {
    let mut cells = together(cells, pass, source)?;
    let batch = cells.emit(pass, source, Arc::clone(schema))?;
    Ok((cells, batch))
}

/// The cells of all rows, read one part after the other.
fn read_anew(pass: &Pass, source: &Source) -> Result<Cells, ExecError> {
    let Some(parts) = parts(pass, source, 1)? else { return run(pass, source) };
    let mut cells = Cells::default();
    for part in &parts {
        cells.merge(read(pass, source, part)?)?;
    }
    Ok(cells)
}

fn read(pass: &Pass, source: &Source, part: &Part) -> Result<Cells, ExecError> {
    source.check()?;
    run_part(pass, source, part)
}

/// Partial results of which nothing is read: what is written takes the place of what was there.
#[derive(Debug)]
struct Anew(Arc<dyn Partials>);

impl Partials for Anew {
    fn read(&self, _: u128) -> Option<Vec<u8>> {
        None
    }

    fn write(&self, name: u128, bytes: &[u8], took: Duration) {
        self.0.write(name, bytes, took);
    }
}

impl Source {
    /// The same, where partial results are made anew.
    fn without_what_is_kept(&self) -> Source {
        let partials = self.partials.clone().map(|partials| Arc::new(Anew(partials)) as Arc<dyn Partials>);
        Source { partials, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::super::state::State;
    use super::super::testing::*;
    use super::*;
    use arrow_array::{ArrayRef, Float64Array};
    use kepi_extension::{Accumulator, AggregateFunction, FunctionError};
    use kepi_model::core::Measure;
    use kepi_model::declared::{FunctionKind, Returns, Signature};
    use kepi_model::value::{Kind, Unit};

    /// How many rows there are; it takes up no state but its own.
    #[derive(Debug)]
    struct Rows(Signature);

    struct Counts(Vec<f64>);

    impl AggregateFunction for Rows {
        fn signature(&self) -> &Signature {
            &self.0
        }

        fn start(&self) -> Result<Box<dyn Accumulator>, FunctionError> {
            Ok(Box::new(Counts(Vec::new())))
        }
    }

    impl Accumulator for Counts {
        fn update(&mut self, groups: &[u32], count: usize, _: &[ArrayRef]) -> Result<(), FunctionError> {
            self.0.resize(count, 0.0);
            groups.iter().for_each(|&group| self.0[group as usize] += 1.0);
            Ok(())
        }

        fn merge(&mut self, groups: &[u32], count: usize, states: &[Vec<u8>]) -> Result<(), FunctionError> {
            self.0.resize(count, 0.0);
            for (&group, state) in groups.iter().zip(states) {
                let message = "it is no state of mine".to_string();
                let refused = FunctionError::Failed { plugin: "most".into(), function: "most.rows".into(), message };
                let [rows] = state[..] else { return Err(refused) };
                self.0[group as usize] += f64::from(rows);
            }
            Ok(())
        }

        fn save(&mut self) -> Result<Vec<Vec<u8>>, FunctionError> {
            Ok(self.0.iter().map(|rows| vec![*rows as u8]).collect())
        }

        fn finish(&mut self) -> Result<ArrayRef, FunctionError> {
            Ok(Arc::new(Float64Array::from(self.0.clone())))
        }
    }

    #[test]
    fn what_a_plugin_refuses_of_what_was_kept_is_computed_anew() {
        let signature = Signature {
            name: "most.rows".into(),
            kind: FunctionKind::Aggregate,
            doc: String::new(),
            parameters: vec![],
            returns: Returns::Unit(Unit::of(Kind::Number)),
        };
        let orders: Vec<Order> = (0..5).map(|i| (DAY * i, Some(i as u32 % 2), 2, Some(100), None)).collect();
        let mut source = source(&shop(2, &orders, &[]));
        source.functions.aggregates.insert("most.rows".into(), Arc::new(Rows(signature)));
        let rows = Measure::Plugin { name: "most.rows".into(), args: vec![field("amount")] };
        let pass = pass(vec![aggregate(events("orders", vec![]), None, rows, vec![customer()])]);
        let schema = pass.schema(&source).unwrap();
        let anew = run(&pass, &source).unwrap();
        let expected = lines(&shown(anew.clone(), &pass, &source, &schema).unwrap().1);
        let with = |state: &[u8], kept: Vec<u64>| {
            let mut cells = anew.clone();
            let states = vec![vec![state.to_vec()]; cells.keys.len()];
            cells.states = vec![State::Plugin(states)];
            cells.report.kept = kept;
            shown(cells, &pass, &source, &schema).map(|(_, batch)| lines(&batch))
        };
        assert_eq!(with(b"of another time", vec![1]).unwrap(), expected);
        // What was not kept is the plugin's own failure.
        let failure = with(b"of another time", vec![]).unwrap_err();
        assert_eq!(failure.to_string(), "the plugin most failed in most.rows: it is no state of mine");
        // What it takes up is believed, since its name says everything that it depends on.
        assert_ne!(with(&[9], vec![1]).unwrap(), expected);
    }
}
