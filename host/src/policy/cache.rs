//! Compiled components on disk, so that a start takes 0.1 ms a policy and not 10 ms (or 10 s, for guests that carry a
//! language runtime).
//!
//! A compiled component is native code: whoever can write such a file runs code in this process. Files are therefore
//! only read from a directory of the same user that no one else can enter, and never taken from an operator; what they
//! load is always a `.wasm`, and a file here is but a copy of what the compiler made of it.
//!
//! A file holds the code, then how long compiling took, then the SHA-256 of both and of what the code was compiled
//! from, then [`MAGIC`]. The digest finds damage; the directory's mode and the files' owner keep forgers out. The code
//! comes first so that the file can be mapped: a process then holds only the pages that it executes, and shares them
//! with others.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{
    Access, AtFlags, CWD, PROC_SUPER_MAGIC, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, accessat,
    futimens, statfs,
};
use rustix::process::geteuid;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::engine::compatibility;
use crate::digest::Digest;

const MAGIC: &[u8; 8] = b"tidgcwa2";
/// Bytes of a file after the code: the time in microseconds, the digest, [`MAGIC`].
const TRAILER: u64 = 8 + 32 + 8;
const SUFFIX: &str = ".cwasm";
/// The largest file that is read. Python's interpreter compiles to about 60 MB.
const MAX_FILE: u64 = 512 << 20;
/// Bytes that are read at once when a file is compared with its digest.
const CHUNK: usize = 64 << 10;
/// Only this user may enter the directory or read its files.
const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
/// Permission bits of group and others.
const SHARED: u32 = 0o077;

/// Where compiled components are kept, and how many bytes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileCache {
    /// A directory that belongs to this user alone. It is created with mode 0700 if it does not exist.
    pub directory: PathBuf,
    /// Maximum total size of the files, in bytes. The least recently used go first, and are compiled again when they
    /// are needed.
    pub max_size: u64,
}

impl CompileCache {
    /// The default of [`max_size`](Self::max_size): about 15 policies that carry a language runtime.
    pub const MAX_SIZE: u64 = 1 << 30;

    /// A directory with the default bound.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            max_size: Self::MAX_SIZE,
        }
    }
}

/// Makes sure that this user owns the directory and no other can enter it.
fn private(directory: &Path, owner: u32) -> io::Result<()> {
    let found = fs::symlink_metadata(directory)?;
    if found.is_dir() && found.uid() == owner && found.mode() & SHARED == 0 {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!(
            "`{}` must be a directory of this user that no one else can enter (mode 0700)",
            directory.display()
        ),
    ))
}

/// A private directory of compiled components.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    directory: PathBuf,
    max_size: u64,
    owner: u32,
}

/// A component as the compiler made it.
#[derive(Clone)]
pub(super) struct Built {
    pub(super) component: Component,
    /// How long compiling took, now or when it was put into the cache.
    pub(super) took: Duration,
}

impl Cache {
    /// Opens the directory, and makes it where there is none.
    ///
    /// # Errors
    ///
    /// When the directory can't be made or written, belongs to another user, or is open to others.
    pub(super) fn open(wanted: &CompileCache) -> io::Result<Self> {
        let directory = wanted.directory.as_path();
        DirBuilder::new()
            .recursive(true)
            .mode(PRIVATE_DIRECTORY)
            .create(directory)
            .map_err(|error| match fs::symlink_metadata(directory) {
                // A file, or a link that leads nowhere: "File exists" would not say what to do.
                Ok(_) => private(directory, geteuid().as_raw())
                    .err()
                    .unwrap_or(error),
                Err(_) => error,
            })?;
        // A file of our own tells who we are, and that the directory can be written.
        let owner = tempfile::tempfile_in(directory)?.metadata()?.uid();
        private(directory, owner)?;
        Ok(Self {
            directory: directory.to_owned(),
            max_size: wanted.max_size,
            owner,
        })
    }

