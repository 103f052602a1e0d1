//! Tests `upload` over TLS to a server with a certificate of the team's own authority.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::bucket::Bucket;
use crate::support::front::{Front, Verdict};
use crate::support::snapshot::{archive, manifest_object, snapshot};

/// Makes a certificate authority.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Starts a server in front of `bucket` with a certificate for `name` that `authority` has signed.
fn front(bucket: &Bucket, authority: &CertifiedIssuer<'_, KeyPair>, name: &str) -> Front {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let config = Arc::new(config);
    let open = move |client| {
        let connection = ServerConnection::new(Arc::clone(&config));
        Ok(StreamOwned::new(connection.map_err(std::io::Error::other)?, client))
    };
    Front::start_as("https", &bucket.endpoint(), open, |_| Verdict::Pass)
}

/// How a run may end.
#[derive(Clone, Copy)]
enum End {
    Published,
    Says(i32, &'static str),
}

#[test]
fn only_the_certificates_of_the_named_bundle_are_trusted() {
    let ours = authority();
    let other = authority().pem();
    let untrusted = End::Says(1, "no trusted TLS connection");
    for (variables, name, end) in [
        (&[("AWS_CA_BUNDLE", ours.pem())][..], "127.0.0.1", End::Published),
        (&[("SSL_CERT_FILE", ours.pem())], "127.0.0.1", End::Published),
        (
            &[("SSL_CERT_FILE", other.clone()), ("AWS_CA_BUNDLE", ours.pem())],
            "127.0.0.1",
            End::Published,
        ),
        (&[("AWS_CA_BUNDLE", other.clone() + &ours.pem())], "127.0.0.1", End::Published),
        (&[("AWS_CA_BUNDLE", other.clone())], "127.0.0.1", untrusted),
        (&[("SSL_CERT_FILE", ours.pem()), ("AWS_CA_BUNDLE", other)], "127.0.0.1", untrusted),
        (&[], "127.0.0.1", untrusted),
        (&[("AWS_CA_BUNDLE", ours.pem())], "another.example", untrusted),
        (
            &[("AWS_CA_BUNDLE", "no certificate".to_owned())],
            "127.0.0.1",
            End::Says(3, "AWS_CA_BUNDLE ("),
        ),
    ] {
        let bucket = Bucket::new();
        let front = front(&bucket, &ours, name);
        let mut repo = bucket.serve(snapshot(&[("alpha", b"bytes")]));
        repo.set("AWS_ENDPOINT_URL_S3", &front.endpoint);
        for (variable, pem) in variables {
            let file = repo.path().join(variable);
            std::fs::write(&file, pem).unwrap();
            repo.set(variable, file.to_str().unwrap());
        }
        let run = repo.xtask("upload");
        match end {
            End::Published => {
                run.exits(0);
                assert_eq!(bucket.keys(), [manifest_object("alpha"), archive("alpha")]);
            }
            End::Says(code, text) => {
                run.exits(code).says(text);
                assert_eq!(bucket.keys(), [""; 0]);
                assert!(front.seen().is_empty(), "a request went out: {:?}", front.seen());
            }
        }
    }
}
