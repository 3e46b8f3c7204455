//! A leaf for tests that computes cells row by row, and words to make queries and read answers.

use crate::cells::cell::{Cell, CellType, row, time_array, time_type, write};
use crate::cells::number::Number;
use crate::cells::plan::Leaves;
use crate::cells::{notes, ops, zone};
use crate::run::Runner;
use crate::{Cancel, ExecError, Frame, Pass, RunOptions, Source};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DataFusionError, Result as DataFusionResult};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;
use kepi_extension::{Attribute, Batches, EntityInfo, EventScan, Functions, ScanError, ScanRequest, StreamInfo};
use kepi_model::calendar::{Grain, TimeUnit, Zone};
use kepi_model::core::*;
use kepi_model::value::{Kind, Unit, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// A row of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    stream: &'static str,
    at: i64,
    fields: BTreeMap<&'static str, Cell>,
}

/// An instant of a zone, from its local time.
pub(crate) fn at(zone: &str, text: &str) -> i64 {
    let text = if text.len() == 10 { format!("{text}T00:00") } else { text.to_string() };
    Zone::named(zone).unwrap().instant(text.parse().unwrap())
}

/// A row with a time in UTC; an empty field is missing, a number is money with cents.
pub(crate) fn event(stream: &'static str, time: &str, fields: &[(&'static str, &str)]) -> Event {
    let fields = fields.iter().map(|(name, text)| {
        let cell = match text.parse::<f64>() {
            _ if text.is_empty() => Cell::Missing,
            Ok(number) => Cell::Number(Number::Exact((number * 100.0).round() as i128, 2)),
            Err(_) => Cell::Text((*text).into()),
        };
        (*name, cell)
    });
    Event { stream, at: at("UTC", time), fields: fields.collect() }
}

/// The labels of a cell, and per aggregate the arguments of its rows.
type Gathered = (Vec<Cell>, Vec<Vec<Cell>>);

/// Leaves that look at every event for every aggregate.
#[derive(Clone, Debug)]
pub(crate) struct Naive(pub(crate) Arc<Vec<Event>>);

