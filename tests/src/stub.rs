//! Servers on 127.0.0.1 that give canned answers, over HTTP, over TLS, or as bare bytes.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificate of the authority that issued those of [`Certificate`]. No system trusts it.
pub const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/tls/ca.pem");

/// A server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For 127.0.0.1 and localhost, valid until 2120.
    Valid,
    /// For `other.example.com`.
    OtherName,
    /// Expired in 2021.
    Expired,
    /// Valid from 2110 on.
    Early,
    /// Signed by itself, as an authority's own, which is what `openssl req -x509` makes.
    OwnAuthority,
}

impl Certificate {
    fn pem(self) -> &'static [u8] {
        match self {
            Certificate::Valid => include_bytes!("../data/tls/server.pem"),
            Certificate::OtherName => include_bytes!("../data/tls/other.pem"),
            Certificate::Expired => include_bytes!("../data/tls/expired.pem"),
            Certificate::Early => include_bytes!("../data/tls/early.pem"),
            Certificate::OwnAuthority => include_bytes!("../data/tls/own-authority.pem"),
        }
    }

    fn acceptor(self) -> Result<TlsAcceptor> {
        let chain = CertificateDer::pem_slice_iter(self.pem()).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(self.pem())?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// A canned answer.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    /// An answer of this status, without a body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// S3's error document, which repeats the access key.
    pub fn s3(status: u16, code: &str, message: &str) -> Self {
        Self::new(status)
            .header("content-type", "application/xml")
            .body(format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
                 <AWSAccessKeyId>AKIASTUB</AWSAccessKeyId></Error>"
            ))
    }

    /// The same with this header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same with this body.
    pub fn body(self, body: impl Into<String>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    fn response(self, head: bool) -> Result<Response<Full<Bytes>>> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let body = if head { String::new() } else { self.body };
        Ok(response.body(Full::from(body))?)
    }
}

/// What a stub answers requests with, by their head.
type Answers = Arc<dyn Fn(&Request<Incoming>) -> Answer + Send + Sync>;

/// A running server; it stops when dropped.
#[derive(Debug)]
pub struct Stub {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Stub {
    /// A server that gives every request this answer.
    pub async fn answering(answer: Answer) -> Result<Self> {
        Self::http(move |_| answer.clone()).await
    }

    /// A server that answers requests by their head.
    pub async fn http(
        answers: impl Fn(&Request<Incoming>) -> Answer + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::serve(None, Arc::new(answers)).await
    }

    /// The same over TLS.
    pub async fn https(
        certificate: Certificate,
        answers: impl Fn(&Request<Incoming>) -> Answer + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::serve(Some(certificate.acceptor()?), Arc::new(answers)).await
    }

    /// A proxy whose tunnels all end at one server over TLS.
    pub async fn tunnel(
        certificate: Certificate,
        answers: impl Fn(&Request<Incoming>) -> Answer + Send + Sync + 'static,
    ) -> Result<Self> {
        let (listener, address) = bind().await?;
        let (tls, answers): (_, Answers) = (certificate.acceptor()?, Arc::new(answers));
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let (tls, answers) = (tls.clone(), Arc::clone(&answers));
                connections.spawn(async move {
                    // The request to connect, whose end is an empty line.
                    let mut heard = Vec::new();
                    while !heard.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => heard.push(byte),
                            Err(_) => return,
                        }
                    }
                    let connected = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                    if connected.is_ok()
                        && let Ok(stream) = tls.accept(stream).await
                    {
                        serve(stream, answers).await;
                    }
                });
            }
        });
        Ok(Self { address, accepting })
    }

    /// A server that sends these bytes as soon as it has heard anything, and closes the connection.
    pub async fn bytes(bytes: &'static [u8]) -> Result<Self> {
        let (listener, address) = bind().await?;
        let accepting = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut heard = [0; 1024];
                let _ = stream.read(&mut heard).await;
                let _ = stream.write_all(bytes).await;
                let _ = stream.shutdown().await;
            }
        });
        Ok(Self { address, accepting })
    }

    /// A server that accepts connections and never answers.
    pub async fn silent() -> Result<Self> {
        let (listener, address) = bind().await?;
        let accepting = tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                kept.push(stream);
            }
        });
        Ok(Self { address, accepting })
    }

    async fn serve(tls: Option<TlsAcceptor>, answers: Answers) -> Result<Self> {
        let (listener, address) = bind().await?;
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, answers) = (tls.clone(), Arc::clone(&answers));
                connections.spawn(async move {
                    match tls {
                        Some(tls) => {
                            // A client that rejects the certificate disconnects.
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, answers).await;
                            }
                        }
                        None => serve(stream, answers).await,
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, accepting })
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `https://127.0.0.1:PORT`.
    pub fn https_url(&self) -> String {
        format!("https://{}", self.address)
    }
}

/// A host at which nothing listens: its port was free a moment ago.
pub async fn closed_port() -> Result<String> {
    let (_, address) = bind().await?;
    Ok(address.to_string())
}

async fn bind() -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr().context("no address")?;
    Ok((listener, address))
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, answers: Answers) {
    let service = service_fn(|request| {
        let head = request.method() == Method::HEAD;
        let answer = answers(&request).response(head);
        async move { answer }
    });
    // An error here is a connection that the client cut.
    let _ = http1::Builder::new()
        // Only answers that are made for it say what time it is.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
