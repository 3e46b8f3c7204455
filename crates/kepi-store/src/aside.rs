//! Rows of a large load that wait in a file instead of memory until it is committed.
//!
//! The file has no name any more as soon as it is mapped, so that nothing is left of a load that ended early; the system
//! writes its pages out and reads them again as it has room.

use crate::disk::NewFile;
use crate::error::StoreError;
use crate::layout::Layout;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ToByteSlice};
use arrow_data::ArrayDataBuilder;
use arrow_schema::DataType;
use std::io::Write;

/// Each buffer begins at a multiple of it, as Arrow wants it.
const ALIGNMENT: usize = 64;

/// How many bytes of an array could wait in a file. Arrays of bits and of nothing stay where they are: they are small.
pub(crate) fn bytes_of(array: &ArrayRef) -> usize {
    let missing = array.nulls().map_or(0, |nulls| nulls.len().div_ceil(8));
    match array.data_type() {
        DataType::Utf8 => {
            let ends = array.as_string::<i32>().value_offsets();
            ends.len() * 4 + (ends[ends.len() - 1] - ends[0]) as usize + missing
        }
        kind => kind.primitive_width().map_or(0, |width| width * array.len() + missing),
    }
}

/// Puts arrays into a file; from then on they are what it is mapped to.
pub(crate) fn put<'a>(layout: &Layout, arrays: impl Iterator<Item = &'a mut ArrayRef>) -> Result<(), StoreError> {
    let target = layout.data().join("aside");
    let mut out = Out { file: NewFile::create(&target)?, length: 0 };
    let io = |error| StoreError::io(&target, error);
    let mut moved = Vec::new();
    for array in arrays {
        if bytes_of(array) > 0 {
            let places = out.put(array).map_err(io)?;
            moved.push((array, places));
        }
    }
    let bytes = out.file.map()?;
    out.file.discard()?;
    for (array, places) in moved {
        *array = places.array(array, &bytes)?;
    }
    Ok(())
}

/// A file that is being written, and how long it is.
struct Out {
    file: NewFile,
    length: usize,
}

/// Where the parts of an array lie in the file, and how long they are.
struct Places {
    buffers: Vec<(usize, usize)>,
    missing: Option<(usize, usize)>,
}

impl Out {
    fn put(&mut self, array: &ArrayRef) -> std::io::Result<Places> {
        let missing = match array.nulls().filter(|nulls| nulls.null_count() > 0) {
            Some(nulls) => Some(self.bytes(&nulls.inner().sliced())?),
            None => None,
        };
        let buffers = match array.as_string_opt::<i32>() {
            Some(texts) => {
                let ends = texts.value_offsets();
                let (first, last) = (ends[0], ends[ends.len() - 1]);
                let own: Vec<i32> = ends.iter().map(|end| end - first).collect();
                let texts = &texts.value_data()[first as usize..last as usize];
                vec![self.bytes(own.to_byte_slice())?, self.bytes(texts)?]
            }
            None => {
                let data = array.to_data();
                let width = array.data_type().primitive_width().unwrap_or(0);
                let values = &data.buffers()[0][data.offset() * width..][..array.len() * width];
                vec![self.bytes(values)?]
            }
        };
        Ok(Places { buffers, missing })
    }

    fn bytes(&mut self, bytes: &[u8]) -> std::io::Result<(usize, usize)> {
        let start = self.length.next_multiple_of(ALIGNMENT);
        self.file.write_all(&[0; ALIGNMENT][..start - self.length])?;
        self.file.write_all(bytes)?;
        self.length = start + bytes.len();
        Ok((start, bytes.len()))
    }
}

impl Places {
    /// The array that lies there.
    fn array(&self, was: &ArrayRef, file: &Buffer) -> Result<ArrayRef, StoreError> {
        let part = |&(start, length): &(usize, usize)| file.slice_with_length(start, length);
        let rows = was.len();
        let missing = self.missing.as_ref().map(|place| NullBuffer::new(BooleanBuffer::new(part(place), 0, rows)));
        let data = ArrayDataBuilder::new(was.data_type().clone())
            .len(rows)
            .buffers(self.buffers.iter().map(part).collect())
            .nulls(missing);
        Ok(make_array(data.build()?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

    use super::*;
    use arrow_array::{BooleanArray, Decimal64Array, Int64Array, NullArray, StringArray, UInt32Array};
    use std::sync::Arc;

    #[test]
    fn arrays_are_the_same_in_the_file_and_nothing_is_left_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        std::fs::create_dir_all(layout.data()).unwrap();
        let texts = StringArray::from(vec![Some("one"), None, Some(""), Some("four"), Some("fünf")]);
        let numbers = Int64Array::from(vec![Some(1), None, Some(i64::MIN), Some(4), Some(5)]);
        let money = Decimal64Array::from(vec![1, 2, 3]).with_precision_and_scale(18, 2).unwrap();
        let before: Vec<ArrayRef> = vec![
            Arc::new(texts.slice(1, 4)),
            Arc::new(numbers.slice(1, 3)),
            Arc::new(UInt32Array::from(vec![7, 8, 9]).slice(2, 1)),
            Arc::new(money),
            Arc::new(BooleanArray::from(vec![Some(true), None])),
            Arc::new(NullArray::new(3)),
            Arc::new(StringArray::new_null(0)),
            Arc::new(Int64Array::new_null(2)),
        ];
        let mut after = before.clone();
        put(&layout, after.iter_mut()).unwrap();
        assert_eq!(after, before);
        assert_eq!(std::fs::read_dir(layout.data()).unwrap().count(), 0);
    }
}
