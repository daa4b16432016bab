use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use globset::{Glob, GlobMatcher};
use http::header::RETRY_AFTER;
use http::{Method, Request, Response, StatusCode};
use s3s::Body;
use tidegate::storage::RequestCounts;
use tokio::sync::watch;

/// What the endpoint does about the conditions of writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conditions {
    /// They hold.
    #[default]
    Honour,
    /// They are accepted and ignored.
    Ignore,
    /// They are checked first and written later, so that several writers at once may all succeed.
    LoseRaces,
    /// Requests with them get an error answer.
    Reject(Rejection),
}

/// Which conditional writes are rejected, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Those that want the key not to exist.
    pub creates: bool,
    /// Those that want the object to have a version.
    pub updates: bool,
    /// The status of the answer.
    pub status: u16,
    /// The code in the answer.
    pub code: &'static str,
}

impl Rejection {
    /// Both kinds are rejected by this answer.
    pub fn of_both(status: u16, code: &'static str) -> Self {
        Self {
            creates: true,
            updates: true,
            status,
            code,
        }
    }
}

/// How the endpoint writes an object's ETag into answers of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ETags {
    /// As a strong one, which `If-Match` takes.
    #[default]
    Strong,
    /// As a weak one, which `If-Match` never takes.
    Weak,
    /// As one that belongs to no object.
    Wrong,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Head,
    Get,
    List,
    Put,
    Delete,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 503 SlowDown with this `Retry-After`; nothing is done.
    Throttle(Option<String>),
    /// An error answer of this status and code; nothing is done.
    Answer(u16, &'static str),
    /// No answer until [`Faults::release`], then the connection is cut; nothing is done.
    Hang,
    /// The connection is cut; nothing is done.
    DropBefore,
    /// It is done, then the connection is cut.
    DropAfter,
    /// It is done; no answer until [`Faults::release`], then the connection is cut.
    HangAfter,
}

impl Fault {
    /// The answer instead of doing anything; none when the request is to be done.
    pub(super) async fn before(&self, faults: &Faults) -> Result<Option<Response<Body>>> {
        match self {
            Fault::Throttle(retry_after) => {
                let mut response = error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown")?;
                if let Some(advice) = retry_after {
                    response.headers_mut().insert(RETRY_AFTER, advice.parse()?);
                }
                Ok(Some(response))
            }
            Fault::Answer(status, code) => Ok(Some(error(StatusCode::from_u16(*status)?, code)?)),
            Fault::Hang => faults.hang().await,
            Fault::DropBefore => anyhow::bail!("told to drop the request"),
            Fault::DropAfter | Fault::HangAfter => Ok(None),
        }
    }
}

fn error(status: StatusCode, code: &str) -> Result<Response<Body>> {
    // As S3 does, the answer repeats the access key, which must not end up in any message.
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code>\
         <Message>told to answer {code}</Message>\
         <AWSAccessKeyId>TIDEGATEACCESSKEY</AWSAccessKeyId></Error>"
    );
    Ok(Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .body(Body::from(body))?)
}

/// Which requests meet a fault. The first rule that applies to a request decides about it.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    kind: Option<Kind>,
    keys: Option<GlobMatcher>,
    every: u64,
    left: u64,
    seen: u64,
}

impl Rule {
    /// Every request meets the fault.
    pub fn always(fault: Fault) -> Self {
        Self {
            fault,
            kind: None,
            keys: None,
            every: 1,
            left: u64::MAX,
            seen: 0,
        }
    }

    /// The next `n` requests meet it.
    pub fn next(n: u64, fault: Fault) -> Self {
        Self {
            left: n,
            ..Self::always(fault)
        }
    }

    /// Only the `n`th request from now on meets it.
    pub fn nth(n: u64, fault: Fault) -> Self {
        Self {
            left: 1,
            ..Self::every(n, fault)
        }
    }

    /// Every `n`th request meets it.
    pub fn every(n: u64, fault: Fault) -> Self {
        Self {
            every: n.max(1),
            ..Self::always(fault)
        }
    }

    /// Only requests of this kind count.
    pub fn on(self, kind: Kind) -> Self {
        Self {
            kind: Some(kind),
            ..self
        }
    }

    /// Only requests for keys that match this glob count; listings match by their prefix.
    pub fn keys(self, glob: &str) -> Result<Self> {
        Ok(Self {
            keys: Some(Glob::new(glob)?.compile_matcher()),
            ..self
        })
    }

