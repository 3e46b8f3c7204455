//! Formulas over the columns of matched cells, as an expression of DataFusion.

use super::cell::{Cell, CellType, Reader, read, time_type, write};
use super::ops;
use crate::ExecError;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use datafusion_common::Result as DataFusionResult;
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::PhysicalExpr;
use kepi_extension::{FunctionError, Functions};
use kepi_model::calendar::Zone;
use kepi_model::core::{Formula, FormulaNode, Op};
use kepi_model::value::{Kind, Unit, Value};
use regex::Regex;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Where a formula finds what it reads, as columns of the batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Inputs {
    /// Per aggregate of the query its value.
    pub(crate) aggregates: Vec<usize>,
    /// Per label of the query.
    pub(crate) labels: Vec<usize>,
    /// The first instant of the period, or of the window; missing: the other side of a comparison has no such period,
    /// so nothing has a value there.
    pub(crate) period: usize,
    /// Whether a missing period makes every value missing.
    pub(crate) needs_period: bool,
}

/// What formulas need beside their columns.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The project's zone.
    pub(crate) zone: Zone,
    /// The functions of plugins.
    pub(crate) functions: Functions,
}

/// A formula as an expression: a value per cell.
#[derive(Debug)]
pub(crate) struct FormulaExpr {
    formula: Formula,
    inputs: Inputs,
    name: String,
    setting: Arc<Setting>,
    patterns: BTreeMap<String, Regex>,
    data_type: DataType,
    /// What tells it from other formulas, since floats have no equality of their own.
    identity: Vec<u8>,
}

impl FormulaExpr {
    /// Makes an expression over batches of this schema. `name` is what messages and plans call it.
    pub(crate) fn new(
        formula: &Formula,
        inputs: Inputs,
        name: &str,
        schema: &Schema,
        setting: &Arc<Setting>,
    ) -> Result<FormulaExpr, ExecError> {
        let data_type = type_of(formula, &inputs, schema)?.arrow(&formula.unit);
        let mut patterns = BTreeMap::new();
        collect_patterns(formula, &mut patterns)?;
        let identity = postcard::to_allocvec(formula).map_err(|e| ExecError::Plan(e.to_string()))?;
        let (formula, name, setting) = (formula.clone(), name.to_string(), Arc::clone(setting));
        Ok(FormulaExpr { formula, inputs, name, setting, patterns, data_type, identity })
    }

    fn column(&self, batch: &RecordBatch) -> Result<ArrayRef, ExecError> {
        let all = 0..batch.num_rows() as u32;
        let period = Reader::of(batch.column(self.inputs.period))?;
        let rows: Vec<u32> = match self.inputs.needs_period {
            true => all.filter(|row| !period.cell(*row as usize).is_missing()).collect(),
            false => all.collect(),
        };
        let values = self.values(&self.formula, batch, &rows)?;
        let mut cells = vec![Cell::Missing; batch.num_rows()];
        for (row, value) in rows.into_iter().zip(values) {
            cells[row as usize] = value;
        }
        write(&cells, &self.data_type, &self.name)
    }

    /// The values of a part of the formula in some rows.
    fn values(&self, formula: &Formula, batch: &RecordBatch, rows: &[u32]) -> Result<Vec<Cell>, ExecError> {
        match &formula.node {
            FormulaNode::Const(value) => {
                let cell = Cell::of_value(value)
                    .ok_or_else(|| ExecError::Plan("a list stands where one value is needed".into()))?;
                Ok(vec![cell; rows.len()])
            }
            FormulaNode::Aggregate(i) => take(batch, column(&self.inputs.aggregates, *i, "aggregate")?, rows),
            FormulaNode::Label(i) => take(batch, column(&self.inputs.labels, *i, "label")?, rows),
            FormulaNode::Period => take(batch, self.inputs.period, rows),
            FormulaNode::Rank { .. } | FormulaNode::Series { .. } => {
                Err(ExecError::Plan("a rank or a series was not taken out".into()))
            }
            FormulaNode::Call { op, args } => self.call(op, args, batch, rows),
            FormulaNode::Case { whens, otherwise } => self.case(whens, otherwise.as_deref(), batch, rows),
            FormulaNode::Plugin { name, args } => self.plugin(name, args, &formula.unit, batch, rows),
        }
    }

