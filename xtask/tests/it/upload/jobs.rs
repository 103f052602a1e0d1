//! Tests `--jobs`: how many requests the server gets at once.

use crate::support::bucket::Bucket;
use crate::support::front::{Front, Verdict};
use crate::support::snapshot::snapshot;

const PART: usize = 8 * 1024 * 1024;

#[test]
fn as_many_requests_are_under_way_as_there_are_jobs() {
    let names: Vec<_> = (0..6).map(|number| format!("service{number}")).collect();
    let small: Vec<_> = names.iter().map(|name| (name.as_str(), name.as_bytes())).collect();
    let bytes = vec![7; 5 * PART];
    let one_large = vec![("large", bytes.as_slice())];
    // Several archives, and one archive in several parts; without the option, all are sent at once.
    for (services, arguments, expected) in [
        (&small, "--jobs 1", 1),
        (&small, "--jobs 4", 4),
        (&small, "", 6),
        (&one_large, "--jobs 1", 1),
        (&one_large, "--jobs 3", 3),
    ] {
        let bucket = Bucket::new();
        // The first requests are answered once as many have come as are expected at once.
        let front = Front::start(&bucket.endpoint(), move |line| {
            if line.starts_with("PUT ") { Verdict::PassWith(expected) } else { Verdict::Pass }
        });
        let mut repo = bucket.serve(snapshot(services));
        repo.set("AWS_ENDPOINT_URL_S3", &front.endpoint);
        repo.xtask(&format!("upload {arguments}")).exits(0);
        let seen = front.seen();
        assert!(seen.len() >= services.len() * 3, "{arguments}: {} requests", seen.len());
        let most = seen.iter().map(|seen| seen.at_once).max().unwrap();
        assert_eq!(most, expected, "{} services {arguments}", services.len());
    }
}
