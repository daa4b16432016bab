use std::fmt;

use serde::{Deserialize, Serialize};

use super::content::Content;
use crate::contract::ObjectInfo;
use crate::policy::cause::shown;
use crate::policy::world::{
    Page, ReadFailure, StagedFile, StagingFailure, StateScope, WriteFailure, WriteMode,
};
use crate::text::counted;

/// One call of a [`World`](crate::policy::World)'s methods, and what it answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldCall {
    /// What was asked.
    pub ask: Ask,
    /// What it answered; `None` when the decision ended before it did.
    pub answer: Option<Answer>,
}

/// A method of the world with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "call")]
#[allow(
    missing_docs,
    reason = "`World` documents each method and its arguments"
)]
pub enum Ask {
    Head {
        key: String,
    },
    Get {
        key: String,
        offset: u64,
        length: u32,
    },
    List {
        prefix: String,
        after: Option<String>,
        limit: u32,
    },
    Put {
        key: String,
        bytes: Content,
        mode: WriteMode,
    },
    StagedFiles,
    ReadStaged {
        name: String,
        offset: u64,
        length: u32,
    },
    LoadState {
        scope: StateScope,
        key: String,
    },
    CountState {
        scope: StateScope,
    },
}

/// What a method of the world answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// To `head`.
    Object(ObjectInfo),
    /// To `get`.
    Content {
        /// The whole object's description.
        object: ObjectInfo,
        /// The part that was asked for.
        bytes: Content,
    },
    /// To `list`.
    Page(Page),
    /// To `put`.
    Written(ObjectInfo),
    /// To `staged_files`.
    Files(Vec<StagedFile>),
    /// To `read_staged`.
    Bytes(Content),
    /// To `load_state`.
    Value(Option<Content>),
    /// To `count_state`.
    Count(u32),
    /// To `head`, `get` and `list`: why nothing was read.
    ReadFailed(ReadFailure),
    /// To `put`: why nothing was written.
    WriteFailed(WriteFailure),
    /// To `staged_files` and `read_staged`: why nothing was read.
    StagingFailed(StagingFailure),
    /// To `load_state` and `count_state`: why the ledger could not tell.
    StateFailed(String),
}

/// What a call costs besides its strings and bytes in [`WorldCall::weight`].
const CALL_COST: usize = 128;
/// The same for an object or a file of a listing.
const ROW_COST: usize = 64;

impl WorldCall {
    /// About what it holds in memory, in bytes.
    pub fn weight(&self) -> usize {
        CALL_COST + self.ask.weight() + self.answer.as_ref().map_or(0, Answer::weight)
    }
}

impl Ask {
    /// Whether it changes something outside of the decision.
    pub fn is_write(&self) -> bool {
        matches!(self, Ask::Put { .. })
    }

    /// Whether an answer is one that this call can have.
    pub fn admits(&self, answer: &Answer) -> bool {
        match self {
            Ask::Head { .. } => matches!(answer, Answer::Object(_) | Answer::ReadFailed(_)),
            Ask::Get { .. } => matches!(answer, Answer::Content { .. } | Answer::ReadFailed(_)),
            Ask::List { .. } => matches!(answer, Answer::Page(_) | Answer::ReadFailed(_)),
            Ask::Put { .. } => matches!(answer, Answer::Written(_) | Answer::WriteFailed(_)),
            Ask::StagedFiles => matches!(answer, Answer::Files(_) | Answer::StagingFailed(_)),
            Ask::ReadStaged { .. } => matches!(answer, Answer::Bytes(_) | Answer::StagingFailed(_)),
            Ask::LoadState { .. } => matches!(answer, Answer::Value(_) | Answer::StateFailed(_)),
            Ask::CountState { .. } => matches!(answer, Answer::Count(_) | Answer::StateFailed(_)),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Ask::Head { key } | Ask::Get { key, .. } | Ask::LoadState { key, .. } => key.len(),
            Ask::List { prefix, after, .. } => prefix.len() + after.as_ref().map_or(0, String::len),
            Ask::Put { key, bytes, .. } => key.len() + bytes.0.len(),
            Ask::ReadStaged { name, .. } => name.len(),
            Ask::StagedFiles | Ask::CountState { .. } => 0,
        }
    }
}

