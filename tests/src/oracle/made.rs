//! Events that are made of others: the edges of states, and sessions.

use super::evaluate::{Here, Scope, unscoped};
use super::names::{only_argument, plain};
use super::states::Stay;
use super::value::{Kind, Unit};
use super::{Number, Oracle, OracleRow, Value};
use kepi_syntax::ast::{Argument, Expr, Scoped};
use std::collections::BTreeMap;
use std::rc::Rc;

impl Oracle {
    /// The rows of `started(s)`, `ended(s)`, `stays(s)` or `sessions(e, gap)`, in order.
    pub(super) fn made_rows(&self, name: &str, arguments: &[Argument]) -> Result<Rc<Vec<usize>>, String> {
        let key = format!("{name} {arguments:?}");
        if let Some(known) = self.known.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let mut rows = match name {
            "sessions" => {
                let [of, gap] = arguments else { return Err("sessions of an event, with a gap".to_string()) };
                self.sessions(plain(of)?, &unscoped(gap)?)?
            }
            _ => self.edges(name, &unscoped_state(only_argument(arguments)?)?)?,
        };
        // Of one moment they come in the order of the rows that they are made of.
        rows.sort_by_key(|row| (row.time, row.row.is_none(), row.row));
        let event = key.clone();
        let made = rows.into_iter().filter_map(|mut row| {
            let fields = std::mem::take(&mut row.made);
            Some(self.make(&event, row.time?, row.parent, fields))
        });
        let made = Rc::new(made.collect::<Vec<_>>());
        self.known.borrow_mut().insert(key, Rc::clone(&made));
        Ok(made)
    }

    fn edges(&self, name: &str, state: &Expr) -> Result<Vec<Draft>, String> {
        let entity = self.names.entity_of(state)?.ok_or("a state of nobody")?;
        let mut drafts = Vec::new();
        for (key, spells) in self.spells(state)?.iter() {
            let draft = |stay: &Stay, row: Option<usize>, at: Option<i64>, from: i64| {
                let parent = match row {
                    Some(row) => OracleRow::clone(&self.row(row)),
                    None => OracleRow {
                        event: String::new(),
                        time: None,
                        id: None,
                        row: 0,
                        fields: BTreeMap::from([(entity.clone(), Value::Text(key.clone()))]),
                    },
                };
                // What has held since ever has no length.
                let length = at.filter(|_| from > i64::MIN / 8).map_or(Value::Missing, |at| seconds(at - from));
                let made = vec![("~value", stay.value.clone()), ("~length", length)];
                Draft { time: at, row, parent, made }
            };
            for spell in spells {
                match name {
                    // A start is that of the row which began it, an end that of the row which said so last.
                    "started" => {
                        let first = &spell.stays[0];
                        drafts.push(draft(first, first.began, Some(spell.from), spell.from));
                    }
                    "ended" => {
                        let last = spell.stays.last();
                        drafts.extend(last.map(|stay| draft(stay, stay.row, spell.until, spell.from)));
                    }
                    _ => drafts.extend(spell.stays.iter().map(|stay| draft(stay, stay.row, stay.until, stay.from))),
                }
            }
        }
        // What lasts has no end yet, and what always was no start.
        drafts.retain(|draft| draft.time.is_some_and(|at| at > i64::MIN / 8));
        Ok(drafts)
    }

    /// Rows of an entity belong to one session while each follows the one before within the gap.
    fn sessions(&self, of: &Scoped, gap: &Expr) -> Result<Vec<Draft>, String> {
        let Value::Length(gap) = self.evaluate(gap, &Scope::at(Here::Cell))? else {
            return Err("the gap of sessions is a length".to_string());
        };
        let (event, rows) = self.rows_of_scoped(of)?;
        let about = self.names.about(&event)?;
        let role = &about.first().ok_or("sessions of an event without an entity")?.role;
        let mut open: Vec<(String, Vec<usize>)> = Vec::new();
        let mut sessions: Vec<Vec<usize>> = Vec::new();
        for row in rows {
            let (Some(key), Some(at)) = (self.key(row, role), self.row(row).time) else { continue };
            let before = open.iter().position(|(known, _)| *known == key);
            match before {
                Some(index) => {
                    let last = open[index].1.last().and_then(|last| self.row(*last).time);
                    if last.is_some_and(|last| at <= self.calendar.add(last, gap)) {
                        open[index].1.push(row);
                    } else {
                        sessions.push(std::mem::replace(&mut open[index].1, vec![row]));
                    }
                }
                None => open.push((key, vec![row])),
            }
        }
        sessions.extend(open.into_iter().map(|(_, rows)| rows));
        let draft = |rows: &Vec<usize>| {
            let (first, last) = (self.row(rows[0]), self.row(rows[rows.len() - 1]));
            let length = last.time.unwrap_or(0) - first.time.unwrap_or(0);
            let made = vec![("~length", seconds(length)), ("~count", Value::count(rows.len()))];
            Draft { time: first.time, row: Some(rows[0]), parent: OracleRow::clone(&first), made }
        };
        Ok(sessions.iter().map(draft).collect())
    }
}

/// A row before it has its number.
struct Draft {
    time: Option<i64>,
    row: Option<usize>,
    parent: OracleRow,
    made: Vec<(&'static str, Value)>,
}

/// A duration of so many microseconds.
pub(super) fn seconds(micros: i64) -> Value {
    let seconds = Number::fraction(i128::from(micros), 1_000_000).unwrap_or(Number::ZERO);
    Value::Number(seconds, Unit::of(Kind::Duration))
}

fn unscoped_state(scoped: &Scoped) -> Result<Expr, String> {
    match scoped {
        Scoped { value, per: None, filter: None, over: None, .. } => Ok(value.clone()),
        _ => Err("a state with a scope has no edges".to_string()),
    }
}
