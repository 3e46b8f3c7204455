//! For the tests of plugins: calls them as kepi would, on the author's machine.

mod learned;

pub use learned::{Applied, model, series};

use crate::host::Response;
use crate::{Aggregate, Column, Connector, Date, Error, Groups, Page, PageRequest, Row, ScalarFunction, SourceError};
use crate::{DataType, Time, Value, Values, aggregate_function};
use std::cell::RefCell;
use std::rc::Rc;

/// A value of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Missing.
    Missing,
    /// A number of whatever kind.
    Float(f64),
    /// A count.
    Integer(i64),
    /// Yes or no.
    Boolean(bool),
    /// A text.
    Text(String),
    /// A moment.
    Time(Time),
    /// A day.
    Date(Date),
}

macro_rules! cells {
    ($($type:ty => $variant:ident),*) => {$(
        impl From<$type> for Cell {
            fn from(value: $type) -> Cell {
                Cell::$variant(value.into())
            }
        }
    )*};
}

cells!(f64 => Float, i64 => Integer, bool => Boolean, String => Text, &str => Text, Time => Time, Date => Date);

impl Cell {
    /// A column of this value; a missing one is of the type that is taken.
    fn column(&self, accepts: DataType) -> Column {
        let there = |values| Column { values, validity: None };
        match self {
            Cell::Missing => Column { validity: Some(vec![0]), values: none(accepts) },
            Cell::Float(value) => there(f64::column(vec![Some(*value)])),
            Cell::Integer(value) => there(i64::column(vec![Some(*value)])),
            Cell::Boolean(value) => there(bool::column(vec![Some(*value)])),
            Cell::Text(value) => there(String::column(vec![Some(value.clone())])),
            Cell::Time(value) => there(Time::column(vec![Some(*value)])),
            Cell::Date(value) => there(Date::column(vec![Some(*value)])),
        }
    }

    /// A column of several values. A value of another type than the column's ends the test.
    #[allow(clippy::panic)]
    fn all(cells: &[Cell], accepts: DataType) -> Column {
        fn values<V: Value>(cells: &[Cell], read: impl Fn(&Cell) -> Option<V>) -> Values {
            V::column(cells.iter().map(read).collect())
        }
        macro_rules! read {
            ($variant:ident) => {
                values(cells, |cell| match cell {
                    Cell::$variant(value) => Some(value.clone()),
                    Cell::Missing => None,
                    other => panic!("{other:?} is no value of a column of {}", accepts.plural()),
                })
            };
        }
        let values = match accepts {
            DataType::Boolean => read!(Boolean),
            DataType::Integer => read!(Integer),
            DataType::Float => read!(Float),
            DataType::Text => read!(Text),
            DataType::Time => read!(Time),
            DataType::Date => read!(Date),
        };
        let there = |cell: &Cell| *cell != Cell::Missing;
        let validity = (!cells.iter().all(there)).then(|| {
            let mut bits = vec![0_u8; cells.len().div_ceil(8)];
            for (row, _) in cells.iter().enumerate().filter(|(_, cell)| there(cell)) {
                bits[row / 8] |= 1 << (row % 8);
            }
            bits
        });
        Column { values, validity }
    }

    fn of(column: &Column) -> Cell {
        if column.rows() == 0 || column.validity.as_ref().is_some_and(|bits| bits.first().is_none_or(|b| b & 1 == 0)) {
            return Cell::Missing;
        }
        match &column.values {
            Values::Floats(values) => values[0].into(),
            Values::Integers(values) => values[0].into(),
            Values::Booleans(values) => (values[0] != 0).into(),
            Values::Times(values) => Time(values[0]).into(),
            Values::Dates(values) => Date(values[0]).into(),
            texts => String::slice(texts).map_or(Cell::Missing, |slice| String::at(slice, 0).into()),
        }
    }
}

/// The place of a missing value.
fn none(accepts: DataType) -> Values {
    match accepts {
        DataType::Boolean => bool::column(vec![None]),
        DataType::Integer => i64::column(vec![None]),
        DataType::Float => f64::column(vec![None]),
        DataType::Text => String::column(vec![None]),
        DataType::Time => Time::column(vec![None]),
        DataType::Date => Date::column(vec![None]),
    }
}

/// Calls a function for one row. As in kepi, a missing argument gives a missing value without a call, unless the
/// function sees missing values; a number that is not finite is missing.
pub fn scalar<F: ScalarFunction>(arguments: &[Cell]) -> Result<Cell, Error> {
    if !F::INFO.sees_missing && arguments.contains(&Cell::Missing) {
        return Ok(Cell::Missing);
    }
    let types = F::INFO.params.iter().map(|param| param.accepts).chain(std::iter::repeat(DataType::Float));
    let columns: Vec<Column> = arguments.iter().zip(types).map(|(cell, accepts)| cell.column(accepts)).collect();
    Ok(match Cell::of(&F::call(1, &columns)?) {
        Cell::Float(value) if !value.is_finite() => Cell::Missing,
        cell => cell,
    })
}

