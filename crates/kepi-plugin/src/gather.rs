//! Rows kept by group until all are there: for functions that have to see a group whole.
//!
//! Every value is eight bytes: numbers and times as they are, texts as a number into the column's list of texts.

use crate::failure::Failure;
use crate::settings::bytes_in_words;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use std::collections::HashMap;
use std::sync::Arc;

/// The rows of all groups of one aggregation.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    columns: Vec<Column>,
    /// By row its group.
    groups: Vec<u32>,
    group_count: usize,
    bytes_max: usize,
}

/// The values of a column.
#[derive(Debug, Default)]
struct Column {
    kind: Option<Stored>,
    /// One per row.
    values: Vec<u64>,
    texts: Vec<String>,
    places: HashMap<String, u64>,
}

/// How a value is stored in eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Float,
    Integer,
    Text,
    Bool,
    Time,
    Date,
}

const STORED: [Stored; 6] = [Stored::Float, Stored::Integer, Stored::Text, Stored::Bool, Stored::Time, Stored::Date];

impl Gathered {
    /// No rows yet; all of them may take so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Gathered {
        Gathered { bytes_max, ..Gathered::default() }
    }

    /// How many groups there are.
    pub(crate) fn group_count(&self) -> usize {
        self.group_count
    }

    /// Adds rows. Rows with a missing value are left out.
    pub(crate) fn add(&mut self, groups: &[u32], group_count: usize, args: &[ArrayRef]) -> Result<(), Failure> {
        self.group_count = self.group_count.max(group_count);
        self.widen(args.len())?;
        let whole: Vec<usize> = (0..groups.len()).filter(|&row| args.iter().all(|a| a.is_valid(row))).collect();
        for (index, array) in args.iter().enumerate() {
            self.columns[index].add(array, &whole)?;
        }
        self.groups.extend(whole.iter().map(|&row| groups[row]));
        self.fits()
    }

    /// The rows of each group, in the order in which they came.
    pub(crate) fn rows(&self) -> Vec<Vec<usize>> {
        let mut rows = vec![Vec::new(); self.group_count];
        for (row, &group) in self.groups.iter().enumerate() {
            rows[group as usize].push(row);
        }
        rows
    }

    /// A column at some rows.
    pub(crate) fn column(&self, index: usize, rows: &[usize]) -> ArrayRef {
        self.columns[index].at(rows)
    }

    /// How many columns there are; none before any row came.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }

    /// The eight bytes of each of some rows: equal where the values are.
    pub(crate) fn raw(&self, index: usize, rows: &[usize]) -> Vec<u64> {
        rows.iter().map(|&row| self.columns[index].values[row]).collect()
    }

    /// One state per group.
    pub(crate) fn save(&self) -> Vec<Vec<u8>> {
        self.rows().into_iter().map(|rows| self.save_rows(&rows)).collect()
    }

    fn save_rows(&self, rows: &[usize]) -> Vec<u8> {
        if rows.is_empty() {
            return Vec::new();
        }
        let mut bytes = Vec::new();
        put(&mut bytes, rows.len() as u64);
        put(&mut bytes, self.columns.len() as u64);
        for column in &self.columns {
            let kind = column.kind.unwrap_or(Stored::Float);
            bytes.push(STORED.iter().position(|s| *s == kind).unwrap_or(0) as u8);
            if kind == Stored::Time {
                put_times(&mut bytes, rows.iter().map(|&row| column.values[row].cast_signed()));
                continue;
            }
            for &row in rows {
                let value = column.values[row];
                if kind == Stored::Text {
                    let text = column.texts[value as usize].as_bytes();
                    put(&mut bytes, text.len() as u64);
                    bytes.extend_from_slice(text);
                } else {
                    put(&mut bytes, value);
                }
            }
        }
        bytes
    }

    /// Puts the rows of states behind those of their groups.
    pub(crate) fn merge(&mut self, groups: &[u32], group_count: usize, states: &[Vec<u8>]) -> Result<(), Failure> {
        self.group_count = self.group_count.max(group_count);
        for (&group, state) in groups.iter().zip(states).filter(|(_, state)| !state.is_empty()) {
            let damaged = || Failure::Failed("a saved state is damaged".to_string());
            let mut rest = state.as_slice();
            let rows = take(&mut rest).ok_or_else(damaged)? as usize;
            let width = take(&mut rest).ok_or_else(damaged)? as usize;
            // A row takes a byte at least in one column or another.
            if width > 64 || (rows > state.len() && width > 0) {
                return Err(damaged());
            }
            self.widen(width)?;
            for column in &mut self.columns {
                column.read(&mut rest, rows).ok_or_else(damaged)?;
            }
            self.groups.extend(std::iter::repeat_n(group, rows));
            self.fits()?;
        }
        Ok(())
    }

    fn widen(&mut self, width: usize) -> Result<(), Failure> {
        if self.columns.is_empty() {
            self.columns.resize_with(width, Column::default);
        }
        if self.columns.len() == width {
            return Ok(());
        }
        Err(Failure::Failed(format!("it was handed {width} columns, and {} before", self.columns.len())))
    }

    fn fits(&self) -> Result<(), Failure> {
        let kept = self.columns.iter().map(|c| 8 * c.values.len() + 48 * c.texts.len()).sum::<usize>();
        if kept + 4 * self.groups.len() > self.bytes_max {
            return Err(Failure::Limit(format!("{} for the rows of its groups", bytes_in_words(self.bytes_max))));
        }
        Ok(())
    }
}

