//! Statements, and what they share: types, fields, parameters, attributes.

use super::{Lower, Parts};
use crate::ast::{
    Calendar, CalendarRule, Definition, Entity, Event, EventBody, Field, Function, Name, Pair as Attribute, Parameter,
    Path, State, StateBody, StatementKind, TypeName,
};
use crate::grammar::{Pair, Rule};
use crate::scan::doc_above;
use crate::text;

impl Lower<'_> {
    pub(super) fn statement(&mut self, pair: Pair<'_>) -> Option<StatementKind> {
        let rule = pair.as_rule();
        if rule == Rule::query {
            return Some(StatementKind::Query(self.query(pair)?));
        }
        let mut parts = Parts::of(pair);
        // The word that says which definition it is.
        parts.any()?;
        Some(match rule {
            Rule::module => StatementKind::Module(self.path(parts.take(Rule::path)?)),
            Rule::uses => self.uses(&mut parts)?,
            Rule::setting => {
                let name = self.name(parts.take(Rule::name)?);
                StatementKind::Set { name, value: self.expression(parts.any()?)? }
            }
            Rule::calendar => StatementKind::Calendar(self.calendar(&mut parts)?),
            Rule::entity => StatementKind::Entity(self.entity(&mut parts)?),
            Rule::event => StatementKind::Event(self.event(&mut parts)?),
            Rule::state => StatementKind::State(self.state(&mut parts)?),
            Rule::measure => StatementKind::Measure(self.definition(&mut parts)?),
            Rule::segment => StatementKind::Segment(self.definition(&mut parts)?),
            Rule::dimension => StatementKind::Dimension(self.definition(&mut parts)?),
            Rule::metric => StatementKind::Metric(self.definition(&mut parts)?),
            Rule::function => {
                let name = self.name(parts.take(Rule::name)?);
                let parameters = self.parameters(&mut parts)?;
                StatementKind::Function(Function { name, parameters, value: self.expression(parts.any()?)? })
            }
            Rule::source => StatementKind::Source(self.source(&mut parts)?),
            Rule::target => StatementKind::Target(self.target(&mut parts)?),
            Rule::report => StatementKind::Report(self.report(&mut parts)?),
            Rule::test => StatementKind::Test(self.test(&mut parts)?),
            _ => return None,
        })
    }

    fn uses(&mut self, parts: &mut Parts<'_>) -> Option<StatementKind> {
        if parts.skip(Rule::k_plugin) {
            let plugin = parts.take(Rule::string)?;
            let span = self.span(&plugin);
            let plugin = text::unquote(plugin.as_str());
            parts.skip(Rule::k_as);
            let alias = self.name(parts.take(Rule::name)?);
            let path = Path { parts: vec![Name { text: plugin.clone(), span }], span };
            return Some(StatementKind::Use { path, plugin: Some(plugin), alias: Some(alias) });
        }
        let path = self.path(parts.take(Rule::path)?);
        let alias = if parts.skip(Rule::k_as) { Some(self.name(parts.take(Rule::name)?)) } else { None };
        Some(StatementKind::Use { path, plugin: None, alias })
    }

    fn calendar(&mut self, parts: &mut Parts<'_>) -> Option<Calendar> {
        let name = self.name(parts.take(Rule::name)?);
        if parts.skip(Rule::k_from) {
            let from = Some(text::unquote(parts.take(Rule::string)?.as_str()));
            return Some(Calendar { name, rules: Vec::new(), from });
        }
        let mut rules = Vec::new();
        while let Some(rule) = parts.take(Rule::rule_of) {
            let mut inner = Parts::of(rule);
            let first = inner.any()?;
            rules.push(if first.as_rule() == Rule::named_by_start {
                CalendarRule::NamedByStart
            } else {
                inner.skip(Rule::k_starts);
                CalendarRule::Starts(self.name(first), text::unquote(inner.take(Rule::string)?.as_str()))
            });
        }
        Some(Calendar { name, rules, from: None })
    }

    fn entity(&mut self, parts: &mut Parts<'_>) -> Option<Entity> {
        let name = self.name(parts.take(Rule::name)?);
        let key = if parts.skip(Rule::k_key) { Some(self.last_word(parts)?) } else { None };
        let from = if parts.skip(Rule::k_from) { Some(self.last_word(parts)?) } else { None };
        let fields = self.optional_block(parts)?;
        Some(Entity { name, key, from, fields })
    }

    fn event(&mut self, parts: &mut Parts<'_>) -> Option<Event> {
        let name = self.name(parts.take(Rule::name)?);
        if let Some(value) = parts.take(Rule::scoped) {
            let value = self.scoped(value)?;
            return Some(Event { name, body: EventBody::Derived { value, with: self.with(parts)? } });
        }
        let mut of = Vec::new();
        if parts.skip(Rule::k_of) {
            while let Some(entity) = parts.take(Rule::name) {
                of.push(self.name(entity));
            }
        }
        let at = if parts.skip(Rule::k_at) { Some(self.last_word(parts)?) } else { None };
        let fields = self.optional_block(parts)?;
        Some(Event { name, body: EventBody::Stored { of, at, fields } })
    }

    /// A word before a block, or the last one of a declaration without one.
    fn last_word(&mut self, parts: &mut Parts<'_>) -> Option<Name> {
        let word = match parts.take(Rule::alone) {
            Some(alone) => Parts::of(alone).take(Rule::word)?,
            None => parts.take(Rule::word)?,
        };
        Some(self.name(word))
    }

    /// The fields of a block; none where it was left out.
    fn optional_block(&mut self, parts: &mut Parts<'_>) -> Option<Vec<Field>> {
        parts.take(Rule::block).map_or(Some(Vec::new()), |block| self.block(block))
    }

    fn block(&mut self, pair: Pair<'_>) -> Option<Vec<Field>> {
        let mut fields = Vec::new();
        let mut parts = Parts::of(pair);
        while let Some(field) = parts.take(Rule::field) {
            let doc = doc_above(self.text, self.comments, self.span(&field).start as usize);
            let mut inner = Parts::of(field);
            let name = self.name(inner.take(Rule::word)?);
            let ty = self.type_of(inner.take(Rule::type_of)?)?;
            fields.push(Field { doc, name, ty, history: inner.skip(Rule::k_history) });
        }
        Some(fields)
    }

    fn type_of(&mut self, pair: Pair<'_>) -> Option<TypeName> {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let name = self.name(parts.take(Rule::name)?);
        let argument = parts.take(Rule::word).map(|word| self.name(word));
        let per = if parts.skip(Rule::k_per) { Some(self.name(parts.take(Rule::name)?)) } else { None };
        Some(TypeName { name, argument, per, span })
    }

    fn state(&mut self, parts: &mut Parts<'_>) -> Option<State> {
        let name = self.name(parts.take(Rule::name)?);
        parts.skip(Rule::k_of);
        let of = self.name(parts.take(Rule::name)?);
        let first = parts.any()?;
        let body = match first.as_rule() {
            Rule::block => StateBody::Stored { fields: self.block(first)? },
            Rule::lasting => {
                let mut inner = Parts::of(first);
                inner.skip(Rule::k_from);
                let from = self.scoped(inner.take(Rule::scoped)?)?;
                if inner.skip(Rule::k_until) {
                    StateBody::From { from, until: self.scoped(inner.take(Rule::scoped)?)? }
                } else {
                    inner.skip(Rule::k_for);
                    StateBody::For { from, length: self.length(inner.take(Rule::length)?)? }
                }
            }
            _ => {
                let value = self.expression(first)?;
                let until = if parts.skip(Rule::k_until) { Some(self.scoped(parts.any()?)?) } else { None };
                StateBody::Value { value, until }
            }
        };
        Some(State { name, of, body, with: self.with(parts)? })
    }

    fn definition(&mut self, parts: &mut Parts<'_>) -> Option<Definition> {
        let name = self.name(parts.take(Rule::name)?);
        let parameters = self.parameters(parts)?;
        let of = if parts.skip(Rule::k_of) { Some(self.name(parts.take(Rule::name)?)) } else { None };
        let ty = match parts.take(Rule::type_of) {
            Some(ty) => Some(self.type_of(ty)?),
            None => None,
        };
        let value = self.expression(parts.take(Rule::expr)?)?;
        Some(Definition { name, parameters, of, ty, value, with: self.with(parts)? })
    }

    fn parameters(&mut self, parts: &mut Parts<'_>) -> Option<Vec<Parameter>> {
        let mut parameters = Vec::new();
        let Some(pair) = parts.take(Rule::parameters) else { return Some(parameters) };
        let mut list = Parts::of(pair);
        while let Some(parameter) = list.take(Rule::parameter) {
            let mut inner = Parts::of(parameter);
            let name = self.name(inner.take(Rule::name)?);
            let ty = match inner.take(Rule::type_of) {
                Some(ty) => Some(self.type_of(ty)?),
                None => None,
            };
            let default = match inner.take(Rule::expr) {
                Some(value) => Some(self.expression(value)?),
                None => None,
            };
            parameters.push(Parameter { name, ty, default });
        }
        Some(parameters)
    }

    /// Lowers the attributes, if they come next.
    pub(super) fn with(&mut self, parts: &mut Parts<'_>) -> Option<Vec<Attribute>> {
        let mut attributes = Vec::new();
        let Some(pair) = parts.take(Rule::with) else { return Some(attributes) };
        let mut list = Parts::of(pair);
        list.skip(Rule::k_with);
        while let Some(attribute) = list.take(Rule::pair) {
            let mut inner = Parts::of(attribute);
            let name = self.name(inner.take(Rule::word)?);
            attributes.push(Attribute { name, value: self.expression(inner.take(Rule::expr)?)? });
        }
        Some(attributes)
    }
}
