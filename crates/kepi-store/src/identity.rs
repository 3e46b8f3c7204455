//! What makes two rows the same: a 128-bit hash of their values, computed when a load needs it and never stored.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal64Type, Float64Type, Int64Type, TimestampMicrosecondType, UInt32Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_buffer::ToByteSlice;
use arrow_schema::DataType;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The hashes of rows, given as columns in an agreed order and in the form in which a scan presents them. A missing
/// value adds nothing, so rows that were stored before a column was declared equal rows without a value in it.
pub(crate) fn hashes(columns: &[ArrayRef], rows: usize) -> Vec<u128> {
    let mut hashes = vec![0u128; rows];
    for (position, column) in columns.iter().enumerate() {
        let seed = position as u64 + 1;
        match column.data_type() {
            DataType::UInt32 => add(&mut hashes, seed, column.as_primitive::<UInt32Type>()),
            DataType::Int64 => add(&mut hashes, seed, column.as_primitive::<Int64Type>()),
            DataType::Decimal64(_, _) => add(&mut hashes, seed, column.as_primitive::<Decimal64Type>()),
            DataType::Float64 => add(&mut hashes, seed, column.as_primitive::<Float64Type>()),
            DataType::Timestamp(_, _) => add(&mut hashes, seed, column.as_primitive::<TimestampMicrosecondType>()),
            DataType::Date32 => add(&mut hashes, seed, column.as_primitive::<Date32Type>()),
            DataType::Boolean => {
                for (hash, value) in hashes.iter_mut().zip(column.as_boolean()) {
                    if let Some(value) = value {
                        *hash = hash.wrapping_add(xxh3_128_with_seed(&[u8::from(value)], seed));
                    }
                }
            }
            _ => {
                for (hash, value) in hashes.iter_mut().zip(column.as_string::<i32>()) {
                    if let Some(value) = value {
                        *hash = hash.wrapping_add(xxh3_128_with_seed(value.as_bytes(), seed));
                    }
                }
            }
        }
    }
    hashes
}

fn add<T: ArrowPrimitiveType>(hashes: &mut [u128], seed: u64, column: &PrimitiveArray<T>) {
    let hash_of = |value: &T::Native| xxh3_128_with_seed(std::slice::from_ref(value).to_byte_slice(), seed);
    for (row, (hash, value)) in hashes.iter_mut().zip(column.values()).enumerate() {
        if column.is_valid(row) {
            *hash = hash.wrapping_add(hash_of(value));
        }
    }
}

/// Rows that are stored already, by hash, and how often.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    counts: HashMap<u128, u32, BuildHasherDefault<Folded>>,
}

impl Stored {
    /// Notes rows that are stored.
    pub(crate) fn add(&mut self, hashes: &[u128]) {
        for hash in hashes {
            *self.counts.entry(*hash).or_default() += 1;
        }
    }

    /// Whether a row of a load is there already: the n-th row of one content in a load is the n-th stored one.
    pub(crate) fn take(&mut self, hash: u128) -> bool {
        match self.counts.get_mut(&hash) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }
}

/// A hasher for keys that are hashes or numbers themselves.
#[derive(Debug, Default)]
pub(crate) struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64 ^ (value >> 64) as u64;
    }

    fn write_i64(&mut self, value: i64) {
        // Multiplying spreads runs of ids over the table; the high bits are the good ones.
        let wide = u128::from(self.0 ^ value as u64) * 0x9E37_79B9_7F4A_7C15;
        self.0 = wide as u64 ^ (wide >> 64) as u64;
    }

    fn write_u32(&mut self, value: u32) {
        self.write_i64(i64::from(value));
    }
}
