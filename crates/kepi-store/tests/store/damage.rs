//! A damaged file is the right answer or an error that names it, never a wrong number and never a crash.

use crate::support::*;
use arrow_array::{RecordBatch, StringArray};
use kepi_extension::{EventScan, ScanError, ScanRequest};
use kepi_store::{Snapshot, Store, StoreError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All that a snapshot tells.
#[derive(Debug, PartialEq)]
struct Everything {
    batches: Vec<RecordBatch>,
    texts: Vec<String>,
}

fn everything(snapshot: &Snapshot) -> Result<Everything, ScanError> {
    let mut all = Everything { batches: Vec::new(), texts: Vec::new() };
    for stream in snapshot.streams() {
        let info = snapshot.stream(&stream).unwrap();
        let columns: Vec<String> = info.columns.iter().map(|c| c.name.clone()).filter(|c| c != "_at").collect();
        let request = ScanRequest { stream: stream.clone(), columns, from: None, until: None };
        for batch in snapshot.scan(&request)? {
            all.batches.push(batch?);
        }
        all.texts.push(format!("{info:?} {:?}", snapshot.dictionary(&stream, "product")?));
    }
    all.texts.push(format!("{:?}", snapshot.keys("customer")?));
    for key in ["c7", "c12", "new", "nobody"] {
        all.texts.push(format!("{:?}", snapshot.id_of("customer", key)?));
    }
    for field in ["country", "plan", "score"] {
        let attribute = snapshot.attribute("customer", field)?;
        all.texts.push(format!("{:?} {:?}", attribute.values, attribute.dictionary));
    }
    all.batches.push(snapshot.attribute_history("customer", "plan")?);
    all.texts.push(format!("{:?}", snapshot.loads()?));
    Ok(all)
}

/// A store with every kind of file: segments, replaced rows, keys, maps, texts, tables, history, a tail.
fn store_with_everything() -> Folder {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let mut text = String::from("_at _id# customer product amount\n");
    (0..5_000).for_each(|i| text += &format!("{i} {i} c{} p{} {i}.25\n", i % 31, i % 5));
    load(&mut writer, &orders(), &text);
    let mut attributes = writer.load(options(1));
    attributes.entities(&customers(), batch("_key country plan score\nc7 es free 1.5\nc12 fr pro -")).unwrap();
    attributes.commit().unwrap();
    load(&mut writer, &orders(), "_at _id# customer product amount\n17 17 c7 p1 99\n18 18 c8 p1 99");
    writer.seal().unwrap();
    load(&mut writer, &orders(), "_at _id# customer product amount\n30 30 new p9 1\n9000 9000 c12 p1 2");
    folder
}

fn read(folder: &Path) -> Result<Everything, StoreError> {
    Ok(everything(Store::open_reader(folder)?.as_ref())?)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn shared_files(folder: &Folder) -> Vec<PathBuf> {
    files(&folder.path()).into_iter().filter(|f| !f.to_str().unwrap().contains("/sled/") && name(f) != "lock").collect()
}

/// Changes a file by `change`, reads the store, and puts the file back.
fn with_damage(folder: &Folder, file: &Path, bytes: &[u8], expected: &Everything) -> bool {
    let sound = std::fs::read(file).unwrap();
    // A new file under the old name: mappings of the old one that other tests' readers hold stay as they are.
    let temporary = folder.path().join("damaged");
    std::fs::write(&temporary, bytes).unwrap();
    std::fs::rename(&temporary, file).unwrap();
    let found = match read(&folder.path()) {
        Ok(all) => {
            assert!(all == *expected, "a damaged {} gives a wrong answer", file.display());
            false
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(&name(file)) && text.contains("damaged at byte"), "{}: {text}", file.display());
            true
        }
    };
    std::fs::write(&temporary, sound).unwrap();
    std::fs::rename(&temporary, file).unwrap();
    found
}

#[test]
fn every_kind_of_file_is_there() {
    let folder = store_with_everything();
    let mut kinds: Vec<String> = shared_files(&folder)
        .iter()
        .map(|f| f.extension().map_or("manifest".into(), |e| e.to_str().unwrap().to_owned()))
        .collect();
    kinds.sort();
    kinds.dedup();
    // Maps are for many keys: `a_damaged_map_of_keys_is_found` has one.
    assert_eq!(kinds, ["arrow", "gone", "index", "log", "manifest", "texts"]);
}

#[test]
fn a_damaged_map_of_keys_is_found() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let keys: StringArray = (0..70_000).map(|i| Some(format!("key-{i}"))).collect();
    let mut many = writer.load(options(1));
    many.entities(&customers(), table(vec![("_key".into(), Arc::new(keys))])).unwrap();
    many.commit().unwrap();
    let maps = || shared_files(&folder).into_iter().filter(|f| f.extension().is_some_and(|e| e == "table"));
    let maps: Vec<PathBuf> = maps().collect();
    assert_eq!(maps.len(), 1);
    let sound = std::fs::read(&maps[0]).unwrap();
    // What is written is the format to the byte.
    assert_eq!(xxhash_rust::xxh3::xxh3_64(&sound), 4_198_266_703_461_854_100);
    for key in ["key-0", "key-69999", "key-4711"] {
        assert!(folder.reader().id_of("customer", key).unwrap().is_some());
    }
    assert_eq!(folder.reader().id_of("customer", "key-70000").unwrap(), None);
    for sample in 0..24 {
        let mut bytes = sound.clone();
        bytes[sample * (sound.len() - 1) / 23] ^= 1 << (sample % 8);
        std::fs::write(&maps[0], bytes).unwrap();
        let error = folder.reader().id_of("customer", "key-5").unwrap_err();
        assert!(error.to_string().contains(&name(&maps[0])), "{error}");
        assert_eq!(folder.reader().verify_all().damages.len(), 1);
    }
    std::fs::write(&maps[0], &sound).unwrap();
    assert_eq!(folder.reader().verify_all().damages.len(), 0);
}

