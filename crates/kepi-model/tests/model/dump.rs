//! Core queries written for people: one line per part, instants in the project's zone.
//!
//! `.amount` is a stored field, `@customer` an entity of the row, `@customer.region` its attribute, `…~` one as it was
//! then; `{count of orders …}` is an aggregate over a history, `#0` an aggregate of the query.

use kepi_model::calendar::{Grain, Zone, date_of};
use kepi_model::core::*;
use kepi_model::value::{CalendarSpan, Value};
use std::fmt::Write;

struct Dump {
    zone: Zone,
}

/// The query in lines.
pub(crate) fn query(query: &Query) -> String {
    let dump = Dump { zone: Zone::named(&query.zone).unwrap() };
    let mut out = format!("{}\n", query.text);
    let mut line = |text: String| writeln!(out, "  {text}").unwrap();
    line(dump.window(&query.window));
    if let Some(per) = &query.per {
        line(format!("per {}", grain(per)));
    }
    for label in &query.by {
        let period = label.grain.as_ref().map_or(String::new(), |g| format!(" (a period: {})", grain(g)));
        line(format!("by {}: {}{period}", label.name, label.unit));
    }
    for known in &query.existence {
        let from = known.from.as_ref().map_or(String::new(), |f| format!(" from {f}"));
        let streams: Vec<String> = known.streams.iter().map(|(s, r)| format!("{s}@{r}")).collect();
        let streams = if streams.len() > 4 { format!("{} events", streams.len()) } else { streams.join(" ") };
        line(format!("{} exists{from}, else since {streams}", known.entity));
    }
    for (index, aggregate) in query.aggregates.iter().enumerate() {
        line(format!("#{index} {}: {}", dump.measure(&aggregate.measure), aggregate.unit));
        line(format!("   of {}", dump.events(&aggregate.events)));
        if let Some(filter) = &aggregate.filter {
            line(format!("   where {}", dump.row(filter)));
        }
        for (label, row) in aggregate.labels.iter().enumerate() {
            let across = if aggregate.across.contains(&label) { "across all of " } else { "" };
            line(format!("   by {across}{}", dump.row(row)));
        }
        for moved in &aggregate.moved {
            line(format!("   moved {}", self::moved(moved)));
        }
    }
    for column in &query.columns {
        let better = column.better.map_or(String::new(), |b| format!(", better {b:?}").to_lowercase());
        let formula = dump.formula(&column.formula);
        line(format!("column {}: {}{better} = {formula}", column.name, column.formula.unit));
    }
    if let Some(having) = &query.having {
        line(format!("having {}", dump.formula(having)));
    }
    for key in &query.order {
        let by = match &key.by {
            OrderBy::Period => "the period".to_string(),
            OrderBy::Label(index) => format!("label {}", query.by[*index].name),
            OrderBy::Formula(formula) => dump.formula(formula),
        };
        line(format!("order by {by}{}", if key.descending { " desc" } else { "" }));
    }
    if let Some(limit) = &query.limit {
        line(format!("limit {}{}", limit.rows, if limit.with_other { " with other" } else { "" }));
    }
    match &query.fill {
        Some(Fill::Value(value)) => line(format!("fill {}", dump.value(value))),
        Some(fill) => line(format!("fill {fill:?}")),
        None => {}
    }
    for compare in &query.compare {
        let with = match &compare.with {
            CompareWith::Previous(of) => format!("one {} earlier", grain(of)),
            CompareWith::Days(days) => format!("{days} days earlier"),
            CompareWith::WindowBefore => "the window before".to_string(),
            CompareWith::Period { from, until } => format!("[{}, {})", dump.instant(*from), dump.instant(*until)),
            CompareWith::Target(lines) => format!("targets {lines:?}"),
        };
        line(format!("vs {}: {with}", compare.name));
    }
    if let Some(shape) = &query.shape {
        line(format!("as {shape:?}"));
    }
    out
}

/// The window in a line.
pub(crate) fn window(query: &Query) -> String {
    Dump { zone: Zone::named(&query.zone).unwrap() }.window(&query.window)
}

/// A row's expression in a line; its instants are UTC.
pub(crate) fn row(row: &Row) -> String {
    Dump { zone: Zone::utc() }.row(row)
}

fn grain(grain: &Grain) -> String {
    let mut text = grain.name();
    if grain.week_start != 1 {
        write!(text, ", weeks from day {}", grain.week_start).unwrap();
    }
    if grain.year_start != 1 {
        write!(text, ", years from month {}", grain.year_start).unwrap();
    }
    if grain.named_by_start {
        text.push_str(", named by start");
    }
    text
}

