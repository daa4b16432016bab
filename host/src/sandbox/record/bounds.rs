//! How much a recording may take, on disk and in memory.

use super::error::RecordError;

/// Compressed bytes after which a file is sealed and the next one begun.
pub const DEFAULT_FILE_SIZE: u64 = 16 << 20;
/// The least that a file may be bounded to.
pub const MIN_FILE_SIZE: u64 = 64 << 10;
/// Compressed bytes of all files together.
pub const DEFAULT_MAX_SIZE: u64 = 1 << 30;
/// Decisions that wait to be written.
pub const MAX_WAITING_DECISIONS: usize = 16_384;
/// Bytes of memory that they hold, about.
pub const MAX_WAITING_BYTES: usize = 64 << 20;
/// The longest line, in bytes. It holds the most that is recorded of one decision's calls as JSON, and what a policy
/// keeps and logs besides.
pub const MAX_LINE: usize = 128 << 20;

/// What a recording may take on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Compressed bytes of a file; it ends with the decision that reaches them.
    pub file_size: u64,
    /// Compressed bytes of the directory's files together. The oldest are removed in time.
    pub max_size: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            file_size: DEFAULT_FILE_SIZE,
            max_size: DEFAULT_MAX_SIZE,
        }
    }
}

impl Bounds {
    /// Refuses files so small that they hold hardly anything, and directories without room for a file besides the one
    /// that is written.
    ///
    /// # Errors
    ///
    /// The bounds make no recording.
    pub fn check(self) -> Result<(), RecordError> {
        if self.file_size < MIN_FILE_SIZE {
            return Err(RecordError::FileTooSmall {
                size: self.file_size,
            });
        }
        if self.max_size / 2 < self.file_size {
            return Err(RecordError::DirectoryTooSmall(self));
        }
        Ok(())
    }
}
