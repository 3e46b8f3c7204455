//! What core nodes are made of, for whoever walks through them: a new node is added here once.

use super::{
    Aggregate, Base, ChainStep, Edge, Events, Formula, FormulaNode, Keyed, Made, Measure, Row, RowNode, Stage, State,
    Until,
};

impl Base {
    /// What the rows are, in words: `orders`, `customer`, `started(active)`.
    pub fn words(&self) -> String {
        match self {
            Base::Stream(name) | Base::Entity(name) => name.clone(),
            Base::Made(made) => made.words(),
        }
    }

    /// Whether the rows are groups.
    pub fn is_groups(&self) -> bool {
        matches!(self, Base::Made(made) if matches!(**made, Made::Groups(_)))
    }

    /// The row expressions that the rows are made with.
    pub fn rows(&self) -> Vec<&Row> {
        match self {
            Base::Stream(_) | Base::Entity(_) => Vec::new(),
            Base::Made(made) => made.rows(),
        }
    }
}

impl Made {
    /// What the rows are, in words.
    pub fn words(&self) -> String {
        match self {
            Made::Edges { state, edge: Edge::Start } => format!("started({})", state.text),
            Made::Edges { state, edge: Edge::End } => format!("ended({})", state.text),
            Made::Edges { state, edge: Edge::Stay } => format!("stays({})", state.text),
            Made::Sessions { events, .. } => format!("sessions({})", events.base.words()),
            Made::Chain(chain) => {
                let steps: Vec<String> = chain.steps.iter().map(|s| s.rows.events.base.words()).collect();
                format!("attempts of {}", steps.join(" -> "))
            }
            Made::Returns(returns) => {
                let (start, back) = (returns.start.events.base.words(), returns.back.events.base.words());
                format!("returns of {start} -> {back}")
            }
            Made::Groups(groups) => {
                let keys: Vec<&str> = groups.keys.iter().map(|k| k.name.as_str()).collect();
                let period = groups.per.iter().map(|g| g.name());
                let keys = keys.into_iter().map(str::to_string).chain(period.map(|p| p.to_string()));
                format!("groups per {}", keys.collect::<Vec<_>>().join(", "))
            }
            Made::Changes(changes) => {
                let states = changes.states.iter().map(|state| state.text.clone());
                let rows = changes.rows.iter().map(|keyed| keyed.events.base.words());
                let what: Vec<String> = states.chain(changes.attributes.iter().cloned()).chain(rows).collect();
                format!("changes of {}", what.join(" and "))
            }
        }
    }

    /// The row expressions that they are made with; those of the aggregates of groups too.
    pub fn rows(&self) -> Vec<&Row> {
        match self {
            Made::Edges { state, .. } => state.rows(),
            Made::Sessions { events, key, .. } => events.rows().into_iter().chain([key]).collect(),
            Made::Chain(chain) => {
                let steps = chain.steps.iter().flat_map(ChainStep::parts);
                steps.chain(chain.among.iter().flat_map(Keyed::rows)).collect()
            }
            Made::Returns(returns) => {
                let held = returns.hold.iter().flat_map(|held| [&held.start, &held.back]);
                returns.start.rows().into_iter().chain(returns.back.rows()).chain(held).collect()
            }
            Made::Groups(groups) => groups.aggregates.iter().flat_map(Aggregate::rows).collect(),
            Made::Changes(changes) => {
                let rows = changes.rows.iter().flat_map(Keyed::rows);
                changes.states.iter().flat_map(State::rows).chain(rows).collect()
            }
        }
    }
}

impl ChainStep {
    fn parts(&self) -> Vec<&Row> {
        self.rows.rows().into_iter().chain(&self.hold).chain(self.without.iter().flat_map(Keyed::rows)).collect()
    }
}

impl Keyed {
    /// Its row expressions.
    pub fn rows(&self) -> Vec<&Row> {
        self.events.rows().into_iter().chain([&self.key]).collect()
    }
}

