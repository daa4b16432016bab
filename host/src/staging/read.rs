//! Reads of files that may be half-written, replaced or gone at any moment.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use bytes::Bytes;

use crate::time::Timestamp;

use super::access::{FileEntry, FileError, ListError, ReadError, SchemaStat, StagedFile, Stat};

impl Stat {
    fn of(found: &Metadata) -> Self {
        let parts = [
            found.dev(),
            found.ino(),
            found.size(),
            found.mtime().cast_unsigned(),
            found.mtime_nsec().cast_unsigned(),
            found.ctime().cast_unsigned(),
            found.ctime_nsec().cast_unsigned(),
        ];
        Self {
            size: found.size(),
            modified: modified(found),
            identity: parts.into_iter().fold(0, mixed),
        }
    }
}

/// Folds one more word into a hash. Fixed for ever, since ledgers keep the result: SplitMix64's finalizer.
fn mixed(sum: u64, word: u64) -> u64 {
    let mut z = (sum ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Times before 1970 count as 1970.
fn modified(found: &Metadata) -> Timestamp {
    let seconds = u64::try_from(found.mtime()).unwrap_or(0);
    let millis = u64::try_from(found.mtime_nsec() / 1_000_000).unwrap_or(0);
    Timestamp::from_millis(seconds.saturating_mul(1000).saturating_add(millis))
}

/// What stands at a schema's place. A link to a file counts as the file: mounted maps consist of links.
pub(super) fn stat_schema(path: &Path, limit: u64) -> SchemaStat {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::symlink_metadata(path) {
            Ok(link) if link.is_symlink() => SchemaStat::Unreadable(DANGLING.to_owned()),
            // It went away since the listing.
            _ => SchemaStat::Missing,
        },
        Err(error) => SchemaStat::Unreadable(error.to_string()),
        Ok(found) if !found.is_file() => SchemaStat::Unreadable(kind(&found).to_owned()),
        Ok(found) if found.size() > limit => SchemaStat::TooLarge(found.size()),
        Ok(found) => SchemaStat::File(Stat::of(&found)),
    }
}

const DANGLING: &str = "a dangling symbolic link";

fn kind(found: &Metadata) -> &'static str {
    if found.is_dir() {
        "a directory"
    } else {
        "no regular file"
    }
}

pub(super) fn schema(path: &Path, limit: u64) -> Result<StagedFile, ReadError> {
    schema_with(path, limit, || {})
}

/// Reads the schema; `meanwhile` runs after its bytes were read and before they are trusted.
fn schema_with(path: &Path, limit: u64, meanwhile: impl FnOnce()) -> Result<StagedFile, ReadError> {
    // Only regular files are opened, since opening a device can have effects; and without blocking, since what was a
    // file a moment ago may be a pipe now.
    match stat_schema(path, limit) {
        SchemaStat::File(_) => {}
        SchemaStat::Missing => return Err(ReadError::Missing),
        SchemaStat::Unreadable(cause) => return Err(ReadError::Unreadable(cause)),
        SchemaStat::TooLarge(size) => return Err(ReadError::TooLarge { size, limit }),
    }
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Unreadable(error.to_string()),
    };
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(failed)?;
    let before = file.metadata().map_err(failed)?;
    if !before.is_file() {
        return Err(ReadError::Unreadable(kind(&before).to_owned()));
    }
    if before.size() > limit {
        let size = before.size();
        return Err(ReadError::TooLarge { size, limit });
    }
    let mut bytes = Vec::new();
    (&mut file)
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    meanwhile();
    let after = file.metadata().map_err(failed)?;
    let length = bytes.len() as u64;
    if length > limit {
        let size = after.size().max(length);
        return Err(ReadError::TooLarge { size, limit });
    }
    let content = |found: &Metadata| (found.size(), found.mtime(), found.mtime_nsec());
    if content(&before) != content(&after) || length != before.size() {
        return Err(ReadError::Torn);
    }
    match fs::metadata(path) {
        Ok(now) if (now.dev(), now.ino()) != (before.dev(), before.ino()) => Err(ReadError::Torn),
        Ok(_) => Ok(()),
        // The node deletes what it has uploaded: what was read is whole all the same.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }?;
    Ok(StagedFile {
        bytes: bytes.into(),
        stat: Stat::of(&before),
    })
}

