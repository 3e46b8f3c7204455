//! Running a query: from the core nodes to the frame.

use crate::cells::compare::{Side, side};
use crate::cells::due::Cut;
use crate::cells::formula::{Setting, aggregates_of};
use crate::cells::openings::in_own_time;
use crate::cells::periods::{Span, partial};
use crate::cells::plan::{Leaves, Plan, Times, pass, passes, plan, shown_aggregates};
use crate::cells::{ages, bounds, notes, other, other_table, rest, zone};
use crate::steps::{refused, reports, steps};
use crate::{Cancel, ExecError, Frame, LeafExec, Note, PartialPeriod, Pass, Source, Step};
use crate::{followed, tables, told};
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{Field, Schema};
use arrow_select::concat::concat_batches;
use datafusion_execution::memory_pool::{GreedyMemoryPool, MemoryPool, UnboundedMemoryPool};
use datafusion_execution::runtime_env::RuntimeEnvBuilder;
use datafusion_execution::{TaskContext, config::SessionConfig};
use datafusion_physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use futures::future::{Either, select};
use kepi_extension::{EventScan, Functions, Partials};
use kepi_model::core::{Aggregate, Base, CompareWith, Formula, FormulaNode, Measure, Query, Reach, Row, RowNode};
use kepi_model::value::{Kind, Unit};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How often a running query looks whether it shall stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Stack for making and running a plan: expressions are walked by recursion, up to the depth that `bounds` allows.
pub(crate) const STACK_BYTES: usize = 32 << 20;

/// How a query may run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Threads that work at once; 0 and 1 mean one.
    pub threads: usize,
    /// Bytes of memory that operators may hold; none: no limit.
    pub memory_bytes_max: Option<u64>,
    /// Stops it from another thread, or at a deadline.
    pub cancel: Cancel,
    /// Whether totals are wanted.
    pub totals: bool,
    /// Where partial results stay between queries; none: nowhere, and everything is computed anew.
    pub partials: Option<Arc<dyn Partials>>,
}

/// Answers a query from a snapshot of the data.
///
/// The work happens on a thread of its own, so it may be called from inside an async runtime; it blocks until the
/// answer is there. Errors: [`ExecError`]; a query that is cancelled or late stops within a fraction of a second.
pub fn run(
    query: &Query,
    data: Arc<dyn EventScan>,
    functions: &Functions,
    options: &RunOptions,
) -> Result<Frame, ExecError> {
    let source = Source::new(data, functions.clone(), options.cancel.clone())
        .with_memory_max(options.memory_bytes_max)
        .with_threads(options.threads)
        .with_partials(options.partials.clone());
    let query = &in_own_time(query);
    on_own_stack(|| Runner::new(query, source, options)?.frame(query))
}

/// Runs work on a thread with enough stack.
pub(crate) fn on_own_stack<T: Send>(work: impl FnOnce() -> Result<T, ExecError> + Send) -> Result<T, ExecError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("kepi-query".into()).stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, work).map_err(|e| ExecError::Failed(format!("no thread: {e}")))?;
        thread.join().unwrap_or_else(|_| Err(ExecError::Failed("an operator stopped unexpectedly".into())))
    })
}

/// What all queries of the process run on: making threads anew for each would take longer than many a question. How many
/// work at once is a matter of the plans: one per part of a pass.
fn runtime() -> Result<&'static tokio::runtime::Runtime, ExecError> {
    static RUNTIME: OnceLock<Result<tokio::runtime::Runtime, String>> = OnceLock::new();
    let make = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let builder = builder.worker_threads(cores).thread_stack_size(STACK_BYTES).enable_time();
        builder.build().map_err(|e| format!("no runtime: {e}"))
    };
    RUNTIME.get_or_init(make).as_ref().map_err(|reason| ExecError::Failed(reason.clone()))
}

/// Makes leaves that read the store.
struct ScanLeaves {
    source: Source,
    threads: usize,
}

impl Leaves for ScanLeaves {
    fn leaf(&self, pass: Pass) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
        Ok(LeafExec::plan(pass, self.source.clone(), self.threads)?)
    }
}

/// A query's plan with what it was made of.
pub(crate) struct Planned {
    /// The plan.
    pub(crate) plan: Plan,
    /// The time that is looked at.
    pub(crate) times: Times,
}

/// The rows of a plan that has run.
struct Done {
    rows: RecordBatch,
    planned: Planned,
}

