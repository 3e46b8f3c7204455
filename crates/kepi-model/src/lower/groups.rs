//! Aggregates of aggregates: `avg(sum(margin) per customer, year)`, `per every customer`, nested to any depth.

use super::aggregate::{Parsed, measure_of};
use super::cell::{CellScope, Wanted};
use super::events::{BaseDecl, EventSet};
use super::group_keys::{GroupKey, KeyKind, is_period, key};
use super::group_rows;
use super::literal::seconds;
use super::measured::and;
use super::row::RowScope;
use super::{Cx, Node, convert, expr, grain, held, over, query};
use crate::calendar::Grain;
use crate::core::{Aggregate, Formula, Groups, LABEL, Label, Made, Measure, Move, Op, Row, RowNode, VALUE};
use crate::declared::{EntityDecl, FieldDecl, RoleDecl, StreamDecl};
use crate::functions::AggregateKind;
use crate::names;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{InnerPer, Scoped};
use kepi_syntax::{Code, Span};

/// `per every customer, year`, taken apart.
pub(super) struct Per {
    pub(super) keys: Vec<GroupKey>,
    pub(super) grain: Option<Grain>,
    every: Option<EntityDecl>,
}

impl<'q> CellScope<'q> {
    /// An aggregate over groups.
    pub(super) fn grouped(
        &mut self,
        cx: &mut Cx<'_>,
        kind: AggregateKind,
        parsed: &Parsed<'_>,
        per: &InnerPer,
        span: Span,
    ) -> Option<Formula> {
        let scoped = parsed.scoped;
        if !self.own_labels.is_empty() {
            return cx.error_help(
                Code::WrongKind,
                span,
                "the rows of this table have labels of their own, which groups do not",
                "ask for the aggregate of groups in a query of its own",
            );
        }
        let per = self.per_of(cx, per)?;
        if matches!(kind, AggregateKind::First | AggregateKind::Last) && per.grain.is_none() {
            let name = super::aggregate::word(kind);
            return cx.error_help(
                Code::NoRow,
                span,
                format!("nothing says which group comes {name}: groups without a period have no order"),
                format!("add one, such as `{name}(sum(…) per customer, month)`, or take the `max` or `min`"),
            );
        }
        let moved = match &scoped.over {
            Some(over) => over::of(cx, over, scoped.span)?,
            None => Vec::new(),
        };
        if let ([GroupKey { what: KeyKind::Entity(name), .. }], None) = (per.keys.as_slice(), &per.grain) {
            let entity = cx.catalog.entity(name).cloned()?;
            // What is seen at the beginning has the labels of then: such groups are not the entities of one moment.
            let of_one_moment =
                |group: &Option<group_rows::Group>| group.as_ref().is_none_or(|g| !g.looks_at_opening());
            let labels_change = self.labels_change(cx, &entity);
            let plain = group_rows::value(cx, &scoped.value, &entity);
            if let Some(plain) = plain.filter(|group| !labels_change || of_one_moment(group)) {
                return self.over_entities(cx, kind, parsed, &entity, (plain?, per.every.is_some()), moved, span);
            }
        }
        let every = per.every.is_some();
        let (set, value) = self.groups(cx, per, scoped)?;
        if value.unit.kind == Kind::Bool && kind == AggregateKind::Count {
            return cx.error_help(
                Code::TypeMismatch,
                scoped.value.span,
                "`count` counts groups, whether this is yes or no",
                "write the condition on the entity: `count(customer where count(orders over period) >= 2)`",
            );
        }
        let (measure, unit) = measure_of(cx, kind, value, parsed.percent, parsed.observed, (scoped.value.span, span))?;
        let own = match &scoped.filter {
            Some(filter) => Some(expr::condition(cx, &mut RowScope::of(&set), filter)?),
            None => None,
        };
        let text = format!("{}({})", super::cell::word(&measure), kepi_syntax::scoped_text(scoped));
        let wanted = Wanted { moved, ..Wanted::of(text, own, measure, unit) };
        if every { self.add(cx, &set, wanted, span) } else { Some(self.add_groups(&set, wanted)) }
    }

