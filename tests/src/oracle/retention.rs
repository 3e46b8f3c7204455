//! Retention: cohorts of those who begin, and in which later periods they come back.

use super::calendar::{Grain, Length};
use super::cells::{Asking, Cell, Placed, takes};
use super::chains::{asked_too, common};
use super::evaluate::{Here, Scope};
use super::funnels::share;
use super::{Oracle, Value};
use kepi_syntax::ast::{Argument, Expr, ExprKind, NamedValue, Path, TimeUnit};
use std::cmp::Ordering;
use std::rc::Rc;

/// What a call says.
struct Options {
    grain: Grain,
    onward: bool,
    own: bool,
    brackets: Vec<i64>,
    age: Option<i64>,
    /// What is asked of the rows of both events.
    asked: Option<Expr>,
    /// What must be the same in both.
    hold: Option<Expr>,
    /// How often somebody is back in a period.
    at_least: usize,
}

/// An entity in a cohort.
pub(super) struct Member {
    row: usize,
    event: String,
    /// The moment of its first row in the cohort's period.
    start: i64,
    /// The cohort's first instant.
    cohort: i64,
    /// What it holds; missing equals nothing, but is one member.
    held: Option<Value>,
    /// The periods, from 1, in which it came back often enough.
    back: Vec<i64>,
}

impl Oracle {
    fn retention_options(&self, arguments: &[Argument]) -> Result<Options, String> {
        let grain = self.calendar.ordinary(TimeUnit::Month);
        let mut options = Options {
            grain,
            onward: false,
            own: false,
            brackets: vec![],
            age: None,
            asked: None,
            hold: None,
            at_least: 1,
        };
        let whole = |expr: &Expr| -> Result<i64, String> {
            let value = self.evaluate(expr, &Scope::at(Here::Cell))?;
            let number = value.as_number().ok_or("an age is a number")?.0;
            Ok(number.to_f64() as i64)
        };
        let mut period = false;
        for argument in arguments {
            let Argument::Named { name, value } = argument else { continue };
            let expr = match value {
                NamedValue::Word(word) => {
                    let path = Path { parts: vec![word.clone()], span: word.span };
                    Expr { kind: ExprKind::Path(path), span: word.span }
                }
                NamedValue::Chain(chain) => chain.first.value.clone(),
            };
            match (&name.text[..], &expr.kind) {
                ("period", ExprKind::Path(path)) => {
                    options.grain = self.calendar.grain(path).ok_or("retention needs a period")?;
                    period = true;
                }
                ("mode", ExprKind::Path(path)) => options.onward = path.parts[0].text == "onward",
                ("clock", ExprKind::Path(path)) => options.own = path.parts[0].text == "own",
                ("brackets", ExprKind::List(items)) => {
                    options.brackets = items.iter().map(whole).collect::<Result<_, _>>()?;
                }
                ("age", _) => options.age = Some(whole(&expr)?),
                ("at_least", _) => options.at_least = whole(&expr)? as usize,
                ("where", _) => options.asked = Some(expr),
                ("hold", _) => options.hold = Some(expr),
                ("per", _) => {}
                (other, _) => return Err(format!("{other}: is no option of retention")),
            }
        }
        if period { Ok(options) } else { Err("retention needs its period".to_string()) }
    }

