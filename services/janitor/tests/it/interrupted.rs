//! A walk that is killed halfway through a release, and the next one.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::bucket::{Bucket, run};

const POLICY: [&str; 6] = ["--once", "--delete", "--keep", "1", "--days", "30"];

#[test]
fn what_a_killed_walk_leaves_is_no_release_and_the_next_one_removes_it() {
    let bucket = Bucket::start();
    bucket.put_release("oddjob", "aaaaaa", 1);
    bucket.put_release("oddjob", "bbbbbb", 60);
    let everything = bucket.keys();
    let stem = "oddjob/oddjob_bbbbbb";
    let archives = [format!("{stem}.tar.gz"), format!("{stem}_linux_arm64.tar.gz")];

    let (endpoint, second_removal) = lets_one_removal_through(&bucket.endpoint());
    let mut child = bucket
        .janitor(&POLICY)
        .env("AWS_ENDPOINT_URL", endpoint)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary that cargo has just built starts");
    let asked = second_removal.recv_timeout(Duration::from_secs(30));
    child.kill().expect("it waits for the second removal");
    let status = child.wait().expect("it is gone");
    assert_eq!(asked.as_deref(), Ok(format!("/builds/{}", archives[0]).as_str()));
    assert!(!status.success(), "{status}");
    let mut expected = everything;
    assert!(expected.remove(&format!("{stem}.json")));
    assert_eq!(bucket.keys(), expected, "the manifest object goes first, and alone so far");

    let (code, removed, log) = run(bucket.janitor(&POLICY));
    assert_eq!(code, Some(0), "{log}");
    let lines: Vec<_> = archives.iter().map(|key| format!("removed {key}")).collect();
    assert_eq!(removed.lines().collect::<Vec<_>>(), lines, "{log}");
    for key in &archives {
        assert!(expected.remove(key));
    }
    assert_eq!(bucket.keys(), expected);
}

/// Returns a server between janitor and the bucket at `endpoint`: all that it is asked goes on to the bucket,
/// but of removals only the first. The path of the second one is told, and it is never answered.
fn lets_one_removal_through(endpoint: &str) -> (String, Receiver<String>) {
    let bucket = endpoint.strip_prefix("http://").expect("plain HTTP").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut removals = 0;
        // One connection after the other: janitor does one thing at a time.
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(&bucket).expect("the bucket listens");
            forward(&client, &server, &mut removals, &tell);
            let _ = server.shutdown(Shutdown::Both);
        }
    });
    (endpoint, told)
}

/// Forwards requests, none of which has a body, until the client goes away.
fn forward(
    mut client: &TcpStream,
    mut server: &TcpStream,
    removals: &mut u32,
    tell: &Sender<String>,
) {
    let answers = (server.try_clone(), client.try_clone());
    let (Ok(mut from_server), Ok(mut to_client)) = answers else { return };
    thread::spawn(move || std::io::copy(&mut from_server, &mut to_client));
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = client.read(&mut buffer) {
        request.extend_from_slice(&buffer[..read]);
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let head = String::from_utf8_lossy(&request);
        let mut words = head.split(' ');
        if words.next() == Some("DELETE") {
            *removals += 1;
            if *removals > 1 {
                let _ = tell.send(words.next().unwrap_or_default().to_owned());
                request.clear();
                continue;
            }
        }
        if server.write_all(&request).is_err() {
            return;
        }
        request.clear();
    }
}
