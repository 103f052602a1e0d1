//! Tests `upload` to servers that demand more than S3 once did, or know less of it. A server in
//! front of a real one gives the answers that such servers are known to give.

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

/// Makes a bucket behind a server that `judge` plays, and a repository with a small and a large
/// artifact.
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

/// Plays a bucket with Object Lock and a default retention: every body needs a checksum in a
/// header.
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

/// Plays a bucket of another account, whose policy demands full control of every object.
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

/// Plays Backblaze B2, which does not implement conditions of writes, and refuses some headers in
/// another way.
fn b2(head: &str) -> Verdict {
    let writes = head.starts_with("PUT ") || head.starts_with("POST ");
    let has = |name| header_of(head, name).is_some();
    if writes && (has("if-none-match") || has("if-match")) {
        let message = "A header you provided implies functionality that is not implemented";
        return Verdict::Explain(501, "NotImplemented", message);
    }
    if has("x-amz-tagging") {
        let message = "Unsupported header 'x-amz-tagging' received for this API call.";
        return Verdict::Explain(400, "InvalidArgument", message);
    }
    Verdict::Pass
}

#[test]
fn a_server_without_conditions_is_an_error_unless_the_table_allows_uploads_without() {
    const FIELD: &str = "conditional-writes = false";
    let (bucket, _front, repo) = behind(b2, "");
    repo.xtask("upload").exits(1).says("501 NotImplemented").says("if-none-match").says(FIELD);
    assert_eq!(bucket.keys(), Vec::<String>::new());
    assert_eq!(bucket.unfinished(), 0, "parts were left");

    configure(&repo, FIELD);
    repo.xtask("upload").exits(0);
    assert_eq!(bucket.keys(), all_keys());
    repo.xtask("upload").exits(0).prints("already there");
    repo.xtask(&format!("promote alpha {VERSION} --to stable --by me")).exits(0);
    // What is published keeps its bytes here too.
    let other = bucket.serve(snapshot(&[("alpha", b"other")]));
    configure(&other, FIELD);
    other.xtask("upload").exits(1).says("is published already");
    assert_eq!(std::fs::read(bucket.object(&archive("alpha"))).unwrap(), b"small");
    // The leftover of an upload that never finished is replaced, and nothing that was not looked at.
    std::fs::remove_file(bucket.object(&manifest_object("alpha"))).unwrap();
    other.xtask("upload").exits(0).prints("replaced");
    assert_eq!(std::fs::read(bucket.object(&archive("alpha"))).unwrap(), b"other");

    configure(&repo, "conditional-writes = false\ntags = { team = \"a\" }");
    std::fs::remove_file(bucket.object(&archive("beta"))).unwrap();
    std::fs::remove_file(bucket.object(&manifest_object("beta"))).unwrap();
    repo.xtask("upload beta").exits(1).says("x-amz-tagging").says("remove tags from");
}

/// Plays a server that asks for the CRC64NVME of every object and of its parts. The server behind compares them
/// with the bodies.
fn asks_for_crc64nvme(head: &str) -> Verdict {
    const OF_LARGE: &str = "APgB3lMLCzw=";
    let has = |name: &str, value| header_of(head, name).as_deref() == Some(value);
    let is_of_object = has("x-amz-checksum-type", "FULL_OBJECT");
    let line = head.lines().next().unwrap();
    let is_as_asked = if line.starts_with("PUT ") {
        header_of(head, "x-amz-checksum-crc64nvme").is_some()
    } else if line.starts_with("POST ") && line.contains("?uploads=") {
        is_of_object && has("x-amz-checksum-algorithm", "CRC64NVME")
    } else if line.starts_with("POST ") {
        // What is completed is always the one large archive.
        is_of_object && has("x-amz-checksum-crc64nvme", OF_LARGE)
    } else {
        true
    };
    let message = "Checksums are asked for.";
    if is_as_asked { Verdict::Pass } else { Verdict::Explain(403, "AccessDenied", message) }
}

#[test]
fn every_object_comes_with_a_crc64nvme_if_the_table_says_so() {
    let (bucket, _front, repo) = behind(asks_for_crc64nvme, "checksum = \"crc64nvme\"");
    repo.xtask("upload --verify").exits(0);
    assert_eq!(bucket.keys(), all_keys());
    repo.xtask(&format!("promote alpha {VERSION} --to stable --by me")).exits(0);
    configure(&repo, "");
    repo.xtask(&format!("promote beta {VERSION} --to stable --by me")).exits(1);
    configure(&repo, "checksum = \"md5\"");
    repo.xtask("upload").exits(3).says("checksum = \"md5\": expected crc64nvme");
}

/// Plays servers that do not take a CRC64NVME, in the two ways in which they say so.
fn without_checksums(head: &str) -> Verdict {
    if head.contains("?uploads=") && header_of(head, "x-amz-checksum-algorithm").is_some() {
        let message = "Checksum algorithm provided is unsupported.";
        return Verdict::Explain(400, "InvalidRequest", message);
    }
    if header_of(head, "x-amz-checksum-crc64nvme").is_some() {
        let message = "A header you provided implies functionality that is not implemented";
        return Verdict::Explain(501, "NotImplemented", message);
    }
    Verdict::Pass
}

#[test]
fn a_server_that_takes_no_crc64nvme_is_an_error_that_names_the_field() {
    let (bucket, _front, repo) = behind(without_checksums, "checksum = \"crc64nvme\"");
    for service in ["alpha", "beta"] {
        let run = repo.xtask(&format!("upload {service}")).exits(1);
        run.says("x-amz-checksum-").says("remove checksum from [workspace.metadata.xtask]");
    }
    assert_eq!((bucket.keys(), bucket.unfinished()), (Vec::new(), 0));
    configure(&repo, "");
    repo.xtask("upload").exits(0);
}

/// Plays Cloudflare R2, which names the header that it does not implement.
fn r2(head: &str) -> Verdict {
    let explain = |message| Verdict::Explain(501, "NotImplemented", message);
    if header_of(head, "x-amz-acl").is_some() {
        return explain("Header 'x-amz-acl' with value 'private' not implemented");
    }
    if header_of(head, "x-amz-tagging").is_some() {
        return explain("Header 'x-amz-tagging' with value 'team=a' not implemented");
    }
    Verdict::Pass
}

#[test]
fn an_error_names_the_header_that_a_server_does_not_implement() {
    for (table, field) in [("acl = \"private\"", "acl"), ("tags = { team = \"a\" }", "tags")] {
        let (bucket, _front, repo) = behind(r2, table);
        let run = repo.xtask("upload").exits(1).says("501 NotImplemented");
        let run = run.says(&format!("remove {field} from"));
        assert!(!run.stderr.contains("conditional-writes"), "{}", run.stderr);
        assert_eq!(bucket.keys(), Vec::<String>::new());
        configure(&repo, "");
        repo.xtask("upload").exits(0);
    }
}
