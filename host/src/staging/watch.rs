//! Hints that something changed in staging, so that a change is seen at once and not at the next scan.
//!
//! They are hints only: systems drop events and have limits on watches, so scans stay the source of truth.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use crate::stream::StreamId;

use super::StagingSettings;
use super::scan::is_stream_name;

/// How many changed streams are remembered until they are asked for; more of them become one hint to scan again.
pub const MAX_HINTS: usize = 10_000;

/// What changed since the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Streams may have come or gone, or events were lost: scan everything.
    pub rescan: bool,
    /// Streams in whose directories something changed; empty when all is to be scanned.
    pub streams: BTreeSet<StreamId>,
}

/// Why nothing is watched. Scans still find every change, only later.
#[derive(Debug, thiserror::Error)]
#[error("can't watch {}: changes are found by scans alone; on Linux `fs.inotify.max_user_watches` may be too low", .dir.display())]
pub struct WatchError {
    /// The staging directory.
    pub dir: PathBuf,
    /// The cause.
    #[source]
    pub source: notify::Error,
}

/// Watches a staging directory until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    pending: Arc<Pending>,
    /// Sends events from its own thread as long as it lives.
    _watcher: RecommendedWatcher,
}

impl Watcher {
    /// Waits until something changed, and takes all that changed since the last call. Dropping the future loses
    /// nothing.
    pub async fn changed(&mut self) -> Hints {
        self.pending.taken().await
    }
}

/// Watches the directory and all below it.
///
/// It places a watch on every stream's directory, so it blocks for as long as a scan.
///
/// # Errors
///
/// The system refuses. That is worth a warning and no more.
pub fn watch(settings: &StagingSettings) -> Result<Watcher, WatchError> {
    let refused = |source| WatchError {
        dir: settings.dir.clone(),
        source,
    };
    // Events carry the path that was watched, so it must not depend on links or on the current directory.
    let dir = settings
        .dir
        .canonicalize()
        .map_err(|error| refused(error.into()))?;
    let pending = Arc::new(Pending::new(dir.clone(), settings.tenants));
    let notes = Arc::clone(&pending);
    let mut watcher =
        notify::recommended_watcher(move |event| notes.note(event)).map_err(refused)?;
    watcher
        .watch(&dir, RecursiveMode::Recursive)
        .map_err(refused)?;
    Ok(Watcher {
        pending,
        _watcher: watcher,
    })
}

/// Changes that nobody has asked for yet.
#[derive(Debug)]
struct Pending {
    dir: PathBuf,
    tenants: bool,
    hints: Mutex<Hints>,
    wake: Notify,
}

impl Pending {
    fn new(dir: PathBuf, tenants: bool) -> Self {
        Self {
            dir,
            tenants,
            hints: Mutex::default(),
            wake: Notify::new(),
        }
    }

    fn note(&self, event: notify::Result<notify::Event>) {
        let changed = {
            let mut hints = self.lock();
            match event {
                Ok(event) if event.need_rescan() => rescan(&mut hints),
                // Reading is no change, and Tidegate itself reads.
                Ok(event) if is_reading(&event.kind) => return,
                Ok(event) => {
                    for path in &event.paths {
                        self.note_path(&mut hints, path);
                    }
                }
                Err(_) => rescan(&mut hints),
            }
            *hints != Hints::default()
        };
        if changed {
            self.wake.notify_one();
        }
    }

    fn note_path(&self, hints: &mut Hints, path: &Path) {
        if hints.rescan {
            return;
        }
        match self.stream_of(path) {
            Change::Nothing => {}
            Change::Streams => rescan(hints),
            Change::Within(stream) => {
                hints.streams.insert(stream);
                if hints.streams.len() > MAX_HINTS {
                    rescan(hints);
                }
            }
        }
    }

    fn stream_of(&self, path: &Path) -> Change {
        let Ok(inner) = path.strip_prefix(&self.dir) else {
            return Change::Nothing;
        };
        let mut names = inner.components().map(|component| match component {
            Component::Normal(name) => name.to_str().filter(|name| is_stream_name(name)),
            _ => None,
        });
        let tenant = if self.tenants {
            match names.next() {
                Some(Some(tenant)) => Some(tenant),
                Some(None) => return Change::Nothing,
                None => return Change::Streams,
            }
        } else {
            None
        };
        match (names.next(), names.next()) {
            (Some(None), _) => Change::Nothing,
            (Some(Some(name)), Some(_)) => Change::Within(match tenant {
                Some(tenant) => StreamId::with_tenant(tenant, name),
                None => StreamId::new(name),
            }),
            _ => Change::Streams,
        }
    }

