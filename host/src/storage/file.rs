//! `file://`: files below a directory, with the conditional writes that [`LocalFileSystem`] lacks.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryFutureExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, RenameTargetMode, Result,
};
use tempfile::{NamedTempFile, TempDir};
use tokio::sync::Mutex;

use crate::contract::FailureKind;

use super::open::OpenError;
use super::place::{NO_CLOBBER, NoClobber, Place, make_younger};
use super::scratch::Scratch;

const NAME: &str = "FileStore";

/// Objects as files below a root directory.
///
/// A write stages a file in the [`Scratch`] directory, then, under an operating system's lock that every Tidegate on this
/// store takes, compares the target's version and moves the file into place. Readers see the old object or the new one;
/// nothing but objects is ever written under the root. Other programs don't take the lock, so they can still overwrite
/// what was compared, as they can in any store.
#[derive(Debug)]
pub(super) struct FileStore {
    root: PathBuf,
    files: LocalFileSystem,
    scratch: Arc<Scratch>,
    /// The scratch directory as a store: it tells a staged file's ETag, which moving doesn't change.
    staged: LocalFileSystem,
    /// Taken before the operating system's lock, so that at most one thread of this process waits for that.
    turn: Arc<Mutex<()>>,
    no_clobber: NoClobber,
}

/// A file operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("{step} failed for {path:?}")]
pub(super) struct FileTrouble {
    step: Step,
    path: PathBuf,
    source: io::Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Root,
    Stage,
    Lock,
    Place,
    Sync,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Root => "finding the store's directory",
            Step::Stage => "writing a temporary file",
            Step::Lock => "locking",
            Step::Place => "moving the object into place",
            Step::Sync => "flushing to disk",
        })
    }
}

impl FileTrouble {
    /// Whether the object is as it was before.
    pub(super) fn nothing_written(&self) -> bool {
        self.step != Step::Sync
    }

    pub(super) fn kind(&self) -> FailureKind {
        match (self.step, self.source.kind()) {
            (Step::Root, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                FailureKind::NotFound
            }
            (_, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
                FailureKind::PermissionDenied
            }
            // A full disk is the store's trouble, and may pass.
            (_, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                FailureKind::Unavailable
            }
            (Step::Sync, _) => FailureKind::Unavailable,
            _ => FailureKind::Other,
        }
    }
}

pub(super) fn trouble(step: Step, path: &FilePath) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Generic {
        store: NAME,
        source: Box::new(FileTrouble { step, path, source }),
    }
}

impl FileStore {
    /// The store below `root`, which must exist, with its scratch directory beside it or at `scratch`. Errors name
    /// `named_by` as the setting that names the root.
    pub(super) fn open(
        root: &FilePath,
        scratch: Option<PathBuf>,
        named_by: &str,
    ) -> std::result::Result<Self, OpenError> {
        let not_a_directory = |path: &FilePath| OpenError::NotADirectory {
            path: path.to_owned(),
            named_by: named_by.to_owned(),
        };
        let canonical = root.canonicalize().map_err(|source| match source.kind() {
            io::ErrorKind::NotADirectory => not_a_directory(root),
            _ => OpenError::NoDirectory {
                path: root.to_owned(),
                named_by: named_by.to_owned(),
                source,
            },
        })?;
        if !canonical.is_dir() {
            return Err(not_a_directory(&canonical));
        }
        let scratch = Scratch::open(&canonical, scratch)?;
        let local = |dir: &FilePath| {
            local(dir).map_err(|source| OpenError::NoDirectory {
                path: dir.to_owned(),
                named_by: named_by.to_owned(),
                source,
            })
        };
        Ok(Self {
            files: local(&canonical)?,
            staged: local(scratch.dir())?,
            scratch: Arc::new(scratch),
            root: canonical,
            turn: Arc::default(),
            no_clobber: NO_CLOBBER,
        })
    }

    pub(super) fn root(&self) -> &FilePath {
        &self.root
    }

    /// An empty store in the scratch directory: on the same file system and under the same lock. It is gone when the
    /// directory is dropped.
    pub(super) fn sibling(&self) -> io::Result<(Self, TempDir)> {
        let directory = self.scratch.trial()?;
        let root = directory.path().to_owned();
        let store = Self {
            files: local(&root)?,
            staged: local(self.scratch.dir())?,
            scratch: Arc::clone(&self.scratch),
            root,
            turn: Arc::clone(&self.turn),
            no_clobber: self.no_clobber,
        };
        Ok((store, directory))
    }

