//! An OCI registry inside the test process: the distribution protocol over a socket on 127.0.0.1, honest unless it is told
//! to misbehave.

mod answers;
mod desk;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tidegate::digest::Digest;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

pub use desk::{Desk, NEVER};

/// The name and the password that the registry knows, where it asks for any.
pub const LOGIN: (&str, &str) = ("author", "a-password-that-must-never-show");

/// How a registry misbehaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trick {
    /// Not at all.
    #[default]
    None,
    /// It wants name and password.
    Basic,
    /// It wants a token, which it gives for name and password.
    Token,
    /// It gives a token to everybody and takes none.
    DeafToken,
    /// It sends to this address for a token.
    TokenAt(String),
    /// Every answer has this status.
    Status(u16),
    /// Every answer has this status and a web page.
    WebPage(u16),
    /// Refuses pushes: every POST and PUT has this status.
    NoPush(u16),
    /// Gives every client a token, and hides what it has.
    Hides,
    /// Manifests are these bytes, whatever was asked for.
    Manifest(Bytes),
    /// Blobs are these bytes, whatever was asked for.
    Blob(Bytes),
    /// Blobs break off in the middle.
    HalfBlobs,
    /// Blobs have no end.
    EndlessBlobs,
    /// Blobs begin, and then nothing comes.
    HangingBlobs,
    /// Blobs are elsewhere: at this address, with the path behind it.
    Redirect(String),
    /// It wants name and password, and blobs are elsewhere.
    BasicAndRedirect(String),
    /// Manifests have no end.
    EndlessManifests,
    /// Tags have no end: each page names another.
    EndlessTags,
    /// Tags go on at another host.
    TagsElsewhere(String),
    /// Tokens have no end.
    EndlessToken,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The method and the path with its query.
    pub line: String,
    /// What stood in `Authorization`.
    pub authorization: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    trick: Trick,
    blobs: BTreeMap<Digest, Bytes>,
    manifests: BTreeMap<Digest, Bytes>,
    tags: BTreeMap<(String, String), Digest>,
    seen: Vec<Seen>,
}

/// A running registry; it stops when dropped.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Registry {
    /// Starts an empty one.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::<Mutex<State>>::default();
        Ok(Self {
            address,
            accepting: tokio::spawn(accept(listener, Arc::clone(&state))),
            state,
        })
    }

    /// Its host with its port.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// From now on it misbehaves like this.
    pub fn play(&self, trick: Trick) {
        self.state().trick = trick;
    }

    /// Takes a manifest past the protocol, with the blobs that it names, under a tag; its digest.
    pub fn put(&self, name: &str, tag: &str, manifest: &[u8], blobs: &[&[u8]]) -> Digest {
        let mut state = self.state();
        for blob in blobs {
            state
                .blobs
                .insert(Digest::of(blob), Bytes::copy_from_slice(blob));
        }
        let digest = Digest::of(manifest);
        state
            .manifests
            .insert(digest, Bytes::copy_from_slice(manifest));
        let tag = (name.to_owned(), tag.to_owned());
        state.tags.insert(tag, digest);
        digest
    }

    /// The manifest that a tag means.
    pub fn manifest(&self, name: &str, tag: &str) -> Option<Bytes> {
        let state = self.state();
        let digest = state.tags.get(&(name.to_owned(), tag.to_owned()))?;
        state.manifests.get(digest).cloned()
    }

    /// The blob of this digest.
    pub fn blob(&self, digest: &Digest) -> Option<Bytes> {
        self.state().blobs.get(digest).cloned()
    }

    /// Puts other bytes in the place of a blob.
    pub fn swap(&self, digest: &Digest, bytes: Bytes) {
        self.state().blobs.insert(*digest, bytes);
    }

    /// The number of tags and blobs that it holds.
    pub fn holdings(&self) -> (usize, usize) {
        let state = self.state();
        (state.tags.len(), state.blobs.len())
    }

    /// What it was asked since the last time.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().seen)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let answer = service_fn(|request| answers::answer(request, &state));
            // An error here is a connection that was cut, on purpose or by the client.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}
