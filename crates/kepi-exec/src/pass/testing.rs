//! Events and entities in memory, and words to write passes, for tests.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use super::{Part, Pass, Source};
use crate::{Cancel, ExecError, LeafExec};
use arrow_array::{
    Array, ArrayRef, Decimal64Array, Float64Array, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use datafusion_execution::TaskContext;
use datafusion_physical_plan::{ExecutionPlan, collect};
use kepi_extension::{
    AT, Attribute, Batches, ColumnInfo, ColumnKind, EntityInfo, EventScan, Functions, ScanError, ScanRequest,
    StreamInfo,
};
use kepi_model::calendar::Grain;
use kepi_model::core::*;
use kepi_model::value::{Kind, Unit, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A day in microseconds.
pub(crate) const DAY: i64 = 86_400_000_000;

/// A stream in memory: rows already in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) at: Option<Vec<i64>>,
    pub(crate) columns: Vec<(String, ColumnKind, ArrayRef)>,
    pub(crate) rows: usize,
}

/// An entity in memory.
#[derive(Clone, Debug)]
pub(crate) struct Entity {
    pub(crate) keys: Arc<StringArray>,
    pub(crate) attributes: Vec<(String, Attribute)>,
    pub(crate) past: BTreeMap<String, RecordBatch>,
}

/// A project in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) streams: BTreeMap<String, Stream>,
    pub(crate) entities: BTreeMap<String, Entity>,
    /// The texts of all codes.
    pub(crate) texts: Vec<String>,
    /// Rows per batch.
    pub(crate) batch: usize,
}

impl Memory {
    /// The dictionary of all columns of codes.
    pub(crate) fn dictionary(&self) -> Arc<StringArray> {
        Arc::new(StringArray::from_iter_values(&self.texts))
    }
}

impl EventScan for Memory {
    fn snapshot(&self) -> u64 {
        1
    }

    fn streams(&self) -> Vec<String> {
        self.streams.keys().cloned().collect()
    }

    fn stream(&self, name: &str) -> Option<StreamInfo> {
        let stream = self.streams.get(name)?;
        let column =
            |(name, kind, _): &(String, ColumnKind, ArrayRef)| ColumnInfo { name: name.clone(), kind: kind.clone() };
        Some(StreamInfo {
            name: name.to_string(),
            columns: stream.columns.iter().map(column).collect(),
            rows: stream.rows as u64,
            first: stream.at.as_ref().and_then(|at| at.first().copied()),
            last: stream.at.as_ref().and_then(|at| at.last().copied()),
            dated: stream.at.is_some(),
        })
    }

    fn entity(&self, name: &str) -> Option<EntityInfo> {
        let entity = self.entities.get(name)?;
        let info = |(name, a): &(String, Attribute)| ColumnInfo { name: name.clone(), kind: a.kind.clone() };
        Some(EntityInfo {
            name: name.to_string(),
            count: entity.keys.len() as u32,
            attributes: entity.attributes.iter().map(info).collect(),
        })
    }

