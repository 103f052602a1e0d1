//! Signs and sends one request, and repeats it where waiting or a repair may help.
//!
//! Every attempt is signed anew, with what the client knows by then: the bucket's region, how
//! far the server's clock is from ours, fresh credentials. What is learnt once serves every later
//! request of the client and its clones. Of all that sends to a bucket, this file and the provider
//! read the clock.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ferror::{Error, Kind, ResultExt as _};
use ftime::Epoch;

use crate::address::Address;
use crate::meter::Activity;
use crate::payload::Payload;
use crate::retry::{self, Class, Repair, RetryPolicy, WaitBudget};
use crate::transport::{Answer, Transport};
use crate::{
    CredentialProvider, Credentials, Fault, Location, Request, Signature, answer, sigv2, sigv4, xml,
};

/// The state that all clones of a client share.
pub(crate) struct RequestRunner {
    pub(crate) location: Location,
    pub(crate) provider: CredentialProvider,
    pub(crate) transport: Transport,
    pub(crate) expected_bucket_owner: Option<String>,
    pub(crate) allow_http: bool,
    pub(crate) retry_policy: RetryPolicy,
    /// The rest of the time for waiting.
    pub(crate) wait_budget: Mutex<WaitBudget>,
    pub(crate) facts: Mutex<ServerFacts>,
}

/// What the client knows about the server.
#[derive(Debug, Clone)]
pub(crate) struct ServerFacts {
    /// The region that signs: the configured one until a server names the bucket's own.
    pub(crate) region: String,
    pub(crate) address: Arc<Address>,
    /// How many milliseconds the server's clock is ahead of ours.
    pub(crate) clock_ahead_millis: i64,
    /// Whether the server is asked before a large body is sent: until it refuses or ignores that.
    pub(crate) sends_expect: bool,
    /// Sends `Content-MD5` with each body: with `SigV2` always, with `SigV4` once the bucket asks for it.
    pub(crate) sends_md5: bool,
}

/// A request as an operation describes it, before host, time and signature.
pub(crate) struct Operation<'a> {
    /// The operation in messages, such as `PUT bucket/key`.
    pub(crate) what: String,
    pub(crate) request: Request,
    pub(crate) payload: Option<Payload<'a>>,
    /// The most that is read of the body of a success.
    pub(crate) max_bytes: u64,
}

/// The result of a request that the server answered.
pub(crate) struct Reply {
    pub(crate) result: Result<Answer, Fault>,
    pub(crate) attempts: u32,
    /// Whether an earlier attempt may have been carried out although its answer was lost.
    pub(crate) maybe_applied: bool,
    label: String,
}

/// The attempts of one request so far.
#[derive(Default)]
struct AttemptLog {
    attempts: u32,
    failures: u32,
    maybe_applied: bool,
    repaired: Vec<std::mem::Discriminant<Repair>>,
}

impl Reply {
    /// Makes the error that reports a refusal.
    pub(crate) fn error(&self, fault: &Fault) -> Error {
        fault.clone().into_error(&self.label)
    }

    /// Returns the answer of a success, or the error of a refusal.
    pub(crate) fn or_refused(self) -> ferror::Result<Answer> {
        self.result.map_err(|fault| fault.into_error(&self.label))
    }
}

impl RequestRunner {
    /// Returns what is known about the server now.
    pub(crate) fn facts(&self) -> ServerFacts {
        lock(&self.facts).clone()
    }