/// The value of rows, after it was seen that it is the same in every order and split: all at once, backwards, and in
/// two parts that are saved, read again and merged, wherever they are cut.
///
/// # Panics
/// Where the values differ, or a saved state cannot be read.
#[allow(clippy::panic)] // A test ends with it.
pub fn aggregate<A>(rows: &[A::Row]) -> Option<A::Value>
where
    A: Aggregate,
    A::Row: Row + Clone,
    A::Value: PartialEq + std::fmt::Debug,
{
    let part = |rows: &[A::Row]| {
        let mut state = A::default();
        rows.iter().cloned().for_each(|row| state.add(row));
        state
    };
    let whole = part(rows).value();
    let backwards: Vec<A::Row> = rows.iter().rev().cloned().collect();
    let turned = part(&backwards).value();
    assert_eq!(turned, whole, "{} depends on the order of rows", A::NAME);
    for cut in 0..=rows.len() {
        for parts in [[&rows[..cut], &rows[cut..]], [&rows[cut..], &rows[..cut]]] {
            let mut groups = (aggregate_function::<A>().start)();
            for rows in parts {
                let mut state = Vec::new();
                A::STATE_VERSION.save_into(&mut state);
                crate::State::save(&part(rows), &mut state);
                if let Err(error) = groups.merge(&[0], 1, &[state]) {
                    panic!("{}: {error}", A::NAME);
                }
            }
            let merged = first::<A::Value>(groups.as_mut());
            assert_eq!(merged, whole, "{} depends on how rows are split, here after {cut}", A::NAME);
        }
    }
    whole
}

trait SaveInto {
    fn save_into(&self, bytes: &mut Vec<u8>);
}

impl SaveInto for u32 {
    fn save_into(&self, bytes: &mut Vec<u8>) {
        crate::State::save(self, bytes);
    }
}

fn first<V: Value>(groups: &mut dyn Groups) -> Option<V> {
    let column = groups.finish();
    let there = column.validity.as_ref().is_none_or(|bits| bits.first().is_some_and(|byte| byte & 1 == 1));
    if there { V::slice(&column.values).map(|slice| V::at(slice, 0)) } else { None }
}

/// What answers a plugin in a test. Everything is refused that a test does not answer.
pub trait Host {
    /// Answers a request.
    fn fetch(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Result<Response, String> {
        let _ = (method, headers, body);
        Err(format!("the test answers no request to {url}"))
    }

    /// A secret.
    fn secret(&self, name: &str) -> Result<String, String> {
        Err(format!("the test has no secret {name}"))
    }

    /// A file.
    fn read_file(&self, path: &str) -> Result<String, String> {
        Err(format!("the test has no file {path}"))
    }

    /// The files that fit a pattern.
    fn list_files(&self, pattern: &str) -> Result<Vec<String>, String> {
        Err(format!("the test has no files {pattern}"))
    }

    /// The instant of the run.
    fn now(&self) -> i64 {
        0
    }

    /// Hears the log.
    fn log(&self, message: &str) {
        let _ = message;
    }
}

thread_local! {
    static HOST: RefCell<Option<Rc<dyn Host>>> = const { RefCell::new(None) };
}

/// Runs something while a host answers on this thread.
pub fn with_host<R>(host: impl Host + 'static, body: impl FnOnce() -> R) -> R {
    let before = HOST.replace(Some(Rc::new(host)));
    let answer = body();
    HOST.set(before);
    answer
}

/// Asks the host of this thread.
pub(crate) fn host<R>(ask: impl FnOnce(&dyn Host) -> R) -> Result<R, String> {
    let host = HOST.with_borrow(Clone::clone).ok_or("there is no host: use testing::with_host")?;
    Ok(ask(host.as_ref()))
}

/// Reads a stream to its end, page by page, each as if it were the first call of a fresh instance.
pub fn pages<C: Connector>(stream: &str, config: &str, page_size: u32) -> Result<Vec<Page>, SourceError> {
    let mut pages: Vec<Page> = Vec::new();
    loop {
        let cursor = pages.last().and_then(|page| page.cursor.clone());
        let request = PageRequest {
            stream: stream.to_string(),
            config: config.to_string(),
            cursor: cursor.clone(),
            page_size,
            since: None,
        };
        let page = C::read(request)?;
        if page.more && (page.cursor.is_none() || page.cursor == cursor) {
            return Err(SourceError::Failed("there is more, but the cursor is that of the page before".to_string()));
        }
        let more = page.more;
        pages.push(page);
        if !more {
            return Ok(pages);
        }
    }
}
