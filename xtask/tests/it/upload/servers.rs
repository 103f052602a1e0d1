//! `upload` to servers that ask for more than S3 once did, or know less of it: each is played by a
//! server in front of a real one, with the answers that it is known to give.

use crate::support::Repo;
use crate::support::bucket::Bucket;
use crate::support::front::{Front, Seen, Verdict, header};
use crate::support::snapshot::{VERSION, archive, configure, manifest_object, snapshot};

/// Larger than what is sent in one request.
const LARGE: usize = 17 * 1024 * 1024;

/// Judges a request by its first line and its headers.
type Judge = fn(&str) -> Verdict;

fn header_of(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| header(line, name))
}

/// A bucket behind a server of that kind, and a repository with a small and a large artifact.
fn behind(judge: Judge, table: &str) -> (Bucket, Front, Repo) {
    let bucket = Bucket::new();
    let mut repo = bucket.serve(snapshot(&[("alpha", b"small"), ("beta", &vec![7; LARGE])]));
    configure(&repo, table);
    let front = Front::judging_heads(&bucket.endpoint(), judge);
    repo.set("AWS_ENDPOINT_URL_S3", &front.endpoint);
    (bucket, front, repo)
}

fn all_keys() -> Vec<String> {
    let keys = ["alpha", "beta"].map(|service| [manifest_object(service), archive(service)]);
    keys.concat()
}

fn refusals(front: &Front) -> usize {
    front.seen().iter().filter(|seen| matches!(seen.verdict, Verdict::Explain(..))).count()
}

/// A bucket with Object Lock and a default retention: every body needs a checksum beside it.
fn object_lock(head: &str) -> Verdict {
    // The server behind compares it with the body.
    if !head.starts_with("PUT ") || header_of(head, "content-md5").is_some() {
        return Verdict::Pass;
    }
    let message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters";
    Verdict::Explain(400, "InvalidRequest", message)
}

#[test]
fn a_bucket_with_object_lock_gets_the_md5_of_every_body() {
    let (bucket, front, repo) = behind(object_lock, "");
    repo.xtask("upload --verify").exits(0);
    assert_eq!(bucket.keys(), all_keys());
    let bodies = |seen: &&Seen| seen.head.starts_with("PUT ");
    let puts = front.seen().iter().filter(bodies).count();
    // Two manifest objects, one small archive, three parts; whatever was under way when the first
    // was refused is sent again, and nothing after that.
    let refused = refusals(&front);
    assert!((1..=4).contains(&refused), "{refused} refusals");
    assert_eq!(puts, 6 + refused);
}

/// A bucket of another account, whose policy wants full control of every object.
fn other_account(head: &str) -> Verdict {
    let creates = head.starts_with("PUT ") && !head.contains("partNumber=")
        || head.starts_with("POST ") && head.contains("?uploads=");
    if !creates || header_of(head, "x-amz-acl").as_deref() == Some("bucket-owner-full-control") {
        return Verdict::Pass;
    }
    Verdict::Explain(403, "AccessDenied", "Access Denied")
}

#[test]
fn a_bucket_that_wants_an_acl_gets_it_with_every_object() {
    let (bucket, _front, repo) = behind(other_account, "acl = \"bucket-owner-full-control\"");
    repo.xtask("upload").exits(0);
    assert_eq!(bucket.keys(), all_keys());
    repo.xtask(&format!("promote alpha {VERSION} --to stable --by me")).exits(0);
    configure(&repo, "acl = \"private\"");
    repo.xtask(&format!("promote beta {VERSION} --to stable --by me"))
        .exits(1)
        .says("AccessDenied");
    let (bucket, _front, repo) = behind(other_account, "");
    repo.xtask("upload").exits(1).says("AccessDenied");
    assert_eq!(bucket.keys(), Vec::<String>::new());
}