impl Naive {
    pub(crate) fn cells(&self, pass: &Pass) -> RecordBatch {
        let zone = zone(&pass.zone).unwrap();
        let Base::Stream(stream) = &pass.base else { panic!("only streams") };
        let until = pass.until;
        let from = if pass.moment { i64::MIN } else { pass.from.unwrap_or(i64::MIN) };
        assert!(pass.moved().is_empty() && pass.shift.is_none(), "windows are not moved");
        let looked_at = |at: i64| at >= from && at < until;
        let rows: Vec<&Event> = self.0.iter().filter(|e| e.stream == stream && looked_at(e.at)).collect();
        // Per cell, told apart by how its labels print: the labels, and per aggregate its arguments.
        let mut cells: BTreeMap<(Option<i64>, String), Gathered> = BTreeMap::new();
        for event in rows {
            for (i, aggregate) in pass.aggregates.iter().enumerate() {
                assert!(aggregate.events.stages.is_empty(), "no stages");
                if aggregate.filter.as_ref().is_some_and(|f| !value(f, event, &zone).is_yes()) {
                    continue;
                }
                let argument = match &aggregate.measure {
                    Measure::Count => Cell::Bool(true),
                    Measure::Sum(of) | Measure::Avg(of) | Measure::Unique(of) | Measure::Max(of) => {
                        value(of, event, &zone)
                    }
                    other => panic!("no {other:?}"),
                };
                if argument.is_missing() {
                    continue;
                }
                let labels: Vec<Cell> = aggregate.labels.iter().map(|l| value(l, event, &zone)).collect();
                let period = pass.per.as_ref().map(|grain| zone.truncate(grain, event.at));
                let cell = cells.entry((period, format!("{labels:?}")));
                let cell = cell.or_insert_with(|| (labels, vec![Vec::new(); pass.aggregates.len()]));
                cell.1[i].push(argument);
            }
        }
        let mut fields = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        if pass.per.is_some() {
            fields.push(Field::new("period", time_type(), false));
            columns.push(time_array(cells.keys().map(|(period, _)| *period)));
        }
        for i in 0..pass.labels.len() {
            let label: Vec<Cell> = cells.values().map(|(labels, _)| labels[i].clone()).collect();
            fields.push(Field::new(format!("label_{i}"), DataType::Utf8, true));
            columns.push(write(&label, &DataType::Utf8, "label").unwrap());
        }
        for (i, aggregate) in pass.aggregates.iter().enumerate() {
            let values: Vec<Cell> = cells.values().map(|(_, args)| measured(&aggregate.measure, &args[i])).collect();
            let data_type = match aggregate.measure {
                Measure::Count | Measure::Unique(_) => DataType::Int64,
                Measure::Avg(_) => DataType::Float64,
                _ => CellType::Exact(2).arrow(&Unit::of(Kind::Number)),
            };
            fields.push(Field::new(format!("value_{i}"), data_type.clone(), true));
            columns.push(write(&values, &data_type, "value").unwrap());
            fields.push(Field::new(format!("rows_{i}"), DataType::Int64, false));
            columns.push(Arc::new(cells.values().map(|(_, args)| Some(args[i].len() as i64)).collect::<Int64Array>()));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }
}

fn value(row: &Row, event: &Event, zone: &Zone) -> Cell {
    match &row.node {
        RowNode::Const(value) => Cell::of_value(value).unwrap(),
        RowNode::At => Cell::Time(event.at),
        RowNode::Field(name) => event.fields.get(name.as_str()).cloned().unwrap_or(Cell::Missing),
        RowNode::Call { op, args } => {
            let args: Vec<Cell> = args.iter().map(|a| value(a, event, zone)).collect();
            match op {
                Op::And => Cell::Bool(args.iter().all(Cell::is_yes)),
                Op::Or => Cell::Bool(args.iter().any(Cell::is_yes)),
                _ => ops::apply(op, &args, zone).unwrap(),
            }
        }
        other => panic!("no {other:?}"),
    }
}

fn measured(measure: &Measure, args: &[Cell]) -> Cell {
    let numbers = args.iter().map(|a| match a {
        Cell::Number(Number::Exact(digits, _)) => *digits,
        _ => 0,
    });
    match measure {
        Measure::Count => Cell::Number(Number::whole(args.len() as i64)),
        Measure::Unique(_) => {
            let distinct: BTreeSet<String> = args.iter().map(|a| format!("{a:?}")).collect();
            Cell::Number(Number::whole(distinct.len() as i64))
        }
        Measure::Sum(_) => Cell::Number(Number::Exact(numbers.sum(), 2)),
        Measure::Avg(_) if args.is_empty() => Cell::Missing,
        Measure::Avg(_) => Cell::Number(Number::Float(numbers.sum::<i128>() as f64 / 100.0 / args.len() as f64)),
        _ => numbers.max().map_or(Cell::Missing, |digits| Cell::Number(Number::Exact(digits, 2))),
    }
}

impl Leaves for Naive {
    fn leaf(&self, pass: Pass) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
        Ok(leaf(self.cells(&pass), Outcome::Cells))
    }
}

/// A plan that gives a batch, never ends, or fails.
#[derive(Debug)]
struct Given {
    batch: RecordBatch,
    outcome: Outcome,
    properties: Arc<PlanProperties>,
}

/// How the stream of a leaf ends.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// With its cells.
    Cells,
    /// Never.
    Never,
    /// With a damaged file.
    Damaged(String),
}

/// A leaf with the schema that the pass has and an outcome.
pub(crate) fn leaf(batch: RecordBatch, outcome: Outcome) -> Arc<dyn ExecutionPlan> {
    let properties = PlanProperties::new(
        EquivalenceProperties::new(batch.schema()),
        Partitioning::UnknownPartitioning(1),
        EmissionType::Final,
        Boundedness::Bounded,
    );
    Arc::new(Given { batch, outcome, properties: Arc::new(properties) })
}

impl DisplayAs for Given {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given")
    }
}