/// Keys without a map are found one by one, many at once, and by who writes on.
#[test]
fn keys_without_a_map_are_found() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let mut text = String::from("_at customer\n");
    (0..5_000).for_each(|i| text += &format!("{i} k{i}\n"));
    load(&mut writer, &orders(), &text);
    for number in 0..3 {
        load(&mut writer, &orders(), &format!("_at customer\n{number} later{number}"));
    }
    writer.seal().unwrap();
    let reader = folder.reader();
    for round in 0..40 {
        let (key, id) = [("k0", 0), ("k4999", 4_999), ("later2", 5_002)][round % 3];
        assert_eq!(reader.id_of("customer", key).unwrap(), Some(id), "{round}");
        assert_eq!(reader.id_of("customer", "k5000").unwrap(), None);
        assert_eq!(reader.id_of("customer", "").unwrap(), None);
    }
    load(&mut writer, &orders(), &text.replace("k", "K"));
    load(&mut writer, &orders(), "_at customer\n7 k4999\n8 fresh");
    let reader = folder.reader();
    assert_eq!(reader.id_of("customer", "fresh").unwrap(), Some(10_003));
    assert_eq!(reader.entity("customer").unwrap().count, 10_004);
    assert!(files(&folder.path()).iter().all(|file| file.extension().is_none_or(|ending| ending != "table")));
}

