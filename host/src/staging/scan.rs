//! What is staged, without reading a file: one listing for each stream, and one stat where a schema is staged.
//!
//! This walk defines which directories hold streams, and it places the watches on them.

use std::ffi::OsString;
use std::fs::{self, DirEntry, ReadDir};
use std::io;
use std::path::{Path, PathBuf};

use crate::stream::{NodeId, StreamId};

use super::StagingSettings;
use super::access::{MAX_EXAMPLES, MAX_FOREIGN, ScanSummary, SchemaStat, Staged, StagingError};
use super::layout::FileKind;
use super::read::stat_schema;
use super::watch::{Place, Watches};

pub(super) fn scan(
    settings: &StagingSettings,
    watches: Option<&Watches>,
    node: &NodeId,
    each: &mut dyn FnMut(Staged),
) -> Result<ScanSummary, StagingError> {
    let mut scan = Scan {
        looker: Looker {
            settings,
            watches,
            own: settings.layout.staged_name(node),
        },
        path: settings.dir.clone(),
        each,
        summary: ScanSummary::default(),
    };
    let failed = |source| StagingError::List {
        dir: settings.dir.clone(),
        source,
    };
    if let Some(watches) = watches {
        watches.begin_scan();
        watches.place_root();
    }
    let root = fs::read_dir(&settings.dir).map_err(failed)?;
    if settings.tenants {
        scan.tenants(root).map_err(failed)?;
    } else {
        scan.streams(root, None).map_err(failed)?;
    }
    if let Some(watches) = watches {
        watches.end_scan(scan.summary.streams);
    }
    Ok(scan.summary)
}

pub(super) fn look(
    settings: &StagingSettings,
    watches: Option<&Watches>,
    node: &NodeId,
    mut folder: PathBuf,
    stream: StreamId,
) -> Option<Staged> {
    let is_dir = fs::symlink_metadata(&folder).is_ok_and(|found| found.is_dir());
    let looker = Looker {
        settings,
        watches,
        own: settings.layout.staged_name(node),
    };
    (is_dir && is_stream_name(&stream.name)).then_some(())?;
    looker.look(&mut folder, stream)
}

/// Whether a directory of this name holds a stream or a tenant: what begins with a dot belongs to the node or to the
/// volume (`..data` of a mounted map), and `lost+found` to the file system.
pub(super) fn is_stream_name(name: &str) -> bool {
    !name.starts_with('.') && name != "lost+found"
}

struct Scan<'a> {
    looker: Looker<'a>,
    /// The directory that is looked at; one buffer for all.
    path: PathBuf,
    each: &'a mut dyn FnMut(Staged),
    summary: ScanSummary,
}

impl Scan<'_> {
    fn tenants(&mut self, root: ReadDir) -> io::Result<()> {
        let mut tenants = Vec::new();
        // All tenants are watched before any stream: without their watches, everything must be scanned.
        for entry in root {
            let Some(tenant) = self.name(&entry?) else {
                continue;
            };
            self.path.push(&tenant);
            self.looker
                .place(&self.path, || Place::Tenant(tenant.as_str().into()));
            self.path.pop();
            tenants.push(tenant);
        }
        for tenant in tenants {
            self.path.push(&tenant);
            let listed =
                fs::read_dir(&self.path).and_then(|streams| self.streams(streams, Some(&tenant)));
            self.path.pop();
            if let Err(error) = listed
                && error.kind() != io::ErrorKind::NotFound
            {
                if self.summary.unreadable.len() < MAX_EXAMPLES {
                    let tenant = tenant.escape_debug();
                    self.summary.unreadable.push(format!("{tenant}: {error}"));
                }
                self.summary.unlisted.insert(tenant);
            }
        }
        Ok(())
    }

    fn streams(&mut self, folder: ReadDir, tenant: Option<&str>) -> io::Result<()> {
        for entry in folder {
            let Some(name) = self.name(&entry?) else {
                continue;
            };
            if self.summary.streams >= self.looker.settings.max_streams as u64 {
                self.summary.truncated = true;
                break;
            }
            self.path.push(&name);
            let stream = match tenant {
                Some(tenant) => StreamId::with_tenant(tenant, name),
                None => StreamId::new(name),
            };
            let staged = self.looker.look(&mut self.path, stream);
            self.path.pop();
            if let Some(staged) = staged {
                self.summary.streams += 1;
                (self.each)(staged);
            }
        }
        Ok(())
    }

    /// The name of a stream's or tenant's directory. Links are none: nothing is read through them.
    fn name(&mut self, entry: &DirEntry) -> Option<String> {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            return None;
        }
        match entry.file_name().into_string() {
            Ok(name) => is_stream_name(&name).then_some(name),
            Err(name) => {
                self.skip(&name);
                None
            }
        }
    }

    fn skip(&mut self, name: &OsString) {
        self.summary.not_utf8 += 1;
        if self.summary.examples.len() < MAX_EXAMPLES {
            let shown = name.to_string_lossy();
            self.summary.examples.push(shown.escape_debug().to_string());
        }
    }
}