/// What running takes.
pub(crate) struct Runner<'a> {
    source: Source,
    leaves: Box<dyn Leaves>,
    setting: Arc<Setting>,
    options: &'a RunOptions,
}

impl<'a> Runner<'a> {
    /// Checks a query's size and gets ready.
    pub(crate) fn new(query: &Query, source: Source, options: &'a RunOptions) -> Result<Runner<'a>, ExecError> {
        let leaves = ScanLeaves { source: source.clone(), threads: options.threads.max(1) };
        Runner::on(query, source, options, Box::new(leaves))
    }

    /// Gets ready to run on other leaves than those that read the store.
    pub(crate) fn on(
        query: &Query,
        source: Source,
        options: &'a RunOptions,
        leaves: Box<dyn Leaves>,
    ) -> Result<Runner<'a>, ExecError> {
        bounds::check(query)?;
        source.check()?;
        let zone = zone(&query.zone)?;
        let functions = source.functions.clone();
        Ok(Runner { source, leaves, setting: Arc::new(Setting { zone, functions }), options })
    }

    /// Makes the plan.
    pub(crate) fn plan(&self, query: &Query) -> Result<Planned, ExecError> {
        let times = self.times(query)?;
        let plan = plan(query, &times, self.leaves.as_ref(), &self.setting)?;
        Ok(Planned { plan, times })
    }

    /// Answers the query.
    pub(crate) fn frame(&self, query: &Query) -> Result<Frame, ExecError> {
        let planned = self.plan(query)?;
        let done = self.rows(planned)?;
        let mut notes = self.notes(query, &done.planned);
        let mut steps = steps(&done.planned.plan.root);
        let mut scanned = scanned(&done.planned.plan);
        let mut rows = done.rows;
        let with_other = query.limit.as_ref().filter(|limit| limit.with_other);
        if let (Some(limit), true) = (with_other, query.shape.is_some()) {
            let kept = usize::try_from(limit.rows).unwrap_or(usize::MAX);
            let ranked = match query.per {
                Some(_) => {
                    let whole = done.planned.times.whole();
                    let ranked = self.rows(self.plan_on(&other::ranking(query), whole)?)?;
                    scanned += self::scanned(&ranked.planned.plan);
                    Some(ranked.rows)
                }
                None => None,
            };
            if let Some(rest) = other_table::rest(query, ranked.as_ref().unwrap_or(&rows), kept)? {
                let other = self.rows(self.plan_on(&rest.query, done.planned.times.clone())?)?;
                scanned += self::scanned(&other.planned.plan);
                steps.extend(self::steps(&other.planned.plan.root));
                let (with_other, note) = other_table::together(query, &rows, &rest.kept, &other.rows)?;
                rows = with_other;
                notes.extend(note);
            }
        } else if let Some(limit) = with_other.filter(|_| query.per.is_some() && !query.by.is_empty()) {
            let kept = usize::try_from(limit.rows).unwrap_or(usize::MAX);
            let ranked = self.rows(self.plan_on(&other::ranking(query), done.planned.times.whole())?)?;
            scanned += self::scanned(&ranked.planned.plan);
            let ranked = other::shown_labels(query, &ranked.rows, &rows)?;
            let rests = match query.having {
                None => other::rest_per_period(query, &ranked, kept)?.into_iter().map(|rest| (rest, None)).collect(),
                Some(_) => {
                    let rests = other::rests_of_periods(query, &rows, &ranked, kept)?;
                    rests.into_iter().map(|(rest, periods)| (rest, Some(periods))).collect::<Vec<_>>()
                }
            };
            if !rests.is_empty() {
                rows = other::kept_labels(query, &rows, &ranked, kept)?;
            }
            for (rest, periods) in rests {
                let other = self.rows(self.plan_on(&rest, done.planned.times.clone())?)?;
                scanned += self::scanned(&other.planned.plan);
                steps.extend(self::steps(&other.planned.plan.root));
                let found = match periods {
                    Some(periods) => other::of_periods(&other.rows, &periods)?,
                    None => other.rows,
                };
                rows = other::among(query, &rows, &found)?;
            }
        } else if let Some(limit) = with_other {
            let kept = usize::try_from(limit.rows).unwrap_or(usize::MAX).min(rows.num_rows());
            if let Some(sums) = rest::summed(query, &rows, kept)? {
                let (with_other, note) = other::append(query, &rows.slice(0, kept), &sums)?;
                rows = with_other;
                notes.extend(note);
            } else if let Some(rest) = other::rest(query, &rows, kept)? {
                let other = self.rows(self.plan_on(&rest, done.planned.times.clone())?)?;
                scanned += self::scanned(&other.planned.plan);
                steps.extend(self::steps(&other.planned.plan.root));
                let (with_other, note) = other::append(query, &rows.slice(0, kept), &other.rows)?;
                rows = with_other;
                notes.extend(note);
            }
        }
        let partial = self.partial(query, &done.planned.times, &rows)?;
        let partial_rows = ages::young(query, &rows)?;
        let totals = match self.options.totals {
            true => Some(self.totals(query, &done.planned.times, rows.schema().as_ref())?),
            false => None,
        };
        Ok(Frame {
            rows: named(query, &rows, &done.planned.plan)?,
            totals: match totals {
                Some(totals) => Some(named(query, &totals, &done.planned.plan)?),
                None => None,
            },
            columns: done.planned.plan.columns.clone(),
            partial,
            partial_rows,
            notes,
            rows_scanned: scanned,
            steps,
        })
    }

