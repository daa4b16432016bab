//! A staging directory that is simulated: files come, change, tear and vanish as told.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::clock::BEGINNING;
use super::executor::Executor;
use crate::planted::{self, Defect};
use crate::staging::{
    FileEntry, FileError, FileKind, Identity, IdentityError, Layout, ListError, MAX_FOREIGN,
    ReadError, ScanSummary, SchemaStat, Staged, StagedFile, Staging, StagingError, Stat,
};
use crate::stream::{NodeId, StreamId};

/// The staging directory of one simulated node.
#[derive(Debug)]
pub struct SimulatedStaging {
    executor: Executor,
    node: NodeId,
    layout: Layout,
    /// The largest schema that is read, in bytes.
    max_schema_size: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    has_identity: bool,
    streams: BTreeMap<StreamId, BTreeMap<String, File>>,
    /// Counts changes: what makes one state of a file another one than the one before.
    changes: u64,
    /// When something changes next, where that is known.
    next_change: Option<Duration>,
    fails: Option<String>,
}

#[derive(Clone, Debug)]
struct File {
    content: Content,
    modified: Duration,
    identity: u64,
}

/// What stands under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file with these bytes.
    Whole(Bytes),
    /// A file that changes whenever it is read.
    Torn(Bytes),
    /// Something that can't be read. Carries the cause.
    Unreadable(String),
}

impl Content {
    fn bytes(&self) -> Option<&Bytes> {
        match self {
            Content::Whole(bytes) | Content::Torn(bytes) => Some(bytes),
            Content::Unreadable(_) => None,
        }
    }

    fn size(&self) -> u64 {
        self.bytes().map_or(0, Bytes::len) as u64
    }
}

impl SimulatedStaging {
    /// An empty directory of a node that has written its identity.
    pub fn new(executor: Executor, node: NodeId, layout: Layout, max_schema_size: u64) -> Self {
        Self {
            executor,
            node,
            layout,
            max_schema_size,
            state: Mutex::new(State {
                has_identity: true,
                ..State::default()
            }),
        }
    }

    /// Whether the node has written its identity.
    pub fn set_identity(&self, written: bool) {
        self.state().has_identity = written;
    }

    /// Makes the whole directory unreadable for a cause, or readable again.
    pub fn set_failing(&self, cause: Option<String>) {
        self.state().fails = cause;
    }

    /// The node makes the stream's directory.
    pub fn add_stream(&self, stream: &StreamId) {
        self.state().streams.entry(stream.clone()).or_default();
    }

    /// Puts something there under this name; its stream's directory is made where it is missing.
    pub fn put(&self, stream: &StreamId, name: &str, content: Content) {
        let modified = self.executor.now();
        let mut state = self.state();
        state.changes += 1;
        let file = File {
            content,
            modified,
            identity: state.changes,
        };
        let folder = state.streams.entry(stream.clone()).or_default();
        folder.insert(name.to_owned(), file);
    }

    /// Puts this node's schema there.
    pub fn put_schema(&self, stream: &StreamId, content: Content) {
        self.put(stream, &self.layout.staged_name(&self.node), content);
    }

    /// Removes what stands there under this name.
    pub fn remove(&self, stream: &StreamId, name: &str) {
        if let Some(folder) = self.state().streams.get_mut(stream) {
            folder.remove(name);
        }
    }

    /// Removes this node's schema.
    pub fn remove_schema(&self, stream: &StreamId) {
        self.remove(stream, &self.layout.staged_name(&self.node));
    }

    /// Removes the stream's directory with all that is in it.
    pub fn remove_stream(&self, stream: &StreamId) {
        self.state().streams.remove(stream);
    }

    /// Makes as many data files wait for the stream as this.
    pub fn set_data_files(&self, stream: &StreamId, count: u32) {
        let own = self.layout.staged_name(&self.node);
        {
            let mut state = self.state();
            let folder = state.streams.entry(stream.clone()).or_default();
            folder.retain(|name, _| self.layout.file_kind(&own, name) != FileKind::Data);
        }
        for number in 0..count {
            let content = Content::Whole(Bytes::from_static(b"ARROW1"));
            self.put(stream, &format!("{number:06}.data.arrows"), content);
        }
    }

    /// The bytes of this node's staged schema.
    pub fn schema(&self, stream: &StreamId) -> Option<Bytes> {
        let state = self.state();
        let file = state
            .streams
            .get(stream)?
            .get(&self.layout.staged_name(&self.node))?;
        file.content.bytes().cloned()
    }

