//! Moving a staged file to its place in a `file://` store.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use object_store::{Error, ObjectMeta, Result};
use tempfile::{NamedTempFile, PersistError};

use super::file::{Step, trouble};

/// Moves a file unless the target exists, in one step.
pub(super) type NoClobber = fn(NamedTempFile, &Path) -> std::result::Result<File, PersistError>;

/// By `renameat2` or a hard link.
pub(super) const NO_CLOBBER: NoClobber = |staged, target| staged.persist_noclobber(target);

/// Time resolution of an ETag, and of coarser file systems: ext3, FAT.
const TICKS: [Duration; 3] = [
    Duration::from_micros(1),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// The ETag holds inode, time and size, and file systems reuse inodes within one tick of their clock: two versions of the
/// same size written in a row would look alike. So a new version is always younger than the one it replaces.
pub(super) fn make_younger(staged: &File, than: &ObjectMeta) -> io::Result<()> {
    let old = SystemTime::from(than.last_modified);
    let mut changed = false;
    for tick in TICKS {
        if staged.metadata()?.modified()? >= old + TICKS[0] {
            break;
        }
        staged.set_modified(old + tick)?;
        changed = true;
    }
    if changed {
        staged.sync_all()?;
    }
    Ok(())
}

/// Where a staged file goes. The caller holds the lock and has compared what was there.
pub(super) struct Place {
    pub(super) target: PathBuf,
    /// Whether the target must not exist.
    pub(super) create: bool,
    pub(super) root: PathBuf,
    pub(super) no_clobber: NoClobber,
}

impl Place {
    /// Moves the staged file there; creates the directories on the way, and removes those again on failure.
    pub(super) fn take(&self, staged: NamedTempFile) -> Result<()> {
        let parent = self.target.parent().unwrap_or(&self.root);
        let missing: Vec<&Path> = parent
            .ancestors()
            .take_while(|dir| *dir != self.root && !dir.exists())
            .collect();
        if let Err(error) = fs::create_dir_all(parent).and_then(|()| self.put(staged)) {
            for dir in missing {
                // Fails, rightly, on a directory that another program has begun to use.
                let _ = fs::remove_dir(dir);
            }
            if self.create && error.kind() == io::ErrorKind::AlreadyExists {
                return Err(Error::AlreadyExists {
                    path: self.target.to_string_lossy().into_owned(),
                    source: Box::new(error),
                });
            }
            return Err(trouble(Step::Place, &self.target)(error));
        }
        // A new name lasts when its directory is on the disk, and so do the directories above, if they are new.
        let new = missing
            .last()
            .map_or(parent, |top| top.parent().unwrap_or(&self.root));
        for dir in parent.ancestors() {
            sync_dir(dir).map_err(trouble(Step::Sync, dir))?;
            if dir == new {
                break;
            }
        }
        Ok(())
    }

    fn put(&self, staged: NamedTempFile) -> io::Result<()> {
        if !self.create {
            if let Ok(old) = fs::metadata(&self.target) {
                keep_permissions(staged.as_file(), old.permissions())?;
            }
            return moved(staged.persist(&self.target));
        }
        let refused = match (self.no_clobber)(staged, &self.target) {
            Ok(_) => return Ok(()),
            Err(refused) => refused,
        };
        if refused.error.kind() == io::ErrorKind::AlreadyExists {
            return Err(refused.error);
        }
        // CIFS, FAT and many FUSE file systems have neither way. The lock keeps other agents out between the look and
        // the move; a program that does not take the lock could lose what it creates in that moment.
        match fs::symlink_metadata(&self.target) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                moved(refused.file.persist(&self.target))
            }
            Err(_) => Err(refused.error),
        }
    }
}

fn moved(result: std::result::Result<File, PersistError>) -> io::Result<()> {
    result.map(drop).map_err(|refused| refused.error)
}

/// File systems without permissions of their own refuse to change them, or don't know how.
fn keep_permissions(staged: &File, permissions: fs::Permissions) -> io::Result<()> {
    if staged.metadata()?.permissions() == permissions {
        return Ok(());
    }
    match staged.set_permissions(permissions) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// Not every file system can flush a directory; those that can't answer that the request makes no sense.
#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    match File::open(dir)?.sync_all() {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// Directories can't be opened and flushed portably.
#[cfg(not(unix))]
fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}
