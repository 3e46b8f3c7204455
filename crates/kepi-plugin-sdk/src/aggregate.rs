//! Functions of groups of rows.

use crate::{Argument, Column, DataType, Date, Error, FunctionInfo, ParamInfo, State, Time, Value, scalar};

/// What an aggregate does with rows; `#[kepi::aggregate(params(x))]` stands on its struct.
///
/// Rows come in any order and in any split, so `merge(a, b)` has to be `merge(b, a)`: sort before floats are added.
pub trait Aggregate: AggregateInfo + State + Default + 'static {
    /// The arguments of a row: a value, or a tuple of up to four.
    type Row: Row;
    /// What it gives.
    type Value: Value;

    /// Takes a row in.
    fn add(&mut self, row: Self::Row);

    /// Takes another part of the group in.
    fn merge(&mut self, other: Self);

    /// The value of the group; it may be asked for several times.
    fn value(&mut self) -> Option<Self::Value>;
}

/// What an aggregate is called and takes; the attribute writes it.
pub trait AggregateInfo {
    /// Its name, as in kepi-plugin.toml.
    const NAME: &'static str;
    /// The names of its parameters.
    const PARAMS: &'static [&'static str];
    /// The version of what is saved.
    const STATE_VERSION: u32;
    /// Whether rows with a missing argument are taken in.
    const SEES_MISSING: bool;
}

/// The arguments of a row.
pub trait Row: Sized {
    /// Types, and whether each may be left out.
    const TYPES: &'static [(DataType, bool)];
    /// The columns, ready to be read.
    type Open<'a>;

    /// The columns of the arguments.
    fn open(arguments: &[Column]) -> Result<Self::Open<'_>, Error>;

    /// The arguments of a row.
    fn get(open: &Self::Open<'_>, row: usize) -> Self;
}

macro_rules! single {
    ($($type:ty),*) => {$(
        impl Row for $type {
            const TYPES: &'static [(DataType, bool)] = &[(<$type as Argument>::TYPE, <$type as Argument>::OPTIONAL)];
            type Open<'a> = <$type as Argument>::Open<'a>;

            fn open(arguments: &[Column]) -> Result<Self::Open<'_>, Error> {
                <$type as Argument>::open(arguments, 0)
            }

            fn get(open: &Self::Open<'_>, row: usize) -> $type {
                <$type as Argument>::get(open, row)
            }
        }
    )*};
}

single!(f64, i64, bool, String, Time, Date, Option<f64>, Option<i64>, Option<String>);

macro_rules! tuples {
    ($(($($name:ident $index:tt),*)),*) => {$(
        impl<$($name: Argument),*> Row for ($($name,)*) {
            const TYPES: &'static [(DataType, bool)] = &[$(($name::TYPE, $name::OPTIONAL)),*];
            type Open<'a> = ($($name::Open<'a>,)*);

            fn open(arguments: &[Column]) -> Result<Self::Open<'_>, Error> {
                Ok(($($name::open(arguments, $index)?,)*))
            }

            fn get(open: &Self::Open<'_>, row: usize) -> Self {
                ($($name::get(&open.$index, row),)*)
            }
        }
    )*};
}

tuples!((A 0), (A 0, B 1), (A 0, B 1, C 2), (A 0, B 1, C 2, D 3));

/// The groups of one aggregation.
pub trait Groups {
    /// Adds rows: `groups[i]` is the group of row i.
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Column]) -> Result<(), Error>;

    /// Folds saved states in.
    fn merge(&mut self, groups: &[u32], group_count: usize, states: &[Vec<u8>]) -> Result<(), Error>;

    /// A state per group.
    fn save(&self) -> Vec<Vec<u8>>;

    /// A value per group.
    fn finish(&mut self) -> Column;
}

/// An aggregate in a list.
#[derive(Clone, Copy, Debug)]
pub struct AggregateFunction {
    /// What it is called, takes and gives.
    pub info: fn() -> FunctionInfo,
    /// Starts an aggregation without groups.
    pub start: fn() -> Box<dyn Groups>,
}

/// An aggregate for a list.
pub const fn aggregate_function<A: Aggregate>() -> AggregateFunction {
    AggregateFunction { info: info::<A>, start: || Box::new(Of::<A>(Vec::new())) }
}

/// What an aggregate is called, takes and gives.
fn info<A: Aggregate>() -> FunctionInfo {
    assert!(
        A::PARAMS.len() == A::Row::TYPES.len(),
        "params(…) of {} names {} parameters, and its Row has {}",
        A::NAME,
        A::PARAMS.len(),
        A::Row::TYPES.len()
    );
    let param = |(name, (accepts, optional)): (&&'static str, &(DataType, bool))| ParamInfo {
        name,
        accepts: *accepts,
        optional: *optional && !A::SEES_MISSING,
    };
    let params: Vec<ParamInfo> = A::PARAMS.iter().zip(A::Row::TYPES).map(param).collect();
    // Asked for once in the life of a component.
    let params: &'static [ParamInfo] = Vec::leak(params);
    FunctionInfo { name: A::NAME, params, returns: A::Value::TYPE, sees_missing: A::SEES_MISSING }
}

struct Of<A>(Vec<A>);

impl<A: Aggregate> Of<A> {
    fn grow(&mut self, group_count: usize) {
        if self.0.len() < group_count {
            self.0.resize_with(group_count, A::default);
        }
    }

    fn group(&mut self, group: u32) -> Result<&mut A, Error> {
        let lacks = || Error::Failed(format!("there is no group {group}"));
        self.0.get_mut(group as usize).ok_or_else(lacks)
    }
}

impl<A: Aggregate> Groups for Of<A> {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Column]) -> Result<(), Error> {
        self.grow(group_count);
        let open = A::Row::open(arguments)?;
        for (row, group) in groups.iter().enumerate() {
            self.group(*group)?.add(A::Row::get(&open, row));
        }
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], group_count: usize, states: &[Vec<u8>]) -> Result<(), Error> {
        self.grow(group_count);
        for (group, state) in groups.iter().zip(states) {
            let mut bytes = state.as_slice();
            let damaged = || Error::Failed("a saved state is damaged".to_string());
            if u32::load(&mut bytes).ok_or_else(damaged)? != A::STATE_VERSION {
                return Err(Error::Failed("a saved state is of another version of the plugin".to_string()));
            }
            let saved = A::load(&mut bytes).filter(|_| bytes.is_empty()).ok_or_else(damaged)?;
            self.group(*group)?.merge(saved);
        }
        Ok(())
    }

    fn save(&self) -> Vec<Vec<u8>> {
        let one = |state: &A| {
            let mut bytes = Vec::new();
            A::STATE_VERSION.save(&mut bytes);
            state.save(&mut bytes);
            bytes
        };
        self.0.iter().map(one).collect()
    }

    fn finish(&mut self) -> Column {
        scalar::column(self.0.iter_mut().map(A::value).collect())
    }
}
