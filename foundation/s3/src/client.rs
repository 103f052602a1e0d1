//! The client: one method per operation.
//!
//! Every operation has the same log: describe the request, let `exchange` bring it to its end,
//! and say what the answer means. Storing is in `put` and `multipart`.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ferror::{Error, Kind, ResultExt as _};
use ftime::Epoch;

use crate::address::Address;
use crate::exchange::{Operation, Reply, RequestRunner, ServerFacts, check_token, server_time_now};
use crate::meter::Meter;
use crate::payload::Payload;
use crate::pool::Pool;
use crate::retry::WaitBudget;
use crate::transport::{Timeouts, Transport};
use crate::{
    ClientOptions, Copied, CredentialProvider, Head, Listing, Location, Object, Presigned, Request,
    Signature, Usage, answer, attributes, digest, encode, listing, sigv2, sigv4, xml,
};

/// The longest object key that S3 takes, in bytes.
const MAX_OBJECT_KEY_BYTES: usize = 1024;

/// A page of 1,000 objects with the longest object keys stays well below this.
pub(crate) const MAX_PAGE_BYTES: u64 = 8 * 1024 * 1024;

/// The limit for answers that are short or whose body is ignored.
pub(crate) const MAX_SHORT_BYTES: u64 = 64 * 1024;

/// A client for one bucket: blocking, cheap to clone; all clones share the connections, the memory
/// for bodies, the budget of waiting, and what was learnt of the server.
///
/// Every request is tried again where that may help ([`RetryPolicy`](crate::RetryPolicy)), after a
/// conflict with another write too (409). A wrong region or clock, an expired token, a refused
/// `Expect` (417) and a missing `Content-MD5` (a bucket with Object Lock) are corrected once each.
///
/// Errors say what was tried, on which object, and what the server answered; when it did answer,
/// the error's source is a [`Fault`](crate::Fault).
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) runner: RequestRunner,
    pub(crate) pool: Pool,
    pub(crate) conditional_writes: bool,
    pub(crate) crc64nvme: bool,
}

impl Client {
    /// Makes a client for the bucket at `location`, without a request. A bucket, region or endpoint that
    /// is not valid is a [`Kind::Config`], and so is plain http to anything but loopback.
    ///
    /// The environment names the proxy, as for curl (`https_proxy`, `all_proxy`, `no_proxy` and the
    /// like, see docs/proxies.md); requests to loopback never use one.
    pub fn new(
        location: Location,
        provider: impl Into<CredentialProvider>,
    ) -> ferror::Result<Self> {
        Self::with_options(location, provider, ClientOptions::default())
    }

    /// Makes a client as [`Client::new`] does, with options.
    pub fn with_options(
        location: Location,
        provider: impl Into<CredentialProvider>,
        options: ClientOptions,
    ) -> ferror::Result<Self> {
        if let Some(owner) = &options.expected_bucket_owner {
            attributes::check_bucket_owner(owner)?;
        }
        let address = Address::of(&location, options.allow_http)?;
        let roots = options.roots_pem.as_deref();
        let connections = options.bodies_at_once.max(1);
        let transport =
            Transport::new(address.is_loopback(), roots, Timeouts::default(), connections)?;
        let region = location.region.clone();
        let facts = ServerFacts {
            region,
            address: Arc::new(address),
            clock_ahead_millis: 0,
            sends_expect: true,
            sends_md5: location.signature == Signature::V2,
        };
        let runner = RequestRunner {
            location,
            provider: provider.into(),
            transport,
            expected_bucket_owner: options.expected_bucket_owner,
            allow_http: options.allow_http,
            retry_policy: options.retry_policy,
            wait_budget: Mutex::new(WaitBudget::new(&options.retry_policy, Instant::now())),
            facts: Mutex::new(facts),
        };
        let pool = Pool::new(options.memory_bytes, options.bodies_at_once);
        let ClientOptions { conditional_writes, crc64nvme, .. } = options;
        Ok(Self(Arc::new(Inner { runner, pool, conditional_writes, crc64nvme })))
    }

    /// Returns the location as configured.
    pub fn location(&self) -> &Location {
        &self.0.runner.location
    }

    /// Returns the region of the bucket: the configured one until a server names another.
    pub fn region(&self) -> String {
        self.0.runner.facts().region
    }

    /// Returns the time on the server's clock, as far as it is known: this machine's, until a server has refused a
    /// request because that is wrong. Ages of objects are by this clock.
    pub fn server_time(&self) -> Epoch {
        server_time_now(&self.0.runner.facts())
    }

    /// Returns whether the server checks the conditions of writes
    /// ([`ClientOptions::conditional_writes`]).
    pub fn has_conditional_writes(&self) -> bool {
        self.0.conditional_writes
    }

    /// Returns counts and times of what this client and its clones did so far.
    pub fn usage(&self) -> Usage {
        self.meter().usage()
    }

