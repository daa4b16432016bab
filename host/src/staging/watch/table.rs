//! Which directories are watched, which are not, and what changed since the last look: all without the system.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::stream::StreamId;

use super::super::scan::is_stream_name;
use super::super::{StagingSettings, identity};
use super::cause::Cause;
use super::event::{Event, EventKind};
use super::{Hints, MAX_HINTS, Unwatched};

/// A directory of staging.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Place {
    /// The staging directory.
    Root,
    /// A tenant's directory.
    Tenant(Arc<str>),
    /// A stream's directory.
    Stream(StreamId),
    /// A directory in a stream's one, in which the node converts files.
    Processing(StreamId),
}

/// The state of a watch.
#[derive(Debug)]
pub(super) struct Table {
    tenants: bool,
    max_streams: u64,
    max_watches: usize,
    watched: HashMap<i32, (Place, Generation)>,
    unwatched: BTreeMap<Place, (Cause, Generation)>,
    /// The current scan, or the last one.
    generation: Generation,
    /// How many more streams there may be before a scan would leave some out.
    room: u64,
    /// Whether no more events come.
    broken: bool,
    hints: Hints,
}

/// The number of a scan.
type Generation = u32;

impl Table {
    pub(super) fn new(settings: &StagingSettings) -> Self {
        let max_streams = settings.max_streams as u64;
        Self {
            tenants: settings.tenants,
            max_streams,
            max_watches: settings.max_watches,
            watched: HashMap::new(),
            unwatched: BTreeMap::new(),
            generation: 0,
            room: max_streams,
            broken: false,
            hints: Hints::default(),
        }
    }

