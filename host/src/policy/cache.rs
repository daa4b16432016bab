//! Compiled components on disk, so that a start takes 0.1 ms a policy and not 10 ms (or 10 s, for guests that carry a
//! language runtime).
//!
//! A compiled component is native code: whoever can write such a file runs code in this process. Files are therefore
//! only read from a directory of the same user that no one else can enter, and never taken from an operator; what they
//! load is always a `.wasm`, and a file here is but a copy of what the compiler made of it.
//!
//! A file is [`MAGIC`], the SHA-256 of all that follows it and of what the code was compiled from, then the code. The
//! digest finds damage; the directory's mode and the files' owner keep forgers away.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::engine::compatibility;
use crate::digest::Digest;

const MAGIC: &[u8; 8] = b"tidgcwa1";
const SUFFIX: &str = ".cwasm";
/// Files that are kept; the oldest go first, and cost one compilation when they are needed again.
const MAX_FILES: usize = 64;
/// The largest file that is read. Python's interpreter compiles to about 60 MB.
const MAX_FILE: u64 = 512 << 20;
/// Only this user may enter the directory or read its files.
const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
/// Permission bits of group and others.
const SHARED: u32 = 0o077;

/// A private directory of compiled components.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    directory: PathBuf,
    owner: u32,
}

impl Cache {
    /// Opens the directory, and makes it where there is none.
    ///
    /// # Errors
    ///
    /// When the directory can't be made or written, belongs to another user, or is open to others.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(PRIVATE_DIRECTORY)
            .create(directory)?;
        // A file of our own tells who we are, and that the directory can be written.
        let owner = tempfile::tempfile_in(directory)?.metadata()?.uid();
        let found = fs::symlink_metadata(directory)?;
        if !found.is_dir() || found.uid() != owner || found.mode() & SHARED != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "`{}` must be a directory of this user that no one else can enter (mode 0700)",
                    directory.display()
                ),
            ));
        }
        Ok(Self {
            directory: directory.to_owned(),
            owner,
        })
    }

    /// The compiled form of the component with this digest, if there is one that this engine can take. A file that is
    /// damaged, forged or left by another version is as good as none.
    pub(super) fn load(&self, engine: &Engine, source: &Digest) -> Option<Component> {
        let path = self.path(engine, source);
        let code = match self.read(&path, source) {
            Ok(code) => code?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "ignoring a compiled policy in the cache");
                return None;
            }
        };
        match deserialize(engine, &code) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "the compiled policy in the cache does not fit");
                None
            }
        }
    }

    /// Keeps the compiled form. The caller has its component already, so a failure costs the next start some time and
    /// nothing else.
    pub(super) fn store(
        &self,
        engine: &Engine,
        source: &Digest,
        component: &Component,
    ) -> wasmtime::Result<()> {
        let code = component.serialize()?;
        // Written beside its name and then renamed, so that no reader ever sees half of it. What a crash leaves behind
        // has the same suffix, and so goes with the oldest.
        let mut file = tempfile::Builder::new()
            .suffix(SUFFIX)
            .permissions(Permissions::from_mode(PRIVATE_FILE))
            .tempfile_in(&self.directory)?;
        file.write_all(MAGIC)?;
        file.write_all(seal(source, &code).as_bytes())?;
        file.write_all(&code)?;
        file.persist(self.path(engine, source))?;
        self.prune()?;
        Ok(())
    }

    fn path(&self, engine: &Engine, source: &Digest) -> PathBuf {
        self.directory
            .join(format!("{source}-{:016x}{SUFFIX}", compatibility(engine)))
    }

    /// The file's code; `None` when the file is not what this cache wrote for that component.
    fn read(&self, path: &Path, source: &Digest) -> io::Result<Option<Vec<u8>>> {
        // A link is not followed: it could lead out of the private directory.
        if !fs::symlink_metadata(path)?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.uid() != self.owner || metadata.mode() & SHARED != 0 {
            return Err(io::Error::other(
                "it belongs to another user or is open to others",
            ));
        }
        let mut content = Vec::new();
        (&file).take(MAX_FILE).read_to_end(&mut content)?;
        let code = content
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.split_first_chunk::<32>())
            .filter(|(digest, code)| *digest == seal(source, code).as_bytes())
            .map(|(_, code)| code.to_owned());
        if code.is_none() {
            tracing::warn!(path = %path.display(), "ignoring a damaged file among the compiled policies");
        }
        Ok(code)
    }

    /// Removes the oldest files over [`MAX_FILES`].
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if entry
                .file_name()
                .as_encoded_bytes()
                .ends_with(SUFFIX.as_bytes())
            {
                files.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        files.sort();
        let surplus = files.len().saturating_sub(MAX_FILES);
        for (_, path) in files.into_iter().take(surplus) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

fn seal(source: &Digest, code: &[u8]) -> Digest {
    Digest::of(&[&MAGIC[..], source.as_bytes(), code].concat())
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
