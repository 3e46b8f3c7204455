//! The plugins that are part of kepi: they need no folder beside the program.

use crate::{Found, Manifest};
use std::path::Path;

/// Makes a plugin of the files of a folder in `plugins/`.
macro_rules! plugin {
    ($folder:literal, $file:literal) => {
        (
            concat!("kepi/plugins/", $folder),
            include_str!(concat!("../../../plugins/", $folder, "/kepi-plugin.toml")),
            include_bytes!(concat!("../../../plugins/", $folder, "/", $file)) as &'static [u8],
        )
    };
}

/// Makes a plugin of a manifest alone, for what is compiled in.
macro_rules! compiled_in {
    ($folder:literal) => {
        (
            concat!("kepi/plugins/", $folder),
            include_str!(concat!("../../../plugins/", $folder, "/kepi-plugin.toml")),
            &[] as &'static [u8],
        )
    };
}

const PLUGINS: &[(&str, &str, &[u8])] = &[
    plugin!("acme-margins", "acme-margins.wasm"),
    plugin!("bgnbd", "bgnbd.wasm"),
    plugin!("discount", "discount.rhai"),
    plugin!("holt", "holt.rhai"),
    plugin!("hubspot", "hubspot.toml"),
    plugin!("json-folder", "json-folder.rhai"),
    compiled_in!("objects"),
    compiled_in!("postgres"),
    plugin!("salesforce", "salesforce.toml"),
    compiled_in!("sqlite"),
    plugin!("stripe", "stripe.toml"),
    plugin!("zendesk", "zendesk.toml"),
];

/// The plugins that are part of kepi, by id. A project's own plugin of the same id comes first.
pub fn shipped() -> Vec<Found> {
    let found = |(folder, manifest, file): &(&str, &str, &'static [u8])| {
        let path = Path::new(folder);
        let manifest = Manifest::parse(&path.join(crate::discover::MANIFEST), manifest);
        let manifest = manifest.expect("the manifests that are shipped are read by a test");
        let (folder, manifest_hash) = (path.to_path_buf(), String::new());
        Found { manifest, folder, shipped: Some(file), manifest_hash, pinned: None }
    };
    PLUGINS.iter().map(found).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[test]
    fn every_manifest_is_good_and_names_its_file() {
        let ids: Vec<String> = shipped().into_iter().map(|f| f.manifest.id).collect();
        let wanted = [
            "acme.margins",
            "kepi.bgnbd",
            "kepi.discount",
            "kepi.holt",
            "kepi.hubspot",
            "kepi.json-folder",
            "kepi.objects",
            "kepi.postgres",
            "kepi.salesforce",
            "kepi.sqlite",
            "kepi.stripe",
            "kepi.zendesk",
        ];
        assert_eq!(ids, wanted);
        for (plugin, (folder, ..)) in shipped().iter().zip(PLUGINS) {
            if plugin.manifest.file.is_empty() {
                continue;
            }
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            let file = root.join(folder.strip_prefix("kepi/").unwrap()).join(&plugin.manifest.file);
            assert_eq!(std::fs::read(file).unwrap(), plugin.read().unwrap().as_ref());
        }
    }
}