    /// Asks for an object's headers; `None` if it does not exist. A missing bucket is `None` too,
    /// since the answer to a HEAD has no body that tells them apart.
    pub fn head(&self, object_key: &str) -> ferror::Result<Option<Head>> {
        let operation = self.operation("HEAD", object_key)?;
        let what = operation.what.clone();
        let reply = self.exchange(&operation)?;
        if matches!(&reply.result, Err(fault) if fault.status == 404) {
            return Ok(None);
        }
        let answer = reply.or_refused()?;
        let size_bytes = answer::declared_size(&answer).context(what)?;
        Ok(Some(answer::head(&answer, size_bytes)))
    }

    /// Reads an object; `None` if it does not exist. One of more than `max_bytes` is a
    /// [`Kind::Invalid`].
    pub fn get(&self, object_key: &str, max_bytes: u64) -> ferror::Result<Option<Object>> {
        let mut operation = self.operation("GET", object_key)?;
        operation.max_bytes = max_bytes;
        self.fetch(&operation)
    }

    /// Reads the bytes of an object from `range.start` to before `range.end` (to its end, where that
    /// comes first), if its `ETag` is still `etag`: a large object read in pieces stays one object.
    /// `None` if the object does not exist; another `ETag` is a [`Kind::Conflict`]. The head's length is that of
    /// these bytes.
    pub fn get_range(
        &self,
        object_key: &str,
        range: Range<u64>,
        etag: &str,
    ) -> ferror::Result<Option<Object>> {
        let mut operation = self.operation("GET", object_key)?;
        if range.is_empty() {
            return Err(Error::invalid(format!(
                "{}: the range {range:?} is empty",
                operation.what
            )));
        }
        operation.max_bytes = range.end - range.start;
        operation.request.push_header("range", format!("bytes={}-{}", range.start, range.end - 1));
        operation.request.push_header("if-match", etag);
        self.fetch(&operation)
    }

    /// Lists the first `max_objects` objects whose object keys begin with `prefix`, in as many
    /// requests as needed.
    pub fn list(&self, prefix: &str, max_objects: usize) -> ferror::Result<Listing> {
        let (objects, truncated) = listing::collect(prefix, None, max_objects, |parameters| {
            let page = self.list_page(prefix, parameters)?;
            Ok((page.objects, page.continuation_token))
        })?;
        Ok(Listing { objects, truncated })
    }

    /// Lists the folders below `prefix`, which is empty or ends in `/`: what the object keys of objects begin
    /// with, up to the next `/` and with it.
    ///
    /// # Errors
    /// [`Kind::Invalid`](ferror::Kind::Invalid) where there are more than `max_folders`.
    pub fn list_folders(&self, prefix: &str, max_folders: usize) -> ferror::Result<Vec<String>> {
        let (folders, truncated) =
            listing::collect(prefix, Some("/"), max_folders, |parameters| {
                let page = self.list_page(prefix, parameters)?;
                Ok((page.folders, page.continuation_token))
            })?;
        if truncated {
            let shown = xml::one_line(prefix);
            let message = format!("more than {max_folders} folders below `{shown}`");
            return Err(Error::invalid(message));
        }
        Ok(folders)
    }

    fn list_page(
        &self,
        prefix: &str,
        parameters: Vec<(String, String)>,
    ) -> ferror::Result<xml::ListPage> {
        let what = format!("GET {}?prefix={}", self.location().bucket, xml::one_line(prefix));
        let request = Request { query: parameters, ..self.request("GET", "") };
        let operation =
            Operation { what: what.clone(), request, payload: None, max_bytes: MAX_PAGE_BYTES };
        xml::list_page(&self.page(&operation)?).with_context(|| what)
    }

    /// Copies an object within the bucket, with its metadata; the server moves the bytes (at most
    /// 5 GiB). With `etag`, only if the source still has it. `None` if the source does not exist.
    pub fn copy(
        &self,
        from_object_key: &str,
        to_object_key: &str,
        etag: Option<&str>,
    ) -> ferror::Result<Option<Copied>> {
        // The source is checked like any object key, though it travels in a header.
        let source = self.operation("GET", from_object_key)?;
        let mut operation = self.operation("PUT", to_object_key)?;
        operation.what =
            format!("{} (a copy of {})", operation.what, xml::one_line(from_object_key));
        drop(source);
        let bucket = &self.location().bucket;
        let source = format!("/{bucket}/{}", encode::object_key(from_object_key));
        operation.request.push_header("x-amz-copy-source", source);
        if let Some(etag) = etag {
            operation.request.push_header("x-amz-copy-source-if-match", etag);
        }
        let reply = self.exchange(&operation)?;
        if matches!(&reply.result, Err(fault) if fault.code == "NoSuchKey") {
            return Ok(None);
        }
        let answer = reply.or_refused()?;
        let etag = xml::result_etag(&answer.body, "CopyObjectResult").context(operation.what)?;
        Ok(Some(Copied { etag, request_id: answer::request_id(&answer) }))
    }

