//! SIGTERM and SIGINT: what was begun ends well, and the process is gone within five seconds.

use std::time::Duration;

use local_s3::Credentials;
use rustix::process::Signal;

use crate::bucket::{SlowBucket, env};
use crate::running::{Running, get};

const FIVE_SECONDS: Duration = Duration::from_secs(5);

fn start(bucket: &SlowBucket) -> Running {
    let credentials = Credentials::random().expect("random numbers");
    let env = env("builds", &bucket.endpoint, &credentials);
    Running::start(&env.iter().map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>())
}

#[test]
fn a_request_in_flight_is_answered_before_the_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let bucket = SlowBucket::start();
        let service = start(&bucket);
        let url = &service.url;
        std::thread::scope(|scope| {
            let view = scope.spawn(|| get(url));
            bucket.wait_for_request();
            service.signal(signal);
            service.wait_for_log("stopping");
            bucket.answer();
            let page = view.join().expect("an answer");
            assert_eq!(page.status, 200, "{signal:?}: {}", page.body);
            assert!(page.body.contains("There are no releases yet"), "{}", page.body);
        });
        let status = service.end_within(FIVE_SECONDS);
        assert!(status.success(), "{signal:?} ends it with {status}");
    }
}

#[test]
fn a_bucket_that_never_answers_does_not_hold_up_the_end() {
    let bucket = SlowBucket::start();
    let service = start(&bucket);
    let url = service.url.clone();
    // It is cut off; how that looks to a client is no matter here.
    std::thread::spawn(move || ureq::get(url).call().is_ok());
    bucket.wait_for_request();
    service.signal(Signal::TERM);
    let status = service.end_within(FIVE_SECONDS);
    assert!(status.success(), "{status}");
    service.wait_for_log("stopped with work still open");
}

#[test]
fn an_idle_service_ends_at_once_and_logs_json_lines_when_no_one_watches() {
    let service = start(&SlowBucket::start());
    assert_eq!(service.get("/healthz").body, "ok\n");
    service.signal(Signal::TERM);
    assert!(service.end_within(FIVE_SECONDS).success());
    for line in service.wait_for_log("stopping") {
        let line: serde_json::Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: the log has the line {line:?}"));
        assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
    }
}
