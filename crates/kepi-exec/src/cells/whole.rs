//! An operator that works on all cells at once: it aligns periods, makes dense ones, or fills gaps.

use super::ages::Ages;
use super::align;
use super::compare::Alignment;
use super::fill::Filling;
use super::grid::Grid;
use super::rank::Ranking;
use super::series::Series;
use super::steps::Stepping;
use super::target::Targets;
use crate::ExecError;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use datafusion_common::Result as DataFusionResult;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_execution::memory_pool::MemoryConsumer;
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion_physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What is done to the cells, as plain data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Dates the other side of a comparison by the query's periods.
    Align(Alignment),
    /// Makes the rows of the answer out of matched cells.
    Grid(Grid),
    /// Puts something where no aggregate has a row.
    Fill(Filling),
    /// Puts targets behind all other columns.
    Target(Targets),
    /// Puts places for values.
    Rank(Ranking),
    /// Goes on with a series.
    Series(Series),
    /// Makes the ages of cohorts dense.
    Ages(Ages),
    /// Makes a row per step.
    Steps(Stepping),
}

impl Work {
    /// The schema of what comes out.
    fn schema(&self, input: &SchemaRef) -> Result<SchemaRef, ExecError> {
        match self {
            Work::Align(_) => Ok(Arc::clone(input)),
            Work::Grid(grid) => grid.schema(input),
            Work::Fill(filling) => filling.schema(input),
            Work::Target(targets) => targets.schema(input),
            Work::Rank(ranking) => Ok(ranking.schema(input)),
            Work::Series(series) => Ok(series.schema(input)),
            Work::Ages(_) => Ok(Arc::clone(input)),
            Work::Steps(stepping) => stepping.schema(input),
        }
    }

    fn apply(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ExecError> {
        match self {
            Work::Align(alignment) => align::apply(alignment, batch),
            Work::Grid(grid) => grid.apply(batch, schema),
            Work::Fill(filling) => filling.apply(batch, schema),
            Work::Target(targets) => targets.apply(batch, schema),
            Work::Rank(ranking) => ranking.apply(batch, schema),
            Work::Series(series) => series.apply(batch, schema),
            Work::Ages(ages) => ages.apply(batch, schema),
            Work::Steps(stepping) => stepping.apply(batch, schema),
        }
    }

    fn words(&self) -> String {
        match self {
            Work::Align(alignment) => alignment.words(),
            Work::Grid(grid) => grid.words(),
            Work::Fill(filling) => filling.words(),
            Work::Target(targets) => targets.words(),
            Work::Rank(ranking) => ranking.words(),
            Work::Series(series) => series.words(),
            Work::Ages(ages) => ages.words(),
            Work::Steps(stepping) => stepping.words(),
        }
    }
}

/// The operator. It reads its whole input, then gives its whole output.
#[derive(Debug)]
pub(crate) struct WholeExec {
    work: Arc<Work>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl WholeExec {
    /// Puts work on top of a plan.
    pub(crate) fn over(input: Arc<dyn ExecutionPlan>, work: Work) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
        let schema = work.schema(&input.schema())?;
        Ok(Arc::new(WholeExec::of(Arc::new(work), input, properties(schema))))
    }

    fn of(work: Arc<Work>, input: Arc<dyn ExecutionPlan>, properties: Arc<PlanProperties>) -> WholeExec {
        WholeExec { work, input, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    /// What it does, in words.
    pub(crate) fn words(&self) -> String {
        self.work.words()
    }

    /// Why some values of it are missing, after it ran.
    pub(crate) fn refused(&self) -> Option<String> {
        match &*self.work {
            Work::Series(series) => series.refused(),
            _ => None,
        }
    }
}

fn properties(schema: SchemaRef) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(schema),
        Partitioning::UnknownPartitioning(1),
        EmissionType::Final,
        Boundedness::Bounded,
    ))
}

impl DisplayAs for WholeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.words())
    }
}

impl ExecutionPlan for WholeExec {
    fn name(&self) -> &str {
        match *self.work {
            Work::Align(_) => "AlignExec",
            Work::Grid(_) => "CellsExec",
            Work::Fill(_) => "FillExec",
            Work::Target(_) => "TargetExec",
            Work::Rank(_) => "RankExec",
            Work::Series(_) => "SeriesExec",
            Work::Ages(_) => "AgesExec",
            Work::Steps(_) => "StepsExec",
        }
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
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
        let input = children.into_iter().next();
        let input = input.ok_or_else(|| ExecError::Plan(format!("{} has no input", self.name())))?;
        let schema = self.work.schema(&input.schema())?;
        Ok(Arc::new(WholeExec::of(Arc::clone(&self.work), input, properties(schema))))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let input = self.input.execute(0, Arc::clone(&context))?;
        let schema = self.schema();
        let (work, out) = (Arc::clone(&self.work), Arc::clone(&schema));
        let elapsed = MetricBuilder::new(&self.metrics).elapsed_compute(partition);
        let output_rows = MetricBuilder::new(&self.metrics).output_rows(partition);
        let batch_size = context.session_config().batch_size().max(1);
        let memory = MemoryConsumer::new(self.name()).register(context.memory_pool());
        let whole = async move {
            let in_schema = input.schema();
            let mut batches: Vec<RecordBatch> = Vec::new();
            let mut input = input;
            while let Some(batch) = input.try_next().await? {
                memory.try_grow(batch.get_array_memory_size())?;
                batches.push(batch);
            }
            let _timer = elapsed.timer();
            let batch = concat_batches(&in_schema, &batches)?;
            drop(batches);
            let batch = work.apply(&batch, &out)?;
            memory.try_resize(batch.get_array_memory_size())?;
            output_rows.add(batch.num_rows());
            let slices = (0..batch.num_rows()).step_by(batch_size);
            let slices: Vec<DataFusionResult<RecordBatch>> =
                slices.map(|at| Ok(batch.slice(at, batch_size.min(batch.num_rows() - at)))).collect();
            // The reservation lives as long as the slices that it stands for.
            Ok::<_, datafusion_common::DataFusionError>(futures::stream::iter(slices).inspect(move |_| {
                let _ = &memory;
            }))
        };
        let stream = futures::stream::once(whole).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream.boxed())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
