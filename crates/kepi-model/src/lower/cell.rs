//! Names and functions where one value per cell is needed: aggregates, metrics, formulas of them.

use super::aggregate::{self, Parsed};
use super::bind::{bind, substitute};
use super::events::{BaseDecl, EventSet};
use super::expr::{self, Scope};
use super::group_keys::GroupKey;
use super::literal::seconds;
use super::row::{Meaning, RowScope};
use super::{Cx, Node, behaviour, convert, events, groups, held, measured, over};
use crate::calendar::Grain;
use crate::catalog::SymbolKind;
use crate::core::{Aggregate, Aging, Formula, FormulaNode, Measure, Move, Op, Row};
use crate::declared::{FunctionKind, Signature};
use crate::functions::{AggregateKind, Lowering};
use crate::names;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{Argument, Expr, Name, Path, Scoped};
use kepi_syntax::{Code, Span};
use std::collections::BTreeMap;

/// The cells of a query (or of no query, when a definition is checked for itself) and the aggregates found so far.
pub(crate) struct CellScope<'q> {
    /// The labels as written.
    pub(crate) by: &'q [Expr],
    /// The query's `where`.
    pub(crate) filter: Option<&'q Expr>,
    /// The output's periods.
    pub(crate) per: Option<Grain>,
    /// Whether the query says a window.
    pub(crate) windowed: bool,
    /// The aggregates found, no two equal.
    pub(crate) aggregates: Vec<Aggregate>,
    /// Per label: its unit and, where it is a period, the grain.
    pub(crate) labels: Vec<Option<(Unit, Option<Grain>)>>,
    /// The entities that are counted.
    pub(crate) entities: Vec<String>,
    /// What names of `having` and `order by` mean beside metrics.
    pub(crate) aliases: BTreeMap<String, Formula>,
    /// What shown columns are written as, to compute them again on another window.
    pub(crate) shown: BTreeMap<String, Expr>,
    /// Names of columns that have mistakes of their own: `having` and `order by` need not complain again.
    pub(crate) failed: Vec<String>,
    /// How the window of what is being lowered is moved, the outermost move first.
    pub(crate) moved: Vec<Move>,
    /// The labels over all of whose values it is taken.
    pub(crate) across: Vec<usize>,
    /// The names of the labels, where the query gives them some.
    pub(crate) label_names: Vec<String>,
    /// The labels that the rows of a table have themselves, behind those written.
    pub(crate) own_labels: Vec<Row>,
    /// Conditions beside the query's, each with the module whose names it sees.
    pub(crate) narrowed: Vec<(Expr, String)>,
    /// Whether this is a definition looked at by itself: no query says labels.
    pub(crate) alone: bool,
    /// What groups are made by, inside of them: labels like those of the query.
    pub(super) keys: Vec<GroupKey>,
    /// Whether the cells are groups, over which something is computed.
    pub(super) in_groups: bool,
    /// Labels by which groups are not told apart: those over all of whose values the aggregate of the groups is taken.
    pub(super) blank: Vec<usize>,
    /// What a bare name of `by` or `where` meant for the first aggregate, and for which event.
    pub(super) meanings: Vec<(Meaning, EventSet)>,
}

/// An aggregate over rows, before labels and the query's filter are read for them.
#[derive(Clone)]
pub(super) struct Wanted {
    /// As it is written, for `explain`.
    pub(super) text: String,
    /// The argument's own condition.
    pub(super) own: Option<Row>,
    pub(super) measure: Measure,
    pub(super) unit: Unit,
    /// Over entities: whether only those take part that exist.
    pub(super) existing: bool,
    /// How its own window differs from that of the place where it stands.
    pub(super) moved: Vec<Move>,
    /// Which rows a total leaves out that a cell shows.
    pub(super) aging: Option<Aging>,
}

impl Wanted {
    /// An aggregate over the rows that exist, on the window of the place where it stands.
    pub(super) fn of(text: String, own: Option<Row>, measure: Measure, unit: Unit) -> Wanted {
        Wanted { text, own, measure, unit, existing: true, moved: Vec::new(), aging: None }
    }
}

