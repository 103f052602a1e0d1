//! What no condition of S3 covers: a leftover that is published while another upload replaces it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use xtask::env::Env;
use xtask::manifest::Manifest;
use xtask::progress::Progress;
use xtask::publish;
use xtask::ui::Ui;

use crate::bucket::Bucket;
use crate::exactly_once::{check_published, release};
use crate::support::{Repo, run};

#[test]
fn whoever_replaced_what_another_upload_published_says_so_and_that_one_puts_it_back() {
    let ours = Repo::new(&["alpha"]);
    let mut theirs = Repo::clone_of(ours.path());
    theirs.set("SOURCE_DATE_EPOCH", "1");
    for repo in [&ours, &theirs] {
        repo.xtask("dist").exits(0);
    }
    let bucket = Bucket::new();
    let client = bucket.client();
    let snapshot = ours.path().join("pkg/snapshot");
    let text = std::fs::read(snapshot.join("manifest.json")).unwrap();
    let manifest = Manifest::parse(&text, "manifest.json").unwrap();
    let release = release(&manifest, &snapshot);
    let progress = Progress::start(&client, 0, false, Ui::new(&Env::for_test(&[]), false));
    let begun = publish::begin(&client, &release).unwrap();
    publish::send(&client, &begun, &begun.artifacts()[0], &progress).unwrap();

    let mut upload = theirs.prepare(env!("CARGO_BIN_EXE_xtask"), &["upload"]);
    bucket.name_in(&mut upload);
    let before_it_is_replaced = || {
        publish::commit(&client, &begun, &progress).unwrap();
    };
    let run = between(&bucket, b"if-match:", before_it_is_replaced, |endpoint| {
        run(upload.env("AWS_ENDPOINT_URL_S3", endpoint), "upload")
    });
    run.exits(1).says("was replaced while another upload published it").says("--verify");

    let mut verify = ours.prepare(env!("CARGO_BIN_EXE_xtask"), &["upload", "--verify"]);
    bucket.name_in(&mut verify);
    self::run(&mut verify, "upload --verify").exits(0).prints("restored");
    check_published(&bucket, "put back");
}

/// Runs `client` with an endpoint that passes everything on to the bucket; `act` is called once,
/// before the first piece with `sign` in it is passed on.
fn between<T>(
    bucket: &Bucket,
    sign: &[u8],
    act: impl FnOnce() + Send,
    client: impl FnOnce(&str) -> T,
) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = bucket.endpoint();
    let server = server.strip_prefix("http://").unwrap();
    let act = Mutex::new(Some(act));
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let upstream = TcpStream::connect(server).unwrap();
                let back = (upstream.try_clone().unwrap(), stream.try_clone().unwrap());
                let act = &act;
                scope.spawn(move || pass_on(back.0, back.1, |_| {}));
                scope.spawn(move || {
                    pass_on(stream, upstream, |piece| {
                        let has_sign = piece.windows(sign.len()).any(|it| it == sign);
                        if has_sign && let Some(act) = act.lock().unwrap().take() {
                            act();
                        }
                    });
                });
            }
        });
        let result = client(&endpoint);
        ended.store(true, Ordering::Relaxed);
        TcpStream::connect(endpoint.strip_prefix("http://").unwrap()).unwrap();
        result
    })
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, mut look: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        look(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Whoever still writes there has nobody to read it.
    let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}
