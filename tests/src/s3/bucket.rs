use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use http::StatusCode;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion,
};
use s3s::dto::{
    CommonPrefix, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource,
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    ETag, ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object, PutObjectInput, PutObjectOutput, Range,
    StreamingBlob, Timestamp,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::BUCKET;
use super::faults::{Conditions, ETags, Faults, Kind};
use super::witness::{Seen, Witness};

/// How many rows a page of a listing holds, as on S3.
const PAGE: usize = 1000;

/// How often a store that loses races lets others go first between checking and writing. Its clients run on the test's
/// own thread, so whatever they have begun to send arrives meanwhile.
const THINKING: usize = 1000;

/// One bucket, over an [`InMemory`] store.
#[derive(Debug)]
pub(super) struct Bucket {
    objects: Arc<InMemory>,
    faults: Faults,
    witness: Witness,
}

impl Bucket {
    pub(super) fn new(objects: Arc<InMemory>, faults: Faults, witness: Witness) -> Self {
        Self {
            objects,
            faults,
            witness,
        }
    }

    async fn get(
        &self,
        bucket: &str,
        key: &str,
        options: GetOptions,
    ) -> S3Result<(ObjectMeta, std::ops::Range<u64>, Bytes)> {
        ours(bucket)?;
        let path = path(key)?;
        let got = {
            let mut seen = self.witness.hold().await;
            let got = self.objects.get_opts(&path, options).await;
            seen.push(Seen::Got {
                key: path.to_string(),
                e_tag: got.as_ref().ok().and_then(|got| got.meta.e_tag.clone()),
            });
            got
        };
        let result = got.map_err(failed)?;
        let (meta, range) = (result.meta.clone(), result.range.clone());
        Ok((meta, range, result.bytes().await.map_err(failed)?))
    }

    async fn put(&self, key: &Path, bytes: Bytes, mode: PutMode) -> S3Result<Option<ETag>> {
        let mode = match self.faults.conditions() {
            Conditions::Honour => mode,
            Conditions::Ignore => PutMode::Overwrite,
            Conditions::LoseRaces => {
                self.check(key, &mode).await?;
                for _ in 0..THINKING {
                    tokio::task::yield_now().await;
                }
                PutMode::Overwrite
            }
            Conditions::Reject(rejection) => {
                let rejected = match &mode {
                    PutMode::Overwrite => false,
                    PutMode::Create => rejection.creates,
                    PutMode::Update(_) => rejection.updates,
                };
                if rejected {
                    let mut error = S3Error::new(S3ErrorCode::Custom(rejection.code.into()));
                    error.set_status_code(
                        StatusCode::from_u16(rejection.status).unwrap_or_default(),
                    );
                    return Err(error);
                }
                mode
            }
        };
        let mut seen = self.witness.hold().await;
        let options = mode.clone().into();
        let put = self.objects.put_opts(key, bytes.clone().into(), options);
        let put = put.await;
        seen.push(Seen::Put {
            key: key.to_string(),
            mode,
            bytes,
            e_tag: put.as_ref().ok().and_then(|put| put.e_tag.clone()),
        });
        Ok(self.e_tag(Kind::Put, put.map_err(failed)?.e_tag))
    }

    /// The ETag as answers of this kind write it.
    fn e_tag(&self, kind: Kind, e_tag: Option<String>) -> Option<ETag> {
        let e_tag = e_tag?;
        Some(match self.faults.etags(kind) {
            ETags::Strong => ETag::Strong(e_tag),
            ETags::Weak => ETag::Weak(e_tag),
            ETags::Wrong => ETag::Strong(format!("not-{e_tag}")),
        })
    }

    async fn check(&self, key: &Path, mode: &PutMode) -> S3Result<()> {
        let standing = self.objects.head(key).await.ok();
        let holds = match mode {
            PutMode::Overwrite => true,
            PutMode::Create => standing.is_none(),
            PutMode::Update(version) => standing.is_some_and(|meta| meta.e_tag == version.e_tag),
        };
        match holds {
            true => Ok(()),
            false => Err(s3_error!(PreconditionFailed)),
        }
    }
}

#[async_trait::async_trait]
impl S3 for Bucket {
    async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let options = GetOptions::new().with_head(true);
        let (meta, ..) = self.get(&input.bucket, &input.key, options).await?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(length(meta.size)),
            last_modified: Some(modified(&meta)),
            e_tag: self.e_tag(Kind::Head, meta.e_tag),
            ..Default::default()
        }))
    }

    async fn get_object(
        &self,
        req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        let options = GetOptions {
            range: input.range.map(range),
            if_match: input.if_match.map(etags),
            if_none_match: input.if_none_match.map(etags),
            ..GetOptions::new()
        };
        let partial = options.range.is_some();
        let (meta, range, bytes) = self.get(&input.bucket, &input.key, options).await?;
        let content_range = partial.then(|| {
            let last = range.end.saturating_sub(1);
            format!("bytes {}-{last}/{}", range.start, meta.size)
        });
        Ok(S3Response::new(GetObjectOutput {
            content_length: Some(length(range.end - range.start)),
            content_range,
            last_modified: Some(modified(&meta)),
            body: Some(StreamingBlob::from(s3s::Body::from(bytes))),
            e_tag: self.e_tag(Kind::Get, meta.e_tag),
            ..Default::default()
        }))
    }

    async fn put_object(
        &self,
        req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = req.input;
        ours(&input.bucket)?;
        let mode = match (input.if_none_match, input.if_match) {
            (Some(_), _) => PutMode::Create,
            (None, Some(condition)) => PutMode::Update(UpdateVersion {
                e_tag: Some(match condition {
                    // A weak ETag never satisfies If-Match (RFC 9110, 13.1.1).
                    ETagCondition::ETag(ETag::Weak(_)) => String::new(),
                    condition => etags(condition),
                }),
                version: None,
            }),
            (None, None) => PutMode::Overwrite,
        };
        let mut bytes = BytesMut::new();
        if let Some(mut body) = input.body {
            while let Some(chunk) = body
                .try_next()
                .await
                .map_err(|error| s3_error!(IncompleteBody, "{error}"))?
            {
                bytes.extend_from_slice(&chunk);
            }
        }
        let e_tag = self.put(&path(&input.key)?, bytes.freeze(), mode).await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag,
            ..Default::default()
        }))
    }

    async fn copy_object(
        &self,
        req: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = req.input;
        ours(&input.bucket)?;
        let CopySource::Bucket { bucket, key, .. } = input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        let (.., bytes) = self.get(&bucket, &key, GetOptions::new()).await?;
        let e_tag = self
            .put(&path(&input.key)?, bytes, PutMode::Overwrite)
            .await?;
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag,
                last_modified: Some(Timestamp::from(SystemTime::now())),
                ..Default::default()
            }),
            ..Default::default()
        }))
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        ours(&req.input.bucket)?;
        let path = path(&req.input.key)?;
        self.objects.delete(&path).await.map_err(failed)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        ours(&req.input.bucket)?;
        let mut deleted = Vec::new();
        for object in req.input.delete.objects {
            let path = path(&object.key)?;
            self.objects.delete(&path).await.map_err(failed)?;
            deleted.push(DeletedObject {
                key: Some(object.key),
                ..Default::default()
            });
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            ..Default::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        ours(&input.bucket)?;
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let after = input
            .continuation_token
            .as_deref()
            .or(input.start_after.as_deref())
            .unwrap_or_default();
        let mut metas: Vec<ObjectMeta> = self
            .objects
            .list(None)
            .try_collect()
            .await
            .map_err(failed)?;
        metas.sort_by(|one, other| one.location.cmp(&other.location));

        let mut contents = Vec::new();
        let mut folders = BTreeSet::new();
        let mut last = None;
        let mut more = false;
        for meta in metas {
            let key = meta.location.as_ref().to_owned();
            let Some(rest) = key.strip_prefix(prefix) else {
                continue;
            };
            if key.as_str() <= after {
                continue;
            }
            if contents.len() + folders.len() == PAGE {
                more = true;
                break;
            }
            let folder = input
                .delimiter
                .as_deref()
                .and_then(|delimiter| Some((rest.split_once(delimiter)?.0, delimiter)));
            match folder {
                Some((name, delimiter)) => {
                    folders.insert(format!("{prefix}{name}{delimiter}"));
                }
                None => contents.push(Object {
                    size: Some(length(meta.size)),
                    last_modified: Some(modified(&meta)),
                    e_tag: meta.e_tag.map(ETag::Strong),
                    key: Some(key.clone()),
                    ..Default::default()
                }),
            }
            last = Some(key);
        }
        let folders = folders
            .into_iter()
            .map(|prefix| CommonPrefix {
                prefix: Some(prefix),
            })
            .collect();
        Ok(S3Response::new(ListObjectsV2Output {
            contents: Some(contents),
            common_prefixes: Some(folders),
            is_truncated: Some(more),
            next_continuation_token: last.filter(|_| more),
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            ..Default::default()
        }))
    }
}