    /// What is to be told of every answer to the query, however it is shown.
    fn notes(&self, query: &Query, planned: &Planned) -> Vec<Note> {
        let mut notes = notes::of_times(query, &planned.times, self.source.scan.as_ref(), &self.setting.zone);
        notes.extend(notes::without_entity(query, &planned.times, &reports(&planned.plan.root)));
        notes.extend(notes::before_existence(&planned.times, &self.source));
        notes.extend(self.source.unfilled().notes());
        notes.extend(notes::learned(&reports(&planned.plan.root)));
        notes.extend(refused(&planned.plan.root));
        notes.extend(told::retention(query));
        notes.extend(told::first_step(query));
        notes.extend(followed::followed(query, self.source.scan.as_ref()));
        notes
    }

    /// Runs the query for what can be told of it: its plan, its steps, what was left out.
    pub(crate) fn steps(&self, query: &Query) -> Result<(Planned, Vec<Step>, Vec<Note>), ExecError> {
        let done = self.rows(self.plan(query)?)?;
        let steps = steps(&done.planned.plan.root);
        let notes = self.notes(query, &done.planned);
        Ok((done.planned, steps, notes))
    }

    fn plan_on(&self, query: &Query, times: Times) -> Result<Planned, ExecError> {
        let plan = plan(query, &times, self.leaves.as_ref(), &self.setting)?;
        Ok(Planned { plan, times })
    }

    /// Works out which time is looked at; where the window does not say its beginning and somebody needs to know it,
    /// the data are asked.
    fn times(&self, query: &Query) -> Result<Times, ExecError> {
        let mut span = Span::of(&query.window, query.now);
        if span.from.is_none() && query.window.moment && !query.compare.is_empty() {
            span.from = Some(span.until);
        }
        if span.from.is_none() && needs_beginning(query) {
            let first = self.first_row(query, &span)?;
            // Where nothing shown has a row, what only picks rows still looks at everything before the window's end.
            let nothing = (!query.compare.is_empty() || moves_windows(query)).then_some(span.until);
            span.from = first.or(nothing);
        }
        let from = span.from.unwrap_or(span.until);
        let zone = &self.setting.zone;
        tables::covered(query, zone, span.from, span.until)?;
        let sides = query.compare.iter().filter(|c| !matches!(c.with, CompareWith::Target(_)));
        let sides = sides.map(|c| side(c, zone, &query.zone, query.per.as_ref(), &span, from, query.now));
        let cut = Cut::of(query, zone, (span.from, span.until), self.source.scan.as_ref());
        Ok(Times { span, sides: sides.collect::<Result<Vec<Side>, ExecError>>()?, cut, total: false })
    }

