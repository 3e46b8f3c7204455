//! The leaf of every plan: a pass as an operator of DataFusion, in the modes partial and final.

use crate::pass::{self, Cells, Part};
use crate::permits::Permits;
use crate::{ExecError, Pass, Report, Source};
use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion_common::Result as DataFusionResult;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion_physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties, ReplaceChildrenOptions,
};
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use kepi_threads::{AtWork, give_way};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Whether a leaf gives states, or cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Mode {
    /// Reads its parts, one partition each, and gives one serialised state per partition.
    Partial(Vec<Part>),
    /// Merges the states of the partial leaf below it, or reads everything itself where there is none.
    Final,
}

/// A leaf as bytes: all there is to it but the source.
#[derive(Serialize, Deserialize)]
struct Plain {
    pass: Pass,
    parts: Option<Vec<Part>>,
}

/// A pass as an operator.
///
/// Columns of what the final leaf gives: `period` (only with `per`: the first instant, `Timestamp(µs, UTC)`),
/// `label_0`, … and per aggregate `value_0`, `rows_0`, `value_1`, `rows_1`, … A label is `Utf8` for texts and entities
/// (their keys), `Int64` for counts, `Decimal128(38, s)` or `Float64` for other numbers, `Boolean`,
/// `Timestamp(µs, UTC)` or `Date32`; null: missing. A value is
/// - `Int64` for count and unique,
/// - for a sum `Decimal128(38, s)` (`Int64` where the unit is a count) or `Float64`,
/// - `Float64` for avg, percentile and stddev of numbers,
/// - of the argument's type for min, max, first and last, and for a percentile of times or dates.
///
/// `rows_i` is `Int64`, never null: how many rows the aggregate has in the cell; where it is 0 the value is 0 for
/// count, unique and sum, else null. There is one row per cell in which at least one aggregate has a row, ordered by
/// period, then labels, missing last. Without any rows there are no cells, also without `per` and labels.
#[derive(Debug)]
pub struct LeafExec {
    pass: Arc<Pass>,
    source: Source,
    mode: Mode,
    input: Option<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    report: Arc<Mutex<Report>>,
}

impl LeafExec {
    /// Makes the plan of a pass: a final leaf, over partial ones where the work can be split by time into up to
    /// `threads` parts.
    pub fn plan(pass: Pass, source: Source, threads: usize) -> Result<Arc<LeafExec>, ExecError> {
        let parts = pass::parts(&pass, &source, threads)?;
        LeafExec::of_parts(pass, source, parts)
    }

    /// Makes the plan out of the bytes of another one, on a source.
    pub fn from_bytes(bytes: &[u8], source: Source) -> Result<Arc<LeafExec>, ExecError> {
        let plain: Plain =
            postcard::from_bytes(bytes).map_err(|e| ExecError::Plan(format!("the bytes are no leaf: {e}")))?;
        LeafExec::of_parts(plain.pass, source, plain.parts)
    }

    /// The plan as bytes: everything but the source.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ExecError> {
        let parts = self.input.as_ref().and_then(|i| i.downcast_ref::<LeafExec>()).and_then(|i| match &i.mode {
            Mode::Partial(parts) => Some(parts.clone()),
            Mode::Final => None,
        });
        let plain = Plain { pass: Pass::clone(&self.pass), parts };
        postcard::to_allocvec(&plain).map_err(|e| ExecError::Plan(format!("the leaf cannot be written: {e}")))
    }

    /// The pass that it computes.
    pub fn pass(&self) -> &Pass {
        &self.pass
    }

    /// What it has to say beside its numbers; complete when its stream has ended.
    pub fn report(&self) -> Report {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The column of the value of aggregate `i`; that of `rows_i` is the next.
    pub fn value_column(&self, i: usize) -> usize {
        usize::from(self.pass.per.is_some()) + self.pass.labels.len() + 2 * i
    }

    /// Makes the plan of a pass whose parts are known; none: it is read in one go.
    pub(crate) fn of_parts(pass: Pass, source: Source, parts: Option<Vec<Part>>) -> Result<Arc<LeafExec>, ExecError> {
        let pass = Arc::new(pass);
        let input = match parts {
            Some(parts) => {
                let properties = properties(state_schema(), parts.len());
                let leaf = LeafExec::of(Arc::clone(&pass), source.clone(), Mode::Partial(parts), None, properties);
                Some(Arc::new(leaf) as Arc<dyn ExecutionPlan>)
            }
            None => None,
        };
        let properties = properties(pass.schema(&source)?, 1);
        Ok(Arc::new(LeafExec::of(pass, source, Mode::Final, input, properties)))
    }

    /// The cells of a part as they are: in one process they need not be bytes on their way to the final leaf. None: this
    /// is no partial leaf, or has no such part.
    fn cells(&self, part: usize) -> Option<impl Future<Output = DataFusionResult<Cells>> + Send + use<>> {
        let Mode::Partial(parts) = &self.mode else { return None };
        let number = part;
        let part = parts.get(part).cloned()?;
        let (pass, source) = (Arc::clone(&self.pass), self.source.clone());
        let elapsed = MetricBuilder::new(&self.metrics).elapsed_compute(number);
        let output_rows = MetricBuilder::new(&self.metrics).output_rows(number);
        let permits = Arc::clone(&source.permits);
        Some(off_thread(permits, move || {
            let _timer = elapsed.timer();
            let cells = pass::run_part(&pass, &source, &part)?;
            output_rows.add(1);
            Ok(cells)
        }))
    }

    fn of(
        pass: Arc<Pass>,
        source: Source,
        mode: Mode,
        input: Option<Arc<dyn ExecutionPlan>>,
        properties: Arc<PlanProperties>,
    ) -> LeafExec {
        let (metrics, report) = (ExecutionPlanMetricsSet::new(), Arc::default());
        LeafExec { pass, source, mode, input, properties, metrics, report }
    }
}

