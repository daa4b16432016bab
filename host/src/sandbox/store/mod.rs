//! An object store that is simulated: consistent, conditional, slow, limited and faulty as told.

mod faults;
mod latency;
mod rates;
mod request;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::channel::oneshot;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, UpdateVersion,
};

pub use faults::{Effect, Fault};
pub use latency::Latency;
pub use rates::RateLimits;
pub use request::{Change, Operation, Outcome, Request};

use self::faults::{Arrival, Course, Rule, broken, slow_down};
use self::rates::Rates;
use super::clock::BEGINNING;
use super::dice::Dice;
use super::executor::Executor;
use crate::contract::StoreFailure;
use crate::digest::Digest;
use crate::tasks::Tasks;

/// The store's name in messages.
const NAME: &str = "simulated store";

/// Who puts something there in the middle of somebody else's request, by rule.
pub const ANOTHER_WRITER: &str = "another writer";

/// How a simulated store behaves when nothing goes wrong.
#[derive(Clone, Debug)]
pub struct StoreBehaviour {
    /// How long a request takes. The first half of it passes before it is done, the second half before it is answered.
    pub latency: Latency,
    /// How many requests a second it takes; all there are without.
    pub limits: Option<RateLimits>,
    /// Whether the conditions of writes hold.
    pub honours_conditions: bool,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

impl Default for StoreBehaviour {
    /// A store in the same region: 5 ms at least, 20 ms for half of the requests, 100 ms for 99 of 100.
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            latency: Latency::quantiles(ms(5), ms(20), ms(100), ms(250)),
            limits: None,
            honours_conditions: true,
            faults: Vec::new(),
        }
    }
}

/// Hears of every request, in the order in which the store takes them up.
pub type Listener = Box<dyn FnMut(Request) + Send>;

/// The objects of a simulated world, and what is told of the requests for them.
pub struct SimulatedStore {
    executor: Executor,
    state: Mutex<State>,
}

struct State {
    objects: BTreeMap<Path, Object>,
    latency: Latency,
    limits: Option<RateLimits>,
    honours_conditions: bool,
    rules: Vec<Rule>,
    rates: Rates,
    dice: Dice,
    listener: Option<Listener>,
}

#[derive(Clone, Debug)]
struct Object {
    bytes: Bytes,
    tag: String,
    modified: DateTime<Utc>,
}

impl SimulatedStore {
    /// An empty store.
    pub fn new(executor: Executor, behaviour: StoreBehaviour, dice: Dice) -> Arc<Self> {
        Arc::new(Self {
            executor,
            state: Mutex::new(State {
                objects: BTreeMap::new(),
                latency: behaviour.latency,
                limits: behaviour.limits,
                honours_conditions: behaviour.honours_conditions,
                rules: behaviour.faults.into_iter().map(Rule::new).collect(),
                rates: Rates::default(),
                dice,
                listener: None,
            }),
        })
    }

    /// Tells the listener of every request from now on.
    pub fn listen(&self, listener: Listener) {
        self.state().listener = Some(listener);
    }

    /// Takes this many requests a second from now on; all there are without limits.
    pub fn set_limits(&self, limits: Option<RateLimits>) {
        self.state().limits = limits;
    }

    /// The store as one node reaches it.
    pub fn port(self: &Arc<Self>, by: impl Into<String>) -> Arc<Port> {
        Arc::new(Port {
            store: Arc::clone(self),
            by: by.into(),
        })
    }

    /// What stands there.
    pub fn read(&self, key: &Path) -> Option<Bytes> {
        Some(self.state().objects.get(key)?.bytes.clone())
    }

    /// Every object, in order of the keys.
    pub fn objects(&self) -> Vec<(Path, Bytes)> {
        let state = self.state();
        let objects = state.objects.iter();
        objects
            .map(|(key, object)| (key.clone(), object.bytes.clone()))
            .collect()
    }

    /// Puts an object there at once and without a condition, as ingest nodes do.
    pub fn put(&self, by: &str, key: &Path, bytes: Bytes) {
        let now = self.executor.now();
        let mut state = self.state();
        let before = state.set(key, Some(bytes.clone()), now);
        state.tell(Request {
            at: now,
            sent: now,
            by: by.to_owned(),
            operation: Operation::Overwrite,
            key: key.to_string(),
            outcome: Outcome::Done,
            change: Some(Change {
                before,
                after: Some(bytes),
            }),
            faults: Vec::new(),
        });
    }

