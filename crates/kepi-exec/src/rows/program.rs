//! A program: row expressions as nodes in the order in which they are computed, each once per batch.

use super::choose::Unions;
use super::clock::Clock;
use super::column::{Column, Type, Values};
use super::convert::Convert;
use super::evaluate::Past;
use super::text::{Cached, Map, Recoded, Test};
use super::times::Tables;
use crate::made::{self, Wanted};
use crate::pass::{Apart, Elsewhere, Grouped, Held, Learned, Lifecycle, Lookback, Lot, ModelOf, Tile};
use crate::{ExecError, Source};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use kepi_extension::{AT, ColumnKind, ScalarFunction, StreamInfo};
use kepi_model::calendar::Zone;
use kepi_model::core::{self, Op, Row};
use kepi_model::value::{Kind, Unit, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// What the rows are.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    /// Events of a stream; without information: nothing was ever loaded.
    Stream(String, Option<StreamInfo>),
    /// Rows that are made of others.
    Made(Arc<made::Stream>),
    /// Entities of a kind.
    Entity(Arc<str>),
    /// Rows of a table: names and types of its columns.
    Table(Vec<(String, Type)>),
    /// Groups with a moment: names and types of their columns, and their value.
    Groups(Vec<(String, Type)>, Box<Row>),
}

/// A column that is read, and how.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) name: String,
    kind: Option<ColumnKind>,
    dictionary: Option<Arc<StringArray>>,
    /// Of made rows: what it is.
    wanted: Option<Wanted>,
}

impl Input {
    /// How a stored column comes out of a scan.
    pub(super) fn kind(&self) -> Option<&ColumnKind> {
        self.kind.as_ref()
    }
}

/// Row expressions of one base, compiled. Nodes come after those that they need; equal ones are one.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) base: Base,
    pub(crate) source: Source,
    pub(crate) zone: String,
    pub(crate) now: i64,
    pub(crate) clock: Clock,
    pub(crate) inputs: Vec<Input>,
    pub(super) nodes: Vec<Node>,
    pub(super) types: Vec<Type>,
    pub(super) known: HashMap<String, usize>,
    /// Whether a node keeps something of earlier rows, so that all rows from the first on must be seen.
    pub(crate) needs_past: bool,
    /// Whether a node follows time from the start, so that the rows cannot be split.
    pub(crate) sequential: bool,
    /// Whether a node asks for the period of the cell.
    pub(crate) needs_period: bool,
    /// While the condition of a state on its value is compiled: that value.
    pub(super) value_of_state: Option<usize>,
    /// While what an aggregate takes is compiled: whether a row without a rate is an error is judged by who takes it.
    pub(crate) judged_later: bool,
    pub(super) values: Vec<Column>,
    /// The nodes that are computed of rows that only go by, once that was asked; none in it: all of them.
    pub(super) past: Option<Option<Past>>,
}

/// A step of a program. Numbers are those of nodes.
#[derive(Debug)]
pub(super) enum Node {
    Const {
        value: Value,
        column: Option<Column>,
    },
    At,
    /// The entity of a row of entities.
    Entity,
    Input(usize),
    Missing,
    /// A value by id.
    Gather {
        of: usize,
        values: Arc<Column>,
    },
    /// A value by id as it was at the row's moment.
    AsOf {
        of: usize,
        history: Box<AsOf>,
    },
    Keys {
        of: usize,
        keys: Arc<StringArray>,
    },
    Test {
        of: usize,
        test: Test,
        cache: Cached<Vec<bool>>,
    },
    Map {
        of: usize,
        map: Map,
        cache: Cached<Recoded>,
    },
    Length {
        of: usize,
        cache: Cached<Vec<i64>>,
    },
    /// An operation without anything to keep; `digits`: of `round`.
    Call {
        op: Op,
        args: Vec<usize>,
        digits: Option<i64>,
    },
    Times {
        op: Op,
        args: Vec<usize>,
        tables: Tables,
    },
    Case {
        whens: Vec<(usize, usize)>,
        otherwise: Option<usize>,
        unions: Unions,
    },
    Otherwise {
        args: Vec<usize>,
        unions: Unions,
    },
    Extreme {
        args: Vec<usize>,
        greatest: bool,
        unions: Unions,
    },
    Plugin {
        function: Arc<dyn ScalarFunction>,
        args: Vec<(usize, Unit)>,
    },
    Both(usize, usize),
    First {
        mask: Option<usize>,
        per: usize,
        /// A bit per id.
        seen: Vec<u64>,
        without: u64,
    },
    History(Box<Lookback>),
    Elsewhere(Box<Elsewhere>),
    Grouped(Box<Grouped>),
    Apart(Box<Apart>),
    Held(Box<Held>),
    Lifecycle(Box<Lifecycle>),
    Tile(Box<Tile>),
    Modelled(Box<ModelOf>),
    Convert(Box<Convert>),
}

