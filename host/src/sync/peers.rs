//! What a stream's other nodes publish, and documents made of it.

use object_store::path::Path;

use super::attempt::Attempt;
use super::machine::{MarkerSeen, Peer, Peers, Proposal, RemoteSeen, Source};
use super::publishers::{MAX_LISTED, Publishers, peers_path, read_schema};
use crate::contract::{Choice, StoreFailure};
use crate::planted::{self, Defect};
use crate::schema::Schema;
use crate::text::counted;

impl Attempt<'_> {
    /// The schemas of the stream's other nodes, and its base; and this node's own, if it is asked for. Objects that a
    /// listing shows with the same ETag are fetched once, and this node's own only if it changed since it was confirmed.
    pub(super) async fn gather_peers(&mut self, with_own: bool) -> Result<Peers, StoreFailure> {
        let listed = self
            .core
            .store
            .list(&peers_path(&self.keys), MAX_LISTED)
            .await;
        let listing = self.heard("LIST", &self.keys.peers_prefix.clone(), listed, |listing| {
            counted(listing.objects.len(), "object")
        })?;
        let unchanged = self.stream.confirmed.as_ref().filter(|confirmed| {
            let own = listing.objects.iter().find(|it| it.key == self.keys.schema);
            own.zip(confirmed.version.as_ref())
                .is_some_and(|(own, version)| own.has_content_of(version))
        });
        let known = unchanged.map(|confirmed| &confirmed.document.schema);
        let ignored = &self.plan.ignore_peers;
        let mut publishers = Publishers::of(listing, &self.keys, &self.core.node, ignored);
        if !with_own {
            publishers = publishers.without_own();
        }
        let mut published = publishers
            .fetch(&self.core.store, self.core.max_schema_size, known)
            .await;
        for (_, failure) in &published.failed {
            self.store_failed(failure);
        }
        let stored = published.take_own();
        // What could not be fetched may hold anything.
        let complete = published.whole && published.failed.is_empty();
        let schemas = published.schemas.into_iter().flat_map(|(schema, group)| {
            group.into_iter().map(move |publisher| Peer {
                key: publisher.key.into(),
                node: publisher.node,
                schema: schema.clone(),
            })
        });
        let failed = published
            .failed
            .into_iter()
            .map(|(publisher, failure)| (publisher, failure.to_string()));
        let unreadable = published.corrupt.into_iter().chain(failed);
        let mut peers = Peers {
            own: self.core.node.as_str().to_owned(),
            schemas: schemas.collect(),
            unreadable: unreadable
                .map(|(publisher, cause)| (publisher.key.into(), cause))
                .collect(),
            complete,
            stored,
        };
        peers.schemas.sort_by(|one, other| one.key.cmp(&other.key));
        peers.unreadable.sort();
        self.story.request(
            "GET",
            format!("{}*", self.keys.peers_prefix),
            counted(peers.schemas.len(), "schema"),
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
        let peers = match self.gather_peers(false).await {
            Ok(peers) => peers,
            Err(_) if planted::is(Defect::IgnoresFailedListing) => Peers {
                complete: true,
                ..Peers::default()
            },
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

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(types: &[&str]) -> Peers {
        let peer = |data_type: &&str| {
            Peer {
            key: "app/n2.schema.json".to_owned(),
            node: Some("n2".to_owned()),
            schema: Schema::parse(
                format!(
                    r#"{{"fields":[{{"name":"a","data_type":"{data_type}","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{{}}}}],"metadata":{{}}}}"#
                )
                .as_bytes(),
            )
            .unwrap(),
        }
        };
        Peers {
            schemas: types.iter().map(peer).collect(),
            ..Peers::default()
        }
    }

    #[test]
    fn peers_that_clash_or_are_not_there_make_no_fallback() {
        let known = peers(&["Utf8", "Utf8"]);
        assert_eq!(merge(&known).as_ref(), Ok(&known.schemas[0].schema));
        let clash = merge(&peers(&["Utf8", "Int64"])).unwrap_err();
        assert!(
            clash.contains("app/n2.schema.json") && clash.contains("`a`"),
            "{clash}"
        );
        assert!(merge(&peers(&[])).unwrap_err().contains("no peer"));
    }
}