    fn scan(&self, request: &ScanRequest) -> Result<Batches, ScanError> {
        let stream = self.streams.get(&request.stream).ok_or_else(|| ScanError::Unknown(request.stream.clone()))?;
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        let mut range = 0..stream.rows;
        if let Some(at) = &stream.at {
            range.start = request.from.map_or(0, |t| at.partition_point(|&x| x < t));
            range.end = request.until.map_or(at.len(), |t| at.partition_point(|&x| x < t)).max(range.start);
            let array = TimestampMicrosecondArray::from(at.clone()).with_timezone("UTC");
            fields.push(Field::new(AT, array.data_type().clone(), false));
            arrays.push(Arc::new(array));
        }
        for name in &request.columns {
            let found = stream.columns.iter().find(|c| c.0 == *name).ok_or_else(|| ScanError::Unknown(name.clone()))?;
            fields.push(Field::new(name, found.2.data_type().clone(), true));
            arrays.push(Arc::clone(&found.2));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(stream.rows));
        let all = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).unwrap();
        let size = self.batch.max(1);
        let starts: Vec<usize> = range.clone().step_by(size).collect();
        let batch = move |start: usize| Ok(all.slice(start, size.min(range.end - start)));
        Ok(Box::new(starts.into_iter().map(batch)))
    }

    fn splits(&self, stream: &str, from: Option<i64>, until: Option<i64>, parts: usize) -> Vec<i64> {
        let Some(at) = self.streams.get(stream).and_then(|s| s.at.as_ref()) else { return Vec::new() };
        let inside = |t: &&i64| from.is_none_or(|f| **t >= f) && until.is_none_or(|u| **t < u);
        let at: Vec<i64> = at.iter().filter(inside).copied().collect();
        (1..parts).filter_map(|i| at.get(at.len() * i / parts).copied()).collect()
    }

    fn dictionary(&self, _: &str, _: &str) -> Result<Arc<StringArray>, ScanError> {
        Ok(Memory::dictionary(self))
    }

    fn keys(&self, entity: &str) -> Result<Arc<StringArray>, ScanError> {
        self.entities.get(entity).map(|e| Arc::clone(&e.keys)).ok_or_else(|| ScanError::Unknown(entity.into()))
    }

    fn id_of(&self, entity: &str, key: &str) -> Result<Option<u32>, ScanError> {
        Ok(self.keys(entity)?.iter().position(|k| k == Some(key)).map(|i| i as u32))
    }

    fn attribute(&self, entity: &str, field: &str) -> Result<Attribute, ScanError> {
        let found = self.entities.get(entity).and_then(|e| e.attributes.iter().find(|a| a.0 == field));
        found.map(|a| a.1.clone()).ok_or_else(|| ScanError::Unknown(field.into()))
    }

    fn attribute_history(&self, entity: &str, field: &str) -> Result<RecordBatch, ScanError> {
        let found = self.entities.get(entity).and_then(|e| e.past.get(field));
        found.cloned().ok_or_else(|| ScanError::Unknown(field.into()))
    }
}

/// A row of the small shop: day, customer, product, cents, weight.
pub(crate) type Order = (i64, Option<u32>, u32, Option<i64>, Option<f64>);

/// A shop with customers `c0` …, their regions (codes 0 to 1) and orders of products (codes 2 to 4).
pub(crate) fn shop(customers: u32, orders: &[Order], visits: &[(i64, Option<u32>)]) -> Memory {
    let texts = ["north", "south", "apple", "pear", "plum"].map(String::from).to_vec();
    let id = || ColumnKind::Id { entity: "customer".into() };
    let column = |name: &str, kind, array: ArrayRef| (name.to_string(), kind, array);
    let amounts: Decimal64Array = orders.iter().map(|o| o.3).collect();
    let amounts = amounts.with_precision_and_scale(18, 2).unwrap();
    let stream = Stream {
        at: Some(orders.iter().map(|o| o.0).collect()),
        columns: vec![
            column("customer", id(), Arc::new(orders.iter().map(|o| o.1).collect::<UInt32Array>())),
            column("product", ColumnKind::Code, Arc::new(orders.iter().map(|o| Some(o.2)).collect::<UInt32Array>())),
            column("amount", ColumnKind::Decimal { scale: 2 }, Arc::new(amounts)),
            column("weight", ColumnKind::Float, Arc::new(orders.iter().map(|o| o.4).collect::<Float64Array>())),
        ],
        rows: orders.len(),
    };
    let seen = Stream {
        at: Some(visits.iter().map(|v| v.0).collect()),
        columns: vec![column("customer", id(), Arc::new(visits.iter().map(|v| v.1).collect::<UInt32Array>()))],
        rows: visits.len(),
    };
    let keys = StringArray::from_iter_values((0..customers).map(|i| format!("c{i}")));
    // Every third customer has no region.
    let regions: UInt32Array = (0..customers).map(|i| (i % 3 < 2).then_some(i % 3)).collect();
    let mut memory = Memory { texts, batch: 1000, ..Memory::default() };
    let dictionary = Some(memory.dictionary());
    let region = Attribute { kind: ColumnKind::Code, values: Arc::new(regions), dictionary };
    let times: TimestampMicrosecondArray = (0..customers).map(since).collect();
    let values = Arc::new(times.with_timezone("UTC"));
    let since = Attribute { kind: ColumnKind::Time, values, dictionary: None };
    let attributes = vec![("region".into(), region), ("since".into(), since)];
    let entity = Entity { keys: Arc::new(keys), attributes, past: BTreeMap::new() };
    memory.streams.insert("orders".into(), stream);
    memory.streams.insert("visits".into(), seen);
    memory.entities.insert("customer".into(), entity);
    memory
}

