//! Reads recordings, and finds what is wrong with them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::GzDecoder;
use sha2::{Digest as _, Sha256};

use super::bounds::MAX_LINE;
use super::directory::{self, UNSEALED};
use super::error::BadRecording;
use super::line::{DecisionLine, FORMAT, FORMAT_VERSION, Header, Line, PolicyLine, Trailer};
use crate::digest::Digest;
use crate::files::open_regular;
use crate::text::counted;

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a trailer; anything else is an error.
    Sealed,
    /// Wherever its writer is, or was when it was killed.
    Open,
}

/// A file of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// How it ends, by its name.
    pub ending: Ending,
}

/// The files of a recording, in order: those of a directory, or the one that is named.
///
/// # Errors
///
/// Nothing stands there, or no recording.
pub fn sources(path: &Path) -> Result<Vec<Source>, BadRecording> {
    let failed = |source: io::Error| match source.kind() {
        ErrorKind::NotFound => BadRecording::Missing(path.to_owned()),
        _ => BadRecording::Io {
            path: path.to_owned(),
            source,
        },
    };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        let open = path.to_string_lossy().ends_with(UNSEALED);
        return Ok(vec![Source {
            path: path.to_owned(),
            ending: if open { Ending::Open } else { Ending::Sealed },
        }]);
    }
    let mut sources = Vec::new();
    let mut before = None;
    for file in directory::list(path).map_err(failed)? {
        // A kill between sealing a leftover and removing it leaves both.
        if before.replace(file.number) != Some(file.number) {
            sources.push(Source {
                path: file.path,
                ending: if file.sealed {
                    Ending::Sealed
                } else {
                    Ending::Open
                },
            });
        }
    }
    match sources.is_empty() {
        true => Err(BadRecording::Empty(path.to_owned())),
        false => Ok(sources),
    }
}

/// A recorded decision, with what its line refers to.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The file.
    pub path: Arc<Path>,
    /// The line in it.
    pub line: u64,
    /// What wrote the file.
    pub header: Arc<Header>,
    /// The policy.
    pub policy: Arc<PolicyLine>,
    /// The decision.
    pub decision: Box<DecisionLine>,
}

/// Hands on every decision of a file for as long as they are taken, and returns its trailer; `None` for one that is not
/// sealed or was not read to its end. `progress` counts the compressed bytes that were read.
///
/// # Errors
///
/// The file is no whole recording. What was handed on before is then worth nothing.
pub fn read(
    source: &Source,
    progress: &Arc<AtomicU64>,
    mut hand_on: impl FnMut(Recorded) -> bool,
) -> Result<Option<Trailer>, BadRecording> {
    let mut reader = FileReader::open(&source.path, source.ending, Arc::clone(progress))?;
    let path: Arc<Path> = source.path.as_path().into();
    let mut header = None;
    let mut policies = BTreeMap::new();
    while let Some((line, _)) = reader.next()? {
        match line {
            Line::Header(line) => header = Some(Arc::new(line)),
            Line::Policy(policy) => {
                policies.insert(policy.id, Arc::<PolicyLine>::from(policy));
            }
            Line::Decision(decision) => {
                let Some(policy) = policies.get(&decision.policy) else {
                    return Err(reader.bad(format!("no policy {} stands above", decision.policy)));
                };
                let unfit = decision.calls.iter().find(|call| {
                    let answer = call.answer.as_ref();
                    answer.is_some_and(|answer| !call.ask.admits(answer))
                });
                if let Some(call) = unfit {
                    return Err(reader.bad(format!("no answer to {}", call.ask)));
                }
                let Some(header) = &header else {
                    return Err(reader.bad("no header stands above".to_owned()));
                };
                let taken = hand_on(Recorded {
                    path: Arc::clone(&path),
                    line: reader.line,
                    header: Arc::clone(header),
                    policy: Arc::clone(policy),
                    decision,
                });
                if !taken {
                    return Ok(None);
                }
            }
            Line::Trailer(trailer) => return Ok(Some(trailer)),
        }
    }
    Ok(None)
}

/// A file, and how much of it was read.
struct Metered {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Metered {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// What gzip files begin with.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The lines of one file.
pub(super) struct FileReader {
    path: PathBuf,
    ending: Ending,
    input: BufReader<GzDecoder<BufReader<Metered>>>,
    text: Vec<u8>,
    digest: Sha256,
    line: u64,
    decisions: u64,
    over: bool,
}

impl FileReader {
    pub(super) fn open(
        path: &Path,
        ending: Ending,
        progress: Arc<AtomicU64>,
    ) -> Result<Self, BadRecording> {
        let failed = |source| BadRecording::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = BufReader::new(Metered {
            file: open_regular(path).map_err(failed)?,
            read: progress,
        });
        let start = file.fill_buf().map_err(failed)?;
        let (is_empty, is_gzip) = (start.is_empty(), start.starts_with(&MAGIC));
        match ending {
            _ if is_gzip => {}
            Ending::Open if is_empty => {}
            Ending::Sealed if is_empty => {
                return Err(BadRecording::Truncated {
                    path: path.to_owned(),
                    line: 1,
                });
            }
            _ => return Err(BadRecording::NotGzip(path.to_owned())),
        }
        Ok(Self {
            path: path.to_owned(),
            ending,
            over: is_empty,
            input: BufReader::new(GzDecoder::new(file)),
            text: Vec::new(),
            digest: Sha256::new(),
            line: 0,
            decisions: 0,
        })
    }