    /// Deletes everything below the prefix at once, as a node does with a stream. How many objects there were.
    pub fn delete_prefix(&self, by: &str, prefix: &Path) -> usize {
        let now = self.executor.now();
        let mut state = self.state();
        let keys: Vec<_> = state.below(prefix).map(|(key, _)| key.clone()).collect();
        for key in &keys {
            let before = state.set(key, None, now);
            state.tell(Request {
                at: now,
                sent: now,
                by: by.to_owned(),
                operation: Operation::Delete,
                key: key.to_string(),
                outcome: Outcome::Done,
                change: Some(Change {
                    before,
                    after: None,
                }),
                faults: Vec::new(),
            });
        }
        keys.len()
    }

    /// Deletes one object at once.
    pub fn delete(&self, by: &str, key: &Path) {
        let now = self.executor.now();
        let mut state = self.state();
        let before = state.set(key, None, now);
        state.tell(Request {
            at: now,
            sent: now,
            by: by.to_owned(),
            operation: Operation::Delete,
            key: key.to_string(),
            outcome: match before {
                Some(_) => Outcome::Done,
                None => Outcome::Missing,
            },
            change: Some(Change {
                before,
                after: None,
            }),
            faults: Vec::new(),
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing here panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SimulatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedStore")
            .field("objects", &self.state().objects.len())
            .finish_non_exhaustive()
    }
}

impl State {
    /// Sets or removes an object; what stood there.
    fn set(&mut self, key: &Path, bytes: Option<Bytes>, now: Duration) -> Option<Bytes> {
        let former = match bytes {
            Some(bytes) => {
                let object = Object {
                    tag: tag(&bytes),
                    modified: date(now),
                    bytes,
                };
                self.objects.insert(key.clone(), object)
            }
            None => self.objects.remove(key),
        };
        former.map(|object| object.bytes)
    }

    fn below(&self, prefix: &Path) -> impl Iterator<Item = (&Path, &Object)> {
        let range = (Bound::Excluded(prefix), Bound::Unbounded);
        let text = prefix.as_ref();
        self.objects
            .range::<Path, _>(range)
            .take_while(move |(key, _)| key.as_ref().starts_with(text))
            .filter(move |(key, _)| {
                text.is_empty() || key.as_ref().as_bytes().get(text.len()) == Some(&b'/')
            })
    }

    fn tell(&mut self, request: Request) {
        if let Some(listener) = &mut self.listener {
            listener(request);
        }
    }
}

/// What tells one content from another, as S3's ETag does for what was put in one piece: the same content, the same tag.
fn tag(bytes: &Bytes) -> String {
    let digest = Digest::of(bytes).to_string();
    format!("\"{}\"", digest.get(..32).unwrap_or(&digest))
}

fn date(now: Duration) -> DateTime<Utc> {
    let millis = BEGINNING.plus(now).as_millis();
    DateTime::from_timestamp_millis(i64::try_from(millis).unwrap_or(i64::MAX)).unwrap_or_default()
}

/// A [`SimulatedStore`] as one node reaches it.
#[derive(Debug)]
pub struct Port {
    store: Arc<SimulatedStore>,
    by: String,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME} of {}", self.by)
    }
}

/// What a request came to at the store, and whether its answer arrives.
struct Served<T> {
    answer: Result<T>,
    lost: bool,
}

impl Port {
    /// What the request will go through, decided when it is sent.
    fn chart(&self, operation: Operation, key: &Path) -> (Course, Duration) {
        let mut guard = self.store.state();
        let state = &mut *guard;
        let now = self.store.executor.now();
        let latency = state.latency.draw(&state.dice);
        let arrival = Arrival {
            now,
            by: &self.by,
            operation,
            key: key.as_ref(),
        };
        let mut course = Course::chart(&mut state.rules, &arrival, &state.dice);
        course.sent = now;
        if let Some(limits) = state.limits
            && !state.rates.admit(limits, key, operation.writes(), now)
            && !course.hangs
        {
            course.failure = Some(slow_down());
        }
        let latency = latency.saturating_add(course.delay);
        (course, latency)
    }

