use std::path::Path;

/// Room on a ledger's volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that may still be written there by ordinary users.
    pub bytes: u64,
    /// Whether the file system is mounted read-only.
    pub read_only: bool,
}

/// A ledger whose volume has less room than this can't be written reliably, in bytes.
pub const ROOM_MIN: u64 = 64 * 1024;

/// The room on the volume that holds this ledger. `None` if the system does not report it.
#[cfg(unix)]
pub fn room(ledger: &Path) -> Option<Room> {
    let ledger = super::open::locate(ledger).ok()?;
    let found = rustix::fs::statvfs(super::open::parent(&ledger)).ok()?;
    Some(Room {
        bytes: found.f_bavail.saturating_mul(found.f_frsize),
        read_only: found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    })
}

/// Not implemented on other systems.
#[cfg(not(unix))]
pub fn room(_ledger: &Path) -> Option<Room> {
    None
}

/// What is wrong with keeping a ledger in this directory, in words; `None` when nothing is known to be.
#[cfg(target_os = "linux")]
pub(super) fn warning(directory: &Path) -> Option<String> {
    let stat = rustix::fs::statfs(directory).ok()?;
    // The kernel's magic numbers have 32 bits; the field's width and sign differ between architectures.
    let magic = u32::try_from(i128::from(stat.f_type) & 0xffff_ffff).ok()?;
    about(magic).map(|trouble| {
        format!(
            "the ledger lies on {trouble}: point `ledger.path` at a volume that outlives the agent ({})",
            directory.display()
        )
    })
}

/// Other systems have no common way to ask.
#[cfg(not(target_os = "linux"))]
pub(super) fn warning(_directory: &Path) -> Option<String> {
    None
}

/// File system types by their numbers in `statfs(2)` and `linux/magic.h`.
#[cfg(target_os = "linux")]
fn about(magic: u32) -> Option<&'static str> {
    match magic {
        0x0102_1994 | 0x8584_58f6 => {
            Some("a file system in memory (tmpfs), which a restart empties")
        }
        0x794c_7630 => Some("a container's own layer (overlayfs), which ends with the container"),
        0x6969 | 0x517b | 0xff53_4d42 | 0xfe53_4d42 => {
            Some("a network file system, where SQLite's locks and shared memory are not reliable")
        }
        _ => None,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_layers_and_network_are_told_apart_from_disks() {
        assert!(about(0x0102_1994).unwrap().contains("tmpfs"));
        assert!(about(0x794c_7630).unwrap().contains("overlayfs"));
        assert!(about(0xff53_4d42).unwrap().contains("network"));
        assert_eq!(about(0xef53), None, "ext4");
    }
}