    /// Like [`open`](Self::open), but only warns about a directory that can't be used. Policies are then compiled at
    /// each start.
    pub(super) fn open_or_warn(wanted: &CompileCache) -> Option<Self> {
        let opened = Self::open(wanted).inspect_err(|error| {
            tracing::warn!(
                %error,
                directory = %wanted.directory.display(),
                "the compile cache can't be used, so every policy is compiled at each start: make the directory \
                 writable for this user alone, or name another one (`runtime.cache`)"
            );
        });
        opened.ok()
    }

    /// Checks whether [`Cache::open`] would work, without creating anything.
    ///
    /// # Errors
    ///
    /// As for [`Cache::open`].
    pub(super) fn examine(directory: &Path) -> io::Result<()> {
        let absolute = std::path::absolute(directory)?;
        let writable = |path: &Path| {
            let mode = Access::WRITE_OK | Access::EXEC_OK;
            accessat(CWD, path, mode, AtFlags::EACCESS)
        };
        // A link that leads nowhere exists too, and keeps a directory from being made.
        if fs::symlink_metadata(&absolute).is_ok() {
            private(directory, geteuid().as_raw())?;
            return Ok(writable(&absolute)?);
        }
        let existing = absolute.ancestors().find(|path| path.exists());
        let existing = existing.unwrap_or(Path::new("/"));
        if !existing.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        writable(existing)?;
        // The superuser may write there, and the kernel creates nothing all the same.
        match statfs(existing)?.f_type {
            PROC_SUPER_MAGIC => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("no directory can be created in `{}`", existing.display()),
            )),
            _ => Ok(()),
        }
    }

    /// The compiled form of the component with this digest, if there is one that this engine can take. A file that is
    /// damaged, forged or left by another version is as good as none.
    pub(super) fn load(&self, engine: &Engine, source: &Digest) -> Option<Built> {
        let path = self.path(engine, source);
        let took = match self.verify(&path, source) {
            Ok(took) => took?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "ignoring a compiled policy in the cache");
                return None;
            }
        };
        // A volume that is mounted with `noexec` does not let files be mapped as code, but code in memory still works.
        let component = deserialize_file(engine, &path).or_else(|_| {
            let content = fs::read(&path)?;
            let code = content.len().saturating_sub(TRAILER as usize);
            deserialize(engine, content.get(..code).unwrap_or_default())
        });
        match component {
            Ok(component) => Some(Built { component, took }),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "the compiled policy in the cache does not fit");
                None
            }
        }
    }

    /// Stores the compiled form and returns the stored one, which takes less memory because it is mapped from its file.
    /// A failure costs a warning, and some time at the next start.
    pub(super) fn keep(&self, engine: &Engine, source: &Digest, built: Built) -> Built {
        match self.store(engine, source, &built) {
            Ok(()) => self.load(engine, source).unwrap_or(built),
            Err(error) => {
                tracing::warn!(
                    %error,
                    directory = %self.directory.display(),
                    "can't keep a compiled policy in the cache: the next start compiles it again"
                );
                built
            }
        }
    }

    pub(super) fn store(
        &self,
        engine: &Engine,
        source: &Digest,
        built: &Built,
    ) -> wasmtime::Result<()> {
        let code = built.component.serialize()?;
        let size = (code.len() as u64).saturating_add(TRAILER);
        let most = self.max_size.min(MAX_FILE);
        if size > most {
            let message =
                format!("it has {size} bytes, and {most} are the most (`runtime.cache_max`)");
            return Err(io::Error::other(message).into());
        }
        let took = u64::try_from(built.took.as_micros()).unwrap_or(u64::MAX);
        let took = took.to_le_bytes();
        let mut seal = Seal::new(source);
        seal.add(&code);
        seal.add(&took);
        // Written beside its name and then renamed, so that no reader ever sees half of it. What a crash leaves behind
        // has the same suffix, and so goes with the oldest.
        let mut file = tempfile::Builder::new()
            .suffix(SUFFIX)
            .permissions(Permissions::from_mode(PRIVATE_FILE))
            .tempfile_in(&self.directory)?;
        file.write_all(&code)?;
        file.write_all(&took)?;
        file.write_all(seal.finish().as_bytes())?;
        file.write_all(MAGIC)?;
        let path = self.path(engine, source);
        file.persist(&path)?;
        self.prune(&path)?;
        Ok(())
    }

    fn path(&self, engine: &Engine, source: &Digest) -> PathBuf {
        self.directory
            .join(format!("{source}-{:016x}{SUFFIX}", compatibility(engine)))
    }

    /// Compares the file with its digest and marks it as used. Returns how long compiling took, or `None` if the file
    /// is not what this cache wrote for that component.
    fn verify(&self, path: &Path, source: &Digest) -> io::Result<Option<Duration>> {
        // A link is not followed: it could lead out of the private directory.
        if !fs::symlink_metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.uid() != self.owner || metadata.mode() & SHARED != 0 {
            return Err(io::Error::other(
                "it belongs to another user or is open to others",
            ));
        }
        let took = match metadata.len() {
            size if size <= MAX_FILE => sealed(&mut file, size, source)?,
            _ => None,
        };
        match took {
            Some(_) => touch(&file),
            None => {
                tracing::warn!(path = %path.display(), "ignoring a damaged file among the compiled policies");
            }
        }
        Ok(took)
    }

    /// Removes the least recently used files over the bound, and never the newest.
    fn prune(&self, newest: &Path) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.as_encoded_bytes().ends_with(SUFFIX.as_bytes()) {
                // Another process may have removed it meanwhile.
                let Ok(metadata) = entry.metadata() else {
                    continue;
                };
                let path = entry.path();
                files.push((path == newest, metadata.modified()?, metadata.len(), path));
            }
        }
        files.sort();
        let mut kept: u64 = 0;
        for (_, _, size, path) in files.into_iter().rev() {
            kept = kept.saturating_add(size);
            if kept > self.max_size {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// How long compiling took, if the file has what its digest says.
fn sealed(file: &mut File, size: u64, source: &Digest) -> io::Result<Option<Duration>> {
    let Some(code) = size.checked_sub(TRAILER) else {
        return Ok(None);
    };
    let mut seal = Seal::new(source);
    let mut chunk = vec![0; CHUNK];
    let mut left = code;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let part = chunk.get_mut(..wanted).unwrap_or_default();
        file.read_exact(part)?;
        seal.add(part);
        left -= wanted as u64;
    }
    let (mut took, mut digest, mut magic) = ([0; 8], [0; 32], [0; 8]);
    file.read_exact(&mut took)?;
    file.read_exact(&mut digest)?;
    file.read_exact(&mut magic)?;
    seal.add(&took);
    let is_whole = magic == *MAGIC && digest == *seal.finish().as_bytes();
    Ok(is_whole.then(|| Duration::from_micros(u64::from_le_bytes(took))))
}

/// The digest of a file's content and of what it was compiled from.
struct Seal(Sha256);

impl Seal {
    fn new(source: &Digest) -> Self {
        let mut hash = Sha256::new();
        hash.update(MAGIC);
        hash.update(source.as_bytes());
        Self(hash)
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self) -> Digest {
        self.0.into()
    }
}

/// Marks the file as used now. Errors are ignored, so that a read-only cache works too.
fn touch(file: &File) {
    let at = |nanoseconds| Timespec {
        tv_sec: 0,
        tv_nsec: nanoseconds,
    };
    let now = Timestamps {
        last_access: at(UTIME_OMIT),
        last_modification: at(UTIME_NOW),
    };
    let _ = futimens(file, &now);
}

#[allow(
    unsafe_code,
    reason = "Wasmtime can't check native code; the cache's directory, owner, mode and digest vouch for it"
)]
fn deserialize_file(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: as for `deserialize`. The file is never changed while it is mapped: this cache writes each file beside its
    // name and renames it, and a file that is removed stays mapped.
    unsafe { Component::deserialize_file(engine, path) }
}

#[allow(
    unsafe_code,
    reason = "Wasmtime can't check native code; the cache's directory, owner, mode and digest vouch for it"
)]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes must come unchanged from `Component::serialize`. They were read into memory from a regular file
    // of this user, in a directory that only this user can enter, and their digest is the one that `store` wrote with
    // them; whoever could forge all of that runs as this user anyway. Wasmtime itself checks its version and settings.
    unsafe { Component::deserialize(engine, code) }
}