    /// Groups that are single entities with what their states say: rows like any other.
    #[allow(clippy::too_many_arguments)] // An aggregate, spread out.
    fn over_entities(
        &mut self,
        cx: &mut Cx<'_>,
        kind: AggregateKind,
        parsed: &Parsed<'_>,
        entity: &EntityDecl,
        (group, every): (group_rows::Group, bool),
        moved: Vec<Move>,
        span: Span,
    ) -> Option<Formula> {
        let set = held::entity_set(entity);
        let value = convert::each_amount(cx, group.value, parsed.scoped.value.span)?;
        let (measure, unit) =
            measure_of(cx, kind, value, parsed.percent, parsed.observed, (parsed.scoped.value.span, span))?;
        let condition = match &parsed.scoped.filter {
            Some(filter) => Some(expr::condition(cx, &mut RowScope::of(&set), filter)?),
            None => None,
        };
        let own = and(group.exists.filter(|_| !every), condition);
        let text = format!("{}({})", super::cell::word(&measure), kepi_syntax::scoped_text(parsed.scoped));
        self.add(cx, &set, Wanted { existing: every, moved, ..Wanted::of(text, own, measure, unit) }, span)
    }

    /// The groups and the value of each.
    pub(super) fn groups(&mut self, cx: &mut Cx<'_>, per: Per, scoped: &Scoped) -> Option<(EventSet, Row)> {
        let mut inner = self.inside(per.keys.clone(), per.grain.clone(), per.every.is_some());
        let value = expr::lower::<Formula>(cx, &mut inner, &scoped.value).map(seconds);
        let mut ok = value.is_some();
        if ok && inner.aggregates.is_empty() {
            cx.error_help::<()>(
                Code::NotAggregated,
                scoped.value.span,
                "there is one value for each group, and nothing is aggregated here",
                "write an aggregate, such as `avg(sum(revenue) per customer)`",
            );
            ok = false;
        }
        if let (Some(entity), true) = (&per.every, ok) {
            let text = format!("every {}", names::bare(&entity.name));
            let everyone = Wanted::of(text, None, Measure::Count, Unit::of(Kind::Count));
            ok = inner.add(cx, &held::entity_set(entity), everyone, scoped.span).is_some();
        }
        let outer = inner.label_count() - per.keys.len();
        self.take_back(&inner);
        let value = value.filter(|_| ok)?;
        let unit = value.unit.clone();
        let rows = &inner.aggregates.last()?.labels;
        let keys = per
            .keys
            .iter()
            .zip(rows.get(outer..)?)
            .map(|(key, row)| Label { name: key.text.clone(), unit: row.unit.clone(), grain: None })
            .collect();
        let existence = inner.entities.iter().filter_map(|name| query::existence(cx.catalog, name)).collect();
        let groups = Groups { keys, per: per.grain, aggregates: inner.aggregates, value, existence };
        Some((set_of(groups), Row { unit, node: RowNode::Field(VALUE.to_string()) }))
    }