    /// A request from its sending to its answer: `work` is what the store does when its time has come.
    async fn serve<T>(
        &self,
        operation: Operation,
        key: &Path,
        course: Course,
        latency: Duration,
        work: impl FnOnce(&mut State, Duration, bool) -> (Result<T>, Option<Change>),
    ) -> Served<T> {
        let executor = &self.store.executor;
        let half = latency / 2;
        executor.sleep(half.saturating_add(course.late)).await;
        let served = self.handle(operation, key, course, work);
        executor.sleep(latency.saturating_sub(half)).await;
        served
    }

    fn handle<T>(
        &self,
        operation: Operation,
        key: &Path,
        course: Course,
        work: impl FnOnce(&mut State, Duration, bool) -> (Result<T>, Option<Change>),
    ) -> Served<T> {
        let now = self.store.executor.now();
        let mut state = self.store.state();
        let sent = course.sent;
        let faults = course.met.clone();
        let told = |outcome, change| Request {
            at: now,
            sent,
            by: self.by.clone(),
            operation,
            key: key.to_string(),
            outcome,
            change,
            faults: faults.clone(),
        };
        if course.hangs {
            state.tell(told(Outcome::Unanswered, None));
            let answer = Err(failed(broken()));
            return Served { answer, lost: true };
        }
        if let Some(failure) = course.failure {
            state.tell(told(Outcome::Failed(failure.kind), None));
            let answer = Err(failed(failure));
            return Served {
                answer,
                lost: false,
            };
        }
        let intrude = |state: &mut State, content: &Bytes| {
            let before = state.set(key, Some(content.clone()), now);
            let after = Some(content.clone());
            state.tell(Request {
                by: ANOTHER_WRITER.to_owned(),
                sent: now,
                operation: Operation::Overwrite,
                ..told(Outcome::Done, Some(Change { before, after }))
            });
        };
        if let Some(content) = &course.raced {
            intrude(&mut state, content);
        }
        let conditional = state.honours_conditions && !course.unconditional;
        let (answer, change) = work(&mut state, now, conditional);
        let outcome = match &answer {
            Ok(_) if course.answer_lost || course.cut => Outcome::AnswerLost,
            Ok(_) => Outcome::Done,
            Err(Error::NotFound { .. }) => Outcome::Missing,
            Err(Error::Precondition { .. } | Error::AlreadyExists { .. }) => Outcome::Refused,
            Err(_) => Outcome::Done,
        };
        state.tell(told(outcome, change));
        if let Some(content) = &course.clobbered {
            intrude(&mut state, content);
        }
        let answer = match course.cut || course.torn {
            true => Err(failed(broken())),
            false => answer,
        };
        Served {
            answer,
            lost: course.answer_lost,
        }
    }
}

async fn delivered<T>(served: Served<T>) -> Result<T> {
    match served.lost {
        // Whoever asked has a timeout.
        true => std::future::pending().await,
        false => served.answer,
    }
}

fn failed(failure: StoreFailure) -> Error {
    Error::Generic {
        store: "simulated",
        source: Box::new(failure),
    }
}

fn missing(key: &Path) -> Error {
    Error::NotFound {
        path: key.to_string(),
        source: "nothing stands there".into(),
    }
}

fn unsupported(operation: &str) -> Error {
    Error::NotSupported {
        source: format!("the simulated store has no {operation}").into(),
    }
}

/// What a write does when its time has come.
fn write(
    state: &mut State,
    key: &Path,
    bytes: Bytes,
    mode: &PutMode,
    now: Duration,
    conditional: bool,
) -> (Result<PutResult>, Option<Change>) {
    let standing = state.objects.get(key);
    let refused = match mode {
        _ if !conditional => None,
        PutMode::Overwrite => None,
        PutMode::Create => standing.is_some().then(|| Error::AlreadyExists {
            path: key.to_string(),
            source: "something stands there".into(),
        }),
        PutMode::Update(UpdateVersion { e_tag, .. }) => {
            let holds = standing.is_some_and(|object| Some(&object.tag) == e_tag.as_ref());
            (!holds).then(|| Error::Precondition {
                path: key.to_string(),
                source: "it changed since it was read".into(),
            })
        }
    };
    if let Some(error) = refused {
        return (Err(error), None);
    }
    let before = state.set(key, Some(bytes.clone()), now);
    let written = state.objects.get(key);
    let result = PutResult {
        e_tag: written.map(|object| object.tag.clone()),
        version: None,
        extensions: Default::default(),
    };
    let after = Some(bytes);
    (Ok(result), Some(Change { before, after }))
}

