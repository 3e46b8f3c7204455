//! What the files declare, and what a name means.

use kepi_syntax::ast::{
    self, Argument, Definition, EventBody, Expr, ExprKind, File, Name, Path, Scoped, StateBody, StatementKind,
};
use std::collections::BTreeMap;

/// The functions that take rows together.
pub(super) const AGGREGATES: [&str; 14] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "median",
    "percentile",
    "stddev",
    "first",
    "last",
    "unique",
    "share",
    "approx_unique",
    "observed",
];

/// The functions of states that take their entities together.
pub(super) const OF_STATES: [&str; 4] = ["opening", "closing", "kept", "time_in"];

/// The functions that make events.
pub(super) const MAKERS: [&str; 4] = ["started", "ended", "stays", "sessions"];

/// What a definition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Measure,
    Segment,
    Dimension,
    Metric,
}

/// Where the rows of an aggregate come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// An event, stored or derived.
    Event(String),
    /// The entities of a kind.
    Entity(String),
}

/// An entity that an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct About {
    /// The name in the event.
    pub(super) role: String,
    /// The entity.
    pub(super) entity: String,
}

/// All declarations by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Definitions {
    pub(super) entities: BTreeMap<String, ast::Entity>,
    pub(super) events: BTreeMap<String, ast::Event>,
    pub(super) values: BTreeMap<String, (Role, Definition)>,
    pub(super) functions: BTreeMap<String, ast::Function>,
    pub(super) states: BTreeMap<String, ast::State>,
    pub(super) targets: Vec<ast::Target>,
    /// Events that nobody declares: a stored state's intervals, and the edges of what is computed (`~customer`).
    hidden: BTreeMap<String, ast::Event>,
    pub(super) calendars: Vec<ast::Calendar>,
    pub(super) zone: Option<String>,
    /// The currency of money that names none.
    pub(super) currency: String,
}

impl Definitions {
    pub(super) fn new(files: &[File]) -> Definitions {
        let mut all = Definitions::default();
        for statement in files.iter().flat_map(|file| &file.statements) {
            match statement.kind.clone() {
                StatementKind::Entity(entity) => drop(all.entities.insert(entity.name.text.clone(), entity)),
                StatementKind::Event(event) => drop(all.events.insert(event.name.text.clone(), event)),
                StatementKind::Measure(d) => drop(all.values.insert(d.name.text.clone(), (Role::Measure, d))),
                StatementKind::Segment(d) => drop(all.values.insert(d.name.text.clone(), (Role::Segment, d))),
                StatementKind::Dimension(d) => drop(all.values.insert(d.name.text.clone(), (Role::Dimension, d))),
                StatementKind::Metric(d) => drop(all.values.insert(d.name.text.clone(), (Role::Metric, d))),
                StatementKind::Function(f) => drop(all.functions.insert(f.name.text.clone(), f)),
                StatementKind::State(state) => {
                    if let StateBody::Stored { fields } = &state.body {
                        let body = EventBody::Stored {
                            of: vec![state.of.clone()],
                            at: Some(named("from")),
                            fields: fields.clone(),
                        };
                        all.hidden.insert(state.name.text.clone(), ast::Event { name: state.name.clone(), body });
                    }
                    all.states.insert(state.name.text.clone(), state);
                }
                StatementKind::Target(target) => all.targets.push(target),
                StatementKind::Calendar(calendar) => all.calendars.push(calendar),
                StatementKind::Set { name, value: Expr { kind: ExprKind::Text(zone), .. } }
                    if name.text == "timezone" =>
                {
                    all.zone = Some(zone);
                }
                StatementKind::Set { name, value: Expr { kind: ExprKind::Text(currency), .. } }
                    if name.text == "currency" =>
                {
                    all.currency = currency;
                }
                _ => {}
            }
        }
        for entity in all.entities.keys() {
            let (name, of) = (named(&format!("~{entity}")), vec![named(entity)]);
            let body = EventBody::Stored { of, at: Some(named("at")), fields: vec![] };
            all.hidden.insert(name.text.clone(), ast::Event { name, body });
        }
        all
    }

