//! The same rows in other files, so that they are loaded in other orders: what is stored must not depend on it.

use crate::dice::Dice;
use crate::error::BenchError;
use arrow_array::{Array, RecordBatch, UInt32Array};
use arrow_schema::DataType;
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// In which order the rows of a stream are loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrangement {
    /// As they are generated: in the order of time, one file.
    #[default]
    Whole,
    /// In two halves, each in random order.
    Shuffled,
    /// All but one row in a hundred, in order; then those.
    Late,
    /// The first 99 of a hundred rows; then the rest, which is later than all of them.
    New,
}

impl Arrangement {
    fn name(self) -> &'static str {
        match self {
            Arrangement::Whole => "whole",
            Arrangement::Shuffled => "shuffled",
            Arrangement::Late => "late",
            Arrangement::New => "new",
        }
    }

    /// The files of a stream in the order in which they are to be loaded. Those that are not there are written beside
    /// the generated ones; the same file gives the same rows every time.
    pub(crate) fn files(self, folder: &Path, stream: &str) -> Result<Vec<PathBuf>, BenchError> {
        let whole = folder.join("data").join(format!("{stream}.parquet"));
        if self == Arrangement::Whole {
            return Ok(vec![whole]);
        }
        let beside = folder.join("data").join(self.name());
        fs::create_dir_all(&beside).map_err(BenchError::io(&beside))?;
        let rows = read(&whole)?;
        let parts = self.parts(&moments(&rows));
        let mut paths = Vec::new();
        for (place, part) in parts.into_iter().enumerate().filter(|(_, part)| !part.is_empty()) {
            let path = beside.join(format!("{stream}.{}.parquet", place + 1));
            let chosen = take_record_batch(&rows, &UInt32Array::from(part)).map_err(BenchError::parquet(&whole))?;
            write(&path, &chosen)?;
            paths.push(path);
        }
        Ok(paths)
    }

    /// Which rows are in which file, by their moments. Out of order, rows of one moment are in one file: of a stream without
    /// ids the store takes two equal rows of one load for two, and one that comes again in the next load for known.
    fn parts(self, moments: &[u64]) -> [Vec<u32>; 2] {
        let count = moments.len();
        let mut dice = Dice::new(7, 100, count as u64);
        let below = |row: u32, bound: u64, of: u64| Dice::new(7, moments[row as usize], of).below(of) < bound;
        let all = 0..count as u32;
        match self {
            Arrangement::Whole => [all.collect(), Vec::new()],
            Arrangement::New => {
                let cut = count as u32 - count as u32 / 100;
                [(0..cut).collect(), (cut..count as u32).collect()]
            }
            Arrangement::Late => {
                let (late, first): (Vec<u32>, Vec<u32>) = all.partition(|&row| below(row, 1, 100));
                [first, late]
            }
            Arrangement::Shuffled => {
                let mut rows: Vec<u32> = all.collect();
                for place in (1..count).rev() {
                    rows.swap(place, dice.below(place as u64 + 1) as usize);
                }
                let (first, second) = rows.into_iter().partition(|&row| below(row, 1, 2));
                [first, second]
            }
        }
    }
}

/// By row its moment; where there is none, its place.
fn moments(rows: &RecordBatch) -> Vec<u64> {
    let timed = rows.columns().iter().find(|column| matches!(column.data_type(), DataType::Timestamp(..)));
    match timed {
        Some(column) => column.to_data().buffer::<i64>(0)[..rows.num_rows()].iter().map(|&at| at as u64).collect(),
        None => (0..rows.num_rows() as u64).collect(),
    }
}

fn read(path: &Path) -> Result<RecordBatch, BenchError> {
    let file = File::open(path).map_err(BenchError::io(path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(BenchError::parquet(path))?;
    let schema = builder.schema().clone();
    let reader = builder.with_batch_size(65_536).build().map_err(BenchError::parquet(path))?;
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(BenchError::parquet(path))?;
    concat_batches(&schema, &batches).map_err(BenchError::parquet(path))
}

fn write(path: &Path, rows: &RecordBatch) -> Result<(), BenchError> {
    let settings = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(crate::table::GROUP_ROWS));
    let file = File::create(path).map_err(BenchError::io(path))?;
    let writer = ArrowWriter::try_new(file, rows.schema(), Some(settings.build()));
    let mut writer = writer.map_err(BenchError::parquet(path))?;
    writer.write(rows).map_err(BenchError::parquet(path))?;
    writer.close().map(drop).map_err(BenchError::parquet(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_file() {
        for arrangement in [Arrangement::Whole, Arrangement::Shuffled, Arrangement::Late, Arrangement::New] {
            for count in [0, 1, 99, 100, 1_000] {
                let moments: Vec<u64> = (0..count as u64).collect();
                let [mut first, second] = arrangement.parts(&moments);
                first.extend(&second);
                first.sort_unstable();
                assert_eq!(first, (0..count as u32).collect::<Vec<_>>(), "{arrangement:?} of {count}");
            }
        }
        // Each moment has two rows.
        let moments: Vec<u64> = (0..10_000).map(|row| row / 2).collect();
        let [first, second] = Arrangement::Shuffled.parts(&moments);
        assert!(!first.is_sorted() && (4_500..5_500).contains(&first.len()), "{}", first.len());
        assert!(second.iter().all(|row| second.contains(&(row ^ 1))));
        let [_, late] = Arrangement::Late.parts(&moments);
        assert!((50..150).contains(&late.len()), "{}", late.len());
    }
}