#[test]
fn a_flipped_byte_is_found_or_does_not_matter() {
    let folder = store_with_everything();
    let expected = read(&folder.path()).unwrap();
    for file in shared_files(&folder) {
        let sound = std::fs::read(&file).unwrap();
        // Arrow's own framing and padding are not read back, and of a small file they are the most: a few moments of
        // eight bytes have to be hit.
        let arrow = file.extension().is_some_and(|e| e == "arrow");
        let samples = if arrow { (sound.len() / 6).clamp(97, 400) } else { 24 }.min(sound.len());
        let mut found = 0;
        for sample in 0..samples {
            let mut bytes = sound.clone();
            let position = sample * (sound.len() - 1) / samples.max(2).saturating_sub(1).max(1);
            bytes[position.min(sound.len() - 1)] ^= 1 << (sample % 8);
            found += usize::from(with_damage(&folder, &file, &bytes, &expected));
        }
        let least = if arrow { 1 } else { samples };
        assert!(found >= least, "{}: {found} of {samples} flips were found", file.display());
    }
}

#[test]
fn a_truncated_file_is_found() {
    let folder = store_with_everything();
    let expected = read(&folder.path()).unwrap();
    for file in shared_files(&folder) {
        let sound = std::fs::read(&file).unwrap();
        for length in [0, 1, sound.len() / 2, sound.len() - 1] {
            assert!(with_damage(&folder, &file, &sound[..length], &expected), "{} cut to {length}", file.display());
        }
    }
}

#[test]
fn a_damaged_manifest_stops_the_writer_until_it_is_repaired() {
    let folder = store_with_everything();
    let expected = read(&folder.path()).unwrap();
    let manifest = folder.path().join("manifest");
    let mut bytes = std::fs::read(&manifest).unwrap();
    bytes[40] ^= 4;
    std::fs::write(&manifest, bytes).unwrap();
    let error = Store::open_writer(&folder.path(), "test").unwrap_err();
    assert!(matches!(error, StoreError::Damaged { ref file, .. } if file.ends_with("manifest")), "{error}");
    Store::repair(&folder.path(), "test").unwrap();
    assert_eq!(read(&folder.path()).unwrap(), expected);
}

#[test]
fn a_lost_manifest_is_made_anew_from_the_journal() {
    let folder = store_with_everything();
    let expected = read(&folder.path()).unwrap();
    std::fs::remove_file(folder.path().join("manifest")).unwrap();
    // A reader says so: an empty answer would be a wrong number.
    let error = Store::open_reader(&folder.path()).unwrap_err();
    assert!(error.to_string().contains("manifest is damaged at byte 0: it is missing"), "{error}");
    drop(folder.writer());
    assert_eq!(read(&folder.path()).unwrap(), expected);
}

#[test]
fn a_store_that_was_never_finished_is_empty() {
    let folder = Folder::new();
    drop(folder.writer());
    // As a writer leaves it that is killed before its first manifest.
    std::fs::remove_file(folder.path().join("manifest")).unwrap();
    assert!(folder.reader().streams().is_empty());
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at customer\n1 ada");
    assert_eq!(rows(&folder.reader(), "orders"), ["1 ada - - -"]);
}

#[test]
fn a_record_that_was_never_finished_is_cut_off() {
    let folder = store_with_everything();
    let expected = read(&folder.path()).unwrap();
    let journal = folder.path().join("journal/00000001.log");
    let mut bytes = std::fs::read(&journal).unwrap();
    let whole = bytes.len();
    bytes.extend_from_slice(&[77; 100]);
    std::fs::write(&journal, bytes).unwrap();
    assert_eq!(read(&folder.path()).unwrap(), expected);
    drop(folder.writer());
    assert_eq!(std::fs::metadata(&journal).unwrap().len(), whole as u64);
    assert_eq!(read(&folder.path()).unwrap(), expected);
}

#[test]
fn a_commit_whose_manifest_was_not_written_is_there_whole() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at customer\n1 ada");
    let manifest = folder.path().join("manifest");
    let before = std::fs::read(&manifest).unwrap();
    load(&mut writer, &orders(), "_at customer\n2 bob");
    drop(writer);
    std::fs::write(&manifest, before).unwrap();
    assert_eq!(rows(&folder.reader(), "orders"), ["1 ada - - -"]);
    drop(folder.writer());
    assert_eq!(rows(&folder.reader(), "orders"), ["1 ada - - -", "2 bob - - -"]);
}
