//! What a stream's other nodes publish, and documents made of it.

use std::collections::HashMap;

use futures::StreamExt;
use object_store::path::Path;

use super::attempt::Attempt;
use super::machine::{MarkerSeen, Peer, Peers, Proposal, RemoteSeen, Source};
use super::perform::{MAX_LISTED, read_schema};
use crate::contract::{Choice, StoreFailure};
use crate::schema::Schema;
use crate::staging::KeyKind;

/// Peers that are fetched at once for one stream.
const AT_ONCE: usize = 8;

impl Attempt<'_> {
    /// The schemas of the stream's other nodes, and its base. Objects that a listing shows with the same ETag are
    /// fetched once.
    pub(super) async fn gather_peers(&mut self) -> Result<Peers, StoreFailure> {
        let prefix = self.peers_path();
        let listed = self.core.store.list(&prefix, MAX_LISTED).await;
        let listing = self.heard("LIST", &self.keys.peers_prefix.clone(), listed, |listing| {
            format!("{} objects", listing.objects.len())
        })?;
        let mut groups: HashMap<String, Vec<Path>> = HashMap::new();
        let mut base_listed = false;
        for object in listing.objects {
            let wanted = match self.keys.classify(&object.key) {
                KeyKind::Base => {
                    base_listed = true;
                    true
                }
                KeyKind::Peer(node) => !self.plan.ignore_peers.contains(&node),
                _ => false,
            };
            if wanted {
                let group = object.listed_etag.unwrap_or_else(|| object.key.to_string());
                groups.entry(group).or_default().push(object.key);
            }
        }
        // A base that lies elsewhere is no part of the listing.
        if let Some(base) = self
            .keys
            .base
            .clone()
            .filter(|base| !base_listed && !base.prefix_matches(&prefix))
        {
            groups.entry(base.to_string()).or_default().push(base);
        }
        let mut peers = Peers {
            complete: !listing.truncated,
            ..Peers::default()
        };
        let (store, limit) = (&self.core.store, self.core.max_schema_size);
        let fetches = groups.into_values().filter_map(|keys| {
            let first = keys.first()?.clone();
            Some(async move { (keys, store.get(&first, limit).await.map(read_schema)) })
        });
        let fetched: Vec<_> = futures::stream::iter(fetches)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (keys, answer) in fetched {
            match answer {
                Ok(RemoteSeen::Missing) => {}
                Ok(RemoteSeen::WellFormed { schema, .. }) => {
                    peers.schemas.extend(keys.into_iter().map(|key| Peer {
                        key: key.into(),
                        schema: schema.clone(),
                    }));
                }
                Ok(RemoteSeen::Corrupt { reason, .. }) => {
                    peers
                        .unreadable
                        .extend(keys.into_iter().map(|key| (key.into(), reason.clone())));
                }
                Err(failure) => {
                    // What could not be fetched may hold anything.
                    peers.complete = false;
                    peers.unreadable.extend(
                        keys.into_iter()
                            .map(|key| (key.into(), failure.to_string())),
                    );
                }
            }
        }
        peers.schemas.sort_by(|one, other| one.key.cmp(&other.key));
        peers.unreadable.sort();
        self.story.request(
            "GET",
            format!("{}*", self.keys.peers_prefix),
            format!("{} schemas", peers.schemas.len()),
        );
        Ok(peers)
    }

    /// Turns a choice into a document, with all that its gates need.
    pub(super) async fn resolve(&mut self, choice: Choice) -> Proposal {
        let marker = match self.check_marker().await {
            Ok(marker) => marker,
            Err(failure) => return Proposal::Failed(failure),
        };
        if marker == MarkerSeen::Gone {
            return Proposal::Schema {
                schema: Schema::empty(),
                source: Source::Peers,
                peers: Peers::default(),
                marker,
            };
        }
        let peers = match self.gather_peers().await {
            Ok(peers) => peers,
            Err(failure) => return Proposal::Failed(failure),
        };
        let proposed = match choice {
            Choice::Peers => merge(&peers).map(|schema| (schema, Source::Peers)),
            Choice::Named(name) => match self.plan.defaults.get(&name) {
                Some(schema) => Ok((schema.clone(), Source::Named(name))),
                None => Err(format!(
                    "no default schema is named `{name}` in the configuration"
                )),
            },
            Choice::Object(key) => match self.fetch_chosen(&key).await {
                Ok(found) => found.map(|schema| (schema, Source::Object(key))),
                Err(failure) => return Proposal::Failed(failure),
            },
            Choice::Document(text) => match Schema::parse(text.as_bytes()) {
                Ok(schema) => Ok((schema, Source::Document)),
                Err(error) => Err(format!("the policy's document is no schema: {error}")),
            },
            Choice::Skip(reason) => Err(reason),
            Choice::Abstain => Err("no fallback policy chose anything".to_owned()),
        };
        match proposed {
            Ok((schema, source)) => Proposal::Schema {
                schema,
                source,
                peers,
                marker,
            },
            Err(reason) => Proposal::Refused(reason),
        }
    }

    /// The schema in the object that a policy chose; the policy layer has checked that it may read it.
    async fn fetch_chosen(&mut self, key: &str) -> Result<Result<Schema, String>, StoreFailure> {
        let path = match Path::parse(key) {
            Ok(path) => path,
            Err(error) => return Ok(Err(format!("`{}` is no key: {error}", key.escape_debug()))),
        };
        let got = self
            .core
            .store
            .get(&path, self.core.max_schema_size)
            .await
            .map(read_schema);
        let remote = self.heard("GET", key, got, |_| {
            "the object that a policy chose".to_owned()
        })?;
        Ok(match remote {
            RemoteSeen::WellFormed { schema, .. } => Ok(schema),
            RemoteSeen::Missing => Err(format!("the object {key} does not exist")),
            RemoteSeen::Corrupt { reason, .. } => {
                Err(format!("the object {key} is no schema: {reason}"))
            }
        })
    }
}

/// One schema for the readers of all of them.
fn merge(peers: &Peers) -> Result<Schema, String> {
    let mut schemas = peers.schemas.iter();
    let Some(first) = schemas.next() else {
        return Err("no peer and no base publishes a schema".to_owned());
    };
    schemas.try_fold(first.schema.clone(), |merged, peer| {
        merged.merge(&peer.schema).map_err(|conflict| {
            format!(
                "the peers can't be merged, from {} on: {conflict}",
                peer.key
            )
        })
    })
}
