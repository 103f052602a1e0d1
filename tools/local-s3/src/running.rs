//! A running server: started by one call, stopped when its value is dropped.

use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use ferror::{Error, Kind};
use tokio::sync::oneshot;

use crate::Credentials;
use crate::objects::Objects;
use crate::places::Places;
use crate::server::Server;

/// The region that clients should sign for.
pub const REGION: &str = "us-east-1";

/// What to serve.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The folder that holds one folder a bucket; made when it is not there.
    pub root: PathBuf,
    /// The buckets there are.
    pub buckets: Vec<String>,
    /// The port on 127.0.0.1; 0 for any that is free.
    pub port: u16,
    /// Whether to write a line a request to stderr.
    pub verbose: bool,
}

/// A server that runs on threads of its own. Dropping it stops it: requests under way get five
/// seconds to end.
pub struct LocalS3 {
    port: u16,
    root: PathBuf,
    credentials: Credentials,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LocalS3 {
    /// Makes the folders, binds the port and starts to serve, with credentials made up for this run.
    ///
    /// When this returns, the server accepts connections.
    pub fn start(options: &Options) -> ferror::Result<Self> {
        let places = Places::prepare(&options.root, &options.buckets)?;
        let root = places.root().to_owned();
        let objects = Objects::new(places);
        let credentials = Credentials::random()?;
        let server = Server::new(objects, credentials.clone(), options.verbose);

        let cannot = |what: &str| {
            let message = what.to_owned();
            move |error: std::io::Error| Error::new(Kind::Config, message).caused_by(error)
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
            .map_err(cannot(&format!("cannot listen on 127.0.0.1:{}", options.port)))?;
        listener.set_nonblocking(true).map_err(cannot("cannot listen"))?;
        let port = listener.local_addr().map_err(cannot("cannot listen"))?.port();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(cannot("cannot start the server's threads"))?;

        let (stop, stopped) = oneshot::channel();
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(cannot("cannot listen"))?
        };
        let thread = std::thread::Builder::new()
            .name("local-s3".to_owned())
            .spawn(move || runtime.block_on(server.serve(listener, stopped)))
            .map_err(cannot("cannot start the server's thread"))?;
        Ok(Self { port, root, credentials, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns the URL, such as `http://127.0.0.1:40123`; requests are path style.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the only credentials that this server accepts.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Returns the folder with the buckets, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns where and with what to reach the server, as one line of JSON: the one place where the secret
    /// is written, for the process that started this one.
    pub fn announcement(&self) -> String {
        serde_json::json!({
            "endpoint": self.endpoint(),
            "region": REGION,
            "access_key_id": self.credentials.access_key_id,
            "secret_access_key": self.credentials.secret_access_key,
            "root": self.root.to_string_lossy(),
        })
        .to_string()
    }

    /// Returns a client for one of its buckets, with its credentials.
    #[cfg(feature = "client")]
    pub fn client(&self, bucket: &str) -> ferror::Result<s3::Client> {
        let Credentials { access_key_id, secret_access_key } = &self.credentials;
        let location = s3::Location {
            bucket: bucket.to_owned(),
            region: REGION.to_owned(),
            endpoint: Some(self.endpoint()),
            path_style: None,
            signature: s3::Signature::V4,
        };
        let credentials = s3::Credentials::new(&**access_key_id, &**secret_access_key, None)?;
        s3::Client::new(location, credentials)
    }
}

impl fmt::Debug for LocalS3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalS3")
            .field("port", &self.port)
            .field("root", &self.root)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

impl Drop for LocalS3 {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has panicked, and said so on stderr; there is nothing left to stop.
            let _ = thread.join();
        }
    }
}
