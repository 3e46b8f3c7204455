//! Sources, targets, reports and tests.

use super::{Lower, Parts};
use crate::ast::{Expect, Expr, Given, Goal, Mapping, Part, Report, Role, Source, SourceItem, Target, Test};
use crate::diagnostic::{Code, Diagnostic};
use crate::grammar::{Pair, Rule};
use crate::text;

impl Lower<'_> {
    pub(super) fn source(&mut self, parts: &mut Parts<'_>) -> Option<Source> {
        let name = self.name(parts.take(Rule::name)?);
        parts.skip(Rule::k_from);
        let from = text::unquote(parts.take(Rule::string)?.as_str());
        let with = self.with(parts)?;
        let mut items = Vec::new();
        while let Some(item) = parts.any() {
            items.push(match item.as_rule() {
                Rule::merge => {
                    let mut inner = Parts::of(item);
                    inner.skip(Rule::k_merge);
                    let entity = self.name(inner.take(Rule::name)?);
                    let column = self.name(inner.take(Rule::word)?);
                    inner.skip(Rule::k_into);
                    SourceItem::Merge { entity, column, into: self.name(inner.take(Rule::word)?) }
                }
                _ => SourceItem::Mapping(self.mapping(item)?),
            });
        }
        Some(Source { name, from, with, items })
    }

    fn mapping(&mut self, pair: Pair<'_>) -> Option<Mapping> {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let target = self.path(parts.take(Rule::path)?);
        let mut all = Vec::new();
        while let Some(part) = parts.take(Rule::part) {
            all.push(self.part(part)?);
        }
        let filter = match parts.take(Rule::filter) {
            Some(filter) => Some(self.filter(filter)?),
            None => None,
        };
        Some(Mapping { target, parts: all, filter, span })
    }

    fn part(&mut self, pair: Pair<'_>) -> Option<Part> {
        let mut parts = Parts::of(pair);
        let first = parts.any()?;
        Some(match first.as_rule() {
            Rule::word => Part::Computed { field: self.name(first), value: self.expression(parts.take(Rule::expr)?)? },
            Rule::role => {
                let role = match first.as_str() {
                    "at" => Role::At,
                    "id" => Role::Id,
                    "key" => Role::Key,
                    "from" => Role::From,
                    "until" => Role::Until,
                    "to" => Role::To,
                    _ => return None,
                };
                Part::Role { role, column: self.name(parts.take(Rule::column)?) }
            }
            Rule::k_of => self.mapped_column(parts.take(Rule::from_column)?, true)?,
            _ => self.mapped_column(first, false)?,
        })
    }

    fn mapped_column(&mut self, pair: Pair<'_>, of: bool) -> Option<Part> {
        let mut parts = Parts::of(pair);
        let field = self.name(parts.take(Rule::column)?);
        let column = match parts.take(Rule::column) {
            Some(column) => self.name(column),
            None => field.clone(),
        };
        Some(Part::Column { field, column, of })
    }

    pub(super) fn target(&mut self, parts: &mut Parts<'_>) -> Option<Target> {
        let name = self.name(parts.take(Rule::name)?);
        parts.skip(Rule::k_on);
        let on = self.expression(parts.take(Rule::expr)?)?;
        let filter = match parts.take(Rule::filter) {
            Some(filter) => Some(self.filter(filter)?),
            None => None,
        };
        let goal = parts.any()?;
        let goal = match goal.as_rule() {
            Rule::total => {
                let mut inner = Parts::of(goal);
                inner.skip(Rule::k_during);
                let during = self.bound(inner.take(Rule::bound)?)?;
                inner.skip(Rule::k_reach);
                let reach = self.expression(inner.take(Rule::sum)?)?;
                let each = if inner.skip(Rule::k_each) { Some(self.grain(inner.take(Rule::grain)?)?) } else { None };
                Goal::Total { during, reach, each }
            }
            _ => {
                let mut inner = Parts::of(goal);
                inner.skip(Rule::k_by);
                let by = self.date(inner.take(Rule::date)?);
                inner.skip(Rule::k_reach);
                let reach = self.expression(inner.take(Rule::sum)?)?;
                let from = if inner.skip(Rule::k_from) {
                    let baseline = self.expression(inner.take(Rule::sum)?)?;
                    inner.skip(Rule::k_at);
                    Some((baseline, self.date(inner.take(Rule::date)?)))
                } else {
                    None
                };
                Goal::Level { by, reach, from }
            }
        };
        let review = if parts.skip(Rule::k_review) { Some(self.name(parts.take(Rule::word)?)) } else { None };
        Some(Target { name, on, filter, goal, review, with: self.with(parts)? })
    }

    pub(super) fn report(&mut self, parts: &mut Parts<'_>) -> Option<Report> {
        let name = self.name(parts.take(Rule::name)?);
        let every = if parts.skip(Rule::k_every) { Some(self.grain(parts.take(Rule::grain)?)?) } else { None };
        let with = self.with(parts)?;
        let mut queries = Vec::new();
        while let Some(query) = parts.take(Rule::query) {
            queries.push(self.query(query)?);
        }
        Some(Report { name, every, with, queries })
    }

    pub(super) fn test(&mut self, parts: &mut Parts<'_>) -> Option<Test> {
        let title = text::unquote(parts.take(Rule::string)?.as_str());
        let mut test = Test { title, now: None, given: Vec::new(), expect: Vec::new() };
        while let Some(part) = parts.any() {
            let span = self.span(&part);
            let is_given = part.as_rule() == Rule::given;
            let mut inner = Parts::of(part);
            inner.any()?;
            if !is_given {
                let query = self.query(inner.take(Rule::query)?)?;
                inner.skip(Rule::k_gives);
                let gives = match inner.take(Rule::expr) {
                    Some(value) => vec![vec![self.expression(value)?]],
                    None => self.rows(&mut inner)?,
                };
                test.expect.push(Expect { query, gives, span });
            } else if inner.skip(Rule::now) {
                let now = self.date(inner.take(Rule::date)?);
                if let Some(first) = &test.now {
                    let problem =
                        Diagnostic::error(Code::ClauseTwice, now.span, "`given now` stands twice in this test");
                    self.problems.push(problem.related(first.span, "the first one").help("keep one of them"));
                } else {
                    test.now = Some(now);
                }
            } else {
                let event = self.path(inner.take(Rule::path)?);
                let mut list = Parts::of(inner.take(Rule::columns)?);
                let mut columns = Vec::new();
                while let Some(column) = list.take(Rule::word) {
                    columns.push(self.name(column));
                }
                test.given.push(Given { event, columns, rows: self.rows(&mut inner)?, span });
            }
        }
        Some(test)
    }

    fn rows(&mut self, parts: &mut Parts<'_>) -> Option<Vec<Vec<Expr>>> {
        let mut rows = Vec::new();
        while let Some(row) = parts.take(Rule::row) {
            let mut list = Parts::of(row);
            let mut values = Vec::new();
            while let Some(value) = list.take(Rule::expr) {
                values.push(self.expression(value)?);
            }
            rows.push(values);
        }
        Some(rows)
    }
}