    /// Sends the request until there is a final answer. An error means that no answer came.
    pub(crate) fn exchange(&self, operation: &Operation<'_>) -> ferror::Result<Reply> {
        let mut log = AttemptLog::default();
        loop {
            log.attempts += 1;
            let facts = self.facts();
            let credentials = self.provider.current().with_context(|| operation.what.clone())?;
            let signed_at = server_time_now(&facts);
            let answered = self.attempt(operation, &facts, &credentials, signed_at);
            let (ended, asked) = match answered {
                Ok(answer) => {
                    let Some(mut fault) = refusal(operation, &answer) else {
                        lock(&self.facts).sends_expect &= !answer.ignored_expect;
                        let label = label(operation, &log, false);
                        let AttemptLog { attempts, maybe_applied, .. } = log;
                        return Ok(Reply { result: Ok(answer), attempts, maybe_applied, label });
                    };
                    let mut request = operation.request.clone();
                    self.push_owner(&mut request);
                    let header = fault.unknown_header_of(&request);
                    header.clone_into(&mut fault.unknown_header);
                    let server_time = answer.header("date");
                    let server_time = server_time.and_then(|text| Epoch::parse_rfc1123(&text).ok());
                    let lacks_md5 = operation.payload.is_some() && !facts.sends_md5;
                    let repair =
                        retry::repair(&fault, &facts.region, signed_at, server_time, lacks_md5);
                    if let Some(repair) = repair
                        && self
                            .apply_repair(repair, &facts, &credentials, &mut log)
                            .with_context(|| operation.what.clone())?
                    {
                        continue;
                    }
                    let asked = answer.header("retry-after").and_then(|text| text.parse().ok());
                    (Ok(fault), asked.map(Duration::from_secs))
                }
                Err(error) => (Err(error), None),
            };
            log.failures += 1;
            let class = match &ended {
                Ok(fault) => retry::refusal_class(fault, operation.request.is_conditional_write()),
                Err(error) => retry::class(error.kind()),
            };
            let mut out_of_time = false;
            if let Some(class) = class {
                // Whatever went wrong may have gone wrong after the work was done.
                log.maybe_applied = true;
                if log.failures < self.retry_policy.attempts {
                    if self.wait(class, log.failures, asked) {
                        continue;
                    }
                    out_of_time = true;
                }
            }
            let label = label(operation, &log, out_of_time);
            let AttemptLog { attempts, maybe_applied, .. } = log;
            return match ended {
                Ok(fault) => Ok(Reply { result: Err(fault), attempts, maybe_applied, label }),
                Err(error) => Err(error.context(label)),
            };
        }
    }

    fn attempt(
        &self,
        operation: &Operation<'_>,
        facts: &ServerFacts,
        credentials: &Credentials,
        signed_at: Epoch,
    ) -> ferror::Result<Answer> {
        let address = &*facts.address;
        check_token(address, credentials)?;
        let mut request = operation.request.clone();
        request.headers.insert(0, ("host".to_owned(), address.host().to_owned()));
        self.push_owner(&mut request);
        if facts.sends_md5
            && let Some(payload) = &operation.payload
        {
            let md5 = self.transport.meter().time(Activity::Hashing, || payload.md5());
            request.push_header("content-md5", md5);
        }
        match self.location.signature {
            Signature::V4 => {
                let sha256 = Payload::sha256_of(operation.payload.as_ref());
                sigv4::sign(&mut request, credentials, &facts.region, &sha256, signed_at);
            }
            Signature::V2 => {
                let bucket = address.virtual_host_bucket();
                sigv2::sign(&mut request, credentials, bucket, signed_at);
            }
        }
        let body = operation.payload.as_ref().map(|payload| payload.bytes);
        let url = address.url(&request);
        let sent =
            self.transport.send(&url, &request, body, operation.max_bytes, facts.sends_expect);
        sent.map_err(|error| unanswered(error, address))
    }

    fn push_owner(&self, request: &mut Request) {
        if let Some(owner) = &self.expected_bucket_owner {
            request.push_header("x-amz-expected-bucket-owner", owner);
        }
    }

