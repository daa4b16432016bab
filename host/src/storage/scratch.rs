//! Where the temporary files of a `file://` store stand: beside its root, never inside.
//!
//! What reads the store (Parseable's query node, say) reads every file there, so a temporary one could be taken for an
//! object.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::{NamedTempFile, TempDir};

use super::open::OpenError;

/// What a scratch directory's name begins with; the store directory's own name follows.
const PREFIX: &str = ".tidegate-";

/// Held by the one who compares and swaps.
const SWAP_LOCK: &str = "swap.lock";

/// Held, shared, by everyone who has the store open.
const USE_LOCK: &str = "use.lock";

/// What the names of temporary files begin with.
const STAGED: &str = "put-";

/// Name prefix of the directories in which the file system is tried.
const TRIAL: &str = "probe-";

/// A scratch directory that this process uses.
#[derive(Debug)]
pub(super) struct Scratch {
    dir: PathBuf,
    /// Locked while the store is open, so that nobody takes our temporary files for a crashed run's.
    _in_use: File,
}

impl Scratch {
    /// Prepares the scratch directory of the store at `root` (canonical), and removes what crashed runs left there.
    pub(super) fn open(root: &Path, dir: Option<PathBuf>) -> Result<Self, OpenError> {
        let dir = match dir {
            Some(dir) => dir,
            None => beside(root).ok_or_else(|| OpenError::NoScratch {
                root: root.to_owned(),
            })?,
        };
        let unusable = |source| OpenError::Scratch {
            path: dir.clone(),
            source,
        };
        // Looked at before it is made, since nothing may be made under the root.
        let nearest = dir.ancestors().find_map(|path| path.canonicalize().ok());
        if nearest.is_some_and(|path| path.starts_with(root)) {
            return Err(OpenError::ScratchInside {
                path: dir,
                root: root.to_owned(),
            });
        }
        let is_new = !dir.exists();
        fs::create_dir_all(&dir).map_err(unusable)?;
        if is_new {
            let made = open_directory(&dir).map_err(unusable)?;
            give_to_owner_of(root, &made).map_err(unusable)?;
        }
        let same = same_file_system(&dir, root).map_err(unusable)?;
        if !same {
            // Left as it was found: removing works on an empty directory only.
            let _ = fs::remove_dir(&dir);
            return Err(OpenError::ScratchElsewhere {
                path: dir,
                root: root.to_owned(),
            });
        }
        let in_use = lock_for_use(&dir).map_err(unusable)?;
        Ok(Self {
            dir,
            _in_use: in_use,
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Waits for the lock under which files are compared and put into place; dropping the file unlocks. If the file
    /// system has no locks, nothing is locked, which [`Scratch::is_locked`] shows.
    pub(super) fn lock(&self) -> io::Result<File> {
        let file = lock_file(&self.dir, SWAP_LOCK)?;
        match file.lock() {
            Err(error) if !is_without_locks(&error) => Err(error),
            _ => Ok(file),
        }
    }

    /// Whether any process holds the lock, including this one.
    pub(super) fn is_locked(&self) -> io::Result<bool> {
        match lock_file(&self.dir, SWAP_LOCK)?.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) if !is_without_locks(&error) => Err(error),
            _ => Ok(false),
        }
    }

    /// A directory for trying what the file system can do.
    pub(super) fn trial(&self) -> io::Result<TempDir> {
        tempfile::Builder::new().prefix(TRIAL).tempdir_in(&self.dir)
    }

    /// A temporary file with this content, on the disk when this returns; removed when dropped.
    pub(super) fn stage<'a>(
        &self,
        content: impl Iterator<Item = &'a Bytes>,
    ) -> io::Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(STAGED);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any program would create it, less the umask: the node and its peers read it as other users.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(&self.dir)?;
        for chunk in content {
            file.write_all(chunk)?;
        }
        file.as_file().sync_all()?;
        Ok(file)
    }
}

/// `<parent>/.tidegate-<name>`.
fn beside(root: &Path) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(PREFIX);
    name.push(root.file_name()?);
    Some(root.parent()?.join(name))
}