impl<'q> CellScope<'q> {
    pub(crate) fn new(by: &'q [Expr], filter: Option<&'q Expr>, per: Option<Grain>, windowed: bool) -> CellScope<'q> {
        CellScope {
            by,
            filter,
            per,
            windowed,
            aggregates: Vec::new(),
            labels: vec![None; by.len()],
            entities: Vec::new(),
            aliases: BTreeMap::new(),
            shown: BTreeMap::new(),
            failed: Vec::new(),
            moved: Vec::new(),
            across: Vec::new(),
            label_names: Vec::new(),
            own_labels: Vec::new(),
            narrowed: Vec::new(),
            alone: false,
            keys: Vec::new(),
            in_groups: false,
            blank: Vec::new(),
            meanings: Vec::new(),
        }
    }

    /// The cells of no query: a definition is looked at by itself, or a constant is read.
    pub(crate) fn alone() -> CellScope<'q> {
        CellScope { alone: true, ..CellScope::new(&[], None, None, false) }
    }

    /// Adds an aggregate over rows; with the query's labels and filter read for these rows.
    pub(super) fn add(&mut self, cx: &mut Cx<'_>, set: &EventSet, wanted: Wanted, span: Span) -> Option<Formula> {
        let Wanted { text, own, measure, unit, existing, moved, aging } = wanted;
        let (measure, unit) = match cx.looking_back {
            true => convert::looked_back(cx, measure, unit, span)?,
            false => convert::measured(cx, measure, unit, span)?,
        };
        if !set.is_dated() {
            if let Some(grain) = &self.per {
                let message = format!("`{}` is undated: it has no {}", set.name, grain.name());
                return cx.error_help(Code::Undated, span, message, "leave out `per`, or declare the event with `at`");
            }
            if self.windowed || !self.moved.is_empty() {
                let message = format!("`{}` is undated: no window can be cut from it", set.name);
                return cx.error_help(
                    Code::Undated,
                    span,
                    message,
                    "leave out the window, or declare the event with `at`",
                );
            }
        }
        let (filter, labels) = self.read(cx, set, own)?;
        if let BaseDecl::Entity(entity) = &set.base
            && !self.entities.contains(&entity.name)
        {
            self.entities.push(entity.name.clone());
        }
        let mut aggregate = Aggregate {
            text,
            events: set.events(),
            filter,
            measure,
            labels,
            unit,
            existing,
            moved: self.moved.iter().cloned().chain(moved).collect(),
            across: self.across.clone(),
            aging,
        };
        measured::read_at_opening(&mut aggregate);
        Some(self.keep(aggregate))
    }

    /// The formula of an aggregate; equal ones are one.
    pub(super) fn keep(&mut self, aggregate: Aggregate) -> Formula {
        let unit = aggregate.unit.clone();
        let same = |other: &Aggregate| Aggregate { text: other.text.clone(), ..aggregate.clone() } == *other;
        let index = match self.aggregates.iter().position(same) {
            Some(index) => index,
            None => {
                self.aggregates.push(aggregate);
                self.aggregates.len() - 1
            }
        };
        Formula { unit, node: FormulaNode::Aggregate(index) }
    }

    fn aggregate(&mut self, cx: &mut Cx<'_>, kind: AggregateKind, args: &[Argument], span: Span) -> Option<Formula> {
        let parsed = aggregate::aggregate_arguments(cx, kind, args, span)?;
        let Parsed { scoped, percent, observed, .. } = parsed;
        let is_event = events::is_event(cx, &scoped.value);
        if let (Some(per), false) = (&scoped.per, is_event) {
            return self.grouped(cx, kind, &parsed, per, span);
        }
        if kind == AggregateKind::Avg && held::is_held(cx, &scoped.value) {
            return self.state_average(cx, scoped);
        }
        let inline_event =
            kind == AggregateKind::Count && !matches!(scoped.value.kind, kepi_syntax::ast::ExprKind::Path(_));
        if let (Some(per), false) = (&scoped.per, inline_event) {
            return groups::of_rows(cx, kind, scoped, per);
        }
        let (set, arg) = if inline_event {
            let event = Scoped { filter: None, over: None, ..scoped.clone() };
            (events::of_scoped(cx, &event)?, None)
        } else {
            aggregate::aggregate_of(cx, kind, scoped, span)?
        };
        let own = match &scoped.filter {
            Some(filter) => Some(expr::condition(cx, &mut RowScope::of(&set), filter)?),
            None => None,
        };
        let (measure, unit) = aggregate::measure(cx, kind, &set, arg, percent, observed, span)?;
        let text = format!("{}({})", word(&measure), kepi_syntax::scoped_text(scoped));
        let moved = over::moves(cx, scoped, &set)?;
        self.add(cx, &set, Wanted { moved, ..Wanted::of(text, own, measure, unit) }, span)
    }

    /// A metric of this name, expanded.
    fn metric(&mut self, cx: &mut Cx<'_>, path: &Path, args: &[Argument]) -> Option<Option<Formula>> {
        let parts = names::parts(path);
        let catalog = cx.catalog;
        let (symbol, used) = catalog.lookup(&cx.module, &parts, cx.anywhere)?;
        let SymbolKind::Metric(definition) = &symbol.kind else { return None };
        if used < parts.len() {
            return Some(cx.error(
                Code::WrongKind,
                path.span,
                format!("`{}` is a metric: it has no fields", symbol.name),
            ));
        }
        let Some(bindings) = bind(cx, &symbol.name, &definition.parameters, args, path.span) else {
            return Some(None);
        };
        let body = substitute(&definition.value, &bindings);
        let formula = cx.expand(&symbol.full_name(), &symbol.module, path.span, |cx| expr::lower(cx, self, &body));
        let Some(formula) = formula else { return Some(None) };
        Some(super::check::in_declared_unit(cx, definition, formula, path.span))
    }
}

