//! Retention: who of a cohort comes back, as a table or as the share at one age.

use super::cell::{CellScope, Wanted};
use super::chain::{ChainArguments, keyed, shared_subject};
use super::events::EventSet;
use super::grain::grain_word;
use super::state::needs_a_cell;
use super::{Cx, Node, behaviour, expr};
use crate::calendar::{Grain, TimeUnit, Zone, span_of, unit_name};
use crate::core::{
    AGE, Aging, COHORT, Formula, FormulaNode, Held, Made, Measure, Move, Op, Returns, Row, RowNode, Shape, Stage,
};
use crate::declared::RoleDecl;
use crate::names;
use crate::value::{CalendarSpan, Kind, Unit, Value};
use kepi_syntax::ast::{Argument, Expr, ExprKind};
use kepi_syntax::{Code, Span};

const OPTIONS: &[&str] = &["period", "mode", "clock", "brackets", "at_least", "where", "hold", "age", "per"];

/// The columns of the table beside its labels `cohort` and `age`.
pub(super) const COLUMNS: [&str; 3] = ["size", "returned", "rate"];

/// What a retention's arguments say.
struct Retention {
    set: EventSet,
    grain: Grain,
    own_clock: bool,
    onward: bool,
    brackets: Vec<i64>,
    age: Option<i64>,
    /// Whether the query's conditions were asked of the rows of the first event: a member is the first that meets them.
    asked: bool,
}

/// Whether a call of `retention` is a number: it says an age.
pub(super) fn is_number(args: &[Argument]) -> bool {
    args.iter().any(|arg| matches!(arg, Argument::Named { name, .. } if name.text == "age"))
}

fn read(scope: &mut CellScope<'_>, cx: &mut Cx<'_>, args: &[Argument], span: Span) -> Option<Retention> {
    let chain = ChainArguments::read(cx, "retention", args, OPTIONS, span)?;
    let [start, back] = chain.steps.as_slice() else {
        return cx.error_help(
            Code::Arguments,
            span,
            "retention has two events: the one that makes the group, and the one that counts as coming back",
            "write `retention(new_customers -> orders, period: month)`; both may be the same",
        );
    };
    chain.nothing_forbidden(cx, "retention")?;
    let grain = match chain.value("period") {
        Some(word) => grain_word(cx, &word),
        None => cx.error_help(
            Code::Arguments,
            span,
            "retention needs the periods that it counts",
            "write `period: month`, or day, week, quarter, year",
        ),
    };
    let own_clock = chain.word(cx, "clock", &[("calendar", false), ("own", true)], false);
    let onward = chain.word(cx, "mode", &[("exact", false), ("onward", true)], false);
    let brackets = match chain.value("brackets") {
        None => Some(Vec::new()),
        Some(value) => brackets(cx, &value),
    };
    let at_least = match chain.value("at_least") {
        None => Some(1),
        Some(value) => at_least(cx, &value),
    };
    let start = behaviour::dated_event(cx, "retention", start);
    let back = behaviour::dated_event(cx, "retention", back);
    let (start, back, grain, brackets, at_least) = (start?, back?, grain?, brackets?, at_least?);
    let hold = match &chain.holds(cx, &[start.clone(), back.clone()])?[..] {
        [Some(start), Some(back)] => Some(Held { start: start.clone(), back: back.clone() }),
        _ => None,
    };
    let age = match chain.value("age") {
        None => None,
        Some(value) => Some(age(cx, &value, &brackets)?),
    };
    let (own_clock, onward) = (own_clock?, onward?);
    let of_a_year = matches!(grain.unit, TimeUnit::Quarter | TimeUnit::Year | TimeUnit::Month) && grain.year_start != 1;
    if own_clock && (of_a_year || grain.table.is_some()) {
        // Each entity's own quarters do not follow anybody's year.
        return cx.error_help(
            Code::WrongKind,
            span,
            format!("with a clock of its own nobody has {}s", grain.name()),
            format!("leave the calendar out: `period: {}`", unit_name(grain.unit)),
        );
    }
    let roles = shared_subject(cx, &[&start, &back], chain.chosen().as_deref(), span)?;
    let mut members = start.clone();
    let asked = asked(scope, cx, &start, &roles[0], span)?;
    let is_asked = asked.is_some();
    members.stages.extend(asked.map(Stage::Where));
    let returns = Returns {
        start: keyed(&members, &roles[0]),
        back: keyed(&back, &roles[1]),
        grain: grain.clone(),
        own_clock,
        onward,
        brackets: brackets.clone(),
        hold,
        at_least,
        asked: is_asked,
    };
    let text = format!("retention({} -> {})", start.name, back.name);
    let mut set = start.made_into(text, Made::Returns(Box::new(returns)), Vec::new());
    // A message speaks of the first event: its names are meant by bare ones.
    set.name = start.name.clone();
    Some(Retention { set, grain, own_clock, onward, brackets, age, asked: is_asked })
}

