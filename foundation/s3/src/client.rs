//! The client: one method per operation, one attempt each.
//!
//! Every operation has the same course: describe the request, sign it with the time of now, send
//! it, and say what the answer means. Nothing below this file reads the clock.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ferror::{Error, Kind, ResultExt as _};
use ftime::Epoch;

use crate::address::Address;
use crate::transport::{Answer, Timeouts, Transport};
use crate::{
    Body, Credentials, Head, Listing, Location, Object, Precondition, Put, PutOutcome, Request,
    Signature, answer, digest, listing, payload, sigv2, sigv4, xml,
};

/// The longest object key that S3 takes, in bytes.
const MAX_OBJECT_KEY_BYTES: usize = 1024;

/// A page of 1,000 objects with the longest object keys stays well below this.
const MAX_PAGE_BYTES: u64 = 8 * 1024 * 1024;

/// Answers whose body nobody reads.
const MAX_UNREAD_BYTES: u64 = 64 * 1024;

/// A client for one bucket: blocking, cheap to clone, one connection pool for all clones.
///
/// Errors say what was tried, on which object, and what the server answered; when it did answer,
/// the error's source is a [`Fault`](crate::Fault).
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    location: Location,
    credentials: Credentials,
    address: Address,
    transport: Transport,
}

impl Client {
    /// A client for the bucket at `location`. Makes no request; a bucket, region or endpoint that
    /// is not valid is a [`Kind::Config`], and so is plain http to anything but loopback.
    ///
    /// A proxy is taken from `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, as everywhere; requests to
    /// loopback never use one.
    pub fn new(location: Location, credentials: Credentials) -> ferror::Result<Self> {
        Self::build(location, credentials, None)
    }

    /// As [`Client::new`], but trusts the root certificates in `roots_pem` (a bundle in PEM, as
    /// `AWS_CA_BUNDLE` and `SSL_CERT_FILE` name one) in place of the bundled ones.
    pub fn with_roots(
        location: Location,
        credentials: Credentials,
        roots_pem: &[u8],
    ) -> ferror::Result<Self> {
        Self::build(location, credentials, Some(roots_pem))
    }

    /// Where the bucket is.
    pub fn location(&self) -> &Location {
        &self.0.location
    }

    /// Stores an object, whole or not at all.
    pub fn put(&self, object_key: &str, put: &Put<'_>) -> ferror::Result<PutOutcome> {
        let mut request = self.object_request("PUT", object_key)?;
        request.push_header("content-type", put.content_type);
        match put.precondition {
            Precondition::None => {}
            Precondition::Absent => request.push_header("if-none-match", "*"),
            Precondition::Matches(etag) => request.push_header("if-match", etag),
        }
        let what = self.what("PUT", object_key);
        let metadata = answer::metadata_headers(put.metadata);
        request.headers.extend(metadata.with_context(|| what.clone())?);
        let answer = self.exchange(&what, request, Some(put.body), MAX_UNREAD_BYTES)?;
        if is_success(&answer) {
            return Ok(PutOutcome::Stored(answer::stored(&answer)));
        }
        let fault = answer::fault(&answer);
        let unmet = match (fault.status, fault.code.as_str()) {
            (412, _) | (409, "ConditionalRequestConflict") => true,
            // Nothing is there that could have the ETag.
            (404, "NoSuchKey") => matches!(put.precondition, Precondition::Matches(_)),
            _ => false,
        };
        if unmet && put.precondition != Precondition::None {
            return Ok(PutOutcome::PreconditionFailed);
        }
        Err(fault.into_error(&what))
    }

    /// What is known about an object; `None` when there is none (or no such bucket: the answer to
    /// a HEAD has no body that would tell).
    pub fn head(&self, object_key: &str) -> ferror::Result<Option<Head>> {
        let what = self.what("HEAD", object_key);
        let answer =
            self.exchange(&what, self.object_request("HEAD", object_key)?, None, MAX_UNREAD_BYTES)?;
        if answer.status == 404 {
            return Ok(None);
        }
        if !is_success(&answer) {
            return Err(answer::fault(&answer).into_error(&what));
        }
        let size_bytes = answer::declared_size(&answer).context(what)?;
        Ok(Some(answer::head(&answer, size_bytes)))
    }

    /// An object with its bytes; `None` when there is none. One of more than `max_bytes` is a
    /// [`Kind::Invalid`].
    pub fn get(&self, object_key: &str, max_bytes: u64) -> ferror::Result<Option<Object>> {
        let what = self.what("GET", object_key);
        let answer =
            self.exchange(&what, self.object_request("GET", object_key)?, None, max_bytes)?;
        if !is_success(&answer) {
            let fault = answer::fault(&answer);
            return match (fault.status, fault.code.as_str()) {
                (404, "NoSuchKey") => Ok(None),
                _ => Err(fault.into_error(&what)),
            };
        }
        if answer.cut {
            return Err(Error::invalid(format!("{what}: it is larger than {max_bytes} bytes")));
        }
        let head = answer::head(&answer, answer.body.len() as u64);
        Ok(Some(Object { bytes: answer.body, head }))
    }

