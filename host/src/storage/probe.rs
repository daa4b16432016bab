use bytes::Bytes;
use futures::future::join_all;
use object_store::path::Path;

use crate::contract::{FailureKind, ObjectInfo, StoreFailure, Version};
use crate::stream::NodeId;
use crate::time::Entropy;

use super::object::Put;
use super::store::Store;
use super::support::{Condition, ConditionalSupport};
use super::trial::Trial;

/// Writers in each race.
const WRITERS: usize = 8;

/// Races of each kind. A store that checks first and writes later loses nearly every one.
const RACES: usize = 2;

/// Where the probe's objects are.
const DIRECTORY: &str = ".tidegate/probe";

/// The key of the one object with which a file system is tried.
const TRIAL: &str = "probe/object";

/// What a probe found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// How the store treats conditional writes.
    pub support: ConditionalSupport,
    /// The store's answer to a conditional write that it rejected.
    pub rejection: Option<StoreFailure>,
    /// Why the probe's objects could not be deleted.
    pub left: Option<StoreFailure>,
}

impl Probe {
    fn of(support: ConditionalSupport) -> Self {
        Self {
            support,
            rejection: None,
            left: None,
        }
    }
}

/// Finds out whether the store honours the conditions of writes: one after another, then in races.
///
/// It reads before it writes, since some servers create a bucket that does not exist on the first write. Then it writes a
/// few tiny objects under `.tidegate/probe/<node>/` and deletes them; some 40 requests. For `file://` it tries the file
/// system and its lock in the scratch directory, and writes nothing into the store.
///
/// # Errors
///
/// When a request fails otherwise, so that nothing is known. [`FailureKind::NotFound`] if the bucket does not exist.
pub async fn probe(
    store: &Store,
    node: &NodeId,
    entropy: &dyn Entropy,
) -> Result<Probe, StoreFailure> {
    if let Some(files) = store.files() {
        return examine_files(Trial::start(store, files).await?).await;
    }
    let run = entropy.word();
    let canaries = (0..=RACES)
        .map(|number| canary(node, run, number))
        .collect::<Result<Vec<Path>, StoreFailure>>()?;
    let Some((alone, raced)) = canaries.split_first() else {
        return Ok(Probe::of(ConditionalSupport::HONOURED));
    };
    read_first(store, alone).await?;
    let found = examine(store, alone, raced).await;
    let mut left = None;
    for canary in &canaries {
        if let Err(failure) = store.delete_own(canary).await {
            left.get_or_insert(failure);
        }
    }
    // If nothing could be found out, most likely nothing was written either.
    found.map(|found| Probe { left, ..found })
}

fn canary(node: &NodeId, run: u64, number: usize) -> Result<Path, StoreFailure> {
    let key = format!("{DIRECTORY}/{}/{run:016x}-{number}", node.as_str());
    Path::parse(&key).map_err(|error| {
        StoreFailure::new(
            FailureKind::Other,
            format!("the node's name {node} can't be part of a key: {error}"),
        )
    })
}

/// Fails if the bucket does not exist. HEAD can't tell that; GET and LIST can, and a server that is lenient about one of
/// them may not be about the other.
async fn read_first(store: &Store, key: &Path) -> Result<(), StoreFailure> {
    if store.describe_by_get(key).await?.is_some() {
        let address = store.address_setting();
        return Err(odd(
            key,
            &format!(
                "there is an object at a key that was just made up, so the server is not an object store: check host and \
                 port in {address}"
            ),
        ));
    }
    match store.list(&Path::from(DIRECTORY), 1).await {
        // The credentials may be allowed to list nothing but the prefixes of streams.
        Err(failure) if failure.kind != FailureKind::PermissionDenied => Err(failure),
        _ => Ok(()),
    }
}

async fn examine(store: &Store, alone: &Path, raced: &[Path]) -> Result<Probe, StoreFailure> {
    let mut probe = one_by_one(store, alone).await?;
    let found = &mut probe.support;
    for canary in raced {
        if found.create == Condition::Honoured && create_race(store, canary).await? > 1 {
            found.create = Condition::LosesRaces;
        }
        if found.update == Condition::Honoured && update_race(store, alone).await? > 1 {
            found.update = Condition::LosesRaces;
        }
    }
    Ok(probe)
}

/// Races inside of one process say nothing about a lock of the operating system, which keeps other processes out.
async fn examine_files(trial: Trial) -> Result<Probe, StoreFailure> {
    let mut probe = one_by_one(&trial.store, &Path::from(TRIAL)).await?;
    if !trial.locks {
        for condition in [&mut probe.support.create, &mut probe.support.update] {
            if *condition == Condition::Honoured {
                *condition = Condition::LosesRaces;
            }
        }
    }
    Ok(probe)
}

