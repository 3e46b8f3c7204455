//! Every format, plain and packed, gives the same table.

use crate::{Folder, batches, open, options, rows};
use kepi_connect::{Delimiter, Table};
use std::io::Write;
use std::sync::Arc;

const CSV: &str = "id,name,paid\n1,Ada,12.50\n2,\"Bob, \"\"jr\"\"\",\n3,\"two\nlines\",7\n";
const READ: [&str; 3] = ["2 1 1|Ada|12.50", "3 2 2|Bob, \"jr\"|·", "4 3 3|two\nlines|7"];

#[test]
fn delimited_text_with_quotes_line_breaks_and_missing_cells() {
    let folder = Folder::new();
    let semicolon = "id;name;paid\n1;Ada;12.50\n2;\"Bob, \"\"jr\"\"\";\n3;\"two\nlines\";7\n";
    for (name, text) in [
        ("a.csv", CSV.to_string()),
        ("crlf.csv", CSV.replace('\n', "\r\n").replace("two\r\nlines", "two\nlines")),
        ("cr.csv", CSV.replace('\n', "\r")),
        ("bom.csv", format!("\u{feff}{CSV}")),
        ("end.csv", CSV.trim_end().to_string()),
        ("blank.csv", format!("{CSV}\n\n")),
        ("a.txt", semicolon.to_string()),
        ("a.tsv", semicolon.replace(';', "\t")),
        ("a.psv", semicolon.replace(';', "|")),
    ] {
        let table = open(&folder.file(name, text), &[]);
        assert_eq!(table.columns(), ["id", "name", "paid"], "{name}");
        assert_eq!(rows(&table), READ, "{name}");
    }
}

#[test]
fn packed_files_are_known_by_their_bytes() {
    let folder = Folder::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(CSV.as_bytes()).unwrap();
    let gzip = folder.file("named_wrongly.csv", gzip.finish().unwrap());
    let zstd = folder.file("a.csv.zst", zstd::encode_all(CSV.as_bytes(), 1).unwrap());
    assert_eq!(rows(&open(&gzip, &[])), READ);
    assert_eq!(rows(&open(&zstd, &[])), READ);
    assert_eq!(open(&zstd, &[]).stem(), "a");
}

#[test]
fn runs_of_blanks_are_a_delimiter() {
    let folder = Folder::new();
    let file = folder.file("cd.txt", " 00004 0001 19970101  2   29.33\n 00021 0002 19970102  3   63.34\n");
    let table = open(&file, &[("columns", "id,sample,day,discs,dollars")]);
    assert_eq!(table.dialect().unwrap().delimiter, Delimiter::Blanks);
    assert_eq!(rows(&table), ["1 1 00004|0001|19970101|2|29.33", "2 2 00021|0002|19970102|3|63.34"]);
    let unnamed = open(&file, &[]);
    assert_eq!(unnamed.columns()[2], "column_3");
    assert!(!unnamed.dialect().unwrap().header);
}

#[test]
fn text_with_blanks_in_one_column_stays_one_column() {
    let folder = Folder::new();
    let table = open(&folder.file("names.txt", "full name\nAda Lovelace\nBob\nGrace Brewster Hopper\n"), &[]);
    assert_eq!(rows(&table), ["2 1 Ada Lovelace", "3 2 Bob", "4 3 Grace Brewster Hopper"]);
}

#[test]
fn other_encodings_by_mark_or_stated() {
    let folder = Folder::new();
    let text = "naam,stad\nZoë,Curaçao\n";
    let utf16 = |big: bool| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    };
    let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
    for (file, stated) in [
        (folder.file("le.csv", utf16(false)), None),
        (folder.file("be.csv", utf16(true)), None),
        (folder.file("latin.csv", latin), Some("windows-1252")),
    ] {
        let pairs: Vec<(&str, &str)> = stated.map(|e| ("encoding", e)).into_iter().collect();
        assert_eq!(rows(&open(&file, &pairs)), ["2 1 Zoë|Curaçao"], "{file}");
    }
}

#[test]
fn json_lines_and_arrays_unfold_nested_fields() {
    let folder = Folder::new();
    let lines = concat!(
        r#"{"id": 1, "customer": {"id": "c1", "vip": true}, "tags": ["a", "b"]}"#,
        "\n\n",
        r#"{"id": 12345678901234567890123, "customer": {"id": "c\n2", "vip": null}, "amount": 1.50}"#,
        "\n"
    );
    let table = open(&folder.file("o.jsonl", lines), &[]);
    assert_eq!(table.columns(), ["id", "customer.id", "customer.vip", "tags", "amount"]);
    let read = ["1 1 1|c1|true|[\"a\", \"b\"]|·", "3 2 12345678901234567890123|c\n2|·|·|1.50"];
    assert_eq!(rows(&table), read);
    let array = format!("[\n{}\n]\n", lines.trim().replace("\n\n", ",\n\n"));
    let table = open(&folder.file("o.json", array), &[]);
    assert_eq!(rows(&table), [read[0].replacen('1', "2", 1), read[1].replacen('3', "4", 1)]);
}