/// The query's conditions, where they say which row of an entity makes it a member: of several in a period the first that
/// meets them. Where it has but one at most, they may as well be asked of the members.
fn asked(
    scope: &mut CellScope<'_>,
    cx: &mut Cx<'_>,
    start: &EventSet,
    subject: &RoleDecl,
    span: Span,
) -> Option<Option<Row>> {
    if start.once.as_ref() == Some(&subject.entity) {
        return Some(None);
    }
    let asked = scope.asked(cx, start)?;
    if asked.as_ref().is_some_and(needs_a_cell) {
        return cx.error_help(
            Code::NotYet,
            scope.filter.map_or(span, |filter| filter.span),
            format!(
                "who of `{}` begins a cohort would be another one in every period: the condition uses `over period`, \
                 `opening` or the like",
                start.name
            ),
            format!(
                "look back with `over last 90 days` or `over all time`, or begin with an event that nobody has twice, \
                 such as `first({}) per {}`",
                start.name,
                names::bare(&subject.name)
            ),
        );
    }
    Some(asked)
}

/// `brackets: [1, 3, 7]`: where each ends, in periods.
fn brackets(cx: &mut Cx<'_>, value: &Expr) -> Option<Vec<i64>> {
    let wrong = |cx: &mut Cx<'_>, span| {
        cx.error_help(
            Code::Arguments,
            span,
            "brackets are whole numbers from 1 on, each greater than the one before",
            "write `brackets: [1, 3, 7]`: period 1, periods 2 and 3, periods 4 to 7",
        )
    };
    let ExprKind::List(items) = &value.kind else { return wrong(cx, value.span) };
    let mut ends: Vec<i64> = Vec::new();
    for item in items {
        match whole(item) {
            Some(end) if end > ends.last().copied().unwrap_or(0) => ends.push(end),
            _ => return wrong(cx, item.span),
        }
    }
    if ends.is_empty() { wrong(cx, value.span) } else { Some(ends) }
}

fn age(cx: &mut Cx<'_>, value: &Expr, brackets: &[i64]) -> Option<i64> {
    let found: Option<Formula> = expr::lower(cx, &mut CellScope::alone(), value);
    let found = match found?.as_constant() {
        Some(Value::Decimal { digits, scale: 0 }) => i64::try_from(*digits).ok().filter(|n| (0..=100_000).contains(n)),
        _ => None,
    };
    match found {
        Some(age) if brackets.is_empty() || age <= brackets.len() as i64 => Some(age),
        Some(_) => {
            let message = format!("there are {} brackets", brackets.len());
            cx.error_help(Code::Arguments, value.span, message, "with brackets, the age is the number of one, from 1")
        }
        None => cx.error_help(
            Code::Arguments,
            value.span,
            "the age is the number of a period: a whole number, 0 for the group itself",
            "write `age: 1` for the period after that of the cohort",
        ),
    }
}

/// `at_least: 2`: how often in a period.
fn at_least(cx: &mut Cx<'_>, value: &Expr) -> Option<u32> {
    match whole(value).and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0) {
        Some(count) => Some(count),
        None => cx.error_help(
            Code::Arguments,
            value.span,
            "`at_least` is how often somebody must be back in a period: a whole number from 1 on",
            "write `at_least: 2` for those who are back twice or more often in it",
        ),
    }
}

