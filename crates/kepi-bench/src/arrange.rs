//! The same rows in other files, so that they are loaded in other orders: what is stored must not depend on it.

use crate::dice::Dice;
use crate::error::BenchError;
use arrow_array::{RecordBatch, UInt32Array};
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
        let count = rows.num_rows();
        let parts = self.parts(count);
        let mut paths = Vec::new();
        for (place, part) in parts.into_iter().enumerate().filter(|(_, part)| !part.is_empty()) {
            let path = beside.join(format!("{stream}.{}.parquet", place + 1));
            let chosen = take_record_batch(&rows, &UInt32Array::from(part)).map_err(BenchError::parquet(&whole))?;
            write(&path, &chosen)?;
            paths.push(path);
        }
        Ok(paths)
    }

    /// Which rows are in which file.
    fn parts(self, count: usize) -> [Vec<u32>; 2] {
        let mut dice = Dice::new(7, 100, count as u64);
        let all = 0..count as u32;
        match self {
            Arrangement::Whole => [all.collect(), Vec::new()],
            Arrangement::New => {
                let cut = count as u32 - count as u32 / 100;
                [(0..cut).collect(), (cut..count as u32).collect()]
            }
            Arrangement::Late => {
                let (late, first): (Vec<u32>, Vec<u32>) = all.partition(|_| dice.percent(1));
                [first, late]
            }
            Arrangement::Shuffled => {
                let mut rows: Vec<u32> = all.collect();
                for place in (1..count).rev() {
                    rows.swap(place, dice.below(place as u64 + 1) as usize);
                }
                let second = rows.split_off(count / 2);
                [rows, second]
            }
        }
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
                let [mut first, second] = arrangement.parts(count);
                first.extend(&second);
                first.sort_unstable();
                assert_eq!(first, (0..count as u32).collect::<Vec<_>>(), "{arrangement:?} of {count}");
            }
        }
        let [first, second] = Arrangement::Shuffled.parts(1_000);
        assert!(!first.is_sorted() && first.len() == 500 && second.len() == 500);
        let [_, late] = Arrangement::Late.parts(10_000);
        assert!((50..150).contains(&late.len()), "{}", late.len());
    }
}
