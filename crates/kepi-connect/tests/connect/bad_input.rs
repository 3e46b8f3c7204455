//! Bad input: each a message that says what and where, and the good rows still load.

use crate::{Folder, open, options, rejected, rows};
use kepi_connect::{ReadOptions, Table};

fn refused(folder: &Folder, file: &str, pairs: &[(&str, &str)]) -> String {
    let failure = match Table::open(&[file.to_string()], &options(pairs)) {
        Err(error) => error.to_string(),
        Ok(table) => table.read().find_map(|b| b.err()).map_or_else(|| "nothing was refused".into(), |e| e.to_string()),
    };
    folder.plain(&failure)
}

#[test]
fn what_is_no_table_is_refused_in_words() {
    let folder = Folder::new();
    let gzip = {
        use std::io::Write;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let rows: String = (0..5000).map(|i| format!("{i},{}\n", i * 7919 % 1009)).collect();
        gzip.write_all(format!("a,b\n{rows}").as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    let utf16: Vec<u8> = "a,b\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let noise: Vec<u8> = (0..4000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut found = Vec::new();
    for (name, bytes) in [
        ("empty.csv", Vec::new()),
        ("blank.csv", b"\n \n".to_vec()),
        ("latin.csv", b"name,n\nann,1\nZo\xeb,2\n".to_vec()),
        ("latin_header.csv", b"caf\xe9,n\nann,1\n".to_vec()),
        ("twice.csv", b"id,amount,id\n1,2,3\n".to_vec()),
        ("short.csv.gz", gzip[..gzip.len() / 2].to_vec()),
        ("utf16.csv", utf16),
        ("noise.csv", noise),
        ("cut.parquet", b"PAR1 and nothing else".to_vec()),
        ("cut.arrow", b"ARROW1\0\0".to_vec()),
        ("pretty.json", b"{\n  \"a\": 1\n}\n".to_vec()),
        ("open.json", b"[{\"a\": 1},\n{\"a\": 2}".to_vec()),
    ] {
        let file = folder.file(name, bytes);
        found.push(refused(&folder, &file, &[]));
    }
    found.push(refused(&folder, &folder.path().join("absent.csv").display().to_string(), &[]));
    found.push(refused(&folder, &folder.path().join("absent*.csv").display().to_string(), &[]));
    found.push(refused(&folder, &folder.path().display().to_string(), &[]));
    found.push(refused(&folder, &folder.file("w.csv", "a,b,c\n1,2,3\n"), &[("columns", "a,b")]));
    insta::assert_snapshot!(found.join("\n").replace(&folder.path().display().to_string(), "FOLDER"));
}

#[test]
fn a_file_with_other_columns_is_named() {
    let folder = Folder::new();
    let first = folder.file("1.csv", "a,b\n1,2\n");
    let second = folder.file("2.csv", "a,c\n1,2\n");
    let error = Table::open(&[first, second], &ReadOptions::default()).unwrap_err();
    assert_eq!(folder.plain(&error.to_string()), "2.csv has other columns than 1.csv: `c` is new");
}

#[test]
fn ragged_rows_nul_bytes_and_open_quotes_are_rejected_and_the_others_load() {
    let folder = Folder::new();
    let file = folder
        .file("r.csv", "a,b,c\n1,2,3\n4,5\n6,7,8,9\n10,11,12,\n13,x\0y,14\n15,\x1b[31mred,16\n\"17,18,19\n20,21,22\n");
    let table = open(&file, &[]);
    assert_eq!(rows(&table), ["2 1 1|2|3", "5 4 10|11|12", "7 6 15|\u{1b}[31mred|16", "9 8 20|21|22"]);
    let found: Vec<String> = rejected(&table).iter().map(|r| format!("{} {} <{}>", r.line, r.reason, r.raw)).collect();
    assert_eq!(
        found,
        [
            "3 2 cells where the header has 3 <4,5>",
            "4 4 cells where the header has 3 <6,7,8,9>",
            "6 a NUL byte in column `b` <13,x\0y,14>",
            "8 a quote is opened and never closed <\"17,18,19>",
        ]
    );
}

#[test]
fn json_that_is_no_object_is_rejected_with_its_line() {
    let folder = Folder::new();
    let table = open(&folder.file("a.jsonl", "{\"a\": 1}\n{\"a\": \n[1]\n{\"a\": 1, \"a\": 2}\n{\"a\": 3}\n"), &[]);
    assert_eq!(rows(&table), ["1 1 1", "5 5 3"]);
    let found: Vec<String> = rejected(&table).iter().map(|r| format!("{} {}", r.line, r.reason)).collect();
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let mut found = Vec::new();
    for (name, value) in [
        ("delimeter", ";"),
        ("delimiter", "ab"),
        ("delimiter", "\""),
        ("header", "perhaps"),
        ("columns", "a,,b"),
        ("columns", "a,b,a"),
        ("encoding", "klingon"),
        ("dates", "%d/%m"),
        ("dates", "%Q"),
        ("decimal", ";"),
        ("timezone", "Europe/Atlantis"),
    ] {
        found.push(ReadOptions::from_pairs(&[(name.to_string(), value.to_string())]).unwrap_err().to_string());
    }
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn options_come_back_as_they_were_stated() {
    let pairs = [
        ("delimiter", "tab"),
        ("header", "no"),
        ("columns", "a,b c"),
        ("encoding", "windows-1252"),
        ("dates", "%d.%m.%Y | epoch"),
        ("decimal", ","),
        ("timezone", "Europe/Amsterdam"),
    ];
    let expected: Vec<(String, String)> = pairs.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    assert_eq!(options(&pairs).to_pairs(), expected);
}