#[async_trait]
impl ObjectStore for Port {
    /// A write goes on when nobody waits for it any more, as it does on a real server.
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let operation = match &options.mode {
            PutMode::Create => Operation::Create,
            PutMode::Update(_) => Operation::Update,
            PutMode::Overwrite => Operation::Overwrite,
        };
        let (course, latency) = self.chart(operation, location);
        let (tell, told) = oneshot::channel();
        let (port, key) = (
            Port {
                store: Arc::clone(&self.store),
                by: self.by.clone(),
            },
            location.clone(),
        );
        let bytes = Bytes::from(payload);
        let request = async move {
            let work = |state: &mut State, now, conditional| {
                write(state, &key, bytes, &options.mode, now, conditional)
            };
            let served = port.serve(operation, &key, course, latency, work).await;
            // Whoever asked may be gone.
            let _ = tell.send(served);
        };
        self.store.executor.start(request.boxed()).detach();
        match told.await {
            Ok(served) => delivered(served).await,
            Err(oneshot::Canceled) => Err(failed(broken())),
        }
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(unsupported("uploads in parts"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let operation = match options.head {
            true => Operation::Head,
            false => Operation::Get,
        };
        let (course, latency) = self.chart(operation, location);
        let work = |state: &mut State, _, _| (get(state, location, &options), None);
        delivered(self.serve(operation, location, course, latency, work).await).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let port = Port {
            store: Arc::clone(&self.store),
            by: self.by.clone(),
        };
        let port = Arc::new(port);
        locations
            .then(move |location| {
                let port = Arc::clone(&port);
                async move {
                    let key = location?;
                    let (course, latency) = port.chart(Operation::Delete, &key);
                    let work = |state: &mut State, now, _| {
                        let before = state.set(&key, None, now);
                        let after = None;
                        (Ok(()), Some(Change { before, after }))
                    };
                    let served = port
                        .serve(Operation::Delete, &key, course, latency, work)
                        .await;
                    delivered(served).await?;
                    Ok(key)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned().unwrap_or_default();
        let port = Port {
            store: Arc::clone(&self.store),
            by: self.by.clone(),
        };
        let rows = async move {
            let (mut course, latency) = port.chart(Operation::List, &prefix);
            // The rows that come before a break come all the same.
            let torn = std::mem::take(&mut course.torn);
            let work = |state: &mut State, _, _| {
                let rows: Vec<_> = state
                    .below(&prefix)
                    .map(|(key, object)| Ok(meta(key, object)))
                    .collect();
                (Ok(rows), None)
            };
            let served = port
                .serve(Operation::List, &prefix, course, latency, work)
                .await;
            match delivered(served).await {
                Ok(rows) if torn => {
                    let half = rows.len() / 2;
                    let rows = rows.into_iter().take(half);
                    rows.chain([Err(failed(broken()))]).collect()
                }
                Ok(rows) => rows,
                Err(error) => vec![Err(error)],
            }
        };
        stream::once(rows).flat_map(stream::iter).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(unsupported("listings of folders"))
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(unsupported("copies"))
    }
}

fn meta(key: &Path, object: &Object) -> ObjectMeta {
    ObjectMeta {
        location: key.clone(),
        last_modified: object.modified,
        size: object.bytes.len() as u64,
        e_tag: Some(object.tag.clone()),
        version: None,
    }
}

fn get(state: &State, key: &Path, options: &GetOptions) -> Result<GetResult> {
    let object = state.objects.get(key).ok_or_else(|| missing(key))?;
    let meta = meta(key, object);
    options.check_preconditions(&meta)?;
    let size = object.bytes.len() as u64;
    let range = match &options.range {
        Some(range) => range.as_range(size).map_err(|source| Error::Generic {
            store: "simulated",
            source: Box::new(source),
        })?,
        None => 0..size,
    };
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    let bytes = object.bytes.slice(at(range.start)..at(range.end));
    Ok(GetResult {
        payload: GetResultPayload::Stream(stream::once(std::future::ready(Ok(bytes))).boxed()),
        attributes: Default::default(),
        meta,
        range,
        extensions: Default::default(),
    })
}
