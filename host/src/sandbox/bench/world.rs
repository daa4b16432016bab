//! What measured policies see of the world: what was recorded, and else a quiet cluster of three nodes.

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;

use crate::contract::ObjectInfo;
use crate::policy::{
    Answer, Ask, Entry, Page, ReadFailure, StagedFile, StagingFailure, StateScope, World,
    WorldCall, WriteFailure, WriteMode,
};
use crate::time::Timestamp;

/// What every object holds: a schema in the layouts' format.
const SCHEMA: &[u8] = br#"{"fields":[{"name":"p_timestamp","data_type":{"Timestamp":["Millisecond",null]},"nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{}},{"name":"message","data_type":"Utf8","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{}}],"metadata":{}}"#;

/// The nodes besides the one that asks.
const PEERS: [&str; 2] = ["n2", "n3"];

/// Answers at once, and the same to the same call.
#[derive(Debug)]
pub(super) struct QuietWorld {
    calls: Vec<WorldCall>,
    now: Timestamp,
}

impl QuietWorld {
    pub(super) fn new(calls: Vec<WorldCall>, now: Timestamp) -> Self {
        Self { calls, now }
    }

    fn recorded(&self, ask: &Ask) -> Option<&Answer> {
        let call = self.calls.iter().find(|call| call.ask == *ask)?;
        call.answer.as_ref()
    }

    fn object(&self) -> ObjectInfo {
        ObjectInfo {
            size: SCHEMA.len() as u64,
            modified: self.now,
            version: None,
        }
    }
}

/// The part of the bytes that a read asks for.
fn part(bytes: &'static [u8], offset: u64, length: u32) -> Bytes {
    let begin = usize::try_from(offset)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let end = begin.saturating_add(length).min(bytes.len());
    Bytes::from_static(bytes.get(begin..end).unwrap_or_default())
}

#[async_trait]
impl World for QuietWorld {
    async fn head(&self, key: &Path) -> Result<ObjectInfo, ReadFailure> {
        let ask = Ask::Head {
            key: key.to_string(),
        };
        match self.recorded(&ask) {
            Some(Answer::Object(object)) => Ok(object.clone()),
            Some(Answer::ReadFailed(failure)) => Err(failure.clone()),
            _ => Err(ReadFailure::NotFound),
        }
    }

    async fn get(
        &self,
        key: &Path,
        offset: u64,
        length: u32,
    ) -> Result<(ObjectInfo, Bytes), ReadFailure> {
        let ask = Ask::Get {
            key: key.to_string(),
            offset,
            length,
        };
        match self.recorded(&ask) {
            Some(Answer::Content { object, bytes }) => Ok((object.clone(), bytes.0.clone())),
            Some(Answer::ReadFailed(failure)) => Err(failure.clone()),
            _ => Ok((self.object(), part(SCHEMA, offset, length))),
        }
    }

    async fn list(
        &self,
        prefix: &Path,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page, ReadFailure> {
        let ask = Ask::List {
            prefix: prefix.to_string(),
            after: after.map(str::to_owned),
            limit,
        };
        match self.recorded(&ask) {
            Some(Answer::Page(page)) => Ok(page.clone()),
            Some(Answer::ReadFailed(failure)) => Err(failure.clone()),
            _ => Ok(Page {
                entries: PEERS
                    .map(|peer| Entry {
                        key: format!("{prefix}/.ingestor.{peer}.schema"),
                        size: SCHEMA.len() as u64,
                        modified: self.now,
                    })
                    .into_iter()
                    .filter(|entry| after.is_none_or(|after| entry.key.as_str() > after))
                    .take(usize::try_from(limit).unwrap_or(usize::MAX))
                    .collect(),
                next: None,
            }),
        }
    }

    async fn put(
        &self,
        key: &Path,
        bytes: Bytes,
        mode: WriteMode,
    ) -> Result<ObjectInfo, WriteFailure> {
        let written = ObjectInfo {
            size: bytes.len() as u64,
            ..self.object()
        };
        let ask = Ask::Put {
            key: key.to_string(),
            bytes: crate::policy::Content(bytes),
            mode,
        };
        match self.recorded(&ask) {
            Some(Answer::Written(object)) => Ok(object.clone()),
            Some(Answer::WriteFailed(failure)) => Err(failure.clone()),
            _ => Ok(written),
        }
    }

    async fn staged_files(&self) -> Result<Vec<StagedFile>, StagingFailure> {
        match self.recorded(&Ask::StagedFiles) {
            Some(Answer::Files(files)) => Ok(files.clone()),
            Some(Answer::StagingFailed(failure)) => Err(failure.clone()),
            _ => Ok(vec![StagedFile {
                name: "date=2026-01-01.hour=00.minute=00.data.parquet".to_owned(),
                size: SCHEMA.len() as u64,
                modified: self.now,
            }]),
        }
    }

    async fn read_staged(
        &self,
        name: &str,
        offset: u64,
        length: u32,
    ) -> Result<Bytes, StagingFailure> {
        let ask = Ask::ReadStaged {
            name: name.to_owned(),
            offset,
            length,
        };
        match self.recorded(&ask) {
            Some(Answer::Bytes(bytes)) => Ok(bytes.0.clone()),
            Some(Answer::StagingFailed(failure)) => Err(failure.clone()),
            _ => Ok(part(SCHEMA, offset, length)),
        }
    }

    async fn load_state(&self, scope: StateScope, key: &str) -> Result<Option<Vec<u8>>, String> {
        let ask = Ask::LoadState {
            scope,
            key: key.to_owned(),
        };
        match self.recorded(&ask) {
            Some(Answer::Value(value)) => Ok(value.as_ref().map(|bytes| bytes.0.to_vec())),
            Some(Answer::StateFailed(cause)) => Err(cause.clone()),
            _ => Ok(None),
        }
    }

    async fn count_state(&self, scope: StateScope) -> Result<u32, String> {
        match self.recorded(&Ask::CountState { scope }) {
            Some(Answer::Count(count)) => Ok(*count),
            Some(Answer::StateFailed(cause)) => Err(cause.clone()),
            _ => Ok(0),
        }
    }
}
