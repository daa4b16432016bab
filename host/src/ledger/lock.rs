use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::LedgerError;

/// Keeps a second agent away from a ledger while it is held.
///
/// The lock is the operating system's, on a file of its own beside the database: opening the database file itself and
/// closing it again would drop SQLite's locks on it. It ends with the process, so a kill leaves nothing to clean up;
/// the file stays, because removing it would let two agents lock two files of the same name.
#[derive(Debug)]
pub(super) struct WriterLock {
    _file: File,
}

impl WriterLock {
    pub(super) fn take(ledger: &Path) -> Result<Self, LedgerError> {
        let path = beside(ledger, ".lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| LedgerError::io("lock", ledger, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::InUse {
                    path: ledger.to_owned(),
                    pid: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => {
                return Err(LedgerError::io("lock", ledger, source));
            }
        }
        // Only for the other agent's message, so a full disk does not matter here.
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// The file whose name is the ledger's with `suffix` behind it.
pub(super) fn beside(ledger: &Path, suffix: &str) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
