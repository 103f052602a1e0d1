//! Makes one attempt at an HTTP request; only this folder uses ureq.
//!
//! Redirects are not followed: ureq would make a PUT a GET, which "succeeds" with nothing uploaded,
//! and carry a session token to another host. Every status is an answer and not an error, so that
//! its body is read. Certificates are always verified.

mod connection;
mod proxy;

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use ferror::{Error, Kind};
use ureq::http;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, DefaultConnector};

use self::connection::Wrap;
use self::proxy::Proxies;
use crate::Request;
use crate::meter::{Activity, Meter};

/// Above this size, the server is asked before the body is sent (`Expect: 100-continue`). An
/// early refusal of a large body would otherwise show as a reset connection, without its reason.
const EXPECT_ABOVE_BYTES: u64 = 1024 * 1024;

/// How much of an error body is read. S3's have some hundred bytes; an endless one ends here.
const MAX_ERROR_BODY_BYTES: u64 = 64 * 1024;

/// How long each part of a request may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// Resolving the name; then connecting, with the TLS handshake.
    pub(crate) connect: Duration,
    /// One read or write, however long the whole body takes.
    pub(crate) stall: Duration,
    /// From the end of the request to the answer's headers.
    pub(crate) answer: Duration,
    /// Everything together, besides what the bytes take.
    pub(crate) whole: Duration,
}

/// The slowest connection that is waited for: each of these many bytes, there and back, adds a second to
/// [`Timeouts::whole`].
const SLOWEST_BYTES_PER_SECOND: u64 = 64 * 1024;

/// The most of an answer that is allowed for in time.
const MAX_TIMED_ANSWER_BYTES: u64 = 1024 * 1024 * 1024;

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(60),
            answer: Duration::from_secs(2 * 60),
            whole: Duration::from_secs(5 * 60),
        }
    }
}

/// The answer of a server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Whether the body is longer than the caller wanted to read; then `body` is its beginning.
    pub(crate) cut: bool,
    /// Whether the request had `Expect: 100-continue` and the server ignored it.
    pub(crate) ignored_expect: bool,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the value of a header; what is not UTF-8 in it is replaced.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// Names, in lower case, and values of all headers.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, String)> {
        let text =
            |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        self.headers.iter().map(move |(name, value)| (name.as_str(), text(value)))
    }
}

/// Connections to one server.
#[derive(Clone)]
pub(crate) struct Transport {
    agent: ureq::Agent,
    meter: Arc<Meter>,
    timeouts: Timeouts,
    proxies: Proxies,
}

impl Transport {
    /// Makes a transport that keeps up to `connections` connections open for later requests. With
    /// `loopback` it uses no proxy, whatever the environment says; with `roots_pem` it trusts these
    /// certificates in place of the bundled ones.
    pub(crate) fn new(
        loopback: bool,
        roots_pem: Option<&[u8]>,
        timeouts: Timeouts,
        connections: usize,
    ) -> ferror::Result<Self> {
        let roots = roots_pem.map_or(Ok(RootCerts::WebPki), root_certs)?;
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .user_agent(concat!("bowline-s3/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_resolve(Some(timeouts.connect))
            .timeout_connect(Some(timeouts.connect))
            .timeout_recv_response(Some(timeouts.answer))
            // Chosen for each request: what ureq takes from the environment is not what curl would.
            .proxy(None);
        let proxies = if loopback {
            Proxies::default()
        } else {
            Proxies::read(|name| std::env::var(name).ok())
        };
        let connector = DefaultConnector::default().chain(Wrap { stall: timeouts.stall });
        let agent = ureq::Agent::with_parts(config.build(), connector, DefaultResolver::default());
        Ok(Self { agent, meter: Arc::default(), timeouts, proxies })
    }

    /// Returns the counters of this transport.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Makes one attempt. Of a success, up to `max_bytes` of the body are read. `sends_expect`: a
    /// large body waits for the server's word (`Expect: 100-continue`).
    pub(crate) fn send(
        &self,
        url: &str,
        request: &Request,
        body: Option<&[u8]>,
        max_bytes: u64,
        sends_expect: bool,
    ) -> ferror::Result<Answer> {
        // Before anything is counted: an error here is about the environment.
        let proxy = self.proxies.of(url)?;
        self.meter.count_request();
        self.meter.time(Activity::Exchanging, || {
            let mut builder = http::Request::builder().method(request.method).uri(url);
            for (name, value) in &request.headers {
                // The host is in the URL: ureq writes it, and would write it twice.
                if name != "host" {
                    builder = builder.header(name, value);
                }
            }
            let body_bytes = body.map_or(0, |body| body.len() as u64);
            let traffic_bytes = body_bytes + max_bytes.min(MAX_TIMED_ANSWER_BYTES);
            let whole =
                self.timeouts.whole + Duration::from_secs(traffic_bytes / SLOWEST_BYTES_PER_SECOND);
            let Some(body) = body else {
                return read(self.run(built(builder.body(()))?, whole, proxy)?, max_bytes);
            };
            builder = builder.header("content-length", body_bytes);
            if sends_expect && body_bytes > EXPECT_ABOVE_BYTES {
                builder = builder.header("expect", "100-continue");
            }
            let mut counted = Counted { left: body, sent_bytes: 0, meter: &self.meter };
            let request = built(builder.body(ureq::SendBody::from_reader(&mut counted)))?;
            connection::take_expect_ran_out();
            let mut answer =
                self.run(request, whole, proxy).and_then(|response| read(response, max_bytes));
            if let Ok(answer) = &mut answer {
                answer.ignored_expect = connection::take_expect_ran_out();
            }
            if !answer.as_ref().is_ok_and(Answer::is_success) {
                self.meter.subtract_sent(counted.sent_bytes);
            }
            answer
        })
    }

    fn run<B: ureq::AsSendBody>(
        &self,
        request: http::Request<B>,
        whole: Duration,
        proxy: Option<ureq::Proxy>,
    ) -> ferror::Result<http::Response<ureq::Body>> {
        let request = self.agent.configure_request(request).timeout_global(Some(whole));
        let request = request.proxy(proxy).build();
        self.agent.run(request).map_err(failed)
    }
}

/// A body that counts its bytes as ureq reads them.
struct Counted<'a> {
    left: &'a [u8],
    sent_bytes: u64,
    meter: &'a Meter,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.left.read(buffer)?;
        self.sent_bytes += read as u64;
        self.meter.sent(read as u64);
        Ok(read)
    }
}