/// The past of an attribute.
#[derive(Debug)]
pub(super) struct AsOf {
    pub(super) ids: Vec<u32>,
    pub(super) times: Vec<i64>,
    pub(super) values: Column,
    pub(super) next: usize,
    /// By id: the place of the value that holds, plus one.
    pub(super) current: Vec<u32>,
}

/// A batch of rows on its way through a program.
#[derive(Debug)]
pub(crate) struct Frame {
    /// How many rows.
    pub(crate) len: usize,
    /// Their moments; none: undated.
    pub(crate) at: Option<arrow_buffer::ScalarBuffer<i64>>,
    /// By how much the last instant that a row sees lies before its moment: 0 for events; for an entity, whose moment is
    /// the end of a half-open cell, 1.
    pub(crate) back: i64,
    /// The columns of [`Program::inputs`].
    pub(crate) columns: Vec<Column>,
    /// The ids of entities.
    pub(crate) ids: Option<Column>,
    /// The first instant of each row's cell, where [`Program::needs_period`].
    pub(crate) cell_starts: Option<Vec<i64>>,
    /// The end of the cell, where the rows are entities or groups: they may be looked at before it.
    pub(crate) cell_end: Option<i64>,
    /// The rows that are in the window.
    pub(crate) window: std::ops::Range<usize>,
}

impl Program {
    /// An empty program over a base.
    pub(crate) fn new(base: Base, source: &Source, zone: &str, now: i64) -> Result<Program, ExecError> {
        let found = Zone::named(zone).ok_or_else(|| ExecError::Plan(format!("there is no time zone `{zone}`")))?;
        Ok(Program {
            base,
            source: source.clone(),
            zone: zone.to_string(),
            now,
            clock: Clock::new(found),
            inputs: Vec::new(),
            nodes: Vec::new(),
            types: Vec::new(),
            known: HashMap::new(),
            needs_past: false,
            sequential: false,
            needs_period: false,
            value_of_state: None,
            judged_later: false,
            values: Vec::new(),
            past: None,
        })
    }

    /// A program over the rows of a base of the core.
    pub(crate) fn of_base(base: &core::Base, source: &Source, zone: &str, now: i64) -> Result<Program, ExecError> {
        let base = match base {
            core::Base::Stream(stream) => Base::Stream(stream.clone(), source.scan.stream(stream)),
            core::Base::Entity(entity) => Base::Entity(Arc::from(entity.as_str())),
            core::Base::Made(made) => Base::Made(source.made(made, zone, now)?),
        };
        Program::new(base, source, zone, now)
    }

    /// Whether its rows are those of a base of the core.
    pub(crate) fn reads(&self, base: &core::Base) -> bool {
        match (&self.base, base) {
            (Base::Stream(own, _), core::Base::Stream(other)) => own == other,
            (Base::Made(own), core::Base::Made(other)) => own.made == **other,
            _ => false,
        }
    }