fn moved(by: &Move) -> String {
    match by {
        Move::Prior(length) => format!("{} back", span(length)),
        Move::Trailing(length) => format!("to the last {}", span(length)),
        Move::ToDate(of) => format!("to the {} so far", grain(of)),
        other => format!("to {other:?}").to_lowercase(),
    }
}

fn span(span: &CalendarSpan) -> String {
    let parts = [(i64::from(span.months), "months"), (i64::from(span.days), "days"), (span.micros, "µs")];
    let parts: Vec<String> = parts.iter().filter(|(n, _)| *n != 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    if parts.is_empty() { "no time".to_string() } else { parts.join(" ") }
}

fn symbol(op: &Op) -> Option<&'static str> {
    Some(match op {
        Op::Add => "+",
        Op::Subtract => "-",
        Op::Multiply => "*",
        Op::Divide => "/",
        Op::Equal => "=",
        Op::NotEqual => "!=",
        Op::Less => "<",
        Op::LessEqual => "<=",
        Op::Greater => ">",
        Op::GreaterEqual => ">=",
        Op::And => "and",
        Op::Or => "or",
        Op::Matches => "matches",
        Op::Otherwise => "otherwise",
        Op::Elapsed => "since",
        _ => return None,
    })
}

impl Dump {
    fn instant(&self, micros: i64) -> String {
        let local = self.zone.local(micros);
        let (day, time) = (local.date(), local.time());
        if time == jiff::civil::Time::midnight() { day.to_string() } else { format!("{day} {time}") }
    }

    fn window(&self, window: &Window) -> String {
        let from = window.from.map_or("the first row".to_string(), |at| self.instant(at));
        let moment = if window.moment { ", one moment" } else { "" };
        format!("[{from}, {}): {}{moment}", self.instant(window.until), window.words)
    }

    fn value(&self, value: &Value) -> String {
        match value {
            Value::Missing => "missing".to_string(),
            Value::Decimal { digits, scale: 0 } => digits.to_string(),
            Value::Decimal { digits, scale } => format!("{digits}e-{scale}"),
            Value::Float(float) => format!("{float:?}"),
            Value::Span(length) => format!("<{}>", span(length)),
            Value::Text(text) => format!("{text:?}"),
            Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_string(),
            Value::Time(at) => format!("{} ({})", self.instant(*at), "instant"),
            Value::Date(day) => date_of(*day).to_string(),
            Value::List(values) => values.iter().map(|v| self.value(v)).collect::<Vec<_>>().join(", "),
        }
    }

    fn call(&self, op: &Op, args: Vec<String>) -> String {
        match (op, symbol(op), args.as_slice()) {
            (_, Some(symbol), [a, b]) => format!("({a} {symbol} {b})"),
            (Op::Not, _, [a]) => format!("not {a}"),
            (Op::IsMissing, _, [a]) => format!("({a} is missing)"),
            (Op::In, _, [a, list @ ..]) => format!("({a} in [{}])", list.join(", ")),
            (Op::AddSpan(length), _, [a]) => format!("({a} moved {})", span(length)),
            (Op::Truncate(of), _, [a]) => format!("{}({a})", grain(of)),
            (Op::PeriodsBetween(of), _, [a, b]) => format!("{}s({b} -> {a})", grain(of)),
            _ => format!("{op:?}({})", args.join(", ")).to_lowercase(),
        }
    }

    fn case(whens: Vec<(String, String)>, otherwise: Option<String>) -> String {
        let whens: Vec<String> = whens.iter().map(|(when, then)| format!("{when} then {then}")).collect();
        format!("case[{}{}]", whens.join("; "), otherwise.map_or(String::new(), |o| format!("; else {o}")))
    }

