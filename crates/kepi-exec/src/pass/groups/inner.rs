//! The inner aggregates of groups: what their cells are made of, and the columns that they give.

use super::{by_id, filled, of};
use crate::ExecError;
use crate::cells::plan::passes_of;
use crate::pass::pieces::Reading;
use crate::pass::plan::Plan;
use crate::pass::state::Cells;
use crate::pass::table::Table;
use crate::pass::{Part, Pass, Source, entity, onward, run, stream};
use crate::rows::{Base, Column, Program, Type, common_type};
use arrow_schema::DataType;
use kepi_model::calendar::Grain;
use kepi_model::core::{self, Aggregate, Formula, FormulaNode, Groups, KEY, LABEL, Label, Move, Row, RowNode};
use kepi_model::value::{Kind, Unit};
use std::sync::Arc;

/// The column of the first instant of a group's time.
pub(super) const PERIOD: &str = "_period";
/// The columns of the inner aggregates' values.
pub(super) const AGGREGATE: &str = "_aggregate_";
/// The time that inner aggregates look at.
#[derive(Clone, Debug)]
pub(super) struct Time {
    pub(super) per: Option<Grain>,
    pub(super) from: Option<i64>,
    pub(super) until: i64,
    /// How the outer aggregate moves the windows of its cells.
    pub(super) moved: Vec<Move>,
}

/// The inner aggregates, computed.
pub(super) struct Inner {
    pub(super) table: Table,
    /// The table's columns by name.
    pub(super) columns: Vec<(String, Column)>,
}

/// An empty program over groups, whose columns have the types of what the inner aggregates give.
pub(crate) fn program(groups: &Groups, pass: &Pass, source: &Source) -> Result<Program, ExecError> {
    let mut columns = vec![(PERIOD.to_string(), Type::Time)];
    let types = types(groups, pass, source)?;
    columns.extend(names(groups).into_iter().zip(types.labels));
    columns.extend(types.values.into_iter().enumerate().map(|(i, (ty, _))| (format!("{AGGREGATE}{i}"), ty)));
    let value = row_of(&groups.value, &names(groups))?;
    Program::new(Base::Groups(columns, Box::new(value)), source, &pass.zone, pass.now)
}

/// How many of the query's labels groups have: what stands before the keys among the labels of the inner aggregates.
fn labels(groups: &Groups) -> usize {
    groups.aggregates.first().map_or(0, |first| first.labels.len().saturating_sub(groups.keys.len()))
}

/// The names of the labels and keys of groups.
pub(super) fn names(groups: &Groups) -> Vec<String> {
    let labels = (0..labels(groups)).map(|i| format!("{LABEL}{i}"));
    labels.chain((0..groups.keys.len()).map(|i| format!("{KEY}{i}"))).collect()
}

/// What the inner aggregates give.
struct Types {
    /// Of the labels and keys.
    labels: Vec<Type>,
    /// Of the values, in a program and as the pass says.
    values: Vec<(Type, DataType)>,
}

fn types(groups: &Groups, pass: &Pass, source: &Source) -> Result<Types, ExecError> {
    let time = Time { per: pass.per.clone(), from: None, until: pass.until, moved: Vec::new() };
    let mut labels = vec![Type::Missing; labels(groups) + groups.keys.len()];
    let mut values = vec![(Type::Missing, DataType::Null); groups.aggregates.len()];
    for (pass, places) in inner_passes(groups, pass, &time) {
        let plan = Plan::new(&pass, source)?;
        for (i, (ty, label)) in labels.iter_mut().zip(&pass.labels).enumerate() {
            *ty = common_type(&[ty.clone(), plan.label_type(i, label)?])?;
        }
        let schema = plan.schema(&pass)?;
        let first = usize::from(pass.per.is_some()) + pass.labels.len();
        for (i, (place, aggregate)) in places.iter().zip(&pass.aggregates).enumerate() {
            let arrow = schema.field(first + 2 * i).data_type().clone();
            values[*place] = (type_of(&arrow, &aggregate.unit)?, arrow);
        }
    }
    Ok(Types { labels, values })
}

pub(super) fn type_of(arrow: &DataType, unit: &Unit) -> Result<Type, ExecError> {
    Ok(match (arrow, &unit.kind) {
        (DataType::Utf8, Kind::Entity(entity)) => Type::Id(Arc::from(entity.as_str())),
        (DataType::Utf8, _) => Type::Text,
        (DataType::Int64, _) => Type::Decimal(0),
        (DataType::Decimal128(_, scale), _) => Type::Decimal(scale.unsigned_abs()),
        (DataType::Float64, _) => Type::Float,
        (DataType::Boolean, _) => Type::Bool,
        (DataType::Timestamp(..), _) => Type::Time,
        (DataType::Date32, _) => Type::Date,
        (other, _) => return Err(ExecError::Plan(format!("a group has no values of {other}"))),
    })
}