    /// The members of all cohorts: an entity is in the cohort of every period in which it begins, with its first row there
    /// that is one of those asked for.
    fn members(
        &self,
        arguments: &[Argument],
        options: &Options,
        is_asked_for: impl Fn(&Here) -> Result<bool, String>,
    ) -> Result<Vec<Member>, String> {
        let chain = Self::chain_of(arguments)?;
        let [link] = &chain.rest[..] else { return Err("retention has two steps".to_string()) };
        let asked = options.asked.as_ref();
        let (event, starts) = self.rows_of_scoped(&asked_too(&chain.first, asked))?;
        let (back_event, backs) = self.rows_of_scoped(&asked_too(&link.step, asked))?;
        let entity = match self.options_per(arguments) {
            Some(per) => per,
            None => common(&[self.names.about(&event)?, self.names.about(&back_event)?])?,
        };
        let role = |event: &str| {
            let found = self.names.about(event)?.into_iter().find(|about| about.entity == entity);
            found.map(|about| about.role).ok_or_else(|| format!("{event} has no {entity}"))
        };
        let (start_role, back_role) = (role(&event)?, role(&back_event)?);
        let mut members: Vec<(String, Member)> = Vec::new();
        for row in starts {
            let (Some(key), Some(start)) = (self.key(row, &start_role), self.row(row).time) else { continue };
            if !is_asked_for(&Here::Row { event: event.clone(), row })? {
                continue;
            }
            let cohort = self.calendar.start(options.grain, start);
            let held = self.held_by(options, &event, row)?;
            let mut known = false;
            for (other, member) in &members {
                let same = self.is_same(&member.held, &held)? || missing(&member.held) && missing(&held);
                known |= *other == key && member.cohort == cohort && same;
            }
            if !known {
                members.push((key, Member { row, event: event.clone(), start, cohort, held, back: vec![] }));
            }
        }
        for row in backs {
            let (Some(key), Some(at)) = (self.key(row, &back_role), self.row(row).time) else { continue };
            let held = self.held_by(options, &back_event, row)?;
            for (_, member) in members.iter_mut().filter(|(known, member)| *known == key && member.start <= at) {
                let age = self.age_at(member.start, at, options);
                if age > 0 && self.is_same(&member.held, &held)? {
                    member.back.push(age);
                }
            }
        }
        let often = |all: &[i64]| {
            let times = |age: i64| all.iter().filter(|other| **other == age).count();
            all.iter().copied().filter(|age| times(*age) >= options.at_least).collect()
        };
        Ok(members.into_iter().map(|(_, member)| Member { back: often(&member.back), ..member }).collect())
    }

    /// What a row of an event holds; none: nothing has to be the same.
    fn held_by(&self, options: &Options, event: &str, row: usize) -> Result<Option<Value>, String> {
        let here = Here::Row { event: event.to_string(), row };
        options.hold.as_ref().map(|hold| self.evaluate(hold, &Scope::at(here))).transpose()
    }

    /// Whether two rows hold the same; missing equals nothing.
    fn is_same(&self, a: &Option<Value>, b: &Option<Value>) -> Result<bool, String> {
        match (a, b) {
            (Some(a), Some(b)) => Ok(!a.is_missing() && a.compare(b, &self.calendar)? == Some(Ordering::Equal)),
            _ => Ok(true),
        }
    }

    /// `per: campaign`.
    pub(super) fn options_per(&self, arguments: &[Argument]) -> Option<String> {
        arguments.iter().find_map(|argument| match argument {
            Argument::Named { name, value: NamedValue::Word(word) } if name.text == "per" => Some(word.text.clone()),
            _ => None,
        })
    }

    /// The number of the period that a moment lies in, counted from a start.
    fn age_at(&self, start: i64, at: i64, options: &Options) -> i64 {
        if !options.own {
            return self.calendar.periods_between(options.grain, start, at);
        }
        let mut age = 0;
        while self.calendar.add(start, Length::of(age + 1, options.grain.unit)) <= at {
            age += 1;
        }
        age
    }

    /// The last instant's successor of a member's period of that age (of brackets: of the last one in it).
    fn age_ends(&self, member: &Member, age: i64, options: &Options) -> i64 {
        let age = match options.brackets.get((age - 1).max(0) as usize) {
            Some(end) if age > 0 => *end,
            _ => age,
        };
        match options.own {
            true => self.calendar.add(member.start, Length::of(age + 1, options.grain.unit)),
            false => self.calendar.step(options.grain, member.cohort, age + 1),
        }
    }

