//! By which references the manifests were pulled.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::manifest::{Descriptor, MANIFEST};
use super::super::reference::{Reference, SCHEME};
use crate::digest::Digest;

/// The annotation that names a manifest in an index.
const NAME: &str = "org.opencontainers.image.ref.name";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// The index of an image layout.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    schema_version: u32,
    media_type: String,
    pub(super) manifests: Vec<Descriptor>,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            schema_version: 2,
            media_type: INDEX_TYPE.to_owned(),
            manifests: Vec::new(),
        }
    }
}

impl Index {
    /// What a file says. One that can't be read says nothing, and costs a pull where tags are not pinned.
    pub(super) fn read(bytes: &[u8], path: &Path) -> Self {
        serde_json::from_slice(bytes).unwrap_or_else(|error| {
            tracing::warn!(
                path = %path.display(), %error,
                "the index of pulled components is damaged: tags are to be pulled anew"
            );
            Self::default()
        })
    }

    /// The digest that this very reference was last pulled by.
    pub(super) fn named(&self, reference: &Reference) -> Option<Digest> {
        let name = name_of(reference);
        let found = self.manifests.iter().find(|entry| is_named(entry, &name));
        found.map(|entry| entry.digest)
    }

    /// Notes that the reference means this manifest. What a tag meant before goes on under its digest: a configuration
    /// may pin it.
    pub(super) fn name(&mut self, reference: &Reference, digest: Digest, size: u64) {
        let name = name_of(reference);
        for entry in &mut self.manifests {
            if is_named(entry, &name) && entry.digest != digest {
                let pinned = name_of(&reference.pinned(entry.digest));
                entry.annotations.insert(NAME.to_owned(), pinned);
            }
        }
        self.manifests.push(Descriptor {
            media_type: MANIFEST.to_owned(),
            digest,
            size,
            annotations: BTreeMap::from([(NAME.to_owned(), name)]),
        });
        // Of two entries of one name, as an older one may have got, the later counts.
        let mut seen = Vec::new();
        self.manifests.reverse();
        self.manifests.retain(|entry| {
            let own = entry.annotations.get(NAME).cloned();
            let again = seen.contains(&own);
            seen.push(own);
            !again
        });
        self.manifests.reverse();
    }
}

/// The reference that an entry was pulled by.
pub(super) fn reference_of(entry: &Descriptor) -> String {
    let name = entry.annotations.get(NAME).map(String::as_str);
    format!("{SCHEME}{}", name.unwrap_or_default())
}

/// A reference as an index names it: without its scheme.
fn name_of(reference: &Reference) -> String {
    let text = reference.to_string();
    let name = text.strip_prefix(SCHEME);
    name.unwrap_or(&text).to_owned()
}

fn is_named(entry: &Descriptor, name: &str) -> bool {
    entry
        .annotations
        .get(NAME)
        .is_some_and(|found| found == name)
}
