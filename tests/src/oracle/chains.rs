//! Chains of steps: every way that an attempt may take is tried.

use super::calendar::Length;
use super::evaluate::{Here, Scope};
use super::names::{About, dotted};
use super::{Oracle, OracleRow, Value};
use kepi_syntax::ast::{Argument, BinaryOp, Chain, Expr, ExprKind, NamedValue, Scoped};
use std::collections::BTreeSet;
use std::rc::Rc;

/// A first step, and how far it got.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// Its row: that of the first step, which also knows those of the further steps.
    pub(super) row: usize,
    /// The event of the first step.
    pub(super) event: String,
    /// The entity that it is of.
    pub(super) key: String,
    /// When it began.
    pub(super) start: i64,
    /// How many steps it reached, the first included.
    pub(super) reached: usize,
    /// How long each step took: from the one before, in any order from the first.
    pub(super) took: Vec<Option<i64>>,
    /// Whether a conversion is credited to it.
    pub(super) converted: bool,
}

/// What a call says beside its steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    within: Option<Length>,
    /// How long after the step before each step may be.
    each: Option<Length>,
    /// What is asked of the rows of every step.
    asked: Option<Expr>,
    /// Whether the very end of `within` is outside.
    open: bool,
    hold: Option<Expr>,
    order: Option<String>,
    among: Vec<Expr>,
    per: Option<String>,
    pub(super) entry: Option<String>,
    credit: Option<String>,
    exclude: Option<String>,
}

impl Options {
    /// Whether any step may be the first.
    pub(super) fn is_free(&self) -> bool {
        self.order.as_deref() == Some("free")
    }
}

/// What the search from a first step found.
struct Found {
    /// The rows of the best attempt, by step.
    best: Vec<Option<usize>>,
    /// The last rows of all that reach the end.
    lasts: Vec<usize>,
}

impl Found {
    fn add_last(&mut self, row: usize) {
        if !self.lasts.contains(&row) {
            self.lasts.push(row);
        }
    }
}

/// The rows of a step, and what they are.
struct Step {
    event: String,
    rows: Vec<usize>,
    role: String,
    without: Vec<usize>,
    /// All rows of the event that the step names, for a strict order.
    stream: Vec<usize>,
}

/// The steps of one entity.
struct Course<'a> {
    oracle: &'a Oracle,
    steps: Vec<(&'a Step, Vec<usize>, Vec<usize>)>,
    options: &'a Options,
    /// The rows that a strict order goes through, in this order.
    stream: Vec<usize>,
}

impl Oracle {
    /// The chain of a call.
    pub(super) fn chain_of(arguments: &[Argument]) -> Result<&Chain, String> {
        match arguments.first() {
            Some(Argument::Plain(chain)) => Ok(chain),
            _ => Err("a chain begins with its steps".to_string()),
        }
    }

    /// The named arguments of a chain.
    pub(super) fn options(&self, arguments: &[Argument]) -> Result<Options, String> {
        let mut options = Options::default();
        for argument in arguments {
            let (name, value) = match argument {
                Argument::Within(length) => {
                    let length = self.evaluate(length, &Scope::at(Here::Cell))?;
                    let Value::Length(length) = length else { return Err("within a length".to_string()) };
                    options.within = Some(length);
                    continue;
                }
                Argument::Named { name, value } => (&name.text[..], value),
                Argument::Plain(_) => continue,
            };
            let expr = match value {
                NamedValue::Word(word) => Expr {
                    kind: ExprKind::Path(kepi_syntax::ast::Path { parts: vec![word.clone()], span: word.span }),
                    span: word.span,
                },
                NamedValue::Chain(chain) => chain.first.value.clone(),
            };
            let word = match &expr.kind {
                ExprKind::Path(path) => Some(dotted(path)),
                _ => None,
            };
            match name {
                "edge" => options.open = word.as_deref() == Some("open"),
                "hold" => options.hold = Some(expr),
                "where" => options.asked = Some(expr),
                "each" => match self.evaluate(&expr, &Scope::at(Here::Cell))? {
                    Value::Length(length) => options.each = Some(length),
                    _ => return Err("each a length".to_string()),
                },
                "order" => options.order = word,
                "per" => options.per = word,
                "entry" => options.entry = word,
                "credit" => options.credit = word,
                "exclude" => options.exclude = word,
                "among" => match expr.kind {
                    ExprKind::List(items) => options.among.extend(items),
                    _ => options.among.push(expr),
                },
                other => return Err(format!("{other}: is no option of a chain")),
            }
        }
        Ok(options)
    }

