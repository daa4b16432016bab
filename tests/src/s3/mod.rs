//! An S3 endpoint inside the test process: the real protocol over a socket on 127.0.0.1, honest unless it is told to
//! misbehave.
//!
//! The objects live in object_store's `InMemory`, whose conditional writes are atomic; `s3s` speaks the protocol and
//! checks signatures; [`Faults`] stands before both and is steered while requests are running.

mod auth;
mod bucket;
mod faults;
mod witness;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::FutureExt;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt};
use s3s::Body;
use s3s::service::{S3Service, S3ServiceBuilder};
use tidegate::storage::StoreSettings;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

pub use faults::{Conditions, ETags, Fault, Faults, Kind, Rejection, Rule};
pub use witness::{Seen, Witness};

use auth::Auth;
use bucket::Bucket;

/// The endpoint's only bucket.
pub const BUCKET: &str = "bkt";

const ACCESS_KEY: &str = "TIDEGATEACCESSKEY";
const SECRET_KEY: &str = "tidegate-secret-key-that-must-never-show";

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// A running endpoint; it stops when dropped.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    /// Bound and never listening: it keeps the port ours while the endpoint is away.
    _port: TcpSocket,
    service: S3Service,
    objects: Arc<InMemory>,
    faults: Faults,
    witness: Witness,
    auth: Auth,
    serving: Mutex<Option<Serving>>,
}

/// The accept loop, with its connections; both end when this is dropped.
#[derive(Debug)]
struct Serving {
    accepting: JoinHandle<()>,
    cuts: mpsc::Sender<oneshot::Sender<()>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Endpoint {
    /// Starts an endpoint with an empty bucket.
    pub async fn start() -> Result<Self> {
        let port = socket()?;
        port.bind(([127, 0, 0, 1], 0).into())?;
        let address = port.local_addr()?;
        let objects = Arc::new(InMemory::new());
        let faults = Faults::default();
        let witness = Witness::default();
        let bucket = Bucket::new(Arc::clone(&objects), faults.clone(), witness.clone());
        let mut builder = S3ServiceBuilder::new(bucket);
        let auth = Auth::new(ACCESS_KEY, SECRET_KEY);
        builder.set_auth(auth.clone());
        let endpoint = Self {
            address,
            _port: port,
            service: builder.build(),
            objects,
            faults,
            witness,
            auth,
            serving: Mutex::default(),
        };
        endpoint.come_back().await?;
        Ok(endpoint)
    }

    /// Settings for a store in the bucket, with explicit credentials and without limits that would slow a test down.
    pub fn settings(&self) -> StoreSettings {
        StoreSettings {
            requests_per_second: NonZeroU32::MAX,
            ..StoreSettings::new(format!("s3://{BUCKET}"))
        }
        .with_option("endpoint", self.url())
        .with_option("region", "us-east-1")
        .with_option("allow_http", "true")
        .with_option("access_key_id", ACCESS_KEY)
        .with_option("secret_access_key", SECRET_KEY)
        .with_option("metadata_endpoint", "http://127.0.0.1:9")
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The credentials of [`Endpoint::settings`], which nothing may print.
    pub fn secrets(&self) -> [&'static str; 2] {
        [ACCESS_KEY, SECRET_KEY]
    }

    /// Takes this secret from now on, and no other.
    pub fn change_secret(&self, secret: &str) {
        self.auth.change_secret(secret);
    }

    /// How it misbehaves, and what it was asked.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The objects behind the protocol, for looking and for meddling.
    pub fn objects(&self) -> &Arc<InMemory> {
        &self.objects
    }

    /// What it did, in order.
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// Writes an object past the protocol, or deletes it, before the eyes of the witness.
    pub async fn meddle(&self, key: &str, bytes: Option<Bytes>) -> Result<()> {
        let path = Path::parse(key)?;
        let mut seen = self.witness.hold().await;
        let written = match bytes {
            Some(bytes) => {
                let put = self.objects.put(&path, bytes.clone().into()).await?;
                Some((bytes, put.e_tag))
            }
            None => {
                match self.objects.delete(&path).await {
                    Ok(()) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
                None
            }
        };
        seen.push(Seen::Meddled {
            key: key.to_owned(),
            written,
        });
        Ok(())
    }

    /// Refuses connections and cuts those that stand. The objects stay.
    pub async fn go_away(&self) {
        if let Some(mut serving) = self.serving.lock().await.take() {
            serving.accepting.abort();
            // Its sockets are closed when it has ended.
            let _ = (&mut serving.accepting).await;
        }
    }

    /// Cuts the connections that stand, those that wait to be accepted included. What their clients had sent is done
    /// when this returns, or never.
    pub async fn cut(&self) {
        if let Some(serving) = &*self.serving.lock().await {
            let (done, is_done) = oneshot::channel();
            if serving.cuts.send(done).await.is_ok() {
                let _ = is_done.await;
            }
        }
    }

    /// Accepts connections again, at the same address.
    pub async fn come_back(&self) -> Result<()> {
        let mut serving = self.serving.lock().await;
        if serving.is_none() {
            let socket = socket()?;
            socket
                .bind(self.address)
                .with_context(|| format!("can't bind {} again", self.address))?;
            let listener = socket.listen(BACKLOG)?;
            let (cuts, cut) = mpsc::channel(1);
            let accepting = accept(listener, self.service.clone(), self.faults.clone(), cut);
            *serving = Some(Serving {
                accepting: tokio::spawn(accepting),
                cuts,
            });
        }
        Ok(())
    }
}

fn socket() -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    Ok(socket)
}

async fn accept(
    listener: TcpListener,
    service: S3Service,
    faults: Faults,
    mut cuts: mpsc::Receiver<oneshot::Sender<()>>,
) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => return,
            },
            Some(done) = cuts.recv() => {
                connections.shutdown().await;
                while listener.accept().now_or_never().is_some() {}
                let _ = done.send(());
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let (service, faults) = (service.clone(), faults.clone());
        connections.spawn(async move {
            let answer = service_fn(|request| answer(request, &service, &faults));
            // An error here is a connection that was cut, on purpose or by the client.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

/// Answers one request; an error cuts the connection.
async fn answer(
    request: Request<Incoming>,
    service: &S3Service,
    faults: &Faults,
) -> Result<Response<Body>> {
    let fault = faults.meet(&request);
    if let Some(fault) = &fault
        && let Some(response) = fault.before(faults).await?
    {
        return Ok(response);
    }
    let response = hyper::service::Service::call(service, request)
        .await
        .map_err(|error| anyhow::anyhow!("{error:?}"))?;
    match fault {
        Some(Fault::DropAfter) => anyhow::bail!("told to drop the answer"),
        Some(Fault::HangAfter) => faults.hang().await,
        _ => Ok(response),
    }
}
