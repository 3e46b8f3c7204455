//! `rank`: the place of a cell among those of its period, over the finished grid.

use super::cell::{Cell, read, write};
use super::number::Number;
use crate::ExecError;
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use kepi_model::core::{Formula, FormulaNode, OrderBy, Query};
use kepi_model::value::Value;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

/// Columns of values that become columns of places, from 1, the largest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ranking {
    /// The columns of the period and the labels that are equal among those compared.
    pub(crate) equal: Vec<usize>,
    /// The columns.
    pub(crate) columns: Range<usize>,
}

impl Ranking {
    /// The schema, in which places are whole numbers.
    pub(crate) fn schema(&self, input: &SchemaRef) -> SchemaRef {
        let fields = input.fields().iter().enumerate().map(|(i, field)| match self.columns.contains(&i) {
            true => Field::new(field.name(), DataType::Int64, true),
            false => field.as_ref().clone(),
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Puts places for values. Equal values share the first of their places; what is missing has none.
    pub(crate) fn apply(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ExecError> {
        let equal = self.equal.iter().map(|column| read(batch.column(*column))).collect::<Result<Vec<_>, _>>()?;
        let by_keys = |a: &usize, b: &usize| {
            equal.iter().map(|of| compare(&of[*a], &of[*b])).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        let mut rows: Vec<usize> = (0..batch.num_rows()).collect();
        rows.sort_by(by_keys);
        let groups: Vec<&[usize]> = rows.chunk_by(|a, b| by_keys(a, b).is_eq()).collect();
        let mut columns = batch.columns().to_vec();
        for i in self.columns.clone() {
            let values = read(batch.column(i))?;
            let mut places = vec![Cell::Missing; values.len()];
            for group in &groups {
                let mut rows: Vec<usize> = group.iter().copied().filter(|row| !values[*row].is_missing()).collect();
                rows.sort_by(|a, b| compare(&values[*b], &values[*a]));
                let mut place = 0;
                for (before, row) in rows.iter().enumerate() {
                    let shared = before
                        .checked_sub(1)
                        .is_some_and(|last| compare(&values[rows[last]], &values[*row]) == Ordering::Equal);
                    if !shared {
                        place = before + 1;
                    }
                    places[*row] = Cell::Number(Number::whole(place as i64));
                }
            }
            columns[i] = write(&places, &DataType::Int64, "rank")?;
        }
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| ExecError::Plan(e.to_string()))
    }

    /// What it does, in words.
    pub(crate) fn words(&self) -> String {
        match self.equal.is_empty() {
            false => "each row's place among those of its period and labels".to_string(),
            true => "each row's place among all".to_string(),
        }
    }
}

/// The order of two values of one column, a missing one first.
fn compare(a: &Cell, b: &Cell) -> Ordering {
    match (a, b) {
        (Cell::Number(a), Cell::Number(b)) => a.compare(*b),
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        (Cell::Bool(a), Cell::Bool(b)) => a.cmp(b),
        (Cell::Time(a), Cell::Time(b)) => a.cmp(b),
        (Cell::Date(a), Cell::Date(b)) => a.cmp(b),
        // Values of one column are of one type.
        _ => b.is_missing().cmp(&a.is_missing()),
    }
}

/// A value of which something is made over the whole grid.
#[derive(Clone, PartialEq)]
pub(crate) struct Ranked {
    pub(crate) of: Formula,
    pub(crate) how: Over,
}

/// What is made of it.
#[derive(Clone, PartialEq)]
pub(crate) enum Over {
    /// Its place among cells that may differ in this label; none: in any.
    Rank(Option<usize>),
    /// What a plugin's series goes on with.
    Series { name: String, constants: Vec<Value> },
}

/// What is ranked or gone on with: each formula after those that it asks for it.
///
/// In the query that comes with it what is made of the k-th of them is aggregate `n + k`, `n` being the number of the
/// query's own.
pub(crate) fn take_out(query: &Query) -> (Query, Vec<Ranked>) {
    let mut query = query.clone();
    let mut ranked = Vec::new();
    let own = query.aggregates.len();
    for column in &mut query.columns {
        replace(&mut column.formula, own, &mut ranked);
    }
    if let Some(having) = &mut query.having {
        replace(having, own, &mut ranked);
    }
    for key in &mut query.order {
        if let OrderBy::Formula(formula) = &mut key.by {
            replace(formula, own, &mut ranked);
        }
    }
    (query, ranked)
}

fn replace(formula: &mut Formula, own: usize, ranked: &mut Vec<Ranked>) {
    match &mut formula.node {
        FormulaNode::Const(_) | FormulaNode::Aggregate(_) | FormulaNode::Label(_) | FormulaNode::Period => {}
        FormulaNode::Call { args, .. } | FormulaNode::Plugin { args, .. } => {
            args.iter_mut().for_each(|arg| replace(arg, own, ranked));
        }
        FormulaNode::Case { whens, otherwise } => {
            for (condition, value) in whens {
                replace(condition, own, ranked);
                replace(value, own, ranked);
            }
            if let Some(otherwise) = otherwise {
                replace(otherwise, own, ranked);
            }
        }
        FormulaNode::Rank { of, .. } | FormulaNode::Series { of, .. } => {
            replace(of, own, ranked);
            let of = Formula::clone(of);
            let how = match &formula.node {
                FormulaNode::Series { name, constants, .. } => {
                    Over::Series { name: name.clone(), constants: constants.clone() }
                }
                FormulaNode::Rank { over, .. } => Over::Rank(*over),
                _ => return,
            };
            let asked = Ranked { of, how };
            let place = ranked.iter().position(|known| *known == asked).unwrap_or_else(|| {
                ranked.push(asked);
                ranked.len() - 1
            });
            formula.node = FormulaNode::Aggregate(own + place);
        }
    }
}
