//! An object store in memory that behaves as S3 does: ETags are the content's, in listings too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};

use crate::contract::{FailureKind, StoreFailure};
use crate::digest::Digest;

#[derive(Debug, Default)]
pub(super) struct Bucket {
    objects: Mutex<BTreeMap<Path, Bytes>>,
    broken: Mutex<BTreeSet<Path>>,
}

impl Bucket {
    pub(super) fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        let key = Path::parse(key).unwrap();
        self.objects.lock().unwrap().insert(key, bytes.into());
    }

    pub(super) fn remove(&self, key: &str) {
        let removed = self
            .objects
            .lock()
            .unwrap()
            .remove(&Path::parse(key).unwrap());
        assert!(removed.is_some(), "nothing stands at {key}");
    }

    pub(super) fn get(&self, key: &str) -> Option<Bytes> {
        self.objects
            .lock()
            .unwrap()
            .get(&Path::parse(key).unwrap())
            .cloned()
    }

    pub(super) fn all(&self) -> BTreeMap<Path, Bytes> {
        self.objects.lock().unwrap().clone()
    }

    /// From now on every request for this key or prefix fails.
    pub(super) fn break_off(&self, key: &str) {
        self.broken
            .lock()
            .unwrap()
            .insert(Path::parse(key).unwrap());
    }

    fn asked(&self, key: &Path) -> Result<()> {
        if self.broken.lock().unwrap().contains(key) {
            let failure = StoreFailure::new(FailureKind::Throttled, "slow down");
            return Err(Error::Generic {
                store: "Bucket",
                source: Box::new(failure),
            });
        }
        Ok(())
    }
}

fn meta(key: &Path, bytes: &Bytes) -> ObjectMeta {
    ObjectMeta {
        location: key.clone(),
        last_modified: chrono::DateTime::UNIX_EPOCH,
        size: bytes.len() as u64,
        e_tag: Some(Digest::of(bytes).to_string()),
        version: None,
    }
}

fn refused() -> Error {
    Error::NotImplemented {
        operation: "this".to_owned(),
        implementer: "Bucket".to_owned(),
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bucket")
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(
        &self,
        key: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.asked(key)?;
        let mut objects = self.objects.lock().unwrap();
        let standing = objects.get(key).map(|bytes| meta(key, bytes));
        let path = key.to_string();
        match (options.mode, standing) {
            (PutMode::Create, Some(_)) => {
                let source = "it exists".into();
                return Err(Error::AlreadyExists { path, source });
            }
            (PutMode::Update(version), standing)
                if standing.as_ref().and_then(|meta| meta.e_tag.clone()) != version.e_tag =>
            {
                let source = "it changed".into();
                return Err(Error::Precondition { path, source });
            }
            _ => {}
        }
        let bytes = Bytes::from(payload);
        let e_tag = meta(key, &bytes).e_tag;
        objects.insert(key.clone(), bytes);
        Ok(PutResult {
            e_tag,
            version: None,
            extensions: Default::default(),
        })
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(refused())
    }

    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        self.asked(key)?;
        let bytes = self.get(key.as_ref()).ok_or_else(|| Error::NotFound {
            path: key.to_string(),
            source: "nothing".into(),
        })?;
        let meta = meta(key, &bytes);
        options.check_preconditions(&meta)?;
        Ok(GetResult {
            range: 0..meta.size,
            payload: GetResultPayload::Stream(
                futures::stream::once(async move { Ok(bytes) }).boxed(),
            ),
            meta,
            attributes: Default::default(),
            extensions: Default::default(),
        })
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        panic!("nothing is ever deleted")
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned().unwrap_or_default();
        if let Err(error) = self.asked(&prefix) {
            return futures::stream::once(async { Err(error) }).boxed();
        }
        let objects = self.objects.lock().unwrap();
        let within = objects
            .iter()
            .filter(|(key, _)| key.prefix_matches(&prefix));
        let metas: Vec<_> = within.map(|(key, bytes)| Ok(meta(key, bytes))).collect();
        futures::stream::iter(metas).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(refused())
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(refused())
    }
}