    /// The type of a node.
    pub(crate) fn ty(&self, node: usize) -> &Type {
        &self.types[node]
    }

    /// What a node gave for the batch.
    pub(crate) fn value(&self, node: usize) -> &Column {
        &self.values[node]
    }

    /// How many rows of the window a `first` node, anywhere before `node`, could not take for want of the entity.
    pub(crate) fn without_entity(&self, node: usize) -> u64 {
        match &self.nodes[node] {
            Node::First { mask, without, .. } => without + mask.map_or(0, |m| self.without_entity(m)),
            Node::Both(a, b) => self.without_entity(*a) + self.without_entity(*b),
            _ => 0,
        }
    }

    /// How many rows of other streams its histories and states have read.
    pub(crate) fn rows_scanned_elsewhere(&self) -> u64 {
        let scanned = |node: &Node| match node {
            Node::Elsewhere(elsewhere) => elsewhere.rows_scanned(),
            Node::Grouped(grouped) => grouped.rows_scanned(),
            Node::Apart(apart) => apart.rows_scanned(),
            Node::Held(held) => held.rows_scanned(),
            Node::Lifecycle(lifecycle) => lifecycle.rows_scanned(),
            Node::Tile(tile) => tile.rows_scanned(),
            Node::Modelled(model) => model.rows_scanned(),
            _ => 0,
        };
        self.nodes.iter().map(scanned).sum()
    }

    /// Whether a node keeps or looks up something of moments before the row's, so that rows must come in order.
    pub(crate) fn looks_back(&self) -> bool {
        self.nodes.iter().any(|node| {
            matches!(
                node,
                Node::AsOf { .. }
                    | Node::First { .. }
                    | Node::History(_)
                    | Node::Elsewhere(_)
                    | Node::Grouped(_)
                    | Node::Apart(_)
                    | Node::Held(_)
                    | Node::Lifecycle(_)
                    | Node::Convert(_)
                    | Node::Tile(_)
                    | Node::Modelled(_)
            )
        })
    }

