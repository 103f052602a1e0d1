//! The bucket that a pass of checks works in; clients for it, and requests of our own where a client
//! would not make them.

use std::time::Duration;

use ferror::Error;
use ftime::Epoch;
use s3::{
    Body, Client, ClientOptions, Credentials, Fault, Location, Precondition, Put, PutOutcome,
    Request, Signature, encode, sha256, sigv2, sigv4,
};
use ureq::http;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::servers::{Expected, REGION, Running, Server};

/// A server that answers nothing for so long has failed.
const MAX_SILENCE: Duration = Duration::from_secs(30);

/// A bucket, and how its server is reached.
pub(crate) struct Bucket {
    pub(crate) expected: Expected,
    pub(crate) endpoint: String,
    pub(crate) region: &'static str,
    pub(crate) name: String,
    pub(crate) signature: Signature,
    access_key_id: String,
    secret_access_key: String,
    roots_pem: Option<Vec<u8>>,
    agent: ureq::Agent,
}

/// A request of our own.
#[derive(Clone, Copy, Default)]
pub(crate) struct Own<'a> {
    pub(crate) method: &'static str,
    /// Empty: the request is for the bucket.
    pub(crate) object_key: &'a str,
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    /// The region that is signed, where it is not the server's; only `SigV4` signs one.
    pub(crate) region: Option<&'a str>,
    /// The body that is signed, where it is not the one that is sent; `SigV4` again.
    pub(crate) signed_body: Option<&'a [u8]>,
}

/// What was answered to a request of our own.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// As [`refusal`] says it: status, and S3's code if the body has one.
    pub(crate) fn said(&self) -> String {
        format!("{} {}", self.status, self.code())
    }

    /// Returns S3's error code; empty if the body has none.
    pub(crate) fn code(&self) -> String {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        let inner = text.split("<Code>").nth(1).and_then(|rest| rest.split("</Code>").next());
        inner.unwrap_or_default().to_owned()
    }
}

impl Bucket {
    /// Names a bucket, which [`Bucket::make`] makes.
    pub(crate) fn new(
        server: &Server,
        running: &Running,
        endpoint: String,
        name: String,
        signature: Signature,
        roots_pem: Option<Vec<u8>>,
    ) -> Self {
        Self {
            expected: server.expected,
            endpoint,
            region: REGION,
            name,
            signature,
            access_key_id: running.access_key_id.clone(),
            secret_access_key: running.secret_access_key.clone(),
            agent: agent(roots_pem.as_deref()),
            roots_pem,
        }
    }

    pub(crate) fn make(&self) {
        let answer = self.send(&Own { method: "PUT", ..Own::default() });
        assert_eq!(answer.status, 200, "making the bucket: {}", answer.code());
    }

    pub(crate) fn credentials(&self) -> Credentials {
        Credentials::new(&*self.access_key_id, &*self.secret_access_key, None).unwrap()
    }

    /// Returns the same access key id with another secret.
    pub(crate) fn with_another_secret(&self) -> Credentials {
        let secret: String = self.secret_access_key.chars().rev().chain(['x']).collect();
        Credentials::new(&*self.access_key_id, secret, None).unwrap()
    }

    pub(crate) fn location(&self) -> Location {
        Location {
            bucket: self.name.clone(),
            region: self.region.to_owned(),
            endpoint: Some(self.endpoint.clone()),
            path_style: None,
            signature: self.signature,
        }
    }

    pub(crate) fn client(&self) -> Client {
        self.client_of(self.location(), self.credentials())
    }

    pub(crate) fn client_of(&self, location: Location, credentials: Credentials) -> Client {
        self.client_with(location, credentials, ClientOptions::default())
    }

    pub(crate) fn client_with(
        &self,
        location: Location,
        credentials: Credentials,
        options: ClientOptions,
    ) -> Client {
        let options = ClientOptions { roots_pem: self.roots_pem.clone(), ..options };
        Client::with_options(location, credentials, options).unwrap()
    }