    /// Removes the cause of a refusal, each kind of cause once per request. Returns false if it cannot.
    fn apply_repair(
        &self,
        repair: Repair,
        facts: &ServerFacts,
        credentials: &Credentials,
        log: &mut AttemptLog,
    ) -> ferror::Result<bool> {
        let kind = std::mem::discriminant(&repair);
        if log.repaired.contains(&kind) {
            return Ok(false);
        }
        log.repaired.push(kind);
        match repair {
            Repair::Region(region) => {
                // V2 signs no host, and with the region the host would come from an answer.
                if self.location.signature == Signature::V2 {
                    return Ok(false);
                }
                let moved = Location { region, ..self.location.clone() };
                let Ok(address) = Address::of(&moved, self.allow_http) else { return Ok(false) };
                let mut known = lock(&self.facts);
                known.region = moved.region;
                known.address = Arc::new(address);
                Ok(true)
            }
            Repair::Clock(server_time) => {
                // Whoever could change the answer on its way could make a signature last.
                if !facts.address.is_private() {
                    return Ok(false);
                }
                let ahead = server_time.millis().saturating_sub(Epoch::now().millis());
                lock(&self.facts).clock_ahead_millis = ahead;
                Ok(true)
            }
            Repair::Credentials => {
                self.provider.renew(credentials).context("fetching credentials anew")
            }
            Repair::Expect => {
                lock(&self.facts).sends_expect = false;
                Ok(true)
            }
            Repair::ContentMd5 => {
                lock(&self.facts).sends_md5 = true;
                Ok(true)
            }
        }
    }

    /// Waits before another attempt; false when the budget does not allow it.
    fn wait(&self, class: Class, failures: u32, asked: Option<Duration>) -> bool {
        // The hasher's seed is the standard library's only source of randomness; it suffices here.
        let random = RandomState::new().build_hasher().finish();
        let wait = self.retry_policy.wait(class, failures, random, asked);
        if !lock(&self.wait_budget).take(&self.retry_policy, wait, Instant::now()) {
            return false;
        }
        self.transport.meter().time(Activity::Waiting, || thread::sleep(wait));
        true
    }
}

/// Refuses to send a session token over plain http, in a header or in a presigned URL.
pub(crate) fn check_token(address: &Address, credentials: &Credentials) -> ferror::Result<()> {
    if credentials.session_token().is_none() || address.is_private() {
        return Ok(());
    }
    let message = "a session token is never sent over plain http, whatever allow-http says";
    Err(Error::config(message)
        .hint("use an https endpoint, or credentials without a session token"))
}

/// Returns the time on the server's clock.
pub(crate) fn server_time_now(facts: &ServerFacts) -> Epoch {
    Epoch::from_millis(Epoch::now().millis().saturating_add(facts.clock_ahead_millis))
}

/// Reads the refusal in an answer, if it is one.
fn refusal(operation: &Operation<'_>, answer: &Answer) -> Option<Fault> {
    if !answer.is_success() {
        return Some(answer::fault(answer));
    }
    // S3 answers some requests before the work is done: a 200 may carry an error.
    let late = operation.request.method != "GET" && xml::error_body(&answer.body).is_some();
    late.then(|| answer::fault(answer))
}

/// Returns the error of a request without an answer: it names the host, since a host without an answer is
/// often not the one that was meant. What an address holds is no secret.
fn unanswered(error: Error, address: &Address) -> Error {
    let error = match error.kind() {
        Kind::Unavailable if error.hint_text().is_none() => {
            error.hint("check the endpoint, and that its server can be reached from here")
        }
        Kind::Invalid if error.hint_text().is_none() => {
            error.hint("check the endpoint: its scheme, host and port are those of an S3 server")
        }
        _ => error,
    };
    error.context(format!("request to {}", address.host()))
}

/// Describes the operation and the number of attempts.
fn label(operation: &Operation<'_>, log: &AttemptLog, out_of_time: bool) -> String {
    match (log.attempts, out_of_time) {
        (1, false) => operation.what.clone(),
        (attempts, false) => format!("{} (attempt {attempts})", operation.what),
        (attempts, true) => {
            format!("{} (attempt {attempts}, and the time for waiting is used up)", operation.what)
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is one assignment, so a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
