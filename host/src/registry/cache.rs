//! Pulled components on disk, so that a start needs no registry: an OCI image layout, which other tools read too.
//!
//! `blobs/sha256/HEX` holds manifests, configurations and components by what they are; `index.json` says by which
//! references the manifests were pulled. Every file is written beside its place, synced and renamed, blobs before the
//! index that names them. What is read is compared with its digest.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};
use serde::{Deserialize, Serialize};

use super::error::RegistryError;
use super::manifest::{Descriptor, MANIFEST, MAX_COMPONENT, MAX_MANIFEST, Manifest};
use super::reference::Reference;
use crate::digest::Digest;

/// The annotation that names a manifest in an index.
const NAME: &str = "org.opencontainers.image.ref.name";
/// What says that a directory is an image layout, and of which version.
const LAYOUT: (&str, &str) = ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
const INDEX: &str = "index.json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
/// The largest index that is read, in bytes.
const MAX_INDEX: u64 = 16 << 20;
/// What files are called until they are whole.
const INCOMING: &str = ".incoming-";
/// Only this user may enter the directory: it may lie in that of compiled code.
const PRIVATE: u32 = 0o700;

/// A directory of pulled components.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    directory: PathBuf,
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

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: String,
    manifests: Vec<Descriptor>,
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

impl Cache {
    pub(super) fn new(directory: PathBuf, max: u64) -> Self {
        Self { directory, max }
    }

    /// The component under the manifest's digest. What turns out to be damaged is removed.
    pub(super) fn get(&self, digest: &Digest) -> Result<Found, RegistryError> {
        let path = self.blob(digest);
        let bytes = match self.read_blob(digest, MAX_MANIFEST)? {
            Blob::Whole(bytes) => bytes,
            Blob::Missing => return Ok(Found::Nothing),
            Blob::Damaged => return Ok(Found::Damaged),
        };
        let Ok(manifest) = Manifest::read(&bytes, "what is kept") else {
            // A blob of another kind: nobody who pulled a component put it under this name.
            return Ok(Found::Nothing);
        };
        let component = match self.read_blob(&manifest.layer().digest, MAX_COMPONENT)? {
            Blob::Whole(component) => component,
            Blob::Missing => return Ok(Found::Nothing),
            Blob::Damaged => return Ok(Found::Damaged),
        };
        self.touch(&path);
        Ok(Found::Whole(Box::new(Kept {
            digest: *digest,
            manifest,
            component,
        })))
    }

    /// The digest that this very reference was last pulled by.
    pub(super) fn named(&self, reference: &Reference) -> Result<Option<Digest>, RegistryError> {
        let name = name_of(reference);
        let index = self.index()?;
        let found = index.manifests.iter().find(|entry| is_named(entry, &name));
        Ok(found.map(|entry| entry.digest))
    }

    /// All that is kept, by reference.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, RegistryError> {
        let mut entries = Vec::new();
        for named in self.index()?.manifests {
            let Blob::Whole(bytes) = self.read_blob(&named.digest, MAX_MANIFEST)? else {
                continue;
            };
            let Ok(manifest) = Manifest::read(&bytes, "what is kept") else {
                continue;
            };
            let name = named.annotations.get(NAME).cloned().unwrap_or_default();
            entries.push(Entry {
                reference: format!("{}{name}", super::reference::SCHEME),
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
        let blobs_dir = self.directory.join("blobs/sha256");
        DirBuilder::new()
            .recursive(true)
            .mode(PRIVATE)
            .create(&blobs_dir)
            .map_err(|error| failed(&blobs_dir, error))?;
        let _lock = self.lock()?;
        self.sweep();
        for (of, bytes) in blobs {
            let path = self.blob(of);
            if !matches!(self.read_blob(of, MAX_COMPONENT)?, Blob::Whole(_)) {
                self.write(&path, bytes)?;
            }
        }
        self.touch(&self.blob(&digest));
        let mut index = self.index()?;
        rename_older(&mut index, reference, &digest);
        index.manifests.push(Descriptor {
            media_type: MANIFEST.to_owned(),
            digest,
            size,
            annotations: BTreeMap::from([(NAME.to_owned(), name_of(reference))]),
        });
        let needed = self.prune(&mut index, &digest)?;
        let text = serde_json::to_vec_pretty(&index)
            .map_err(|error| failed(&self.directory, error.into()))?;
        self.write(&self.directory.join(INDEX), &text)?;
        // Only what no index names any more is removed, and only once that index is in its place.
        for name in self.blob_names()? {
            if !needed.contains_key(&name) {
                let _ = fs::remove_file(blobs_dir.join(name));
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
            .map(|digest| (digest == *newest, self.used(&digest), digest))
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
        let Blob::Whole(bytes) = self.read_blob(digest, MAX_MANIFEST)? else {
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
        let path = self.directory.join(INDEX);
        match read_file(&path, MAX_INDEX) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(
                    path = %path.display(), %error,
                    "the index of pulled components is damaged: tags are to be pulled anew"
                );
                Index::default()
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Index::default()),
            Err(error) => Err(failed(&path, error)),
        }
    }

    fn read_blob(&self, digest: &Digest, max: u64) -> Result<Blob, RegistryError> {
        let path = self.blob(digest);
        let bytes = match read_file(&path, max) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Blob::Missing),
            Err(error) => return Err(failed(&path, error)),
        };
        if Digest::of(&bytes) == *digest {
            return Ok(Blob::Whole(bytes));
        }
        tracing::warn!(
            path = %path.display(),
            "a pulled component in the cache is damaged: it is removed and pulled anew"
        );
        fs::remove_file(&path).map_err(|error| failed(&path, error))?;
        Ok(Blob::Damaged)
    }

    /// Writes a file as a whole or not at all.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), RegistryError> {
        let write = || {
            let mut file = tempfile::Builder::new()
                .prefix(INCOMING)
                .tempfile_in(&self.directory)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            // The name is durable when its directory is.
            File::open(path.parent().unwrap_or(&self.directory))?.sync_all()
        };
        write().map_err(|error| failed(path, error))
    }

