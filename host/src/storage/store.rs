use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutResult};

use crate::contract::{FailureKind, ObjectInfo, StoreFailure, Version};
use crate::planted::{self, Defect};
use crate::time::Clock;

use super::adapt::{Adaptation, Sending};
use super::advice::Advisor;
use super::classify::{self, Answer, Trouble};
use super::counts::{Counter, Kind, RequestCounts};
use super::file::FileStore;
use super::id::StoreId;
use super::limit::Limits;
use super::object::{
    Fetched, ListedObject, Listing, Object, Put, Refetched, collect, info, listed,
};
use super::observe::Watch;
use super::open::{OpenError, Opened};
use super::reload::Reloading;
use super::settings::StoreSettings;
use super::support::ConditionalSupport;
use super::version;

/// The object store, as the agent uses it. Clones share limits and counts.
///
/// Every operation waits for its turn under the limits of [`StoreSettings`], is then bounded by `request_timeout`, is sent
/// once, and reports failures in the contract's words: on one line of at most 1 KiB, without credentials.
///
/// ```
/// use std::sync::Arc;
/// use tidegate::storage::{Fetched, Key, Put, Store, StoreSettings};
/// use tidegate::time::SystemClock;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let store = Store::open(&StoreSettings::new("memory:///"), Arc::new(SystemClock::new())).unwrap();
/// let key = Key::parse("app/.stream/.schema").unwrap();
/// assert!(matches!(store.create(&key, "{}".into()).await, Put::Done(_)));
/// assert!(matches!(store.create(&key, "{ }".into()).await, Put::Exists));
/// assert!(matches!(store.get(&key, 1024).await, Ok(Fetched::Found(object)) if object.bytes == "{}"));
/// # });
/// ```
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    requests: Arc<Counter>,
}

struct Shared {
    opened: Reloading,
    clock: Arc<dyn Clock>,
    limits: Limits,
    timeout: Duration,
    files: Option<Arc<FileStore>>,
    adaptation: Adaptation,
}

impl Store {
    /// Opens the store that the settings name. Sends nothing, except that `file://` prepares its scratch directory.
    ///
    /// # Errors
    ///
    /// When the settings can't work; the message says which one and what to write.
    pub fn open(settings: &StoreSettings, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let opened = Reloading::open(settings, clock.monotonic())?;
        Ok(Self::new(opened, settings, clock))
    }

    /// The store over an `ObjectStore` of the caller's, with the limits of `settings`; its URL and options are not read.
    ///
    /// A simulated store tells its failures by the contract's own type: an error with a [`StoreFailure`] among its causes
    /// is reported as that. Throttled, permission-denied and not-found mean that nothing was written.
    pub fn with_object_store(
        objects: Arc<dyn ObjectStore>,
        id: StoreId,
        settings: &StoreSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let opened = Opened {
            objects,
            id,
            advisor: Advisor::default(),
            files: None,
        };
        Self::new(Reloading::fixed(opened), settings, clock)
    }