/// Tries each condition where it holds and where it does not, without concurrent writers. Contents differ, since an ETag
/// may be a digest of the content.
async fn one_by_one(store: &Store, key: &Path) -> Result<Probe, StoreFailure> {
    let (create, no_create) = try_create(store, key).await?;
    let (first, head_differs) = version(store, key).await?;
    let (update, no_update) = try_update(store, key, &first).await?;
    Ok(Probe {
        rejection: no_create.or(no_update),
        ..Probe::of(ConditionalSupport {
            create,
            update,
            head_differs,
        })
    })
}

/// How the store treats a condition, and its answer if it rejected it.
type Treated = (Condition, Option<StoreFailure>);

async fn try_create(store: &Store, key: &Path) -> Result<Treated, StoreFailure> {
    let unsuitable = match tried(store.plain_create(key, body("first", 0)).await)? {
        Tried::Won => None,
        Tried::Lost => Some(Condition::NeverHolds),
        Tried::Rejected(failure) => {
            // If a plain write fails too, the condition is not to blame.
            match store.overwrite_own(key, body("first", 0)).await {
                Put::Done(_) => {}
                Put::Refused(_) | Put::Stale => return Err(of_existing_bucket(failure)),
                put => won(put).map(drop)?,
            }
            return Ok((Condition::Rejected, Some(failure)));
        }
    };
    if let Some(condition) = unsuitable {
        won(store.overwrite_own(key, body("first", 0)).await)?;
        return Ok((condition, None));
    }
    Ok(
        match tried(store.plain_create(key, body("second", 0)).await)? {
            Tried::Won => (Condition::Ignored, None),
            Tried::Lost => (Condition::Honoured, None),
            Tried::Rejected(failure) => (Condition::Rejected, Some(failure)),
        },
    )
}

/// The failure of a write to a bucket that was read before, so that it can't be missing.
fn of_existing_bucket(failure: StoreFailure) -> StoreFailure {
    match failure.kind {
        FailureKind::NotFound => StoreFailure {
            kind: FailureKind::Other,
            message: format!(
                "{}, although the bucket can be read: the server, or a proxy in between, does not take writes",
                failure.message
            ),
            ..failure
        },
        _ => failure,
    }
}

/// `first` is a version of the object, which exists and can be written to.
async fn try_update(store: &Store, key: &Path, first: &Version) -> Result<Treated, StoreFailure> {
    match tried(store.plain_update(key, body("third", 0), first).await)? {
        Tried::Won => {}
        Tried::Lost => return Ok((Condition::NeverHolds, None)),
        Tried::Rejected(failure) => return Ok((Condition::Rejected, Some(failure))),
    }
    Ok(
        match tried(store.plain_update(key, body("fourth", 0), first).await)? {
            Tried::Won => (Condition::Ignored, None),
            Tried::Lost => (Condition::Honoured, None),
            Tried::Rejected(failure) => (Condition::Rejected, Some(failure)),
        },
    )
}

/// The object's version as GET gives it, which is what a write compares; and whether HEAD gives another one.
async fn version(store: &Store, key: &Path) -> Result<(Version, bool), StoreFailure> {
    let missing = || odd(key, "the object that was just written does not exist");
    let of = |info: Option<ObjectInfo>| info.ok_or_else(missing).map(|info| info.version);
    let got = of(store.describe_by_get(key).await?)?;
    let head_differs = match store.plain_head(key).await {
        Ok(info) => of(info)? != got,
        // A store that does not offer HEAD: 405, 501.
        Err(failure) if failure.kind == FailureKind::Other => true,
        Err(failure) => return Err(failure),
    };
    let version = got.ok_or_else(|| {
        odd(
            key,
            "the store sends no ETag with an object, and versions are compared by it: Tidegate can't be used with this \
             store, not even with `best-effort`",
        )
    })?;
    Ok((version, head_differs))
}

async fn create_race(store: &Store, key: &Path) -> Result<usize, StoreFailure> {
    let writers = (0..WRITERS).map(|writer| store.plain_create(key, body("create", writer)));
    winners(join_all(writers).await)
}

async fn update_race(store: &Store, key: &Path) -> Result<usize, StoreFailure> {
    let (version, _) = &version(store, key).await?;
    let writers = (0..WRITERS).map(|writer| {
        // The version makes the contents of this race differ from those of the one before.
        let body = body(version.as_str(), writer);
        async move { store.plain_update(key, body, version).await }
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

/// What became of a conditional write of the probe.
enum Tried {
    Won,
    Lost,
    /// Refused for a reason that may be the condition: 400, 404, 405, 501, or object_store's own refusal.
    Rejected(StoreFailure),
}

fn tried(put: Put) -> Result<Tried, StoreFailure> {
    match put {
        Put::Refused(failure)
            if matches!(failure.kind, FailureKind::Other | FailureKind::NotFound) =>
        {
            Ok(Tried::Rejected(failure))
        }
        put => won(put).map(|won| if won { Tried::Won } else { Tried::Lost }),
    }
}

fn odd(key: &Path, what: &str) -> StoreFailure {
    StoreFailure::new(FailureKind::Other, format!("probing with {key}: {what}"))
}

fn body(what: &str, writer: usize) -> Bytes {
    format!("tidegate probe: {what} {writer}\n").into()
}