    /// Removes what a crash left half-written. Only under the lock.
    fn sweep(&self) {
        let Ok(files) = fs::read_dir(&self.directory) else {
            return;
        };
        for file in files.flatten() {
            let name = file.file_name();
            if name.as_encoded_bytes().starts_with(INCOMING.as_bytes()) {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    /// Keeps other processes from writing, by a lock on the file that makes the directory a layout. Ends with the file.
    fn lock(&self) -> Result<File, RegistryError> {
        let (name, text) = LAYOUT;
        let path = self.directory.join(name);
        let lock = || {
            if !path.exists() {
                let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
                file.write_all(text.as_bytes())?;
                file.as_file().sync_all()?;
                // Never over another one, which may be locked already.
                match file.persist_noclobber(&path) {
                    Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error.error);
                    }
                    _ => {}
                }
            }
            let file = File::open(&path)?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(|error| failed(&path, error))
    }

    /// Notes that it is used now. A cache that can only be read serves all the same.
    fn touch(&self, path: &Path) {
        if let Ok(file) = File::open(path) {
            let at = |nanoseconds| Timespec {
                tv_sec: 0,
                tv_nsec: nanoseconds,
            };
            let now = Timestamps {
                last_access: at(UTIME_OMIT),
                last_modification: at(UTIME_NOW),
            };
            let _ = futimens(&file, &now);
        }
    }

    fn used(&self, digest: &Digest) -> Option<std::time::SystemTime> {
        fs::metadata(self.blob(digest)).ok()?.modified().ok()
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.directory.join(format!("blobs/sha256/{digest}"))
    }

    fn blob_names(&self) -> Result<Vec<String>, RegistryError> {
        let directory = self.directory.join("blobs/sha256");
        let read = || {
            let names = fs::read_dir(&directory)?.map(|file| Ok(file?.file_name()));
            names.collect::<io::Result<Vec<_>>>()
        };
        let names = read().map_err(|error| failed(&directory, error))?;
        Ok(names
            .iter()
            .filter_map(|name| name.to_str())
            .map(str::to_owned)
            .collect())
    }
}

enum Blob {
    Whole(Vec<u8>),
    Missing,
    Damaged,
}

/// A reference as an index names it: without its scheme.
fn name_of(reference: &Reference) -> String {
    let text = reference.to_string();
    let name = text.strip_prefix(super::reference::SCHEME);
    name.unwrap_or(&text).to_owned()
}

fn is_named(entry: &Descriptor, name: &str) -> bool {
    entry
        .annotations
        .get(NAME)
        .is_some_and(|found| found == name)
}

/// Makes room for a reference. What a tag meant before goes on under its digest: a configuration may pin it.
fn rename_older(index: &mut Index, reference: &Reference, digest: &Digest) {
    let name = name_of(reference);
    let mut renamed = Vec::new();
    for entry in &mut index.manifests {
        if is_named(entry, &name) && entry.digest != *digest {
            let pinned = name_of(&reference.pinned(entry.digest));
            entry.annotations.insert(NAME.to_owned(), pinned.clone());
            renamed.push(pinned);
        }
    }
    let mut seen = Vec::new();
    index.manifests.retain(|entry| {
        let own = entry.annotations.get(NAME).cloned().unwrap_or_default();
        let again = own == name || renamed.contains(&own) && seen.contains(&own);
        seen.push(own);
        !again
    });
}

fn read_file(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn failed(path: &Path, source: io::Error) -> RegistryError {
    RegistryError::Cache {
        path: path.to_owned(),
        source,
    }
}