    /// The names of the stored states.
    pub(super) fn stored_states(&self) -> impl Iterator<Item = (&String, &ast::State)> {
        self.states.iter().filter(|(_, state)| matches!(state.body, StateBody::Stored { .. }))
    }

    /// The event and those it is derived from, down to the stored one.
    pub(super) fn lineage(&self, event: &str) -> Result<Vec<String>, String> {
        let mut lineage = vec![event.to_string()];
        let mut at = self.event(event)?;
        while let EventBody::Derived { value, .. } = &at.body {
            let parent = self.event_of(value)?;
            if lineage.contains(&parent) {
                return Err(format!("{event} is derived from itself"));
            }
            at = self.event(&parent)?;
            lineage.push(parent);
        }
        Ok(lineage)
    }

    /// The stored event under an event.
    pub(super) fn stored(&self, event: &str) -> Result<&ast::Event, String> {
        let lineage = self.lineage(event)?;
        let last = lineage.last().ok_or("an event without a lineage")?;
        self.event(last)
    }

    /// The event's entities, its subject first.
    pub(super) fn about(&self, event: &str) -> Result<Vec<About>, String> {
        match &self.stored(event)?.body {
            EventBody::Stored { of, .. } => {
                Ok(of.iter().map(|name| About { role: name.text.clone(), entity: name.text.clone() }).collect())
            }
            EventBody::Derived { .. } => Err(format!("{event} has no stored event")),
        }
    }

    /// The entity that has an event at most once: that of `first(…) per …`, else all that it is about.
    pub(super) fn once_per(&self, event: &str) -> Result<Vec<About>, String> {
        for name in self.lineage(event)? {
            if let EventBody::Derived { value: Scoped { per: Some(per), .. }, .. } = &self.event(&name)?.body
                && let [entity] = &per.grains[..]
            {
                return Ok(vec![About { role: dotted(entity), entity: dotted(entity) }]);
            }
        }
        self.about(event)
    }

    /// The declared fields of an event, and the name of its time.
    pub(super) fn fields(&self, event: &str) -> Result<(&[ast::Field], Option<&str>), String> {
        match &self.stored(event)?.body {
            EventBody::Stored { fields, at, .. } => Ok((fields, at.as_ref().map(|name| &name.text[..]))),
            EventBody::Derived { .. } => Err(format!("{event} has no stored event")),
        }
    }

    /// The event that `orders where …` or `first(orders) per customer` takes its rows from.
    pub(super) fn event_of(&self, scoped: &Scoped) -> Result<String, String> {
        match &scoped.value.kind {
            ExprKind::Path(path) if self.events.contains_key(&dotted(path)) => Ok(dotted(path)),
            ExprKind::Call { function, arguments } => match (&dotted(function)[..], &arguments[..]) {
                ("first", [argument]) => self.event_of(plain(argument)?),
                ("sessions", [argument, _]) => self.event_of(plain(argument)?),
                ("started" | "ended" | "stays", [argument]) => self.beginning_of(&plain(argument)?.value),
                (other, _) => Err(format!("{other} makes no event")),
            },
            other => Err(format!("{other:?} is no event")),
        }
    }

    /// Whether an expression is an event: a name, the first of each entity, or one that is made.
    pub(super) fn is_event(&self, scoped: &Scoped) -> bool {
        match &scoped.value.kind {
            ExprKind::Path(path) => self.events.contains_key(&dotted(path)),
            ExprKind::Call { function, arguments } => match &dotted(function)[..] {
                "first" => scoped.per.is_some() && only_argument(arguments).is_ok_and(|of| self.is_event(of)),
                name => MAKERS.contains(&name),
            },
            _ => false,
        }
    }