impl ExecutionPlan for Given {
    fn name(&self) -> &str {
        "Given"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let schema = self.batch.schema();
        let stream = match &self.outcome {
            Outcome::Cells => futures::stream::iter([Ok(self.batch.clone())]).boxed(),
            Outcome::Never => futures::stream::pending().boxed(),
            Outcome::Damaged(file) => {
                let (file, reason) = (file.clone(), "checksum".to_string());
                let error = ScanError::Damaged { file, offset: 12, reason };
                futures::stream::iter([Err(DataFusionError::External(Box::new(error)))]).boxed()
            }
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }
}

impl EventScan for Naive {
    fn snapshot(&self) -> u64 {
        1
    }

    fn streams(&self) -> Vec<String> {
        self.0.iter().map(|e| e.stream.to_string()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn stream(&self, name: &str) -> Option<StreamInfo> {
        let times: Vec<i64> = self.0.iter().filter(|e| e.stream == name).map(|e| e.at).collect();
        let (first, last) = (times.iter().copied().min()?, times.iter().copied().max()?);
        let (name, rows) = (name.to_string(), times.len() as u64);
        Some(StreamInfo { name, columns: Vec::new(), rows, first: Some(first), last: Some(last), dated: true })
    }

    fn entity(&self, _: &str) -> Option<EntityInfo> {
        None
    }

    fn scan(&self, request: &ScanRequest) -> Result<Batches, ScanError> {
        Err(ScanError::Unknown(request.stream.clone()))
    }

    fn splits(&self, _: &str, _: Option<i64>, _: Option<i64>, _: usize) -> Vec<i64> {
        Vec::new()
    }

    fn dictionary(&self, stream: &str, _: &str) -> Result<Arc<StringArray>, ScanError> {
        Err(ScanError::Unknown(stream.to_string()))
    }

    fn keys(&self, entity: &str) -> Result<Arc<StringArray>, ScanError> {
        Err(ScanError::Unknown(entity.to_string()))
    }

    fn id_of(&self, entity: &str, _: &str) -> Result<Option<u32>, ScanError> {
        Err(ScanError::Unknown(entity.to_string()))
    }

    fn attribute(&self, entity: &str, _: &str) -> Result<Attribute, ScanError> {
        Err(ScanError::Unknown(entity.to_string()))
    }

    fn attribute_history(&self, entity: &str, _: &str) -> Result<RecordBatch, ScanError> {
        Err(ScanError::Unknown(entity.to_string()))
    }
}

/// A query that is being written.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) query: Query,
    pub(crate) totals: bool,
    pub(crate) functions: Functions,
}

/// A query in a zone, without a window, at `now`.
pub(crate) fn ask(zone: &str, now: &str) -> Ask {
    let now = at(zone, now);
    let query = Query {
        text: "show".into(),
        zone: zone.into(),
        now,
        by: Vec::new(),
        per: None,
        window: Window { from: None, until: now, words: String::new(), moment: false },
        existence: Vec::new(),
        aggregates: Vec::new(),
        columns: Vec::new(),
        having: None,
        order: Vec::new(),
        limit: None,
        fill: None,
        compare: Vec::new(),
        shape: None,
    };
    Ask { query, totals: false, functions: Functions::default() }
}

impl Ask {
    pub(crate) fn during(mut self, from: &str, until: &str, words: &str) -> Ask {
        let zone = self.query.zone.clone();
        self.query.window =
            Window { from: Some(at(&zone, from)), until: at(&zone, until), words: words.into(), moment: false };
        self
    }

    pub(crate) fn per(mut self, unit: TimeUnit) -> Ask {
        self.query.per = Some(Grain::ordinary(unit));
        self
    }

    /// Adds a label; to be called before any aggregate.
    pub(crate) fn by(mut self, field: &str) -> Ask {
        assert!(self.query.aggregates.is_empty());
        self.query.by.push(Label { name: field.into(), unit: Unit::of(Kind::Text), grain: None });
        self
    }

