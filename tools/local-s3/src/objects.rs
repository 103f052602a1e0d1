//! The operations on objects: `s3s-fs` does the work, under one lock and with its answers mended.
//!
//! The lock is the whole server's, not an object's. It is held while looking and renaming, never
//! while a client sends or receives: a slow client keeps no one waiting.

use std::path::Path;
use std::sync::Arc;

use hyper::{HeaderMap, Method, Uri};
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, ETagCondition, GetObjectInput, GetObjectOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input,
    ListObjectsV2Output, PutObjectInput, PutObjectOutput,
};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::RwLock;

use crate::places::Places;
use crate::staging::Staging;

/// What S3 lists at most in one answer.
const MAX_LISTED: i32 = 1000;

/// The objects of one server; cloned cheaply.
#[derive(Debug, Clone)]
pub(crate) struct Objects(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: Places,
    staging: Staging,
    /// The storage, and the lock over what it has on disk.
    storage: RwLock<FileSystem>,
}

impl Objects {
    /// Opens the storage in the folders that `places` has made.
    pub(crate) fn open(places: Places) -> ferror::Result<Self> {
        let storage = FileSystem::new(places.bookkeeping()).map_err(|error| {
            let message = format!("cannot open {}: {error:?}", places.bookkeeping().display());
            ferror::Error::config(message)
        })?;
        let staging = Staging::new(places.staging());
        Ok(Self(Arc::new(Inner { places, staging, storage: RwLock::new(storage) })))
    }

    /// Looks at the conditions and stores, as one step.
    async fn store(&self, put: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let storage = self.0.storage.write().await;
        let (bucket, object_key) = (&put.input.bucket, &put.input.key);
        self.0.places.check_free(bucket, object_key)?;
        if put.input.if_match.is_some() {
            self.0.places.object(bucket, object_key)?;
        }
        storage.put_object(put).await
    }
}

#[async_trait::async_trait]
impl S3 for Objects {
    async fn put_object(
        &self,
        mut put: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        self.0.places.check_storable(&put.input.bucket, &put.input.key)?;
        if matches!(put.input.if_none_match, Some(ETagCondition::ETag(_))) {
            return Err(s3_error!(NotImplemented, "If-None-Match takes * alone."));
        }
        let staged = self.0.staging.take_in(&mut put).await?;
        // A task of its own: a client that goes away now must not leave an object without its
        // metadata.
        let objects = self.clone();
        let storing = tokio::spawn(async move {
            let _staged = staged;
            objects.store(put).await
        });
        storing.await.map_err(S3Error::internal_error)?
    }

    async fn get_object(
        &self,
        get: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let storage = self.0.storage.read().await;
        self.0.places.object(&get.input.bucket, &get.input.key)?;
        storage.get_object(get).await
    }

    async fn head_object(
        &self,
        head: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let storage = self.0.storage.read().await;
        self.0.places.object(&head.input.bucket, &head.input.key)?;
        storage.head_object(head).await
    }

    async fn head_bucket(
        &self,
        head: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.0.places.bucket(&head.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        mut list: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let bucket = list.input.bucket.clone();
        self.0.places.bucket(&bucket)?;
        list.input.max_keys = Some(list.input.max_keys.unwrap_or(MAX_LISTED).min(MAX_LISTED));
        // The storage encodes nothing; an answer that does not name the encoding says so.
        list.input.encoding_type = None;

        let storage = self.0.storage.read().await;
        let mut listed = storage.list_objects_v2(list).await?;
        for object in listed.output.contents.iter_mut().flatten() {
            let key = object.key.clone().unwrap_or_default();
            let head =
                HeadObjectInput { bucket: bucket.clone(), key, ..HeadObjectInput::default() };
            object.e_tag = storage.head_object(request(head)).await?.output.e_tag;
        }
        Ok(listed)
    }

    async fn delete_object(
        &self,
        delete: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let storage = self.0.storage.write().await;
        let bucket = self.0.places.bucket(&delete.input.bucket)?;
        let Ok(file) = self.0.places.object(&delete.input.bucket, &delete.input.key) else {
            // Removing what is not there is a success in S3.
            return Ok(S3Response::new(DeleteObjectOutput::default()));
        };
        let deleted = storage.delete_object(delete).await?;
        remove_empty_folders(&file, &bucket);
        Ok(deleted)
    }
}

/// A request that no client sent, for asking the storage directly.
pub(crate) fn request<T>(input: T) -> S3Request<T> {
    S3Request {
        input,
        method: Method::default(),
        uri: Uri::default(),
        headers: HeaderMap::default(),
        extensions: hyper::http::Extensions::default(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    }
}

/// Removes the folders of `file` that are empty, up to `bucket`.
fn remove_empty_folders(file: &Path, bucket: &Path) {
    let folders = file.ancestors().skip(1).take_while(|folder| *folder != bucket);
    for folder in folders {
        if std::fs::remove_dir(folder).is_err() {
            return; // Not empty.
        }
    }
}