    /// The period of the first row that a shown aggregate has, or without periods the row's moment.
    fn first_row(&self, query: &Query, span: &Span) -> Result<Option<i64>, ExecError> {
        let shown = shown_aggregates(query);
        // Only rows matter, wherever their windows are moved to: as counts without labels they are found soonest.
        let mut rows = other::without_labels(query);
        for aggregate in &mut rows.aggregates {
            aggregate.moved.clear();
            aggregate.across.clear();
            // What is measured of a state of an entity says which rows there are.
            if !matches!(aggregate.events.base, Base::Entity(_)) {
                (aggregate.measure, aggregate.unit) = (Measure::Count, Unit::of(Kind::Count));
            }
        }
        let mut first: Option<i64> = None;
        for (base, group) in passes(&rows) {
            let group: Vec<usize> = group.into_iter().filter(|i| shown.contains(i)).collect();
            if group.is_empty() {
                continue;
            }
            let stored = match &base {
                Base::Stream(name) => self.source.scan.stream(name).filter(|info| info.dated),
                Base::Entity(_) | Base::Made(_) => None,
            };
            let time = stored.and_then(|info| info.first.zip(info.last));
            let every_row =
                |i: &usize| rows.aggregates.get(*i).is_some_and(|a| a.filter.is_none() && a.events.stages.is_empty());
            let moment = match time {
                Some((begin, _)) if group.iter().any(every_row) => (begin < span.until).then(|| match &query.per {
                    Some(grain) => self.setting.zone.truncate(grain, begin),
                    None => begin,
                }),
                // Most often a row is found soon.
                Some((begin, end)) => {
                    let soon = begin.saturating_add(end.saturating_sub(begin) / 32).saturating_add(1);
                    match self.first_of(&rows, &base, &group, span.until.min(soon))? {
                        None if soon < span.until => self.first_of(&rows, &base, &group, span.until)?,
                        found => found,
                    }
                }
                None => self.first_of(&rows, &base, &group, span.until)?,
            };
            first = first.into_iter().chain(moment).min();
        }
        Ok(first)
    }

    /// The period of the first row before an instant that one of some aggregates has, or without periods its moment.
    fn first_of(&self, query: &Query, base: &Base, group: &[usize], until: i64) -> Result<Option<i64>, ExecError> {
        let leaf = self.leaves.leaf(pass(query, base, group, None, until))?;
        let rows = self.collect(&leaf)?;
        Ok(match query.per {
            Some(_) => {
                let periods = rows.column(0).as_primitive_opt::<TimestampMicrosecondType>();
                periods.and_then(|p| p.iter().flatten().min())
            }
            None => reports(&leaf).iter().filter_map(|(_, report)| report.first).min(),
        })
    }

    fn rows(&self, planned: Planned) -> Result<Done, ExecError> {
        let rows = self.collect(&planned.plan.root)?;
        Ok(Done { rows, planned })
    }

