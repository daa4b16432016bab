use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

use super::super::{Layout, ParseableMode, Staging, StagingDir};
use super::*;
use crate::stream::NodeId;
use crate::tasks::TokioTasks;

/// A watched staging directory, with a schema named `schema.json` in each stream.
struct Watched {
    dir: tempfile::TempDir,
    staging: StagingDir,
    watcher: Watcher,
}

impl Watched {
    /// Makes the streams, watches, and scans once.
    fn new(paths: &[&str], settings: impl FnOnce(&mut StagingSettings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for path in paths {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        let mut changed = StagingSettings::new(dir.path(), Layout::plain());
        settings(&mut changed);
        let staging = StagingDir::open(changed).unwrap();
        let watcher = staging.watch(&TokioTasks).unwrap().unwrap();
        let watched = Self {
            dir,
            staging,
            watcher,
        };
        watched.scan();
        watched
    }

    fn scan(&self) -> BTreeSet<StreamId> {
        let mut found = BTreeSet::new();
        let node = NodeId::new("n1");
        self.staging
            .scan(&node, &mut |staged| _ = found.insert(staged.stream))
            .unwrap();
        found
    }

    fn look(&self, stream: &str) {
        self.staging
            .look(&NodeId::new("n1"), &StreamId::new(stream));
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str) {
        fs::write(self.path(path), "{}").unwrap();
    }

    fn unreported(&self) -> Hints {
        self.watcher.unreported().find()
    }

    fn causes(&self) -> Vec<(Cause, usize)> {
        let unwatched = self.watcher.unwatched().into_iter();
        unwatched.map(|found| (found.cause, found.count)).collect()
    }
}

fn of(streams: &[&str]) -> Hints {
    Hints {
        rescan: false,
        streams: streams.iter().map(|name| StreamId::new(*name)).collect(),
    }
}

#[tokio::test]
async fn a_written_schema_is_reported() {
    let mut watched = Watched::new(&["a", "b"], |_| {});
    watched.write("a/schema.json");
    assert_eq!(watched.watcher.changed().await, of(&["a"]));
    assert_eq!(watched.unreported(), of(&[]), "nothing needs a scan");
}

#[tokio::test]
async fn scans_report_nothing_to_themselves() {
    let mut watched = Watched::new(&["a"], |_| {});
    watched.write("a/schema.json");
    assert_eq!(watched.watcher.changed().await, of(&["a"]));
    watched.scan();
    watched.look("a");
    // Had the scan caused an event, it would come first.
    fs::create_dir(watched.path("b")).unwrap();
    assert_eq!(watched.watcher.changed().await, of(&["b"]));
}

#[tokio::test]
async fn a_new_stream_is_reported_and_watched_when_it_is_looked_at() {
    let mut watched = Watched::new(&[], |_| {});
    fs::create_dir(watched.path("new")).unwrap();
    assert_eq!(watched.watcher.changed().await, of(&["new"]));
    watched.look("new");
    watched.write("new/schema.json");
    assert_eq!(watched.watcher.changed().await, of(&["new"]));
}

#[tokio::test]
async fn a_stream_that_was_renamed_is_watched_under_its_new_name() {
    let mut watched = Watched::new(&["old"], |_| {});
    fs::rename(watched.path("old"), watched.path("new")).unwrap();
    let hints = watched.watcher.changed().await;
    assert!(hints.rescan, "{hints:?}");
    watched.scan();
    // The old watch's own end may come in between.
    watched.write("new/schema.json");
    let hints = watched.watcher.changed().await;
    assert!(hints.streams.contains(&StreamId::new("new")), "{hints:?}");
}

#[tokio::test]
async fn a_stream_that_left_asks_for_a_scan() {
    let mut watched = Watched::new(&["a", "b"], |_| {});
    fs::remove_dir(watched.path("a")).unwrap();
    assert!(watched.watcher.changed().await.rescan);
    watched.scan();
    assert_eq!(watched.unreported(), of(&[]));
    assert_eq!(watched.causes(), []);
}

#[tokio::test]
async fn folders_that_come_and_go_leave_no_watch_and_no_message() {
    let mut watched = Watched::new(&["s"], |settings| {
        settings.layout = Layout::parseable(ParseableMode::Ingest);
    });
    for round in 0..3 {
        let folder = format!("s/processing_{round}");
        fs::create_dir(watched.path(&folder)).unwrap();
        assert_eq!(watched.watcher.changed().await, of(&["s"]));
        watched.look("s");
        watched.write(&format!("{folder}/x.data.arrows"));
        assert_eq!(watched.watcher.changed().await, of(&["s"]), "within it");
        fs::remove_dir_all(watched.path(&folder)).unwrap();
        // Two events or three, which may come apart.
        while !watched.watcher.watches.lock().is_watched(&["s"]) {
            watched.watcher.changed().await;
        }
        assert_eq!(watched.causes(), []);
        watched.watcher.watches.lock().take_hints();
    }
}

#[tokio::test]
async fn links_are_not_followed_except_to_the_staging_directory() {
    let watched = Watched::new(&["real", "tree/inner/deep"], |_| {});
    symlink(watched.path("tree"), watched.path("link")).unwrap();
    symlink("/", watched.path("real/root")).unwrap();
    watched.scan();
    let is_watched = |streams: &[&str]| watched.watcher.watches.lock().is_watched(streams);
    assert!(is_watched(&["real", "tree"]));

    let outer = tempfile::tempdir().unwrap();
    let link = outer.path().join("staging");
    symlink(watched.dir.path(), &link).unwrap();
    drop(watched.watcher);
    let settings = StagingSettings::new(&link, Layout::plain());
    let staging = StagingDir::open_beside(settings).unwrap();
    let mut watcher = staging.watch(&TokioTasks).unwrap().unwrap();
    staging.scan(&NodeId::new("n1"), &mut |_| {}).unwrap();
    fs::write(watched.dir.path().join("real/schema.json"), "").unwrap();
    assert_eq!(watcher.changed().await, of(&["real"]));
}

#[tokio::test]
async fn a_stream_whose_schema_is_a_link_is_scanned_and_others_are_not() {
    let watched = Watched::new(&["a", "b"], |_| {});
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    symlink(elsewhere.path(), watched.path("a/schema.json")).unwrap();
    watched.scan();
    assert_eq!(watched.unreported(), of(&["a"]));
    assert_eq!(watched.causes(), [(Cause::Link, 1)]);
    fs::remove_file(watched.path("a/schema.json")).unwrap();
    watched.look("a");
    assert_eq!(watched.unreported(), of(&[]));
}

#[tokio::test]
async fn streams_over_the_limit_are_scanned_until_there_is_room() {
    // The staging directory itself takes one.
    let mut watched = Watched::new(&["a", "b", "c"], |settings| settings.max_watches = 2);
    let unreported = watched.unreported();
    assert!(!unreported.rescan);
    assert_eq!(unreported.streams.len(), 2);
    assert_eq!(watched.causes(), [(Cause::OwnLimit, 2)]);
    let kept: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .filter(|name| !unreported.streams.contains(&StreamId::new(*name)))
        .collect();
    watched.write(&format!("{}/schema.json", kept[0]));
    assert_eq!(watched.watcher.changed().await, of(&kept));

    fs::remove_dir_all(watched.path(kept[0])).unwrap();
    assert!(watched.watcher.changed().await.rescan);
    watched.scan();
    assert_eq!(watched.causes(), [(Cause::OwnLimit, 1)]);
}

#[tokio::test]
async fn without_a_watch_on_the_staging_directory_everything_is_scanned() {
    let watched = Watched::new(&["a"], |settings| settings.max_watches = 0);
    assert!(watched.unreported().rescan);
    assert_eq!(watched.watcher.unwatched()[0].example, None);
}

#[tokio::test]
async fn tenants_are_watched_before_streams() {
    let paths = ["t1/a", "t1/b", "t2/a"];
    let mut watched = Watched::new(&paths, |settings| {
        settings.tenants = true;
        settings.max_watches = 3;
    });
    let unreported = watched.unreported();
    assert!(!unreported.rescan);
    assert_eq!(unreported.streams.len(), 3);
    fs::create_dir(watched.path("t2/new")).unwrap();
    let new = BTreeSet::from([StreamId::with_tenant("t2", "new")]);
    assert_eq!(watched.watcher.changed().await.streams, new);
    fs::create_dir(watched.path("t3")).unwrap();
    assert!(watched.watcher.changed().await.rescan);
}

#[tokio::test]
async fn another_directory_in_the_place_of_staging_is_noticed() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("staging");
    fs::create_dir_all(dir.join("a")).unwrap();
    let staging = StagingDir::open(StagingSettings::new(&dir, Layout::plain())).unwrap();
    let mut watcher = staging.watch(&TokioTasks).unwrap().unwrap();
    let node = NodeId::new("n1");
    staging.scan(&node, &mut |_| {}).unwrap();
    assert_eq!(watcher.unreported().find(), of(&[]));

    fs::rename(&dir, outer.path().join("old")).unwrap();
    assert!(watcher.unreported().find().rescan, "it is missing");
    assert!(staging.scan(&node, &mut |_| {}).is_err());
    assert!(watcher.unreported().find().rescan, "it is still missing");
    fs::create_dir_all(dir.join("b")).unwrap();
    assert!(watcher.unreported().find().rescan, "it is another one");
    staging.scan(&node, &mut |_| {}).unwrap();
    // Events of the old one have a moment to arrive.
    while watcher.unreported().find() != of(&[]) {
        watcher.changed().await;
        staging.scan(&node, &mut |_| {}).unwrap();
    }
    assert!(watcher.watches.lock().is_watched(&["b"]));
    fs::write(dir.join("b/schema.json"), "").unwrap();
    assert!(
        watcher
            .changed()
            .await
            .streams
            .contains(&StreamId::new("b"))
    );
}

/// Runs `work` without the superuser's rights, even if the tests run as root. Only this thread loses its capabilities.
fn unprivileged(work: impl FnOnce() + Send + 'static) {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    std::thread::spawn(|| {
        let none = CapabilitySet::empty();
        let sets = CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        };
        set_capabilities(None, sets).unwrap();
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async { work() });
    })
    .join()
    .unwrap();
}

