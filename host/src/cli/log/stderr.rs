//! Standard error as the destination of the log. Its reader may go away.

use std::io::{self, ErrorKind, Write};

use tokio::sync::Notify;

static READER_GONE: Notify = Notify::const_new();

/// Resolves when a log line could not be written because the other end of the pipe is closed.
pub(in crate::cli) async fn reader_gone() {
    READER_GONE.notified().await;
}

/// Standard error. A line that can't be written is dropped, since there is nowhere else to report that.
pub(super) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match io::stderr().write_all(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => READER_GONE.notify_one(),
            _ => {}
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