pub(super) fn list(folder: &Path, cap: usize) -> Result<Vec<FileEntry>, ListError> {
    let failed = |error: io::Error| ListError::Failed(error.to_string());
    let mut files = Vec::new();
    if !is_real_dir(folder) {
        return Ok(files);
    }
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // It describes a link itself, not what it leads to.
        let Ok(found) = entry.metadata() else {
            continue;
        };
        if !found.is_file() {
            continue;
        }
        if files.len() == cap {
            return Err(ListError::TooMany(cap));
        }
        files.push(FileEntry {
            name,
            size: found.size(),
            modified: modified(&found),
        });
    }
    files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

pub(super) fn part(
    folder: &Path,
    name: &str,
    offset: u64,
    length: u32,
) -> Result<Bytes, FileError> {
    let path = folder.join(name);
    let is_file = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
    if !is_file || !is_real_dir(folder) {
        return Err(FileError::NotFound);
    }
    read_part(&path, offset, length).map_err(|error| match error.raw_os_error() {
        // A link that has taken the file's place meanwhile.
        Some(libc::ELOOP | libc::ENOENT) => FileError::NotFound,
        _ => FileError::Failed(error.to_string()),
    })
}

fn read_part(path: &Path, offset: u64, length: u32) -> io::Result<Bytes> {
    let mut file: File = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
        .open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::from_raw_os_error(libc::ENOENT));
    }
    file.seek(SeekFrom::Start(offset.min(found.size())))?;
    let mut bytes = Vec::new();
    file.take(u64::from(length)).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

