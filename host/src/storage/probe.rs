use std::fmt;

use bytes::Bytes;
use futures::future::join_all;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::contract::{FailureKind, StoreFailure, Version};
use crate::stream::NodeId;
use crate::time::Entropy;

use super::object::Put;
use super::store::Store;

/// How a store treats one kind of condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// It holds, also among writers at once.
    Honoured,
    /// It holds for one writer after another, but several writers at once may all succeed.
    LosesRaces,
    /// It is accepted and ignored: what stands there is overwritten.
    Ignored,
}

/// How a store treats conditional writes, as a probe found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionalSupport {
    /// "Only where nothing stands."
    pub create: Condition,
    /// "Only while this version stands."
    pub update: Condition,
}

impl ConditionalSupport {
    /// All is as it must be.
    pub const HONOURED: Self = Self {
        create: Condition::Honoured,
        update: Condition::Honoured,
    };

    /// Whether both conditions can be relied on.
    pub fn honoured(self) -> bool {
        self == Self::HONOURED
    }
}

impl fmt::Display for ConditionalSupport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.honoured() {
            return f.write_str("honours conditional writes");
        }
        let mut found = Vec::new();
        for (condition, name) in [(self.create, "create"), (self.update, "update")] {
            match condition {
                Condition::Honoured => {}
                Condition::LosesRaces => found.push(format!("loses races of conditional {name}s")),
                Condition::Ignored => found.push(format!("ignores the condition of {name}")),
            }
        }
        f.write_str(&found.join(" and "))
    }
}

/// Writers in each race.
const WRITERS: usize = 8;

/// Races of each kind. A store that checks first and writes later loses nearly every one.
const RACES: usize = 2;

/// Where the probe's objects stand.
const DIRECTORY: &str = ".tidegate/probe";

/// Finds out whether the store honours the conditions of writes: one after another, then in races. Writes a few tiny
/// objects under `.tidegate/probe/<node>/` and deletes them; some 40 requests. `file://` needs no probe and gets none.
///
/// # Errors
///
/// When a request fails otherwise, so that nothing is known.
pub async fn probe(
    store: &Store,
    node: &NodeId,
    entropy: &dyn Entropy,
) -> Result<ConditionalSupport, StoreFailure> {
    if store.swaps_itself() {
        return Ok(ConditionalSupport::HONOURED);
    }
    let run = entropy.word();
    let canaries = (0..=RACES)
        .map(|number| canary(node, run, number))
        .collect::<Result<Vec<Path>, StoreFailure>>()?;
    let found = examine(store, &canaries).await;
    for canary in &canaries {
        // Where nothing could be found out, most likely nothing was written either.
        if let Err(failure) = store.delete_own(canary).await
            && found.is_ok()
        {
            tracing::warn!(%canary, %failure, "a probe object could not be deleted; it does no harm");
        }
    }
    found
}

fn canary(node: &NodeId, run: u64, number: usize) -> Result<Path, StoreFailure> {
    let key = format!("{DIRECTORY}/{}/{run:016x}-{number}", node.as_str());
    Path::parse(&key).map_err(|error| {
        StoreFailure::new(
            FailureKind::Other,
            format!("the node's name {node} can't stand in a key: {error}"),
        )
    })
}

async fn examine(store: &Store, canaries: &[Path]) -> Result<ConditionalSupport, StoreFailure> {
    let Some((alone, raced)) = canaries.split_first() else {
        return Ok(ConditionalSupport::HONOURED);
    };
    let mut found = one_by_one(store, alone).await?;
    for canary in raced {
        if found.create == Condition::Honoured && create_race(store, canary).await? > 1 {
            found.create = Condition::LosesRaces;
        }
        if found.update == Condition::Honoured && update_race(store, alone).await? > 1 {
            found.update = Condition::LosesRaces;
        }
    }
    Ok(found)
}

/// Writes against conditions that don't hold, with nobody else writing. Contents differ, since an ETag may be a digest of
/// the content.
async fn one_by_one(store: &Store, key: &Path) -> Result<ConditionalSupport, StoreFailure> {
    let mut found = ConditionalSupport::HONOURED;
    if !won(store.create(key, body("first", 0)).await)? {
        return Err(odd(key, "a new key was taken already"));
    }
    let first = standing(store, key).await?;
    if won(store.create(key, body("second", 0)).await)? {
        found.create = Condition::Ignored;
    }
    let current = standing(store, key).await?;
    if !won(store.update(key, body("third", 0), &current).await)? {
        return Err(odd(key, "an update of the version just read was refused"));
    }
    if won(store.update(key, body("fourth", 0), &first).await)? {
        found.update = Condition::Ignored;
    }
    Ok(found)
}

async fn create_race(store: &Store, key: &Path) -> Result<usize, StoreFailure> {
    winners(join_all((0..WRITERS).map(|writer| store.create(key, body("create", writer)))).await)
}

async fn update_race(store: &Store, key: &Path) -> Result<usize, StoreFailure> {
    let version = &standing(store, key).await?;
    let writers = (0..WRITERS).map(|writer| {
        // The version makes the contents of this race differ from those of the one before.
        let body = body(version.as_str(), writer);
        async move { store.update(key, body, version).await }
    });
    winners(join_all(writers).await)
}

fn winners(puts: Vec<Put>) -> Result<usize, StoreFailure> {
    let mut winners = 0;
    for put in puts {
        winners += usize::from(won(put)?);
    }
    Ok(winners)
}

fn won(put: Put) -> Result<bool, StoreFailure> {
    match put {
        Put::Done(_) => Ok(true),
        Put::Exists | Put::Stale => Ok(false),
        Put::Refused(failure) | Put::Ambiguous(failure) => Err(failure),
    }
}

async fn standing(store: &Store, key: &Path) -> Result<Version, StoreFailure> {
    let info = store.head(key).await?;
    info.ok_or_else(|| odd(key, "what was just written is not there"))?
        .version
        .ok_or_else(|| odd(key, "the store gives no ETag to compare by"))
}

fn odd(key: &Path, what: &str) -> StoreFailure {
    StoreFailure::new(FailureKind::Other, format!("probing with {key}: {what}"))
}

fn body(what: &str, writer: usize) -> Bytes {
    format!("tidegate probe: {what} {writer}\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_read_as_words_and_survive_the_ledger() {
        let found = ConditionalSupport {
            create: Condition::Ignored,
            update: Condition::LosesRaces,
        };
        assert_eq!(
            found.to_string(),
            "ignores the condition of create and loses races of conditional updates"
        );
        assert_eq!(
            ConditionalSupport::HONOURED.to_string(),
            "honours conditional writes"
        );
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(text, r#"{"create":"ignored","update":"loses-races"}"#);
        assert_eq!(
            serde_json::from_str::<ConditionalSupport>(&text).unwrap(),
            found
        );
    }
}