impl Column {
    fn add(&mut self, array: &ArrayRef, rows: &[usize]) -> Result<(), Failure> {
        if rows.is_empty() {
            return Ok(());
        }
        let (kind, mut value): (Stored, Box<dyn FnMut(usize) -> u64 + '_>) = match array.data_type() {
            DataType::Float64 => {
                let values = array.as_primitive::<Float64Type>();
                (Stored::Float, Box::new(|row| values.value(row).to_bits()))
            }
            DataType::Int64 => {
                let values = array.as_primitive::<Int64Type>();
                (Stored::Integer, Box::new(|row| values.value(row).cast_unsigned()))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let values = array.as_primitive::<TimestampMicrosecondType>();
                (Stored::Time, Box::new(|row| values.value(row).cast_unsigned()))
            }
            DataType::Date32 => {
                let values = array.as_primitive::<Date32Type>();
                (Stored::Date, Box::new(|row| i64::from(values.value(row)).cast_unsigned()))
            }
            DataType::Boolean => {
                let values = array.as_boolean();
                (Stored::Bool, Box::new(|row| u64::from(values.value(row))))
            }
            DataType::Utf8 => {
                let values = array.as_string::<i32>();
                let (texts, places) = (&mut self.texts, &mut self.places);
                (Stored::Text, Box::new(move |row| place(texts, places, values.value(row))))
            }
            other => return Err(Failure::Failed(format!("it was handed a column of type {other}"))),
        };
        if *self.kind.get_or_insert(kind) != kind {
            return Err(Failure::Failed("it was handed columns of two types".to_string()));
        }
        let values: Vec<u64> = rows.iter().map(|&row| value(row)).collect();
        drop(value);
        self.values.extend(values);
        Ok(())
    }

    fn read(&mut self, rest: &mut &[u8], count: usize) -> Option<()> {
        let (&tag, behind) = rest.split_first()?;
        *rest = behind;
        let kind = *STORED.get(tag as usize)?;
        if *self.kind.get_or_insert(kind) != kind {
            return None;
        }
        if kind == Stored::Time {
            let mut before = 0_i64;
            for _ in 0..count {
                before = before.wrapping_add(take_step(rest)?);
                self.values.push(before.cast_unsigned());
            }
            return Some(());
        }
        for _ in 0..count {
            let mut value = take(rest)?;
            if kind == Stored::Text {
                let (text, behind) = rest.split_at_checked(usize::try_from(value).ok()?)?;
                *rest = behind;
                value = place(&mut self.texts, &mut self.places, std::str::from_utf8(text).ok()?);
            }
            self.values.push(value);
        }
        Some(())
    }

