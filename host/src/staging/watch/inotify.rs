//! Linux's inotify, one watch a directory.

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::cause::{Cause, WatchError};
use super::event::{Event, EventKind};

/// What is reported. Reading is not: scans read. Neither is each write to an open file: data files grow all the time,
/// and a schema is complete when it is closed or moved into place.
const EVENTS: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::EXCL_UNLINK)
    .union(WatchFlags::ONLYDIR);

/// Size of the buffer for events, in bytes. It holds about a thousand.
const BUFFER: usize = 64 * 1024;

/// File systems that other machines can change, by the number in `statfs`.
const REMOTE: [(u32, &str); 14] = [
    (0x0000_6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x0000_517b, "SMB"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
    (0x786f_4256, "vboxsf"),
];

/// An inotify instance.
#[derive(Debug)]
pub(super) struct Inotify(OwnedFd);

impl Inotify {
    pub(super) fn open() -> Result<Self, WatchError> {
        inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .map(Self)
            .map_err(|errno| refused(errno, File::open("/").is_ok()))
    }

    /// Watches the directory, or keeps the watch that it has. `follow` allows its path to end in a symbolic link.
    pub(super) fn add(&self, path: &Path, follow: bool) -> Result<i32, Refused> {
        let mut flags = EVENTS;
        flags.set(WatchFlags::DONT_FOLLOW, !follow);
        inotify::add_watch(&self.0, path, flags).map_err(unwatchable)
    }

    pub(super) fn remove(&self, watch: i32) {
        // This fails if the directory is gone, since the kernel has then removed the watch itself.
        let _ = inotify::remove_watch(&self.0, watch);
    }

    /// The kind of the path's file system, if other machines can change it.
    pub(super) fn remote(path: &Path) -> Option<&'static str> {
        let found = rustix::fs::statfs(path).ok()?;
        // The field is signed on some machines, and has 32 significant bits on all.
        remote_name(found.f_type as u32)
    }

    /// Reads events until the instance fails, a batch at a time: `batch` calls its argument for the events that are
    /// there, which returns false when none is left.
    pub(super) async fn run(&self, batch: impl Fn(&mut Batch<'_>)) -> std::io::Result<()> {
        #[allow(
            deprecated,
            reason = "its successor is unsafe for types whose descriptor may change, and a borrowed one can't"
        )]
        let ready = AsyncFd::with_interest(self.0.as_fd(), Interest::READABLE)?;
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
        loop {
            let mut guard = ready.readable().await?;
            let mut events = Batch {
                reader: Reader::new(self.0.as_fd(), &mut buffer),
                end: None,
            };
            batch(&mut events);
            match events.end {
                Some(Errno::AGAIN) => guard.clear_ready(),
                Some(Errno::INTR) | None => {}
                Some(errno) => return Err(errno.into()),
            }
        }
    }
}

/// The events of one read.
pub(super) struct Batch<'b> {
    reader: Reader<'b, std::os::fd::BorrowedFd<'b>>,
    end: Option<Errno>,
}

impl Batch<'_> {
    /// Passes each event on.
    pub(super) fn each(&mut self, mut note: impl FnMut(&Event<'_>)) {
        loop {
            match self.reader.next() {
                Ok(event) => {
                    if let Some(kind) = kind(event.events()) {
                        note(&Event {
                            watch: event.wd(),
                            name: event.file_name().map(std::ffi::CStr::to_bytes),
                            is_dir: event.events().contains(ReadFlags::ISDIR),
                            kind,
                        });
                    }
                }
                Err(errno) => {
                    self.end = Some(errno);
                    return;
                }
            }
            // One read is enough for a turn, so that a flood keeps no other task waiting.
            if self.reader.is_buffer_empty() {
                return;
            }
        }
    }
}

fn kind(flags: ReadFlags) -> Option<EventKind> {
    let kinds = [
        (ReadFlags::QUEUE_OVERFLOW, EventKind::Overflow),
        (ReadFlags::IGNORED, EventKind::Ended),
        (ReadFlags::MOVE_SELF, EventKind::Moved),
        (ReadFlags::CREATE, EventKind::Appeared),
        (ReadFlags::MOVED_TO, EventKind::Appeared),
        (ReadFlags::DELETE, EventKind::Left),
        (ReadFlags::MOVED_FROM, EventKind::Left),
        (ReadFlags::CLOSE_WRITE, EventKind::Changed),
        (ReadFlags::ATTRIB, EventKind::Changed),
    ];
    kinds
        .into_iter()
        .find_map(|(flag, kind)| flags.contains(flag).then_some(kind))
}

/// Why a directory got no watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It went away, or is not a directory any more.
    Vanished,
    /// It exists.
    Because(Cause),
}

fn unwatchable(errno: Errno) -> Refused {
    Refused::Because(match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP => return Refused::Vanished,
        Errno::ACCESS | Errno::PERM => Cause::Permission,
        Errno::NOSPC => Cause::SystemLimit,
        Errno::NOMEM => Cause::Memory,
        errno => Cause::Other(std::io::Error::from(errno).to_string()),
    })
}

/// Both limits that a new instance can meet have one error; the process's own is the reason if it can't open a file.
fn refused(errno: Errno, can_open_files: bool) -> WatchError {
    match errno {
        Errno::MFILE if can_open_files => WatchError::Instances,
        Errno::MFILE => WatchError::OpenFiles,
        Errno::NFILE => WatchError::SystemFiles,
        Errno::NOSYS | Errno::PERM => WatchError::Unsupported,
        errno => WatchError::Other(errno.into()),
    }
}

fn remote_name(magic: u32) -> Option<&'static str> {
    REMOTE
        .iter()
        .find_map(|(number, name)| (*number == magic).then_some(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_a_message_of_its_own() {
        let open = |errno, can_open| refused(errno, can_open).to_string();
        let messages = [
            open(Errno::MFILE, true),
            open(Errno::MFILE, false),
            open(Errno::NFILE, true),
            open(Errno::NOSYS, true),
            open(Errno::IO, true),
        ];
        let named = [
            "max_user_instances",
            "ulimit -n",
            "file-max",
            "no inotify",
            "can't be set up",
        ];
        for (message, name) in messages.iter().zip(named) {
            assert!(message.contains(name), "{message}");
        }
        let add = |errno| match unwatchable(errno) {
            Refused::Because(cause) => cause.to_string(),
            Refused::Vanished => "vanished".to_owned(),
        };
        let named = [
            (Errno::ACCESS, "permission denied"),
            (Errno::NOSPC, "max_user_watches"),
            (Errno::NOMEM, "memory"),
            (Errno::NOENT, "vanished"),
            (Errno::NOTDIR, "vanished"),
            (Errno::IO, "nput/output error"),
        ];
        for (errno, name) in named {
            assert!(add(errno).contains(name), "{}", add(errno));
        }
    }

    #[test]
    fn file_systems_that_other_machines_change_are_recognized() {
        assert_eq!(remote_name(0x6969), Some("NFS"));
        assert_eq!(remote_name(0xff53_4d42), Some("CIFS"));
        assert_eq!(remote_name(0xef53), None, "ext4");
        assert_eq!(remote_name(0x0102_1994), None, "tmpfs");
        assert_eq!(Inotify::remote(Path::new("/proc")), None);
    }
}