    fn call(&self, op: &Op, args: &[Formula], batch: &RecordBatch, rows: &[u32]) -> Result<Vec<Cell>, ExecError> {
        match op {
            Op::Otherwise => self.lazily(args, batch, rows, |cell| !cell.is_missing()),
            Op::And => {
                let found = self.lazily(args, batch, rows, |cell| !cell.is_yes())?;
                Ok(found.iter().map(|cell| Cell::Bool(cell.is_yes())).collect())
            }
            Op::Or => {
                let found = self.lazily(args, batch, rows, Cell::is_yes)?;
                Ok(found.iter().map(|cell| Cell::Bool(cell.is_yes())).collect())
            }
            Op::In => self.is_in(args, batch, rows),
            Op::Matches => {
                let [text, pattern] = args else { return Err(ExecError::Plan("`matches` takes two values".into())) };
                let pattern = constant_text(pattern).and_then(|p| self.patterns.get(p));
                let pattern = pattern.ok_or_else(|| ExecError::Plan("a pattern is no constant".into()))?;
                let texts = self.values(text, batch, rows)?;
                let found = |cell: &Cell| matches!(cell, Cell::Text(text) if pattern.is_match(text));
                Ok(texts.iter().map(|cell| Cell::Bool(found(cell))).collect())
            }
            _ => {
                let columns: Vec<Vec<Cell>> =
                    args.iter().map(|arg| self.values(arg, batch, rows)).collect::<Result<_, _>>()?;
                let mut row = Vec::with_capacity(args.len());
                (0..rows.len())
                    .map(|i| {
                        row.clear();
                        row.extend(columns.iter().map(|column| column[i].clone()));
                        ops::apply(op, &row, &self.setting.zone).map_err(|error| self.named(error))
                    })
                    .collect()
            }
        }
    }

    /// Goes through the arguments until one is `done`, row by row; the last one stays where none is.
    fn lazily(
        &self,
        args: &[Formula],
        batch: &RecordBatch,
        rows: &[u32],
        done: fn(&Cell) -> bool,
    ) -> Result<Vec<Cell>, ExecError> {
        let mut cells = vec![Cell::Missing; rows.len()];
        let mut open: Vec<usize> = (0..rows.len()).collect();
        for arg in args {
            let values = self.values(arg, batch, &open.iter().map(|i| rows[*i]).collect::<Vec<_>>())?;
            let mut still = Vec::new();
            for (i, value) in open.into_iter().zip(values) {
                if !done(&value) {
                    still.push(i);
                }
                cells[i] = value;
            }
            open = still;
        }
        Ok(cells)
    }

    fn is_in(&self, args: &[Formula], batch: &RecordBatch, rows: &[u32]) -> Result<Vec<Cell>, ExecError> {
        let [wanted, others @ ..] = args else { return Err(ExecError::Plan("`in` takes a value".into())) };
        let wanted = self.values(wanted, batch, rows)?;
        let mut found = vec![false; rows.len()];
        for other in others {
            if let FormulaNode::Const(Value::List(list)) = &other.node {
                let list: Vec<Cell> = list.iter().filter_map(Cell::of_value).collect();
                for (found, cell) in found.iter_mut().zip(&wanted) {
                    for one in &list {
                        *found = *found || ops::equal(cell, one, &self.setting.zone)?;
                    }
                }
            } else {
                for ((found, cell), one) in found.iter_mut().zip(&wanted).zip(self.values(other, batch, rows)?) {
                    *found = *found || ops::equal(cell, &one, &self.setting.zone)?;
                }
            }
        }
        Ok(found.into_iter().map(Cell::Bool).collect())
    }

    fn case(
        &self,
        whens: &[(Formula, Formula)],
        otherwise: Option<&Formula>,
        batch: &RecordBatch,
        rows: &[u32],
    ) -> Result<Vec<Cell>, ExecError> {
        let mut cells = vec![Cell::Missing; rows.len()];
        let mut open: Vec<usize> = (0..rows.len()).collect();
        let rows_of = |places: &[usize]| places.iter().map(|i| rows[*i]).collect::<Vec<u32>>();
        for (condition, value) in whens {
            let holds = self.values(condition, batch, &rows_of(&open))?;
            let (mut taken, mut still) = (Vec::new(), Vec::new());
            for (i, holds) in open.into_iter().zip(holds) {
                if holds.is_yes() { taken.push(i) } else { still.push(i) }
            }
            for (i, value) in taken.iter().zip(self.values(value, batch, &rows_of(&taken))?) {
                cells[*i] = value;
            }
            open = still;
        }
        if let Some(otherwise) = otherwise {
            for (i, value) in open.iter().zip(self.values(otherwise, batch, &rows_of(&open))?) {
                cells[*i] = value;
            }
        }
        Ok(cells)
    }

    fn plugin(
        &self,
        name: &str,
        args: &[Formula],
        unit: &Unit,
        batch: &RecordBatch,
        rows: &[u32],
    ) -> Result<Vec<Cell>, ExecError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let function = self.setting.functions.scalars.get(name);
        let function = function.ok_or_else(|| ExecError::Plan(format!("there is no function `{name}`")))?;
        let columns = args
            .iter()
            .map(|arg| write(&self.values(arg, batch, rows)?, &seam_type(&arg.unit), name))
            .collect::<Result<Vec<ArrayRef>, ExecError>>()?;
        let answer = function.call(rows.len(), &columns)?;
        let wanted = seam_type(unit);
        if answer.len() != rows.len() || *answer.data_type() != wanted {
            let message = format!(
                "{} values of {} came back for {} rows of {wanted}",
                answer.len(),
                answer.data_type(),
                rows.len()
            );
            let plugin = name.split('.').next().unwrap_or(name).to_string();
            return Err(FunctionError::Failed { plugin, function: name.to_string(), message }.into());
        }
        read(&answer)
    }

    fn named(&self, error: ExecError) -> ExecError {
        match error {
            ExecError::Overflow(_) => ExecError::Overflow(format!("`{}`", self.name)),
            other => other,
        }
    }
}

