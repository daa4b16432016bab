use crate::bindings::types as wit;
use crate::{Entropy, Span, Timestamp};

pub use wit::{Phase, Trigger};

/// All that a decision may depend on, besides what the policy reads through its [`Host`](crate::Host). Each field means
/// what the contract's `stream-facts` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The stream's tenant, in layouts that have tenants.
    pub tenant: Option<String>,
    /// The stream's name.
    pub name: String,
    /// This node's identity, as it appears in object keys.
    pub node: String,
    /// The host's clock when the decision began.
    pub now: Timestamp,
    /// When the host first saw this node's identity.
    pub node_seen: Timestamp,
    /// Where the stream stands in the node's ledger.
    pub phase: Phase,
    /// Why the host asks now.
    pub trigger: Trigger,
    /// Failed attempts since the last success, the one that a retry policy is asked about among them.
    pub attempts: u32,
    /// Since when attempts have failed.
    pub failing_since: Option<Timestamp>,
    /// Since when a schema has been owed and absent.
    pub absent_since: Option<Timestamp>,
    /// For how many checks it has been so.
    pub absences: u32,
    /// When the store was last known to hold the stream's schema.
    pub last_success: Option<Timestamp>,
    /// The delay before this attempt, after the host's clamp.
    pub previous_delay: Option<Span>,
    /// What stands in staging where the schema belongs.
    pub local: LocalState,
    /// This node's schema object as the ledger last saw it.
    pub remote: RemoteState,
    /// Data files that wait in staging.
    pub staged_data_files: u32,
    /// When the host first saw the oldest of them.
    pub oldest_data_file: Option<Timestamp>,
    /// The key that this node's schema belongs under.
    pub schema_key: String,
    /// The prefix, ending in `/`, under which the stream's other nodes publish theirs.
    pub peers_prefix: String,
    /// The key of the stream's base schema, in layouts that have one.
    pub base_key: Option<String>,
    /// The names of the default schemas that the operator configured for this stream.
    pub defaults: Vec<String>,
    /// How the store has been doing for the whole node.
    pub store: StoreHealth,
    /// What the layout knows besides, by documented name.
    pub attributes: Vec<(String, String)>,
    /// The random word of this decision.
    pub entropy: Entropy,
}

impl Facts {
    /// The stream's name for messages and state: `tenant/name`, or the name alone. Neither part can hold a `/`.
    pub fn stream(&self) -> String {
        match &self.tenant {
            Some(tenant) => format!("{tenant}/{}", self.name),
            None => self.name.clone(),
        }
    }

    /// The attribute of this name: `stream-type`, `static-schema`, `created-at`, `mode`, …
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What stands in staging where the stream's schema belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalState {
    /// Nothing.
    Missing,
    /// Something that can't be read as a file. Carries the cause.
    Unreadable(String),
    /// A file over the host's limit for schemas. Carries its size in bytes.
    TooLarge(u64),
    /// A file that was read.
    File(LocalFile),
}

/// A schema file in staging, as the host last read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFile {
    /// Size in bytes.
    pub size: u64,
    /// The file's own modification time.
    pub modified: Timestamp,
    /// Since when the host has seen the file unchanged.
    pub stable_since: Timestamp,
    /// Changes when the schema's meaning changes; 0 while it is ill-formed.
    pub fingerprint: u64,
    /// Whether the content is a schema in the layout's format.
    pub well_formed: bool,
}

/// This node's schema object as the ledger last saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteState {
    /// Never looked.
    Unknown,
    /// Looked then, and nothing stood there.
    Missing(Timestamp),
    /// An object stood there.
    Found(RemoteInfo),
}

/// An object and when it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteInfo {
    /// The object.
    pub object: ObjectInfo,
    /// When the host's request was answered.
    pub seen: Timestamp,
}

/// An object in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Size in bytes.
    pub size: u64,
    /// The store's last-modified time; many stores cut it to whole seconds.
    pub modified: Timestamp,
    /// The opaque token that a conditional write compares.
    pub version: Option<String>,
}

/// How the store has been doing for the whole node, all its streams together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreHealth {
    /// When an attempt last had all its requests answered.
    pub last_success: Option<Timestamp>,
    /// Streams in whose latest attempt a request failed.
    pub failing_streams: u32,
    /// Streams that the node has.
    pub streams: u32,
}

impl From<wit::StreamFacts> for Facts {
    fn from(facts: wit::StreamFacts) -> Self {
        let moment = |moment: Option<u64>| moment.map(Timestamp::from_millis);
        Self {
            tenant: facts.tenant,
            name: facts.name,
            node: facts.node,
            now: Timestamp::from_millis(facts.now),
            node_seen: Timestamp::from_millis(facts.node_seen),
            phase: facts.phase,
            trigger: facts.trigger,
            attempts: facts.attempts,
            failing_since: moment(facts.failing_since),
            absent_since: moment(facts.absent_since),
            absences: facts.absences,
            last_success: moment(facts.last_success),
            previous_delay: facts.previous_delay.map(Span::from),
            local: facts.local.into(),
            remote: facts.remote.into(),
            staged_data_files: facts.staged_data_files,
            oldest_data_file: moment(facts.oldest_data_file),
            schema_key: facts.schema_key,
            peers_prefix: facts.peers_prefix,
            base_key: facts.base_key,
            defaults: facts.defaults,
            store: StoreHealth {
                last_success: moment(facts.store.last_success),
                failing_streams: facts.store.failing_streams,
                streams: facts.store.streams,
            },
            attributes: facts.attributes,
            entropy: Entropy::from_word(facts.entropy),
        }
    }
}