    /// Whether the last of a cohort may still come back at an age.
    fn is_young(&self, cohort: i64, age: i64, options: &Options) -> bool {
        let last = match options.brackets.get((age - 1).max(0) as usize) {
            Some(end) if age > 0 => *end,
            _ => age,
        };
        let end = match options.own {
            // Who began at the very end of the cohort's period.
            true => {
                let begun = self.calendar.step(options.grain, cohort, 1);
                self.calendar.add(begun, Length::of(last + 1, options.grain.unit))
            }
            false => self.calendar.step(options.grain, cohort, last + 1),
        };
        end > self.now
    }

    /// The rows of an answer that show an age which is not over for all of a cohort; none where that is not known here.
    pub(super) fn young_rows(
        &self,
        asking: &Rc<Asking<'_>>,
        rows: &[Vec<Value>],
    ) -> Result<Option<Vec<usize>>, String> {
        let query = &asking.query;
        let labels = usize::from(query.per.is_some()) + query.by.len();
        let (options, numbered) = match super::tables::call(query) {
            Some((name, _)) if name == "funnel" => return Ok(Some(vec![])),
            Some((_, arguments)) => (vec![self.retention_options(arguments)?], false),
            None => {
                let mut spots = Vec::new();
                query.items.iter().try_for_each(|item| asking.spots(&item.value, true, &mut spots))?;
                spots.retain(|spot| spot.1 == "retention");
                let options =
                    spots.iter().map(|spot| self.retention_options(&spot.2)).collect::<Result<Vec<_>, _>>()?;
                let plain = spots.iter().all(|spot| Rc::ptr_eq(&spot.0, asking)) && query.by.is_empty();
                if !options.is_empty() && !plain {
                    return Ok(None);
                }
                (options, true)
            }
        };
        let per = query.per.as_ref().and_then(|per| self.calendar.grain(per));
        let options: Vec<Options> = options
            .into_iter()
            .filter(|options| !numbered || per.is_some_and(|per| is_of_one_cohort(per, options.grain)))
            .collect();
        let is_young = |row: &&Vec<Value>| {
            options.iter().any(|options| match (numbered, &row[..]) {
                (true, [Value::Time(start), ..]) => {
                    let cohort = self.calendar.start(options.grain, *start);
                    self.is_young(cohort, options.age.unwrap_or(0), options)
                }
                (false, row) => match (&row[labels], row[labels + 1].as_number()) {
                    (Value::Time(cohort), Some((age, _))) => self.is_young(*cohort, age.to_f64() as i64, options),
                    _ => false,
                },
                _ => false,
            })
        };
        Ok(Some((0..rows.len()).filter(|row| is_young(&&rows[*row])).collect()))
    }

    /// Whether a member came back at an age, or with `onward` then or later.
    fn came_back(member: &Member, age: i64, options: &Options) -> bool {
        let (from, until) = match &options.brackets[..] {
            [] => (age, age),
            brackets => {
                let index = (age - 1).max(0) as usize;
                let from = if index == 0 { 1 } else { brackets[index - 1] + 1 };
                (from, brackets.get(index).copied().unwrap_or(0))
            }
        };
        age == 0 || member.back.iter().any(|back| *back >= from && (options.onward || *back <= until))
    }
}

/// Whether each period of an answer lies in one period of the cohorts.
fn is_of_one_cohort(per: Grain, cohorts: Grain) -> bool {
    let weeks = |unit| unit == TimeUnit::Week;
    per.unit <= cohorts.unit && (!weeks(per.unit) || weeks(cohorts.unit))
}

fn missing(held: &Option<Value>) -> bool {
    held.as_ref().is_some_and(Value::is_missing)
}