fn is_real_dir(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};

    use super::*;

    const LIMIT: u64 = 64;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("schema.json");
        (dir, path)
    }

    /// What a scan and a read say of the same place.
    fn unreadable(path: &Path) -> String {
        let SchemaStat::Unreadable(cause) = stat_schema(path, LIMIT) else {
            panic!("a scan sees {:?}", stat_schema(path, LIMIT));
        };
        assert_eq!(
            schema(path, LIMIT),
            Err(ReadError::Unreadable(cause.clone()))
        );
        cause
    }

    #[test]
    fn a_file_is_read_whole_with_the_state_that_a_scan_sees() {
        let (_dir, path) = place();
        fs::write(&path, "x".repeat(64)).unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_375_771_829))
            .unwrap();
        let read = schema(&path, LIMIT).unwrap();
        assert_eq!(read.bytes.len(), 64);
        assert_eq!(read.stat.modified.to_string(), "2026-11-22T19:29:31.829Z");
        assert_eq!(stat_schema(&path, LIMIT), SchemaStat::File(read.stat));
    }

    #[test]
    fn a_file_over_the_limit_is_not_read() {
        let (_dir, path) = place();
        fs::write(&path, "x".repeat(65)).unwrap();
        assert_eq!(stat_schema(&path, LIMIT), SchemaStat::TooLarge(65));
        let refused = ReadError::TooLarge {
            size: 65,
            limit: LIMIT,
        };
        assert_eq!(schema(&path, LIMIT), Err(refused));
        // One of 100 MiB costs no more: it has no blocks, and none is read.
        File::create(&path).unwrap().set_len(100 << 20).unwrap();
        assert_eq!(stat_schema(&path, LIMIT), SchemaStat::TooLarge(100 << 20));
    }

    #[test]
    fn what_is_no_file_says_what_it_is() {
        let (dir, path) = place();
        assert_eq!(stat_schema(&path, LIMIT), SchemaStat::Missing);
        assert_eq!(schema(&path, LIMIT), Err(ReadError::Missing));

        symlink("nowhere", &path).unwrap();
        assert_eq!(unreadable(&path), "a dangling symbolic link");

        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        assert_eq!(unreadable(&path), "no regular file");

        fs::remove_file(&path).unwrap();
        let _socket = UnixListener::bind(&path).unwrap();
        assert_eq!(unreadable(&path), "no regular file");

        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert_eq!(unreadable(&path), "no regular file");

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(unreadable(&path), "a directory");

        // A failure that the superuser meets too.
        let looped = dir.path().join("loop");
        symlink(&looped, &looped).unwrap();
        assert!(unreadable(&looped).contains("symbolic links"));
    }

    #[test]
    fn a_link_to_a_file_counts_as_the_file() {
        let (dir, path) = place();
        fs::write(dir.path().join("target"), "{}").unwrap();
        symlink("target", &path).unwrap();
        assert_eq!(schema(&path, LIMIT).unwrap().bytes, "{}");
    }

    #[test]
    fn a_change_while_it_is_read_is_told() {
        let (dir, path) = place();
        let write = |text: &str| fs::write(&path, text).unwrap();

        write("old");
        assert_eq!(
            schema_with(&path, LIMIT, || write("longer")),
            Err(ReadError::Torn)
        );

        write("old");
        let rewritten = || {
            write("new");
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        };
        assert_eq!(schema_with(&path, LIMIT, rewritten), Err(ReadError::Torn));

        write("old");
        let replaced = || {
            let new = dir.path().join("schema.tmp");
            fs::write(&new, "new").unwrap();
            fs::rename(new, &path).unwrap();
        };
        assert_eq!(schema_with(&path, LIMIT, replaced), Err(ReadError::Torn));
        assert_eq!(
            schema(&path, LIMIT).unwrap().bytes,
            "new",
            "the next try has it"
        );
    }

    #[test]
    fn a_file_that_is_deleted_after_it_was_read_is_kept() {
        let (_dir, path) = place();
        fs::write(&path, "{}").unwrap();
        let read = schema_with(&path, LIMIT, || fs::remove_file(&path).unwrap());
        assert_eq!(read.unwrap().bytes, "{}");
    }

    #[test]
    fn a_new_state_has_a_new_identity() {
        let (dir, path) = place();
        let identity = || match stat_schema(&path, LIMIT) {
            SchemaStat::File(stat) => stat.identity,
            other => panic!("{other:?}"),
        };
        fs::write(&path, "a").unwrap();
        let first = identity();
        assert_eq!(first, identity());
        let twin = dir.path().join("twin");
        fs::write(&twin, "b").unwrap();
        fs::rename(twin, &path).unwrap();
        assert_ne!(first, identity());
    }

    #[test]
    fn files_are_listed_in_order_and_links_are_not_among_them() {
        let (dir, _) = place();
        for name in ["b", "ä", "a", "B"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        fs::create_dir(dir.path().join("processing_1")).unwrap();
        symlink("/etc/passwd", dir.path().join("out")).unwrap();
        let files = list(dir.path(), 4).unwrap();
        let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["B", "a", "b", "ä"]);
        assert_eq!(files.last().map(|file| file.size), Some(2));
        assert_eq!(list(dir.path(), 3), Err(ListError::TooMany(3)));
        assert_eq!(list(&dir.path().join("gone"), 3), Ok(Vec::new()));
    }

    #[test]
    fn parts_are_cut_at_the_end_and_never_read_through_links() {
        let (dir, _) = place();
        let inner = dir.path().join("s");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("f"), "0123456789").unwrap();
        assert_eq!(part(&inner, "f", 2, 3).unwrap(), "234");
        assert_eq!(part(&inner, "f", 8, u32::MAX).unwrap(), "89");
        assert_eq!(part(&inner, "f", u64::MAX, 1).unwrap(), "");
        symlink(inner.join("f"), inner.join("link")).unwrap();
        symlink(&inner, dir.path().join("s2")).unwrap();
        assert_eq!(part(&inner, "link", 0, 9), Err(FileError::NotFound));
        assert_eq!(part(&inner, "gone", 0, 9), Err(FileError::NotFound));
        assert_eq!(part(dir.path(), "s", 0, 9), Err(FileError::NotFound));
        assert_eq!(
            part(&dir.path().join("s2"), "f", 0, 9),
            Err(FileError::NotFound)
        );
        assert_eq!(list(&dir.path().join("s2"), 9), Ok(Vec::new()));
        // Even when the link takes the file's place after it was looked at.
        let raced = read_part(&inner.join("link"), 0, 9).unwrap_err();
        assert_eq!(raced.raw_os_error(), Some(libc::ELOOP));
    }
}