/// The passes of the inner aggregates, each with their places among all of them.
pub(super) fn inner_passes(groups: &Groups, outer: &Pass, time: &Time) -> Vec<(Pass, Vec<usize>)> {
    // The outer aggregate may have fewer labels by now: a total, or what is taken across one of them.
    let label = |(i, row): (usize, &Row)| Label { name: format!("{LABEL}{i}"), unit: row.unit.clone(), grain: None };
    let own = groups.aggregates.iter().take(1).flat_map(|first| &first.labels).take(labels(groups));
    let labels: Vec<Label> = own.enumerate().map(label).chain(groups.keys.iter().cloned()).collect();
    let moved = |aggregate: &Aggregate| {
        let moved = time.moved.iter().chain(&aggregate.moved).cloned().collect();
        Aggregate { moved, ..aggregate.clone() }
    };
    let aggregates: Vec<Aggregate> = groups.aggregates.iter().map(moved).collect();
    let pass = |(base, places): (core::Base, Vec<usize>)| {
        let exists = match &base {
            core::Base::Entity(name) => groups.existence.iter().find(|e| e.entity == *name).cloned(),
            core::Base::Stream(_) | core::Base::Made(_) => None,
        };
        // A shift is one of the windows of the outer periods, which inner periods of their own have no more.
        let own = groups.per.is_some();
        let pass = Pass {
            base,
            aggregates: places.iter().map(|i| aggregates[*i].clone()).collect(),
            labels: labels.clone(),
            per: time.per.clone(),
            from: time.from,
            until: time.until,
            exists,
            shift: outer.shift.filter(|_| !own),
            moment: outer.moment && !own,
            ..outer.clone()
        };
        (pass, places)
    };
    passes_of(&aggregates).into_iter().map(pass).collect()
}

/// A formula over inner aggregates as an expression over the columns of groups.
pub(super) fn row_of(formula: &Formula, names: &[String]) -> Result<Row, ExecError> {
    let all = |args: &[Formula]| args.iter().map(|arg| row_of(arg, names)).collect::<Result<Vec<Row>, ExecError>>();
    let node = match &formula.node {
        FormulaNode::Const(value) => RowNode::Const(value.clone()),
        FormulaNode::Aggregate(i) => RowNode::Field(format!("{AGGREGATE}{i}")),
        FormulaNode::Label(i) => {
            let name = names.get(*i);
            let name = name.ok_or_else(|| ExecError::Plan(format!("a group's value reads label {i}")))?;
            RowNode::Field(name.clone())
        }
        FormulaNode::Period => RowNode::Field(PERIOD.into()),
        FormulaNode::Call { op, args } => RowNode::Call { op: op.clone(), args: all(args)? },
        FormulaNode::Case { whens, otherwise } => RowNode::Case {
            whens: whens
                .iter()
                .map(|(condition, value)| Ok((row_of(condition, names)?, row_of(value, names)?)))
                .collect::<Result<_, ExecError>>()?,
            otherwise: otherwise.as_ref().map(|of| row_of(of, names).map(Box::new)).transpose()?,
        },
        FormulaNode::Plugin { name, args } => RowNode::Plugin { name: name.clone(), args: all(args)? },
        FormulaNode::Rank { .. } => return Err(ExecError::NotYet("a rank among groups".into())),
        FormulaNode::Series { .. } => return Err(ExecError::NotYet("a series of groups".into())),
    };
    Ok(Row { unit: formula.unit.clone(), node })
}

/// The cells of a pass, for who computes on with them.
pub(super) fn table(pass: &Pass, source: &Source, types: &[Type]) -> Result<Table, ExecError> {
    source.check()?;
    if let Some(table) = by_id::table(pass, source)? {
        return Ok(table);
    }
    if let Some(table) = onward::table(pass, source)? {
        return Ok(table);
    }
    let mut pieces = None;
    let plan = match &pass.base {
        core::Base::Entity(_) => entity::filled(pass, source)?,
        base if !base.is_groups() => match Plan::new(pass, source)?.reading {
            Reading::Apart(_) => return Table::of_cells(run(pass, source)?, types, source),
            Reading::Plain => stream::filled(pass, source, &Part::default())?,
            Reading::Pieces(found) => {
                pieces = Some(found);
                stream::filled(pass, source, &Part::default())?
            }
        },
        base if let Some(groups) = of(base) => {
            let mut plans = filled(groups, pass, &source.nested(groups, pass), &Part::default())?;
            match plans.pop() {
                Some((None, plan)) if plans.is_empty() => plan,
                last => {
                    plans.extend(last);
                    let mut all = Cells::default();
                    for (cell, plan) in plans {
                        let mut cells = plan.finish()?;
                        cells.keys.iter_mut().for_each(|key| key.period = cell.unwrap_or(key.period));
                        all.append(cells);
                    }
                    return Table::of_cells(all, types, source);
                }
            }
        }
        _ => return Table::of_cells(run(pass, source)?, types, source),
    };
    let table = plan.into_table(types)?;
    match pieces {
        Some(pieces) => table.together(pass, source, &pieces, types),
        None => Ok(table),
    }
}

/// Computes the inner aggregates over some time, in periods or not.
pub(super) fn inner(groups: &Groups, pass: &Pass, source: &Source, time: &Time) -> Result<Inner, ExecError> {
    let types = types(groups, pass, &source.apart())?;
    let making = source.making(groups, labels(groups));
    let mut tables = Vec::new();
    for (pass, places) in inner_passes(groups, pass, time) {
        tables.push((table(&pass, &making, &types.labels)?, places));
    }
    let mut table = Table::joined(tables, &types.labels)?;
    let mut columns: Vec<(String, Column)> = names(groups).into_iter().zip(table.labels.clone()).collect();
    for (i, (aggregate, (_, arrow))) in groups.aggregates.iter().zip(&types.values).enumerate() {
        columns.push((format!("{AGGREGATE}{i}"), table.value(i, aggregate, arrow, source)?));
    }
    table.forget_values();
    Ok(Inner { table, columns })
}
