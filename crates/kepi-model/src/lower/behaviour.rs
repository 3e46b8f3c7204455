//! What entities do over time, as rows and values of rows: sessions, gaps, lifecycles.

use super::call::{counted, needed, plain, plain_arguments};
use super::cell::CellScope;
use super::events::{self, BaseDecl, EventSet, Extra};
use super::grain::grain_word;
use super::row::{RowScope, listed_owned};
use super::{Cx, Node, expr, retention};
use crate::core::{COUNT, Formula, History, Keyed, LENGTH, Made, Measure, Op, Reach, Row, RowNode};
use crate::declared::RoleDecl;
use crate::functions::{self, Lowering};
use crate::names;
use crate::value::{CalendarSpan, Kind, Unit, Value};
use kepi_syntax::ast::{Argument, Expr, ExprKind, Name, NamedValue, Path, Scoped};
use kepi_syntax::{Code, Span};

impl CellScope<'_> {
    /// What entities do over time, as a value per cell. `None`: the function is none of these.
    pub(super) fn behaviour(
        &mut self,
        cx: &mut Cx<'_>,
        lowering: &Lowering,
        name: &str,
        args: &[Argument],
        span: Span,
    ) -> Option<Option<Formula>> {
        Some(match lowering {
            Lowering::Conversion => self.conversion(cx, args, span),
            Lowering::Retention if retention::is_number(args) => self.retention_at(cx, args, span),
            Lowering::Funnel => cx.error_help(
                Code::WrongKind,
                span,
                "a funnel is a table: it stands alone in `show`",
                "in a formula `conversion(…)` is its last rate",
            ),
            Lowering::Retention => cx.error_help(
                Code::WrongKind,
                span,
                "retention is a table: it stands alone in `show`",
                "with an age it is a number: `retention(new_customers -> orders, period: month, age: 1)`",
            ),
            Lowering::Lift => cx.error_help(
                Code::WrongKind,
                span,
                "a lift is several columns: it stands by itself in `show`, or is a metric by itself",
                "in a formula take the difference: `avg(revenue where arm = \"a\") - avg(revenue where arm = \"b\")`",
            ),
            Lowering::Lifecycle => cx.error_help(
                Code::NotAggregated,
                span,
                format!("`{name}` is a label of entities: it has no value per cell"),
                "count by it: `count(customer) by lifecycle(orders, month)`",
            ),
            Lowering::Tile => cx.error_help(
                Code::NotAggregated,
                span,
                format!("`{name}` is a label of entities: it has no value per cell"),
                "use it in `by`: `count(customer) by tile(sum(orders.amount), 10)`",
            ),
            Lowering::Gap => cx.error_help(
                Code::NotAggregated,
                span,
                format!("`{name}` has one value per row, one per cell is needed"),
                "wrap it in an aggregate, such as `median(gap(orders))`",
            ),
            Lowering::Sessions => cx.error_help(
                Code::NotAggregated,
                span,
                format!("`{name}` makes an event, one value per cell is needed"),
                "count it: `count(sessions(views, 30 minutes))`, or measure it: `avg(sessions(views, 30 minutes).length)`",
            ),
            _ => return None,
        })
    }
}

/// A field of an event that a call makes, where one value per cell is needed.
pub(super) fn field_of_cell(cx: &mut Cx<'_>, of: &Expr, name: &Name, whole: &Expr) -> Option<Option<Formula>> {
    events::made_by(cx, of)?;
    if cx.failed() {
        return Some(None);
    }
    let text = kepi_syntax::expr_text(whole);
    Some(cx.error_help(
        Code::NotAggregated,
        name.span,
        format!("`{text}` has one value per row, one per cell is needed"),
        format!("wrap it in an aggregate, such as `avg({text})`"),
    ))
}