fn whole(value: &Expr) -> Option<i64> {
    match &value.kind {
        ExprKind::Quantity { number, unit: None } => {
            kepi_syntax::decimal(number).filter(|(_, scale)| *scale == 0).and_then(|(n, _)| i64::try_from(n).ok())
        }
        _ => None,
    }
}

fn age_row() -> Row {
    Row { unit: Unit::of(Kind::Number), node: RowNode::Field(AGE.to_string()) }
}

fn cohort_row() -> Row {
    Row { unit: Unit::of(Kind::Time), node: RowNode::Field(COHORT.to_string()) }
}

/// The row that stands for the member itself.
fn is_member() -> Row {
    Row::call(Op::IsMissing, vec![age_row()], Unit::of(Kind::Bool))
}

impl CellScope<'_> {
    /// `retention(a -> b, period: month, age: 1)`: the share back at that age, dated by the cohort.
    pub(super) fn retention_at(&mut self, cx: &mut Cx<'_>, args: &[Argument], span: Span) -> Option<Formula> {
        let found = read(self, cx, args, span)?;
        match found.asked {
            true => self.without_conditions(|scope| scope.share_at(cx, &found, span)),
            false => self.share_at(cx, &found, span),
        }
    }

    fn share_at(&mut self, cx: &mut Cx<'_>, found: &Retention, span: Span) -> Option<Formula> {
        let age = found.age?;
        // Whether a label is the cohort shows when the labels are read.
        self.read(cx, &found.set, None)?;
        let (old, aging) = self.old_enough(cx, found, age);
        let text = |what: &str| format!("{what} of {}", found.set.names[0]);
        let and = |a: Row, b: Row| Row::call(Op::And, vec![a, b], Unit::of(Kind::Bool));
        let mut counted = |cx: &mut Cx<'_>, own: Row, text: String| {
            let wanted = Wanted::of(text, Some(own), Measure::Count, Unit::of(Kind::Count));
            self.add(cx, &found.set, Wanted { aging: aging.clone(), ..wanted }, span)
        };
        let size = counted(cx, and(is_member(), old.clone()), text("the group"));
        if age == 0 {
            let size = size?;
            return Some(Formula::call(Op::Divide, vec![size.clone(), size], Unit::of(Kind::Percent)));
        }
        let number = Row::constant(Value::Decimal { digits: age.into(), scale: 0 }, Unit::of(Kind::Number));
        let op = if found.onward { Op::GreaterEqual } else { Op::Equal };
        let at_age = Row::call(op, vec![age_row(), number], Unit::of(Kind::Bool));
        let back = counted(cx, and(at_age, old), text("who came back"));
        Some(Formula::call(Op::Divide, vec![back?, size?], Unit::of(Kind::Percent)))
    }

    /// Which members are old enough for an age: its period is over at `now`. Where every cell is one cohort, it is
    /// enough that it has begun: such a cell is seen as it is so far, and a total leaves it out.
    fn old_enough(&self, cx: &Cx<'_>, found: &Retention, age: i64) -> (Row, Option<Aging>) {
        let label = self.labels.iter().position(|label| {
            let grain = label.as_ref().and_then(|(_, grain)| grain.as_ref());
            grain == Some(&found.grain)
        });
        // A window that ends elsewhere may have several cohorts.
        let one_period = self.moved.iter().all(|next| matches!(next, Move::Prior(_)));
        let period = one_period && self.per.as_ref().is_some_and(|per| lies_in(per, &found.grain));
        let last = if age == 0 {
            0
        } else {
            usize::try_from(age - 1).ok().and_then(|i| found.brackets.get(i)).copied().unwrap_or(age)
        };
        let first = match usize::try_from(age - 2).ok().and_then(|i| found.brackets.get(i)) {
            Some(end) => end + 1,
            None if found.brackets.is_empty() => age,
            None => age.min(1),
        };
        let whole = since_start(cx, found, last + 1);
        if !period && label.is_none() {
            return (whole, None);
        }
        let (grain, own_clock) = (found.grain.clone(), found.own_clock);
        let label = label.filter(|_| !period);
        (since_start(cx, found, first), Some(Aging { label, grain, own_clock, periods: last + 1, whole }))
    }

    /// `retention(a -> b, period: month)`: the table by cohort and age.
    pub(super) fn retention(
        &mut self,
        cx: &mut Cx<'_>,
        args: &[Argument],
        span: Span,
    ) -> Option<(Shape, Vec<Formula>)> {
        let found = read(self, cx, args, span)?;
        match found.asked {
            true => self.without_conditions(|scope| scope.ages(cx, found, span)),
            false => self.ages(cx, found, span),
        }
    }

    fn ages(&mut self, cx: &mut Cx<'_>, found: Retention, span: Span) -> Option<(Shape, Vec<Formula>)> {
        let cohort = self.labels.len();
        let age = cohort + 1;
        self.add_label("cohort", cohort_row(), Some(found.grain.clone()));
        self.add_label("age", age_row(), None);
        let outer = std::mem::replace(&mut self.across, vec![age]);
        let text = |what: &str| format!("{what} of {}", found.set.names[0]);
        let count = |own, text| Wanted::of(text, Some(own), Measure::Count, Unit::of(Kind::Count));
        let size = self.add(cx, &found.set, count(is_member(), text("the group")), span);
        self.across = outer;
        let known = Row::call(Op::Not, vec![is_member()], Unit::of(Kind::Bool));
        let returned = self.add(cx, &found.set, count(known, text("who came back")), span);
        let (size, returned) = (size?, returned?);
        let rate = Formula::call(Op::Divide, vec![returned.clone(), size.clone()], Unit::of(Kind::Percent));
        let (FormulaNode::Aggregate(of_size), FormulaNode::Aggregate(of_returned)) = (&size.node, &returned.node)
        else {
            return None;
        };
        let shape = Shape::Ages {
            cohort,
            age,
            size: *of_size,
            returned: *of_returned,
            grain: found.grain,
            own_clock: found.own_clock,
            onward: found.onward,
            brackets: found.brackets,
        };
        Some((shape, vec![size, returned, rate]))
    }
}