impl State {
    /// Its row expressions.
    pub fn rows(&self) -> Vec<&Row> {
        let mut rows = self.from.rows();
        rows.push(&self.key);
        rows.extend(self.value.iter().chain(&self.holds));
        match &self.until {
            Until::Never | Until::After(_) => {}
            Until::At(row) => rows.push(row),
            Until::Event { events, key } => {
                rows.extend(events.rows());
                rows.push(key);
            }
        }
        rows
    }
}

impl Events {
    /// The row expressions of its base and stages.
    pub fn rows(&self) -> Vec<&Row> {
        let stages = self.stages.iter().map(|stage| match stage {
            Stage::Where(row) | Stage::First { per: row } => row,
        });
        self.base.rows().into_iter().chain(stages).collect()
    }
}

impl Measure {
    /// Its arguments.
    pub fn rows(&self) -> Vec<&Row> {
        match self {
            Measure::Count => Vec::new(),
            Measure::Sum(row)
            | Measure::Avg(row)
            | Measure::Min(row)
            | Measure::Max(row)
            | Measure::Percentile { of: row, .. }
            | Measure::Stddev(row)
            | Measure::First(row)
            | Measure::Last(row)
            | Measure::Unique(row) => vec![row],
            Measure::Best { of, rank } => vec![of, rank],
            Measure::Plugin { args, .. } => args.iter().collect(),
        }
    }
}

impl Aggregate {
    /// Its row expressions.
    pub fn rows(&self) -> Vec<&Row> {
        let mut rows = self.events.rows();
        rows.extend(self.filter.iter().chain(&self.labels));
        rows.extend(self.measure.rows());
        rows
    }
}

impl Row {
    /// The row expressions right below it, those of the rows that it looks into included.
    pub fn parts(&self) -> Vec<&Row> {
        match &self.node {
            RowNode::Const(_) | RowNode::At | RowNode::Field(_) | RowNode::Role(_) => Vec::new(),
            RowNode::Attribute { of, .. } | RowNode::Key { of, .. } => vec![of],
            RowNode::Step { of, .. } => vec![of],
            RowNode::Tile { of, subject, .. } => vec![of, subject],
            RowNode::Modelled(modelled) => {
                let mut rows = modelled.events.rows();
                rows.extend(modelled.filter.iter().chain([&modelled.subject]).chain(&modelled.args));
                rows
            }
            RowNode::History(history) => {
                let mut rows = history.events.rows();
                rows.extend(history.filter.iter().chain([&history.key, &history.subject]));
                rows.extend(history.measure.rows());
                rows
            }
            RowNode::Call { args, .. } | RowNode::Plugin { args, .. } => args.iter().collect(),
            RowNode::Case { whens, otherwise } => {
                whens.iter().flat_map(|(c, v)| [c, v]).chain(otherwise.as_deref()).collect()
            }
            RowNode::State { state, of, .. } | RowNode::StateAverage { state, of } | RowNode::TimeIn { state, of } => {
                let mut rows = state.rows();
                rows.push(of);
                rows
            }
            RowNode::Lifecycle { rows, of, .. } => rows.rows().into_iter().chain([&**of]).collect(),
            RowNode::Convert { of, from, .. } => vec![of, from],
        }
    }
}

impl Formula {
    /// The formulas right below it.
    pub fn parts(&self) -> Vec<&Formula> {
        match &self.node {
            FormulaNode::Const(_) | FormulaNode::Aggregate(_) | FormulaNode::Label(_) | FormulaNode::Period => {
                Vec::new()
            }
            FormulaNode::Call { args, .. } | FormulaNode::Plugin { args, .. } => args.iter().collect(),
            FormulaNode::Case { whens, otherwise } => {
                whens.iter().flat_map(|(c, v)| [c, v]).chain(otherwise.as_deref()).collect()
            }
            FormulaNode::Rank { of, .. } | FormulaNode::Series { of, .. } => vec![of],
        }
    }
}
