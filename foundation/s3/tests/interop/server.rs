//! The server under test, as the environment names it; clients for it, and requests of our own where
//! a client would not make them.

use std::env;
use std::sync::OnceLock;
use std::time::Duration;

use ftime::Epoch;
use s3::{
    Body, Client, ClientOptions, Credentials, Location, Precondition, Put, PutOutcome, Request,
    Signature, encode, sha256, sigv2, sigv4,
};
use ureq::http;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::expected::{Expected, of_server};

/// A server that answers nothing for so long has failed the test.
const RETRY_POLICY: Duration = Duration::from_secs(30);

/// A server with one bucket that was made for this run.
pub(crate) struct Server {
    pub(crate) expected: &'static Expected,
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) bucket: String,
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

    /// As [`crate::expected::refusal`] says it: status, and S3's code if the body has one.
    pub(crate) fn said(&self) -> String {
        format!("{} {}", self.status, self.code())
    }

    /// S3's error code, if the body has one.
    pub(crate) fn code(&self) -> String {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        let inner = text.split("<Code>").nth(1).and_then(|rest| rest.split("</Code>").next());
        inner.unwrap_or_default().to_owned()
    }
}

/// The server, with its bucket: made by the first test that asks.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::from_env();
        let answer = server.send(&Own { method: "PUT", ..Own::default() });
        assert_eq!(answer.status, 200, "making the bucket: {}", answer.code());
        server
    })
}

impl Server {
    fn from_env() -> Self {
        let get = |name: &str| {
            env::var(name)
                .unwrap_or_else(|_| panic!("{name} is not set: `cargo xtask interop` sets it"))
        };
        let roots_pem = env::var_os("S3_TEST_CA_BUNDLE").map(|path| std::fs::read(path).unwrap());
        Self {
            expected: of_server(&get("S3_TEST_SERVER")),
            endpoint: get("S3_TEST_ENDPOINT"),
            region: get("S3_TEST_REGION"),
            bucket: get("S3_TEST_BUCKET"),
            signature: get("S3_TEST_SIGNATURE").parse().unwrap(),
            access_key_id: get("S3_TEST_ACCESS_KEY_ID"),
            secret_access_key: get("S3_TEST_SECRET_ACCESS_KEY"),
            agent: agent(roots_pem.as_deref()),
            roots_pem,
        }
    }

    pub(crate) fn credentials(&self) -> Credentials {
        Credentials::new(&*self.access_key_id, &*self.secret_access_key, None).unwrap()
    }

    /// Another secret for the same access key id.
    pub(crate) fn with_another_secret(&self) -> Credentials {
        let secret: String = self.secret_access_key.chars().rev().chain(['x']).collect();
        Credentials::new(&*self.access_key_id, secret, None).unwrap()
    }

    pub(crate) fn location(&self) -> Location {
        Location {
            bucket: self.bucket.clone(),
            region: self.region.clone(),
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
            path: format!("/{}/{}", self.bucket, encode::object_key(own.object_key)),
            query: owned(own.query),
            headers: owned(own.headers),
        };
        request.headers.push(("host".to_owned(), host.to_owned()));
        let (credentials, now) = (self.credentials(), Epoch::now());
        match self.signature {
            Signature::V4 => {
                let digest = sha256(own.signed_body.unwrap_or(own.body));
                let region = own.region.unwrap_or(&self.region);
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

/// A name that no other test uses: what tests store lies in one bucket.
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

/// Stores text whatever is there.
pub(crate) fn store(client: &Client, object_key: &str, text: &str) -> String {
    match put(client, object_key, text, Precondition::None) {
        Ok(PutOutcome::Stored(stored)) => stored.etag,
        other => panic!("PUT {object_key}: {other:?}"),
    }
}

/// A plain upload of a body.
pub(crate) fn put_of(body: Body<'_>) -> Put<'_> {
    Put {
        body,
        content_type: "text/plain",
        metadata: &[],
        attributes: None,
        precondition: Precondition::None,
    }
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
        .timeout_global(Some(RETRY_POLICY))
        .build()
        .new_agent()
}
