//! The writer's memory (sled) can be missing, damaged, behind or ahead: everything in it is rebuilt.

use crate::support::*;
use kepi_store::Writer;
use std::path::Path;

fn load_with_cursor(writer: &mut Writer, page: i64) {
    let mut with_cursor = options(page);
    with_cursor.cursor = Some(("crm".into(), format!("page {page}")));
    let mut load = writer.load(with_cursor);
    load.events(&orders(), batch(&format!("_at customer\n{page} c{page}\n{page} ada"))).unwrap();
    load.commit().unwrap();
}

fn check(folder: &Folder, pages: usize) {
    let mut writer = folder.writer();
    assert_eq!(writer.loads().unwrap().len(), pages);
    assert_eq!(writer.cursor("crm").unwrap(), Some(format!("page {pages}")));
    assert_eq!(rows(&writer.snapshot().unwrap(), "orders").len(), 2 * pages);
    // Recent keys keep their ids: nothing of this is new.
    let again = load(&mut writer, &orders(), "_at customer\n1 c1\n1 ada");
    assert_eq!(counts(&again), (0, 2, 0));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(file, target).unwrap();
    }
}

#[test]
fn an_interrupted_sled_snapshot_is_removed_before_opening() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    (1..=3).for_each(|page| load_with_cursor(&mut writer, page));
    drop(writer);
    let sled = folder.path().join("sled");
    let interrupted = sled.join("snap.0000000000000123.generating");
    std::fs::write(&interrupted, b"half a snapsh").unwrap();
    assert!(sled::open(&sled).is_err(), "this is what makes the removal necessary");
    check(&folder, 3);
    assert!(!interrupted.exists());
}

#[test]
fn a_missing_memory_is_filled_from_the_journal() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    (1..=3).for_each(|page| load_with_cursor(&mut writer, page));
    drop(writer);
    std::fs::remove_dir_all(folder.path().join("sled")).unwrap();
    check(&folder, 3);
    let mut writer = folder.writer();
    writer.seal().unwrap();
    load_with_cursor(&mut writer, 4);
    drop(writer);
    std::fs::remove_dir_all(folder.path().join("sled")).unwrap();
    check(&folder, 4);
}

#[test]
fn a_memory_that_is_behind_or_ahead_is_filled_anew() {
    let folder = Folder::new();
    let earlier = tempfile::tempdir().unwrap();
    let mut writer = folder.writer();
    load_with_cursor(&mut writer, 1);
    // The memory is opened when it is first asked.
    assert!(!folder.path().join("sled").exists());
    assert_eq!(writer.cursor("crm").unwrap(), Some("page 1".into()));
    drop(writer);
    copy(&folder.path(), earlier.path());
    let mut writer = folder.writer();
    load_with_cursor(&mut writer, 2);
    drop(writer);
    // Behind: the memory of then beside the files of now.
    let ahead = tempfile::tempdir().unwrap();
    copy(&folder.path().join("sled"), ahead.path());
    std::fs::remove_dir_all(folder.path().join("sled")).unwrap();
    copy(&earlier.path().join("sled"), &folder.path().join("sled"));
    check(&folder, 2);
    // Ahead: the memory of now beside the files of then.
    std::fs::remove_dir_all(folder.path()).unwrap();
    copy(earlier.path(), &folder.path());
    std::fs::remove_dir_all(folder.path().join("sled")).unwrap();
    copy(ahead.path(), &folder.path().join("sled"));
    check(&folder, 1);
}

#[test]
fn a_memory_that_is_no_database_is_made_anew() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    (1..=2).for_each(|page| load_with_cursor(&mut writer, page));
    drop(writer);
    let sled = folder.path().join("sled");
    for name in ["conf", "db"] {
        std::fs::write(sled.join(name), b"nothing that sled would write").unwrap();
        check(&folder, 2);
    }
}
