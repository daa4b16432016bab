//! The directory of a recording: names in order, one writer, a bounded size.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::bounds::Bounds;
use super::error::RecordError;
use super::file::DecisionFile;
use super::leftover;
use crate::policy::Decision;

/// What a sealed file's name ends with.
const SEALED: &str = ".jsonl.gz";
/// What the name of a file ends with while it is written, and where its writer was killed.
pub(super) const UNSEALED: &str = ".jsonl.gz.part";
const PREFIX: &str = "decisions-";
/// Held by the agent that records there.
const LOCK: &str = "recording.lock";

/// A file of a recording, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) sealed: bool,
}

/// The directory's files in the order of their numbers, a sealed one before its leftover.
pub(super) fn list(directory: &Path) -> std::io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some((number, sealed)) = name.and_then(parse) {
            found.push(Found {
                number,
                path,
                sealed,
            });
        }
    }
    found.sort_by_key(|file| (file.number, !file.sealed));
    Ok(found)
}

/// The number in a file's name, and whether the name is a sealed file's.
pub(super) fn parse(name: &str) -> Option<(u64, bool)> {
    let rest = name.strip_prefix(PREFIX)?;
    let (number, sealed) = match rest.strip_suffix(UNSEALED) {
        Some(number) => (number, false),
        None => (rest.strip_suffix(SEALED)?, true),
    };
    let digits = number.len() >= 6 && number.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| number.parse().ok())?
        .map(|number| (number, sealed))
}

/// The directory, while decisions are recorded to it.
pub(super) struct Directory {
    path: PathBuf,
    bounds: Bounds,
    /// Sizes of the sealed files by their numbers.
    sealed: BTreeMap<u64, u64>,
    open: Option<(u64, DecisionFile)>,
    next: u64,
    _lock: File,
}

impl Directory {
    /// Makes the directory where there is none, keeps other agents out of it, and seals what a killed one left.
    pub(super) fn open(path: &Path, bounds: Bounds) -> Result<Self, RecordError> {
        bounds.check()?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(RecordError::io("create the directory", path))?;
        let lock = lock(path)?;
        let list = || list(path).map_err(RecordError::io("list", path));
        for file in list()?.into_iter().filter(|file| !file.sealed) {
            let name = path.join(sealed_name(file.number));
            leftover::seal(&file.path, &name)?;
        }
        let (mut sealed, mut last) = (BTreeMap::new(), 0);
        for file in list()? {
            last = file.number;
            // What could not be sealed is no recording, and not ours to overwrite.
            if !file.sealed {
                continue;
            }
            let size = std::fs::metadata(&file.path)
                .map_err(RecordError::io("look at", &file.path))?
                .len();
            sealed.insert(file.number, size);
        }
        let mut directory = Self {
            path: path.to_owned(),
            bounds,
            next: last + 1,
            sealed,
            open: None,
            _lock: lock,
        };
        directory.make_room()?;
        Ok(directory)
    }

    /// Writes a decision to the open file, and begins one where there is none.
    pub(super) fn add(&mut self, sequence: u64, decision: Decision) -> Result<(), RecordError> {
        let (_, file) = match &mut self.open {
            Some(open) => open,
            None => {
                let path = self.path.join(unsealed_name(self.next));
                let file = DecisionFile::create(path, decision.policy.engine_hash())?;
                let open = self.open.insert((self.next, file));
                self.next += 1;
                open
            }
        };
        file.add(sequence, decision)?;
        if file.lines().size() >= self.bounds.file_size {
            self.seal()?;
        }
        Ok(())
    }

    /// Tells the open file of decisions that are not in it.
    pub(super) fn note_dropped(&mut self, dropped: u64) {
        if let Some((_, file)) = &mut self.open {
            file.lines().trailer().dropped += dropped;
        }
    }

    /// Leaves everything written so far with the system.
    pub(super) fn flush(&mut self) -> Result<(), RecordError> {
        if let Some((_, file)) = &mut self.open {
            file.lines().flush()?;
        }
        self.make_room()
    }

    /// Ends the open file.
    pub(super) fn seal(&mut self) -> Result<(), RecordError> {
        let Some((number, file)) = self.open.take() else {
            return Ok(());
        };
        let size = file.seal(&self.path.join(sealed_name(number)))?;
        self.sealed.insert(number, size);
        sync(&self.path)?;
        self.make_room()
    }

    /// Removes the oldest files until there is room for a whole one.
    fn make_room(&mut self) -> Result<(), RecordError> {
        let open = self
            .open
            .as_mut()
            .map_or(0, |(_, file)| file.lines().size());
        let open = open.max(self.bounds.file_size);
        let mut total = self.sealed.values().sum::<u64>().saturating_add(open);
        while total > self.bounds.max_size
            && let Some((number, size)) = self.sealed.pop_first()
        {
            let path = self.path.join(sealed_name(number));
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(RecordError::io("remove", &path)(error)),
            }
            total = total.saturating_sub(size);
            tracing::info!(file = %path.display(), "the oldest recorded decisions were removed, to keep the recording within its size");
        }
        Ok(())
    }
}

fn sealed_name(number: u64) -> String {
    format!("{PREFIX}{number:06}{SEALED}")
}

fn unsealed_name(number: u64) -> String {
    format!("{PREFIX}{number:06}{UNSEALED}")
}

/// Keeps other agents from the directory for as long as the file is open. It stays: removing it would let two agents lock
/// two files of the same name.
fn lock(directory: &Path) -> Result<File, RecordError> {
    let path = directory.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(RecordError::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RecordError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(RecordError::io("lock", &path)(source)),
    }
}

/// Makes a rename in the directory last.
pub(super) fn sync(directory: &Path) -> Result<(), RecordError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(RecordError::io("sync", directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_other_files() {
        assert_eq!(parse("decisions-000001.jsonl.gz"), Some((1, true)));
        assert_eq!(
            parse("decisions-1000000.jsonl.gz.part"),
            Some((1_000_000, false))
        );
        for other in [
            "recording.lock",
            "decisions-1.jsonl.gz",
            "decisions-00000x.jsonl.gz",
            "decisions-000001.jsonl",
            "decisions-000001.jsonl.gz.part.sealing",
            "decisions-99999999999999999999.jsonl.gz",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
