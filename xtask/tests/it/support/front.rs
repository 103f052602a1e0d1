//! A server in front of the bucket's that passes requests on, refuses some, or never answers some.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ftime::Epoch;

/// Longer than any answer takes here.
const LIMIT: Duration = Duration::from_secs(20);

/// What the server does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// Passed on as soon as this many requests with this verdict have come.
    PassWith(usize),
    /// An answer with this status and S3's code.
    Refuse(u16, &'static str),
    /// The same, with a message.
    Explain(u16, &'static str, &'static str),
    /// An answer that the request's time is wrong, from a server whose clock is so many seconds ahead.
    Skewed(u64),
    /// No answer, until the client is gone.
    Hold,
}

/// A request, and what was done with it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method and target.
    pub(crate) line: String,
    /// That line and the headers.
    pub(crate) head: String,
    /// The number of requests that had come and were not yet answered when this one's body had
    /// come, itself included.
    pub(crate) at_once: usize,
    pub(crate) verdict: Verdict,
}

/// A running server. It ends with the process.
pub(crate) struct Front {
    pub(crate) endpoint: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Front {
    /// Starts a server in front of `endpoint`; `judge` gets the first line of each request, one
    /// after the other.
    pub(crate) fn start(
        endpoint: &str,
        judge: impl FnMut(&str) -> Verdict + Send + 'static,
    ) -> Self {
        Self::start_as("http", endpoint, Ok, judge)
    }

    /// Starts a server in front of `endpoint`; `judge` gets the first line and the headers of each
    /// request.
    pub(crate) fn judging_heads(
        endpoint: &str,
        judge: impl FnMut(&str) -> Verdict + Send + 'static,
    ) -> Self {
        Self::open("http", endpoint, Ok, judge)
    }

    /// Starts a server in front of `endpoint` for clients that use `scheme`; `open` turns a
    /// connection into one of that scheme.
    pub(crate) fn start_as<S: Read + Write>(
        scheme: &str,
        endpoint: &str,
        open: impl Fn(TcpStream) -> io::Result<S> + Clone + Send + 'static,
        mut judge: impl FnMut(&str) -> Verdict + Send + 'static,
    ) -> Self {
        Self::open(scheme, endpoint, open, move |head| judge(head.lines().next().unwrap()))
    }

    fn open<S: Read + Write>(
        scheme: &str,
        endpoint: &str,
        open: impl Fn(TcpStream) -> io::Result<S> + Clone + Send + 'static,
        judge: impl FnMut(&str) -> Verdict + Send + 'static,
    ) -> Self {
        let server = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("{scheme}://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            let judge = Arc::new(Mutex::new(judge));
            let under_way = Arc::new(AtomicUsize::new(0));
            let together = Arc::new((Mutex::new(0), Condvar::new()));
            for client in listener.incoming().flatten() {
                let (server, seen, judge) = (server.clone(), Arc::clone(&seen), Arc::clone(&judge));
                let (under_way, open) = (Arc::clone(&under_way), open.clone());
                let together = Arc::clone(&together);
                thread::spawn(move || {
                    client.set_read_timeout(Some(LIMIT)).ok()?;
                    answer(open(client).ok()?, &server, &seen, &under_way, &together, &judge)
                });
            }
        });
        Self { endpoint, seen: shared }
    }

    /// Returns the requests so far whose bodies have come.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// Starts a server in front of `endpoint` that answers a PUT of a channel with `status` and S3's
/// `code`. Returns the endpoint of the new server.
pub(crate) fn refuse_channels(endpoint: &str, status: u16, code: &'static str) -> String {
    let judge = move |line: &str| {
        let is_refused = line.starts_with("PUT ") && line.contains("/channels/");
        if is_refused { Verdict::Refuse(status, code) } else { Verdict::Pass }
    };
    Front::start(endpoint, judge).endpoint
}

/// Serves one request on a connection, and then closes it.
fn answer(
    mut client: impl Read + Write,
    server: &str,
    seen: &Mutex<Vec<Seen>>,
    under_way: &AtomicUsize,
    (come, changed): &(Mutex<usize>, Condvar),
    judge: &Mutex<impl FnMut(&str) -> Verdict>,
) -> Option<()> {
    let head = head(&mut client)?;
    let length =
        head.lines().find_map(|line| header(line, "content-length")?.parse::<usize>().ok());
    if head.lines().any(|line| header(line, "expect").is_some()) {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let mut body = vec![0; length.unwrap_or_default()];
    client.read_exact(&mut body).ok()?;
    let line = head.lines().next()?.to_owned();
    let verdict = judge.lock().unwrap()(&head);
    let at_once = under_way.fetch_add(1, SeqCst) + 1;
    seen.lock().unwrap().push(Seen { line, head: head.clone(), at_once, verdict });
    if let Verdict::PassWith(count) = verdict {
        let mut come = come.lock().unwrap();
        *come += 1;
        changed.notify_all();
        drop(changed.wait_timeout_while(come, LIMIT, |come| *come < count).unwrap());
    }
    let answer = answer_of(&head, &body, server, verdict);
    // Counted down before the answer begins, since the client may send its next request after it.
    under_way.fetch_sub(1, SeqCst);
    if verdict == Verdict::Hold {
        // Returns when the client hangs up, or after the time limit.
        let _ = client.read(&mut [0]);
    }
    client.write_all(&answer?).ok()
}

/// Returns the answer that the verdict demands; `None` if there is to be none.
fn answer_of(head: &str, body: &[u8], server: &str, verdict: Verdict) -> Option<Vec<u8>> {
    match verdict {
        Verdict::Pass | Verdict::PassWith(_) => {}
        Verdict::Refuse(status, code) => return Some(refusal(status, code, "no", "")),
        Verdict::Explain(status, code, message) => {
            return Some(refusal(status, code, message, ""));
        }
        Verdict::Skewed(secs) => {
            let there = Epoch::now().saturating_add(Duration::from_secs(secs)).to_rfc1123();
            return Some(refusal(403, "RequestTimeTooSkewed", "no", &format!("Date: {there}\r\n")));
        }
        Verdict::Hold => return None,
    }
    let mut upstream = TcpStream::connect(server).ok()?;
    upstream.set_read_timeout(Some(LIMIT)).ok()?;
    // Neither header is signed. `100 Continue` was already sent from here.
    let lines = head.split_inclusive("\r\n").filter(|line| header(line, "expect").is_none());
    let head = lines.collect::<String>().replacen("\r\n", "\r\nConnection: close\r\n", 1);
    upstream.write_all(head.as_bytes()).ok()?;
    upstream.write_all(body).ok()?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).ok()?;
    Some(answer)
}

fn refusal(status: u16, code: &str, message: &str, headers: &str) -> Vec<u8> {
    let xml = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let length = xml.len();
    let head = format!(
        "HTTP/1.1 {status} No\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    (head + &xml).into_bytes()
}

/// Returns the value of a header's line if it has the name `wanted`.
pub(crate) fn header(line: &str, wanted: &str) -> Option<String> {
    let (name, value) = line.split_once(':')?;
    name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
}

/// Reads a head of HTTP, up to the empty line and including it.
pub(crate) fn head(client: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Asks `is_so` again and again until it is true; panics if that takes too long.
#[track_caller]
pub(crate) fn wait_until(what: &str, is_so: impl FnMut() -> bool) {
    wait_within(LIMIT, what, is_so);
}

/// Does what [`wait_until`] does, with a limit of one's own.
#[track_caller]
pub(crate) fn wait_within(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < limit, "in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