/// Since when a customer of a shop exists, where the attribute `since` says it.
pub(crate) fn since(customer: u32) -> Option<i64> {
    match customer {
        1 => Some(19_745 * DAY),
        3 => Some(19_800 * DAY + 3_600_000_000),
        _ => None,
    }
}

/// Gives an attribute a past: day, customer, code.
pub(crate) fn with_past(memory: &mut Memory, field: &str, past: &[(i64, u32, u32)]) {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Schema::new(vec![
        Field::new("id", DataType::UInt32, false),
        Field::new(AT, time, false),
        Field::new("value", DataType::UInt32, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(past.iter().map(|p| Some(p.1)).collect::<UInt32Array>()),
        Arc::new(past.iter().map(|p| Some(p.0)).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
        Arc::new(past.iter().map(|p| Some(p.2)).collect::<UInt32Array>()),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    memory.entities.get_mut("customer").unwrap().past.insert(field.into(), batch);
}

/// A row of a kind.
pub(crate) fn row(kind: Kind, node: RowNode) -> Row {
    Row { unit: Unit::of(kind), node }
}

pub(crate) fn field(name: &str) -> Row {
    let kind = if name == "product" { Kind::Text } else { Kind::Number };
    row(kind, RowNode::Field(name.into()))
}

pub(crate) fn customer() -> Row {
    row(Kind::Entity("customer".into()), RowNode::Role("customer".into()))
}

pub(crate) fn region(history: bool) -> Row {
    let (of, entity) = (Box::new(customer()), "customer".to_string());
    row(Kind::Text, RowNode::Attribute { of, entity, field: "region".into(), history })
}

pub(crate) fn moment() -> Row {
    row(Kind::Time, RowNode::At)
}

pub(crate) fn call(op: Op, args: &[Row]) -> Row {
    let kind = match &op {
        Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Otherwise | Op::Least => Kind::Number,
        Op::PeriodsBetween(_) => Kind::Count,
        Op::Elapsed => Kind::Duration,
        Op::AddSpan(_) | Op::Truncate(_) => Kind::Time,
        _ => Kind::Bool,
    };
    row(kind, RowNode::Call { op, args: args.to_vec() })
}

pub(crate) fn number(digits: i128, scale: u8) -> Row {
    row(Kind::Number, RowNode::Const(Value::Decimal { digits, scale }))
}

pub(crate) fn text(text: &str) -> Row {
    row(Kind::Text, RowNode::Const(Value::Text(text.into())))
}

pub(crate) fn events(stream: &str, stages: Vec<Stage>) -> Events {
    Events { base: Base::Stream(stream.into()), stages }
}

/// An aggregate of the customer's history.
pub(crate) fn history(events: Events, filter: Option<Row>, measure: Measure, over: Reach) -> Row {
    let kind = match &measure {
        Measure::First(of) | Measure::Last(of) | Measure::Min(of) | Measure::Max(of) => of.unit.kind.clone(),
        _ => Kind::Number,
    };
    let (key, subject) = (customer(), customer());
    row(kind, RowNode::History(Box::new(History { events, filter, measure, key, subject, over, before: false })))
}

pub(crate) fn aggregate(events: Events, filter: Option<Row>, measure: Measure, labels: Vec<Row>) -> Aggregate {
    let kind = match &measure {
        Measure::Count | Measure::Unique(_) => Kind::Count,
        Measure::First(of) | Measure::Last(of) | Measure::Min(of) | Measure::Max(of) => of.unit.kind.clone(),
        _ => Kind::Number,
    };
    Aggregate {
        text: "an aggregate".into(),
        events,
        filter,
        measure,
        labels,
        unit: Unit::of(kind),
        existing: true,
        moved: Vec::new(),
        across: Vec::new(),
        aging: None,
    }
}

/// A pass of aggregates, all over one base, over all time.
pub(crate) fn pass(aggregates: Vec<Aggregate>) -> Pass {
    let labels = aggregates[0].labels.iter();
    let label = |(i, l): (usize, &Row)| Label { name: format!("l{i}"), unit: l.unit.clone(), grain: None };
    Pass {
        base: aggregates[0].events.base.clone(),
        labels: labels.enumerate().map(label).collect(),
        aggregates,
        per: None,
        zone: "UTC".into(),
        from: None,
        until: 100_000 * DAY,
        now: 100_000 * DAY,
        moment: false,
        exists: None,
        shift: None,
    }
}

pub(crate) fn source(memory: &Memory) -> Source {
    Source::new(Arc::new(memory.clone()), Functions::default(), Cancel::default()).with_threads(3)
}

/// Runs a plan to its end.
pub(crate) fn collected(plan: Arc<LeafExec>) -> Result<RecordBatch, ExecError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let schema = plan.schema();
    let batches = runtime.block_on(collect(plan, Arc::new(TaskContext::default())))?;
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].schema(), schema);
    Ok(batches.into_iter().next().unwrap())
}

/// The cells of a pass.
pub(crate) fn cells(memory: &Memory, pass: &Pass) -> RecordBatch {
    collected(LeafExec::plan(pass.clone(), source(memory), 1).unwrap()).unwrap()
}

/// The cells of a pass that is cut into parts by time, through bytes.
pub(crate) fn cells_of_parts(memory: &Memory, pass: &Pass, cuts: &[i64]) -> RecordBatch {
    let ends = cuts.iter().copied().map(Some).chain([None]);
    let starts = [None].into_iter().chain(cuts.iter().copied().map(Some));
    let parts = starts.zip(ends).map(|(from, until)| Part { from, until, ..Part::default() }).collect();
    let plan = LeafExec::of_parts(pass.clone(), source(memory), Some(parts)).unwrap();
    let again = LeafExec::from_bytes(&plan.to_bytes().unwrap(), source(memory)).unwrap();
    assert_eq!(again.pass(), pass);
    assert_eq!(again.children().len(), 1);
    collected(again).unwrap()
}

/// A batch as lines of text.
pub(crate) fn lines(batch: &RecordBatch) -> Vec<String> {
    let cell = |column: &ArrayRef, row: usize| {
        if column.is_null(row) {
            return "-".to_string();
        }
        let any = column.as_any();
        if let Some(a) = any.downcast_ref::<StringArray>() {
            return a.value(row).to_string();
        }
        if let Some(a) = any.downcast_ref::<arrow_array::Int64Array>() {
            return a.value(row).to_string();
        }
        if let Some(a) = any.downcast_ref::<Float64Array>() {
            return format!("{}", a.value(row));
        }
        if let Some(a) = any.downcast_ref::<arrow_array::Decimal128Array>() {
            return a.value_as_string(row);
        }
        if let Some(a) = any.downcast_ref::<arrow_array::BooleanArray>() {
            return a.value(row).to_string();
        }
        if let Some(a) = any.downcast_ref::<TimestampMicrosecondArray>() {
            return jiff::Timestamp::from_microsecond(a.value(row)).unwrap().to_string();
        }
        format!("{:?}", column.slice(row, 1))
    };
    (0..batch.num_rows())
        .map(|row| batch.columns().iter().map(|c| cell(c, row)).collect::<Vec<_>>().join(" "))
        .collect()
}

/// Who comes back, by periods of the calendar, and nothing else asked of it.
pub(crate) fn of_returns(start: Keyed, back: Keyed, grain: Grain) -> Returns {
    let (brackets, hold) = (Vec::new(), None);
    Returns { start, back, grain, own_clock: false, onward: false, brackets, hold, at_least: 1, asked: false }
}
