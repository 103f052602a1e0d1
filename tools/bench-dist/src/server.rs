//! The S3 server that the services are published to.

use std::path::Path;

use ferror::Result;
use local_s3::{LocalS3, Options, REGION};

const BUCKET: &str = "builds";

/// A server on loopback with one bucket.
pub(crate) struct Server(LocalS3);

impl Server {
    /// Starts it with an empty bucket below `scratch`.
    pub(crate) fn start(scratch: &Path) -> Result<Self> {
        let root = scratch.join("s3");
        crate::repository::remove(&root)?;
        let options = Options { root, buckets: vec![BUCKET.into()], port: 0, verbose: false };
        LocalS3::start(&options).map(Self)
    }

    /// Returns the variables by which xtask finds it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 5] {
        let credentials = self.0.credentials();
        [
            ("S3_BUCKET", BUCKET.to_owned()),
            ("S3_KEY", credentials.access_key_id.clone()),
            ("S3_SECRET", credentials.secret_access_key.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ENDPOINT_URL_S3", self.0.endpoint()),
        ]
    }
}
