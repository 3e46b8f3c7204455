//! A committed component is built from the source beside it.

use crate::helpers::plugins;
use kepi_plugin::{Found, SOURCE_SECTION, append_custom_section, custom_section, hash_sources};

#[test]
fn each_component_is_built_from_the_source_beside_it() {
    let mut checked = 0;
    for entry in std::fs::read_dir(plugins()).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.join("Cargo.toml").is_file() {
            continue;
        }
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let component = Found::in_folder(&folder).unwrap().read().unwrap();
        let carried = custom_section(&component, SOURCE_SECTION).map(String::from_utf8_lossy);
        let hash = hash_sources(&folder).unwrap();
        assert_eq!(carried.as_deref(), Some(hash.as_str()), "run `cargo xtask plugins {name}`");
        checked += 1;
    }
    assert!(checked >= 2, "the Rust plugins are not found");
}

#[test]
fn a_change_of_the_source_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir_all(folder.path().join("src/deep")).unwrap();
    write("Cargo.toml", "[package]\nname = \"a\"\n");
    write("Cargo.lock", "");
    write("src/lib.rs", "mod deep;\n");
    write("src/deep/mod.rs", "");
    let before = hash_sources(folder.path()).unwrap();
    write("src/lib.rs", "mod deep;\r\n");
    assert_eq!(hash_sources(folder.path()).unwrap(), before, "line ends do not count");
    write("src/deep/mod.rs", "fn f() {}\n");
    let changed = hash_sources(folder.path()).unwrap();
    assert_ne!(changed, before);
    write("src/deep/mod.rs", "");
    write("src/deep/more.rs", "fn f() {}\n");
    assert!(![before, changed].contains(&hash_sources(folder.path()).unwrap()));
}

#[test]
fn what_python_and_javascript_are_made_of_counts_and_what_is_installed_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let hash = || hash_sources(folder.path()).unwrap();
    write("plugin.py", "def f(): pass\n");
    write("wit/kepi-plugin.wit", "package a:b;\n");
    let before = hash();
    for other in ["a.wasm", "node_modules/a/b.js", ".venv/c.py", "own/pyvenv.cfg", "own/lib/d.py", "__pycache__/e.py"] {
        write(other, "1\n");
        assert_eq!(hash(), before, "{other}");
    }
    let mut seen = vec![before];
    for source in ["plugin.py", "wit/kepi-plugin.wit", "more/helpers.py", "plugin.js"] {
        write(source, "2\n");
        assert!(!seen.contains(&hash()), "{source}");
        seen.push(hash());
    }
}

#[test]
fn a_section_is_found_again_and_nothing_else() {
    let mut wasm = b"\0asm\x0d\0\x01\0".to_vec();
    append_custom_section(&mut wasm, "other", &[7; 300]);
    append_custom_section(&mut wasm, SOURCE_SECTION, b"abc");
    assert_eq!(custom_section(&wasm, SOURCE_SECTION), Some(b"abc".as_slice()));
    assert_eq!(custom_section(&wasm, "other"), Some([7; 300].as_slice()));
    assert_eq!(custom_section(&wasm, "absent"), None);
    for length in 0..wasm.len() {
        assert_eq!(custom_section(&wasm[..length], SOURCE_SECTION), None);
    }
}
