//! The real staging directory.

use std::fs::{File, Metadata, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

use crate::stream::{NodeId, StreamId};

use super::access::{
    FileEntry, FileError, ListError, ReadError, ScanSummary, Staged, StagedFile, Staging,
    StagingError,
};
use super::identity::{self, Identity, IdentityError};
use super::keys::is_segment;
use super::parseable::ParseableMode;
use super::watch::{self, WatchError, Watcher, Watches};
use super::{StagingSettings, read, scan};
use crate::tasks::Tasks;

/// A staging directory on this machine's file system. It is only ever read.
///
/// ```no_run
/// use tidegate::staging::{Identity, Layout, ParseableMode, Staging, StagingDir, StagingSettings};
///
/// let settings = StagingSettings::new("staging", Layout::parseable(ParseableMode::Ingest));
/// let staging = StagingDir::open(settings)?;
/// if let Identity::Known(node) = staging.identify()? {
///     staging.scan(&node, &mut |staged| println!("{}: {:?}", staged.stream, staged.schema))?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StagingDir {
    settings: StagingSettings,
    /// The watches that scans place, for as long as the watcher exists.
    watches: Mutex<Weak<Watches>>,
    place: Mutex<Place>,
}

/// Which directory it is, and what was last seen of it.
#[derive(Debug)]
struct Place {
    /// The directory; holds the advisory lock as long as it is open.
    _handle: File,
    locked: bool,
    /// Device and inode.
    id: (u64, u64),
    /// How often another directory took its place.
    generation: u64,
    /// The state in which it was last confirmed.
    confirmed: Option<Seen>,
}

/// A state of the directory and of the node's identity in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    directory: Version,
    identity: Option<Version>,
}

/// What distinguishes one state of a file or directory from another: device, inode, size, and the change time.
type Version = (u64, u64, u64, i64, i64);

fn version(found: &Metadata) -> Version {
    let (seconds, nanos) = (found.ctime(), found.ctime_nsec());
    (found.dev(), found.ino(), found.size(), seconds, nanos)
}

/// A directory that changed less than this many seconds ago may change again without a new change time.
const SETTLED_AFTER: i64 = 2;

impl StagingDir {
    /// Opens the directory for the one agent that works on it. An advisory lock on the directory itself keeps a second
    /// one away, as far as its file system has locks; what is safe without rests on conditional writes.
    ///
    /// # Errors
    ///
    /// It can't be opened, or another agent has it.
    pub fn open(settings: StagingSettings) -> Result<Self, StagingError> {
        let handle = opened(&settings.dir)?;
        lock(&handle, &settings.dir)?;
        Self::at(settings, handle, true)
    }

    /// Opens the directory without taking the lock, for commands that look on beside a running agent.
    ///
    /// # Errors
    ///
    /// It can't be opened.
    pub fn open_beside(settings: StagingSettings) -> Result<Self, StagingError> {
        let handle = opened(&settings.dir)?;
        Self::at(settings, handle, false)
    }

