//! Sends requests through the proxy that the environment names. `docs/proxies.md` lists all cases,
//! and a unit test of the S3 client reads them there.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::Repo;
use crate::support::bucket::Bucket;
use crate::support::front::head;
use crate::support::release::Release;

/// Starts a proxy that passes everything on to `endpoint`, whatever host it is asked for. Returns
/// its address and the first lines of the requests that it got.
fn proxy(endpoint: &str) -> (String, Arc<Mutex<Vec<String>>>) {
    let server = endpoint.strip_prefix("http://").expect("plain http").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let diary = Arc::clone(&asked);
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let (server, diary) = (server.clone(), Arc::clone(&diary));
            thread::spawn(move || {
                let line = head(&mut client)?.lines().next()?.to_owned();
                let answer = if line.contains(":443 ") { "403 No" } else { "200 OK" };
                diary.lock().unwrap().push(line);
                client.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).ok()?;
                if answer.starts_with("403") {
                    return None;
                }
                let mut upstream = TcpStream::connect(server).ok()?;
                let mut back = (upstream.try_clone().ok()?, client.try_clone().ok()?);
                thread::spawn(move || std::io::copy(&mut back.0, &mut back.1));
                std::io::copy(&mut client, &mut upstream).ok()
            });
        }
    });
    (format!("http://{address}"), asked)
}

#[test]
fn the_proxy_of_the_urls_scheme_is_used_and_never_a_direct_connection_instead() {
    let bucket = Bucket::new();
    Release::of_alpha("aaaaaa").publish(&bucket);
    let (proxy, asked) = proxy(&bucket.endpoint());
    let socks = "socks5://me:secret@127.0.0.1:9";
    // This host name cannot be resolved, so a request that arrives went through the proxy.
    for (endpoint, environment, code, shown, said) in [
        (
            "http://s3.invalid",
            [("http_proxy", &*proxy), ("ALL_PROXY", socks)],
            0,
            "aaaaaa",
            vec!["CONNECT s3.invalid:80 HTTP/1.1"],
        ),
        (
            "http://s3.invalid",
            [("HTTP_PROXY", "http://127.0.0.1:9"), ("all_proxy", &*proxy)],
            0,
            "aaaaaa",
            vec!["CONNECT s3.invalid:80 HTTP/1.1"],
        ),
        (
            "https://s3.invalid",
            [("HTTPS_PROXY", &*proxy), ("all_proxy", socks)],
            1,
            "",
            vec!["CONNECT s3.invalid:443 HTTP/1.1"],
        ),
        (
            "https://s3.invalid",
            [("http_proxy", &*proxy), ("ALL_PROXY", socks)],
            3,
            "ALL_PROXY names a proxy of the kind socks5://",
            vec![],
        ),
    ] {
        let mut repo = bucket.serve(Repo::new(&["alpha"]));
        repo.add_to_table("allow-http = true");
        for name in ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy"] {
            repo.set(name, "");
        }
        for name in ["ALL_PROXY", "no_proxy", "NO_PROXY"] {
            repo.set(name, "");
        }
        repo.set("AWS_ENDPOINT_URL_S3", endpoint);
        for (name, value) in environment {
            repo.set(name, value);
        }
        let run = repo.xtask("list").exits(code);
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(text.contains(shown) && !text.contains("secret"), "{text}");
        let mut lines = std::mem::take(&mut *asked.lock().unwrap());
        lines.dedup();
        assert_eq!(lines, said, "{environment:?}: {text}");
    }
}
