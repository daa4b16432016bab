//! Pulled components on disk, so that a start needs no registry: an OCI image layout, which other tools read too.
//!
//! `blobs/sha256/HEX` holds manifests, configurations and components by what they are; `index.json` says by which
//! references the manifests were pulled. Every file is written beside its place, synced and renamed, blobs before the
//! index that names them. What is read is compared with its digest.

mod files;
mod index;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use self::files::{Blob, Files, failed, read_file};
use self::index::{Index, reference_of};
use super::error::RegistryError;
use super::manifest::{MAX_COMPONENT, MAX_MANIFEST, Manifest};
use super::reference::Reference;
use crate::digest::Digest;

const INDEX: &str = "index.json";
/// The largest index that is read, in bytes.
const MAX_INDEX: u64 = 16 << 20;

/// A directory of pulled components.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    files: Files,
    max: u64,
}

/// A component with its manifest, as they were pulled.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) digest: Digest,
    pub(super) manifest: Manifest,
    pub(super) component: Vec<u8>,
}

/// What the cache has under a digest.
pub(super) enum Found {
    /// All of it.
    Whole(Box<Kept>),
    /// Nothing, or not all.
    Nothing,
    /// Something else, which is removed.
    Damaged,
}

/// A reference that the cache knows.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) reference: String,
    pub(super) digest: Digest,
    pub(super) manifest: Manifest,
}

impl Cache {
    pub(super) fn new(directory: PathBuf, max: u64) -> Self {
        Self {
            files: Files(directory),
            max,
        }
    }

    /// The component under the manifest's digest. What turns out to be damaged is removed.
    pub(super) fn get(&self, digest: &Digest) -> Result<Found, RegistryError> {
        let path = self.files.blob(digest);
        let bytes = match self.files.read_blob(digest, MAX_MANIFEST)? {
            Blob::Whole(bytes) => bytes,
            Blob::Missing => return Ok(Found::Nothing),
            Blob::Damaged => return Ok(Found::Damaged),
        };
        let Ok(manifest) = Manifest::read(&bytes, "what is kept") else {
            // A blob of another kind: nobody who pulled a component put it under this name.
            return Ok(Found::Nothing);
        };
        let component = match self
            .files
            .read_blob(&manifest.layer().digest, MAX_COMPONENT)?
        {
            Blob::Whole(component) => component,
            Blob::Missing => return Ok(Found::Nothing),
            Blob::Damaged => return Ok(Found::Damaged),
        };
        self.files.touch(&path);
        Ok(Found::Whole(Box::new(Kept {
            digest: *digest,
            manifest,
            component,
        })))
    }

    /// The digest that this very reference was last pulled by.
    pub(super) fn named(&self, reference: &Reference) -> Result<Option<Digest>, RegistryError> {
        Ok(self.index()?.named(reference))
    }

    /// All that is kept, by reference.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, RegistryError> {
        let mut entries = Vec::new();
        for named in self.index()?.manifests {
            let Blob::Whole(bytes) = self.files.read_blob(&named.digest, MAX_MANIFEST)? else {
                continue;
            };
            let Ok(manifest) = Manifest::read(&bytes, "what is kept") else {
                continue;
            };
            entries.push(Entry {
                reference: reference_of(&named),
                digest: named.digest,
                manifest,
            });
        }
        entries.sort_by(|one, other| one.reference.cmp(&other.reference));
        Ok(entries)
    }

    /// Keeps a component under a reference, all of it or nothing, and lets go of what was not used for the longest time
    /// where that is too much together. `blobs` are the manifest, the configuration and the component.
    pub(super) fn put(
        &self,
        reference: &Reference,
        digest: Digest,
        blobs: &[(Digest, &[u8])],
    ) -> Result<(), RegistryError> {
        let size = blobs.iter().find(|(of, _)| *of == digest);
        let size = size.map_or(0, |(_, bytes)| bytes.len() as u64);
        self.files.make()?;
        let _lock = self.files.lock()?;
        self.files.sweep();
        for (of, bytes) in blobs {
            let path = self.files.blob(of);
            if !matches!(self.files.read_blob(of, MAX_COMPONENT)?, Blob::Whole(_)) {
                self.files.write(&path, bytes)?;
            }
        }
        self.files.touch(&self.files.blob(&digest));
        let mut index = self.index()?;
        index.name(reference, digest, size);
        let needed = self.prune(&mut index, &digest)?;
        let text = serde_json::to_vec_pretty(&index)
            .map_err(|error| failed(&self.index_path(), error.into()))?;
        self.files.write(&self.index_path(), &text)?;
        // Only what no index names any more is removed, and only once that index is in its place.
        for name in self.files.blob_names()? {
            if !needed.contains_key(&name) {
                self.files.remove_blob(&name);
            }
        }
        Ok(())
    }

    /// Takes entries out of the index until the others fit, `newest` always, and gives the names of the blobs that stay.
    fn prune(
        &self,
        index: &mut Index,
        newest: &Digest,
    ) -> Result<BTreeMap<String, u64>, RegistryError> {
        let mut by_use: Vec<_> = index
            .manifests
            .iter()
            .map(|entry| entry.digest)
            .map(|digest| (digest == *newest, self.files.used(&digest), digest))
            .collect();
        by_use.sort();
        by_use.dedup();
        let mut needed: BTreeMap<String, u64> = BTreeMap::new();
        let mut full = false;
        for (is_newest, _, digest) in by_use.into_iter().rev() {
            let wanted = self.blobs_of(&digest)?;
            let more: u64 = wanted
                .iter()
                .filter(|(name, _)| !needed.contains_key(*name))
                .map(|(_, size)| size)
                .sum();
            full |= needed.values().sum::<u64>() + more > self.max;
            if is_newest || !full && !wanted.is_empty() {
                needed.extend(wanted);
            } else {
                index.manifests.retain(|entry| entry.digest != digest);
            }
        }
        Ok(needed)
    }

    /// The manifest and its blobs, by name with their sizes; none where the manifest is not there.
    fn blobs_of(&self, digest: &Digest) -> Result<BTreeMap<String, u64>, RegistryError> {
        let Blob::Whole(bytes) = self.files.read_blob(digest, MAX_MANIFEST)? else {
            return Ok(BTreeMap::new());
        };
        let Ok(manifest) = Manifest::read(&bytes, "what is kept") else {
            return Ok(BTreeMap::new());
        };
        let own = (digest.to_string(), bytes.len() as u64);
        let blobs = manifest.blobs();
        Ok(blobs
            .map(|blob| (blob.digest.to_string(), blob.size))
            .chain([own])
            .collect())
    }

    fn index(&self) -> Result<Index, RegistryError> {
        let path = self.index_path();
        match read_file(&path, MAX_INDEX) {
            Ok(bytes) => Ok(Index::read(&bytes, &path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Index::default()),
            Err(error) => Err(failed(&path, error)),
        }
    }

    fn index_path(&self) -> PathBuf {
        self.files.0.join(INDEX)
    }
}