    /// Entities for which a condition holds at both ends of the cell. Labels and further conditions are those of the end.
    pub(super) fn kept_in_groups(
        &mut self,
        cx: &mut Cx<'_>,
        entity: &EntityDecl,
        holds: Wanted,
        arg: &Scoped,
    ) -> Option<Formula> {
        let text = names::bare(&entity.name).to_string();
        let what = KeyKind::Entity(entity.name.clone());
        let key = GroupKey { text: text.clone(), module: cx.module.clone(), what, span: arg.span };
        let mut inner = self.inside(vec![key], None, true);
        let all = held::entity_set(entity);
        let start = Wanted { moved: vec![Move::Start], ..holds.clone() };
        let closing = inner.add(cx, &all, holds.clone(), arg.span);
        let opening = inner.add(cx, &all, start, arg.span);
        let one = |count: Formula| {
            let zero = Formula::constant(Value::Decimal { digits: 0, scale: 0 }, Unit::of(Kind::Count));
            Formula::call(Op::Greater, vec![count, zero], Unit::of(Kind::Bool))
        };
        let value = Formula::call(Op::And, vec![one(opening?), one(closing?)], Unit::of(Kind::Bool));
        let keys = vec![Label { name: text, unit: Unit::of(Kind::Entity(entity.name.clone())), grain: None }];
        let existence = inner.entities.iter().filter_map(|name| query::existence(cx.catalog, name)).collect();
        let set = set_of(Groups { keys, per: None, aggregates: inner.aggregates, value, existence });
        let kept = Row { unit: Unit::of(Kind::Bool), node: RowNode::Field(VALUE.to_string()) };
        let condition = match &arg.filter {
            Some(filter) => Some(expr::condition(cx, &mut RowScope::of(&set), filter)?),
            None => None,
        };
        let own = and(Some(kept), condition);
        self.add(cx, &set, Wanted::of(holds.text, own, Measure::Count, Unit::of(Kind::Count)), arg.span)
    }

    /// How many labels an aggregate has here: the query's, then the keys of the groups that it is inside of.
    pub(super) fn label_count(&self) -> usize {
        self.by.len() + self.keys.len()
    }

    /// The cells inside groups: the query's labels and conditions, and the keys. Of every entity only the keys: what the
    /// query asks is asked of the entity.
    fn inside(&self, keys: Vec<GroupKey>, grain: Option<Grain>, every: bool) -> CellScope<'q> {
        let by = if every { &[] } else { self.by };
        let filter = self.filter.filter(|_| !every);
        let mut inner = CellScope::new(by, filter, grain.or(self.per.clone()), self.windowed);
        if !every {
            inner.keys.clone_from(&self.keys);
            inner.labels.clone_from(&self.labels);
            inner.narrowed.clone_from(&self.narrowed);
            inner.blank = self.blank.iter().chain(&self.across).copied().collect();
        }
        inner.keys.extend(keys);
        inner.in_groups = true;
        inner.meanings.clone_from(&self.meanings);
        inner.alone = self.alone;
        inner.windowed |= !self.moved.is_empty();
        inner
    }

    /// What names of the query meant inside groups, they mean outside too.
    fn take_back(&mut self, inner: &CellScope<'_>) {
        for (own, found) in self.labels.iter_mut().zip(&inner.labels) {
            own.clone_from(found);
        }
        self.meanings.clone_from(&inner.meanings);
    }

    /// Adds an aggregate over groups: their labels are those that their inner aggregates had.
    fn add_groups(&mut self, set: &EventSet, wanted: Wanted) -> Formula {
        let inner = match set.made.as_deref() {
            Some(Made::Groups(groups)) => groups.aggregates.last().map_or(&[][..], |a| &a.labels),
            _ => &[],
        };
        let own = inner.iter().take(self.label_count()).enumerate();
        let labels = own.map(|(index, row)| stored(LABEL, index, &row.unit)).collect();
        let Wanted { text, own, measure, unit, existing, moved, aging } = wanted;
        self.keep(Aggregate {
            text,
            events: set.events(),
            filter: own,
            measure,
            labels,
            unit,
            existing,
            moved: self.moved.iter().cloned().chain(moved).collect(),
            across: self.across.clone(),
            aging,
        })
    }

    /// The keys and the period of groups.
    pub(super) fn per_of(&mut self, cx: &mut Cx<'_>, per: &InnerPer) -> Option<Per> {
        let mut found = Per { keys: Vec::new(), grain: None, every: None };
        let mut ok = true;
        for path in &per.grains {
            if is_period(cx, path) {
                let Some(grain) = grain::grain(cx, path) else {
                    ok = false;
                    continue;
                };
                if let Some(other) = &found.grain {
                    let message = format!("groups per {} and per {}: one period is enough", other.name(), grain.name());
                    cx.error_help::<()>(Code::WrongKind, path.span, message, "keep the finer of the two");
                    ok = false;
                    continue;
                }
                ok &= self.is_fine_enough(cx, &grain, path.span);
                found.grain = Some(grain);
                continue;
            }
            match key(cx, path) {
                Some(key) => found.keys.push(key),
                None => ok = false,
            }
        }
        if per.every && ok {
            let entity = match found.keys.as_slice() {
                [GroupKey { what: KeyKind::Entity(name), .. }] => cx.catalog.entity(name).cloned(),
                _ => None,
            };
            if entity.is_none() {
                let span = per.grains.first().map_or(Span::default(), |g| g.span);
                return cx.error_help(
                    Code::WrongKind,
                    span,
                    "`per every` takes one entity: only of those is known who had nothing",
                    "write `per every customer`, or leave out `every`",
                );
            }
            found.every = entity;
        }
        ok.then_some(found)
    }

    /// Whether inner periods lie in the cells.
    fn is_fine_enough(&self, cx: &mut Cx<'_>, inner: &Grain, span: Span) -> bool {
        let Some(outer) = self.per.as_ref().filter(|outer| inner.unit > outer.unit) else { return true };
        cx.error_help::<()>(
            Code::CoarsePeriod,
            span,
            format!("a group per {} does not fit into a {}", inner.name(), outer.name()),
            format!("ask per {}, or group per {} or finer", inner.name(), outer.name()),
        );
        false
    }
}