/// The members that began so many periods ago.
fn since_start(cx: &Cx<'_>, found: &Retention, periods: i64) -> Row {
    if found.grain.table.is_some() {
        // Periods of a table have no length of their own: they are counted back from the one that runs.
        let zone = Zone::named(&cx.catalog.settings.zone).unwrap_or_else(Zone::utc);
        let last = zone.step(&found.grain, zone.truncate(&found.grain, cx.now), -periods);
        let last = Row::constant(Value::Time(last), Unit::of(Kind::Time));
        return Row::call(Op::LessEqual, vec![cohort_row(), last], Unit::of(Kind::Bool));
    }
    let length = span_of(periods, found.grain.unit).unwrap_or(CalendarSpan { months: i32::MAX, days: 0, micros: 0 });
    let from = if found.own_clock { Row { unit: Unit::of(Kind::Time), node: RowNode::At } } else { cohort_row() };
    let moved = Row::call(Op::AddSpan(length), vec![from], Unit::of(Kind::Time));
    let now = Row::constant(Value::Time(cx.now), Unit::of(Kind::Time));
    Row::call(Op::LessEqual, vec![moved, now], Unit::of(Kind::Bool))
}

/// Whether each period of the first grain lies in one of the second.
fn lies_in(inner: &Grain, outer: &Grain) -> bool {
    if inner == outer || inner.unit < TimeUnit::Day {
        return inner == outer || inner.unit <= outer.unit;
    }
    match (inner.unit, outer.unit) {
        (TimeUnit::Day, unit) => unit >= TimeUnit::Day,
        // Nobody but the table knows how its periods lie.
        _ if inner.table.is_some() || outer.table.is_some() => false,
        (TimeUnit::Month, TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year) => true,
        (TimeUnit::Quarter, TimeUnit::Quarter | TimeUnit::Year) => (inner.year_start - outer.year_start) % 3 == 0,
        (TimeUnit::Year, TimeUnit::Year) => inner.year_start == outer.year_start,
        _ => false,
    }
}
