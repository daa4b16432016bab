use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
        match insist(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::InUse {
                    path: ledger.to_owned(),
                    pid: read_pid(&mut file),
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

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// How often, and after which pause, a lock is tried again: [`holder`] holds it for an instant.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

fn insist(file: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            ended => return ended,
        }
    }
    file.try_lock()
}

/// Whether a process has a ledger open for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// No process holds the ledger's lock.
    Free,
    /// A process holds it. Carries its id, where that can be read.
    Held(Option<u32>),
    /// This user can't determine it.
    Unknown,
}

/// Returns whether a process has the ledger open for writing. The lock ends with its process, however that ends, so a
/// free lock proves that no agent runs. This holds across containers too, where process ids prove nothing.
pub fn holder(ledger: &Path) -> Holder {
    let Ok(ledger) = super::open::locate(ledger) else {
        return Holder::Unknown;
    };
    let mut file = match File::open(beside(&ledger, ".lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Holder::Free,
        Err(_) => return Holder::Unknown,
    };
    match file.try_lock_shared() {
        // Dropping the handle releases the lock.
        Ok(()) => Holder::Free,
        Err(TryLockError::WouldBlock) => Holder::Held(read_pid(&mut file)),
        Err(TryLockError::Error(_)) => Holder::Unknown,
    }
}

/// The file whose name is the ledger's with `suffix` behind it.
pub(super) fn beside(ledger: &Path, suffix: &str) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