    /// What the models that it asks told.
    pub(crate) fn learned(&self) -> impl Iterator<Item = Learned> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Modelled(model) => model.learned(),
            _ => None,
        })
    }

    /// Whether rows have a moment.
    pub(crate) fn is_dated(&self) -> bool {
        match &self.base {
            Base::Stream(_, info) => info.as_ref().is_none_or(|i| i.dated),
            Base::Entity(_) | Base::Made(_) | Base::Groups(..) => true,
            Base::Table(_) => false,
        }
    }

    /// Whether its rows are entities.
    pub(crate) fn is_of_entities(&self) -> bool {
        matches!(self.base, Base::Entity(_))
    }

    /// The column and the id that all rows have for which a condition is yes; none: it does not ask for one.
    pub(crate) fn only(&self, condition: usize) -> Option<(String, u32)> {
        let any = |nodes: &[usize]| nodes.iter().find_map(|&node| self.only(node));
        match &self.nodes[condition] {
            Node::Both(a, b) => any(&[*a, *b]),
            Node::Call { op: Op::And, args, .. } => any(args),
            Node::Call { op: Op::Equal, args, .. } => {
                let column = args.iter().find_map(|&arg| match self.nodes[arg] {
                    Node::Input(input) => Some(&self.inputs[input]),
                    _ => None,
                });
                let id = args.iter().find_map(|&arg| match (&self.nodes[arg], &self.types[arg]) {
                    (Node::Const { value: Value::Decimal { digits, .. }, .. }, Type::Id(_)) => Some(*digits),
                    _ => None,
                });
                let column = column.filter(|input| matches!(input.kind, Some(ColumnKind::Id { .. })))?;
                Some((column.name.clone(), u32::try_from(id?).ok()?))
            }
            _ => None,
        }
    }

    /// Whether its values for an entity change only when something happens to that very entity that can be followed.
    pub(crate) fn can_be_followed(&self) -> bool {
        let own = |of: usize| matches!(self.nodes[of], Node::Entity);
        self.nodes.iter().all(|node| match node {
            Node::Const { .. } | Node::Entity | Node::Missing | Node::Gather { .. } | Node::Keys { .. } => true,
            Node::Test { .. } | Node::Map { .. } | Node::Length { .. } | Node::Call { .. } | Node::Times { .. } => true,
            Node::Case { .. } | Node::Otherwise { .. } | Node::Extreme { .. } | Node::Both(..) => true,
            Node::Held(held) => held.is_of_moment() && own(held.subject()),
            Node::Elsewhere(elsewhere) => own(elsewhere.subject()),
            Node::Lifecycle(lifecycle) => own(lifecycle.subject()),
            _ => false,
        })
    }

    /// Whether it asks for how long states held, or their means.
    pub(crate) fn measures_time(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node, Node::Held(held) if !held.is_of_moment()))
    }

    /// Whether it asks for an end of the cell, or for what lies in it.
    pub(crate) fn looks_at_cell(&self) -> bool {
        let at_end = |node: &Node| matches!(node, Node::Held(held) if held.is_of_end());
        self.needs_period || self.nodes.iter().any(at_end)
    }

    /// Whether its rows are groups.
    pub(crate) fn is_of_groups(&self) -> bool {
        matches!(self.base, Base::Groups(..))
    }

    /// Looks only at some entities: what states, histories and stages keep by their own ids is kept of them alone.
    pub(crate) fn look_at(&mut self, lot: Lot) {
        let own: Vec<bool> = self.nodes.iter().map(|node| matches!(node, Node::Entity)).collect();
        for node in &mut self.nodes {
            match node {
                Node::Held(held) if own[held.subject()] => held.look_at(lot),
                Node::Elsewhere(elsewhere) if own[elsewhere.subject()] => elsewhere.look_at(lot),
                Node::Grouped(grouped) if own[grouped.subject()] => grouped.look_at(lot),
                Node::Lifecycle(lifecycle) if own[lifecycle.subject()] => lifecycle.look_at(lot),
                _ => {}
            }
        }
    }

    /// Keeps from now on for which entities something happens. `apart`: no window begins before the one before it ends.
    pub(crate) fn follow(&mut self, apart: bool) {
        let mut states = Vec::new();
        for node in &mut self.nodes {
            match node {
                Node::Held(held) => states.push(&mut **held),
                Node::Elsewhere(elsewhere) => elsewhere.watch(),
                Node::Lifecycle(lifecycle) => lifecycle.watch(),
                _ => {}
            }
        }
        // Who has values comes first: whether there is any is read of the same rows.
        states.sort_by_key(|held| !held.has_values());
        for place in 0..states.len() {
            let (leaders, others) = states.split_at_mut(place);
            let Some(held) = others.first_mut() else { continue };
            if !leaders.iter().any(|leader| held.joins(leader, apart)) {
                held.watch();
            }
        }
    }

    /// Goes on to the end of a window, and names everybody for whom something may have changed since the one before,
    /// some more than once. Only while this is followed.
    pub(crate) fn changed(&mut self, from: i64, until: i64, each: &mut impl FnMut(u32)) -> Result<(), ExecError> {
        let Program { nodes, clock, .. } = self;
        for node in nodes {
            match node {
                Node::Held(held) => held.changed(from, until, &mut *each)?,
                Node::Elsewhere(elsewhere) => elsewhere.changed(from, until, clock, &mut *each)?,
                Node::Lifecycle(lifecycle) => lifecycle.changed(until.saturating_sub(1), &mut *each)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The states that it reads.
    pub(crate) fn states(&mut self) -> impl Iterator<Item = &mut Held> {
        self.nodes.iter_mut().filter_map(|node| match node {
            Node::Held(held) => Some(&mut **held),
            _ => None,
        })
    }

    /// The columns to be scanned, without [`AT`].
    pub(crate) fn scanned(&self) -> Vec<String> {
        self.inputs.iter().map(|i| i.name.clone()).collect()
    }

    /// Reads a scanned batch; `read`: which of the inputs are in it, where not all are.
    pub(crate) fn frame(&self, batch: &RecordBatch, read: Option<&[bool]>) -> Result<Frame, ExecError> {
        let dated = self.is_dated();
        let at = match dated {
            true => {
                let array = batch.column_by_name(AT).or_else(|| batch.columns().first());
                let array = array.ok_or_else(|| ExecError::Plan(format!("a scan gave no {AT}")))?;
                match Column::of_scan(array, &ColumnKind::Time, None)?.values {
                    Values::Time(times) => Some(times),
                    other => return Err(ExecError::Plan(format!("{AT} is {}", other.words()))),
                }
            }
            false => None,
        };
        let mut arrays = batch.columns().iter().skip(usize::from(dated));
        let len = batch.num_rows();
        let mut columns = Vec::with_capacity(self.inputs.len());
        for (number, input) in self.inputs.iter().enumerate() {
            if read.is_some_and(|read| !read[number]) {
                columns.push(Column::missing(len));
                continue;
            }
            let Some(array) = arrays.next() else { return Err(other_columns()) };
            columns.push(match &input.kind {
                Some(kind) => Column::of_scan(array, kind, input.dictionary.as_ref())?,
                None => Column::of_array(array)?,
            });
        }
        if arrays.next().is_some() {
            return Err(other_columns());
        }
        Ok(Frame { len, at, back: 0, columns, ids: None, cell_starts: None, cell_end: None, window: 0..len })
    }

    /// The node of the column that says whose a row is, where everything that is kept of earlier rows is kept by that:
    /// then what rows of some entities give does not depend on those of others. None: it is not so.
    pub(crate) fn kept_by(&self) -> Option<usize> {
        let mut key = None;
        for node in &self.nodes {
            let own = match node {
                Node::First { per, .. } => *per,
                Node::History(lookback) => lookback.by()?,
                Node::Elsewhere(elsewhere) => elsewhere.subject(),
                Node::Held(held) => held.subject(),
                Node::Grouped(_) | Node::Apart(_) | Node::Lifecycle(_) | Node::Tile(_) | Node::Plugin { .. } => {
                    return None;
                }
                _ => continue,
            };
            if key.is_some_and(|key| key != own) {
                return None;
            }
            key = Some(own);
        }
        key
    }

    /// How much its nodes look at what they keep by entity, about: once per row and array.
    pub(crate) fn looks_by_entity(&self) -> usize {
        let looks = |node: &Node| match node {
            Node::First { .. } => 1,
            Node::History(lookback) if lookback.is_plain() => 1,
            Node::History(_) | Node::Elsewhere(_) | Node::Held(_) => 3,
            _ => 0,
        };
        self.nodes.iter().map(looks).sum()
    }

    /// The name of the stored column that a node reads; none: it computes something.
    pub(crate) fn column_of(&self, node: usize) -> Option<&str> {
        match self.nodes[node] {
            Node::Input(input) => Some(&self.inputs[input].name),
            _ => None,
        }
    }

    /// Looks only at the rows of some entities, which are those of a node: what states and histories of other streams
    /// keep is kept of them alone. Gives the place of the column in frames; none: the node reads none.
    pub(crate) fn look_at_rows(&mut self, column: &str, lot: Lot) -> Option<usize> {
        let place = self.inputs.iter().position(|input| input.name == column)?;
        let key = self.nodes.iter().position(|node| matches!(node, Node::Input(input) if *input == place))?;
        for node in &mut self.nodes {
            match node {
                Node::Held(held) if held.subject() == key => held.look_at(lot),
                Node::Elsewhere(elsewhere) if elsewhere.subject() == key => elsewhere.look_at(lot),
                _ => {}
            }
        }
        Some(place)
    }

    /// The number of the input of this name.
    pub(super) fn input(&mut self, name: &str, kind: Option<ColumnKind>) -> Result<usize, ExecError> {
        if let Some(known) = self.inputs.iter().position(|i| i.name == name) {
            return Ok(known);
        }
        let dictionary = match (&kind, &self.base) {
            (Some(ColumnKind::Code), Base::Stream(stream, _)) => Some(self.source.scan.dictionary(stream, name)?),
            _ => None,
        };
        self.inputs.push(Input { name: name.to_string(), kind, dictionary, wanted: None });
        Ok(self.inputs.len() - 1)
    }

    /// The node of a column of made rows.
    pub(super) fn made_column(&mut self, stream: &made::Stream, wanted: Wanted) -> Result<usize, ExecError> {
        let known = self.inputs.iter().position(|i| i.wanted.as_ref() == Some(&wanted));
        let input = match known {
            Some(known) => known,
            None => {
                let name = format!("{wanted:?}");
                self.inputs.push(Input { name, kind: None, dictionary: None, wanted: Some(wanted.clone()) });
                self.inputs.len() - 1
            }
        };
        let ty = stream.ty(&wanted, &self.source)?;
        Ok(self.add(format!("input {input}"), ty, || Node::Input(input)))
    }

    /// The columns to be looked up in made rows, in the order of the inputs.
    pub(crate) fn made_columns(&self) -> impl Iterator<Item = &Wanted> + Clone {
        self.inputs.iter().filter_map(|i| i.wanted.as_ref())
    }

    /// The column of made rows that a node reads; none: it computes something.
    pub(super) fn wanted_by(&self, node: usize) -> Option<&Wanted> {
        match self.nodes[node] {
            Node::Input(input) => self.inputs[input].wanted.as_ref(),
            _ => None,
        }
    }

    /// Adds a node, or finds the one that is like it.
    pub(super) fn add(&mut self, key: String, ty: Type, node: impl FnOnce() -> Node) -> usize {
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let place = self.nodes.len();
        self.nodes.push(node());
        self.types.push(ty);
        self.known.insert(key, place);
        place
    }

    /// The keys of an entity.
    pub(crate) fn keys(&self, entity: &str) -> Result<Arc<StringArray>, ExecError> {
        match self.source.scan.entity(entity) {
            Some(_) => Ok(self.source.scan.keys(entity)?),
            None => Ok(Arc::new(StringArray::from_iter_values::<&str, _>([]))),
        }
    }

    /// How many ids an entity has.
    pub(crate) fn ids(&self, entity: &str) -> usize {
        self.source.scan.entity(entity).map_or(0, |e| e.count as usize)
    }
}

impl Frame {
    /// The rows whose entity, which a column says, is one of a lot; those without one are of the first.
    pub(crate) fn of_lot(&self, column: usize, lot: Lot) -> Frame {
        let key = &self.columns[column];
        let mut rows = vec![0; self.len];
        let mut count = 0;
        match (&key.values, &key.valid) {
            (Values::Id(ids, _), None) => {
                for (row, &id) in ids.iter().enumerate() {
                    rows[count] = row as u32;
                    count += usize::from(lot.has(id as usize));
                }
            }
            (Values::Id(ids, _), Some(known)) => {
                for (row, &id) in ids.iter().enumerate() {
                    rows[count] = row as u32;
                    count += usize::from(if known.is_valid(row) { lot.has(id as usize) } else { lot.is_first() });
                }
            }
            _ if lot.is_first() => {
                rows = (0..self.len as u32).collect();
                count = self.len;
            }
            _ => {}
        }
        rows.truncate(count);
        self.rows(&rows)
    }

    /// Some of its rows, all of which are in the window.
    pub(crate) fn rows(&self, rows: &[u32]) -> Frame {
        let len = rows.len();
        let at = self.at.as_ref().map(|at| rows.iter().map(|&row| at[row as usize]).collect());
        let columns = self.columns.iter().map(|column| take(column, rows, None)).collect();
        Frame { len, at, back: self.back, columns, ids: None, cell_starts: None, cell_end: None, window: 0..len }
    }
}

/// The values of some rows; a row beyond the column is missing.
pub(crate) fn take(column: &Column, rows: &[u32], valid: Option<&NullBuffer>) -> Column {
    let len = column.len();
    let within = rows.iter().fold(0, |most: u32, &row| most.max(row)) as usize;
    let within = rows.is_empty() || within < len;
    fn pick<T: Copy + Default>(values: &[T], rows: &[u32], within: bool) -> Vec<T> {
        match within {
            true => rows.iter().map(|&row| values[row as usize]).collect(),
            false => rows.iter().map(|&row| values.get(row as usize).copied().unwrap_or_default()).collect(),
        }
    }
    let values = match &column.values {
        Values::Decimal(v, s) => Values::Decimal(pick(v, rows, within).into(), *s),
        Values::Wide(v, s) => Values::Wide(pick(v, rows, within).into(), *s),
        Values::Float(v) => Values::Float(pick(v, rows, within).into()),
        Values::Codes(v, d) => Values::Codes(pick(v, rows, within).into(), Arc::clone(d)),
        Values::Text(_) => {
            let known = |i: usize| valid.is_none_or(|v| v.is_valid(i)) && (rows[i] as usize) < len;
            let text = |i: usize| if known(i) { column.text(rows[i] as usize) } else { None };
            Values::Text((0..rows.len()).map(text).collect())
        }
        Values::Bool(v) => Values::Bool(BooleanBuffer::collect_bool(rows.len(), |i| {
            (rows[i] as usize) < len && v.value(rows[i] as usize)
        })),
        Values::Time(v) => Values::Time(pick(v, rows, within).into()),
        Values::Date(v) => Values::Date(pick(v, rows, within).into()),
        Values::Id(v, e) => Values::Id(pick(v, rows, within).into(), Arc::clone(e)),
        Values::Missing(_) => return Column::missing(rows.len()),
    };
    let own = match (&column.valid, within) {
        (None, true) => None,
        (own, _) => Some(NullBuffer::new(BooleanBuffer::collect_bool(rows.len(), |i| {
            let row = rows[i] as usize;
            row < len && own.as_ref().is_none_or(|v| v.is_valid(row))
        }))),
    };
    Column::new(values, NullBuffer::union(own.as_ref(), valid))
}

/// A column as a plugin takes it: counts as `Int64`, other numbers as `Float64`.
pub(crate) fn plugin_array(column: &Column, unit: &Unit, keys: Option<&StringArray>) -> Result<ArrayRef, ExecError> {
    use arrow_array::{Array, Float64Array, new_null_array};
    if let Values::Missing(len) = column.values {
        let ty = match unit.kind {
            Kind::Count => arrow_schema::DataType::Int64,
            _ => match Type::of_unit(unit) {
                Type::Decimal(_) => arrow_schema::DataType::Float64,
                other => super::column::arrow_type(&other),
            },
        };
        return Ok(new_null_array(&ty, len));
    }
    let array: ArrayRef = match (&unit.kind, &column.values) {
        (Kind::Count, Values::Decimal(v, 0)) => Arc::new(Int64Array::new(v.clone(), column.valid.clone())),
        (Kind::Count, Values::Decimal(..) | Values::Wide(..) | Values::Float(_)) => {
            let whole = column.floats()?.iter().map(|&x| x.round() as i64).collect();
            Arc::new(Int64Array::new(whole, column.valid.clone()))
        }
        (_, Values::Decimal(..) | Values::Wide(..) | Values::Float(_)) => {
            Arc::new(Float64Array::new(column.floats()?, column.valid.clone()))
        }
        _ => column.to_array(keys)?,
    };
    debug_assert_eq!(array.len(), column.len());
    Ok(array)
}

fn other_columns() -> ExecError {
    ExecError::Plan("a scan gave other columns than it was asked for".into())
}