    fn at(settings: StagingSettings, handle: File, locked: bool) -> Result<Self, StagingError> {
        let id = identity_of(&handle, &settings.dir)?;
        let place = Place {
            _handle: handle,
            locked,
            id,
            generation: 0,
            confirmed: None,
        };
        Ok(Self {
            settings,
            watches: Mutex::default(),
            place: Mutex::new(place),
        })
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        // The value is only ever replaced as a whole.
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of the directory and of this node's identity file, if it has one. `None` if it changed a moment ago or
    /// can't be examined.
    fn seen(&self, node: &NodeId) -> Option<Seen> {
        let directory = std::fs::metadata(&self.settings.dir).ok()?;
        let identity = match self.settings.layout.mode() {
            // A file under another name may be rewritten without a trace in the directory.
            Some(ParseableMode::Ingest) => {
                Some(std::fs::metadata(identity::file_of(&self.settings.dir, node)).ok()?)
            }
            _ => None,
        };
        let now = file_clock()?;
        let settled = |found: &Metadata| now.saturating_sub(found.ctime()) >= SETTLED_AFTER;
        let all_settled = settled(&directory) && identity.as_ref().is_none_or(settled);
        all_settled.then(|| Seen {
            directory: version(&directory),
            identity: identity.as_ref().map(version),
        })
    }

    /// Notices when another directory is in the place of the one that was opened.
    fn follow(&self, is_known_node: bool) -> Result<(), StagingError> {
        let dir = &self.settings.dir;
        let handle = opened(dir)?;
        let id = identity_of(&handle, dir)?;
        let mut place = self.place();
        if id == place.id {
            return Ok(());
        }
        // An empty one may be what is left where a volume was mounted; an identity in it proves that it is not.
        if !is_known_node && is_empty(dir)? {
            return Err(StagingError::Emptied { dir: dir.clone() });
        }
        if place.locked {
            lock(&handle, dir)?;
        }
        tracing::warn!(dir = %dir.display(), "another directory took the place of the staging directory: it is scanned from now on");
        *place = Place {
            _handle: handle,
            locked: place.locked,
            id,
            generation: place.generation.wrapping_add(1),
            confirmed: None,
        };
        Ok(())
    }

    /// The settings it was opened with.
    pub fn settings(&self) -> &StagingSettings {
        &self.settings
    }

    fn watches(&self) -> Option<Arc<Watches>> {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.upgrade()
    }

    /// The stream's directory; `None` for names that lead elsewhere, and for a tenant where there are none or the
    /// reverse.
    fn folder(&self, stream: &StreamId) -> Option<PathBuf> {
        let mut path = self.settings.dir.clone();
        if self.settings.tenants != stream.tenant.is_some() {
            return None;
        }
        if let Some(tenant) = &stream.tenant {
            path.push(segment(tenant)?);
        }
        path.push(segment(&stream.name)?);
        Some(path)
    }
}

fn segment(name: &str) -> Option<&str> {
    is_segment(name).then_some(name)
}

/// The directory's handle: opening it shows that it is there, and listing it that it may be read.
fn opened(dir: &Path) -> Result<File, StagingError> {
    let refused = |source| StagingError::Open {
        dir: dir.to_owned(),
        source,
    };
    std::fs::read_dir(dir).map_err(refused)?;
    File::open(dir).map_err(refused)
}

/// Takes the advisory lock on the directory, if its file system has locks.
fn lock(handle: &File, dir: &Path) -> Result<(), StagingError> {
    match handle.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(StagingError::Locked {
            dir: dir.to_owned(),
        }),
        Err(TryLockError::Error(error)) => {
            tracing::warn!(
                dir = %dir.display(),
                %error,
                "this file system has no lock for the staging directory: make sure that one agent runs on it"
            );
            Ok(())
        }
    }
}

fn identity_of(handle: &File, dir: &Path) -> Result<(u64, u64), StagingError> {
    let found = handle.metadata().map_err(|source| StagingError::Open {
        dir: dir.to_owned(),
        source,
    })?;
    Ok((found.dev(), found.ino()))
}

/// Whether nothing is in the directory besides what a file system puts there itself.
fn is_empty(dir: &Path) -> Result<bool, StagingError> {
    let mut entries = std::fs::read_dir(dir).map_err(|source| StagingError::List {
        dir: dir.to_owned(),
        source,
    })?;
    Ok(!entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != "lost+found")))
}

/// The clock that files are dated by, in seconds.
fn file_clock() -> Option<i64> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    Some(now.tv_sec)
}

impl Staging for StagingDir {
    fn identify(&self) -> Result<Identity, IdentityError> {
        identity::identify(&self.settings)
    }

    fn confirm(&self, node: &NodeId) -> Result<(), StagingError> {
        let seen = self.seen(node);
        if seen.is_some() && self.place().confirmed == seen {
            return Ok(());
        }
        // Only a file in the directory proves that it is a node's.
        let has_file = self.settings.layout.mode() == Some(ParseableMode::Ingest);
        match self.identify() {
            Ok(Identity::Known(found)) if found == *node => self.follow(has_file)?,
            Ok(Identity::Known(found)) => {
                self.follow(has_file)?;
                return Err(StagingError::OtherNode { found });
            }
            Ok(Identity::NotYet) => return Err(StagingError::NoIdentity),
            Err(IdentityError::Unreadable { path, source })
                if path == self.settings.dir || source.kind() == ErrorKind::NotFound =>
            {
                return Err(StagingError::Open { dir: path, source });
            }
            Err(error) => return Err(StagingError::Identity(error)),
        }
        // It must not have changed meanwhile.
        if seen == self.seen(node) {
            self.place().confirmed = seen;
        }
        Ok(())
    }