    /// The event whose rows begin a state, whose names its edges carry.
    fn beginning_of(&self, state: &Expr) -> Result<String, String> {
        if let ExprKind::Path(path) = &state.kind
            && let Some(state) = self.states.get(&dotted(path))
        {
            return match &state.body {
                StateBody::From { from, .. } | StateBody::For { from, .. } => self.event_of(from),
                StateBody::Value { value, .. } => match self.base_of(value)? {
                    Some(Base::Event(event)) => Ok(event),
                    other => Err(format!("{} is of {other:?}", state.name.text)),
                },
                StateBody::Stored { .. } => Ok(state.name.text.clone()),
            };
        }
        if let Some((path, _)) = self.state_in(state) {
            return self.beginning_of(&path);
        }
        match self.entity_of(state)? {
            Some(entity) => Ok(format!("~{entity}")),
            None => Err(format!("{state:?} is no state")),
        }
    }

    /// The first declared state that a condition names, itself or by a segment.
    pub(super) fn state_in(&self, condition: &Expr) -> Option<(Expr, &ast::State)> {
        match &condition.kind {
            ExprKind::Path(path) => match self.states.get(&dotted(path)) {
                Some(state) => Some((condition.clone(), state)),
                None => self.values.get(&dotted(path)).and_then(|(_, named)| self.state_in(&named.value)),
            },
            ExprKind::Binary { left, right, .. } => self.state_in(left).or_else(|| self.state_in(right)),
            ExprKind::Not(inner) => self.state_in(inner),
            ExprKind::In { value, .. } | ExprKind::IsMissing { value, .. } => self.state_in(value),
            _ => None,
        }
    }

    /// The entity that a state, a segment or a condition on them is about; none where it names no entity.
    pub(super) fn entity_of(&self, state: &Expr) -> Result<Option<String>, String> {
        Ok(match self.base_of(state)? {
            Some(Base::Entity(entity)) => Some(entity),
            _ => None,
        })
    }

