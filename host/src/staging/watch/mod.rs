//! Reports changes in staging at once, so that none waits for the next scan, and an idle agent need not scan.
//!
//! The walk of a scan places the watches: each directory that it lists is watched first. So what is watched and what is
//! scanned can't differ, a change after the listing is always reported, and each scan makes the watch complete again.

mod cause;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod event;
#[cfg(target_os = "linux")]
mod inotify;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

#[cfg(not(target_os = "linux"))]
use elsewhere as inotify;
use inotify::{Inotify, Refused};
use table::Table;

use crate::stream::StreamId;
use crate::tasks::{Task, Tasks};

use super::StagingSettings;

pub use cause::{Cause, WatchError};
pub(super) use table::Place;

/// How many changed streams are remembered until they are asked for; more of them become one hint to scan everything.
pub const MAX_HINTS: usize = 10_000;

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Whether to scan everything: streams went away, or events were lost.
    pub rescan: bool,
    /// Streams to look at.
    pub streams: BTreeSet<StreamId>,
}

impl Hints {
    fn all() -> Self {
        Self {
            rescan: true,
            streams: BTreeSet::new(),
        }
    }
}

/// Directories that are not watched for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwatched {
    /// The reason.
    pub cause: Cause,
    /// How many they are.
    pub count: usize,
    /// One of them, relative to the staging directory; `None` for the staging directory itself.
    pub example: Option<String>,
}

/// Reports changes until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    watches: Arc<Watches>,
    /// Takes in the system's events.
    _reader: Task<()>,
}

impl Watcher {
    /// Waits until something changed, and takes all that changed since the last call. Dropping the future loses
    /// nothing.
    pub async fn changed(&mut self) -> Hints {
        self.watches.taken().await
    }

    /// What must be scanned at short intervals, since no event reports a change there. It blocks for a moment.
    pub fn unreported(&self) -> Unreported {
        Unreported(Arc::clone(&self.watches))
    }

    /// The directories that were found and are not watched.
    pub fn unwatched(&self) -> Vec<Unwatched> {
        self.watches.lock().causes()
    }
}

/// Finds what must be scanned although a watch is there.
#[derive(Debug)]
pub struct Unreported(Arc<Watches>);

impl Unreported {
    /// Asks for everything if the staging directory itself was replaced, which no event reports. Blocks on the file
    /// system.
    pub fn find(&self) -> Hints {
        self.0.unreported()
    }
}

/// The watches on a staging directory and its streams.
#[derive(Debug)]
pub(super) struct Watches {
    dir: PathBuf,
    inotify: Inotify,
    /// Locked while a watch is added and while events are read, so that no event comes before its watch is known.
    table: Mutex<Table>,
    /// The directory that is watched as the staging directory.
    root: Mutex<Option<Identity>>,
    wake: Notify,
}

/// Device and inode.
type Identity = (u64, u64);

/// Begins to watch; the next scan places the watches.
pub(super) fn watch(
    settings: &StagingSettings,
    tasks: &dyn Tasks,
) -> Result<(Watcher, Arc<Watches>), WatchError> {
    let watches = Arc::new(Watches {
        dir: settings.dir.clone(),
        inotify: Inotify::open()?,
        table: Mutex::new(Table::new(settings)),
        root: Mutex::default(),
        wake: Notify::new(),
    });
    let watcher = Watcher {
        watches: Arc::clone(&watches),
        _reader: tasks.spawn(read_events(Arc::clone(&watches))),
    };
    Ok((watcher, watches))
}

impl Watches {
    pub(super) fn begin_scan(&self) {
        self.lock().begin_scan();
    }

    pub(super) fn end_scan(&self, streams: u64) {
        let mut table = self.lock();
        for watch in table.end_scan(streams) {
            self.inotify.remove(watch);
        }
    }

    /// Watches the staging directory. Called before it is listed.
    pub(super) fn place_root(&self) {
        let before = identity(&self.dir);
        self.place(Place::Root, &self.dir);
        *self.root.lock().unwrap_or_else(PoisonError::into_inner) = before;
    }

    /// Watches a directory, or keeps the watch that it has. Called before the directory is listed.
    pub(super) fn place(&self, place: Place, path: &Path) {
        let mut table = self.lock();
        // Streams are not mounted one by one, and asking for each would double the cost.
        let remote = match place {
            Place::Root | Place::Tenant(_) => Inotify::remote(path),
            Place::Stream(_) | Place::Processing(_) => None,
        };
        match self.inotify.add(path, place == Place::Root) {
            Ok(watch) => {
                if !table.placed(watch, place.clone()) {
                    self.inotify.remove(watch);
                } else if let Some(kind) = remote {
                    table.leave(place, Cause::Remote(kind));
                }
            }
            Err(Refused::Vanished) => table.vanished(&place),
            Err(Refused::Because(cause)) => table.leave(place, cause),
        }
    }

    /// The stream's schema is a link, so that it may change without an event.
    pub(super) fn found_link(&self, stream: &StreamId) {
        self.lock()
            .leave(Place::Stream(stream.clone()), Cause::Link);
    }

    fn unreported(&self) -> Hints {
        let found = identity(&self.dir);
        let root = *self.root.lock().unwrap_or_else(PoisonError::into_inner);
        match found.is_some() && found == root {
            true => self.lock().unreported(),
            false => Hints::all(),
        }
    }

    async fn taken(&self) -> Hints {
        loop {
            // Made before the look, so that a change in between wakes it.
            let woken = self.wake.notified();
            let hints = self.lock().take_hints();
            if hints != Hints::default() {
                return hints;
            }
            woken.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // No code panics while it holds the lock, and every single change leaves the table sound.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn identity(dir: &Path) -> Option<Identity> {
    let found = fs::metadata(dir).ok()?;
    Some((found.dev(), found.ino()))
}

/// Takes in events for as long as the watch exists.
async fn read_events(watches: Arc<Watches>) {
    let _end = MarkEnd(&watches);
    let read = watches.inotify.run(|batch| {
        let mut table = watches.lock();
        batch.each(|event| {
            if let Some(watch) = table.note(event) {
                watches.inotify.remove(watch);
            }
        });
        let changed = table.has_hints();
        drop(table);
        if changed {
            watches.wake.notify_one();
        }
    });
    if let Err(error) = read.await {
        tracing::warn!(
            "can't read inotify events any more; everything is scanned at short intervals: {error}"
        );
    }
}

/// Makes scans find what events no longer report, however the reader ends.
struct MarkEnd<'a>(&'a Watches);

impl Drop for MarkEnd<'_> {
    fn drop(&mut self) {
        self.0.lock().broke();
        self.0.wake.notify_one();
    }
}