    /// Nothing changes here before then.
    pub fn announce(&self, next_change: Option<Duration>) {
        self.state().next_change = next_change;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing here panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn staged(&self, stream: &StreamId, folder: &BTreeMap<String, File>) -> Staged {
        let own = self.layout.staged_name(&self.node);
        let mut staged = Staged {
            stream: stream.clone(),
            schema: SchemaStat::Missing,
            data_files: 0,
            foreign: Vec::new(),
        };
        for (name, file) in folder {
            let (first, within) = match name.split_once('/') {
                Some((first, within)) => (first, Some(within)),
                None => (name.as_str(), None),
            };
            let kind = match (self.layout.file_kind(&own, first), within) {
                (FileKind::Processing, Some(within)) => self.layout.file_kind(&own, within),
                (_, Some(_)) => FileKind::Other,
                (kind, None) => kind,
            };
            match kind {
                FileKind::OwnSchema => staged.schema = self.stat(file),
                FileKind::Data => staged.data_files += 1,
                FileKind::ForeignSchema if staged.foreign.len() < MAX_FOREIGN => {
                    staged.foreign.push(name.clone());
                }
                FileKind::ForeignSchema | FileKind::Processing | FileKind::Other => {}
            }
        }
        staged
    }

    fn stat(&self, file: &File) -> SchemaStat {
        match &file.content {
            Content::Unreadable(cause) => SchemaStat::Unreadable(cause.clone()),
            content if content.size() > self.max_schema_size => {
                SchemaStat::TooLarge(content.size())
            }
            _ => SchemaStat::File(stat(file)),
        }
    }
}

fn stat(file: &File) -> Stat {
    Stat {
        size: file.content.size(),
        modified: BEGINNING.plus(file.modified),
        identity: file.identity,
    }
}

impl Staging for SimulatedStaging {
    fn identify(&self) -> Result<Identity, IdentityError> {
        Ok(match self.state().has_identity {
            true => Identity::Known(self.node.clone()),
            false => Identity::NotYet,
        })
    }

    fn scan(&self, _: &NodeId, each: &mut dyn FnMut(Staged)) -> Result<ScanSummary, StagingError> {
        let state = self.state();
        if let Some(cause) = &state.fails {
            return Err(StagingError::List {
                dir: "staging".into(),
                source: std::io::Error::other(cause.clone()),
            });
        }
        for (stream, folder) in &state.streams {
            each(self.staged(stream, folder));
        }
        Ok(ScanSummary {
            streams: state.streams.len() as u64,
            ..ScanSummary::default()
        })
    }

    fn look(&self, _: &NodeId, stream: &StreamId) -> Option<Staged> {
        let state = self.state();
        Some(self.staged(stream, state.streams.get(stream)?))
    }

    fn read_schema(&self, _: &NodeId, stream: &StreamId) -> Result<StagedFile, ReadError> {
        let state = self.state();
        if let Some(cause) = &state.fails {
            return Err(ReadError::Unreadable(cause.clone()));
        }
        let folder = state.streams.get(stream).ok_or(ReadError::Missing)?;
        let file = folder
            .get(&self.layout.staged_name(&self.node))
            .ok_or(ReadError::Missing)?;
        match &file.content {
            Content::Unreadable(cause) => Err(ReadError::Unreadable(cause.clone())),
            Content::Torn(_) if !planted::is(Defect::TrustsTornFile) => Err(ReadError::Torn),
            Content::Whole(bytes) if bytes.len() as u64 > self.max_schema_size => {
                Err(ReadError::TooLarge {
                    size: bytes.len() as u64,
                    limit: self.max_schema_size,
                })
            }
            Content::Whole(bytes) | Content::Torn(bytes) => Ok(StagedFile {
                bytes: bytes.clone(),
                stat: stat(file),
            }),
        }
    }

    fn list_files(&self, stream: &StreamId, cap: usize) -> Result<Vec<FileEntry>, ListError> {
        let state = self.state();
        let Some(folder) = state.streams.get(stream) else {
            return Ok(Vec::new());
        };
        let files: Vec<_> = folder
            .iter()
            .filter(|(name, _)| !name.contains('/'))
            .map(|(name, file)| FileEntry {
                name: name.clone(),
                size: file.content.size(),
                modified: BEGINNING.plus(file.modified),
            })
            .collect();
        match files.len() > cap {
            true => Err(ListError::TooMany(cap)),
            false => Ok(files),
        }
    }

    fn read_file(
        &self,
        stream: &StreamId,
        name: &str,
        offset: u64,
        length: u32,
    ) -> Result<Bytes, FileError> {
        let state = self.state();
        let file = state
            .streams
            .get(stream)
            .and_then(|folder| folder.get(name));
        let file = file.ok_or(FileError::NotFound)?;
        match &file.content {
            Content::Unreadable(cause) => Err(FileError::Failed(cause.clone())),
            Content::Whole(bytes) | Content::Torn(bytes) => {
                let at = |offset: u64| {
                    usize::try_from(offset)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len())
                };
                let end = offset.saturating_add(u64::from(length));
                Ok(bytes.slice(at(offset)..at(end)))
            }
        }
    }

    fn quiet_until(&self) -> Option<Duration> {
        self.state().next_change
    }
}
