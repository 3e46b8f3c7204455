//! Steps that follow each other: what a chain's arguments say, and the attempts that are made of it.

use super::behaviour::{dated_event, length, usage};
use super::events::EventSet;
use super::row::{RowScope, listed, listed_owned};
use super::{Cx, Node, expr};
use crate::core::{Chain, ChainOrder, ChainStep, Credit, Keyed, Made, Op, Row, Stage};
use crate::declared::RoleDecl;
use crate::names;
use crate::units;
use crate::value::{CalendarSpan, Kind, Unit};
use kepi_syntax::ast::{self, Argument, BinaryOp, Expr, ExprKind, Name, NamedValue, Path, Scoped};
use kepi_syntax::{Code, Span};

/// The arguments of a function of chains, taken apart.
pub(super) struct ChainArguments<'a> {
    /// The steps, each with the condition of `where:` behind its own.
    pub(super) steps: Vec<Scoped>,
    /// The steps as they are written.
    written: Vec<&'a Scoped>,
    /// What is forbidden before each step; none before the first.
    without: Vec<Option<&'a Scoped>>,
    within: Option<CalendarSpan>,
    named: Vec<(&'a Name, &'a NamedValue)>,
    span: Span,
}

/// Attempts at a chain, as rows of its first step.
pub(super) struct Attempts {
    pub(super) set: EventSet,
    /// The entity that they run over, as the first step names it.
    pub(super) subject: RoleDecl,
    pub(super) order: ChainOrder,
    /// The steps as they are written.
    pub(super) names: Vec<String>,
}