/// Parses the certificates of a bundle in PEM.
pub(crate) fn root_certs(pem: &[u8]) -> ferror::Result<RootCerts> {
    let broken = |why| {
        Error::config(format!("the bundle of root certificates {why}"))
            .hint("expected a PEM file of blocks that begin with -----BEGIN CERTIFICATE-----")
    };
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        match item.map_err(|error| broken("is not PEM").caused_by(error))? {
            PemItem::Certificate(certificate) => certificates.push(certificate),
            _ => return Err(broken("holds something other than certificates")),
        }
    }
    if certificates.is_empty() {
        return Err(broken("holds no certificate"));
    }
    Ok(RootCerts::from(certificates))
}

fn built<B>(request: Result<http::Request<B>, http::Error>) -> ferror::Result<http::Request<B>> {
    request.map_err(|error| Error::invalid("HTTP cannot carry this request").caused_by(error))
}

fn read(mut response: http::Response<ureq::Body>, max_bytes: u64) -> ferror::Result<Answer> {
    let success = response.status().is_success();
    let limit = if success { max_bytes } else { MAX_ERROR_BODY_BYTES };
    let mut body = Vec::new();
    // One byte more than wanted, to see that there is more.
    let end = response.body_mut().as_reader().take(limit.saturating_add(1)).read_to_end(&mut body);
    match end {
        // Of a refusal, the part that came is better than nothing.
        Err(error) if success => return Err(failed(ureq::Error::from(error))),
        _ => {}
    }
    let cut = body.len() as u64 > limit;
    if cut {
        body.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    let (parts, _) = response.into_parts();
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
        cut,
        ignored_expect: false,
    })
}

/// Makes the error of a request without an answer.
fn failed(error: ureq::Error) -> Error {
    use ureq::Error as E;
    let (kind, message) = match error {
        E::Io(error) => return failed_io(error),
        E::Timeout(_) => (Kind::Unavailable, "the server took too long"),
        E::HostNotFound => (Kind::Unavailable, "the host name cannot be resolved"),
        E::ConnectionFailed | E::ConnectProxyFailed(_) => {
            (Kind::Unavailable, "the server cannot be reached")
        }
        E::Protocol(_) | E::LargeResponseHeader(..) => {
            (Kind::Invalid, "the server does not speak HTTP")
        }
        E::Http(_) | E::BadUri(_) => (Kind::Invalid, "HTTP cannot carry this request"),
        E::Tls(_) | E::Rustls(_) | E::Pem(_) | E::TlsRequired => {
            return failed_tls().caused_by(error);
        }
        _ => (Kind::Unavailable, "the request failed"),
    };
    Error::new(kind, message).caused_by(error)
}

fn failed_io(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::InvalidData {
        return failed_tls().caused_by(error);
    }
    Error::new(Kind::Unavailable, "the connection failed").caused_by(error)
}

fn failed_tls() -> Error {
    Error::new(Kind::Refused, "no trusted TLS connection could be made").hint(
        "name the bundle with the server's root certificate in AWS_CA_BUNDLE or SSL_CERT_FILE; verification is never skipped",
    )
}

#[cfg(test)]
mod tests;