    /// Whether an expression is a state, or a segment or a condition of an entity.
    pub(super) fn is_state(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Path(path) => {
                let name = dotted(path);
                let segment = |(role, d): &(Role, Definition)| {
                    *role == Role::Segment && d.of.as_ref().is_some_and(|of| self.entities.contains_key(&of.text))
                };
                self.states.contains_key(&name) || self.values.get(&name).is_some_and(segment)
            }
            ExprKind::Binary { .. } | ExprKind::In { .. } | ExprKind::Not(_) | ExprKind::IsMissing { .. } => {
                matches!(self.base_of(expr), Ok(Some(Base::Entity(_))))
            }
            _ => false,
        }
    }

    /// Whose value an expression is, found from the names outside its aggregates: of two events of one line the
    /// later one, of an event and an entity the event.
    pub(super) fn base_of(&self, expr: &Expr) -> Result<Option<Base>, String> {
        let mut bases = Vec::new();
        self.bases(expr, &mut bases)?;
        let mut best: Option<Base> = None;
        for base in bases {
            best = Some(match (best, base) {
                (None, base) | (Some(Base::Entity(_)), base @ Base::Event(_)) => base,
                (Some(best), Base::Entity(_)) => best,
                (Some(Base::Event(a)), Base::Event(b)) => {
                    if self.lineage(&a)?.contains(&b) {
                        Base::Event(a)
                    } else if self.lineage(&b)?.contains(&a) {
                        Base::Event(b)
                    } else {
                        return Err(format!("{a} and {b} have no row in common"));
                    }
                }
            });
        }
        Ok(best)
    }

    fn bases(&self, expr: &Expr, found: &mut Vec<Base>) -> Result<(), String> {
        match &expr.kind {
            ExprKind::Path(path) => {
                let first = &path.parts[0].text;
                if self.events.contains_key(first) {
                    found.push(Base::Event(first.clone()));
                } else if self.entities.contains_key(first) {
                    found.push(Base::Entity(first.clone()));
                } else if let Some(state) = self.states.get(first) {
                    found.push(Base::Entity(state.of.text.clone()));
                } else if let Some((role, definition)) = self.values.get(first)
                    && *role != Role::Metric
                {
                    match &definition.of {
                        Some(of) if self.events.contains_key(&of.text) => found.push(Base::Event(of.text.clone())),
                        Some(of) => found.push(Base::Entity(of.text.clone())),
                        None => self.bases(&definition.value, found)?,
                    }
                }
            }
            ExprKind::Call { function, arguments } => {
                let name = dotted(function);
                if MAKERS.contains(&&name[..]) {
                    let scoped = Scoped { value: expr.clone(), per: None, filter: None, over: None, span: expr.span };
                    found.push(Base::Event(self.event_of(&scoped)?));
                } else if name == "gap" {
                    found.push(Base::Event(self.event_of(only_argument(arguments)?)?));
                } else if !is_aggregate(&name) && !["age", "cohort", "lifecycle", "tile"].contains(&&name[..]) {
                    for argument in arguments {
                        if let Argument::Plain(chain) = argument {
                            self.bases(&chain.first.value, found)?;
                        }
                    }
                }
            }
            ExprKind::List(items) => items.iter().try_for_each(|item| self.bases(item, found))?,
            ExprKind::Case { whens, otherwise } => {
                for (when, then) in whens {
                    self.bases(when, found)?;
                    self.bases(then, found)?;
                }
                if let Some(otherwise) = otherwise {
                    self.bases(otherwise, found)?;
                }
            }
            ExprKind::Binary { left, right, .. } => {
                self.bases(left, found)?;
                self.bases(right, found)?;
            }
            ExprKind::Negate(value) | ExprKind::Not(value) | ExprKind::IsMissing { value, .. } => {
                self.bases(value, found)?;
            }
            ExprKind::In { value, list, .. } => {
                self.bases(value, found)?;
                self.bases(list, found)?;
            }
            ExprKind::Field { of, .. } => self.bases(of, found)?,
            ExprKind::Quantity { .. }
            | ExprKind::Text(_)
            | ExprKind::Bool(_)
            | ExprKind::Missing
            | ExprKind::Date(_) => {}
        }
        Ok(())
    }

    /// The entity that two events are compared over: the subject of both, else the one entity they share.
    pub(super) fn shared(&self, a: &[About], b: &[About]) -> Result<(String, String), String> {
        let (Some(first), Some(second)) = (a.first(), b.first()) else {
            return Err("an event without an entity has no history".to_string());
        };
        if first.entity == second.entity {
            return Ok((first.role.clone(), second.role.clone()));
        }
        let mut pairs = Vec::new();
        for x in a {
            for y in b.iter().filter(|y| y.entity == x.entity) {
                pairs.push((x.role.clone(), y.role.clone()));
            }
        }
        match pairs.len() {
            1 => Ok(pairs.remove(0)),
            0 => Err(format!("{a:?} and {b:?} share no entity")),
            _ => Err(format!("{a:?} and {b:?} share several entities")),
        }
    }

    fn event(&self, name: &str) -> Result<&ast::Event, String> {
        self.events.get(name).or_else(|| self.hidden.get(name)).ok_or_else(|| format!("there is no event {name}"))
    }
}

/// Whether a function takes many values together.
pub(super) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.contains(&name) || OF_STATES.contains(&name) || ["conversion", "funnel", "retention"].contains(&name)
}

/// A name that stands in no text.
fn named(text: &str) -> Name {
    Name { text: text.to_string(), span: kepi_syntax::Span::default() }
}

/// A path as text.
pub(super) fn dotted(path: &Path) -> String {
    path.parts.iter().map(|part| &part.text[..]).collect::<Vec<_>>().join(".")
}

/// The scope of an argument that is no chain.
pub(super) fn plain(argument: &Argument) -> Result<&Scoped, String> {
    match argument {
        Argument::Plain(chain) if chain.rest.is_empty() => Ok(&chain.first),
        other => Err(format!("{other:?} is not in the oracle")),
    }
}

/// The one argument of a call.
pub(super) fn only_argument(arguments: &[Argument]) -> Result<&Scoped, String> {
    match arguments {
        [argument] => plain(argument),
        _ => Err(format!("{} arguments where one is expected", arguments.len())),
    }
}