/// Reports `per` behind rows that are no value of a group.
pub(super) fn of_rows<T>(cx: &mut Cx<'_>, kind: AggregateKind, scoped: &Scoped, per: &InnerPer) -> Option<T> {
    let text = kepi_syntax::expr_text(&scoped.value);
    let word = per.grains.first().map_or("customer".to_string(), names::text);
    let first = match kind {
        AggregateKind::Count => format!("`count(first({text}) per {word})` for one row of each, or "),
        _ => String::new(),
    };
    cx.error_help(
        Code::WrongKind,
        per.grains.first().map_or(scoped.span, |g| g.span),
        format!("`{text}` has rows, not one value per {word}"),
        format!("write {first}an aggregate of each, such as `avg(count({text}) per {word})`"),
    )
}

/// What execution has under a name: an entity as a role, anything else as a field.
pub(super) fn stored(prefix: &str, index: usize, unit: &Unit) -> Row {
    let name = format!("{prefix}{index}");
    let node = if matches!(unit.kind, Kind::Entity(_)) { RowNode::Role(name) } else { RowNode::Field(name) };
    Row { unit: unit.clone(), node }
}

/// The rows of groups, with their keys as names.
fn set_of(groups: Groups) -> EventSet {
    let words: Vec<String> =
        groups.keys.iter().map(|k| k.name.clone()).chain(groups.per.iter().map(Grain::name)).collect();
    let name = format!("groups per {}", words.join(", "));
    let mut roles = Vec::new();
    let mut fields = Vec::new();
    for key in &groups.keys {
        let word = names::bare(&key.name).to_string();
        match &key.unit.kind {
            Kind::Entity(entity) => roles.push(RoleDecl { name: word, entity: entity.clone() }),
            _ => fields.push(FieldDecl { name: word, unit: key.unit.clone(), history: false, doc: None }),
        }
    }
    // Their moment has no name: it is the end of their time, and `weekday(at)` of it would be the day after.
    let decl = StreamDecl { name: name.clone(), roles, at: None, fields };
    EventSet {
        names: vec![name.clone()],
        name,
        base: BaseDecl::Stream(decl),
        made: Some(Box::new(Made::Groups(Box::new(groups)))),
        extra: Vec::new(),
        steps: Vec::new(),
        stages: Vec::new(),
        once: None,
    }
}