    /// All attempts of a chain, in the order of their first steps.
    pub(super) fn attempts_of(&self, arguments: &[Argument]) -> Result<Rc<Vec<Attempt>>, String> {
        let key = format!("{arguments:?}");
        if let Some(known) = self.attempts.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let options = self.options(arguments)?;
        let chain = Self::chain_of(arguments)?;
        let steps = self.steps(chain, &options)?;
        let mut attempts = Vec::new();
        let mut keys: Vec<String> = Vec::new();
        let free = options.is_free();
        for row in steps.iter().take(if free { steps.len() } else { 1 }).flat_map(|step| &step.rows) {
            keys.extend(self.key(*row, &steps[0].role).filter(|key| !keys.contains(key)));
        }
        for key in keys {
            let mine = |rows: &[usize], role: &str| -> Vec<usize> {
                rows.iter().copied().filter(|row| self.key(*row, role).as_deref() == Some(&key)).collect()
            };
            let of = |step| {
                let step: &Step = step;
                (step, mine(&step.rows, &step.role), mine(&step.without, &step.role))
            };
            let mut stream: Vec<usize> = steps.iter().flat_map(|step| mine(&step.stream, &step.role)).collect();
            for among in &options.among {
                let ExprKind::Path(path) = &among.kind else { return Err("among events".to_string()) };
                let role = self.role_in(&dotted(path), &steps[0])?;
                stream.extend(mine(&self.rows_of(&dotted(path))?, &role));
            }
            // Of rows of one moment those of an event come first that the chain names first, each event's in its order.
            let mut seen = BTreeSet::new();
            stream.retain(|row| seen.insert(*row));
            stream.sort_by_key(|row| self.row(*row).time);
            let course = Course { oracle: self, steps: steps.iter().map(of).collect(), options: &options, stream };
            attempts.extend(course.attempts(&key)?);
        }
        attempts.sort_by(|a, b| self.order(a.row, b.row));
        let attempts = Rc::new(attempts);
        self.attempts.borrow_mut().insert(key, Rc::clone(&attempts));
        Ok(attempts)
    }

    fn steps(&self, chain: &Chain, options: &Options) -> Result<Vec<Step>, String> {
        let mut steps: Vec<Step> = Vec::new();
        let links = chain.rest.iter().map(|link| (&link.step, link.without.as_ref()));
        let all: Vec<(&Scoped, Option<&Scoped>)> = std::iter::once((&chain.first, None)).chain(links).collect();
        let mut abouts = Vec::new();
        for (scoped, without) in &all {
            abouts.push(self.names.about(&self.rows_of_scoped(scoped)?.0)?);
            if let Some(without) = without {
                abouts.push(self.names.about(&self.rows_of_scoped(without)?.0)?);
            }
        }
        let entity = match &options.per {
            Some(per) => per.clone(),
            None => common(&abouts)?,
        };
        let role = |event: &str| {
            let about = self.names.about(event)?;
            let found = about.into_iter().find(|about| about.entity == entity);
            found.map(|about| about.role).ok_or_else(|| format!("{event} has no {entity}"))
        };
        for (scoped, without) in all {
            let (event, rows) = self.rows_of_scoped(&asked_too(scoped, options.asked.as_ref()))?;
            let whole = Scoped { filter: None, ..scoped.clone() };
            let role = role(&event)?;
            let without = match without {
                Some(without) => self.rows_of_scoped(without)?.1,
                None => vec![],
            };
            steps.push(Step { event, rows, role, without, stream: self.rows_of_scoped(&whole)?.1 });
        }
        Ok(steps)
    }

    fn role_in(&self, event: &str, like: &Step) -> Result<String, String> {
        let entity = self.names.about(&like.event)?.into_iter().find(|about| about.role == like.role);
        let entity = entity.ok_or("a step of nobody")?.entity;
        let found = self.names.about(event)?.into_iter().find(|about| about.entity == entity);
        found.map(|about| about.role).ok_or_else(|| format!("{event} has no {entity}"))
    }
}

/// An event with one more condition on its rows.
pub(super) fn asked_too(scoped: &Scoped, asked: Option<&Expr>) -> Scoped {
    let filter = match (&scoped.filter, asked) {
        (Some(own), Some(asked)) => Some(Expr {
            kind: ExprKind::Binary { op: BinaryOp::And, left: Box::new(own.clone()), right: Box::new(asked.clone()) },
            span: own.span,
        }),
        (own, asked) => own.as_ref().or(asked).cloned(),
    };
    Scoped { filter, ..scoped.clone() }
}

/// The subject where all events share it, else the one entity that they share.
pub(super) fn common(abouts: &[Vec<About>]) -> Result<String, String> {
    let has = |about: &Vec<About>, entity: &str| about.iter().any(|a| a.entity == entity);
    let first = abouts.first().ok_or("no events")?;
    if let Some(subject) = first.first()
        && abouts.iter().all(|about| about.first().is_some_and(|s| s.entity == subject.entity))
    {
        return Ok(subject.entity.clone());
    }
    let mut shared = first.iter().filter(|one| abouts.iter().all(|about| has(about, &one.entity)));
    match (shared.next(), shared.next()) {
        (Some(one), None) => Ok(one.entity.clone()),
        (None, _) => Err("the events share no entity".to_string()),
        _ => Err("the events share several entities".to_string()),
    }
}