    fn row(&self, row: &Row) -> String {
        match &row.node {
            RowNode::Const(value) => self.value(value),
            RowNode::At => "at".to_string(),
            RowNode::Field(name) => format!(".{name}"),
            RowNode::Role(name) => format!("@{name}"),
            RowNode::Attribute { of, field, history, .. } => {
                format!("{}.{field}{}", self.row(of), if *history { "~" } else { "" })
            }
            RowNode::Key { of, .. } => format!("key({})", self.row(of)),
            RowNode::History(history) => self.history(history),
            RowNode::Call { op, args } => self.call(op, args.iter().map(|a| self.row(a)).collect()),
            RowNode::Case { whens, otherwise } => Dump::case(
                whens.iter().map(|(a, b)| (self.row(a), self.row(b))).collect(),
                otherwise.as_ref().map(|o| self.row(o)),
            ),
            RowNode::Plugin { name, args } => {
                format!("{name}({})", args.iter().map(|a| self.row(a)).collect::<Vec<_>>().join(", "))
            }
            RowNode::State { state, of, when } => format!("{when:?} of {} for {}", self.state(state), self.row(of)),
            RowNode::StateAverage { state, of } => format!("average of {} for {}", self.state(state), self.row(of)),
            RowNode::TimeIn { state, of } => format!("time in {} for {}", self.state(state), self.row(of)),
            RowNode::Lifecycle { rows, of, grain: by } => {
                format!("lifecycle of {} per {} for {}", self.keyed(rows), grain(by), self.row(of))
            }
            RowNode::Tile { of, entity, parts, .. } => format!("part of {parts} of every {entity} by {}", self.row(of)),
            RowNode::Modelled(modelled) => {
                let args: Vec<String> = modelled.args.iter().map(|a| self.row(a)).collect();
                let filter = modelled.filter.as_ref().map(|f| format!(" where {}", self.row(f))).unwrap_or_default();
                let (events, subject) = (self.events(&modelled.events), self.row(&modelled.subject));
                format!("{}({}) of {events}{filter} for {subject}", modelled.name, args.join(", "))
            }
            RowNode::Step { step, of } => format!("step {step}: {}", self.row(of)),
            RowNode::Convert { of, from, to, when } => {
                let when = if *when == When::Opening { " as it opens" } else { "" };
                format!("{} from {} to {to}{when}", self.row(of), self.row(from))
            }
        }
    }

    /// An aggregate of groups, in a line.
    fn aggregate(&self, aggregate: &Aggregate) -> String {
        let mut out = format!("{} of {}", self.measure(&aggregate.measure), self.events(&aggregate.events));
        if let Some(filter) = &aggregate.filter {
            write!(out, " where {}", self.row(filter)).unwrap();
        }
        let labels: Vec<String> = aggregate.labels.iter().map(|l| self.row(l)).collect();
        write!(out, " by {}", labels.join(", ")).unwrap();
        aggregate.moved.iter().for_each(|m| write!(out, " moved {}", moved(m)).unwrap());
        out
    }

    fn keyed(&self, rows: &Keyed) -> String {
        format!("{} of {}", self.events(&rows.events), self.row(&rows.key))
    }

    fn state(&self, state: &State) -> String {
        let mut out = format!("[{} from {} of {}", state.text, self.events(&state.from), self.row(&state.key));
        if let Some(value) = &state.value {
            write!(out, " = {}", self.row(value)).unwrap();
        }
        match &state.until {
            Until::Never => {}
            Until::After(length) => write!(out, " for {}", span(length)).unwrap(),
            Until::At(row) => write!(out, " until {}", self.row(row)).unwrap(),
            Until::Event { events, key } => {
                write!(out, " until {} of {}", self.events(events), self.row(key)).unwrap();
            }
        }
        if let Some(holds) = &state.holds {
            write!(out, " while {}", self.row(holds)).unwrap();
        }
        if let Some(existence) = &state.existence {
            let from = existence.from.iter().map(|from| format!(" from {from}"));
            write!(out, " of who exists{}", from.collect::<String>()).unwrap();
        }
        out + "]"
    }

    fn made(&self, made: &Made) -> String {
        match made {
            Made::Edges { state, edge } => format!("({edge:?} of {})", self.state(state)),
            Made::Sessions { events, key, gap } => {
                format!("(sessions of {} per {} with gaps of {})", self.events(events), self.row(key), span(gap))
            }
            Made::Chain(chain) => {
                let mut out = format!("(chain {:?}", chain.order);
                for step in &chain.steps {
                    if let Some(without) = &step.without {
                        write!(out, " without {}", self.keyed(without)).unwrap();
                    }
                    write!(out, " -> {}", self.keyed(&step.rows)).unwrap();
                    if let Some(hold) = &step.hold {
                        write!(out, " hold {}", self.row(hold)).unwrap();
                    }
                }
                if let Some(within) = &chain.within {
                    write!(out, " within {}", span(within)).unwrap();
                }
                if let Some(each) = &chain.each {
                    write!(out, " each {}", span(each)).unwrap();
                }
                for among in &chain.among {
                    write!(out, " among {}", self.keyed(among)).unwrap();
                }
                if let Some(credit) = &chain.credit {
                    write!(out, " credit {credit:?}").unwrap();
                }
                out + if chain.without_drops { " dropping)" } else { ")" }
            }
            Made::Returns(returns) => format!(
                "(returns {} -> {} per {}{}{}{}{}{})",
                self.keyed(&returns.start),
                self.keyed(&returns.back),
                grain(&returns.grain),
                if returns.own_clock { " by the own clock" } else { "" },
                if returns.onward { " or later" } else { "" },
                if returns.brackets.is_empty() { String::new() } else { format!(" in {:?}", returns.brackets) },
                if returns.at_least == 1 { String::new() } else { format!(" at least {} times", returns.at_least) },
                returns.hold.as_ref().map_or(String::new(), |held| {
                    format!(" hold {} and {}", self.row(&held.start), self.row(&held.back))
                }),
            ),
            Made::Changes(changes) => {
                let states: Vec<String> = changes.states.iter().map(|state| self.state(state)).collect();
                let rows = changes.rows.iter().map(|keyed| self.keyed(keyed));
                let all = states.into_iter().chain(changes.attributes.iter().cloned()).chain(rows);
                format!("(changes of {})", all.collect::<Vec<_>>().join(" and "))
            }
            Made::Groups(groups) => {
                let keys: Vec<&str> = groups.keys.iter().map(|k| k.name.as_str()).collect();
                let per = groups.per.as_ref().map_or(String::new(), |g| format!(" each {}", grain(g)));
                let inner: Vec<String> = groups.aggregates.iter().map(|a| self.aggregate(a)).collect();
                format!("(groups by {keys:?}{per} of {} with {})", self.formula(&groups.value), inner.join("; "))
            }
        }
    }