/// Opens a directory itself, not what a link leads to.
fn open_directory(dir: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
        options.custom_flags(flags.bits().cast_signed());
    }
    options.open(dir)
}

fn lock_file(dir: &Path, name: &str) -> io::Result<File> {
    let path = dir.join(name);
    let is_new = fs::symlink_metadata(&path).is_err();
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A link would have root make a file elsewhere, and give it away.
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    let file = options.open(&path)?;
    if is_new {
        give_to_owner_of(dir, &file)?;
    }
    Ok(file)
}

/// Gives what root created to the owner of the store: a `check` as root must not lock the agent's user out.
fn give_to_owner_of(model: &Path, made: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let (owner, own) = (fs::metadata(model)?, made.metadata()?);
        if own.uid() == 0 && owner.uid() != 0 {
            fchown(made, Some(owner.uid()), Some(owner.gid()))?;
        }
    }
    Ok(())
}

/// Takes the shared lock; whoever finds that nobody else has it removes leftovers first.
fn lock_for_use(dir: &Path) -> io::Result<File> {
    let file = lock_file(dir, USE_LOCK)?;
    match file.try_lock() {
        Ok(()) => {
            remove_leftovers(dir)?;
            file.unlock()?;
        }
        Err(TryLockError::WouldBlock) => {}
        // Without locks, it can't be known whose leftovers these are.
        Err(TryLockError::Error(error)) if is_without_locks(&error) => return Ok(file),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    file.lock_shared()?;
    Ok(file)
}

/// Whether the file system has no locks, as opposed to a lock that can't be taken.
fn is_without_locks(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::ENOLCK) {
        return true;
    }
    error.kind() == io::ErrorKind::Unsupported
}

fn remove_leftovers(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if name.starts_with(STAGED.as_bytes()) {
            fs::remove_file(entry.path())?;
        } else if name.starts_with(TRIAL.as_bytes()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn same_file_system(one: &Path, other: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata(one)?.dev() == fs::metadata(other)?.dev())
}

/// Elsewhere the first write tells.
#[cfg(not(unix))]
fn same_file_system(_: &Path, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("store");
        fs::create_dir(&root).unwrap();
        (dir, root)
    }

    #[test]
    fn leftovers_go_when_nobody_else_has_the_store_open() {
        let (_dir, root) = root();
        let first = Scratch::open(&root, None).unwrap();
        assert_eq!(first.dir(), root.with_file_name(".tidegate-store"));
        let left = first.dir().join("put-left");
        fs::write(&left, "half").unwrap();
        let tried = first.trial().unwrap().keep();
        fs::write(tried.join("object"), "half").unwrap();

        let second = Scratch::open(&root, None).unwrap();
        assert!(left.exists(), "it may be the first one's");
        drop((first, second));
        let _third = Scratch::open(&root, None).unwrap();
        assert!(!left.exists() && !tried.exists());
    }

    #[test]
    fn a_scratch_directory_inside_the_store_is_refused_and_not_made() {
        let (_dir, root) = root();
        let inside = root.join("a/b");
        let error = Scratch::open(&root, Some(inside)).unwrap_err();
        assert!(matches!(error, OpenError::ScratchInside { .. }), "{error}");
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_scratch_directory_on_another_file_system_is_refused() {
        let (_dir, root) = root();
        let elsewhere = Path::new("/dev/shm").join(format!("tidegate-{}", std::process::id()));
        if same_file_system(Path::new("/dev/shm"), &root).unwrap_or(true) {
            return;
        }
        let error = Scratch::open(&root, Some(elsewhere.clone())).unwrap_err();
        assert!(
            matches!(error, OpenError::ScratchElsewhere { .. }),
            "{error}"
        );
        assert!(!elsewhere.exists());
    }

    #[test]
    fn a_dropped_temporary_file_leaves_nothing() {
        let (_dir, root) = root();
        let scratch = Scratch::open(&root, None).unwrap();
        let before = fs::read_dir(scratch.dir()).unwrap().count();
        drop(scratch.stage([Bytes::from("x")].iter()).unwrap());
        assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), before);
    }
}
