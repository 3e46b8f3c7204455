//! What the files declare, and what a name means.

use kepi_syntax::ast::{self, Argument, Definition, EventBody, Expr, ExprKind, File, Path, Scoped, StatementKind};
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

/// Words of the second half of the language, which this oracle refuses.
pub(super) const NOT_YET: [&str; 23] = [
    "opening",
    "closing",
    "kept",
    "time_in",
    "started",
    "ended",
    "stays",
    "prior",
    "trailing",
    "to_date",
    "running",
    "growth",
    "of_total",
    "rank",
    "funnel",
    "conversion",
    "retention",
    "lifecycle",
    "sessions",
    "gap",
    "lift",
    "approx_percentile",
    "cohorts",
];

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
    pub(super) calendars: Vec<ast::Calendar>,
    pub(super) zone: Option<String>,
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
                StatementKind::Calendar(calendar) => all.calendars.push(calendar),
                StatementKind::Set { name, value: Expr { kind: ExprKind::Text(zone), .. } }
                    if name.text == "timezone" =>
                {
                    all.zone = Some(zone);
                }
                _ => {}
            }
        }
        all
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
            ExprKind::Call { function, arguments } if dotted(function) == "first" => {
                self.event_of(only_argument(arguments)?)
            }
            other => Err(format!("{other:?} is no event")),
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
                if !AGGREGATES.contains(&&name[..]) && name != "age" && name != "cohort" {
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
        self.events.get(name).ok_or_else(|| format!("there is no event {name}"))
    }
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
