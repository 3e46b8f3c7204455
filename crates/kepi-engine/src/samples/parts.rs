//! Whether an aggregate gives the same of all rows and of parts of them: kepi merges what it has saved of parts, in any
//! order, also long after.

use super::{same, value};
use arrow_array::{Array, ArrayRef};
use kepi_extension::{AggregateFunction, FunctionError};
use serde_json::Value;

/// The first row of each part, and the one behind its last.
type Parts = Vec<(usize, usize)>;

/// The value of all rows. Error: it fails, or it gives something else when parts are saved and merged.
pub(super) fn whole(aggregate: &dyn AggregateFunction, args: &[ArrayRef], rows: usize) -> Result<Value, String> {
    let given = of_all(aggregate, args, rows).map_err(words)?;
    let (half, third) = (rows / 2, rows / 3);
    // Two halves, the later one first; then parts in one call, among them two of no rows; then what was merged, saved again.
    let ways: [(&str, Parts, bool); 3] = [
        ("two parts are saved and merged", vec![(half, rows), (0, half)], false),
        (
            "several parts, some of them empty, are saved and merged at once",
            vec![(0, 0), (third, rows - third), (0, third), (rows - third, rows), (rows, rows)],
            true,
        ),
        ("one row after the other is saved and merged", (0..rows).map(|row| (row, row + 1)).collect(), false),
    ];
    for (way, parts, at_once) in ways {
        let other = of_parts(aggregate, args, &parts, at_once).map_err(words)?;
        if !same(&other, &given) {
            return Err(format!("gives {given} of all rows, and {other} when {way}"));
        }
    }
    Ok(given)
}

fn words(error: FunctionError) -> String {
    error.to_string()
}

fn of_all(aggregate: &dyn AggregateFunction, args: &[ArrayRef], rows: usize) -> Result<Value, FunctionError> {
    let mut accumulator = aggregate.start()?;
    accumulator.update(&vec![0; rows], 1, args)?;
    let given = value(&accumulator.finish()?);
    // It stays usable: who has saved goes on.
    accumulator.save()?;
    Ok(given)
}

fn of_parts(
    aggregate: &dyn AggregateFunction,
    args: &[ArrayRef],
    parts: &Parts,
    at_once: bool,
) -> Result<Value, FunctionError> {
    let mut states = Vec::new();
    for &(from, until) in parts {
        let part: Vec<ArrayRef> = args.iter().map(|column| column.slice(from, until - from)).collect();
        let mut accumulator = aggregate.start()?;
        accumulator.update(&vec![0; until - from], 1, &part)?;
        states.extend(accumulator.save()?);
    }
    let mut merged = aggregate.start()?;
    if at_once {
        merged.merge(&vec![0; states.len()], 1, &states)?;
    } else {
        merged.merge(&[], 1, &[])?;
        for state in states {
            merged.merge(&[0], 1, &[state])?;
        }
    }
    // What was merged is saved and taken up as well: windows are put together of parts that were.
    let mut again = aggregate.start()?;
    again.merge(&[0], 1, &merged.save()?)?;
    Ok(value(&again.finish()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;
    use arrow_array::Float64Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float64Type;
    use kepi_extension::Accumulator;
    use kepi_model::declared::{FunctionKind, Returns, Signature};
    use kepi_model::value::{Kind, Unit};
    use std::sync::Arc;

    /// How a sum takes up what was saved.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Merge {
        Adds,
        /// The first state of a call only.
        TakesOne,
        /// What was there is lost.
        Replaces,
        /// The later part counts twice.
        Leans,
    }

    #[derive(Debug)]
    struct Sum(Merge, Signature);

    struct Summed(Merge, f64);

    impl AggregateFunction for Sum {
        fn signature(&self) -> &Signature {
            &self.1
        }

        fn start(&self) -> Result<Box<dyn Accumulator>, FunctionError> {
            Ok(Box::new(Summed(self.0, 0.0)))
        }
    }

    impl Accumulator for Summed {
        fn update(&mut self, _: &[u32], _: usize, args: &[ArrayRef]) -> Result<(), FunctionError> {
            self.1 += args[0].as_primitive::<Float64Type>().values().iter().sum::<f64>();
            Ok(())
        }

        fn merge(&mut self, _: &[u32], _: usize, states: &[Vec<u8>]) -> Result<(), FunctionError> {
            let mut known = states.iter().map(|state| f64::from_le_bytes(state[..].try_into().unwrap()));
            match self.0 {
                Merge::Adds => self.1 += known.sum::<f64>(),
                Merge::TakesOne => self.1 += known.take(1).sum::<f64>(),
                Merge::Replaces => self.1 = known.next_back().unwrap_or(self.1),
                Merge::Leans if self.1 == 0.0 => self.1 = known.sum(),
                Merge::Leans => self.1 += 2.0 * known.sum::<f64>(),
            }
            Ok(())
        }

        fn save(&mut self) -> Result<Vec<Vec<u8>>, FunctionError> {
            Ok(vec![self.1.to_le_bytes().to_vec()])
        }

        fn finish(&mut self) -> Result<ArrayRef, FunctionError> {
            Ok(Arc::new(Float64Array::from(vec![self.1])))
        }
    }

    #[test]
    fn a_merge_that_lies_is_found() {
        let signature = Signature {
            name: "p.sum".into(),
            kind: FunctionKind::Aggregate,
            doc: String::new(),
            parameters: vec![],
            returns: Returns::Unit(Unit::of(Kind::Number)),
        };
        let rows: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, 4.0, 8.0]));
        let tried = |merge| whole(&Sum(merge, signature.clone()), &[Arc::clone(&rows)], 4);
        assert_eq!(tried(Merge::Adds), Ok(15.0.into()));
        let said = |merge| tried(merge).unwrap_err();
        assert_eq!(said(Merge::Replaces), "gives 15.0 of all rows, and 3.0 when two parts are saved and merged");
        assert_eq!(said(Merge::Leans), "gives 15.0 of all rows, and 18.0 when two parts are saved and merged");
        assert_eq!(
            said(Merge::TakesOne),
            "gives 15.0 of all rows, and 0.0 when several parts, some of them empty, are saved and merged at once"
        );
    }
}
