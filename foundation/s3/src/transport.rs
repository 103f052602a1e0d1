//! HTTP, and the only file that names ureq: what goes onto the wire is decided here.
//!
//! Redirects are not followed: ureq would make a PUT a GET, which "succeeds" with nothing uploaded,
//! and carry a session token to another host. Every status is an answer and not an error, so that
//! its body is read. Certificates are always verified.

use std::io::{self, Read as _};
use std::time::Duration;

use ferror::{Error, Kind};
use ureq::http;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::exact_file::ExactFile;
use crate::{Body, Request};

/// From this size on, the server is asked before the body is sent (`Expect: 100-continue`). An
/// early refusal of a large body would otherwise show as a reset connection, without its reason.
const EXPECT_FROM_BYTES: u64 = 1024 * 1024;

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
    /// Everything together: enough for 5 GiB at 1 MiB/s.
    pub(crate) whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_mins(1),
            answer: Duration::from_mins(2),
            whole: Duration::from_hours(2),
        }
    }
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Whether the body is longer than the caller wanted to read; then `body` is its beginning.
    pub(crate) cut: bool,
}

impl Answer {
    /// The value of a header; what is not UTF-8 in it is replaced.
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
pub(crate) struct Transport(ureq::Agent);

impl Transport {
    /// `loopback`: no proxy, whatever the environment says. `roots_pem`: trust these certificates
    /// in place of the bundled ones.
    pub(crate) fn new(
        loopback: bool,
        roots_pem: Option<&[u8]>,
        timeouts: Timeouts,
    ) -> ferror::Result<Self> {
        let roots = roots_pem.map_or(Ok(RootCerts::WebPki), root_certs)?;
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("bowline-s3/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_resolve(Some(timeouts.connect))
            .timeout_connect(Some(timeouts.connect))
            .timeout_per_read(Some(timeouts.stall))
            .timeout_per_write(Some(timeouts.stall))
            .timeout_recv_response(Some(timeouts.answer))
            .timeout_global(Some(timeouts.whole));
        if loopback {
            config = config.proxy(None);
        }
        Ok(Self(config.build().new_agent()))
    }

    /// Makes one attempt. Of a success, up to `max_bytes` of the body are read.
    pub(crate) fn send(
        &self,
        url: &str,
        request: &Request,
        body: Option<Body<'_>>,
        max_bytes: u64,
    ) -> ferror::Result<Answer> {
        let mut builder = http::Request::builder().method(request.method).uri(url);
        for (name, value) in &request.headers {
            // The host is in the URL: ureq writes it, and would write it twice.
            if name != "host" {
                builder = builder.header(name, value);
            }
        }
        if let Some(body) = &body {
            builder = builder.header("content-length", body.size_bytes());
            if body.size_bytes() >= EXPECT_FROM_BYTES {
                builder = builder.header("expect", "100-continue");
            }
        }
        let answered = match body {
            None => self.0.run(built(builder.body(()))?),
            Some(Body::Bytes(bytes)) => self.0.run(built(builder.body(bytes))?),
            Some(Body::File { path, size_bytes, .. }) => {
                let mut file = ExactFile::open(path, size_bytes)?;
                let body = ureq::SendBody::from_reader(&mut file);
                self.0.run(built(builder.body(body))?)
            }
        };
        read(answered.map_err(failed)?, max_bytes)
    }
}

impl Body<'_> {
    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::File { size_bytes, .. } => *size_bytes,
        }
    }
}

fn root_certs(pem: &[u8]) -> ferror::Result<RootCerts> {
    let broken = |why| Error::config(format!("the bundle of root certificates {why}"));
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
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, cut })
}

/// The error of a request without an answer.
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
    // What our own reader said arrives here in the same wrapping as a broken connection.
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => failed_tls().caused_by(error),
        Err(error) => Error::new(Kind::Unavailable, "the connection failed").caused_by(error),
    }
}

fn failed_tls() -> Error {
    Error::new(Kind::Refused, "no trusted TLS connection could be made").hint(
        "name the bundle with the server's root certificate in AWS_CA_BUNDLE or SSL_CERT_FILE; verification is never skipped",
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    use ferror::Kind;

    use super::{Timeouts, Transport};
    use crate::Request;

    #[test]
    fn a_silent_server_is_given_up() {
        // It accepts (the kernel does) and never says a word.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/k", silent.local_addr().unwrap());
        let request = Request {
            method: "GET",
            path: "/k".to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
        };
        let short = Duration::from_millis(100);
        let long = Duration::from_mins(1);
        for timeouts in [
            Timeouts { answer: short, connect: long, stall: long, whole: long },
            Timeouts { stall: short, connect: long, answer: long, whole: long },
            Timeouts { whole: short, connect: long, answer: long, stall: long },
        ] {
            let started = Instant::now();
            let transport = Transport::new(true, None, timeouts).unwrap();
            let error = transport.send(&url, &request, None, 1).unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable, "{timeouts:?}: {error:?}");
            assert!(started.elapsed() < long / 2, "{timeouts:?} took {:?}", started.elapsed());
        }
    }

    #[test]
    fn a_bundle_of_roots_has_to_hold_certificates() {
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (pem, reason) in [
            ("", "no certificate"),
            ("not a bundle", "no certificate"),
            (key, "other than certificates"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "not PEM"),
        ] {
            let made = Transport::new(false, Some(pem.as_bytes()), Timeouts::default());
            let error = made.err().expect("this bundle must be refused");
            assert_eq!(error.kind(), Kind::Config);
            assert!(error.to_string().contains(reason), "{pem:?}: {error}");
        }
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        Transport::new(false, Some(certificate.as_bytes()), Timeouts::default()).unwrap();
    }
}