impl Asking<'_> {
    /// The members of cohorts, each in the cell of its start.
    pub(super) fn place_members(&self, arguments: &[Argument]) -> Result<Vec<Placed>, String> {
        let options = self.oracle.retention_options(arguments)?;
        let mut placed = Vec::new();
        for period in 0..self.periods.len() {
            for (index, member) in self.members(period, arguments, &options)?.iter().enumerate() {
                if !self.is_old_enough(member, &options) || !self.periods_of(Some(member.start)).contains(&period) {
                    continue;
                }
                let here = Here::Row { event: member.event.clone(), row: member.row };
                let found = self.place(period, &here, None, None, false)?;
                placed.extend(found.map(|found| Placed { time: Some(member.start), index, ..found }));
            }
        }
        Ok(placed)
    }

    /// The members of all cohorts, as they are for the cells of a period.
    fn members(&self, period: usize, arguments: &[Argument], options: &Options) -> Result<Vec<Member>, String> {
        self.oracle.members(arguments, options, |here| self.asks_for(period, here))
    }
}

impl Asking<'_> {
    /// Whether a member counts for `age: n`. A total leaves out the cohorts whose time for it is not over by now; where
    /// each cell is one cohort, it is shown as it is so far once it has begun.
    fn is_old_enough(&self, member: &Member, options: &Options) -> bool {
        let Some(age) = options.age else { return true };
        let oracle = self.oracle;
        let one_cohort = match self.query.per.as_ref().and_then(|per| oracle.calendar.grain(per)) {
            Some(per) => is_of_one_cohort(per, options.grain),
            None => false,
        };
        let last = if one_cohort { age - 1 } else { age };
        oracle.age_ends(member, last, options) <= oracle.now
    }
}

impl Cell<'_> {
    /// `retention(…, age: n)`: the share of the members that came back at that age.
    pub(super) fn returned_at(&self, inside: &[Placed], arguments: &[Argument]) -> Result<Value, String> {
        let oracle = self.asking.oracle;
        let options = oracle.retention_options(arguments)?;
        let members = self.asking.members(self.period, arguments, &options)?;
        let age = options.age.ok_or("retention without an age is a table")?;
        let counted: Vec<&Member> = inside.iter().map(|row| &members[row.index]).collect();
        let returned = counted.iter().filter(|member| Oracle::came_back(member, age, &options)).count();
        Ok(share(returned, counted.len()))
    }

    /// The rows of a retention table in a cell: cohort, age, size, returned, rate.
    pub(super) fn retention(&self, arguments: &[Argument]) -> Result<Vec<Vec<Value>>, String> {
        let oracle = self.asking.oracle;
        let options = oracle.retention_options(arguments)?;
        let members = self.asking.members(self.period, arguments, &options)?;
        let placed = self.asking.place_members(arguments)?;
        let inside = placed.iter().filter(|row| row.period == self.period && takes(&self.labels, &row.labels));
        let mut inside: Vec<&Member> = inside.map(|row| &members[row.index]).collect();
        inside.sort_by_key(|member| member.cohort);
        let mut rows = Vec::new();
        for cohort in inside.chunk_by(|a, b| a.cohort == b.cohort) {
            // Up to the age that whoever began first in the period could have just before now.
            // Age 0 is the group, also of one that begins later than now.
            let mut last = oracle.age_at(cohort[0].cohort, oracle.now - 1, &options).max(0);
            if !options.brackets.is_empty() {
                let begun = |number: &i64| *number == 1 || options.brackets[*number as usize - 2] < last;
                last = (1..=options.brackets.len() as i64).filter(begun).filter(|_| last > 0).max().unwrap_or(0);
            }
            for age in 0..=last {
                let returned = cohort.iter().filter(|member| Oracle::came_back(member, age, &options)).count();
                rows.push(vec![
                    Value::Time(cohort[0].cohort),
                    Value::count(age as usize),
                    Value::count(cohort.len()),
                    Value::count(returned),
                    share(returned, cohort.len()),
                ]);
            }
        }
        Ok(rows)
    }
}
