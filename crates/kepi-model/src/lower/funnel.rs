//! Funnels and conversions: the numbers that are taken of a chain's attempts.

use super::cell::{CellScope, Wanted};
use super::chain::{Attempts, ChainArguments};
use super::events::EventSet;
use super::groups::stored;
use super::{Cx, Node};
use crate::core::{
    Aggregate, Base, CONVERTED, ChainOrder, Events, Formula, FormulaNode, Groups, LABEL, Label, Made, Measure, Op,
    REACHED, Row, RowNode, VALUE,
};
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::Argument;
use kepi_syntax::{Code, Span};

/// The columns of a funnel's table.
pub(super) const COLUMNS: [&str; 5] = ["reached", "rate", "step_rate", "mean_time", "median_time"];

const OPTIONS: &[&str] = &["within", "each", "edge", "order", "among", "where", "hold", "entry", "exclude", "per"];

/// Which attempts of an entity count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Best,
    First,
    Every,
}

/// A funnel: its steps and, step by step, its columns.
pub(super) struct Funnel {
    pub(super) steps: Vec<String>,
    pub(super) formulas: Vec<Vec<Formula>>,
}

impl CellScope<'_> {
    /// `conversion(a -> b, within 90 days)`: the share of first-step events with a conversion credited to them.
    pub(super) fn conversion(&mut self, cx: &mut Cx<'_>, args: &[Argument], span: Span) -> Option<Formula> {
        let options = ["within", "each", "edge", "order", "among", "where", "hold", "credit", "exclude", "per"];
        let chain = ChainArguments::read(cx, "conversion", args, &options, span)?;
        if chain.steps.len() < 2 {
            return cx.error_help(
                Code::Arguments,
                span,
                "a conversion goes from one event to another",
                "write both, such as `conversion(leads -> wins, within 90 days)`",
            );
        }
        let attempts = chain.attempts(cx, "conversion")?;
        let converted = Row { unit: Unit::of(Kind::Bool), node: RowNode::Field(CONVERTED.to_string()) };
        let text = format!("count(attempts of {})", attempts.names.join(" -> "));
        let won = format!("{} where converted)", text.trim_end_matches(')'));
        let part = self.counted(cx, &attempts.set, Some(converted), won, span);
        let all = self.counted(cx, &attempts.set, None, text, span);
        Some(Formula::call(Op::Divide, vec![part?, all?], Unit::of(Kind::Percent)))
    }

    pub(super) fn counted(
        &mut self,
        cx: &mut Cx<'_>,
        set: &EventSet,
        own: Option<Row>,
        text: String,
        span: Span,
    ) -> Option<Formula> {
        self.add(cx, set, Wanted::of(text, own, Measure::Count, Unit::of(Kind::Count)), span)
    }

    /// `funnel(a -> b -> c, …)`.
    pub(super) fn funnel(&mut self, cx: &mut Cx<'_>, args: &[Argument], span: Span) -> Option<Funnel> {
        let chain = ChainArguments::read(cx, "funnel", args, OPTIONS, span)?;
        let entries = [("best", Entry::Best), ("first", Entry::First), ("every", Entry::Every)];
        let entry = chain.word(cx, "entry", &entries, Entry::Best);
        let attempts = chain.attempts(cx, "funnel")?;
        let (entry, count) = (entry?, attempts.names.len());
        let mut formulas: Vec<Vec<Formula>> = Vec::new();
        for step in 1..=count {
            let reached = self.reached(cx, &attempts, entry, step, span)?;
            let before = formulas.last().map_or(&reached, |f| &f[0]).clone();
            let entered = formulas.first().map_or(&reached, |f| &f[0]).clone();
            let of = |whole| Formula::call(Op::Divide, vec![reached.clone(), whole], Unit::of(Kind::Percent));
            let (rate, step_rate) = (of(entered), of(before));
            let (mean, median) = match step {
                1 => {
                    let none = Formula::constant(Value::Missing, Unit::of(Kind::Duration));
                    (none.clone(), none)
                }
                _ => self.times(cx, &attempts, entry, step, span)?,
            };
            formulas.push(vec![reached, rate, step_rate, mean, median]);
        }
        Some(Funnel { steps: attempts.names, formulas })
    }

    /// How many reached a step.
    fn reached(
        &mut self,
        cx: &mut Cx<'_>,
        attempts: &Attempts,
        entry: Entry,
        step: usize,
        span: Span,
    ) -> Option<Formula> {
        // One step makes no chain: its rows are the attempts.
        let alone = attempts.names.len() == 1;
        let far = (step > 1).then(|| at_least(REACHED, step));
        let text = format!("reached {}", attempts.names[step - 1]);
        match entry {
            Entry::Best => {
                let subject = attempts.set.role_row(&attempts.subject);
                let unit = Unit::of(Kind::Count);
                self.add(cx, &attempts.set, Wanted::of(text, far, Measure::Unique(subject), unit), span)
            }
            Entry::Every if alone => {
                let who = attempts.set.role_row(&attempts.subject);
                let unknown = Row::call(Op::IsMissing, vec![who], Unit::of(Kind::Bool));
                let known = Row::call(Op::Not, vec![unknown], Unit::of(Kind::Bool));
                self.counted(cx, &attempts.set, Some(known), text, span)
            }
            Entry::Every => self.counted(cx, &attempts.set, far, text, span),
            Entry::First => {
                let value = if alone { constant(1) } else { field(REACHED, Kind::Count) };
                let of = Measure::Best { of: value, rank: constant(1) };
                let first = "how far the first attempt got".to_string();
                let groups = self.per_entity(cx, attempts, None, (of, first), Unit::of(Kind::Count))?;
                let far = (step > 1).then(|| at_least(VALUE, step));
                Some(self.of_groups(groups, far, Measure::Count, Unit::of(Kind::Count), text))
            }
        }
    }

    /// The mean and the median time to a step: from the step before, in a chain of any order from the first.
    fn times(
        &mut self,
        cx: &mut Cx<'_>,
        attempts: &Attempts,
        entry: Entry,
        step: usize,
        span: Span,
    ) -> Option<(Formula, Formula)> {
        let duration = Unit::of(Kind::Duration);
        let from = if attempts.order == ChainOrder::Any { 1 } else { step - 1 };
        // Where any step may be the first, the first, the second … of them stand behind the row that begins.
        let ahead = usize::from(attempts.order == ChainOrder::Free);
        let time = Row::call(Op::Elapsed, vec![moment(step + ahead), moment(from + ahead)], duration.clone());
        let text = |word: &str| format!("{word} time to {}", attempts.names[step - 1]);
        let measures = |row: Row| {
            let median = Measure::Percentile { of: row.clone(), percent: 50.0, observed: false };
            [(Measure::Avg(row), text("mean")), (median, text("median"))]
        };
        let mut made = Vec::new();
        if entry == Entry::Every {
            for (measure, text) in measures(time) {
                // Who lacks the step has no time, and takes no part.
                let wanted = Wanted::of(text, None, measure, duration.clone());
                made.push(self.add(cx, &attempts.set, wanted, span)?);
            }
        } else {
            let rank = if entry == Entry::Best { field(REACHED, Kind::Count) } else { constant(1) };
            let of = Measure::Best { of: time, rank };
            let which = if entry == Entry::Best { "that got furthest" } else { "that came first" };
            let before = &attempts.names[from - 1];
            let text = format!("the time from {before} to {} in the attempt {which}", attempts.names[step - 1]);
            // Whose best attempt does not get so far has no time; in a chain of any order one may have the step that
            // reaches no more than others do.
            let in_order = !matches!(attempts.order, ChainOrder::Any | ChainOrder::Free);
            let far = (entry == Entry::Best && in_order).then(|| at_least(REACHED, step));
            let groups = self.per_entity(cx, attempts, far, (of, text), duration.clone())?;
            for (measure, text) in measures(field(VALUE, Kind::Duration)) {
                made.push(self.of_groups(groups.clone(), None, measure, duration.clone(), text));
            }
        }
        let median = made.pop()?;
        Some((made.pop()?, median))
    }

    /// One value per entity in each cell, of its attempts that get far enough, as the rows of groups; with the labels
    /// that each has.
    fn per_entity(
        &mut self,
        cx: &mut Cx<'_>,
        attempts: &Attempts,
        far: Option<Row>,
        (measure, text): (Measure, String),
        unit: Unit,
    ) -> Option<(Groups, Vec<Row>)> {
        let (set, subject) = (&attempts.set, &attempts.subject);
        let (filter, mut labels) = self.read(cx, set, far)?;
        let outer = labels.iter().enumerate().map(|(index, row)| stored(LABEL, index, &row.unit)).collect();
        let who = set.role_row(subject);
        // An event without its entity takes no part in chains.
        let known = Row::call(Op::IsMissing, vec![who.clone()], Unit::of(Kind::Bool));
        let known = Row::call(Op::Not, vec![known], Unit::of(Kind::Bool));
        let filter = match filter {
            Some(filter) => Row::call(Op::And, vec![known, filter], Unit::of(Kind::Bool)),
            None => known,
        };
        labels.push(who.clone());
        let inner = Aggregate {
            text,
            events: set.events(),
            filter: Some(filter),
            measure,
            labels,
            unit: unit.clone(),
            existing: true,
            moved: Vec::new(),
            across: Vec::new(),
            aging: None,
        };
        let groups = Groups {
            keys: vec![Label { name: subject.name.clone(), unit: who.unit, grain: None }],
            per: None,
            aggregates: vec![inner],
            value: Formula { unit, node: FormulaNode::Aggregate(0) },
            existence: Vec::new(),
        };
        Some((groups, outer))
    }

    fn of_groups(
        &mut self,
        (groups, labels): (Groups, Vec<Row>),
        filter: Option<Row>,
        measure: Measure,
        unit: Unit,
        text: String,
    ) -> Formula {
        self.keep(Aggregate {
            text,
            events: Events { base: Base::Made(Box::new(Made::Groups(Box::new(groups)))), stages: Vec::new() },
            filter,
            measure,
            labels,
            unit,
            existing: true,
            moved: self.moved.clone(),
            across: self.across.clone(),
            aging: None,
        })
    }
}

fn field(name: &str, kind: Kind) -> Row {
    Row { unit: Unit::of(kind), node: RowNode::Field(name.to_string()) }
}

fn constant(value: usize) -> Row {
    Row::constant(Value::Decimal { digits: value as i128, scale: 0 }, Unit::of(Kind::Count))
}

fn at_least(name: &str, step: usize) -> Row {
    Row::call(Op::GreaterEqual, vec![field(name, Kind::Count), constant(step)], Unit::of(Kind::Bool))
}

/// The moment of the row that served a step, counted from 1.
fn moment(step: usize) -> Row {
    let at = Row { unit: Unit::of(Kind::Time), node: RowNode::At };
    if step == 1 {
        return at;
    }
    Row { unit: Unit::of(Kind::Time), node: RowNode::Step { step: step - 1, of: Box::new(at) } }
}