    /// Adds an aggregate over a stream and gives the formula that is its value.
    pub(crate) fn aggregate(&mut self, stream: &str, measure: Measure, filter: Option<Row>) -> Formula {
        let unit = match &measure {
            Measure::Count | Measure::Unique(_) => Unit::of(Kind::Count),
            _ => Unit::of(Kind::Money(None)),
        };
        let labels = self.query.by.iter().map(|l| field(&l.name)).collect();
        self.query.aggregates.push(Aggregate {
            text: format!("{stream} {}", self.query.aggregates.len()),
            events: Events { base: Base::Stream(stream.into()), stages: Vec::new() },
            filter,
            measure,
            labels,
            unit: unit.clone(),
            existing: true,
            moved: Vec::new(),
            across: Vec::new(),
            aging: None,
        });
        Formula { unit, node: FormulaNode::Aggregate(self.query.aggregates.len() - 1) }
    }

    pub(crate) fn sum(&mut self, stream: &str, of: &str) -> Formula {
        self.aggregate(stream, Measure::Sum(field(of)), None)
    }

    pub(crate) fn count(&mut self, stream: &str) -> Formula {
        self.aggregate(stream, Measure::Count, None)
    }

    pub(crate) fn show(&mut self, name: &str, formula: Formula) {
        self.query.columns.push(Column { name: name.into(), formula, better: None });
    }

    /// Adds a column with the sum of a field.
    pub(crate) fn show_sum(mut self, stream: &str, of: &str) -> Ask {
        let sum = self.sum(stream, of);
        self.show(&format!("{stream} {of}"), sum);
        self
    }

    /// Adds a column with the number of rows.
    pub(crate) fn show_count(mut self, stream: &str) -> Ask {
        let count = self.count(stream);
        self.show(stream, count);
        self
    }

    pub(crate) fn vs(mut self, name: &str, with: CompareWith) -> Ask {
        self.query.compare.push(Compare { name: name.into(), with });
        self
    }

    /// Runs it on events.
    pub(crate) fn frame(&self, events: &[Event]) -> Result<Frame, ExecError> {
        let naive = Naive(Arc::new(events.to_vec()));
        let source = Source::new(Arc::new(naive.clone()), self.functions.clone(), Cancel::default());
        let options = RunOptions { totals: self.totals, ..RunOptions::default() };
        Runner::on(&self.query, source, &options, Box::new(naive))?.frame(&self.query)
    }

    /// Runs it and prints its rows.
    pub(crate) fn rows(&self, events: &[Event]) -> Vec<String> {
        lines(&self.frame(events).unwrap().rows, &self.query.zone)
    }
}

pub(crate) fn field(name: &str) -> Row {
    Row { unit: Unit::of(Kind::Text), node: RowNode::Field(name.into()) }
}

/// A field equals a text.
pub(crate) fn equals(name: &str, text: &str) -> Row {
    let text = Row { unit: Unit::of(Kind::Text), node: RowNode::Const(Value::Text(text.into())) };
    Row { unit: Unit::of(Kind::Bool), node: RowNode::Call { op: Op::Equal, args: vec![field(name), text] } }
}

pub(crate) fn call(kind: Kind, op: Op, args: Vec<Formula>) -> Formula {
    Formula { unit: Unit::of(kind), node: FormulaNode::Call { op, args } }
}

pub(crate) fn number(digits: i128, scale: u8) -> Formula {
    Formula { unit: Unit::of(Kind::Number), node: FormulaNode::Const(Value::Decimal { digits, scale }) }
}

/// The rows of a batch, one line each: days where a time is midnight, `-` where a value is missing.
pub(crate) fn lines(batch: &RecordBatch, zone: &str) -> Vec<String> {
    let zone = Zone::named(zone).unwrap();
    let shown = |cell: Cell| match cell {
        Cell::Missing => "-".to_string(),
        Cell::Number(number) => format!("{}", number.as_f64()),
        Cell::Text(text) => text.to_string(),
        Cell::Bool(value) => value.to_string(),
        Cell::Time(at) => notes::moment(&zone, at),
        Cell::Date(day) => kepi_model::calendar::date_of(day).to_string(),
    };
    let line = |i| row(batch, i).unwrap().into_iter().map(shown).collect::<Vec<_>>().join(" ");
    (0..batch.num_rows()).map(line).collect()
}