impl<'a> ChainArguments<'a> {
    /// Reads the arguments; only the options that the function has are taken.
    pub(super) fn read(
        cx: &mut Cx<'_>,
        name: &str,
        args: &'a [Argument],
        options: &[&str],
        span: Span,
    ) -> Option<ChainArguments<'a>> {
        let mut chain: Option<&ast::Chain> = None;
        let mut within = None;
        let mut named: Vec<(&Name, &NamedValue)> = Vec::new();
        let written = || format!("it is written as `{}`", usage(name));
        for arg in args {
            match arg {
                Argument::Plain(found) if chain.is_none() => chain = Some(found),
                Argument::Plain(found) => {
                    let message = format!("`{name}` takes one chain of events");
                    return cx.error_help(Code::Arguments, found.first.span, message, written());
                }
                Argument::Within(value) if within.is_some() || !options.contains(&"within") => {
                    let message = match within {
                        Some(_) => "`within` stands twice".to_string(),
                        None => format!("`{name}` takes no `within`"),
                    };
                    return cx.error_help(Code::Arguments, value.span, message, written());
                }
                Argument::Within(value) => within = Some(length(cx, name, value)?),
                Argument::Named { name: option, value } => {
                    if !options.contains(&option.text.as_str()) {
                        let known = options.iter().copied().filter(|o| *o != "within");
                        let help = names::suggestion(&option.text, known).unwrap_or_else(written);
                        let message = format!("`{name}` takes no argument `{}`", option.text);
                        return cx.error_help(Code::Arguments, option.span, message, help);
                    }
                    if named.iter().any(|(n, _)| n.text == option.text) {
                        let message = format!("`{}` stands twice", option.text);
                        return cx.error_help(Code::Arguments, option.span, message, "leave one out");
                    }
                    named.push((option, value));
                }
            }
        }
        let Some(chain) = chain else {
            return cx.error_help(Code::Arguments, span, format!("`{name}` needs a chain of events"), written());
        };
        let written: Vec<&Scoped> =
            std::iter::once(&chain.first).chain(chain.rest.iter().map(|link| &link.step)).collect();
        let without = std::iter::once(None).chain(chain.rest.iter().map(|link| link.without.as_ref())).collect();
        let mut all = ChainArguments { steps: Vec::new(), written, without, within, named, span };
        let asked = all.value("where");
        all.steps = all.written.iter().map(|step| with_condition(step, asked.as_ref())).collect();
        Some(all)
    }

    /// Reports what is forbidden between steps, where nothing can be.
    pub(super) fn nothing_forbidden(&self, cx: &mut Cx<'_>, function: &str) -> Option<()> {
        match self.without.iter().flatten().next() {
            Some(forbidden) => {
                let help = format!("it is written as `{}`", usage(function));
                cx.error_help(Code::Arguments, forbidden.span, format!("`{function}` takes no `without`"), help)
            }
            None => Some(()),
        }
    }

    fn option(&self, name: &str) -> Option<(&'a Name, &'a NamedValue)> {
        self.named.iter().find(|(n, _)| n.text == name).copied()
    }

    /// An option whose value is one of a few words; the default without it.
    pub(super) fn word<T: Copy>(&self, cx: &mut Cx<'_>, option: &str, words: &[(&str, T)], default: T) -> Option<T> {
        let Some((name, value)) = self.option(option) else { return Some(default) };
        let written = match value {
            NamedValue::Word(word) => word.text.clone(),
            NamedValue::Chain(chain) => kepi_syntax::expr_text(&chain.first.value),
        };
        if let Some((_, found)) = words.iter().find(|(word, _)| *word == written) {
            return Some(*found);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = names::suggestion(&written, known.iter().copied())
            .unwrap_or_else(|| format!("`{option}` is {}", listed(&known).replace(", ", " or ")));
        cx.error_help(Code::Arguments, name.span, format!("there is no `{option}: {written}`"), help)
    }

    /// An option's value as an expression.
    pub(super) fn value(&self, option: &str) -> Option<Expr> {
        let (_, value) = self.option(option)?;
        Some(match value {
            NamedValue::Word(word) => path_of(word),
            NamedValue::Chain(chain) => chain.first.value.clone(),
        })
    }

    /// `per: campaign`.
    pub(super) fn chosen(&self) -> Option<String> {
        self.value("per").map(|value| kepi_syntax::expr_text(&value))
    }

    /// `among: views`, `among: [views, clicks]`.
    fn among(&self, cx: &mut Cx<'_>, function: &str) -> Option<Vec<EventSet>> {
        let Some((_, value)) = self.option("among") else { return Some(Vec::new()) };
        let scoped = |value: Expr| Scoped { span: value.span, value, per: None, filter: None, over: None };
        let events = match value {
            NamedValue::Word(word) => vec![scoped(path_of(word))],
            NamedValue::Chain(chain) => match &chain.first.value.kind {
                ExprKind::List(items) => items.iter().cloned().map(scoped).collect(),
                _ => vec![chain.first.clone()],
            },
        };
        events.iter().map(|event| dated_event(cx, function, event)).collect()
    }

    /// What interrupts a strict chain: the rows of `among`, and all rows of an event of which a step takes only some.
    fn interrupting(
        &self,
        cx: &mut Cx<'_>,
        function: &str,
        order: ChainOrder,
        mut among: Vec<EventSet>,
    ) -> Option<Vec<EventSet>> {
        if order != ChainOrder::Strict {
            return Some(among);
        }
        for step in self.steps.iter().filter(|step| step.filter.is_some()) {
            let whole = dated_event(cx, function, &Scoped { filter: None, ..step.clone() })?;
            if !among.iter().any(|set| set.names == whole.names && set.stages == whole.stages) {
                among.push(whole);
            }
        }
        Some(among)
    }

    /// The attempts that these steps make.
    pub(super) fn attempts(&self, cx: &mut Cx<'_>, function: &str) -> Option<Attempts> {
        use ChainOrder::{Any, Free, Later, Ordered, Strict};
        let orders = [("ordered", Ordered), ("later", Later), ("strict", Strict), ("any", Any), ("free", Free)];
        let order = self.word(cx, "order", &orders, Ordered);
        let credit =
            self.word(cx, "credit", &[("latest", Credit::Latest), ("earliest", Credit::Earliest)], Credit::Latest);
        let without_drops = self.word(cx, "exclude", &[("cut", false), ("drop", true)], false);
        let open = self.word(cx, "edge", &[("closed", false), ("open", true)], false);
        let steps: Vec<Option<EventSet>> = self.steps.iter().map(|s| dated_event(cx, function, s)).collect();
        let without: Vec<Option<Option<EventSet>>> =
            self.without.iter().map(|w| w.map(|event| dated_event(cx, function, event))).collect();
        let among = self.among(cx, function);
        let steps: Vec<EventSet> = steps.into_iter().collect::<Option<_>>()?;
        let without: Vec<Option<EventSet>> =
            without.into_iter().map(|w| w.map_or(Some(None), |set| set.map(Some))).collect::<Option<_>>()?;
        let (order, credit, without_drops, among) = (order?, credit?, without_drops?, among?);
        let (within, each) = self.ending(cx, function, open?)?;
        self.fitting(cx, function, order, &without, &among)?;
        let among = self.interrupting(cx, function, order, among)?;
        let steps = match order {
            Free => std::iter::once(self.together(cx, &steps)?).chain(steps).collect(),
            _ => steps,
        };
        let all: Vec<&EventSet> = steps.iter().chain(without.iter().flatten()).chain(&among).collect();
        let roles = shared_subject(cx, &all, self.chosen().as_deref(), self.span)?;
        let mut keyed = all.iter().zip(&roles).map(|(set, role)| keyed(set, role));
        let holds = self.holds(cx, &steps)?;
        let own: Vec<Keyed> = keyed.by_ref().take(steps.len()).collect();
        let mut forbidden: Vec<Option<Keyed>> = without.iter().map(|w| w.as_ref().and_then(|_| keyed.next())).collect();
        let among = keyed.collect();
        let chain_steps = own
            .into_iter()
            .zip(holds)
            .enumerate()
            .map(|(index, (rows, hold))| ChainStep {
                rows,
                hold,
                without: forbidden.get_mut(index).and_then(Option::take),
            })
            .collect();
        let credit = (function == "conversion").then_some(credit);
        let chain = Chain { steps: chain_steps, within, each, order, among, without_drops, credit };
        let mut names: Vec<String> = self.written.iter().map(|s| kepi_syntax::scoped_text(s)).collect();
        let text = format!("{function}({})", names.join(" -> "));
        if order == Free {
            // Which of them was the first, the second … differs from attempt to attempt.
            names = (1..=names.len()).map(|n| if n == 1 { "1 step".into() } else { format!("{n} steps") }).collect();
        }
        let (first, later) = steps.split_first()?;
        if later.is_empty() {
            // One step makes no chain: its rows are the attempts.
            return Some(Attempts { set: first.clone(), subject: roles.into_iter().next()?, order, names });
        }
        let mut set = first.made_into(text, Made::Chain(Box::new(chain)), vec![]);
        // A message speaks of the first step: its names are meant by bare ones.
        set.name = first.name.clone();
        if order != Free {
            set.steps = later.to_vec();
        }
        Some(Attempts { set, subject: roles.into_iter().next()?, order, names })
    }

    /// The rows of all steps, of which each may be the first: they must be rows of one event, told apart by conditions.
    fn together(&self, cx: &mut Cx<'_>, steps: &[EventSet]) -> Option<EventSet> {
        let first = steps.first()?;
        let mut conditions: Vec<Option<Row>> = Vec::new();
        for (step, written) in steps.iter().zip(&self.written) {
            let mut own: Option<Row> = None;
            for stage in &step.stages {
                let Stage::Where(condition) = stage else {
                    let message = format!(
                        "with `order: free` any step may be the first, and `{}` takes first ones only",
                        step.name
                    );
                    let help = "write a condition that a row meets by itself, or `order: any` for the others after the first step";
                    return cx.error_help(Code::Arguments, written.span, message, help);
                };
                own = Some(joined(Op::And, own, condition.clone()));
            }
            if step.events().base != first.events().base {
                let message = format!(
                    "with `order: free` any step may be the first, so all are rows of one event: `{}` is another than `{}`",
                    step.name, first.name
                );
                let help = "take rows of one event, such as `visits where page = \"a\"`, or `order: any` for the others after the first step";
                return cx.error_help(Code::Arguments, written.span, message, help);
            }
            conditions.push(own);
        }
        // What all of them are made of.
        let names: Vec<String> =
            first.names.iter().filter(|name| steps.iter().all(|s| s.names.contains(name))).cloned().collect();
        let name = names.first().map_or(first.name.clone(), |full| names::bare(full).to_string());
        let all: Option<Vec<Row>> = conditions.into_iter().collect();
        let any = all.and_then(|all| all.into_iter().reduce(|a, b| joined(Op::Or, Some(a), b)));
        Some(EventSet { name, names, stages: any.map(Stage::Where).into_iter().collect(), once: None, ..first.clone() })
    }

    /// How long an attempt may take, and each of its steps since the one before: with an open edge the very end is
    /// outside, by the smallest time there is.
    fn ending(
        &self,
        cx: &mut Cx<'_>,
        function: &str,
        open: bool,
    ) -> Option<(Option<CalendarSpan>, Option<CalendarSpan>)> {
        let each = match self.value("each") {
            Some(value) => Some(length(cx, function, &value)?),
            None => None,
        };
        match self.option("edge") {
            Some((name, _)) if self.within.is_none() && each.is_none() => cx.error_help(
                Code::Arguments,
                name.span,
                "`edge` says whether the end of `within` is inside, and there is no `within`",
                "write one, such as `within 90 days`, or leave out `edge`",
            ),
            _ => {
                let ends = |span: CalendarSpan| CalendarSpan { micros: span.micros - i64::from(open), ..span };
                Some((self.within.map(ends), each.map(ends)))
            }
        }
    }

    /// Options that go with each other.
    fn fitting(
        &self,
        cx: &mut Cx<'_>,
        function: &str,
        order: ChainOrder,
        without: &[Option<EventSet>],
        among: &[EventSet],
    ) -> Option<()> {
        if !among.is_empty() && order != ChainOrder::Strict {
            return cx.error_help(
                Code::Arguments,
                self.option("among").map_or(self.span, |(name, _)| name.span),
                "`among` says which further rows interrupt a strict chain",
                "write `order: strict` too, or leave out `among`",
            );
        }
        let any = matches!(order, ChainOrder::Any | ChainOrder::Free);
        let written = if order == ChainOrder::Free { "order: free" } else { "order: any" };
        if let (Some((name, _)), true) = (self.option("each"), any) {
            return cx.error_help(
                Code::Arguments,
                name.span,
                "`each` is the time from the step before, and in any order no step has one before it",
                format!("leave out `each`, or `{written}`; `within` is the time since the first step"),
            );
        }
        let forbids = self.without.iter().flatten().next();
        if let (Some(forbidden), true) = (forbids, any) {
            return cx.error_help(
                Code::Arguments,
                forbidden.span,
                "in any order nothing lies between two steps",
                format!("leave out `without`, or `{written}`"),
            );
        }
        if let (Some((name, _)), "conversion", ChainOrder::Later) = (self.option("order"), function, order) {
            return cx.error_help(
                Code::Arguments,
                name.span,
                "a conversion may happen at the moment of its first step",
                "leave out `order: later`, or take the last rate of a funnel with it",
            );
        }
        if let (Some((name, _)), "conversion", ChainOrder::Free) = (self.option("order"), function, order) {
            return cx.error_help(
                Code::Arguments,
                name.span,
                "a conversion counts the events of its first step, and with `order: free` any step may be the first",
                "leave out `order: free`, or take the last rate of a funnel with it",
            );
        }
        if let (Some((name, _)), true) = (self.option("exclude"), without.iter().all(Option::is_none)) {
            return cx.error_help(
                Code::Arguments,
                name.span,
                "nothing is excluded here",
                "say what is: `leads -> wins without losses -> orders`",
            );
        }
        Some(())
    }

    /// What `hold` keeps equal, for each step.
    pub(super) fn holds(&self, cx: &mut Cx<'_>, steps: &[EventSet]) -> Option<Vec<Option<Row>>> {
        let Some(held) = self.value("hold") else { return Some(vec![None; steps.len()]) };
        let mut rows: Vec<Row> = Vec::new();
        let mut ok = true;
        for step in steps {
            match expr::lower::<Row>(cx, &mut RowScope::of(step), &held) {
                Some(row) => rows.push(row),
                None => ok = false,
            }
        }
        if !ok {
            return None;
        }
        for (step, row) in steps.iter().zip(&rows) {
            if units::join(&rows[0].unit, row.unit()).is_err() {
                let text = kepi_syntax::expr_text(&held);
                let message = format!(
                    "`{text}` is {} for `{}` and {} for `{}`: they are never equal",
                    rows[0].unit, steps[0].name, row.unit, step.name
                );
                return cx.error(Code::TypeMismatch, held.span, message);
            }
        }
        Some(rows.into_iter().map(Some).collect())
    }
}