fn chmod(path: PathBuf, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_unreadable_directory_costs_only_itself() {
    unprivileged(|| {
        let paths = ["a", "closed", "lost+found"];
        let watched = Watched::new(&paths, |_| {});
        chmod(watched.path("closed"), 0);
        chmod(watched.path("lost+found"), 0);
        assert!(fs::read_dir(watched.path("closed")).is_err());
        assert_eq!(
            watched.scan().len(),
            2,
            "`closed` is reported as unreadable"
        );
        let causes = watched.causes();
        assert_eq!(
            causes,
            [(Cause::Permission, 1)],
            "`lost+found` is no stream"
        );
        // It was watched before its permissions were taken away.
        drop(watched.watcher);
        let staging = watched.staging;
        let watcher = staging.watch(&TokioTasks).unwrap().unwrap();
        staging.scan(&NodeId::new("n1"), &mut |_| {}).unwrap();
        assert!(watcher.watches.lock().is_watched(&["a"]));
        assert_eq!(watcher.unreported().find(), of(&[]), "a scan sees no more");
        assert_eq!(watcher.unwatched()[0].example.as_deref(), Some("closed"));
        chmod(watched.dir.path().join("closed"), 0o700);
        chmod(watched.dir.path().join("lost+found"), 0o700);
    });
}

#[test]
fn an_unreadable_tenant_costs_only_its_own_streams() {
    unprivileged(|| {
        let paths = ["closed/a", "open/a"];
        let watched = Watched::new(&paths, |settings| settings.tenants = true);
        chmod(watched.path("closed"), 0);
        let mut found = Vec::new();
        let node = NodeId::new("n1");
        let summary = watched
            .staging
            .scan(&node, &mut |staged| found.push(staged.stream))
            .unwrap();
        assert_eq!(found, [StreamId::with_tenant("open", "a")]);
        assert_eq!(summary.unlisted, BTreeSet::from(["closed".to_owned()]));
        assert_eq!(watched.causes(), [(Cause::Permission, 1)]);
        assert_eq!(watched.unreported(), of(&[]), "a scan sees no more");
        chmod(watched.path("closed"), 0o700);
    });
}

#[tokio::test]
async fn a_directory_that_becomes_readable_is_reported() {
    let mut watched = Watched::new(&["a"], |_| {});
    chmod(watched.path("a"), 0o711);
    assert_eq!(watched.watcher.changed().await, of(&["a"]));
}

#[tokio::test]
async fn a_reader_that_ends_leaves_everything_to_scans() {
    let mut watched = Watched::new(&["a"], |_| {});
    drop(MarkEnd(&watched.watcher.watches));
    assert!(watched.watcher.changed().await.rescan);
    watched.scan();
    assert!(watched.unreported().rescan);
}