    /// The first `max_objects` objects whose object keys begin with `prefix`, in as many requests
    /// as that takes.
    pub fn list(&self, prefix: &str, max_objects: usize) -> ferror::Result<Listing> {
        let what = format!("GET {}?prefix={}", self.0.location.bucket, xml::one_line(prefix));
        listing::collect(prefix, max_objects, |parameters| {
            let mut request = self.request("GET", "");
            request.query = parameters;
            let answer = self.exchange(&what, request, None, MAX_PAGE_BYTES)?;
            if !is_success(&answer) {
                return Err(answer::fault(&answer).into_error(&what));
            }
            if answer.cut {
                let message = format!("{what}: a page is larger than {MAX_PAGE_BYTES} bytes");
                return Err(Error::invalid(message));
            }
            xml::list_page(&answer.body).with_context(|| what.clone())
        })
    }

    /// Removes an object. One that is not there is removed already.
    pub fn delete(&self, object_key: &str) -> ferror::Result<()> {
        let what = self.what("DELETE", object_key);
        let request = self.object_request("DELETE", object_key)?;
        let answer = self.exchange(&what, request, None, MAX_UNREAD_BYTES)?;
        if is_success(&answer) {
            return Ok(());
        }
        let fault = answer::fault(&answer);
        match (fault.status, fault.code.as_str()) {
            (404, "NoSuchKey") => Ok(()),
            _ => Err(fault.into_error(&what)),
        }
    }

    /// A URL with which anyone can GET the object until `expires_in` after `now`; makes no request.
    pub fn presign_get(
        &self,
        object_key: &str,
        now: Epoch,
        expires_in: Duration,
    ) -> ferror::Result<String> {
        let Inner { location, credentials, address, .. } = &*self.0;
        let mut request = self.object_request("GET", object_key)?;
        match location.signature {
            Signature::V4 => {
                sigv4::presign(&mut request, credentials, &location.region, now, expires_in)?;
            }
            Signature::V2 => {
                let bucket = address.virtual_host_bucket();
                sigv2::presign(&mut request, credentials, bucket, now, expires_in)?;
            }
        }
        Ok(address.url(&request))
    }

    fn build(
        location: Location,
        credentials: Credentials,
        roots_pem: Option<&[u8]>,
    ) -> ferror::Result<Self> {
        let address = Address::of(&location)?;
        let transport = Transport::new(address.is_loopback(), roots_pem, Timeouts::default())?;
        Ok(Self(Arc::new(Inner { location, credentials, address, transport })))
    }

    /// The request for an object. Without an object key it would be one for the bucket: a DELETE
    /// would remove that.
    fn object_request(&self, method: &'static str, object_key: &str) -> ferror::Result<Request> {
        if object_key.is_empty() || object_key.len() > MAX_OBJECT_KEY_BYTES {
            return Err(Error::new(
                Kind::Invalid,
                format!(
                    "an object key has 1 to {MAX_OBJECT_KEY_BYTES} bytes, not {}",
                    object_key.len()
                ),
            )
            .context(self.what(method, object_key)));
        }
        Ok(self.request(method, object_key))
    }

    fn request(&self, method: &'static str, object_key: &str) -> Request {
        let address = &self.0.address;
        let headers = vec![("host".to_owned(), address.host().to_owned())];
        Request { method, path: address.path(object_key), query: Vec::new(), headers }
    }

    /// Signs and sends.
    fn exchange(
        &self,
        what: &str,
        mut request: Request,
        body: Option<Body<'_>>,
        max_bytes: u64,
    ) -> ferror::Result<Answer> {
        self.sign(&mut request, body, Epoch::now()).with_context(|| what.to_owned())?;
        let Inner { address, transport, .. } = &*self.0;
        let answer = transport.send(&address.url(&request), &request, body, max_bytes);
        answer.with_context(|| what.to_owned())
    }

    fn sign(
        &self,
        request: &mut Request,
        body: Option<Body<'_>>,
        now: Epoch,
    ) -> ferror::Result<()> {
        let Inner { location, credentials, address, .. } = &*self.0;
        match location.signature {
            Signature::V4 => {
                let payload_sha256 = body.map_or_else(|| digest::sha256(b""), payload::sha256);
                sigv4::sign(request, credentials, &location.region, &payload_sha256, now);
            }
            Signature::V2 => {
                if let Some(body) = body {
                    request.push_header("content-md5", payload::content_md5(body)?);
                }
                sigv2::sign(request, credentials, address.virtual_host_bucket(), now);
            }
        }
        Ok(())
    }

    fn what(&self, method: &str, object_key: &str) -> String {
        // An object key may have come from a listing, and so from anyone.
        format!("{method} {}/{}", self.0.location.bucket, xml::one_line(object_key))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("location", &self.0.location)
            .field("credentials", &self.0.credentials)
            .finish_non_exhaustive()
    }
}

fn is_success(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}
