//! Decides whether the configured store is the one that the ledger is about.
//!
//! A store's name (kind, bucket, prefix) says which store is meant, and its address says where it is reached. The
//! address can change while the store stays the same, and two servers can have buckets of the same name. So if only the
//! address differs, the store is asked for a few of the objects that the ledger knows.

use std::fmt;

use crate::config::Settings;
use crate::contract::{RemoteState, StoreFailure};
use crate::ledger::{LedgerReader, StreamRecord};
use crate::schema::Schema;
use crate::storage::{Fetched, Key, Store, StoreId};
use crate::stream::StreamId;
use crate::sync::restore;

use super::AgentError;

/// The most streams that are looked up.
pub const STREAMS_COMPARED: usize = 8;

/// The largest marker that is read, in bytes.
const MAX_MARKER: u64 = 16 << 20;

/// What is known about a ledger and a store that is not the one it was made for.
#[derive(Clone, Debug)]
pub struct Recognition {
    /// The identity of the store that the ledger is about.
    pub recorded: String,
    /// The identity of the configured store.
    pub configured: String,
    /// Number of claims that the ledger makes about its store.
    pub claims: u64,
    /// The streams that were looked up. Empty if the store was not asked.
    pub compared: Vec<Compared>,
}

/// A stream of the ledger, looked up in the configured store.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The stream.
    pub stream: StreamId,
    /// The key of the object that was read.
    pub key: String,
    /// What was found.
    pub finding: Finding,
}

/// What the configured store has of a stream of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The stream's marker, created at the millisecond that the ledger knows.
    SameMarker,
    /// The stream's schema, with the version and the time that the ledger knows.
    SameObject,
    /// A schema that holds what was confirmed, but was written at another time; any store could have it.
    SameFields,
    /// A marker that was created at another time.
    OtherMarker,
    /// A schema that lacks something of what was confirmed, or no schema.
    OtherFields,
    /// The object does not exist.
    Missing,
    /// The marker can't be read, so nothing is known.
    Unreadable,
    /// The store did not answer.
    Failed(StoreFailure),
}

impl Finding {
    /// Whether it proves that this is the ledger's store.
    pub fn is_proof(&self) -> bool {
        matches!(self, Finding::SameMarker | Finding::SameObject)
    }

    /// Whether it suggests that this is another store.
    pub fn is_contradiction(&self) -> bool {
        matches!(
            self,
            Finding::OtherMarker | Finding::OtherFields | Finding::Missing
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::SameMarker => f.write_str("the same marker"),
            Finding::SameObject => f.write_str("the same object"),
            Finding::SameFields => f.write_str("the same fields, written at another time"),
            Finding::OtherMarker => f.write_str("a marker with another creation time"),
            Finding::OtherFields => f.write_str("another schema"),
            Finding::Missing => f.write_str("does not exist"),
            Finding::Unreadable => f.write_str("can't be read"),
            Finding::Failed(failure) => failure.fmt(f),
        }
    }
}

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The ledger claims nothing about its store, so it can be used for any store.
    NothingClaimed,
    /// It is the same store.
    Same,
    /// It has another name.
    OtherName,
    /// It has the same name, and does not hold what the ledger knows.
    OtherContent,
    /// It has the same name, but nothing proves that it is the same store.
    Unproven,
    /// It did not answer.
    Unanswered(StoreFailure),
}

impl Recognition {
    /// Whether the two stores have the same name, so that it makes sense to compare them.
    pub fn same_name(&self) -> bool {
        let name = |id: &str| StoreId::new(id).name().to_owned();
        name(&self.recorded) == name(&self.configured)
    }

    /// How many findings are of this kind.
    pub fn count(&self, kind: impl Fn(&Finding) -> bool) -> usize {
        let findings = self.compared.iter().map(|compared| &compared.finding);
        findings.filter(|finding| kind(finding)).count()
    }

    /// Returns the verdict. Proofs must outnumber contradictions, since streams may have been deleted in the meantime.
    pub fn verdict(&self) -> Verdict {
        let failed = self
            .compared
            .iter()
            .find_map(|compared| match &compared.finding {
                Finding::Failed(failure) => Some(failure.clone()),
                _ => None,
            });
        let proofs = self.count(Finding::is_proof);
        let contradictions = self.count(Finding::is_contradiction);
        match failed {
            _ if self.claims == 0 => Verdict::NothingClaimed,
            _ if !self.same_name() => Verdict::OtherName,
            Some(failure) => Verdict::Unanswered(failure),
            None if proofs > contradictions => Verdict::Same,
            None if contradictions > 0 => Verdict::OtherContent,
            None => Verdict::Unproven,
        }
    }

    /// The error to end with, unless the ledger can be used for the configured store.
    pub fn refusal(&self, settings: &Settings) -> Option<AgentError> {
        let compared = self.compared.len();
        let why = match self.verdict() {
            Verdict::NothingClaimed | Verdict::Same => return None,
            Verdict::OtherName => "that is another store".to_owned(),
            Verdict::OtherContent => format!(
                "compared streams that the ledger knows there and that are missing or differ here: {} of {compared}",
                self.count(Finding::is_contradiction)
            ),
            Verdict::Unproven => "nothing in it proves that it is the same".to_owned(),
            Verdict::Unanswered(failure) => {
                return Some(AgentError::StoreNotCompared {
                    ledger: settings.ledger.path.display().to_string(),
                    recorded: self.recorded.clone(),
                    configured: self.configured.clone(),
                    failure: Box::new(failure),
                });
            }
        };
        Some(AgentError::OtherStore {
            ledger: settings.ledger.path.display().to_string(),
            recorded: self.recorded.clone(),
            configured: self.configured.clone(),
            why,
        })
    }
}

