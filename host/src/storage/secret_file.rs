//! Files that hold the value of one option: mounted secrets.

use std::fs::Metadata;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::files::open_regular;

/// The largest file of a secret, in bytes.
const MAX_SECRET: u64 = 64 << 10;

/// Reads the value, without the line break that editors put at a file's end.
///
/// # Errors
///
/// The file can't be read, is too large, or is not text.
pub(crate) fn read_secret(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open_regular(path)?
        .take(MAX_SECRET + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_SECRET {
        return Err(io::Error::other(format!(
            "it is over {MAX_SECRET} bytes: name another file"
        )));
    }
    let value = text.strip_suffix('\n').unwrap_or(&text);
    Ok(value.strip_suffix('\r').unwrap_or(value).to_owned())
}

/// What changes when the file is written or replaced. A mounted secret is replaced by moving a link, so links are
/// followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The file's stamp; `None` if there is no file to look at.
    pub(super) fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(Self::from)
    }
}

impl From<Metadata> for Stamp {
    fn from(found: Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_at_the_end_is_not_part_of_the_secret() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (content, value) in [
            ("hunter2", "hunter2"),
            ("hunter2\n", "hunter2"),
            ("hunter2\r\n", "hunter2"),
            ("hunter2\n\n", "hunter2\n"),
            ("", ""),
        ] {
            std::fs::write(file.path(), content).unwrap();
            assert_eq!(read_secret(file.path()).unwrap(), value, "{content:?}");
        }
    }

    #[test]
    fn files_that_can_not_be_a_secret_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = read_secret(dir.path()).unwrap_err().to_string();
        assert!(error.contains("is a directory"), "{error}");
        let path = dir.path().join("large");
        std::fs::write(&path, vec![b'x'; 64 * 1024 + 1]).unwrap();
        let error = read_secret(&path).unwrap_err().to_string();
        assert!(error.contains("over 65536 bytes"), "{error}");
    }
}