/// A step with a further condition behind its own.
fn with_condition(step: &Scoped, asked: Option<&Expr>) -> Scoped {
    let Some(asked) = asked else { return step.clone() };
    let filter = match &step.filter {
        Some(own) => {
            let (left, right) = (Box::new(own.clone()), Box::new(asked.clone()));
            Expr { kind: ExprKind::Binary { op: BinaryOp::And, left, right }, span: own.span }
        }
        None => asked.clone(),
    };
    Scoped { filter: Some(filter), ..step.clone() }
}

fn joined(op: Op, before: Option<Row>, condition: Row) -> Row {
    match before {
        Some(before) => Row::call(op, vec![before, condition], Unit::of(Kind::Bool)),
        None => condition,
    }
}

/// A word of an option as an expression.
fn path_of(word: &Name) -> Expr {
    Expr { kind: ExprKind::Path(Path { parts: vec![word.clone()], span: word.span }), span: word.span }
}

/// Rows and the entity of each.
pub(super) fn keyed(set: &EventSet, role: &RoleDecl) -> Keyed {
    Keyed { events: set.events(), key: set.role_row(role) }
}

/// The entity that something runs over, as each of its events names it: the subject where they share it, else the one
/// entity that they share, else the one that is chosen.
pub(super) fn shared_subject(
    cx: &mut Cx<'_>,
    sets: &[&EventSet],
    chosen: Option<&str>,
    span: Span,
) -> Option<Vec<RoleDecl>> {
    let first = sets.first()?;
    let roles = first.roles();
    // For each entity of the first event: the same role of the others, else their first one for that entity.
    let everywhere = |role: &RoleDecl| -> Option<Vec<RoleDecl>> {
        sets.iter()
            .enumerate()
            .map(|(index, set)| {
                let theirs = set.roles();
                let same = theirs.iter().find(|r| r.entity == role.entity && (r.name == role.name));
                let any = theirs.iter().find(|r| r.entity == role.entity);
                if index == 0 { Some(role.clone()) } else { same.or(any).cloned() }
            })
            .collect()
    };
    if let Some(word) = chosen {
        let picked = roles.iter().find(|r| r.is_called(word)).and_then(&everywhere);
        if picked.is_some() {
            return picked;
        }
        let lacking = sets.iter().find(|set| !set.roles().iter().any(|r| r.is_called(word)));
        let (name, theirs) = lacking.map_or((&first.name, roles.clone()), |set| (&set.name, set.roles()));
        let message = format!("`{name}` has no entity `{word}`");
        return cx.error_help(Code::NoSubject, span, message, format!("it is of {}", listed_owned(&theirs)));
    }
    let subject = roles.first()?;
    if sets.iter().all(|set| set.roles().first().is_some_and(|r| r.entity == subject.entity)) {
        return Some(sets.iter().map(|set| set.roles().swap_remove(0)).collect());
    }
    let shared: Vec<(&RoleDecl, Vec<RoleDecl>)> =
        roles.iter().filter_map(|role| everywhere(role).map(|found| (role, found))).collect();
    match shared.as_slice() {
        [(_, found)] => Some(found.clone()),
        [] => {
            let mut whose: Vec<String> = Vec::new();
            for set in sets {
                let line = format!("`{}` is of {}", set.name, listed_owned(&set.roles()));
                if !whose.contains(&line) {
                    whose.push(line);
                }
            }
            let message = "these events have no entity in common, so nobody can do one after the other";
            cx.error_help(Code::NoSubject, span, message, whose.join(", "))
        }
        several => {
            let names: Vec<&str> = several.iter().map(|(role, _)| names::bare(&role.name)).collect();
            let message = format!("these events share {}", listed(&names));
            cx.error_help(Code::NoSubject, span, message, format!("choose one: `per: {}`", names[0]))
        }
    }
}