/// Compares the recorded store with the configured one without asking it. `None` if there is no ledger that can be
/// read, or if it is about this store.
///
/// # Errors
///
/// The ledger fails.
pub fn recognize_offline(
    settings: &Settings,
    store: &Store,
) -> Result<Option<Recognition>, AgentError> {
    // The next one to open the ledger reports what is wrong with it.
    let Ok(reader) = LedgerReader::open(&settings.ledger.path) else {
        return Ok(None);
    };
    let configured = store.id().as_str();
    let Some(recorded) = reader.meta()?.store.filter(|store| store != configured) else {
        return Ok(None);
    };
    Ok(Some(Recognition {
        recorded,
        configured: configured.to_owned(),
        claims: reader.claims()?,
        compared: Vec::new(),
    }))
}

/// Like [`recognize_offline`], but also asks the store if it has the ledger's name, or if `always` is set: one request
/// for each of at most [`STREAMS_COMPARED`] streams.
///
/// # Errors
///
/// The ledger fails.
pub async fn recognize(
    settings: &Settings,
    store: &Store,
    always: bool,
) -> Result<Option<Recognition>, AgentError> {
    let Some(mut recognition) = recognize_offline(settings, store)? else {
        return Ok(None);
    };
    if always || recognition.same_name() {
        let claimed = LedgerReader::open(&settings.ledger.path)?.claimed(STREAMS_COMPARED)?;
        for (record, documents) in claimed {
            let compared = compare(settings, store, &record, documents).await?;
            recognition.compared.extend(compared);
        }
    }
    Ok(Some(recognition))
}

/// Looks one stream up; `None` if the layout has no key for it.
async fn compare(
    settings: &Settings,
    store: &Store,
    record: &StreamRecord,
    documents: Vec<bytes::Bytes>,
) -> Result<Option<Compared>, AgentError> {
    let stream = restore(record, documents)?;
    let layout = &settings.staging.layout;
    let Ok(keys) = layout.keys(&record.node, &record.stream) else {
        return Ok(None);
    };
    let compared = |key: String, finding| {
        Ok(Some(Compared {
            stream: record.stream.clone(),
            key,
            finding,
        }))
    };
    if let Some(marker) = &stream.incarnation
        && let Ok(key) = Key::parse(&marker.key)
    {
        let finding = match store.get(&key, MAX_MARKER).await {
            Err(failure) => Finding::Failed(failure),
            Ok(Fetched::Missing) => Finding::Missing,
            Ok(Fetched::TooLarge(_)) => Finding::Unreadable,
            Ok(Fetched::Found(object)) => match layout.read_marker(&object.bytes) {
                Ok(found) if found.created_at == marker.created_at => Finding::SameMarker,
                Ok(_) => Finding::OtherMarker,
                Err(_) => Finding::Unreadable,
            },
        };
        return compared(marker.key.clone(), finding);
    }
    let Some(confirmed) = &stream.confirmed else {
        return Ok(None);
    };
    let got = store
        .get(&keys.schema, settings.staging.max_schema_size)
        .await;
    let finding = match got {
        Err(failure) => Finding::Failed(failure),
        Ok(Fetched::Missing) => Finding::Missing,
        Ok(Fetched::TooLarge(_)) => Finding::OtherFields,
        Ok(Fetched::Found(object)) => match Schema::parse(&object.bytes) {
            Ok(schema) if schema.covers(&confirmed.document.schema) => match &stream.remote {
                RemoteState::Found { object: known, .. }
                    if known.modified == object.info.modified
                        && known.version == object.info.version =>
                {
                    Finding::SameObject
                }
                _ => Finding::SameFields,
            },
            _ => Finding::OtherFields,
        },
    };
    compared(keys.schema.to_string(), finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::FailureKind;

    fn recognition(configured: &str, findings: &[Finding]) -> Recognition {
        Recognition {
            recorded: "s3://bkt?endpoint=http://one".to_owned(),
            configured: configured.to_owned(),
            claims: 1,
            compared: findings
                .iter()
                .map(|finding| Compared {
                    stream: StreamId::new("app"),
                    key: "k".to_owned(),
                    finding: finding.clone(),
                })
                .collect(),
        }
    }

    #[test]
    fn a_store_is_recognized_by_what_only_it_can_hold() {
        use Finding::{Failed, Missing, OtherMarker, SameFields, SameMarker, SameObject};
        let failure = StoreFailure::new(FailureKind::Timeout, "no answer");
        let there = "s3://bkt?endpoint=http://two";
        for (findings, verdict) in [
            (vec![SameMarker], Verdict::Same),
            (vec![SameObject, SameFields], Verdict::Same),
            (vec![SameMarker, SameMarker, Missing], Verdict::Same),
            (vec![SameMarker, Missing], Verdict::OtherContent),
            (vec![Missing], Verdict::OtherContent),
            (vec![OtherMarker, SameFields], Verdict::OtherContent),
            (vec![SameFields], Verdict::Unproven),
            (vec![], Verdict::Unproven),
            (
                vec![SameMarker, Failed(failure.clone())],
                Verdict::Unanswered(failure),
            ),
        ] {
            assert_eq!(
                recognition(there, &findings).verdict(),
                verdict,
                "{findings:?}"
            );
        }
        // Another bucket is another store, whatever it holds, unless nothing is known about the first one.
        let other = recognition("s3://other?endpoint=http://one", &[SameMarker]);
        assert_eq!(other.verdict(), Verdict::OtherName);
        let fresh = Recognition { claims: 0, ..other };
        assert_eq!(fresh.verdict(), Verdict::NothingClaimed);
    }
}