    /// Whether the lock keeps others out while this process holds it.
    pub(super) async fn lock_excludes(&self) -> Result<bool> {
        let held = self.lock().await?;
        let scratch = Arc::clone(&self.scratch);
        blocking(move || {
            let excludes = scratch
                .is_locked()
                .map_err(trouble(Step::Lock, scratch.dir()));
            drop(held);
            excludes
        })
        .await
    }

    /// The listing, once the root was found: a listing of nothing is no error by itself.
    fn after_rooted(
        &self,
        listing: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        rooted(self.root.clone())
            .map_ok(|()| listing)
            .try_flatten_stream()
            .boxed()
    }

    /// The file of this key. Names that [`LocalFileSystem`] keeps for its own temporary files (`…#1`) are refused.
    fn path_of(&self, location: &Path) -> Result<PathBuf> {
        self.files
            .path_to_filesystem(location)
            .map_err(|error| Error::NotSupported {
                source: Box::new(error),
            })
    }

    async fn stage(&self, payload: PutPayload) -> Result<NamedTempFile> {
        let scratch = Arc::clone(&self.scratch);
        blocking(move || {
            scratch
                .stage(payload.iter())
                .map_err(trouble(Step::Stage, scratch.dir()))
        })
        .await
    }

    async fn lock(&self) -> Result<Lock> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let scratch = Arc::clone(&self.scratch);
        blocking(move || {
            let file = scratch.lock().map_err(trouble(Step::Lock, scratch.dir()))?;
            Ok(Lock {
                _file: file,
                _turn: turn,
            })
        })
        .await
    }

    async fn standing(&self, location: &Path) -> Result<Option<ObjectMeta>> {
        match self.files.head(location).await {
            Ok(meta) => Ok(Some(meta)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn local(dir: &FilePath) -> io::Result<LocalFileSystem> {
    LocalFileSystem::new_with_prefix(dir).map_err(io::Error::other)
}

/// Fails when the root is gone: an unmounted store must not look like an empty one.
async fn rooted(root: PathBuf) -> Result<()> {
    blocking(move || match fs::metadata(&root) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(trouble(Step::Root, &root)(
            io::ErrorKind::NotADirectory.into(),
        )),
        Err(error) => Err(trouble(Step::Root, &root)(error)),
    })
    .await
}

/// Both locks; whoever holds this may compare and swap.
struct Lock {
    _file: File,
    _turn: tokio::sync::OwnedMutexGuard<()>,
}

/// Fails unless the condition of `mode` holds for what stands there.
fn check(mode: &PutMode, location: &Path, standing: Option<&ObjectMeta>) -> Result<()> {
    let refused = |text: &str| (location.to_string(), text.to_owned().into());
    match (mode, standing) {
        (PutMode::Overwrite, _) | (PutMode::Create, None) => Ok(()),
        (PutMode::Create, Some(_)) => {
            let (path, source) = refused("a file of that name exists");
            Err(Error::AlreadyExists { path, source })
        }
        (PutMode::Update(version), Some(meta)) if meta.e_tag == version.e_tag => Ok(()),
        (PutMode::Update(_), _) => {
            let (path, source) = refused("the file has changed");
            Err(Error::Precondition { path, source })
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}

fn unsupported(operation: &str) -> Error {
    Error::NotImplemented {
        operation: operation.to_owned(),
        implementer: NAME.to_owned(),
    }
}

impl fmt::Display for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}({})", self.files)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for FileStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        if !opts.attributes.is_empty() {
            return Err(unsupported("attributes"));
        }
        let target = self.path_of(location)?;
        rooted(self.root.clone()).await?;
        let staged = self.stage(payload).await?;
        let lock = self.lock().await?;
        let standing = self.standing(location).await?;
        check(&opts.mode, location, standing.as_ref())?;
        if let Some(old) = &standing {
            make_younger(staged.as_file(), old).map_err(trouble(Step::Stage, staged.path()))?;
        }
        let name = staged.path().file_name().unwrap_or_default();
        let meta = self
            .staged
            .head(&Path::from(name.to_string_lossy().as_ref()))
            .await?;
        let place = Place {
            target,
            create: matches!(opts.mode, PutMode::Create),
            root: self.root.clone(),
            no_clobber: self.no_clobber,
        };
        let lock = blocking(move || {
            // The lock goes with the work: a caller that goes away must not let others in while the file is moved.
            place.take(staged)?;
            Ok(lock)
        })
        .await?;
        let placed = self.standing(location).await;
        drop(lock);
        // Some file systems give a moved file another inode, and other programs may have replaced it already: without
        // a version, the caller reads back.
        let unmoved = |placed: &ObjectMeta| placed.e_tag == meta.e_tag;
        let e_tag = placed.ok().flatten().filter(unmoved).and(meta.e_tag);
        Ok(PutResult {
            e_tag,
            version: None,
            extensions: Default::default(),
        })
    }

    /// Not offered: object_store stages parts under the root.
    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(unsupported("multipart upload"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let result = self.files.get_opts(location, options).await;
        if matches!(result, Err(Error::NotFound { .. })) {
            rooted(self.root.clone()).await?;
        }
        result
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.files.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.after_rooted(self.files.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.after_rooted(self.files.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        rooted(self.root.clone()).await?;
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let bytes = self.get(from).await?.bytes().await?;
        let mode = match options.mode {
            CopyMode::Overwrite => PutMode::Overwrite,
            CopyMode::Create => PutMode::Create,
        };
        self.put_opts(to, bytes.into(), mode.into()).await?;
        Ok(())
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let mode = match options.target_mode {
            RenameTargetMode::Overwrite => CopyMode::Overwrite,
            RenameTargetMode::Create => CopyMode::Create,
        };
        self.copy_opts(from, to, CopyOptions::new().with_mode(mode))
            .await?;
        self.delete(from).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn of(step: Step, errno: i32) -> FileTrouble {
        FileTrouble {
            step,
            path: "/store/a".into(),
            source: io::Error::from_raw_os_error(errno),
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_the_stores_trouble_and_nothing_was_written() {
        const ENOSPC: i32 = 28;
        let trouble = of(Step::Stage, ENOSPC);
        assert_eq!(trouble.kind(), FailureKind::Unavailable);
        assert!(trouble.nothing_written());
        // After the move the object may be there, whatever became of the flush.
        assert!(!of(Step::Sync, ENOSPC).nothing_written());
    }

    fn store() -> (tempfile::TempDir, FileStore) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("store");
        fs::create_dir(&root).unwrap();
        let store = FileStore::open(&root, None, "`store.url`").unwrap();
        (dir, store)
    }

    /// object_store's own suite; the parts that are left out need multipart uploads.
    #[tokio::test]
    async fn it_is_an_object_store() {
        use object_store::integration as suite;
        let (_dir, store) = store();
        suite::put_get_delete_list(&store).await;
        suite::list_uses_directories_correctly(&store).await;
        suite::list_with_delimiter(&store).await;
        suite::list_with_offset_exclusivity(&store).await;
        suite::rename_and_copy(&store).await;
        suite::copy_if_not_exists(&store).await;
        suite::copy_rename_nonexistent_object(&store).await;
        suite::get_opts(&store).await;
        suite::put_opts(&store, true).await;
    }

    #[tokio::test]
    async fn a_new_version_is_younger_whatever_the_clock_says() {
        let (_dir, store) = store();
        let key = Path::from("k");
        store.put(&key, "one".into()).await.unwrap();
        let ahead = SystemTime::from(store.head(&key).await.unwrap().last_modified)
            + std::time::Duration::from_secs(3600);
        File::options()
            .write(true)
            .open(store.root().join("k"))
            .unwrap()
            .set_modified(ahead)
            .unwrap();
        store.put(&key, "two".into()).await.unwrap();
        let modified = SystemTime::from(store.head(&key).await.unwrap().last_modified);
        assert_eq!(modified, ahead + std::time::Duration::from_micros(1));
    }

    /// Fails like `renameat2` and `link` on CIFS, FAT and many FUSE file systems.
    fn refuse(
        staged: NamedTempFile,
        _: &FilePath,
    ) -> std::result::Result<File, tempfile::PersistError> {
        const EPERM: i32 = 1;
        Err(tempfile::PersistError {
            error: io::Error::from_raw_os_error(EPERM),
            file: staged,
        })
    }

    #[tokio::test]
    async fn conditions_hold_without_hard_links_and_exclusive_renames() {
        let (_dir, mut store) = store();
        store.no_clobber = refuse;
        object_store::integration::put_opts(&store, true).await;
        let key = Path::from("new/key");
        let create = |text: &'static str| store.put_opts(&key, text.into(), PutMode::Create.into());
        create("one").await.unwrap();
        let again = create("two").await.unwrap_err();
        assert!(matches!(again, Error::AlreadyExists { .. }), "{again}");
        assert_eq!(store.get(&key).await.unwrap().bytes().await.unwrap(), "one");
    }
}