    /// Removes an object. Removing one that does not exist is a success.
    pub fn delete(&self, object_key: &str) -> ferror::Result<()> {
        let reply = self.exchange(&self.operation("DELETE", object_key)?)?;
        match &reply.result {
            Err(fault) if (fault.status, fault.code.as_str()) == (404, "NoSuchKey") => Ok(()),
            _ => reply.or_refused().map(drop),
        }
    }

    /// Makes a URL with which anyone can GET the object until `expires_in` after `now`, or until the
    /// credentials expire, where that is earlier and known. `now` is this machine's time; what the
    /// client learnt of the server's clock is added. Makes no request, except for credentials that have
    /// to be fetched.
    pub fn presign_get(
        &self,
        object_key: &str,
        now: Epoch,
        expires_in: Duration,
    ) -> ferror::Result<Presigned> {
        let mut request = self.operation("GET", object_key)?.request;
        let facts = self.0.runner.facts();
        let ServerFacts { address, region, clock_ahead_millis, .. } = &facts;
        request.push_header("host", address.host());
        let (credentials, credentials_expire) = self.0.runner.provider.current_until()?;
        check_token(address, &credentials)?;
        // Whole seconds, as in the URL.
        let now = Epoch::from_secs(
            Epoch::from_millis(now.millis().saturating_add(*clock_ahead_millis)).secs(),
        );
        let left = credentials_expire.map(|end| end.since(now).unwrap_or_default());
        let lasts = left.map_or(expires_in, |left| {
            // At least a second: the form has no less.
            expires_in.min(Duration::from_secs(left.as_secs().max(1)))
        });
        match self.location().signature {
            Signature::V4 => sigv4::presign(&mut request, &credentials, region, now, lasts)?,
            Signature::V2 => {
                let bucket = address.virtual_host_bucket();
                sigv2::presign(&mut request, &credentials, bucket, now, lasts)?;
            }
        }
        Ok(Presigned {
            url: address.url(&request),
            expires_at: now.saturating_add(lasts),
            is_cut_short: lasts < expires_in,
            may_end_sooner: credentials_expire.is_none() && credentials.session_token().is_some(),
        })
    }

    fn fetch(&self, operation: &Operation<'_>) -> ferror::Result<Option<Object>> {
        let reply = self.exchange(operation)?;
        if let Err(fault) = &reply.result
            && (fault.status, fault.code.as_str()) == (404, "NoSuchKey")
        {
            return Ok(None);
        }
        let answer = reply.or_refused()?;
        if answer.cut {
            let (what, max_bytes) = (&operation.what, operation.max_bytes);
            return Err(Error::invalid(format!("{what}: it is larger than {max_bytes} bytes")));
        }
        // A server that ignores the range sends the object from its beginning.
        if operation.request.header("range").is_some_and(|range| !range.starts_with("bytes=0-"))
            && answer.status != 206
        {
            let message = format!("{}: {} instead of a range of it", operation.what, answer.status);
            return Err(Error::invalid(message));
        }
        let head = answer::head(&answer, answer.body.len() as u64);
        Ok(Some(Object { bytes: answer.body, head }))
    }

    pub(crate) fn meter(&self) -> &Meter {
        self.0.runner.transport.meter()
    }

    pub(crate) fn exchange(&self, operation: &Operation<'_>) -> ferror::Result<Reply> {
        self.0.runner.exchange(operation)
    }

    /// Begins an operation on an object. An empty object key is refused: the request would be for the
    /// bucket, and a DELETE would remove it.
    pub(crate) fn operation<'a>(
        &self,
        method: &'static str,
        object_key: &str,
    ) -> ferror::Result<Operation<'a>> {
        // An object key may have come from a listing, and so from anyone.
        let what = format!("{method} {}/{}", self.location().bucket, xml::one_line(object_key));
        let bytes = object_key.len();
        if bytes == 0 || bytes > MAX_OBJECT_KEY_BYTES {
            let message =
                format!("an object key has 1 to {MAX_OBJECT_KEY_BYTES} bytes, not {bytes}");
            return Err(Error::new(Kind::Invalid, message).context(what));
        }
        // XML cannot express most of them, so no listing could name the object.
        if object_key.chars().any(char::is_control) {
            return Err(Error::invalid("an object key holds no control characters").context(what));
        }
        let request = self.request(method, object_key);
        // A server may insist on a length, and so on a body, though an empty one.
        let has_body = ["PUT", "POST"].contains(&method);
        let payload = has_body.then(|| Payload::new(b"", digest::sha256(b"")));
        Ok(Operation { what, request, payload, max_bytes: MAX_SHORT_BYTES })
    }

    pub(crate) fn request(&self, method: &'static str, object_key: &str) -> Request {
        let path = self.0.runner.facts().address.path(object_key);
        Request { method, path, query: Vec::new(), headers: Vec::new() }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("location", self.location())
            .field("provider", &self.0.runner.provider)
            .finish_non_exhaustive()
    }
}
