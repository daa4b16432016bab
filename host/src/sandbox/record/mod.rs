//! Recordings: every decision of an agent, in files from which it can be made again.
//!
//! A recording is a directory of gzip files of JSON lines, `decisions-000001.jsonl.gz` and so on, bounded as a whole.
//! `docs/recording.md` describes the format for people. [`Recording`] writes it beside a running agent, [`read`] reads it.

mod bounds;
mod directory;
mod error;
mod file;
mod leftover;
mod line;
mod queue;
pub mod read;
mod redact;
#[cfg(test)]
mod tests;
mod writer;

pub use bounds::{
    Bounds, DEFAULT_FILE_SIZE, DEFAULT_MAX_SIZE, MAX_LINE, MAX_WAITING_BYTES,
    MAX_WAITING_DECISIONS, MIN_FILE_SIZE,
};
pub use error::{BadRecording, RecordError};
pub use line::{
    Component, DecisionLine, FORMAT, FORMAT_VERSION, Header, Line, Outcome, PolicyLine, StateLine,
    Trailer,
};
pub use writer::Recording;