    async fn taken(&self) -> Hints {
        loop {
            // Made before the look, so that a change in between wakes it.
            let woken = self.wake.notified();
            let hints = std::mem::take(&mut *self.lock());
            if hints != Hints::default() {
                return hints;
            }
            woken.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Hints> {
        // No code panics while it holds the lock, and a set of names can't be half-changed.
        self.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a changed path means.
enum Change {
    Nothing,
    Streams,
    Within(StreamId),
}

fn rescan(hints: &mut Hints) {
    hints.rescan = true;
    hints.streams.clear();
}

fn is_reading(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if *access != AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::*;

    fn note(pending: &Pending, kind: EventKind, path: &str) {
        pending.note(Ok(notify::Event::new(kind).add_path(path.into())));
    }

    fn pending(tenants: bool) -> Pending {
        Pending::new("/staging".into(), tenants)
    }

    fn taken(pending: &Pending) -> Hints {
        std::mem::take(&mut *pending.lock())
    }

    const WRITE: EventKind = EventKind::Modify(notify::event::ModifyKind::Any);

    #[test]
    fn changes_in_a_stream_name_the_stream_once() {
        let pending = pending(false);
        for path in [
            "/staging/a b/.schema",
            "/staging/a b/x.data.arrows",
            "/staging/c/p/x",
            "/elsewhere/d/x",
        ] {
            note(&pending, WRITE, path);
        }
        let hints = taken(&pending);
        assert!(!hints.rescan);
        assert_eq!(
            hints.streams,
            BTreeSet::from([StreamId::new("a b"), StreamId::new("c")])
        );
    }

    #[test]
    fn streams_that_come_and_lost_events_ask_for_a_scan() {
        let pending = pending(false);
        note(&pending, WRITE, "/staging/a/x");
        note(&pending, WRITE, "/staging/new");
        assert_eq!(
            taken(&pending),
            Hints {
                rescan: true,
                streams: BTreeSet::new()
            }
        );
        pending.note(Err(notify::Error::generic("lost")));
        assert!(taken(&pending).rescan);
        let overflow = notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        pending.note(Ok(overflow));
        assert!(taken(&pending).rescan);
        note(&pending, WRITE, "/staging/.hidden/x");
        assert_eq!(taken(&pending), Hints::default());
    }

    #[test]
    fn tenants_have_streams() {
        let pending = pending(true);
        note(&pending, WRITE, "/staging/t/s/x");
        assert_eq!(
            taken(&pending).streams,
            BTreeSet::from([StreamId::with_tenant("t", "s")])
        );
        note(&pending, WRITE, "/staging/t/s");
        assert!(taken(&pending).rescan);
        note(&pending, WRITE, "/staging/t");
        assert!(taken(&pending).rescan);
    }

    #[test]
    fn reading_is_no_change_and_a_finished_write_is() {
        let pending = pending(false);
        note(
            &pending,
            EventKind::Access(AccessKind::Open(AccessMode::Any)),
            "/staging/a/x",
        );
        note(
            &pending,
            EventKind::Access(AccessKind::Close(AccessMode::Read)),
            "/staging/a/x",
        );
        assert_eq!(taken(&pending), Hints::default());
        note(
            &pending,
            EventKind::Access(AccessKind::Close(AccessMode::Write)),
            "/staging/a/x",
        );
        assert_eq!(taken(&pending).streams.len(), 1);
    }

    #[test]
    fn a_flood_becomes_one_scan() {
        let pending = pending(false);
        for stream in 0..=MAX_HINTS {
            note(&pending, WRITE, &format!("/staging/{stream}/x"));
        }
        assert_eq!(
            taken(&pending),
            Hints {
                rescan: true,
                streams: BTreeSet::new()
            }
        );
    }

    #[tokio::test]
    async fn a_written_file_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("s")).unwrap();
        let mut watcher = watch(&StagingSettings::new(dir.path(), Layout::plain())).unwrap();
        std::fs::write(dir.path().join("s/schema.json"), "{}").unwrap();
        let hints = watcher.changed().await;
        assert!(
            hints.rescan || hints.streams.contains(&StreamId::new("s")),
            "{hints:?}"
        );
    }

    #[test]
    fn a_directory_that_is_missing_cannot_be_watched() {
        let error = watch(&StagingSettings::new("/nowhere/at/all", Layout::plain())).unwrap_err();
        assert!(error.to_string().starts_with("can't watch /nowhere/at/all"));
    }
}
