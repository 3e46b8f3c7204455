//! Values of rows: how they are read from columns, and how columns are made of them.

use crate::{Column, DataType, Date, Error, Time, Values};

/// A column that is ready to be read row by row.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'a, S> {
    values: S,
    validity: Option<&'a [u8]>,
}

impl<S> Opened<'_, S> {
    fn is_there(&self, row: usize) -> bool {
        self.validity.is_none_or(|bits| bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1))
    }
}

/// A type of values.
pub trait Value: Sized {
    /// What it is in a column.
    const TYPE: DataType;
    /// The values of a column.
    type Slice<'a>: Copy;

    /// The values of a column of this type; none: it is of another one.
    fn slice(values: &Values) -> Option<Self::Slice<'_>>;

    /// The value of a row; what lies beyond the column is its default.
    fn at(slice: Self::Slice<'_>, row: usize) -> Self;

    /// A column of values; missing ones hold a default.
    fn column(values: Vec<Option<Self>>) -> Values;
}

macro_rules! plain {
    ($type:ty, $variant:ident, $data_type:ident, $stored:ty, $read:expr, $write:expr) => {
        impl Value for $type {
            const TYPE: DataType = DataType::$data_type;
            type Slice<'a> = &'a [$stored];

            fn slice(values: &Values) -> Option<&[$stored]> {
                if let Values::$variant(values) = values { Some(values) } else { None }
            }

            fn at(slice: &[$stored], row: usize) -> $type {
                let read: fn($stored) -> $type = $read;
                read(slice.get(row).copied().unwrap_or_default())
            }

            fn column(values: Vec<Option<$type>>) -> Values {
                let write: fn($type) -> $stored = $write;
                Values::$variant(values.into_iter().map(|value| value.map(write).unwrap_or_default()).collect())
            }
        }
    };
}

plain!(f64, Floats, Float, f64, |x| x, |x| x);
plain!(i64, Integers, Integer, i64, |x| x, |x| x);
plain!(bool, Booleans, Boolean, u8, |x| x != 0, u8::from);
plain!(Time, Times, Time, i64, Time, |time| time.0);
plain!(Date, Dates, Date, i32, Date, |date| date.0);

impl Value for String {
    const TYPE: DataType = DataType::Text;
    type Slice<'a> = (&'a [u32], &'a [u8]);

    fn slice(values: &Values) -> Option<(&[u32], &[u8])> {
        if let Values::Texts { offsets, data } = values { Some((offsets, data)) } else { None }
    }

    fn at((offsets, data): (&[u32], &[u8]), row: usize) -> String {
        let bounds = offsets.get(row).zip(offsets.get(row + 1));
        let bytes = bounds.and_then(|(from, until)| data.get(*from as usize..*until as usize)).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn column(values: Vec<Option<String>>) -> Values {
        let (mut offsets, mut data) = (vec![0], Vec::new());
        for value in values {
            data.extend(value.unwrap_or_default().into_bytes());
            offsets.push(data.len() as u32);
        }
        Values::Texts { offsets, data }
    }
}

/// A parameter of a function of rows: a value, or an `Option` of it.
pub trait Argument: Sized {
    /// What it takes.
    const TYPE: DataType;
    /// Whether it may be left out.
    const OPTIONAL: bool;
    /// The column, ready to be read.
    type Open<'a>;

    /// The argument's column.
    fn open(arguments: &[Column], index: usize) -> Result<Self::Open<'_>, Error>;

    /// The value of a row.
    fn get(open: &Self::Open<'_>, row: usize) -> Self;
}

fn opened<T: Value>(column: &Column, index: usize) -> Result<Opened<'_, T::Slice<'_>>, Error> {
    let wrong = || Error::Failed(format!("argument {} is no column of {}", index + 1, T::TYPE.plural()));
    let values = T::slice(&column.values).ok_or_else(wrong)?;
    Ok(Opened { values, validity: column.validity.as_deref() })
}

/// What a function gives for a row.
pub trait Returned {
    /// The type of its values.
    type Value: Value;

    /// The value, missing or not.
    fn answer(self) -> Result<Option<Self::Value>, Error>;
}

macro_rules! ways {
    ($($type:ty),*) => {$(
        impl Argument for $type {
            const TYPE: DataType = <$type as Value>::TYPE;
            const OPTIONAL: bool = false;
            type Open<'a> = Opened<'a, <$type as Value>::Slice<'a>>;

            fn open(arguments: &[Column], index: usize) -> Result<Self::Open<'_>, Error> {
                let lacks = || Error::Failed(format!("argument {} is missing", index + 1));
                opened::<$type>(arguments.get(index).ok_or_else(lacks)?, index)
            }

            fn get(open: &Self::Open<'_>, row: usize) -> $type {
                <$type as Value>::at(open.values, row)
            }
        }

        impl Argument for Option<$type> {
            const TYPE: DataType = <$type as Value>::TYPE;
            const OPTIONAL: bool = true;
            type Open<'a> = Option<Opened<'a, <$type as Value>::Slice<'a>>>;

            fn open(arguments: &[Column], index: usize) -> Result<Self::Open<'_>, Error> {
                arguments.get(index).map(|column| opened::<$type>(column, index)).transpose()
            }

            fn get(open: &Self::Open<'_>, row: usize) -> Option<$type> {
                let column = open.as_ref().filter(|column| column.is_there(row))?;
                Some(<$type as Value>::at(column.values, row))
            }
        }

        impl Returned for $type {
            type Value = $type;

            fn answer(self) -> Result<Option<$type>, Error> {
                Ok(Some(self))
            }
        }

        impl Returned for Option<$type> {
            type Value = $type;

            fn answer(self) -> Result<Option<$type>, Error> {
                Ok(self)
            }
        }

        impl Returned for Result<$type, Error> {
            type Value = $type;

            fn answer(self) -> Result<Option<$type>, Error> {
                self.map(Some)
            }
        }

        impl Returned for Result<Option<$type>, Error> {
            type Value = $type;

            fn answer(self) -> Result<Option<$type>, Error> {
                self
            }
        }
    )*};
}

ways!(f64, i64, bool, String, Time, Date);