    fn applies(&mut self, kind: Option<Kind>, key: &str) -> bool {
        if self.kind.is_some() && self.kind != kind {
            return false;
        }
        if self.keys.as_ref().is_some_and(|keys| !keys.is_match(key)) {
            return false;
        }
        self.seen += 1;
        let hit = self.left > 0 && self.seen.is_multiple_of(self.every);
        if hit {
            self.left -= 1;
        }
        hit
    }
}

/// Steers an endpoint while it runs; clones steer the same one.
#[derive(Clone, Debug)]
pub struct Faults {
    state: Arc<Mutex<State>>,
    released: watch::Sender<()>,
    /// Requests that arrived, and those that have hung.
    arrived: watch::Sender<u64>,
    hung: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    conditions: Conditions,
    etags: Vec<(Kind, ETags)>,
    rules: Vec<Rule>,
    counts: RequestCounts,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            released: watch::Sender::new(()),
            arrived: watch::Sender::new(0),
            hung: watch::Sender::new(0),
        }
    }
}

impl Faults {
    /// From now on, conditions of writes are treated so.
    pub fn set_conditions(&self, conditions: Conditions) {
        self.state().conditions = conditions;
    }

    /// How conditions of writes are treated.
    pub fn conditions(&self) -> Conditions {
        self.state().conditions
    }

    /// From now on, answers of this kind write ETags so.
    pub fn set_etags(&self, kind: Kind, etags: ETags) {
        let mut state = self.state();
        state.etags.retain(|(known, _)| *known != kind);
        state.etags.push((kind, etags));
    }

    /// How answers of this kind write ETags.
    pub fn etags(&self, kind: Kind) -> ETags {
        let state = self.state();
        let set = state.etags.iter().find(|(known, _)| *known == kind);
        set.map(|(_, etags)| *etags).unwrap_or_default()
    }

    /// Adds a rule behind those there are.
    pub fn add(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    /// Behaves again: forgets all rules, honours conditions, and gives strong ETags. Requests that hang go on hanging.
    pub fn clear(&self) {
        let mut state = self.state();
        state.rules.clear();
        state.conditions = Conditions::Honour;
        state.etags.clear();
    }

    /// Cuts the connections of all requests that hang.
    pub fn release(&self) {
        self.released.send_replace(());
    }

    /// The number of requests that arrived, as it grows.
    pub fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrived.subscribe()
    }

    /// The number of requests that were made to hang, as it grows. One that is done first counts when it is.
    pub fn hangs(&self) -> watch::Receiver<u64> {
        self.hung.subscribe()
    }

    /// Keeps a request waiting until the release.
    pub(super) async fn hang<T>(&self) -> Result<T> {
        let mut released = self.released.subscribe();
        released.mark_unchanged();
        self.hung.send_modify(|count| *count += 1);
        let _ = released.changed().await;
        anyhow::bail!("told to hang")
    }

    /// The requests that arrived, those that met a fault included.
    pub fn requests(&self) -> RequestCounts {
        self.state().counts
    }

    /// Counts the request, and tells what is to happen to it.
    pub(super) fn meet<B>(&self, request: &Request<B>) -> Option<Fault> {
        let (kind, key) = read(request);
        let mut state = self.state();
        let counts = &mut state.counts;
        match kind {
            Some(Kind::Head) => counts.heads += 1,
            Some(Kind::Get) => counts.gets += 1,
            Some(Kind::List) => counts.lists += 1,
            Some(Kind::Put) => counts.puts += 1,
            Some(Kind::Delete) => counts.deletes += 1,
            None => {}
        }
        let rule = state
            .rules
            .iter_mut()
            .find_map(|rule| rule.applies(kind, &key).then(|| rule.fault.clone()));
        state.rules.retain(|rule| rule.left > 0);
        drop(state);
        self.arrived.send_modify(|count| *count += 1);
        rule
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request is for, and its key or, for a listing, its prefix, percent-decoded.
fn read<B>(request: &Request<B>) -> (Option<Kind>, String) {
    // Whatever the bucket: a request for one that does not exist counts too.
    let path = decoded(request.uri().path());
    let key = path
        .trim_start_matches('/')
        .split_once('/')
        .map_or("", |(_, key)| key.trim_start_matches('/'));
    let kind = match (request.method(), key.is_empty()) {
        (&Method::HEAD, false) => Kind::Head,
        (&Method::GET, false) => Kind::Get,
        (&Method::GET, true) => {
            let query = request.uri().query().unwrap_or_default();
            let prefix = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("prefix="));
            return (Some(Kind::List), decoded(prefix.unwrap_or_default()));
        }
        (&Method::PUT, false) => Kind::Put,
        (&Method::DELETE, false) | (&Method::POST, true) => Kind::Delete,
        _ => return (None, key.to_owned()),
    };
    (Some(kind), key.to_owned())
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}
