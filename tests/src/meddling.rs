//! A store that does something of its own at one moment of a test: between a read and the write that follows, or instead
//! of an answer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::Notify;

/// What happens to writes of schemas.
#[derive(Clone)]
enum Script {
    /// The first so many find that somebody else wrote before them, with what this gives for each.
    Rival(u32, Arc<dyn Fn(u32) -> String + Send + Sync>),
    /// They are never answered; whether they are done all the same.
    Silence { done: bool },
    /// They fail, and nothing is done.
    Failure,
}

/// A store that meddles with writes of schemas and passes everything else on.
pub struct Meddling {
    inner: Arc<dyn ObjectStore>,
    script: Script,
    writes: AtomicU32,
    reached: Notify,
}

impl Meddling {
    fn new(inner: &Arc<dyn ObjectStore>, script: Script) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(inner),
            script,
            writes: AtomicU32::new(0),
            reached: Notify::new(),
        })
    }

    /// Somebody else replaces the object just before each of the first `times` writes, without asking.
    pub fn rival(
        inner: &Arc<dyn ObjectStore>,
        times: u32,
        contents: impl Fn(u32) -> String + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::new(inner, Script::Rival(times, Arc::new(contents)))
    }

    /// Writes are never answered.
    pub fn silent(inner: &Arc<dyn ObjectStore>, done: bool) -> Arc<Self> {
        Self::new(inner, Script::Silence { done })
    }

    /// Writes fail.
    pub fn failing(inner: &Arc<dyn ObjectStore>) -> Arc<Self> {
        Self::new(inner, Script::Failure)
    }

    /// Waits until a write was met with silence.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Writes of schemas that arrived.
    pub fn writes(&self) -> u32 {
        self.writes.load(Ordering::Acquire)
    }
}

#[async_trait]
impl ObjectStore for Meddling {
    async fn put_opts(
        &self,
        key: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if !key.as_ref().contains(".schema") {
            return self.inner.put_opts(key, payload, options).await;
        }
        let earlier = self.writes.fetch_add(1, Ordering::AcqRel);
        match &self.script {
            Script::Rival(times, contents) => {
                if earlier < *times {
                    let contents = Bytes::from(contents(earlier));
                    self.inner.put(key, contents.into()).await?;
                }
                self.inner.put_opts(key, payload, options).await
            }
            Script::Silence { done } => {
                if *done {
                    self.inner.put_opts(key, payload, options).await?;
                }
                self.reached.notify_one();
                std::future::pending().await
            }
            Script::Failure => Err(object_store::Error::Generic {
                store: "test",
                source: "told to fail".into(),
            }),
        }
    }

    async fn put_multipart_opts(
        &self,
        key: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(key, options).await
    }

    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(key, options).await
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(keys)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

impl fmt::Debug for Meddling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meddling").finish_non_exhaustive()
    }
}

impl fmt::Display for Meddling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "meddling with {}", self.inner)
    }
}