impl RowScope<'_> {
    /// What entities do over time, as a value of a row. `None`: the function is none of these.
    pub(super) fn behaviour(
        &mut self,
        cx: &mut Cx<'_>,
        lowering: &Lowering,
        name: &str,
        args: &[Argument],
        span: Span,
    ) -> Option<Option<Row>> {
        Some(match lowering {
            Lowering::Gap => self.gap(cx, args, span),
            Lowering::Lifecycle => self.lifecycle(cx, args, span),
            Lowering::Tile => self.tile(cx, args, span),
            Lowering::Window(_) => cx.error_help(
                Code::WrongKind,
                span,
                format!("`{name}` is about a cell of the answer, here is one row"),
                "a history looks back from its row: `sum(revenue over last 90 days)`",
            ),
            Lowering::Funnel | Lowering::Conversion | Lowering::Retention | Lowering::Lift => cx.error_help(
                Code::WrongKind,
                span,
                format!("`{name}` is about many rows, here is one"),
                format!("show it, or define it as a metric: `metric x = {name}(…)`"),
            ),
            Lowering::Sessions => cx.error_help(
                Code::WrongKind,
                span,
                format!("`{name}` makes an event, a value is needed here"),
                "declare it, `event visits = sessions(views, 30 minutes)`, and take its history: `count(visits)`",
            ),
            _ => return None,
        })
    }

    /// `gap(e)`: the time since the entity's row of e before this one.
    fn gap(&mut self, cx: &mut Cx<'_>, args: &[Argument], span: Span) -> Option<Row> {
        let (args, chosen) = with_subject(cx, "gap", args)?;
        let [Some(event)] = args.iter().map(plain).collect::<Vec<_>>()[..] else {
            plain_arguments(cx, usage("gap"), &args, (1, 1), span)?;
            return None;
        };
        let set = event_of(cx, "gap", event)?;
        let own = self.focus.is_none() && self.set.names.contains(&set.names[0]);
        if !own {
            let help = format!("take one of its history, such as `median(gap({}))`", set.name);
            let message = format!("`gap({})` is a value of the rows of `{0}`, here are other rows", set.name);
            return cx.error_help(Code::NoRow, span, message, help);
        }
        self.dated(cx, span, "a gap lies between two moments")?;
        let (subject, key) = self.subject(cx, &set, chosen.as_deref(), span)?;
        let at = || Row { unit: Unit::of(Kind::Time), node: RowNode::At };
        let history = History {
            events: set.events(),
            filter: None,
            measure: Measure::Last(at()),
            key,
            subject,
            over: Reach::AllTime,
            before: true,
        };
        let before = Row { unit: Unit::of(Kind::Time), node: RowNode::History(Box::new(history)) };
        Some(Row::call(Op::Elapsed, vec![at(), before], Unit::of(Kind::Duration)))
    }

    /// `lifecycle(e, grain)`: what the entity is by its rows of e in this period and the one before.
    fn lifecycle(&mut self, cx: &mut Cx<'_>, args: &[Argument], span: Span) -> Option<Row> {
        let (args, chosen) = with_subject(cx, "lifecycle", args)?;
        let [Some(event), Some(grain)] = args.iter().map(plain).collect::<Vec<_>>()[..] else {
            plain_arguments(cx, usage("lifecycle"), &args, (2, 2), span)?;
            return None;
        };
        let set = event_of(cx, "lifecycle", event)?;
        let grain = grain_word(cx, &grain.value)?;
        if self.focus.is_none() && matches!(self.set.base, BaseDecl::Stream(_)) {
            let who = self.set.roles().first().map_or("customer".to_string(), |r| r.name.clone());
            return cx.error_help(
                Code::WrongKind,
                span,
                format!("`lifecycle` labels entities, and `{}` is an event", self.set.name),
                format!("write `count({who}) by {}`", kepi_syntax::expr_text(&call_text("lifecycle", &args, span))),
            );
        }
        let (of, key) = self.subject(cx, &set, chosen.as_deref(), span)?;
        let rows = Keyed { events: set.events(), key };
        let node = RowNode::Lifecycle { rows: Box::new(rows), of: Box::new(of), grain };
        Some(Row { unit: Unit::of(Kind::Text), node })
    }

    /// A field of an event that a call makes, where the rows here are of that event.
    pub(super) fn field_of(&mut self, cx: &mut Cx<'_>, of: &Expr, name: &Name, whole: &Expr) -> Option<Option<Row>> {
        let set = match events::made_by(cx, of)? {
            Some(set) => set,
            None => return Some(None),
        };
        if self.focus.is_some() || !self.set.names.contains(&set.names[0]) {
            let text = kepi_syntax::expr_text(whole);
            return Some(cx.error_help(
                Code::FieldLacking,
                whole.span,
                format!("`{text}` is of `{}`, the rows here are others", set.name),
                format!("an aggregate looks into its history, such as `last({text})`"),
            ));
        }
        let path = Path { parts: vec![name.clone()], span: name.span };
        Some(self.event_path(cx, &path))
    }

    /// The further step of a chain that a name means.
    pub(super) fn step_named(&self, full: &str) -> Option<usize> {
        let steps = &self.set.steps;
        let exactly = steps.iter().position(|step| step.names.first().is_some_and(|n| n == full));
        exactly.or_else(|| steps.iter().position(|step| step.names.iter().any(|n| n == full)))
    }

    /// `wins.owner` over a chain: a value of the row that served that step.
    pub(super) fn step_path(&mut self, cx: &mut Cx<'_>, path: &Path, full: &str, used: usize) -> Option<Row> {
        let step = self.step_named(full)?;
        let set = &self.set.steps[step];
        let inner = Path { parts: path.parts[used..].to_vec(), span: path.span };
        let mut scope = RowScope::of(set);
        let row = scope.event_path(cx, &inner)?;
        let owner = &set.names[0];
        self.see(path, "field", &format!("{owner}.{}", names::text(&inner)), &names::text(path));
        Some(Row { unit: row.unit.clone(), node: RowNode::Step { step: step + 1, of: Box::new(row) } })
    }
}

