//! Who publishes a schema of a stream, and what each of them publishes.

use std::collections::{BTreeSet, HashMap};

use futures::StreamExt;
use object_store::path::Path;

use super::machine::RemoteSeen;
use crate::contract::StoreFailure;
use crate::schema::Schema;
use crate::staging::{KeyKind, StreamKeys};
use crate::storage::{Fetched, Listing, Store};
use crate::stream::NodeId;
use crate::text::counted;

/// The most objects that are listed under one stream's prefix: nodes, times two.
pub(super) const MAX_LISTED: usize = 10_000;

/// Schemas that are fetched at once for one stream.
const AT_ONCE: usize = 8;

/// One object that holds a schema of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Publisher {
    /// The object's key.
    pub(super) key: Path,
    /// Whose it is; `None` for the base, which belongs to all nodes.
    pub(super) node: Option<String>,
    /// Whether it is this node's.
    pub(super) own: bool,
}

/// The publishers of a stream, those together whose objects a listing shows with the same ETag.
#[derive(Debug)]
pub(super) struct Publishers {
    groups: Vec<Vec<Publisher>>,
    /// Whether the listing was whole.
    whole: bool,
}

/// What the publishers of a stream publish.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// Each schema with those that publish it, by the key of the first.
    pub(super) schemas: Vec<(Schema, Vec<Publisher>)>,
    /// Objects that are no schema, with the reason.
    pub(super) corrupt: Vec<(Publisher, String)>,
    /// Objects that could not be read.
    pub(super) failed: Vec<(Publisher, StoreFailure)>,
    /// Whether the listing was whole.
    pub(super) whole: bool,
}

impl Publishers {
    /// The publishers in a listing of [`peers_path`], apart from the `ignored` nodes; and the base where it lies
    /// elsewhere.
    pub(super) fn of(
        listing: Listing,
        keys: &StreamKeys,
        node: &NodeId,
        ignored: &BTreeSet<String>,
    ) -> Self {
        let mut places: HashMap<(String, u64), usize> = HashMap::new();
        let mut groups: Vec<Vec<Publisher>> = Vec::new();
        let mut base_listed = false;
        for object in listing.objects {
            let (whose, own) = match keys.classify(&object.key) {
                KeyKind::Own => (Some(node.as_str().to_owned()), true),
                KeyKind::Peer(node) if !ignored.contains(&node) => (Some(node), false),
                KeyKind::Base => {
                    base_listed = true;
                    (None, false)
                }
                _ => continue,
            };
            // A store that has no ETag in its listings may write an empty one.
            let etag = object.listed_etag.filter(|etag| !etag.is_empty());
            let content = etag.unwrap_or_else(|| object.key.to_string());
            let at = *places.entry((content, object.size)).or_insert(groups.len());
            if at == groups.len() {
                groups.push(Vec::new());
            }
            if let Some(group) = groups.get_mut(at) {
                group.push(Publisher {
                    key: object.key,
                    node: whose,
                    own,
                });
            }
        }
        let elsewhere = |base: &&Path| !base_listed && !base.prefix_matches(&peers_path(keys));
        groups.extend(keys.base.as_ref().filter(elsewhere).map(|base| {
            vec![Publisher {
                key: base.clone(),
                node: None,
                own: false,
            }]
        }));
        Self {
            groups,
            whole: !listing.truncated,
        }
    }

    /// The same without this node.
    pub(super) fn without_own(mut self) -> Self {
        for group in &mut self.groups {
            group.retain(|publisher| !publisher.own);
        }
        self.groups.retain(|group| !group.is_empty());
        self
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Publisher> {
        self.groups.iter().flatten()
    }

    /// Reads what each publishes, with one GET for each ETag, and none for this node's where its schema is known.
    pub(super) async fn fetch(self, store: &Store, max: u64, own: Option<&Schema>) -> Published {
        let mut published = Published {
            whole: self.whole,
            ..Published::default()
        };
        let fetches: Vec<_> = self
            .groups
            .into_iter()
            .filter_map(|group| {
                let first = group.first()?.key.clone();
                let known = own.filter(|_| group.iter().any(|publisher| publisher.own));
                let known = known.cloned();
                Some(async move {
                    let seen = match known {
                        Some(schema) => Ok(Ok(schema)),
                        None => store.get(&first, max).await.map(content).transpose()?,
                    };
                    Some((group, seen))
                })
            })
            .collect();
        let mut answers = futures::stream::iter(fetches).buffered(AT_ONCE);
        while let Some(answer) = answers.next().await {
            match answer {
                // It was deleted since it was listed.
                None => {}
                Some((group, Ok(Ok(schema)))) => published.schemas.push((schema, group)),
                Some((group, Ok(Err(reason)))) => published.corrupt.extend(
                    group
                        .into_iter()
                        .map(|publisher| (publisher, reason.clone())),
                ),
                Some((group, Err(failure))) => published.failed.extend(
                    group
                        .into_iter()
                        .map(|publisher| (publisher, failure.clone())),
                ),
            }
        }
        published
    }
}

impl Published {
    /// Takes out what this node publishes, so that the others are left; `None` if that could not be read.
    pub(super) fn take_own(&mut self) -> Option<Schema> {
        let mut own = None;
        for (schema, group) in &mut self.schemas {
            let before = group.len();
            group.retain(|publisher| !publisher.own);
            if group.len() < before {
                own = Some(schema.clone());
            }
        }
        self.schemas.retain(|(_, group)| !group.is_empty());
        self.corrupt.retain(|(publisher, _)| !publisher.own);
        own
    }
}

fn content(fetched: Fetched) -> Option<Result<Schema, String>> {
    match read_schema(fetched) {
        RemoteSeen::Missing => None,
        RemoteSeen::WellFormed { schema, .. } => Some(Ok(schema)),
        RemoteSeen::Corrupt { reason, .. } => Some(Err(reason)),
    }
}

/// What a GET of a schema means.
pub(super) fn read_schema(fetched: Fetched) -> RemoteSeen {
    match fetched {
        Fetched::Missing => RemoteSeen::Missing,
        Fetched::TooLarge(object) => {
            let reason = format!(
                "{} are more than the limit for schemas",
                counted(object.size, "byte")
            );
            RemoteSeen::Corrupt { object, reason }
        }
        Fetched::Found(found) => match Schema::parse(&found.bytes) {
            Ok(schema) => RemoteSeen::WellFormed {
                object: found.info,
                schema,
            },
            Err(error) => RemoteSeen::Corrupt {
                object: found.info,
                reason: error.to_string(),
            },
        },
    }
}

/// The prefix of a stream's publishers, without its trailing `/`.
pub(super) fn peers_path(keys: &StreamKeys) -> Path {
    let text = keys.peers_prefix.trim_end_matches('/');
    // Keys that the layout made are well-formed; encoding them again would name another stream.
    Path::parse(text).unwrap_or_default()
}
