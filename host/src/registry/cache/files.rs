//! Files that are whole or not there, and are what their names say.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};

use super::super::error::RegistryError;
use crate::digest::Digest;

/// What says that a directory is an image layout, and of which version.
const LAYOUT: (&str, &str) = ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
/// Where blobs are, by SHA-256.
const BLOBS: &str = "blobs/sha256";
/// What files are called until they are whole.
const INCOMING: &str = ".incoming-";
/// Only this user may enter the directory: it may lie in that of compiled code.
const PRIVATE: u32 = 0o700;

/// A blob as it was found.
pub(super) enum Blob {
    Whole(Vec<u8>),
    Missing,
    Damaged,
}

/// The directory of an image layout.
#[derive(Clone, Debug)]
pub(super) struct Files(pub(super) PathBuf);

impl Files {
    /// Makes the directories that are not there.
    pub(super) fn make(&self) -> Result<(), RegistryError> {
        let blobs = self.0.join(BLOBS);
        DirBuilder::new()
            .recursive(true)
            .mode(PRIVATE)
            .create(&blobs)
            .map_err(|error| failed(&blobs, error))
    }

    /// Removes a blob. One that can't be removed is in nobody's way.
    pub(super) fn remove_blob(&self, name: &str) {
        let _ = fs::remove_file(self.0.join(BLOBS).join(name));
    }

    /// A blob that is what its name says. One that is not is removed.
    pub(super) fn read_blob(&self, digest: &Digest, max: u64) -> Result<Blob, RegistryError> {
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
            "a pulled component in the cache is damaged: it is removed, to be pulled anew"
        );
        fs::remove_file(&path).map_err(|error| failed(&path, error))?;
        Ok(Blob::Damaged)
    }

    /// Writes a file as a whole or not at all.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), RegistryError> {
        let write = || {
            let mut file = tempfile::Builder::new()
                .prefix(INCOMING)
                .tempfile_in(&self.0)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            // The name is durable when its directory is.
            File::open(path.parent().unwrap_or(&self.0))?.sync_all()
        };
        write().map_err(|error| failed(path, error))
    }

    /// Removes what a crash left half-written. Only under the lock.
    pub(super) fn sweep(&self) {
        let Ok(files) = fs::read_dir(&self.0) else {
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
    pub(super) fn lock(&self) -> Result<File, RegistryError> {
        let (name, text) = LAYOUT;
        let path = self.0.join(name);
        let lock = || {
            if !path.exists() {
                let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
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
    pub(super) fn touch(&self, path: &Path) {
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

    /// When it was last used.
    pub(super) fn used(&self, digest: &Digest) -> Option<std::time::SystemTime> {
        fs::metadata(self.blob(digest)).ok()?.modified().ok()
    }

    /// Where a blob is.
    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.0.join(BLOBS).join(digest.to_string())
    }

    /// The names of all blobs.
    pub(super) fn blob_names(&self) -> Result<Vec<String>, RegistryError> {
        let directory = self.0.join(BLOBS);
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

pub(super) fn read_file(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn failed(path: &Path, source: io::Error) -> RegistryError {
    RegistryError::Cache {
        path: path.to_owned(),
        source,
    }
}