    /// The next line and its text; `None` behind the trailer, or where an unsealed file has no further whole line.
    pub(super) fn next(&mut self) -> Result<Option<(Line, &[u8])>, BadRecording> {
        if self.over || !self.read_text()? {
            self.over = true;
            return Ok(None);
        }
        self.line += 1;
        let line = self.parse()?;
        match &line {
            Line::Trailer(trailer) => {
                self.check(trailer)?;
                self.over = true;
            }
            line => {
                self.digest.update(&self.text);
                self.digest.update(b"\n");
                self.decisions += u64::from(matches!(line, Line::Decision(_)));
            }
        }
        Ok(Some((line, &self.text)))
    }

    /// What is wrong with the line that was read last.
    pub(super) fn bad(&self, problem: String) -> BadRecording {
        BadRecording::Line {
            path: self.path.clone(),
            line: self.line,
            problem,
        }
    }

    /// Reads a line without its line feed. False where an unsealed file ends, also in the middle of a line.
    fn read_text(&mut self) -> Result<bool, BadRecording> {
        self.text.clear();
        let (path, line) = (&self.path, self.line + 1);
        let limit = MAX_LINE as u64 + 1;
        let read = (&mut self.input)
            .take(limit)
            .read_until(b'\n', &mut self.text);
        match read {
            Ok(_) if self.text.last() == Some(&b'\n') => {
                self.text.pop();
                Ok(true)
            }
            Ok(_) if self.text.len() > MAX_LINE => Err(BadRecording::LongLine {
                path: path.clone(),
                line,
            }),
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(self.broken(error)),
            _ if self.ending == Ending::Open => Ok(false),
            Ok(_) => Err(self.broken(ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Why the line behind the one that was read last can't be had.
    fn broken(&self, source: io::Error) -> BadRecording {
        let (path, line) = (self.path.clone(), self.line + 1);
        match source.kind() {
            ErrorKind::UnexpectedEof => BadRecording::Truncated { path, line },
            _ => BadRecording::Damaged { path, line, source },
        }
    }

    fn parse(&self) -> Result<Line, BadRecording> {
        if self.line == 1 {
            self.check_version()?;
        }
        let line: Line = serde_json::from_slice(&self.text)
            .map_err(|error| self.bad(format!("it is no line of a recording ({error})")))?;
        match (&line, self.line) {
            (Line::Header(_), 1) => Ok(line),
            (Line::Header(_), _) | (_, 1) => {
                Err(self.bad("a recording has its header in the first line only".to_owned()))
            }
            _ => Ok(line),
        }
    }

    /// Whether the first line tells of this format, before anything else of it is believed.
    fn check_version(&self) -> Result<(), BadRecording> {
        #[derive(serde::Deserialize)]
        struct First {
            header: Told,
        }
        #[derive(serde::Deserialize)]
        struct Told {
            format: String,
            version: u32,
            tidegate: Option<String>,
        }
        let told = serde_json::from_slice::<First>(&self.text).map(|first| first.header);
        match told {
            Ok(told) if told.format == FORMAT && told.version == FORMAT_VERSION => Ok(()),
            Ok(told) if told.format == FORMAT => Err(BadRecording::Version {
                path: self.path.clone(),
                found: told.version,
                writer: told.tidegate.unwrap_or_default(),
            }),
            _ => Err(self.bad("it is no header of a recording".to_owned())),
        }
    }

    /// Compares the trailer with what was read, and makes sure that nothing follows it.
    fn check(&mut self, trailer: &Trailer) -> Result<(), BadRecording> {
        let (lines, decisions) = (self.line - 1, self.decisions);
        let found = Digest::from(std::mem::take(&mut self.digest));
        let tampered = |told, found| BadRecording::Tampered {
            path: self.path.clone(),
            line: self.line,
            told,
            found,
        };
        if (trailer.lines, trailer.decisions) != (lines, decisions) {
            let count = |lines, decisions| {
                let (lines, decisions) = (counted(lines, "line"), counted(decisions, "decision"));
                format!("{lines} with {decisions}")
            };
            let told = count(trailer.lines, trailer.decisions);
            return Err(tampered(told, count(lines, decisions)));
        }
        if trailer.sha256 != found {
            let told = format!("lines of SHA-256 {}", trailer.sha256);
            return Err(tampered(told, format!("such of {found}")));
        }
        let rest = self.input.fill_buf().map(<[u8]>::len);
        let rest = rest.map_err(|source| self.broken(source))?;
        let behind = self.input.get_mut().get_mut().fill_buf().map(<[u8]>::len);
        let behind = behind.map_err(|source| self.broken(source))?;
        match rest + behind {
            0 => Ok(()),
            _ => {
                self.line += 1;
                Err(self.bad("something stands behind the trailer".to_owned()))
            }
        }
    }
}