fn ours(bucket: &str) -> S3Result<()> {
    match bucket == BUCKET {
        true => Ok(()),
        false => Err(s3_error!(NoSuchBucket)),
    }
}

fn path(key: &str) -> S3Result<Path> {
    Path::parse(key).map_err(|error| s3_error!(InvalidURI, "{error}"))
}

fn failed(error: Error) -> s3s::S3Error {
    match error {
        Error::NotFound { .. } => s3_error!(NoSuchKey),
        Error::AlreadyExists { .. } | Error::Precondition { .. } => s3_error!(PreconditionFailed),
        Error::NotModified { .. } => s3_error!(NotModified),
        // The only other trouble that this store has.
        _ => s3_error!(InvalidRange),
    }
}

fn etags(condition: ETagCondition) -> String {
    match condition {
        ETagCondition::Any => "*".to_owned(),
        ETagCondition::ETag(etag) => etag.into_value(),
    }
}

fn range(range: Range) -> GetRange {
    match range {
        Range::Int {
            first,
            last: Some(last),
        } => {
            let range: RangeInclusive<u64> = first..=last;
            GetRange::Bounded(*range.start()..range.end().saturating_add(1))
        }
        Range::Int { first, last: None } => GetRange::Offset(first),
        Range::Suffix { length } => GetRange::Suffix(length),
    }
}

fn length(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn modified(meta: &ObjectMeta) -> Timestamp {
    Timestamp::from(SystemTime::from(meta.last_modified))
}
