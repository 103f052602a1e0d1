//! The operations: what a request asks, done by the store, as the answer that S3 gives.

use std::sync::Arc;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, ETag, GetObjectInput,
    GetObjectOutput, GetObjectTaggingInput, GetObjectTaggingOutput, HeadBucketInput,
    HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput,
    ListPartsOutput, PutObjectInput, PutObjectOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result};

use crate::conditions::Conditions;
use crate::intake::{Declared, take_in};
use crate::places::Places;
use crate::record::{self, Record, hex};
use crate::store::Store;
use crate::{answers, copying, listing, uploads};

/// The objects of one server; cloned cheaply.
#[derive(Debug, Clone)]
pub(crate) struct Objects(Arc<Store>);

impl Objects {
    /// Returns the objects in the folders that `places` has made.
    pub(crate) fn new(places: Places) -> Self {
        Self(Arc::new(Store::new(places)))
    }

    /// Runs what takes long without a socket on a thread of its own. It ends what it has begun,
    /// also when the client goes away.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> S3Result<T> + Send + 'static,
    ) -> S3Result<T> {
        let store = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&store)).await.map_err(S3Error::internal_error)?
    }
}

#[async_trait::async_trait]
impl S3 for Objects {
    async fn put_object(
        &self,
        mut put: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        self.0.places().bucket(&put.input.bucket)?;
        let conditions = Conditions::of(&put.headers)?.for_writing()?;
        let mut headers = record::kept(&put.headers)?;
        let declared = Declared::of(&mut put)?;
        let taken = take_in(&self.0, put.input.body.take(), declared).await?;
        headers.extend(taken.checksums);
        let record = Record {
            object_key: put.input.key,
            etag: hex(&taken.md5),
            size_bytes: taken.size_bytes,
            headers,
        };
        self.0.replace(&put.input.bucket, &record, taken.scratch, &conditions)?;
        let e_tag = Some(ETag::Strong(record.etag));
        Ok(S3Response::new(PutObjectOutput { e_tag, ..PutObjectOutput::default() }))
    }

    async fn get_object(
        &self,
        get: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let found = self.0.find(&get.input.bucket, &get.input.key)?;
        Conditions::of(&get.headers)?.check_read(&found.record.etag)?;
        answers::object(found, get.input.range, &get.headers)
    }

    async fn head_object(
        &self,
        head: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let found = self.0.find(&head.input.bucket, &head.input.key)?;
        Conditions::of(&head.headers)?.check_read(&found.record.etag)?;
        answers::head(&found, head.input.range, &head.headers)
    }

    async fn head_bucket(
        &self,
        head: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.0.places().bucket(&head.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_object_tagging(
        &self,
        get: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let found = self.0.find(&get.input.bucket, &get.input.key)?;
        Ok(S3Response::new(answers::tags(&found.record)))
    }

    async fn list_objects_v2(
        &self,
        list: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.aside(move |store| listing::page(store, list.input)).await.map(S3Response::new)
    }

    async fn copy_object(
        &self,
        copy: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        self.aside(move |store| copying::copy(store, &copy)).await.map(S3Response::new)
    }

    async fn delete_object(
        &self,
        delete: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let conditions = Conditions::of(&delete.headers)?.for_writing()?;
        self.0.remove(&delete.input.bucket, &delete.input.key, &conditions)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn create_multipart_upload(
        &self,
        create: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let headers = record::kept(&create.headers)?;
        let (bucket, key) = (create.input.bucket, create.input.key);
        let id = uploads::create(&self.0, &bucket, &key, headers)?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(
        &self,
        mut part: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let number = part.input.part_number;
        uploads::check_number(number)?;
        let declared = Declared::of(&mut part)?;
        let UploadPartInput { bucket, key, upload_id, body, .. } = part.input;
        let upload = uploads::find(&self.0, &bucket, &key, &upload_id)?;
        let taken = take_in(&self.0, body, declared).await?;
        let e_tag = Some(ETag::Strong(uploads::add(&self.0, &upload, number, taken)?));
        Ok(S3Response::new(UploadPartOutput { e_tag, ..UploadPartOutput::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        complete: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let conditions = Conditions::of(&complete.headers)?.for_writing()?;
        let CompleteMultipartUploadInput { bucket, key, upload_id, multipart_upload, .. } =
            complete.input;
        let upload = uploads::find(&self.0, &bucket, &key, &upload_id)?;
        let list = multipart_upload.and_then(|list| list.parts).unwrap_or_default();
        let etag =
            self.aside(move |store| uploads::complete(store, &upload, &list, &conditions)).await?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            e_tag: Some(ETag::Strong(etag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        abort: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let AbortMultipartUploadInput { bucket, key, upload_id, .. } = abort.input;
        let upload = uploads::find(&self.0, &bucket, &key, &upload_id)?;
        uploads::abort(&self.0, &upload)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_parts(
        &self,
        list: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let input = list.input;
        let upload = uploads::find(&self.0, &input.bucket, &input.key, &input.upload_id)?;
        let parts = uploads::parts(&upload)?;
        Ok(S3Response::new(answers::parts(parts, input)))
    }

    async fn list_multipart_uploads(
        &self,
        list: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let uploads = uploads::list(&self.0, &list.input.bucket)?;
        Ok(S3Response::new(answers::uploads(uploads, list.input)))
    }
}