    fn history(&self, history: &History) -> String {
        let over = match &history.over {
            Reach::AllTime => String::new(),
            Reach::Last(length) => format!(" over the last {}", span(length)),
            Reach::Period => " over the period".to_string(),
        };
        let filter = history.filter.as_ref().map_or(String::new(), |f| format!(" where {}", self.row(f)));
        let (key, subject) = (self.row(&history.key), self.row(&history.subject));
        let whose = if key == subject { format!("of the same {key}") } else { format!("whose {key} is {subject}") };
        let events = self.events(&history.events);
        let before = if history.before { " before the row" } else { "" };
        format!("{{{} of {events}{filter} {whose}{over}{before}}}", self.measure(&history.measure))
    }

    fn events(&self, events: &Events) -> String {
        let mut out = match &events.base {
            Base::Stream(name) => name.clone(),
            Base::Entity(name) => format!("every {name}"),
            Base::Made(made) => self.made(made),
        };
        for stage in &events.stages {
            match stage {
                Stage::Where(condition) => write!(out, " | where {}", self.row(condition)).unwrap(),
                Stage::First { per } => write!(out, " | first per {}", self.row(per)).unwrap(),
            }
        }
        out
    }

    fn measure(&self, measure: &Measure) -> String {
        let of = |name: &str, row: &Row| format!("{name} {}", self.row(row));
        match measure {
            Measure::Count => "count".to_string(),
            Measure::Sum(row) => of("sum", row),
            Measure::Avg(row) => of("avg", row),
            Measure::Min(row) => of("min", row),
            Measure::Max(row) => of("max", row),
            Measure::Percentile { of: row, percent, observed } => {
                of(&format!("percentile {percent}{}", if *observed { " observed" } else { "" }), row)
            }
            Measure::Stddev(row) => of("stddev", row),
            Measure::First(row) => of("first", row),
            Measure::Last(row) => of("last", row),
            Measure::Unique(row) => of("unique", row),
            Measure::Best { of: row, rank } => of(&format!("best by {} of", self.row(rank)), row),
            Measure::Plugin { name, args } => {
                format!("{name}({})", args.iter().map(|a| self.row(a)).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn formula(&self, formula: &Formula) -> String {
        match &formula.node {
            FormulaNode::Const(value) => self.value(value),
            FormulaNode::Aggregate(index) => format!("#{index}"),
            FormulaNode::Label(index) => format!("label {index}"),
            FormulaNode::Period => "the period".to_string(),
            FormulaNode::Call { op, args } => self.call(op, args.iter().map(|a| self.formula(a)).collect()),
            FormulaNode::Case { whens, otherwise } => Dump::case(
                whens.iter().map(|(a, b)| (self.formula(a), self.formula(b))).collect(),
                otherwise.as_ref().map(|o| self.formula(o)),
            ),
            FormulaNode::Rank { of, over: None } => format!("rank({})", self.formula(of)),
            FormulaNode::Rank { of, over: Some(label) } => format!("rank({}, over label {label})", self.formula(of)),
            FormulaNode::Series { name, of, constants } => format!("{name}({}, {constants:?})", self.formula(of)),
            FormulaNode::Plugin { name, args } => {
                format!("{name}({})", args.iter().map(|a| self.formula(a)).collect::<Vec<_>>().join(", "))
            }
        }
    }
}