    /// Runs a plan to its end.
    fn collect(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<RecordBatch, ExecError> {
        let context = self.context(self.options.threads.max(1))?;
        let rows = runtime()?.block_on(self.gather(plan, context));
        if rows.is_err() {
            self.source.over.store(true, Ordering::Relaxed);
        }
        rows.map_err(|error| match error {
            ExecError::Memory { .. } => ExecError::Memory { limit: self.options.memory_bytes_max.unwrap_or(u64::MAX) },
            other => other,
        })
    }

    async fn gather(&self, plan: &Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<RecordBatch, ExecError> {
        let schema = plan.schema();
        let mut stream = execute_stream(Arc::clone(plan), context)?;
        let mut batches = Vec::new();
        let mut next = stream.next();
        loop {
            // Operators may take long between two batches; the flag is looked at meanwhile.
            match select(next, Box::pin(tokio::time::sleep(LOOK_EVERY))).await {
                Either::Left((None, _)) => break,
                Either::Left((Some(batch), _)) => {
                    batches.push(batch?);
                    next = stream.next();
                }
                Either::Right((_, waiting)) => next = waiting,
            }
            self.source.check()?;
        }
        concat_batches(&schema, &batches).map_err(|e| ExecError::Failed(e.to_string()))
    }

    fn context(&self, threads: usize) -> Result<Arc<TaskContext>, ExecError> {
        let pool: Arc<dyn MemoryPool> = match self.options.memory_bytes_max {
            Some(bytes) => Arc::new(GreedyMemoryPool::new(usize::try_from(bytes).unwrap_or(usize::MAX))),
            None => Arc::new(UnboundedMemoryPool::default()),
        };
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?;
        // A new one reads from the system how many cores there are, which takes longer than the rest.
        static SETTINGS: OnceLock<SessionConfig> = OnceLock::new();
        let mut config = SETTINGS.get_or_init(SessionConfig::new).clone().with_target_partitions(threads);
        if let Some(bytes) = self.options.memory_bytes_max {
            // Operators that sort set something aside for merging; of little memory not all.
            let most = config.options().execution.sort_spill_reservation_bytes;
            config = config.with_sort_spill_reservation_bytes(most.min(usize::try_from(bytes / 16).unwrap_or(most)));
        }
        let (scalar, higher, aggregate, window) = Default::default();
        Ok(Arc::new(TaskContext::new(None, "kepi".into(), config, scalar, higher, aggregate, window, runtime)))
    }

    /// The periods of the answer's rows that are not whole.
    fn partial(&self, query: &Query, times: &Times, rows: &RecordBatch) -> Result<Vec<PartialPeriod>, ExecError> {
        let Some(grain) = &query.per else { return Ok(Vec::new()) };
        let Some(periods) = rows.column(0).as_primitive_opt::<TimestampMicrosecondType>() else {
            return Ok(Vec::new());
        };
        let shown: BTreeSet<i64> = periods.iter().flatten().collect();
        let shown: Vec<i64> = shown.into_iter().collect();
        Ok(partial(&self.setting.zone, grain, &times.span, query.now, &shown))
    }

    /// The same query without labels and periods on the same time: one row, in the columns of `schema`.
    fn totals(&self, query: &Query, times: &Times, schema: &Schema) -> Result<RecordBatch, ExecError> {
        let keys = usize::from(query.per.is_some()) + query.by.len();
        let mut total = other::without_labels(query);
        // A retention has totals over its cohorts, one per age.
        let age = ages::keep(query, &mut total);
        total.per = None;
        let sides = times.sides.iter().map(|side| Side { alignment: None, shift: None, ..side.clone() });
        let times = Times { sides: sides.collect(), total: true, ..times.whole() };
        let done = self.rows(self.plan_on(&total, times)?)?;
        let own = total.by.len();
        let missing = schema.fields()[..keys].iter().map(|f| new_null_array(f.data_type(), done.rows.num_rows()));
        let mut columns: Vec<ArrayRef> = missing.chain(done.rows.columns().iter().skip(own).map(Arc::clone)).collect();
        if let Some((from, to)) = age {
            columns[to] = Arc::clone(done.rows.column(from));
        }
        other::conform(columns, schema)
    }
}

/// Whether a query without the beginning of its window must know it.
fn needs_beginning(query: &Query) -> bool {
    if query.compare.iter().any(|c| !matches!(c.with, CompareWith::Target(_))) || moves_windows(query) {
        return true;
    }
    if query.per.is_some() {
        return false;
    }
    if !query.window.moment && query.aggregates.iter().flat_map(Aggregate::rows).any(reads_window) {
        return true;
    }
    let shown = shown_aggregates(query);
    let formulas = query.columns.iter().map(|c| &c.formula).chain(&query.having);
    let mut used = Vec::new();
    let mut period = !query.compare.is_empty();
    for formula in formulas {
        aggregates_of(formula, &mut used);
        period |= reads_period(formula);
    }
    period || used.iter().any(|i| !shown.contains(i))
}

/// Whether an aggregate has another window than its cell; of a moment it is known where that lies.
fn moves_windows(query: &Query) -> bool {
    !query.window.moment && query.aggregates.iter().any(|a| !a.moved.is_empty())
}

/// Whether a value is the mean of a state over the window, or of a history that begins with it.
fn reads_window(row: &Row) -> bool {
    let own = match &row.node {
        RowNode::StateAverage { .. } => true,
        RowNode::History(history) => history.over == Reach::Period,
        _ => false,
    };
    own || row.parts().into_iter().any(reads_window)
}

fn reads_period(formula: &Formula) -> bool {
    matches!(formula.node, FormulaNode::Period) || formula.parts().into_iter().any(reads_period)
}

fn scanned(plan: &Plan) -> u64 {
    reports(&plan.root).iter().map(|(_, report)| report.rows_scanned).sum()
}

/// The rows under the names that the answer shows.
fn named(query: &Query, rows: &RecordBatch, plan: &Plan) -> Result<RecordBatch, ExecError> {
    if plan.columns.len() != rows.num_columns() {
        let (expected, found) = (plan.columns.len(), rows.num_columns());
        return Err(ExecError::Plan(format!("`{}` has {found} columns instead of {expected}", query.text)));
    }
    let types = rows.columns().iter().map(|column| column.data_type().clone());
    let fields = plan.columns.iter().zip(types).map(|(column, data_type)| Field::new(&column.name, data_type, true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, rows.columns().to_vec()).map_err(|e| ExecError::Plan(e.to_string()))
}