    fn new(opened: Reloading, settings: &StoreSettings, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            files: opened.current(clock.monotonic()).files.clone(),
            opened,
            clock,
            limits: Limits::new(settings),
            timeout: settings.request_timeout,
            adaptation: Adaptation::default(),
        };
        Self {
            shared: Arc::new(shared),
            requests: Arc::default(),
        }
    }

    /// Which store it is.
    pub fn id(&self) -> &StoreId {
        self.shared.opened.id()
    }

    /// The requests sent through this store and its clones so far.
    pub fn requests(&self) -> RequestCounts {
        self.requests.snapshot()
    }

    /// The same store with counts of its own, from zero; the whole counts them too.
    pub fn counted(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            requests: Arc::new(Counter::part_of(&self.requests)),
        }
    }

    /// From now on, this store and its clones work around what a probe found: HEAD is replaced by GET where the two
    /// give different ETags, and a condition that the store ignores or rejects is checked by a GET before the write.
    /// Such a write can still lose a race, so the caller reads it back.
    pub fn adapt(&self, found: ConditionalSupport) {
        self.shared.adaptation.set(found);
    }

    /// The keys that name the store's host, for messages.
    pub(super) fn address_setting(&self) -> String {
        self.opened().advisor.keys.address.clone()
    }

    /// The directory, if the store is one.
    pub(super) fn files(&self) -> Option<&Arc<FileStore>> {
        self.shared.files.as_ref()
    }

    /// A store of this name over other objects, with the default limits.
    pub(super) fn over(&self, objects: Arc<dyn ObjectStore>) -> Self {
        let settings = StoreSettings {
            request_timeout: self.shared.timeout,
            ..StoreSettings::new(self.shared.opened.id().as_str())
        };
        let (id, clock) = (
            self.shared.opened.id().clone(),
            Arc::clone(&self.shared.clock),
        );
        Self::with_object_store(objects, id, &settings, clock)
    }

    /// Describes an object; `None` if it does not exist. On S3 a missing bucket looks like a missing object here,
    /// since an answer to HEAD carries no error code.
    pub async fn head(&self, key: &Path) -> Result<Option<ObjectInfo>, StoreFailure> {
        match self.shared.adaptation.heads_by_get() {
            true => self.describe_by_get(key).await,
            false => self.plain_head(key).await,
        }
    }

    pub(super) async fn plain_head(&self, key: &Path) -> Result<Option<ObjectInfo>, StoreFailure> {
        let opened = self.opened();
        let work = opened.objects.head(key);
        match self
            .perform(&opened, Kind::Head, || format!("describe {key}"), work)
            .await
        {
            Ok(meta) => Ok(Some(info(&meta))),
            Err(trouble) => none_if_missing(trouble),
        }
    }

    /// Describes an object as GET does, without reading its content.
    pub(super) async fn describe_by_get(
        &self,
        key: &Path,
    ) -> Result<Option<ObjectInfo>, StoreFailure> {
        Ok(match self.get(key, 0).await? {
            Fetched::Missing => None,
            Fetched::TooLarge(info) | Fetched::Found(Object { info, .. }) => Some(info),
        })
    }

    /// Reads an object of at most `max_bytes`; more are never held in memory, whatever size the store claims.
    pub async fn get(&self, key: &Path, max_bytes: u64) -> Result<Fetched, StoreFailure> {
        self.read(key, GetOptions::new(), max_bytes)
            .await
            .or_else(|trouble| Ok(none_if_missing(trouble)?.unwrap_or(Fetched::Missing)))
    }

    /// Reads the bytes `[offset, offset + length)`, cut at the object's end; none when `offset` lies behind it.
    pub async fn get_range(
        &self,
        key: &Path,
        offset: u64,
        length: u64,
    ) -> Result<Fetched, StoreFailure> {
        if length == 0 {
            return self.empty_range(key).await;
        }
        let range = GetRange::Bounded(offset..offset.saturating_add(length));
        let options = GetOptions::new().with_range(Some(range));
        match self.read(key, options, length).await {
            Ok(fetched) => Ok(fetched),
            Err(trouble) if trouble.answer == Answer::Missing => Ok(Fetched::Missing),
            // Stores refuse a range behind the end in ways of their own; the object's size tells that from other trouble.
            Err(trouble) if trouble.failure.kind == FailureKind::Other => {
                match self.empty_range(key).await? {
                    Fetched::Found(object) if object.info.size > offset => Err(trouble.failure),
                    fetched => Ok(fetched),
                }
            }
            Err(trouble) => Err(trouble.failure),
        }
    }

    async fn empty_range(&self, key: &Path) -> Result<Fetched, StoreFailure> {
        Ok(match self.head(key).await? {
            None => Fetched::Missing,
            Some(info) => Fetched::Found(Object {
                info,
                bytes: Bytes::new(),
            }),
        })
    }

    /// Reads an object unless it still has `version`. One request, without a body when nothing changed.
    pub async fn get_if_changed(
        &self,
        key: &Path,
        version: &Version,
        max_bytes: u64,
    ) -> Result<Refetched, StoreFailure> {
        let options = GetOptions::new().with_if_none_match(version::parts(version).e_tag);
        match self.read(key, options, max_bytes).await {
            // Some stores ignore conditions on GET.
            Ok(Fetched::Found(Object { info, .. }) | Fetched::TooLarge(info))
                if info.version.as_ref() == Some(version) =>
            {
                Ok(Refetched::Unchanged)
            }
            Ok(fetched) => Ok(Refetched::Changed(fetched)),
            Err(trouble) if trouble.answer == Answer::Unchanged => Ok(Refetched::Unchanged),
            Err(trouble) => {
                let fetched = none_if_missing(trouble)?.unwrap_or(Fetched::Missing);
                Ok(Refetched::Changed(fetched))
            }
        }
    }

    /// Lists what stands under `prefix` (whole segments; the root lists everything), at most `cap` objects. A listing that
    /// breaks off is a failure, never a short listing.
    pub async fn list(&self, prefix: &Path, cap: usize) -> Result<Listing, StoreFailure> {
        let within = (!prefix.is_root()).then_some(prefix);
        let opened = self.opened();
        let work = async {
            let rows = opened.objects.list(within);
            let mut objects: Vec<ListedObject> = rows
                .take(cap.saturating_add(1))
                .map_ok(listed)
                .try_collect()
                .await?;
            let truncated = objects.len() > cap;
            objects.truncate(cap);
            objects.sort_unstable_by(|one, other| one.key.cmp(&other.key));
            Ok(Listing { objects, truncated })
        };
        self.perform(&opened, Kind::List, || format!("list {prefix}/"), work)
            .await
            .map_err(|trouble| trouble.failure)
    }

    /// Writes the whole object if the key does not exist.
    pub async fn create(&self, key: &Path, bytes: Bytes) -> Put {
        let mode = match self.shared.adaptation.creates() {
            Sending::Conditional => return self.plain_create(key, bytes).await,
            Sending::Checked => PutMode::Create,
            Sending::CheckedUnconditional => PutMode::Overwrite,
        };
        match self.describe_by_get(key).await {
            Ok(None) => self.write_checked(key, "create", bytes, mode).await,
            Ok(Some(_)) => Put::Exists,
            Err(failure) => Put::Refused(failure),
        }
    }

    /// Replaces the whole object if it still has `version`.
    pub async fn update(&self, key: &Path, bytes: Bytes, version: &Version) -> Put {
        let mode = match self.shared.adaptation.updates() {
            Sending::Conditional => return self.plain_update(key, bytes, version).await,
            Sending::Checked => PutMode::Update(version::parts(version)),
            Sending::CheckedUnconditional => PutMode::Overwrite,
        };
        match self.describe_by_get(key).await {
            Ok(Some(info)) if info.version.as_ref() == Some(version) => {
                self.write_checked(key, "update", bytes, mode).await
            }
            Ok(_) => Put::Stale,
            Err(failure) => Put::Refused(failure),
        }
    }

    /// A write whose condition was checked by a request before it. It is reported without a version, because only
    /// reading back shows whether it is what the store holds.
    async fn write_checked(&self, key: &Path, verb: &str, bytes: Bytes, mode: PutMode) -> Put {
        let put = match mode {
            PutMode::Create => self.plain_create(key, bytes).await,
            mode => self.plain_put(key, verb, bytes, mode).await,
        };
        match put {
            Put::Done(info) => Put::Done(ObjectInfo {
                version: None,
                ..info
            }),
            put => put,
        }
    }

    /// Creates by the store's own condition, without the adaptation.
    pub(super) async fn plain_create(&self, key: &Path, bytes: Bytes) -> Put {
        let mode = match planted::is(Defect::CreatesByOverwriting)
            && !key.as_ref().starts_with(".tidegate")
        {
            true => PutMode::Overwrite,
            false => PutMode::Create,
        };
        let size = bytes.len();
        match self.put(key, "create", bytes, mode).await {
            Ok(result) => self.done(size, &result),
            Err(Trouble { answer, failure }) => match answer {
                Answer::Exists | Answer::Stale | Answer::Unchanged => Put::Exists,
                Answer::Refused | Answer::Missing => Put::Refused(failure),
                Answer::Unclear => Put::Ambiguous(failure),
            },
        }
    }

    /// Updates by the store's own condition, without the adaptation.
    pub(super) async fn plain_update(&self, key: &Path, bytes: Bytes, version: &Version) -> Put {
        let mode = PutMode::Update(version::parts(version));
        self.plain_put(key, "update", bytes, mode).await
    }

    /// Writes the whole object unconditionally. Only for a probe's own objects.
    pub(super) async fn overwrite_own(&self, key: &Path, bytes: Bytes) -> Put {
        self.plain_put(key, "write", bytes, PutMode::Overwrite)
            .await
    }

    async fn plain_put(&self, key: &Path, verb: &str, bytes: Bytes, mode: PutMode) -> Put {
        let size = bytes.len();
        match self.put(key, verb, bytes, mode).await {
            Ok(result) => self.done(size, &result),
            Err(Trouble { answer, failure }) => match answer {
                // Stores that see two such writes at once answer 409 to one of them.
                Answer::Stale | Answer::Missing | Answer::Exists | Answer::Unchanged => Put::Stale,
                Answer::Refused => Put::Refused(failure),
                Answer::Unclear => Put::Ambiguous(failure),
            },
        }
    }

    /// Deletes an object that this host made for a probe. There is no other deletion.
    pub(super) async fn delete_own(&self, key: &Path) -> Result<(), StoreFailure> {
        let opened = self.opened();
        let work = opened.objects.delete(key);
        match self
            .perform(&opened, Kind::Delete, || format!("delete {key}"), work)
            .await
        {
            Ok(()) => Ok(()),
            Err(trouble) => none_if_missing(trouble).map(|_: Option<()>| ()),
        }
    }

    async fn put(
        &self,
        key: &Path,
        verb: &str,
        bytes: Bytes,
        mode: PutMode,
    ) -> Result<PutResult, Trouble> {
        let opened = self.opened();
        let work = opened.objects.put_opts(key, bytes.into(), mode.into());
        self.perform(&opened, Kind::Put, || format!("{verb} {key}"), work)
            .await
    }

    fn done(&self, size: usize, result: &PutResult) -> Put {
        Put::Done(ObjectInfo {
            size: u64::try_from(size).unwrap_or(u64::MAX),
            modified: self.shared.clock.now(),
            version: version::token(result.e_tag.as_deref(), result.version.as_deref()),
        })
    }

    async fn read(
        &self,
        key: &Path,
        options: GetOptions,
        max_bytes: u64,
    ) -> Result<Fetched, Trouble> {
        let opened = self.opened();
        let work = async {
            let result = opened.objects.get_opts(key, options).await?;
            collect(result, max_bytes).await
        };
        self.perform(&opened, Kind::Get, || format!("read {key}"), work)
            .await
    }

    /// Looks at the secret files if a look is due, and returns a number that is higher after they have changed.
    pub fn credentials_version(&self) -> u64 {
        self.opened();
        self.shared.opened.rebuilt()
    }

    /// Returns the store with its current credentials.
    fn opened(&self) -> Arc<Opened> {
        let shared = &self.shared;
        shared.opened.current(shared.clock.monotonic())
    }

    /// Runs one operation under the limits and the timeout, and sorts its error, which says `what` failed.
    async fn perform<T>(
        &self,
        opened: &Opened,
        kind: Kind,
        what: impl FnOnce() -> String,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Trouble> {
        let shared = &self.shared;
        let _place = shared.limits.admit(&*shared.clock).await;
        self.requests.add(kind, 1);
        let watch = Watch::default();
        // object_store panics on some values that it can't send, such as a header that a service of credentials made up.
        let watched = pin!(watch.over(AssertUnwindSafe(work).catch_unwind()));
        let outcome = select(watched, shared.clock.sleep(shared.timeout)).await;
        let exchange = watch.seen();
        // A listing of several pages is several requests.
        self.requests.add(kind, exchange.requests.saturating_sub(1));
        match outcome {
            Either::Left((Ok(Ok(value)), _)) => Ok(value),
            Either::Left((Err(panic), _)) => {
                Err(classify::panicked(&what(), &*panic, &opened.advisor))
            }
            Either::Left((Ok(Err(error)), _)) => {
                let now = shared.clock.now();
                let trouble = classify::sort(&error, &what(), &exchange, now, &opened.advisor);
                if trouble.failure.kind == FailureKind::PermissionDenied {
                    shared.opened.rejected();
                }
                Err(trouble)
            }
            Either::Right(((), _)) => Err(classify::timed_out(
                &what(),
                shared.timeout,
                &exchange,
                &opened.advisor,
            )),
        }
    }
}

impl fmt::Debug for Store {
    /// Shows which store it is and no more: object_store's own output holds access keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("id", self.shared.opened.id())
            .field("requests", &self.requests())
            .finish_non_exhaustive()
    }
}

fn none_if_missing<T>(trouble: Trouble) -> Result<Option<T>, StoreFailure> {
    match trouble.answer {
        Answer::Missing => Ok(None),
        _ => Err(trouble.failure),
    }
}