    fn at(&self, rows: &[usize]) -> ArrayRef {
        let values = || rows.iter().map(|&row| self.values[row]);
        match self.kind.unwrap_or(Stored::Float) {
            Stored::Float => Arc::new(values().map(f64::from_bits).map(Some).collect::<Float64Array>()),
            Stored::Integer => Arc::new(values().map(u64::cast_signed).map(Some).collect::<Int64Array>()),
            Stored::Text => Arc::new(values().map(|v| Some(self.texts[v as usize].as_str())).collect::<StringArray>()),
            Stored::Bool => Arc::new(values().map(|v| Some(v != 0)).collect::<BooleanArray>()),
            Stored::Time => {
                let times: TimestampMicrosecondArray = values().map(u64::cast_signed).map(Some).collect();
                Arc::new(times.with_timezone("UTC"))
            }
            Stored::Date => Arc::new(values().map(|v| Some(v.cast_signed() as i32)).collect::<Date32Array>()),
        }
    }
}

/// The number of a text; a new one gets the next.
fn place(texts: &mut Vec<String>, places: &mut HashMap<String, u64>, text: &str) -> u64 {
    if let Some(&place) = places.get(text) {
        return place;
    }
    let place = texts.len() as u64;
    texts.push(text.to_string());
    places.insert(text.to_string(), place);
    place
}

fn put(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

/// Writes times as steps from one to the next, which are small where they lie in order: seven bits a byte.
fn put_times(bytes: &mut Vec<u8>, times: impl Iterator<Item = i64>) {
    let mut before = 0_i64;
    for time in times {
        let step = time.wrapping_sub(before);
        before = time;
        // The sign goes to the lowest bit, so that small steps back are small too.
        let mut left = ((step << 1) ^ (step >> 63)).cast_unsigned();
        while left >= 0x80 {
            bytes.push(left as u8 | 0x80);
            left >>= 7;
        }
        bytes.push(left as u8);
    }
}

fn take_step(bytes: &mut &[u8]) -> Option<i64> {
    let mut step = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        step |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((step >> 1).cast_signed() ^ -(step & 1).cast_signed());
        }
    }
    None
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*first))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    fn rows(names: &[Option<&str>], values: &[f64]) -> Vec<ArrayRef> {
        vec![Arc::new(names.iter().copied().collect::<StringArray>()), Arc::new(Float64Array::from(values.to_vec()))]
    }

    #[test]
    fn what_is_saved_and_merged_is_what_was_added() {
        let mut whole = Gathered::new(1 << 20);
        whole.add(&[0, 1, 0], 2, &rows(&[Some("a"), Some("b"), None], &[1.0, 2.0, 3.0])).unwrap();
        let mut other = Gathered::new(1 << 20);
        other.add(&[1, 1], 2, &rows(&[Some("c"), Some("b")], &[4.0, 5.0])).unwrap();
        let mut merged = Gathered::new(1 << 20);
        merged.merge(&[0, 1], 2, &whole.save()).unwrap();
        merged.merge(&[0, 1], 3, &other.save()).unwrap();
        let rows = merged.rows();
        assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [1, 3, 0]);
        let names = merged.column(0, &rows[1]);
        assert_eq!(names.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["b", "c", "b"]);
        assert_eq!(merged.column(1, &rows[1]).as_primitive::<Float64Type>().values().to_vec(), [2.0, 4.0, 5.0]);
    }

    #[test]
    fn times_are_saved_as_steps() {
        let times = [0, -1, 1_700_000_000_000_000, 1_700_000_000_000_001, i64::MIN, i64::MAX, 5];
        let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC"));
        let mut whole = Gathered::new(1 << 20);
        whole.add(&[0; 7], 1, &[column]).unwrap();
        let mut merged = Gathered::new(1 << 20);
        merged.merge(&[0], 1, &whole.save()).unwrap();
        let found: Vec<i64> = merged.raw(0, &merged.rows()[0]).into_iter().map(u64::cast_signed).collect();
        assert_eq!(found, times);
        let mut cut = whole.save();
        cut[0].pop();
        assert!(Gathered::new(1 << 20).merge(&[0], 1, &cut).is_err());
    }

    #[test]
    fn a_damaged_state_and_too_many_rows_are_refused() {
        let mut gathered = Gathered::new(100);
        assert!(matches!(gathered.merge(&[0], 1, &[vec![9, 9, 9]]), Err(Failure::Failed(_))));
        let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0; 20]));
        let refused = gathered.add(&[0; 20], 1, &[values]).unwrap_err();
        assert_eq!(refused, Failure::Limit("100 bytes for the rows of its groups".to_string()));
    }
}
