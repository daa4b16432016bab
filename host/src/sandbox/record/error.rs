use std::io;
use std::path::{Path, PathBuf};

use super::bounds::{Bounds, MAX_LINE, MIN_FILE_SIZE};
use super::line::FORMAT_VERSION;

/// Why decisions can't be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Another agent records there.
    #[error(
        "another agent records to `{}`: give each one a directory of its own",
        .0.display()
    )]
    InUse(PathBuf),
    /// A file or the directory can't be used.
    #[error("can't {deed} `{}`", path.display())]
    Io {
        /// What was tried.
        deed: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The file that is written was taken away.
    #[error("`{}` was removed or replaced while it was written", .0.display())]
    Gone(PathBuf),
    /// Files of a size that holds hardly anything.
    #[error(
        "files of {size} bytes are too small for recordings: give them {} KiB or more",
        MIN_FILE_SIZE >> 10
    )]
    FileTooSmall {
        /// The size that was asked for.
        size: u64,
    },
    /// A directory without room for two files.
    #[error(
        "a recording of {} bytes has no room for two files of {} bytes: allow more, or make the files smaller",
        .0.max_size, .0.file_size
    )]
    DirectoryTooSmall(Bounds),
    /// No thread for the writer.
    #[error("can't start the thread that writes recordings")]
    Thread(#[source] io::Error),
}

impl RecordError {
    pub(super) fn io(deed: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { deed, path, source }
    }
}

/// Why a recording can't be read. The words begin with the file and, where one is at fault, the line.
#[derive(Debug, thiserror::Error)]
pub enum BadRecording {
    /// Nothing stands there.
    #[error("there is no recording `{}`: name the directory that `tidegate run --record` wrote to, or a file of it", .0.display())]
    Missing(PathBuf),
    /// A directory without files of a recording.
    #[error("`{}` holds no recording: `tidegate run --record` leaves files named decisions-000001.jsonl.gz in it", .0.display())]
    Empty(PathBuf),
    /// The file can't be read.
    #[error("can't read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not compressed as recordings are.
    #[error("{}: it is no gzip file, so no recording: replay the files as they were written", .0.display())]
    NotGzip(PathBuf),
    /// It ends too early.
    #[error("{}:{line}: the file ends here and is not whole: it was cut off; copy it again, or remove it and replay the others", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The line that is not there.
        line: u64,
    },
    /// The compressed data is damaged.
    #[error("{}:{line}: the compressed data is damaged from here on: copy the file again, or remove it and replay the others", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first line that can't be had.
        line: u64,
        /// What is wrong.
        source: io::Error,
    },
    /// It was written in another format.
    #[error("{}:1: it is of format version {found}, and this tidegate reads version {FORMAT_VERSION}: replay it with tidegate {writer}, which wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The tidegate that wrote it.
        writer: String,
    },
    /// A line is not what a recording has there.
    #[error("{}:{line}: {problem}: the file was changed after it was written, or is no recording", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A line over [`MAX_LINE`].
    #[error("{}:{line}: the line is over {} MiB, which no recording has", path.display(), MAX_LINE >> 20)]
    LongLine {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
    },
    /// The trailer tells of other content.
    #[error("{}:{line}: the trailer tells of {told}, and the file has {found}: it was changed after it was written; take the original", path.display())]
    Tampered {
        /// The file.
        path: PathBuf,
        /// The trailer's line.
        line: u64,
        /// What the trailer says.
        told: String,
        /// What is there.
        found: String,
    },
}
