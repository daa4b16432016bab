//! The real staging directory.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

use crate::stream::{NodeId, StreamId};

use super::access::{
    FileEntry, FileError, ListError, ReadError, ScanSummary, Staged, StagedFile, Staging,
    StagingError,
};
use super::identity::{self, Identity, IdentityError};
use super::keys::is_segment;
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
    /// Holds the advisory lock as long as it is open.
    _lock: Option<File>,
}

impl StagingDir {
    /// Opens the directory for the one agent that works on it. An advisory lock on the directory itself keeps a second
    /// one away, as far as its file system has locks; what is safe without rests on conditional writes.
    ///
    /// # Errors
    ///
    /// It can't be opened, or another agent has it.
    pub fn open(settings: StagingSettings) -> Result<Self, StagingError> {
        let handle = opened(&settings)?;
        match handle.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StagingError::Locked { dir: settings.dir });
            }
            Err(TryLockError::Error(error)) => {
                tracing::warn!(
                    dir = %settings.dir.display(),
                    %error,
                    "this file system has no lock for the staging directory: make sure that one agent runs on it"
                );
            }
        }
        Ok(Self {
            settings,
            watches: Mutex::default(),
            _lock: Some(handle),
        })
    }

    /// Opens the directory without taking the lock, for commands that look on beside a running agent.
    ///
    /// # Errors
    ///
    /// It can't be opened.
    pub fn open_beside(settings: StagingSettings) -> Result<Self, StagingError> {
        opened(&settings)?;
        Ok(Self {
            settings,
            watches: Mutex::default(),
            _lock: None,
        })
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
fn opened(settings: &StagingSettings) -> Result<File, StagingError> {
    let refused = |source| StagingError::Open {
        dir: settings.dir.clone(),
        source,
    };
    std::fs::read_dir(&settings.dir).map_err(refused)?;
    File::open(&settings.dir).map_err(refused)
}

impl Staging for StagingDir {
    fn identify(&self) -> Result<Identity, IdentityError> {
        identity::identify(&self.settings)
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