/// The Arrow type in which a plugin takes or gives values of a unit.
fn seam_type(unit: &Unit) -> DataType {
    match &unit.kind {
        Kind::Count if unit.per.is_none() => DataType::Int64,
        Kind::Text | Kind::Entity(_) | Kind::Raw => DataType::Utf8,
        Kind::Bool => DataType::Boolean,
        Kind::Time => time_type(),
        Kind::Date => DataType::Date32,
        _ => DataType::Float64,
    }
}

fn column(columns: &[usize], i: usize, what: &str) -> Result<usize, ExecError> {
    columns.get(i).copied().ok_or_else(|| ExecError::Plan(format!("a formula reads {what} {i}, which is not there")))
}

fn take(batch: &RecordBatch, column: usize, rows: &[u32]) -> Result<Vec<Cell>, ExecError> {
    let reader = Reader::of(batch.column(column))?;
    Ok(rows.iter().map(|row| reader.cell(*row as usize)).collect())
}

fn constant_text(formula: &Formula) -> Option<&str> {
    match &formula.node {
        FormulaNode::Const(Value::Text(text)) => Some(text),
        _ => None,
    }
}

/// What the values of a formula are.
pub(crate) fn type_of(formula: &Formula, inputs: &Inputs, schema: &Schema) -> Result<CellType, ExecError> {
    let of_column = |i: usize| CellType::of_arrow(schema.field(i).data_type());
    let unify = |mut types: Vec<&Formula>| {
        types.drain(..).try_fold(CellType::Missing, |all, f| all.unify(type_of(f, inputs, schema)?))
    };
    Ok(match &formula.node {
        FormulaNode::Const(value) => Cell::of_value(value).map_or(CellType::Missing, |cell| cell.cell_type()),
        FormulaNode::Aggregate(i) => of_column(column(&inputs.aggregates, *i, "aggregate")?)?,
        FormulaNode::Label(i) => of_column(column(&inputs.labels, *i, "label")?)?,
        FormulaNode::Period => CellType::Time,
        FormulaNode::Rank { .. } => CellType::Exact(0),
        FormulaNode::Series { .. } => CellType::Float,
        FormulaNode::Call { op, args } => {
            let types: Vec<CellType> = args.iter().map(|a| type_of(a, inputs, schema)).collect::<Result<_, _>>()?;
            let decimals = match args.get(1).map(|a| &a.node) {
                None => Some(0),
                Some(FormulaNode::Const(value)) => match Cell::of_value(value) {
                    Some(Cell::Number(number)) => Some(ops::decimals(number)),
                    _ => None,
                },
                Some(_) => None,
            };
            ops::type_of(op, &types, decimals)?
        }
        FormulaNode::Case { whens, otherwise } => {
            for (condition, _) in whens {
                type_of(condition, inputs, schema)?;
            }
            unify(whens.iter().map(|(_, value)| value).chain(otherwise.as_deref()).collect())?
        }
        FormulaNode::Plugin { args, .. } => {
            for arg in args {
                type_of(arg, inputs, schema)?;
            }
            CellType::of_arrow(&seam_type(&formula.unit))?
        }
    })
}

/// Compiles the patterns of `matches`, once for all cells.
fn collect_patterns(formula: &Formula, patterns: &mut BTreeMap<String, Regex>) -> Result<(), ExecError> {
    if let FormulaNode::Call { op: Op::Matches, args } = &formula.node
        && let Some(text) = args.get(1).and_then(constant_text)
    {
        let pattern = Regex::new(text).map_err(|e| ExecError::Plan(format!("`{text}` is no pattern: {e}")))?;
        patterns.insert(text.to_string(), pattern);
    }
    for part in formula.parts() {
        collect_patterns(part, patterns)?;
    }
    Ok(())
}

/// The aggregates that a formula uses.
pub(crate) fn aggregates_of(formula: &Formula, found: &mut Vec<usize>) {
    if let FormulaNode::Aggregate(i) = formula.node
        && !found.contains(&i)
    {
        found.push(i);
    }
    for part in formula.parts() {
        aggregates_of(part, found);
    }
}

impl fmt::Display for FormulaExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for FormulaExpr {
    fn eq(&self, other: &Self) -> bool {
        self.identity == other.identity && self.inputs == other.inputs && self.name == other.name
    }
}

impl Eq for FormulaExpr {}

impl Hash for FormulaExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity.hash(state);
        self.inputs.hash(state);
    }
}

impl PhysicalExpr for FormulaExpr {
    fn data_type(&self, _: &Schema) -> DataFusionResult<DataType> {
        Ok(self.data_type.clone())
    }

    fn nullable(&self, _: &Schema) -> DataFusionResult<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> DataFusionResult<ColumnarValue> {
        Ok(ColumnarValue::Array(self.column(batch)?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn PhysicalExpr>>) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
        Ok(self)
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