    /// Records that a scan of everything begins.
    pub(super) fn begin_scan(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Records that a scan of everything ended and found this many streams. Returns watches on directories that it did
    /// not find.
    pub(super) fn end_scan(&mut self, streams: u64) -> Vec<i32> {
        let generation = self.generation;
        self.room = self.max_streams.saturating_sub(streams);
        self.unwatched.retain(|_, (_, seen)| *seen == generation);
        let stale = self
            .watched
            .extract_if(|_, (_, seen)| *seen != generation)
            .map(|(watch, _)| watch);
        stale.collect()
    }

    /// Records the directory's watch. Returns false if the operator's limit forbids it.
    pub(super) fn placed(&mut self, watch: i32, place: Place) -> bool {
        if self.watched.len() >= self.max_watches && !self.watched.contains_key(&watch) {
            self.leave(place, Cause::OwnLimit);
            return false;
        }
        // A stream with an unwatched directory in it becomes complete when its own directory is looked at again.
        self.unwatched.remove(&place);
        self.watched.insert(watch, (place, self.generation));
        true
    }

    /// Records that the directory is not watched, or not completely.
    pub(super) fn leave(&mut self, place: Place, cause: Cause) {
        // What is missing below a stream's directory is found by looking at the stream.
        let place = match place {
            Place::Processing(stream) => Place::Stream(stream),
            place => place,
        };
        self.unwatched.insert(place, (cause, self.generation));
    }

    /// Records that the directory no longer exists.
    pub(super) fn vanished(&mut self, place: &Place) {
        self.unwatched.remove(place);
    }

    /// Records that no more events will come.
    pub(super) fn broke(&mut self) {
        self.broken = true;
        self.hints.rescan = true;
    }

    pub(super) fn take_hints(&mut self) -> Hints {
        std::mem::take(&mut self.hints)
    }

    pub(super) fn has_hints(&self) -> bool {
        self.hints != Hints::default()
    }

    /// What must be looked at since no event reports it: everything, where a directory that holds streams is
    /// unwatched.
    pub(super) fn unreported(&self) -> Hints {
        if self.broken {
            return Hints::all();
        }
        let mut streams = BTreeSet::new();
        for (place, (cause, _)) in &self.unwatched {
            if !cause.needs_scans() {
                continue;
            }
            match place {
                Place::Root | Place::Tenant(_) => return Hints::all(),
                Place::Stream(stream) | Place::Processing(stream) => {
                    streams.insert(stream.clone());
                }
            }
        }
        Hints {
            rescan: false,
            streams,
        }
    }

    /// The unwatched directories by cause.
    pub(super) fn causes(&self) -> Vec<Unwatched> {
        let mut causes: BTreeMap<&Cause, (usize, &Place)> = BTreeMap::new();
        for (place, (cause, _)) in &self.unwatched {
            causes.entry(cause).or_insert((0, place)).0 += 1;
        }
        let causes = causes.into_iter().map(|(cause, (count, place))| Unwatched {
            cause: cause.clone(),
            count,
            example: match place {
                Place::Root => None,
                Place::Tenant(tenant) => Some(StreamId::new(Arc::clone(tenant)).to_string()),
                Place::Stream(stream) | Place::Processing(stream) => Some(stream.to_string()),
            },
        });
        causes.collect()
    }

    /// Takes in an event. Returns a watch that must be removed.
    pub(super) fn note(&mut self, event: &Event<'_>) -> Option<i32> {
        if event.kind == EventKind::Overflow {
            self.hints.rescan = true;
            return None;
        }
        // An unknown watch was removed, and its last events come late.
        let (place, _) = self.watched.get(&event.watch)?;
        if matches!(event.kind, EventKind::Ended | EventKind::Moved) {
            let place = self.watched.remove(&event.watch).map(|(place, _)| place);
            self.ended(place?);
            return (event.kind == EventKind::Moved).then_some(event.watch);
        }
        match place {
            Place::Root if event.name.is_none() => self.hints.rescan = true,
            Place::Root if !event.is_dir => {
                if event.name.is_some_and(identity::is_identity_file) {
                    self.hints.rescan = true;
                }
            }
            Place::Root if self.tenants => {
                if text(event.name).is_some() {
                    self.hints.rescan = true;
                }
            }
            Place::Root => {
                let stream = text(event.name).map(StreamId::new);
                self.stream_changed(stream, event);
            }
            Place::Tenant(tenant) => {
                let stream =
                    text(event.name).map(|name| StreamId::with_tenant(Arc::clone(tenant), name));
                self.stream_changed(stream, event);
            }
            Place::Stream(stream) | Place::Processing(stream) => {
                let stream = stream.clone();
                self.hint(stream);
            }
        }
        None
    }

    /// Handles an event on an entry of a directory that holds streams.
    fn stream_changed(&mut self, stream: Option<StreamId>, event: &Event<'_>) {
        let (true, Some(stream)) = (event.is_dir, stream) else {
            return;
        };
        match event.kind {
            // Streams over the limit are left out, and only a scan says which.
            EventKind::Appeared if self.room == 0 => self.hints.rescan = true,
            EventKind::Appeared => {
                self.room -= 1;
                self.hint(stream);
            }
            EventKind::Changed => self.hint(stream),
            _ => self.hints.rescan = true,
        }
    }

    /// A directory's watch ended. That its directory left is usually reported by the parent's watch, but not for one
    /// that was unmounted.
    fn ended(&mut self, place: Place) {
        match place {
            Place::Processing(stream) => self.hint(stream),
            Place::Root => {
                self.leave(Place::Root, Cause::Gone);
                self.hints.rescan = true;
            }
            Place::Tenant(_) | Place::Stream(_) => self.hints.rescan = true,
        }
    }

    fn hint(&mut self, stream: StreamId) {
        self.hints.streams.insert(stream);
        if self.hints.streams.len() > MAX_HINTS {
            self.hints = Hints::all();
        }
    }
}

/// The name of a directory that can hold a stream or a tenant, as a scan decides.
fn text(name: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(name?)
        .ok()
        .filter(|name| is_stream_name(name))
}

#[cfg(test)]
impl Table {
    /// Whether exactly these streams are watched, and the staging directory.
    pub(super) fn is_watched(&self, streams: &[&str]) -> bool {
        let watched: BTreeSet<_> = self
            .watched
            .values()
            .map(|(place, _)| place.clone())
            .collect();
        let streams = streams
            .iter()
            .map(|name| Place::Stream(StreamId::new(*name)));
        watched == streams.chain([Place::Root]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Layout;
    use super::*;

    const ROOT: i32 = 1;
    const STREAM: i32 = 2;

    /// A table in which the staging directory is watched, and the stream `s`.
    fn table(change: impl FnOnce(&mut StagingSettings)) -> Table {
        let mut settings = StagingSettings::new("/staging", Layout::plain());
        change(&mut settings);
        let mut table = Table::new(&settings);
        table.begin_scan();
        assert!(table.placed(ROOT, Place::Root));
        assert!(table.placed(STREAM, Place::Stream(StreamId::new("s"))));
        table.end_scan(1);
        table
    }

    fn note(table: &mut Table, watch: i32, name: &str, is_dir: bool, kind: EventKind) -> Hints {
        let event = Event {
            watch,
            name: Some(name.as_bytes()),
            is_dir,
            kind,
        };
        assert_eq!(table.note(&event), None);
        table.take_hints()
    }

    fn stream(name: &str) -> Hints {
        Hints {
            rescan: false,
            streams: BTreeSet::from([StreamId::new(name)]),
        }
    }

    #[test]
    fn what_a_scan_leaves_alone_is_no_change() {
        let mut table = table(|_| {});
        let appeared = EventKind::Appeared;
        for name in [".hidden", "lost+found"] {
            let hints = note(&mut table, ROOT, name, true, appeared);
            assert_eq!(hints, Hints::default(), "{name}");
        }
        for name in ["file", "link", "ingestor.json"] {
            let hints = note(&mut table, ROOT, name, false, appeared);
            assert_eq!(hints, Hints::default(), "{name}");
        }
        assert_eq!(note(&mut table, ROOT, "a b", true, appeared), stream("a b"));
        let identity = note(&mut table, ROOT, "ingestor.n1.json", false, appeared);
        assert_eq!(identity, Hints::all());
        let unknown = note(&mut table, 77, "x", false, appeared);
        assert_eq!(unknown, Hints::default());
    }

    #[test]
    fn streams_that_leave_and_lost_events_ask_for_a_scan() {
        let mut table = table(|_| {});
        assert_eq!(
            note(&mut table, ROOT, "s", true, EventKind::Left),
            Hints::all()
        );
        assert_eq!(
            note(&mut table, -1, "", false, EventKind::Overflow),
            Hints::all()
        );
        assert_eq!(
            note(&mut table, STREAM, "x", false, EventKind::Left),
            stream("s")
        );
        assert_eq!(
            note(&mut table, STREAM, "", true, EventKind::Ended),
            Hints::all()
        );
        let late = note(&mut table, STREAM, "x", false, EventKind::Left);
        assert_eq!(late, Hints::default(), "the watch is forgotten");
    }

    #[test]
    fn a_moved_directory_loses_its_watch() {
        let mut table = table(|_| {});
        let event = Event {
            watch: STREAM,
            name: None,
            is_dir: true,
            kind: EventKind::Moved,
        };
        assert_eq!(table.note(&event), Some(STREAM));
        assert_eq!(table.take_hints(), Hints::all());
    }

    #[test]
    fn streams_over_the_limit_of_a_scan_are_left_to_scans() {
        let mut table = table(|settings| settings.max_streams = 2);
        let appeared = EventKind::Appeared;
        assert_eq!(note(&mut table, ROOT, "a", true, appeared), stream("a"));
        assert_eq!(note(&mut table, ROOT, "b", true, appeared), Hints::all());
    }

    #[test]
    fn a_flood_becomes_one_scan() {
        let mut table = table(|_| {});
        for number in 0..=MAX_HINTS {
            let name = number.to_string();
            let event = Event {
                watch: ROOT,
                name: Some(name.as_bytes()),
                is_dir: true,
                kind: EventKind::Appeared,
            };
            assert_eq!(table.note(&event), None);
        }
        assert_eq!(table.take_hints(), Hints::all());
    }

    #[test]
    fn directories_that_a_scan_does_not_find_are_forgotten() {
        let mut table = table(|_| {});
        table.leave(Place::Stream(StreamId::new("t")), Cause::Memory);
        assert_eq!(table.unreported(), stream("t"));
        table.begin_scan();
        assert!(table.placed(ROOT, Place::Root));
        assert_eq!(table.end_scan(0), [STREAM]);
        assert_eq!(table.unreported(), Hints::default());
    }
}
