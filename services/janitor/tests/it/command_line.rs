//! Arguments, exit codes and the stop.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::bucket::{Bucket, janitor, run};

#[test]
fn version_and_help_need_no_configuration() {
    let (code, out, _) = run(janitor(&["--version"]));
    assert_eq!((code, out.as_str()), (Some(0), "janitor DEV (not stamped)\n"));
    let (code, out, _) = run(janitor(&["--help"]));
    assert_eq!(code, Some(0));
    assert!(out.contains("--delete") && out.contains("[env: JANITOR_DAYS]"), "{out}");
}

#[test]
fn variables_set_the_policy_and_what_is_wrong_with_one_is_said_without_its_value() {
    let bucket = Bucket::start();
    let mut command = bucket.janitor(&["--once", "--keep", "4"]);
    command.envs([("JANITOR_KEEP", "3"), ("JANITOR_DAYS", "7"), ("JANITOR_INTERVAL", "")]);
    // Removing takes the option: no variable does it.
    command.envs([("DELETE", "true"), ("JANITOR_DELETE", "true")]);
    let (code, _, log) = run(command);
    assert_eq!(code, Some(0), "{log}");
    for expected in ["\"keep\":4", "\"days\":7", "\"delete\":false"] {
        assert!(log.contains(expected), "{expected} is not in: {log}");
    }
    for name in ["JANITOR_KEEP", "JANITOR_DAYS", "JANITOR_INTERVAL"] {
        let mut command = bucket.janitor(&["--once"]);
        command.env(name, "c4nary");
        let (code, _, log) = run(command);
        assert_eq!(code, Some(3), "{log}");
        assert!(
            log.contains(&format!("variable {name} for '--")) && !log.contains("c4nary"),
            "{log}"
        );
    }
}

#[test]
fn the_exit_code_says_whose_the_problem_is() {
    let (code, _, log) = run(janitor(&["--keep", "0"]));
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("'--keep <N>': expected a number from 1"), "{log}");
    let (code, _, log) = run(janitor(&[]));
    assert_eq!(code, Some(3), "{log}");
    assert!(log.contains("S3_BUCKET"), "{log}");
    let (code, _, log) = run(janitor(&["--purge"]));
    assert_eq!(code, Some(2), "{log}");

    let bucket = Bucket::start();
    let (code, out, log) = run(bucket.janitor(&["--once", "--bucket", "nobodys"]));
    assert_eq!((code, out.as_str()), (Some(1), ""), "{log}");
    assert!(log.contains("NoSuchBucket"), "{log}");
    let mut wrong = bucket.janitor(&["--once"]);
    wrong.env("S3_SECRET", "not-the-secret-of-this-bucket");
    let (code, _, log) = run(wrong);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("denied") && !log.contains("not-the-secret"), "{log}");
}

#[test]
fn it_outlives_a_failing_bucket_and_ends_in_time_when_asked_to() {
    for (signal, bucket_name, line) in
        [(Signal::TERM, "builds", "swept"), (Signal::INT, "nobodys", "NoSuchBucket")]
    {
        let bucket = Bucket::start();
        let mut child = bucket
            .janitor(&["--bucket", bucket_name])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary that cargo has just built starts");
        let pid = Pid::from_child(&child);
        let mut log = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        // The log ends when the worker does, so this ends too.
        let found = log.by_ref().map_while(Result::ok).any(|have| have.contains(line));
        assert!(found, "the worker ended before it logged {line:?}");

        kill_process(pid, signal).expect("it waits for its next walk");
        let (send, ended) = channel();
        std::thread::spawn(move || send.send(child.wait()));
        let status = ended.recv_timeout(Duration::from_secs(5)).unwrap_or_else(|_| {
            let _ = kill_process(pid, Signal::KILL);
            panic!("it still runs five seconds after {signal:?}")
        });
        assert!(status.expect("it can be waited for").success(), "{signal:?}");
    }
}

#[test]
fn on_demand_it_says_over_http_that_it_lives_and_what_it_is() {
    let bucket = Bucket::start();
    let mut child = bucket
        .janitor(&["--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary that cargo has just built starts");
    let mut said = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let line = said.next().expect("it says where it listens").expect("text");
    let url = line.strip_prefix("listening on ").expect("that is the first line");
    let get = |path: &str| {
        let answer = ureq::get(format!("{url}{path}")).call();
        answer.expect(path).body_mut().read_to_string().expect("text")
    };
    assert_eq!(get("/healthz"), "ok\n");
    assert!(get("/version").contains("\"service\":\"janitor\""));
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it waits for its next walk");
    assert!(child.wait().expect("it ends").success());
}