fn state_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("state", DataType::Binary, false)]))
}

fn properties(schema: SchemaRef, partitions: usize) -> Arc<PlanProperties> {
    Arc::new(
        PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Final,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative),
    )
}

impl DisplayAs for LeafExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match &self.mode {
            Mode::Partial(parts) => format!("partial, {} parts", parts.len()),
            Mode::Final => "final".to_string(),
        };
        write!(f, "{}: {mode}, {}", self.name(), pass::words(&self.pass))
    }
}

impl ExecutionPlan for LeafExec {
    fn name(&self) -> &str {
        "LeafExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.input.iter().collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let (pass, source) = (Arc::clone(&self.pass), self.source.clone());
        let properties = Arc::clone(&self.properties);
        let input = children.into_iter().next();
        Ok(Arc::new(LeafExec::of(pass, source, self.mode.clone(), input, properties)))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let schema = self.schema();
        let (pass, source) = (Arc::clone(&self.pass), self.source.clone());
        let elapsed = MetricBuilder::new(&self.metrics).elapsed_compute(partition);
        let output_rows = MetricBuilder::new(&self.metrics).output_rows(partition);
        let batch = match &self.mode {
            Mode::Partial(parts) => {
                let Some(part) = parts.get(partition).cloned() else {
                    return Err(ExecError::Plan(format!("the leaf has no part {partition}")).into());
                };
                let schema = Arc::clone(&schema);
                let permits = Arc::clone(&source.permits);
                futures::future::Either::Left(off_thread(permits, move || {
                    let _timer = elapsed.timer();
                    let bytes = pass::run_part(&pass, &source, &part)?.to_bytes()?;
                    output_rows.add(1);
                    let column: ArrayRef = Arc::new(BinaryArray::from_iter_values([bytes]));
                    Ok(RecordBatch::try_new(schema, vec![column])?)
                }))
            }
            Mode::Final => {
                let mut parts: Vec<BoxFuture<'static, DataFusionResult<Cells>>> = Vec::new();
                if let Some(input) = &self.input {
                    for i in 0..input.output_partitioning().partition_count() {
                        parts.push(match input.downcast_ref::<LeafExec>().and_then(|leaf| leaf.cells(i)) {
                            Some(cells) => Box::pin(cells),
                            None => Box::pin(states_of(input.execute(i, Arc::clone(&context))?)),
                        });
                    }
                }
                let (schema, report) = (Arc::clone(&schema), Arc::clone(&self.report));
                let alone = self.input.is_none();
                let permits = Arc::clone(&source.permits);
                let finish = move |states: Vec<Cells>| {
                    let _timer = elapsed.timer();
                    let (cells, batch) = match alone {
                        true => {
                            let mut cells = pass::run(&pass, &source)?;
                            let batch = cells.emit(&pass, &source, schema)?;
                            (cells, batch)
                        }
                        false => pass::shown(merged(states)?, &pass, &source, &schema)?,
                    };
                    output_rows.add(batch.num_rows());
                    *report.lock().unwrap_or_else(PoisonError::into_inner) = cells.into_report();
                    Ok(batch)
                };
                let whole = match alone {
                    true => futures::future::Either::Left(off_thread(permits, move || finish(Vec::new()))),
                    false => futures::future::Either::Right(async move {
                        // All parts run side by side on the runtime's blocking threads.
                        let states = futures::future::try_join_all(parts).await?;
                        off_thread(permits, move || finish(states)).await
                    }),
                };
                futures::future::Either::Right(whole)
            }
        };
        let stream = futures::stream::once(batch);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream.boxed())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Runs work on a thread that may be blocked. It begins at once, so that the leaves of a plan are computed side by side,
/// as many at a time as there are permits, whoever asks for which first.
fn off_thread<T: Send + 'static>(
    permits: Arc<Permits>,
    work: impl FnOnce() -> Result<T, ExecError> + Send + 'static,
) -> impl Future<Output = DataFusionResult<T>> {
    let work = move || {
        let _permit = permits.take();
        let _at_work = AtWork::begin();
        give_way();
        work()
    };
    let begun = match tokio::runtime::Handle::try_current() {
        Ok(runtime) => Ok(runtime.spawn_blocking(work)),
        Err(_) => Err(work),
    };
    async move {
        let begun = begun.unwrap_or_else(tokio::task::spawn_blocking);
        match begun.await {
            Ok(done) => Ok(done?),
            Err(error) => Err(ExecError::Failed(format!("a pass ended early: {error}")).into()),
        }
    }
}

/// The cells of a part that come as bytes: from a leaf elsewhere.
async fn states_of(stream: SendableRecordBatchStream) -> DataFusionResult<Cells> {
    let mut all = Cells::default();
    for batch in stream.try_collect::<Vec<_>>().await? {
        let column = batch.column(0).as_any().downcast_ref::<BinaryArray>();
        let column = column.ok_or_else(|| ExecError::Plan("a partial leaf gave no states".into()))?;
        for bytes in column.iter().flatten() {
            all.merge(Cells::from_bytes(bytes)?)?;
        }
    }
    Ok(all)
}

fn merged(parts: Vec<Cells>) -> Result<Cells, ExecError> {
    let mut all = Cells::default();
    for cells in parts {
        all.merge(cells)?;
    }
    Ok(all)
}
