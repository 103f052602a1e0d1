//! A proxy that breaks connections off in the middle. It passes bytes on as they are, so TLS goes
//! through.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Longer than any of this takes.
const LIMIT: Duration = Duration::from_secs(30);

/// A proxy that runs until the process ends.
pub(crate) struct CutOff {
    /// The proxy's own address, with the server's scheme.
    pub(crate) endpoint: String,
    /// How many bytes are still carried to the server; with none left, connections are closed.
    left: Arc<AtomicU64>,
}

impl CutOff {
    /// Starts a proxy for `endpoint` (`scheme://address:port`) that breaks off after so many bytes.
    pub(crate) fn after(endpoint: &str, bytes: u64) -> Self {
        let (scheme, server) = endpoint.split_once("://").unwrap();
        let server = server.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("{scheme}://{}", listener.local_addr().unwrap());
        let left = Arc::new(AtomicU64::new(bytes));
        let shared = Arc::clone(&left);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, left) = (server.clone(), Arc::clone(&shared));
                // Errors are expected: connections are broken off.
                thread::spawn(move || carry(&client, &server, &left));
            }
        });
        Self { endpoint, left }
    }

    /// Stops cutting: all later bytes are passed on.
    pub(crate) fn restore(&self) {
        self.left.store(u64::MAX, Ordering::SeqCst);
    }
}

fn carry(mut client: &TcpStream, server: &str, left: &AtomicU64) -> io::Result<()> {
    let upstream = TcpStream::connect(server)?;
    for stream in [client, &upstream] {
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
    }
    let (mut answers, mut back) = (upstream.try_clone()?, client.try_clone()?);
    thread::spawn(move || io::copy(&mut answers, &mut back));
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = client.read(&mut buffer)?;
        let fits = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            Some(if left == u64::MAX { left } else { left.saturating_sub(read as u64) })
        });
        if read == 0 || fits.is_ok_and(|before| before < read as u64) {
            break;
        }
        (&upstream).write_all(&buffer[..read])?;
    }
    // Tells both ends, and lets the thread with the answers end.
    for stream in [client, &upstream] {
        stream.shutdown(std::net::Shutdown::Both)?;
    }
    Ok(())
}
