//! Streams in every phase, for tests.

use super::stream::{Confirmed, Document, Intent, Mode};
use super::{Activity, Marker, MarkerSeen, Peer, Peers, Sighting, Source, Staged, Stream};
use crate::contract::{LocalFile, LocalState, ObjectInfo, Phase, Version};
use crate::schema::Schema;
use crate::time::Timestamp;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// `a:Utf8 b:Int64`, say.
pub(super) fn schema(fields: &str) -> Schema {
    let field = |text: &str| {
        let (name, kind) = text.split_once(':').unwrap();
        format!(
            r#"{{"name":"{name}","data_type":"{kind}","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{{}}}}"#
        )
    };
    let fields: Vec<_> = fields.split_whitespace().map(field).collect();
    Schema::parse(format!(r#"{{"fields":[{}],"metadata":{{}}}}"#, fields.join(",")).as_bytes())
        .unwrap()
}

pub(super) fn document(fields: &str) -> Document {
    Document::new(schema(fields))
}

pub(super) fn object(version: &str) -> ObjectInfo {
    ObjectInfo {
        size: 10,
        modified: NOW,
        version: Some(Version::new(version)),
    }
}

pub(super) fn marker(created_at: u64) -> Marker {
    let created_at = Timestamp::from_millis(created_at);
    Marker {
        key: "app/.stream/.stream.json".into(),
        created_at,
        seen: NOW,
        first_seen: NOW,
        attributes: vec![],
    }
}

pub(super) fn exists() -> MarkerSeen {
    MarkerSeen::Present(marker(1_000))
}

pub(super) fn sighting(signature: u64) -> Sighting {
    Sighting {
        signature,
        stable_since: NOW,
        data_files: 0,
        data_since: None,
    }
}

pub(super) fn staged(fields: &str) -> Staged {
    Staged::WellFormed {
        size: 10,
        modified: NOW,
        schema: schema(fields),
    }
}

pub(super) fn peers(schemas: &[&str]) -> Peers {
    let peer = |(number, fields): (usize, &&str)| Peer {
        key: format!("peer-{number}.schema"),
        node: Some(format!("n{number}")),
        schema: schema(fields),
    };
    Peers {
        own: "n".to_owned(),
        schemas: schemas.iter().enumerate().map(peer).collect(),
        unreadable: vec![],
        complete: true,
        stored: None,
    }
}

pub(super) fn intent(fields: &str, mode: Mode, source: Source) -> Intent {
    Intent {
        document: document(fields),
        mode,
        source,
    }
}

/// A stream as it typically is in a phase: its own schema is `a:Utf8`, its fallback is empty.
pub(super) fn stream(phase: Phase) -> Stream {
    let own = || Some(document("a:Utf8"));
    let mut stream = Stream {
        phase,
        incarnation: Some(marker(1_000)),
        sighting: sighting(7),
        ..Stream::unseen()
    };
    match phase {
        Phase::Unseen => stream.sighting = Sighting::default(),
        Phase::Idle | Phase::Awaiting => {}
        Phase::Pending | Phase::Conflicted | Phase::Abandoned => stream.captured = own(),
        Phase::Unknown => {
            stream.captured = own();
            stream.incarnation = None;
        }
        Phase::Provisional => {
            let version = Some(Version::new("v1"));
            stream.confirmed = Some(Confirmed {
                document: document(""),
                version,
                source: Source::Peers,
            });
        }
        Phase::Synced => {
            let version = Some(Version::new("v1"));
            stream.captured = own();
            stream.confirmed = Some(Confirmed {
                document: document("a:Utf8"),
                version,
                source: Source::Local,
            });
        }
        Phase::Gone => {}
    }
    if stream.captured.is_some() {
        stream.local = LocalState::File(LocalFile {
            size: 10,
            modified: NOW,
            stable_since: NOW,
            fingerprint: schema("a:Utf8").fingerprint(),
            well_formed: true,
        });
    }
    stream
}

pub(super) fn doing(phase: Phase, activity: Activity) -> Stream {
    Stream {
        activity,
        ..stream(phase)
    }
}