#[test]
fn parquet_and_arrow_keep_their_types() {
    use arrow_array::{Float64Array, Int64Array, RecordBatch, StringArray, StructArray, TimestampMillisecondArray};
    use arrow_schema::{DataType, Field, Fields, Schema};
    let inner = Fields::from(vec![Field::new("city", DataType::Utf8, true)]);
    let city = StringArray::from(vec![Some("Delft"), None, Some("Leiden")]);
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("paid", DataType::Float64, true),
        Field::new("at", DataType::Timestamp(arrow_schema::TimeUnit::Millisecond, Some("UTC".into())), true),
        Field::new("where", DataType::Struct(inner.clone()), true),
    ]));
    let batch = RecordBatch::try_new(
        schema.clone(),
        vec![
            Arc::new(Int64Array::from(vec![1, 2, 3])),
            Arc::new(Float64Array::from(vec![Some(12.5), None, Some(0.1)])),
            Arc::new(TimestampMillisecondArray::from(vec![0, 1000, 2000]).with_timezone("UTC")),
            Arc::new(StructArray::new(inner, vec![Arc::new(city)], None)),
        ],
    )
    .unwrap();
    let folder = Folder::new();
    let mut parquet = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut parquet, schema.clone(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let mut file = arrow_ipc::writer::FileWriter::try_new(Vec::new(), &schema).unwrap();
    file.write(&batch).unwrap();
    let file = file.into_inner().unwrap();
    let mut stream = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &schema).unwrap();
    stream.write(&batch).unwrap();
    let stream = stream.into_inner().unwrap();
    for (name, bytes) in [("a.parquet", &parquet), ("a.arrow", &file), ("a.arrows", &stream)] {
        for packed in [false, true] {
            let bytes = if packed { zstd::encode_all(bytes.as_slice(), 1).unwrap() } else { bytes.clone() };
            let table = open(&folder.file(name, bytes), &[]);
            assert_eq!(table.columns(), ["id", "paid", "at", "where.city"], "{name}");
            assert_eq!(table.schema().field(1).data_type(), &DataType::Float64);
            let read = rows(&table);
            assert_eq!(read[0], "1 1 1|12.5|1970-01-01T00:00:00Z|Delft", "{name}");
            assert_eq!(read[1], "2 2 2|·|1970-01-01T00:00:01Z|·", "{name}");
            let part = table.with_only(&["where.city".to_string()]).unwrap();
            assert_eq!(rows(&part)[0], "1 1 ·|·|·|Delft", "{name}");
        }
    }
}

#[test]
fn several_files_are_one_table_with_rows_counted_on() {
    let folder = Folder::new();
    folder.file("p1.csv", "a,b\n1,x\n2,y\n");
    folder.file("p2.csv", "b,a\nz,3\n");
    folder.file("p3.csv", "a,b\n");
    let pattern = folder.path().join("p*.csv").display().to_string();
    let table = Table::open(&[pattern], &options(&[])).unwrap();
    assert_eq!(rows(&table), ["2 1 1|x", "3 2 2|y", "2 3 3|z"]);
    assert_eq!(table.files().len(), 3);
}

#[test]
fn a_header_only_file_has_no_rows() {
    let folder = Folder::new();
    let table = open(&folder.file("h.csv", "customer_id,amount,created_at\n"), &[]);
    assert_eq!(table.columns(), ["customer_id", "amount", "created_at"]);
    assert!(batches(&table).is_empty());
}

#[test]
fn a_long_file_comes_in_batches_and_may_be_left_early() {
    let folder = Folder::new();
    let mut text = String::from("n,t\n");
    for i in 0..100_000 {
        text.push_str(&format!("{i},row {i}\n"));
    }
    let table = open(&folder.file("long.csv", &text), &[]);
    let all = batches(&table);
    assert_eq!(all.iter().map(|b| b.records.num_rows()).sum::<usize>(), 100_000);
    assert!(all.len() > 2);
    assert_eq!(all.last().unwrap().lines.last(), Some(&100_001));
    let first = table.read().next().unwrap().unwrap();
    assert_eq!(first.rows[0], 1);
}

#[test]
fn headers_are_told_from_rows() {
    let folder = Folder::new();
    for (text, header) in [
        ("name,score\nann,3\n", true),
        ("ann,3\nbob,4\n", false),
        ("sales_agent,manager,office\nAnna,Dustin,Central\nCecily,Dustin,West\n", true),
        ("Anna,Dustin,Central\nCecily,Dustin,West\n", false),
        ("region,2019,2020\nnorth,17,18\nsouth,11,12\n", true),
        ("10100,2003-01-06,Shipped\n10101,2003-01-09,Shipped\n", false),
        // `no` is a name here, and a value there.
        ("no,customer\n1,a\n2,b\n", true),
        ("no,3\nyes,4\n", false),
    ] {
        let table = open(&folder.file("t.csv", text), &[]);
        assert_eq!(table.dialect().unwrap().header, header, "{text}: {}", table.dialect().unwrap().why);
    }
    // A line that has all names that are asked for is the header, whatever it looks like.
    let file = folder.file("t.csv", "1,2019-01-01,true\n2,3,4\n");
    let mut asked = options(&[]);
    for (names, header) in [(&["true", "1"][..], true), (&["true", "2"], false), (&[], false)] {
        asked.asked = names.iter().map(|name| name.to_string()).collect();
        let table = Table::open(std::slice::from_ref(&file), &asked).unwrap();
        assert_eq!(table.dialect().unwrap().header, header, "{names:?}");
    }
    let file = folder.file("t.csv", "ann,3\nbob,4\n");
    assert_eq!(rows(&open(&file, &[("header", "yes")])), ["2 1 bob|4"]);
    assert_eq!(rows(&open(&file, &[("columns", "who,n")])), ["1 1 ann|3", "2 2 bob|4"]);
}

#[test]
fn null_without_quotes_is_nothing_as_databases_export_it() {
    let folder = Folder::new();
    let file = folder.file("a.csv", "id,name\n1,NULL\nNULL,\"NULL\"\n\\N,Null\n4,NULLA\n5,NA\n");
    let read = rows(&open(&file, &[]));
    assert_eq!(read, ["2 1 1|·", "3 2 ·|NULL", "4 3 ·|Null", "5 4 4|NULLA", "6 5 5|NA"]);
}