    fn generation(&self) -> u64 {
        self.place().generation
    }

    fn scan(
        &self,
        node: &NodeId,
        each: &mut dyn FnMut(Staged),
    ) -> Result<ScanSummary, StagingError> {
        scan::scan(&self.settings, self.watches().as_deref(), node, each)
    }

    fn look(&self, node: &NodeId, stream: &StreamId) -> Option<Staged> {
        let folder = self.folder(stream)?;
        let watches = self.watches();
        scan::look(
            &self.settings,
            watches.as_deref(),
            node,
            folder,
            stream.clone(),
        )
    }

    fn watch(&self, tasks: &dyn Tasks) -> Result<Option<Watcher>, WatchError> {
        let (watcher, watches) = watch::watch(&self.settings, tasks)?;
        *self.watches.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&watches);
        Ok(Some(watcher))
    }

    fn read_schema(&self, node: &NodeId, stream: &StreamId) -> Result<StagedFile, ReadError> {
        let folder = self.folder(stream).ok_or(ReadError::Missing)?;
        let path = folder.join(self.settings.layout.staged_name(node));
        read::schema(&path, self.settings.max_schema_size)
    }

    fn list_files(&self, stream: &StreamId, cap: usize) -> Result<Vec<FileEntry>, ListError> {
        match self.folder(stream) {
            Some(folder) => read::list(&folder, cap),
            None => Ok(Vec::new()),
        }
    }

    fn read_file(
        &self,
        stream: &StreamId,
        name: &str,
        offset: u64,
        length: u32,
    ) -> Result<Bytes, FileError> {
        let folder = self.folder(stream).ok_or(FileError::NotFound)?;
        let name = segment(name).ok_or(FileError::NotFound)?;
        read::part(&folder, name, offset, length)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::*;

    #[test]
    fn a_second_agent_on_one_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let settings = StagingSettings::new(dir.path(), Layout::plain());
        let first = StagingDir::open(settings.clone()).unwrap();
        let message = StagingDir::open(settings.clone()).unwrap_err().to_string();
        assert!(
            message.starts_with("another tidegate runs on the staging directory"),
            "{message}"
        );
        assert!(StagingDir::open_beside(settings.clone()).is_ok());
        drop(first);
        assert!(StagingDir::open(settings).is_ok());
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            0,
            "no lock file is left"
        );
    }

    #[test]
    fn an_empty_directory_in_the_place_of_another_one_is_not_taken_for_it() {
        let root = tempfile::tempdir().unwrap();
        let (dir, aside) = (root.path().join("staging"), root.path().join("aside"));
        std::fs::create_dir_all(dir.join("s")).unwrap();
        let node = NodeId::new("n1");
        let mut settings = StagingSettings::new(&dir, Layout::plain());
        settings.node = Some(node.clone());
        let staging = StagingDir::open(settings.clone()).unwrap();
        staging.confirm(&node).unwrap();
        std::fs::rename(&dir, &aside).unwrap();
        assert!(matches!(
            staging.confirm(&node),
            Err(StagingError::Open { .. })
        ));
        std::fs::create_dir(&dir).unwrap();
        assert!(matches!(
            staging.confirm(&node),
            Err(StagingError::Emptied { .. })
        ));
        assert_eq!(staging.generation(), 0);
        // A directory with streams in it is the staging directory from now on, and locked like the one before it.
        std::fs::create_dir(dir.join("t")).unwrap();
        staging.confirm(&node).unwrap();
        assert_eq!(staging.generation(), 1);
        assert!(matches!(
            StagingDir::open(settings),
            Err(StagingError::Locked { .. })
        ));
    }

    #[test]
    fn an_identity_that_goes_or_changes_is_noticed_however_often_it_was_confirmed() {
        let dir = tempfile::tempdir().unwrap();
        let file = |id: &str| dir.path().join(format!("ingestor.{id}.json"));
        let text = |id: &str| format!("{{\"node_id\": \"{id}\", \"node_type\": \"ingestor\"}}");
        std::fs::write(file("n1"), text("n1")).unwrap();
        let node = NodeId::new("n1");
        let settings = StagingSettings::new(dir.path(), Layout::parseable(ParseableMode::Ingest));
        let staging = StagingDir::open(settings).unwrap();
        for _ in 0..3 {
            staging.confirm(&node).unwrap();
        }
        // Written in place, as Parseable does it.
        std::fs::write(file("n1"), text("n2")).unwrap();
        let confirmed = staging.confirm(&node);
        assert!(
            matches!(&confirmed, Err(StagingError::OtherNode { found }) if found.as_str() == "n2"),
            "{confirmed:?}"
        );
        std::fs::remove_file(file("n1")).unwrap();
        assert!(matches!(
            staging.confirm(&node),
            Err(StagingError::NoIdentity)
        ));
        std::fs::write(file("n1"), text("n1")).unwrap();
        staging.confirm(&node).unwrap();
        std::fs::write(file("n3"), text("n3")).unwrap();
        assert!(matches!(
            staging.confirm(&node),
            Err(StagingError::Identity(_))
        ));
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in [file, dir.path().join("missing")] {
            let error = StagingDir::open(StagingSettings::new(&path, Layout::plain()));
            assert!(
                matches!(error, Err(StagingError::Open { .. })),
                "{}",
                path.display()
            );
        }
    }

    #[test]
    fn streams_that_lead_elsewhere_are_never_found() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("staging/s")).unwrap();
        std::fs::write(dir.path().join("schema.json"), "x").unwrap();
        std::fs::write(dir.path().join("staging/schema.json"), "x").unwrap();
        let settings = StagingSettings::new(dir.path().join("staging"), Layout::plain());
        let staging = StagingDir::open(settings).unwrap();
        let node = NodeId::new("n1");
        for stream in [
            StreamId::new(".."),
            StreamId::new("."),
            StreamId::new("s/.."),
            StreamId::new(""),
            StreamId::with_tenant("..", "staging"),
        ] {
            assert_eq!(staging.read_schema(&node, &stream), Err(ReadError::Missing));
            assert_eq!(staging.look(&node, &stream), None);
            assert_eq!(staging.list_files(&stream, 9), Ok(Vec::new()));
            let read = staging.read_file(&stream, "schema.json", 0, 9);
            assert_eq!(read, Err(FileError::NotFound));
        }
        for name in [
            "..",
            ".",
            "",
            "../schema.json",
            "s/../../schema.json",
            "a\0",
        ] {
            let read = staging.read_file(&StreamId::new("s"), name, 0, 9);
            assert_eq!(read, Err(FileError::NotFound), "{name:?}");
        }
    }

    #[test]
    fn a_tenant_is_found_only_where_there_are_tenants() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("t/s")).unwrap();
        std::fs::write(dir.path().join("t/s/schema.json"), "x").unwrap();
        std::fs::write(dir.path().join("t/schema.json"), "y").unwrap();
        let mut settings = StagingSettings::new(dir.path(), Layout::plain());
        let (outer, inner) = (StreamId::new("t"), StreamId::with_tenant("t", "s"));
        let node = NodeId::new("n1");
        let read = |settings: &StagingSettings, stream: &StreamId| {
            let staging = StagingDir::open_beside(settings.clone()).unwrap();
            staging.read_schema(&node, stream).map(|file| file.bytes)
        };
        assert_eq!(read(&settings, &outer), Ok("y".into()));
        assert_eq!(read(&settings, &inner), Err(ReadError::Missing));
        settings.tenants = true;
        assert_eq!(read(&settings, &inner), Ok("x".into()));
        assert_eq!(read(&settings, &outer), Err(ReadError::Missing));
    }
}