/// The function of a measure, as it is written.
pub(super) fn word(measure: &Measure) -> &'static str {
    match measure {
        Measure::Count => "count",
        Measure::Sum(_) => "sum",
        Measure::Avg(_) => "avg",
        Measure::Min(_) => "min",
        Measure::Max(_) => "max",
        Measure::Percentile { percent, .. } if *percent == 50.0 => "median",
        Measure::Percentile { .. } => "percentile",
        Measure::Stddev(_) => "stddev",
        Measure::First(_) => "first",
        Measure::Last(_) => "last",
        Measure::Unique(_) => "unique",
        Measure::Best { .. } => "best",
        Measure::Plugin { .. } => "a plugin's aggregate",
    }
}

impl Scope<Formula> for CellScope<'_> {
    fn path(&mut self, cx: &mut Cx<'_>, path: &Path) -> Option<Formula> {
        let parts = names::parts(path);
        let text = names::text(path);
        if let Some(formula) = self.aliases.get(&text).cloned() {
            let moved = !self.moved.is_empty() || !self.across.is_empty();
            return match self.shown.get(&text).cloned().filter(|_| moved) {
                Some(written) => expr::lower(cx, self, &written).map(seconds),
                None => Some(self.moved_too(formula)),
            };
        }
        if self.failed.contains(&text) {
            return None;
        }
        if let Some(done) = self.metric(cx, path, &[]) {
            return done;
        }
        let catalog = cx.catalog;
        let Some((symbol, used)) = catalog.lookup(&cx.module, &parts, cx.anywhere) else {
            if let Some(help) = names::suggestion(&text, self.aliases.keys().map(String::as_str)) {
                return cx.error_help(Code::UnknownName, path.span, format!("`{text}` is unknown"), help);
            }
            return events::unknown(cx, path);
        };
        let name = &symbol.name;
        match &symbol.kind {
            SymbolKind::Measure(_) => cx.error_help(
                Code::NotAggregated,
                path.span,
                format!("`{text}` has one value per event, one per cell is needed"),
                format!("wrap it in an aggregate, such as `sum({text})`"),
            ),
            SymbolKind::Stream(_) | SymbolKind::Derived(_) if used == parts.len() => cx.error_help(
                Code::NotAggregated,
                path.span,
                format!("`{name}` is an event, one value per cell is needed"),
                format!("count it: `count({name})`"),
            ),
            SymbolKind::Entity(_) if used == parts.len() => cx.error_help(
                Code::NotAggregated,
                path.span,
                format!("`{name}` is an entity, one value per cell is needed"),
                format!("count it: `count({name})`"),
            ),
            SymbolKind::Stream(_) | SymbolKind::Derived(_) | SymbolKind::Entity(_) => cx.error_help(
                Code::NotAggregated,
                path.span,
                format!("`{text}` has one value per row, one per cell is needed"),
                format!("wrap it in an aggregate, such as `sum({text})` or `unique({text})`"),
            ),
            SymbolKind::Segment(_) | SymbolKind::Dimension(_) => cx.error_help(
                Code::NotAggregated,
                path.span,
                format!("`{name}` is {}, one value per cell is needed", symbol.kind.a_word()),
                format!("use it in `by {name}` or in a `where`"),
            ),
            SymbolKind::State(_) => cx.error_help(
                Code::StateMeasured,
                path.span,
                format!("`{name}` is a state: it holds over time"),
                format!("write `closing({name})`, `opening({name})` or `avg({name})`"),
            ),
            SymbolKind::Metric(_) => events::unknown(cx, path),
        }
    }

    fn field(&mut self, cx: &mut Cx<'_>, of: &Expr, name: &Name, whole: &Expr) -> Option<Option<Formula>> {
        behaviour::field_of_cell(cx, of, name, whole)
    }

    fn now(&self, cx: &mut Cx<'_>, _: Span) -> Option<Formula> {
        Some(Formula::constant(Value::Time(cx.now), Unit::of(Kind::Time)))
    }

    fn call(
        &mut self,
        cx: &mut Cx<'_>,
        lowering: &Lowering,
        name: &str,
        args: &[Argument],
        span: Span,
    ) -> Option<Option<Formula>> {
        match lowering {
            Lowering::Aggregate(kind) => Some(self.aggregate(cx, *kind, args, span)),
            Lowering::Share => Some((|| {
                let counted = aggregate::without_filter(cx, args, span)?;
                let part = self.aggregate(cx, AggregateKind::Count, args, span);
                let all = self.aggregate(cx, AggregateKind::Count, &counted, span);
                Some(Formula::call(Op::Divide, vec![part?, all?], Unit::of(Kind::Percent)))
            })()),
            Lowering::Age | Lowering::Cohort => Some(aggregate::of_any_row(cx, name, span)),
            Lowering::State(measure) => Some(self.state_measure(cx, *measure, name, args, span)),
            Lowering::Edge(_) => Some(cx.error_help(
                Code::NotAggregated,
                span,
                format!("`{name}` makes an event, one value per cell is needed"),
                format!("count it: `count({name}(…))`"),
            )),
            Lowering::Window(kind) => Some(self.on_another_window(cx, *kind, name, args, span)),
            _ => self.behaviour(cx, lowering, name, args, span),
        }
    }

    fn plugin_aggregate(
        &mut self,
        cx: &mut Cx<'_>,
        signature: &Signature,
        args: &[Argument],
        span: Span,
    ) -> Option<Formula> {
        match signature.kind {
            FunctionKind::Model => self.model_of_plugin(cx, signature, args, span),
            FunctionKind::Series => self.series_of_plugin(cx, signature, args, span),
            FunctionKind::Scalar | FunctionKind::Aggregate => self.aggregate_of_plugin(cx, signature, args, span),
        }
    }

    fn definition_call(&mut self, cx: &mut Cx<'_>, path: &Path, args: &[Argument]) -> Option<Option<Formula>> {
        self.metric(cx, path, args)
    }
}
