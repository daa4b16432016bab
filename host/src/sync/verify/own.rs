//! This node's object: is it there, does it parse, does it mean what was confirmed?

use super::difference::Difference;
use super::finding::{Kind, Side};
use super::{Check, Subject};
use crate::contract::StoreFailure;
use crate::schema::Schema;
use crate::sync::machine::{MarkerSeen, RemoteSeen, Stream};
use crate::sync::marker::Search;
use crate::sync::publishers::read_schema;

/// What is found about this node's object.
pub(super) struct Own {
    pub(super) kinds: Vec<Kind>,
    /// The schema that stands there.
    pub(super) stored: Option<Schema>,
}

impl Own {
    fn found(kind: Kind) -> Self {
        Self {
            kinds: vec![kind],
            stored: None,
        }
    }
}

/// What stands under the key.
enum Standing {
    /// The version that the ledger knows, and so its content.
    Unchanged(Schema),
    /// Something that had to be read.
    Read(RemoteSeen),
}

impl Check<'_, '_> {
    pub(super) async fn own(&self, subject: Subject<'_>, known: &Stream) -> Own {
        let key = subject.keys.schema.to_string();
        let restorable = known.true_schema().is_some();
        let remote = match self.look(subject, known).await {
            Err(failure) => return Own::found(Kind::unreachable(key, failure)),
            Ok(Standing::Unchanged(schema)) => {
                // Our own fallback gives way to what is staged.
                let clash = match known.source().is_some_and(|source| source.is_fallback()) {
                    true => None,
                    false => self.staged_clash(subject, known, &schema),
                };
                return Own {
                    kinds: clash.into_iter().collect(),
                    stored: Some(schema),
                };
            }
            Ok(Standing::Read(remote)) => remote,
        };
        let loss = match remote {
            // Nothing is known of what never stood there.
            RemoteSeen::Missing if known.confirmed.is_none() => {
                return Own {
                    kinds: Vec::new(),
                    stored: None,
                };
            }
            RemoteSeen::Missing => Own::found(Kind::Missing { key, restorable }),
            RemoteSeen::Corrupt { reason, .. } => Own::found(Kind::Corrupt {
                key,
                reason,
                restorable,
            }),
            RemoteSeen::WellFormed { schema, .. } => self.changed(subject, known, schema),
        };
        if !loss.kinds.iter().any(Kind::is_loss) {
            return loss;
        }
        match self.ended(subject, known).await {
            Ok(None) => loss,
            Ok(Some(ended)) => Own::found(ended),
            Err(failure) => {
                let marker = subject.keys.marker.as_ref();
                let key =
                    marker.map_or_else(|| subject.keys.peers_prefix.clone(), ToString::to_string);
                Own::found(Kind::unreachable(key, failure))
            }
        }
    }

    /// HEAD first, GET only what differs. A missing object is asked for with a GET too: on S3 an answer to HEAD can't
    /// tell a missing object from a missing bucket.
    async fn look(&self, subject: Subject<'_>, known: &Stream) -> Result<Standing, StoreFailure> {
        let key = &subject.keys.schema;
        if let Some(confirmed) = &known.confirmed
            && let Some(version) = &confirmed.version
            && let Some(object) = self.store.head(key).await?
            && object.version.as_ref() == Some(version)
        {
            return Ok(Standing::Unchanged(confirmed.document.schema.clone()));
        }
        let fetched = self.store.get(key, self.context.max_schema_size).await?;
        Ok(Standing::Read(read_schema(fetched)))
    }

    /// An object of another version, and well-formed.
    fn changed(&self, subject: Subject<'_>, known: &Stream, stored: Schema) -> Own {
        let key = subject.keys.schema.to_string();
        let intent = known.intent.as_ref();
        let awaited = intent.is_some_and(|intent| intent.document.schema == stored);
        let kind = match &known.confirmed {
            _ if awaited => None,
            Some(confirmed) if confirmed.document.schema == stored => None,
            Some(confirmed) => {
                let Difference {
                    lost,
                    gained,
                    changed,
                    omitted,
                } = Difference::between(&confirmed.document.schema, &stored);
                let sound =
                    confirmed.source.is_fallback() || stored.covers(&confirmed.document.schema);
                Some(match sound {
                    true => Kind::Drifted {
                        key,
                        gained,
                        changed,
                        lost,
                        omitted,
                    },
                    false => Kind::Overwritten {
                        key,
                        lost,
                        changed,
                        omitted,
                    },
                })
            }
            None => None,
        };
        let lost = kind.as_ref().is_some_and(Kind::is_loss);
        let clash = match lost {
            true => None,
            false => self.staged_clash(subject, known, &stored),
        };
        Own {
            kinds: kind.into_iter().chain(clash).collect(),
            stored: Some(stored),
        }
    }

    /// Whether what was staged last can't be merged with what stands in the store.
    fn staged_clash(&self, subject: Subject<'_>, known: &Stream, stored: &Schema) -> Option<Kind> {
        let clash = known.captured.as_ref()?.schema.merge(stored).err()?;
        let node = Some(self.context.node.as_str().to_owned());
        Some(Kind::Conflict {
            field: clash.field,
            ours: Side {
                node: node.clone(),
                key: None,
                has: clash.ours,
                nodes: 1,
            },
            theirs: Side {
                node,
                key: Some(subject.keys.schema.to_string()),
                has: clash.theirs,
                nodes: 1,
            },
        })
    }

    /// Whether the incarnation that the ledger knows of came to its end: then nothing is lost.
    async fn ended(
        &self,
        subject: Subject<'_>,
        known: &Stream,
    ) -> Result<Option<Kind>, StoreFailure> {
        let search = Search {
            store: self.store,
            layout: self.context.layout,
            keys: subject.keys,
            clock: self.context.clock,
            known: known.incarnation.as_ref(),
        };
        Ok(match search.run(&mut |_, _, _| {}).await? {
            MarkerSeen::Gone => Some(Kind::Gone),
            MarkerSeen::Present(marker) => known
                .incarnation
                .as_ref()
                .filter(|known| known.is_succeeded_by(&marker))
                .map(|_| Kind::CreatedAnew {
                    created_at: marker.created_at,
                }),
            MarkerSeen::NotNeeded => None,
        })
    }
}
