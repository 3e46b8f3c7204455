//! Lints that only the data can tell: segments that never match, and first moments with several rows.

use crate::engine::Engine;
use crate::model::Model;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use kepi_exec::{Cancel, RunOptions};
use kepi_extension::EventScan;
use kepi_model::catalog::{Symbol, SymbolKind, full_name};
use kepi_syntax::ast::{Argument, ExprKind, Scoped};
use kepi_syntax::{Code, Diagnostic, Severity, expr_text, parse_query};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the data are looked at.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the data tell of a model.
#[derive(Default)]
pub(crate) struct DataLints {
    pub(crate) found: Vec<Diagnostic>,
    /// How many definitions were not looked at, since it took too long.
    pub(crate) left: usize,
}

impl Engine {
    /// Looks at the data for each segment, and for each event that is the first of its kind. Without data, and where a
    /// definition has mistakes, nothing is said.
    pub(crate) fn data_lints(&self, model: &Model, now: i64) -> DataLints {
        let mut lints = DataLints::default();
        let Ok(snapshot) = self.snapshot(None) else { return lints };
        if snapshot.streams().is_empty() {
            return lints;
        }
        let Some(deadline) = Instant::now().checked_add(PATIENCE) else { return lints };
        let looking = Looking {
            model,
            scan: snapshot as Arc<dyn EventScan>,
            options: RunOptions {
                threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
                memory_bytes_max: None,
                cancel: Cancel::default().with_deadline(deadline),
                totals: false,
                partials: None,
            },
            now,
            deadline,
        };
        looking.segments(&mut lints);
        looking.firsts(&mut lints);
        lints
    }
}

struct Looking<'a> {
    model: &'a Model,
    scan: Arc<dyn EventScan>,
    options: RunOptions,
    now: i64,
    deadline: Instant,
}

impl Looking<'_> {
    /// All segments of the same rows are counted together.
    fn segments(&self, lints: &mut DataLints) {
        let mut groups: BTreeMap<(String, String), Vec<&Symbol>> = BTreeMap::new();
        for symbol in self.model.catalog.symbols() {
            if let SymbolKind::Segment(d) = &symbol.kind
                && let (Some(of), true) = (&d.of, d.parameters.is_empty())
            {
                groups.entry((symbol.module.clone(), of.text.clone())).or_default().push(symbol);
            }
        }
        for ((module, of), segments) in groups {
            if Instant::now() >= self.deadline {
                lints.left += segments.len();
                continue;
            }
            let of = kepi_syntax::name_text(&of);
            let name = |s: &Symbol| kepi_syntax::name_text(&s.name);
            let mut items = vec![format!("count({of}) as all_rows")];
            items.extend(segments.iter().enumerate().map(|(i, s)| format!("count({of} where {}) as s{i}", name(s))));
            let Some(counts) = self.counts(&module, &format!("show {}", items.join(", "))) else { continue };
            let all = counts.first().copied().unwrap_or(0);
            for (segment, count) in segments.iter().zip(counts.iter().skip(1)) {
                if all > 0 && *count == 0 {
                    let message = format!("`{}` matches none of {all} {of}", segment.name);
                    let mut lint = Diagnostic::warning(Code::LintNeverMatches, segment.span, message)
                        .help("look at the values: upper and lower case, blanks, and units often differ");
                    lint.file = segment.file;
                    lints.found.push(lint);
                }
            }
        }
    }

    /// `first(x) per e`: whether somebody's first moment has several rows, of which one is taken.
    fn firsts(&self, lints: &mut DataLints) {
        for symbol in self.model.catalog.symbols() {
            let SymbolKind::Derived(body) = &symbol.kind else { continue };
            let Some((event, entity)) = first_of(body) else { continue };
            if Instant::now() >= self.deadline {
                lints.left += 1;
                continue;
            }
            let text = format!(
                "show count({event} where {event}.at = first({event}.at, per: {entity})) as at_once, \
                 count({}) as firsts",
                kepi_syntax::name_text(&symbol.name)
            );
            let Some(counts) = self.counts(&symbol.module, &text) else { continue };
            if let [at_once, firsts] = counts.as_slice()
                && at_once > firsts
            {
                let more = at_once - firsts;
                let others = if more == 1 { "1 is not taken".to_string() } else { format!("{more} are not taken") };
                let message = format!("`{}` takes one of several rows at the same first moment: {others}", symbol.name);
                // An aggregate in a row's condition looks at the row's subject, where nothing else is said.
                let per = match self.is_subject(symbol, &event, &entity) {
                    true => String::new(),
                    false => format!(", per: {entity}"),
                };
                let mut lint = Diagnostic::warning(Code::LintSeveralFirst, symbol.span, message).help(format!(
                    "for all rows of the first moment, write `{event} where {event}.at = first({event}.at{per})`"
                ));
                lint.file = symbol.file;
                lints.found.push(lint);
            }
        }
    }

    /// Whether a stored event is known to be of an entity before any other.
    fn is_subject(&self, symbol: &Symbol, event: &str, entity: &str) -> bool {
        let stream = self.model.catalog.stream(&full_name(&symbol.module, event));
        let subject = stream.and_then(|stream| stream.roles.first());
        subject.is_some_and(|role| role.name == entity)
    }

    /// The numbers of the only row of an answer; none where it cannot be asked.
    fn counts(&self, module: &str, text: &str) -> Option<Vec<i64>> {
        let (tree, _) = parse_query(text);
        let (query, diagnostics) = self.model.catalog.query_of(module, &tree?, self.now, 0);
        if diagnostics.iter().any(|d| d.severity == Severity::Error) {
            return None;
        }
        let scan = Arc::clone(&self.scan);
        let frame = kepi_exec::run(&query?, scan, &self.model.plugins.functions, &self.options).ok()?;
        numbers(&frame.rows)
    }
}

fn numbers(rows: &RecordBatch) -> Option<Vec<i64>> {
    let number = |column: &Arc<dyn Array>| column.as_primitive_opt::<Int64Type>().map(|c| c.value(0));
    if rows.num_rows() == 1 { rows.columns().iter().map(number).collect() } else { None }
}

/// The event and the entity of `first(event) per entity`.
fn first_of(body: &Scoped) -> Option<(String, String)> {
    let ExprKind::Call { function, arguments } = &body.value.kind else { return None };
    let [Argument::Plain(chain)] = arguments.as_slice() else { return None };
    let per = body.per.as_ref()?;
    let ([word], [entity]) = (function.parts.as_slice(), per.grains.as_slice()) else { return None };
    let simple = matches!(chain.first.value.kind, ExprKind::Path(_)) && chain.first.filter.is_none();
    let entity = entity.parts.iter().map(|p| kepi_syntax::name_text(&p.text)).collect::<Vec<_>>().join(".");
    (word.text == "first" && simple && chain.rest.is_empty() && body.filter.is_none())
        .then(|| (expr_text(&chain.first.value), entity))
}
