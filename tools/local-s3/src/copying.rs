//! `CopyObject`: from one object to another on this server, without a client's body in between.
//!
//! See <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>.

use std::fs::File;

use s3s::dto::{CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, ETag, Timestamp};
use s3s::{S3Request, S3Result, s3_error};

use crate::conditions::Conditions;
use crate::intake::MAX_BODY_BYTES;
use crate::record::{Record, broken, hex, kept_by_copy};
use crate::store::{self, Store};

/// Copies, if the conditions on source and destination hold.
pub(crate) fn copy(
    store: &Store,
    asked: &S3Request<CopyObjectInput>,
) -> S3Result<CopyObjectOutput> {
    let input = &asked.input;
    store.places().bucket(&input.bucket)?;
    let conditions = Conditions::of(&asked.headers)?.for_writing()?;
    let CopySource::Bucket { bucket, key, version_id: None } = &input.copy_source else {
        return Err(s3_error!(NotImplemented, "A source is /BUCKET/KEY, without a version."));
    };
    let mut source = store.find(bucket, key)?;
    Conditions::of_copy_source(&asked.headers)?.check_copy(&source.record.etag)?;
    let headers = kept_by_copy(&source.record.headers, &asked.headers)?;
    if (**bucket == *input.bucket && **key == *input.key) && headers == source.record.headers {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing anything."
        ));
    }
    if source.record.size_bytes > MAX_BODY_BYTES {
        return Err(s3_error!(InvalidRequest, "A source is 5 GiB at most: copy it in parts."));
    }
    let body = store.scratch();
    let mut file = File::create(body.path()).map_err(broken)?;
    let md5 = store::copy(&mut source.file, &mut file).map_err(broken)?;
    let record = Record {
        object_key: input.key.clone(),
        // The copy was made in one go, whatever the source was made of.
        etag: hex(&md5),
        size_bytes: source.record.size_bytes,
        headers,
    };
    store.replace(&input.bucket, &record, body, &conditions)?;
    let result = CopyObjectResult {
        e_tag: Some(ETag::Strong(record.etag)),
        last_modified: Some(Timestamp::from(
            file.metadata().and_then(|s| s.modified()).map_err(broken)?,
        )),
        ..CopyObjectResult::default()
    };
    Ok(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() })
}