    /// Makes a signed request of our own.
    pub(crate) fn send(&self, own: &Own<'_>) -> Answer {
        let (_, host) = self.endpoint.split_once("://").unwrap();
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let mut request = Request {
            method: own.method,
            path: format!("/{}/{}", self.name, encode::object_key(own.object_key)),
            query: owned(own.query),
            headers: owned(own.headers),
        };
        request.headers.push(("host".to_owned(), host.to_owned()));
        let (credentials, now) = (self.credentials(), Epoch::now());
        match self.signature {
            Signature::V4 => {
                let digest = sha256(own.signed_body.unwrap_or(own.body));
                let region = own.region.unwrap_or(self.region);
                sigv4::sign(&mut request, &credentials, region, &digest, now);
            }
            Signature::V2 => sigv2::sign(&mut request, &credentials, None, now),
        }
        let query = encode::query(&request.query);
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{}{mark}{query}", self.endpoint, request.path);
        self.call(own.method, &url, &request.headers, own.body)
    }

    /// Makes a request that nobody signs, as a browser would with a presigned URL.
    pub(crate) fn get_url(&self, url: &str) -> Answer {
        self.call("GET", url, &[], b"")
    }

    /// Counts the unfinished uploads of all keys that begin so, as the server lists them.
    pub(crate) fn unfinished(&self, prefix: &str) -> usize {
        let (mut count, mut markers) = (0, (String::new(), String::new()));
        // More pages than any check makes.
        for _ in 0..20 {
            let (key, id) = (markers.0.as_str(), markers.1.as_str());
            let query = [
                ("key-marker", key),
                ("prefix", prefix),
                ("upload-id-marker", id),
                ("uploads", ""),
            ];
            let query: Vec<_> = query
                .into_iter()
                .filter(|(name, value)| *name == "uploads" || !value.is_empty())
                .collect();
            let answer = self.send(&Own { method: "GET", query: &query, ..Own::default() });
            assert_eq!(answer.said(), "200 ");
            let text = String::from_utf8(answer.body).unwrap();
            count += text.matches("<Upload>").count();
            let of = |name: &str| {
                let rest = text.split(&format!("<{name}>")).nth(1)?;
                rest.split('<').next().map(str::to_owned)
            };
            if of("IsTruncated").as_deref() != Some("true") {
                break;
            }
            markers = (of("NextKeyMarker").unwrap(), of("NextUploadIdMarker").unwrap_or_default());
        }
        count
    }

    fn call(&self, method: &str, url: &str, headers: &[(String, String)], body: &[u8]) -> Answer {
        let mut builder = http::Request::builder().method(method).uri(url);
        for (name, value) in headers.iter().filter(|(name, _)| name != "host") {
            builder = builder.header(name, value);
        }
        let answered = if ["PUT", "POST"].contains(&method) {
            self.agent.run(builder.body(body).unwrap())
        } else {
            self.agent.run(builder.body(()).unwrap())
        };
        let mut answer = answered.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
        let body = answer.body_mut().read_to_vec().unwrap();
        Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body }
    }
}

/// Makes an object key that no other check uses: all of them store in one bucket.
pub(crate) fn key_of(test: &str, name: &str) -> String {
    format!("{test}/{name}")
}

/// Stores text under a condition.
pub(crate) fn put(
    client: &Client,
    object_key: &str,
    text: &str,
    precondition: Precondition<'_>,
) -> ferror::Result<PutOutcome> {
    let body = Body::Bytes(text.as_bytes());
    client.put(object_key, &Put { precondition, ..put_of(body) })
}

/// Stores text under no condition.
pub(crate) fn store(client: &Client, object_key: &str, text: &str) -> String {
    match put(client, object_key, text, Precondition::None) {
        Ok(PutOutcome::Stored(stored)) => stored.etag,
        other => panic!("PUT {object_key}: {other:?}"),
    }
}

/// Makes a plain upload of a body.
pub(crate) fn put_of(body: Body<'_>) -> Put<'_> {
    Put::new(body, "text/plain")
}

fn agent(roots_pem: Option<&[u8]>) -> ureq::Agent {
    let mut tls = TlsConfig::builder();
    if let Some(pem) = roots_pem {
        let certificates = parse_pem(pem).filter_map(|item| match item.unwrap() {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        });
        let certificates: Vec<_> = certificates.collect();
        tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
    }
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .tls_config(tls.build())
        .timeout_global(Some(MAX_SILENCE))
        .build()
        .new_agent()
}

/// Returns the status and S3's code that an error says the server answered.
pub(crate) fn refusal(error: &Error) -> String {
    let fault = Fault::of(error);
    let fault = fault.unwrap_or_else(|| panic!("no answer of a server: {error:?}"));
    assert!(
        error.to_string().contains(&fault.code),
        "the message names the server's code: {error}"
    );
    format!("{} {}", fault.status, fault.code)
}
