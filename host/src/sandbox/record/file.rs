//! One file of a recording while it is written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::bounds::MAX_LINE;
use super::error::RecordError;
use super::line::{DecisionLine, Header, Line, PolicyLine, Trailer};
use crate::digest::Digest;
use crate::policy::{Decision, Policy};

/// Lines on their way into a compressed file, under a name that says that it is not sealed.
pub(super) struct Lines {
    path: PathBuf,
    encoder: GzEncoder<Counted>,
    digest: Sha256,
    trailer: Trailer,
    line: Vec<u8>,
}

/// A file, and how much was written to it.
struct Counted {
    file: File,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes = self.bytes.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Lines {
    /// Begins the file; one of that name is overwritten.
    pub(super) fn create(path: PathBuf) -> Result<Self, RecordError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            // What policies read is nobody else's.
            .mode(0o600)
            .open(&path)
            .map_err(RecordError::io("create", &path))?;
        Ok(Self {
            path,
            encoder: GzEncoder::new(Counted { file, bytes: 0 }, Compression::fast()),
            digest: Sha256::new(),
            trailer: Trailer {
                lines: 0,
                decisions: 0,
                dropped: 0,
                oversized: 0,
                recovered: false,
                sha256: Digest::of(&[]),
            },
            line: Vec::new(),
        })
    }

    /// Compressed bytes that are in the file already.
    pub(super) fn size(&self) -> u64 {
        self.encoder.get_ref().bytes
    }

    /// What the file's trailer will tell.
    pub(super) fn trailer(&mut self) -> &mut Trailer {
        &mut self.trailer
    }

    /// Adds a line. A decision over [`MAX_LINE`] is counted in its place.
    pub(super) fn add(&mut self, line: &Line) -> Result<(), RecordError> {
        let mut text = std::mem::take(&mut self.line);
        text.clear();
        let done = serde_json::to_writer(&mut text, line)
            .map_err(io::Error::from)
            .map_err(RecordError::io("write", &self.path))
            .and_then(|()| match line {
                Line::Decision(_) if text.len() > MAX_LINE => {
                    self.trailer.oversized += 1;
                    Ok(())
                }
                _ => self.add_text(&text, matches!(line, Line::Decision(_))),
            });
        self.line = text;
        done
    }

    /// Adds a line that was written before, without its line feed.
    pub(super) fn add_text(&mut self, text: &[u8], is_decision: bool) -> Result<(), RecordError> {
        self.write(text)?;
        self.write(b"\n")?;
        self.trailer.lines += 1;
        self.trailer.decisions += u64::from(is_decision);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.digest.update(bytes);
        self.encoder
            .write_all(bytes)
            .map_err(RecordError::io("write", &self.path))
    }

    /// Hands everything to the system, so that a killed agent leaves it; and looks whether the file is still there, since
    /// writing to one that was removed succeeds.
    pub(super) fn flush(&mut self) -> Result<(), RecordError> {
        self.encoder
            .flush()
            .map_err(RecordError::io("write", &self.path))?;
        let own = self.encoder.get_ref().file.metadata();
        let own = own.map_err(RecordError::io("look at", &self.path))?;
        match std::fs::symlink_metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (own.dev(), own.ino()) => Ok(()),
            _ => Err(RecordError::Gone(self.path.clone())),
        }
    }

    /// Ends the file with its trailer, on the disk, and gives it its name. Answers with its size.
    pub(super) fn seal(mut self, name: &Path) -> Result<u64, RecordError> {
        self.flush()?;
        let trailer = Trailer {
            sha256: Digest::from(self.digest.clone()),
            ..self.trailer.clone()
        };
        self.add(&Line::Trailer(trailer))?;
        let Self { path, encoder, .. } = self;
        let Counted { file, bytes } = encoder.finish().map_err(RecordError::io("write", &path))?;
        file.sync_all().map_err(RecordError::io("sync", &path))?;
        std::fs::rename(&path, name).map_err(RecordError::io("rename", &path))?;
        Ok(bytes)
    }
}

/// A file of decisions, with the lines that they refer to.
pub(super) struct DecisionFile {
    lines: Lines,
    /// The policies that the file tells of, by their `id` in it.
    policies: Vec<Policy>,
}

impl DecisionFile {
    /// Begins the file for decisions that were made by an engine of this hash.
    pub(super) fn create(path: PathBuf, engine: u64) -> Result<Self, RecordError> {
        let mut lines = Lines::create(path)?;
        lines.add(&Line::Header(Header::new(engine)))?;
        Ok(Self {
            lines,
            policies: Vec::new(),
        })
    }

    pub(super) fn lines(&mut self) -> &mut Lines {
        &mut self.lines
    }

    pub(super) fn seal(self, name: &Path) -> Result<u64, RecordError> {
        self.lines.seal(name)
    }

    pub(super) fn add(&mut self, sequence: u64, decision: Decision) -> Result<(), RecordError> {
        if !decision.complete {
            self.lines.trailer().oversized += 1;
            return Ok(());
        }
        let known = |policy: &Policy| policy.is(&decision.policy);
        let at = match self.policies.iter().position(known) {
            Some(at) => at,
            None => {
                let id = number(self.policies.len());
                let line = PolicyLine::new(id, &decision.policy);
                self.lines.add(&Line::Policy(Box::new(line)))?;
                self.policies.push(decision.policy.clone());
                self.policies.len() - 1
            }
        };
        let line = DecisionLine::new(sequence, number(at), decision);
        self.lines.add(&Line::Decision(Box::new(line)))
    }
}

/// No file has as many policies as 32 bits count.
fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