impl From<wit::LocalState> for LocalState {
    fn from(state: wit::LocalState) -> Self {
        match state {
            wit::LocalState::Missing => LocalState::Missing,
            wit::LocalState::Unreadable(cause) => LocalState::Unreadable(cause),
            wit::LocalState::TooLarge(size) => LocalState::TooLarge(size),
            wit::LocalState::File(file) => LocalState::File(LocalFile {
                size: file.size,
                modified: Timestamp::from_millis(file.modified),
                stable_since: Timestamp::from_millis(file.stable_since),
                fingerprint: file.fingerprint,
                well_formed: file.well_formed,
            }),
        }
    }
}

impl From<wit::RemoteState> for RemoteState {
    fn from(state: wit::RemoteState) -> Self {
        match state {
            wit::RemoteState::Unknown => RemoteState::Unknown,
            wit::RemoteState::Missing(seen) => RemoteState::Missing(Timestamp::from_millis(seen)),
            wit::RemoteState::Found(found) => RemoteState::Found(RemoteInfo {
                object: found.object.into(),
                seen: Timestamp::from_millis(found.seen),
            }),
        }
    }
}

impl From<wit::ObjectInfo> for ObjectInfo {
    fn from(object: wit::ObjectInfo) -> Self {
        Self {
            size: object.size,
            modified: Timestamp::from_millis(object.modified),
            version: object.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_comes_to_its_own_place() {
        let at = Timestamp::from_millis;
        let wire = wit::StreamFacts {
            tenant: Some("acme".to_owned()),
            name: "app".to_owned(),
            node: "n1".to_owned(),
            now: 1,
            node_seen: 2,
            phase: Phase::Awaiting,
            trigger: Trigger::Requested,
            attempts: 3,
            failing_since: Some(4),
            absent_since: Some(5),
            absences: 6,
            last_success: Some(7),
            previous_delay: Some(8),
            local: wit::LocalState::File(wit::LocalSchema {
                size: 9,
                modified: 10,
                stable_since: 11,
                fingerprint: 12,
                well_formed: true,
            }),
            remote: wit::RemoteState::Found(wit::RemoteInfo {
                object: wit::ObjectInfo {
                    size: 13,
                    modified: 14,
                    version: Some("v".to_owned()),
                },
                seen: 15,
            }),
            staged_data_files: 16,
            oldest_data_file: Some(17),
            schema_key: "own".to_owned(),
            peers_prefix: "peers/".to_owned(),
            base_key: Some("base".to_owned()),
            defaults: vec!["wide".to_owned()],
            store: wit::StoreHealth {
                last_success: Some(18),
                failing_streams: 19,
                streams: 20,
            },
            attributes: vec![("mode".to_owned(), "all".to_owned())],
            entropy: 21,
        };
        let facts = Facts::from(wire);
        assert_eq!(
            (facts.stream(), facts.attribute("mode")),
            ("acme/app".to_owned(), Some("all"))
        );
        assert_eq!(
            (facts.node.as_str(), facts.phase, facts.trigger),
            ("n1", Phase::Awaiting, Trigger::Requested)
        );
        assert_eq!((facts.now, facts.node_seen), (at(1), at(2)));
        assert_eq!((facts.attempts, facts.failing_since), (3, Some(at(4))));
        assert_eq!((facts.absent_since, facts.absences), (Some(at(5)), 6));
        assert_eq!(
            (facts.last_success, facts.previous_delay),
            (Some(at(7)), Some(Span::millis(8)))
        );
        let file = LocalFile {
            size: 9,
            modified: at(10),
            stable_since: at(11),
            fingerprint: 12,
            well_formed: true,
        };
        assert_eq!(facts.local, LocalState::File(file));
        let object = ObjectInfo {
            size: 13,
            modified: at(14),
            version: Some("v".to_owned()),
        };
        let found = RemoteInfo {
            object,
            seen: at(15),
        };
        assert_eq!(facts.remote, RemoteState::Found(found));
        assert_eq!(
            (facts.staged_data_files, facts.oldest_data_file),
            (16, Some(at(17)))
        );
        let keys = [
            Some(facts.schema_key),
            Some(facts.peers_prefix),
            facts.base_key,
        ];
        assert_eq!(
            keys,
            ["own", "peers/", "base"].map(|key| Some(key.to_owned()))
        );
        assert_eq!(
            (facts.defaults, facts.entropy.word()),
            (vec!["wide".to_owned()], 21)
        );
        let store = StoreHealth {
            last_success: Some(at(18)),
            failing_streams: 19,
            streams: 20,
        };
        assert_eq!(facts.store, store);
    }
}