/// Looks at one stream's directory.
struct Looker<'a> {
    settings: &'a StagingSettings,
    watches: Option<&'a Watches>,
    /// The name of this node's schema.
    own: String,
}

/// What the listing of a stream's directory says.
struct Listing {
    has_own: bool,
    /// Whether the schema is a symbolic link.
    is_link: bool,
    data_files: u32,
    foreign: Vec<String>,
    /// How many more entries are looked at.
    left: usize,
}

impl Looker<'_> {
    fn place(&self, folder: &Path, place: impl FnOnce() -> Place) {
        if let Some(watches) = self.watches {
            watches.place(place(), folder);
        }
    }

    fn look(&self, folder: &mut PathBuf, stream: StreamId) -> Option<Staged> {
        let mut listing = Listing {
            has_own: false,
            is_link: false,
            data_files: 0,
            foreign: Vec::new(),
            left: self.settings.max_entries,
        };
        self.place(folder, || Place::Stream(stream.clone()));
        let schema = match self.list(folder, &stream, &mut listing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => SchemaStat::Unreadable(error.to_string()),
            // The schema may be among the entries after the bound.
            Ok(()) if listing.has_own || listing.left == 0 => {
                folder.push(&self.own);
                let schema = stat_schema(folder, self.settings.max_schema_size);
                if !listing.has_own {
                    listing.is_link =
                        fs::symlink_metadata(&*folder).is_ok_and(|found| found.is_symlink());
                }
                folder.pop();
                schema
            }
            Ok(()) => SchemaStat::Missing,
        };
        if let (true, Some(watches)) = (listing.is_link, self.watches) {
            watches.found_link(&stream);
        }
        listing.foreign.sort_unstable();
        Some(Staged {
            stream,
            schema,
            data_files: listing.data_files,
            foreign: listing.foreign,
        })
    }

    fn list(
        &self,
        folder: &mut PathBuf,
        stream: &StreamId,
        listing: &mut Listing,
    ) -> io::Result<()> {
        for entry in fs::read_dir(&*folder)? {
            let entry = entry?;
            let Some(left) = listing.left.checked_sub(1) else {
                break;
            };
            listing.left = left;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                continue;
            };
            match self.settings.layout.file_kind(&self.own, name) {
                FileKind::OwnSchema => {
                    listing.has_own = true;
                    listing.is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
                }
                FileKind::Data => listing.data_files = listing.data_files.saturating_add(1),
                // Links are not followed here either.
                FileKind::Processing if entry.file_type().is_ok_and(|kind| kind.is_dir()) => {
                    folder.push(name);
                    self.place(folder, || Place::Processing(stream.clone()));
                    self.count_processing(folder, listing);
                    folder.pop();
                }
                FileKind::ForeignSchema => {
                    if listing.foreign.len() < MAX_FOREIGN {
                        listing.foreign.push(name.to_owned());
                    }
                }
                FileKind::Processing | FileKind::Other => {}
            }
        }
        Ok(())
    }

    /// Data files that the node moved aside to convert them. The folder comes and goes at any moment: what can't be
    /// listed counts as nothing.
    fn count_processing(&self, folder: &Path, listing: &mut Listing) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries.flatten() {
            let Some(left) = listing.left.checked_sub(1) else {
                break;
            };
            listing.left = left;
            let name = entry.file_name();
            let kind = name
                .to_str()
                .map(|name| self.settings.layout.file_kind(&self.own, name));
            if kind == Some(FileKind::Data) {
                listing.data_files = listing.data_files.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::ffi::OsStringExt;

    use super::super::{Layout, ParseableMode};
    use super::*;

    const OWN: &str = ".ingestor.n1.schema";

    struct Case {
        dir: tempfile::TempDir,
        settings: StagingSettings,
    }

    impl Case {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let layout = Layout::parseable(ParseableMode::Ingest);
            let settings = StagingSettings::new(dir.path(), layout);
            Self { dir, settings }
        }

        fn put(&self, path: impl AsRef<Path>) {
            let path = self.dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }

        fn scan(&self) -> (BTreeMap<String, Staged>, ScanSummary) {
            let mut found = BTreeMap::new();
            let mut each = |staged: Staged| {
                let name = staged.stream.to_string();
                assert!(found.insert(name, staged).is_none(), "reported once");
            };
            let summary = scan(&self.settings, None, &NodeId::new("n1"), &mut each).unwrap();
            (found, summary)
        }

        fn only(&self) -> Staged {
            let mut found = self.scan().0;
            assert_eq!(found.len(), 1);
            found.pop_first().unwrap().1
        }
    }

    fn size(staged: &Staged) -> Option<u64> {
        match &staged.schema {
            SchemaStat::File(stat) => Some(stat.size),
            _ => None,
        }
    }

    #[test]
    fn the_captured_node_has_two_streams() {
        let dir = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/data/parseable-2.9.5/staging"
        );
        let mut case = Case::new();
        case.settings.dir = dir.into();
        let mut found = BTreeMap::new();
        let summary = scan(
            &case.settings,
            None,
            &NodeId::new("95659b0612138de"),
            &mut |staged| {
                found.insert(
                    staged.stream.to_string(),
                    (size(&staged), staged.data_files),
                );
            },
        );
        assert_eq!(summary.unwrap().streams, 2);
        assert_eq!(found["app"], (Some(891), 1));
        assert_eq!(found["pstats"], (Some(1117), 0));
    }

    #[test]
    fn data_counts_where_the_node_moved_it_too() {
        let case = Case::new();
        for name in [
            "a.data.arrows",
            "b.data.part",
            "c.data.parquet",
            "processing_7/d.data.arrows",
        ] {
            case.put(format!("s/{name}"));
        }
        for name in [
            "x.schema.tmp",
            "y.parquet.part",
            "processing_7/z.part",
            "processing_7/.ingestor.n1.schema",
        ] {
            case.put(format!("s/{name}"));
        }
        let staged = case.only();
        assert_eq!(staged.data_files, 4);
        assert_eq!(staged.schema, SchemaStat::Missing);
        assert_eq!(staged.foreign, Vec::<String>::new());
    }

    #[test]
    fn other_nodes_schemas_are_told_by_name_and_bounded() {
        let case = Case::new();
        case.put(format!("s/{OWN}"));
        for node in 0..2 * MAX_FOREIGN {
            case.put(format!("s/.ingestor.other{node}.schema"));
        }
        let staged = case.only();
        assert_eq!(size(&staged), Some(2));
        assert_eq!(staged.foreign.len(), MAX_FOREIGN);
        assert!(staged.foreign.is_sorted());
    }

    #[test]
    fn any_utf8_name_is_a_stream_and_others_are_counted() {
        let case = Case::new();
        let names = ["a b", "100%", "#?*", "ä日本", "a\nb", "-", "x..y"];
        let longest = "n".repeat(255);
        for name in names.into_iter().chain([longest.as_str()]) {
            case.put(format!("{name}/{OWN}"));
        }
        let broken = OsString::from_vec(b"bad\xff".to_vec());
        fs::create_dir(case.dir.path().join(broken)).unwrap();
        let (found, summary) = case.scan();
        assert_eq!(summary.streams, 8);
        assert_eq!((summary.not_utf8, summary.examples.len()), (1, 1));
        assert!(summary.examples[0].starts_with("bad"));
        assert!(found.values().all(|staged| size(staged) == Some(2)));
        assert!(found.values().any(|staged| *staged.stream.name == *longest));
    }

    #[test]
    fn what_is_no_streams_directory_is_left_alone() {
        let case = Case::new();
        case.put("ingestor.n1.json");
        case.put(".parseable/x");
        case.put("lost+found/x");
        case.put("real/x");
        let link = case.dir.path().join("link");
        std::os::unix::fs::symlink(case.dir.path().join("real"), link).unwrap();
        let (found, summary) = case.scan();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["real"]);
        assert_eq!(summary.streams, 1);
        let node = NodeId::new("n1");
        for name in ["link", ".parseable", "gone", "ingestor.n1.json"] {
            let folder = case.dir.path().join(name);
            assert_eq!(
                look(&case.settings, None, &node, folder, StreamId::new(name)),
                None,
                "{name}"
            );
        }
        let folder = case.dir.path().join("real");
        let seen = look(&case.settings, None, &node, folder, StreamId::new("real"));
        assert_eq!(seen.as_ref(), found.get("real"));
    }

    #[test]
    fn tenants_are_what_the_operator_says() {
        let mut case = Case::new();
        case.put(format!("t1/a/{OWN}"));
        case.put(format!("t2/a/{OWN}"));
        case.put("app/processing_1/x.data.arrows");
        let (found, _) = case.scan();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["app", "t1", "t2"]);
        assert_eq!(found["app"].data_files, 1);
        case.settings.tenants = true;
        let (found, _) = case.scan();
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            ["app/processing_1", "t1/a", "t2/a"]
        );
        assert_eq!(found["t1/a"].stream, StreamId::with_tenant("t1", "a"));
    }

    #[test]
    fn a_scan_is_bounded_and_says_so() {
        let mut case = Case::new();
        for stream in 0..5 {
            case.put(format!("s{stream}/x"));
        }
        case.settings.max_streams = 3;
        let (found, summary) = case.scan();
        assert_eq!(
            (found.len(), summary.streams, summary.truncated),
            (3, 3, true)
        );
        case.settings.max_streams = 5;
        assert!(!case.scan().1.truncated);
    }

    #[test]
    fn a_huge_directory_still_shows_its_schema() {
        let mut case = Case::new();
        for file in 0..20 {
            case.put(format!("s/{file}.data.arrows"));
        }
        case.put(format!("s/{OWN}"));
        case.settings.max_entries = 3;
        let staged = case.only();
        assert!(staged.data_files <= 3);
        assert_eq!(size(&staged), Some(2));
    }

    #[test]
    fn a_directory_that_went_away_is_an_error() {
        let mut case = Case::new();
        case.settings.dir = case.dir.path().join("gone");
        let result = scan(&case.settings, None, &NodeId::new("n1"), &mut |_| {});
        assert!(matches!(result, Err(StagingError::List { .. })));
    }
}