impl Course<'_> {
    fn attempts(&self, key: &str) -> Result<Vec<Attempt>, String> {
        let (first, rows, _) = &self.steps[0];
        let free = self.options.is_free();
        let mut starts: Vec<usize> = if free { Vec::new() } else { rows.clone() };
        for row in self.steps.iter().flat_map(|(_, rows, _)| rows) {
            if free && !starts.contains(row) {
                starts.push(*row);
            }
        }
        let mut attempts = Vec::new();
        // For each last step the first steps that it may be credited to.
        let mut credits: Vec<(usize, Vec<usize>)> = Vec::new();
        for row in &starts {
            if self.time(*row).is_none() {
                continue;
            }
            let mut found = Found { best: vec![Some(*row)], lasts: vec![] };
            match self.options.order.as_deref() {
                Some("any") => self.search_any(*row, &mut found)?,
                Some("free") => self.search_free(*row, &mut found)?,
                _ => self.search(&mut vec![*row], &mut found)?,
            }
            if self.is_dropped(*row, &found)? {
                continue;
            }
            let index = attempts.len();
            let Found { mut best, lasts } = found;
            best.resize(self.steps.len(), None);
            for last in lasts {
                match credits.iter_mut().find(|(known, _)| *known == last) {
                    Some((_, of)) => of.push(index),
                    None => credits.push((last, vec![index])),
                }
            }
            let from = |step: usize| if self.options.order.as_deref() == Some("any") { 0 } else { step - 1 };
            let at = |step: usize| best[step].and_then(|row| self.time(row));
            let took = |step: usize| if step == 0 { None } else { Some(at(step)? - at(from(step))?) };
            #[allow(clippy::type_complexity)] // A step with its rows and those that forbid it, said once.
            let named = |((step, _, _), row): (&(&Step, Vec<usize>, Vec<usize>), &Option<usize>)| {
                let row = row.map_or(Value::Missing, |row| Value::Text(row.to_string()));
                (format!("~step:{}", step.event), row)
            };
            let mut fields = self.oracle.row(*row).fields.clone();
            fields.extend(self.steps.iter().zip(&best).skip(1).map(named));
            attempts.push(Attempt {
                row: self.oracle.add(OracleRow { fields, ..OracleRow::clone(&self.oracle.row(*row)) }),
                event: first.event.clone(),
                key: key.to_string(),
                start: at(0).unwrap_or(0),
                reached: best.iter().flatten().count(),
                took: (0..self.steps.len()).map(took).collect(),
                converted: false,
            });
        }
        for (_, of) in credits {
            // The rows of a step come in order.
            let credited = match self.options.credit.as_deref() {
                None | Some("latest") => of.iter().max(),
                Some("earliest") => of.iter().min(),
                Some(other) => return Err(format!("credit: {other} is not in the oracle")),
            };
            if let Some(index) = credited {
                attempts[*index].converted = true;
            }
        }
        Ok(attempts)
    }

    /// Whether an attempt that stopped before a step does not count: what must not come before it did, in time.
    fn is_dropped(&self, first: usize, found: &Found) -> Result<bool, String> {
        match self.options.exclude.as_deref() {
            None | Some("cut") => return Ok(false),
            Some("drop") => {}
            Some(other) => return Err(format!("exclude: {other} is not in the oracle")),
        }
        let last = found.best.iter().flatten().last().and_then(|row| self.time(*row));
        let Some((_, _, without)) = self.steps.get(found.best.len()) else { return Ok(false) };
        let before = found.best.iter().flatten().last().copied().unwrap_or(first);
        Ok(without.iter().any(|x| self.time(*x) > last && self.is_within(first, *x) && self.is_soon(before, *x)))
    }

    fn time(&self, row: usize) -> Option<i64> {
        self.oracle.row(row).time
    }

    /// Goes on from the rows that serve the first steps, in every way; keeps the first of the longest, and all last
    /// rows of whole chains.
    fn search(&self, path: &mut Vec<usize>, found: &mut Found) -> Result<(), String> {
        if path.len() > found.best.len() {
            found.best = path.iter().copied().map(Some).collect();
        }
        if path.len() == self.steps.len() {
            found.add_last(path[path.len() - 1]);
            return Ok(());
        }
        let (_, rows, _) = &self.steps[path.len()];
        for row in rows {
            if self.may_follow(path, *row)? {
                path.push(*row);
                self.search(path, found)?;
                path.pop();
            }
        }
        Ok(())
    }

    /// Any of the steps that are left may come next; an attempt gets as far as it has steps.
    fn search_any(&self, first: usize, found: &mut Found) -> Result<(), String> {
        let mut all: Vec<Vec<Option<usize>>> = vec![vec![Some(first)]];
        for (step, (_, rows, _)) in self.steps.iter().enumerate().skip(1) {
            let mut longer = Vec::new();
            for so_far in &all {
                for row in rows {
                    let after = self.time(*row) >= self.time(first) && !so_far.contains(&Some(*row));
                    if after && self.is_within(first, *row) && self.holds(first, *row, step)? {
                        longer.push(so_far.iter().copied().chain([Some(*row)]).collect());
                    }
                }
                longer.push(so_far.iter().copied().chain([None]).collect());
            }
            all = longer;
        }
        for one in all {
            let count = |one: &[Option<usize>]| one.iter().flatten().count();
            if count(&one) > count(&found.best) {
                found.best.clone_from(&one);
            }
            if count(&one) < self.steps.len() {
                continue;
            }
            // Each further row of the last moment is one with which all are done.
            let end = one.iter().flatten().map(|row| self.time(*row)).max();
            for row in one.iter().skip(1).flatten().filter(|row| Some(self.time(**row)) == end) {
                found.add_last(*row);
            }
        }
        Ok(())
    }

    /// Any step may be the first: the most steps that have a row of their own from the first row on, and of all such
    /// choices the one whose rows come earliest, in the order of time.
    fn search_free(&self, first: usize, found: &mut Found) -> Result<(), String> {
        let mut all: Vec<Vec<usize>> = vec![vec![]];
        for (step, (_, rows, _)) in self.steps.iter().enumerate() {
            let mut longer = Vec::new();
            for row in rows {
                let after = self.time(*row) >= self.time(first) && self.is_within(first, *row);
                if after && self.holds(first, *row, step)? {
                    let free = all.iter().filter(|so_far| !so_far.contains(row));
                    longer.extend(free.map(|so_far| [&so_far[..], &[*row]].concat()));
                }
            }
            all.extend(longer);
        }
        all.iter_mut().for_each(|one| one.sort_by_key(|row| self.time(*row)));
        let times = |one: &Vec<usize>| one.iter().map(|row| self.time(*row)).collect::<Vec<_>>();
        let best = all.iter().min_by_key(|one| (std::cmp::Reverse(one.len()), times(one)));
        if let Some(best) = best.filter(|best| !best.is_empty()) {
            found.best = best.iter().copied().map(Some).collect();
        }
        Ok(())
    }

    fn may_follow(&self, path: &[usize], row: usize) -> Result<bool, String> {
        let (first, before) = (path[0], path[path.len() - 1]);
        if self.time(row) < self.time(before) || path.contains(&row) || !self.is_within(first, row) {
            return Ok(false);
        }
        if !self.is_soon(before, row) || !self.holds(first, row, path.len())? {
            return Ok(false);
        }
        let (_, _, without) = &self.steps[path.len()];
        let between = |x: &usize| self.time(*x) > self.time(before) && self.time(*x) < self.time(row);
        if without.iter().any(between) {
            return Ok(false);
        }
        match self.options.order.as_deref() {
            None | Some("ordered") => Ok(true),
            Some("later") => Ok(self.time(row) > self.time(before)),
            Some("strict") => {
                let place = |row: usize| self.stream.iter().position(|known| *known == row);
                Ok(place(before).zip(place(row)).is_some_and(|(before, row)| row == before + 1))
            }
            Some(other) => Err(format!("order: {other} is not in the oracle")),
        }
    }

    /// `within` is closed: an event exactly so long after the first is within.
    fn is_within(&self, first: usize, row: usize) -> bool {
        self.is_in(self.options.within, first, row)
    }

    /// So is `each`, from the step before.
    fn is_soon(&self, before: usize, row: usize) -> bool {
        self.is_in(self.options.each, before, row)
    }

    fn is_in(&self, length: Option<Length>, first: usize, row: usize) -> bool {
        match (length, self.time(first), self.time(row)) {
            (None, _, _) => true,
            (Some(length), Some(first), Some(at)) => {
                let end = self.oracle.calendar.add(first, length);
                at < end || at == end && !self.options.open
            }
            _ => false,
        }
    }

    /// Whether the property that is to be held is the same in both rows; missing equals nothing.
    fn holds(&self, first: usize, row: usize, step: usize) -> Result<bool, String> {
        let Some(hold) = &self.options.hold else { return Ok(true) };
        let value = |step: usize, row: usize| {
            let event = self.steps[step].0.event.clone();
            self.oracle.evaluate(hold, &Scope::at(Here::Row { event, row }))
        };
        let (a, b) = (value(0, first)?, value(step, row)?);
        Ok(!a.is_missing() && a.compare(&b, &self.oracle.calendar)? == Some(std::cmp::Ordering::Equal))
    }
}