/// `sessions(e, gap)`: an event per session, with `length` and `count`.
pub(super) fn sessions(cx: &mut Cx<'_>, args: &[Argument], span: Span) -> Option<EventSet> {
    let (args, chosen) = with_subject(cx, "sessions", args)?;
    let usage = usage("sessions");
    let [first, second] = args.as_slice() else {
        let message = format!("{} given, {} needed", counted(args.len()), needed((2, 2)));
        let help = format!("it is written as `{usage}`, such as `sessions(views, 30 minutes)`");
        return cx.error_help(Code::Arguments, span, message, help);
    };
    let (Some(rows), Some(gap)) = (plain(first), plain(second)) else {
        return cx.error_help(
            Code::Arguments,
            span,
            "`sessions` takes one event and a gap",
            format!("it is written as `{usage}`"),
        );
    };
    let set = dated_event(cx, "sessions", rows)?;
    let gap = length(cx, "sessions", &gap.value)?;
    let role = subject_of(cx, &set, chosen.as_deref(), span)?;
    let made = Made::Sessions { events: set.events(), key: set.role_row(&role), gap };
    let extra = vec![
        Extra { name: "length", field: LENGTH, unit: Unit::of(Kind::Duration) },
        Extra { name: "count", field: COUNT, unit: Unit::of(Kind::Count) },
    ];
    let text = kepi_syntax::expr_text(&call_text("sessions", &args, span));
    Some(set.made_into(text, made, extra))
}

/// The arguments without `per: customer`, and who is chosen by it.
pub(super) fn with_subject(cx: &mut Cx<'_>, name: &str, args: &[Argument]) -> Option<(Vec<Argument>, Option<String>)> {
    let mut rest = Vec::new();
    let mut chosen = None;
    for arg in args {
        match arg {
            Argument::Named { name: given, value: NamedValue::Word(word) } if given.text == "per" => {
                chosen = Some(word.text.clone());
            }
            Argument::Named { name: given, .. } => {
                let message = format!("`{name}` takes no argument `{}`", given.text);
                return cx.error_help(
                    Code::Arguments,
                    given.span,
                    message,
                    format!("it is written as `{}`", usage(name)),
                );
            }
            Argument::Within(value) => {
                let message = format!("`{name}` takes no `within`");
                return cx.error_help(
                    Code::Arguments,
                    value.span,
                    message,
                    format!("it is written as `{}`", usage(name)),
                );
            }
            Argument::Plain(_) => rest.push(arg.clone()),
        }
    }
    Some((rest, chosen))
}