impl Answer {
    pub(super) fn weight(&self) -> usize {
        match self {
            Answer::Content { bytes, .. } | Answer::Bytes(bytes) | Answer::Value(Some(bytes)) => {
                bytes.0.len()
            }
            Answer::Page(page) => {
                let rows = page.entries.iter().map(|entry| entry.key.len() + ROW_COST);
                rows.sum()
            }
            Answer::Files(files) => files.iter().map(|file| file.name.len() + ROW_COST).sum(),
            _ => 0,
        }
    }
}

impl fmt::Display for Ask {
    /// The call as the contract names it, with its arguments; control characters of them are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ask::Head { key } => write!(f, "object-reader.head({})", shown(key)),
            Ask::Get {
                key,
                offset,
                length,
            } => write!(
                f,
                "object-reader.get({}, offset {offset}, length {length})",
                shown(key)
            ),
            Ask::List {
                prefix,
                after,
                limit,
            } => {
                write!(f, "object-reader.list-objects({}/", shown(prefix))?;
                if let Some(after) = after {
                    write!(f, ", after {}", shown(after))?;
                }
                write!(f, ", limit {limit})")
            }
            Ask::Put { key, bytes, mode } => {
                let (key, size) = (shown(key), counted(bytes.0.len(), "byte"));
                match mode {
                    WriteMode::Create => {
                        write!(f, "object-writer.put({key}, {size}, create)")
                    }
                    WriteMode::Update(version) => write!(
                        f,
                        "object-writer.put({key}, {size}, update {})",
                        shown(version.as_str())
                    ),
                }
            }
            Ask::StagedFiles => f.write_str("staging.list-files()"),
            Ask::ReadStaged {
                name,
                offset,
                length,
            } => write!(
                f,
                "staging.read-file({}, offset {offset}, length {length})",
                shown(name)
            ),
            Ask::LoadState { scope, key } => write!(f, "state of the {scope}, key {}", shown(key)),
            Ask::CountState { scope } => write!(f, "number of keys in the state of the {scope}"),
        }
    }
}

impl fmt::Display for Answer {
    /// What came of the call, in some words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Object(object) | Answer::Written(object) => {
                write!(f, "an object of {}", counted(object.size, "byte"))
            }
            Answer::Content { bytes, .. } | Answer::Bytes(bytes) | Answer::Value(Some(bytes)) => {
                f.write_str(&counted(bytes.0.len(), "byte"))
            }
            Answer::Page(page) => f.write_str(&counted(page.entries.len(), "object")),
            Answer::Files(files) => f.write_str(&counted(files.len(), "file")),
            Answer::Value(None) => f.write_str("nothing"),
            Answer::Count(count) => write!(f, "{count}"),
            Answer::ReadFailed(ReadFailure::NotFound)
            | Answer::StagingFailed(StagingFailure::NotFound) => f.write_str("not found"),
            Answer::ReadFailed(ReadFailure::TooLarge(cap))
            | Answer::StagingFailed(StagingFailure::TooLarge(cap)) => {
                write!(f, "more than {cap}")
            }
            Answer::ReadFailed(ReadFailure::Store(failure))
            | Answer::WriteFailed(WriteFailure::Store(failure)) => {
                f.write_str(&shown(&failure.to_string()))
            }
            Answer::WriteFailed(WriteFailure::Stale(_)) => f.write_str("stale"),
            Answer::StagingFailed(StagingFailure::Failed(cause)) | Answer::StateFailed(cause) => {
                f.write_str(&shown(cause))
            }
        }
    }
}
