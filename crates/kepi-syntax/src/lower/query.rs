//! Queries: items and clauses, each clause once.

use super::{Lower, Parts};
use crate::ast::{Against, Bound, DateTime, Expr, ExprKind, Fill, Item, Limit, Name, OrderKey, Path, Query, Window};
use crate::diagnostic::{Code, Diagnostic};
use crate::grammar::{Pair, Rule};
use crate::span::Span;

/// Where each clause of the query stood, to say so when it comes again.
type Seen = Vec<(&'static str, Span)>;

impl Lower<'_> {
    pub(crate) fn query(&mut self, pair: Pair<'_>) -> Option<Query> {
        let mut query = Query { span: self.span(&pair), ..Query::default() };
        let mut seen = Seen::new();
        let mut parts = Parts::of(pair);
        parts.skip(Rule::k_show);
        while let Some(part) = parts.any() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::item => query.items.push(self.item(part)?),
                Rule::by => {
                    if self.once(&mut seen, "by", span) {
                        query.by = self.items(part)?;
                    }
                }
                Rule::per => {
                    let grain = Parts::of(part).pairs.find(|part| part.as_rule() == Rule::grain)?;
                    if self.once(&mut seen, "per", span) {
                        query.per = Some(self.grain(grain)?);
                    }
                }
                Rule::filter => {
                    let filter = self.filter(part)?;
                    if self.once(&mut seen, "where", span) {
                        query.filter = Some(filter);
                    }
                }
                Rule::during => {
                    let window = Parts::of(part).any()?;
                    let window = self.window(window)?;
                    if self.once(&mut seen, "window", span) {
                        query.window = Some(window);
                    }
                }
                Rule::versus => {
                    let versus = self.versus(part)?;
                    if self.once(&mut seen, "vs", span) {
                        query.versus = versus;
                    }
                }
                Rule::having => {
                    let mut parts = Parts::of(part);
                    parts.skip(Rule::k_having);
                    let condition = parts.any()?;
                    let condition = self.expression(condition)?;
                    if self.once(&mut seen, "having", span) {
                        query.having = Some(condition);
                    }
                }
                Rule::order => {
                    let order = self.order(part)?;
                    if self.once(&mut seen, "order by", span) {
                        query.order = order;
                    }
                }
                Rule::limit => {
                    let limit = self.limit(part)?;
                    if self.once(&mut seen, "limit", span) {
                        query.limit = Some(limit);
                    }
                }
                Rule::fill => {
                    let fill = self.fill(part)?;
                    if self.once(&mut seen, "fill", span) {
                        query.fill = Some(fill);
                    }
                }
                Rule::currency_of => {
                    let currency = Parts::of(part).pairs.find(|part| part.as_rule() == Rule::currency)?;
                    if self.once(&mut seen, "in", span) {
                        query.currency = Some(self.name(currency));
                    }
                }
                Rule::moment => {
                    let bound = Parts::of(part).pairs.find(|part| part.as_rule() == Rule::bound)?;
                    let bound = self.bound(bound)?;
                    if self.once(&mut seen, "at", span) {
                        query.moment = Some(bound);
                    }
                }
                Rule::EOI => {}
                _ => return None,
            }
        }
        Some(query)
    }

    /// Notes a clause; a second one of its kind is a problem, and the first holds.
    fn once(&mut self, seen: &mut Seen, clause: &'static str, span: Span) -> bool {
        let Some((_, first)) = seen.iter().find(|(name, _)| *name == clause) else {
            seen.push((clause, span));
            return true;
        };
        let (what, help) = match clause {
            "window" => ("the query has two windows of time".to_owned(), "keep one of them".to_owned()),
            "by" => (
                "`by` stands twice in this query".to_owned(),
                "one `by` takes several labels: `by region, kind`".to_owned(),
            ),
            "where" => ("`where` stands twice in this query".to_owned(), "join the conditions with `and`".to_owned()),
            "vs" => (
                "`vs` stands twice in this query".to_owned(),
                "one `vs` takes several: `vs target, previous year`".to_owned(),
            ),
            clause => (format!("`{clause}` stands twice in this query"), "keep one of them".to_owned()),
        };
        let problem = Diagnostic::error(Code::ClauseTwice, span, what).related(*first, "the first one").help(help);
        self.problems.push(problem);
        false
    }

    fn items(&mut self, pair: Pair<'_>) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        let mut parts = Parts::of(pair);
        while let Some(part) = parts.any() {
            if part.as_rule() == Rule::item {
                items.push(self.item(part)?);
            }
        }
        Some(items)
    }

    fn item(&mut self, pair: Pair<'_>) -> Option<Item> {
        let mut parts = Parts::of(pair);
        let value = parts.take(Rule::expr)?;
        let value = self.expression(value)?;
        let alias = if parts.skip(Rule::k_as) { Some(self.name(parts.take(Rule::name)?)) } else { None };
        Some(Item { value, alias })
    }

    pub(super) fn filter(&mut self, pair: Pair<'_>) -> Option<Expr> {
        let mut parts = Parts::of(pair);
        parts.skip(Rule::k_where);
        let condition = parts.take(Rule::expr)?;
        self.expression(condition)
    }

    pub(super) fn grain(&mut self, pair: Pair<'_>) -> Option<Path> {
        let path = Parts::of(pair).take(Rule::path)?;
        Some(self.path(path))
    }

    fn versus(&mut self, pair: Pair<'_>) -> Option<Vec<Against>> {
        let mut all = Vec::new();
        let mut parts = Parts::of(pair);
        parts.skip(Rule::k_vs);
        while let Some(against) = parts.take(Rule::against) {
            let span = self.span(&against);
            let mut inner = Parts::of(against);
            let first = inner.any()?;
            all.push(match first.as_rule() {
                Rule::previous => {
                    let mut said = Parts::of(first);
                    if let Some(stretch) = said.take(Rule::stretch) {
                        let message = "`vs previous` takes a period, and no number of them";
                        let problem = Diagnostic::error(Code::Syntax, self.span(&stretch), message);
                        self.problems.push(problem.help(
                            "write `vs previous quarter` for the same time one quarter earlier, or `vs previous` alone \
                             for the window of the same length just before",
                        ));
                    }
                    let grain = said.take(Rule::grain);
                    let grain = match grain {
                        Some(grain) => Some(self.grain(grain)?),
                        None => None,
                    };
                    Against::Previous { grain, aligned: inner.skip(Rule::aligned), span }
                }
                Rule::period => {
                    let (calendar, text) = self.period(&first);
                    Against::Period { calendar, text, span }
                }
                Rule::goal => {
                    let name = Parts::of(first).take(Rule::path);
                    Against::Target { name: name.map(|name| self.path(name)), span }
                }
                _ => return None,
            });
        }
        Some(all)
    }

    fn order(&mut self, pair: Pair<'_>) -> Option<Vec<OrderKey>> {
        let mut keys = Vec::new();
        let mut parts = Parts::of(pair);
        while let Some(part) = parts.any() {
            if part.as_rule() == Rule::key {
                let mut inner = Parts::of(part);
                let value = inner.take(Rule::expr)?;
                let value = self.expression(value)?;
                let descending = inner.take(Rule::ascending).is_some_and(|word| word.as_str() == "desc");
                keys.push(OrderKey { value, descending });
            }
        }
        Some(keys)
    }

    fn limit(&mut self, pair: Pair<'_>) -> Option<Limit> {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        parts.skip(Rule::k_limit);
        let at_most = parts.take(Rule::at_most)?;
        let place = self.span(&at_most);
        let number = Parts::of(at_most).take(Rule::number)?.as_str().to_owned();
        if crate::number::decimal(&number).is_none_or(|(_, scale)| scale != 0) {
            let problem = Diagnostic::error(Code::Syntax, place, "`limit` takes a whole number of rows");
            self.problems.push(problem.help("such as `limit 10`"));
        }
        Some(Limit { number, with_other: parts.skip(Rule::with_other), span })
    }

    fn fill(&mut self, pair: Pair<'_>) -> Option<Fill> {
        let mut parts = Parts::of(pair);
        parts.skip(Rule::k_fill);
        let minus = parts.take(Rule::minus).map(|minus| self.span(&minus));
        let part = parts.any()?;
        Some(match part.as_rule() {
            Rule::missing => Fill::Missing,
            Rule::fill_previous => Fill::Previous,
            _ => {
                let span = self.span(&part);
                let value = Expr { kind: self.quantity(part)?, span };
                Fill::Value(match minus {
                    Some(minus) => Expr { span: minus.to(span), kind: ExprKind::Negate(Box::new(value)) },
                    None => value,
                })
            }
        })
    }

    pub(super) fn window(&mut self, pair: Pair<'_>) -> Option<Window> {
        let mut parts = Parts::of(pair);
        let word = parts.any()?;
        Some(match word.as_rule() {
            Rule::k_last => {
                if let Some(several) = parts.take(Rule::several) {
                    let mut inner = Parts::of(several);
                    let number = inner.any()?.as_str().to_owned();
                    let grain = self.grain(inner.take(Rule::grain)?)?;
                    return Some(Window::LastOf { number, grain, to_date: parts.skip(Rule::to_date) });
                }
                let length = parts.take(Rule::length)?;
                Window::Last { length: self.length(length)?, to_date: parts.skip(Rule::to_date) }
            }
            Rule::k_this => {
                let grain = parts.take(Rule::grain)?;
                Window::This { grain: self.grain(grain)?, to_date: parts.skip(Rule::to_date) }
            }
            Rule::k_during => Window::During(self.bound(parts.any()?)?),
            Rule::k_until => Window::Until(self.bound(parts.any()?)?),
            Rule::k_since => {
                let from = self.bound(parts.any()?)?;
                let until = if parts.skip(Rule::k_until) { Some(self.bound(parts.any()?)?) } else { None };
                Window::Since { from, until }
            }
            Rule::k_from => {
                let from = self.bound(parts.any()?)?;
                parts.skip(Rule::k_until);
                Window::FromUntil { from, until: self.bound(parts.any()?)? }
            }
            _ => return None,
        })
    }

    pub(super) fn bound(&mut self, pair: Pair<'_>) -> Option<Bound> {
        let span = self.span(&pair);
        let part = Parts::of(pair).any()?;
        Some(match part.as_rule() {
            Rule::date => Bound::Date(DateTime { ..self.date(part) }),
            Rule::now => Bound::Now(span),
            Rule::period => {
                let (calendar, text) = self.period(&part);
                Bound::Period { calendar, text, span }
            }
            _ => return None,
        })
    }

    /// Lowers a period to its calendar and the rest: `fiscal.2026` is `fiscal` and `2026`.
    fn period(&mut self, pair: &Pair<'_>) -> (Option<Name>, String) {
        let span = self.span(pair);
        let (calendar, text) = match pair.as_str().rsplit_once('.') {
            Some((calendar, text)) => {
                let place = Span::new(span.start as usize, span.start as usize + calendar.len());
                (Some(Name { text: super::bare(calendar), span: place }), text)
            }
            None => (None, pair.as_str()),
        };
        self.check_moment(text, span);
        (calendar, text.to_owned())
    }
}