/// The entity that something runs over: the one chosen, else the subject.
fn subject_of(cx: &mut Cx<'_>, set: &EventSet, chosen: Option<&str>, span: Span) -> Option<RoleDecl> {
    let roles = set.roles();
    match chosen {
        Some(word) => match roles.iter().find(|r| r.is_called(word)) {
            Some(role) => Some(role.clone()),
            None => {
                let message = format!("`{}` has no entity `{word}`", set.name);
                cx.error_help(Code::NoSubject, span, message, format!("it is of {}", listed_owned(&roles)))
            }
        },
        None => match roles.first() {
            Some(role) => Some(role.clone()),
            None => cx.error(Code::NoSubject, span, format!("`{}` is of no entity", set.name)),
        },
    }
}

/// The rows of an event that is written as a value.
///
/// One that is made on the spot (`orders where kind = "x"`) is known by its text, as a name would be.
pub(super) fn event_of(cx: &mut Cx<'_>, function: &str, scoped: &Scoped) -> Option<EventSet> {
    let mut set = dated_event(cx, function, scoped)?;
    if scoped.filter.is_some() || !matches!(scoped.value.kind, ExprKind::Path(_)) {
        set.names.insert(0, kepi_syntax::scoped_text(scoped));
    }
    Some(set)
}

/// The rows of an event that has a moment.
pub(super) fn dated_event(cx: &mut Cx<'_>, function: &str, scoped: &Scoped) -> Option<EventSet> {
    let set = events::of_scoped(cx, scoped)?;
    if matches!(set.base, BaseDecl::Entity(_)) && set.made.is_none() {
        return cx.error_help(
            Code::WrongKind,
            scoped.value.span,
            format!("`{}` is an entity, `{function}` needs an event", set.name),
            format!("it is written as `{}`", usage(function)),
        );
    }
    if !set.is_dated() {
        let message = format!("`{}` is undated: nothing of it comes before or after", set.name);
        return cx.error_help(Code::Undated, scoped.value.span, message, "declare the event with `at`");
    }
    Some(set)
}

/// A length of time by the calendar, longer than nothing.
pub(super) fn length(cx: &mut Cx<'_>, function: &str, value: &Expr) -> Option<CalendarSpan> {
    let lowered: Formula = expr::lower(cx, &mut CellScope::alone(), value)?;
    let example = functions::find(function).map_or("", |f| f.example);
    let help = format!("write a whole number with a unit, such as `{example}`");
    match lowered.as_constant() {
        Some(Value::Span(span)) if span.months > 0 || span.days > 0 || span.micros > 0 => Some(*span),
        Some(Value::Span(_)) => {
            cx.error_help(Code::TypeMismatch, value.span, format!("`{function}` needs a length of time above 0"), help)
        }
        Some(Value::Float(_)) if lowered.unit.kind == Kind::Duration => cx.error_help(
            Code::TypeMismatch,
            value.span,
            "lengths of time are whole units here",
            "write it in smaller units, such as `36 hours` for `1.5 days`",
        ),
        _ => {
            let message = format!("`{function}` needs a length of time, this is {}", lowered.unit);
            cx.error_help(Code::TypeMismatch, value.span, message, help)
        }
    }
}

/// How a function is written.
pub(super) fn usage(name: &str) -> &'static str {
    functions::find(name).map_or("", |f| f.usage)
}

/// A call as a tree, to be written out.
pub(super) fn call_text(name: &str, args: &[Argument], span: Span) -> Expr {
    let function = Path { parts: vec![Name { text: name.to_string(), span }], span };
    Expr { kind: ExprKind::Call { function, arguments: args.to_vec() }, span }
}
