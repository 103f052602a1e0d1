//! What the client has to do with every server; one file for each part of its work.

mod bucket;
mod checksums;
mod conditions;
mod cut_off;
mod keys;
mod large;
mod listing;
mod objects;
mod presigned;
mod refusals;
mod unfinished;

use std::fs;
use std::thread;
use std::time::Instant;

use anyhow::Context as _;

use self::bucket::Bucket;
use crate::say;
use crate::servers::{Running, Server};

/// A check panics where the server or the client does something else than expected.
type Check = (&'static str, fn(&Bucket));

macro_rules! checks {
    ($($check:path,)*) => { &[$((stringify!($check), $check)),*] };
}

const CHECKS: &[Check] = checks![
    checksums::objects_and_their_parts_come_with_a_crc64nvme,
    checksums::a_crc64nvme_of_other_bytes_is_refused_where_the_server_compares_it,
    conditions::an_object_that_is_there_is_not_replaced,
    conditions::a_matching_etag_is_asked_for_as_far_as_the_server_knows_it,
    conditions::of_several_publishers_in_one_moment_as_many_win_as_the_server_lets,
    keys::every_object_key_is_one_thing_for_client_and_server,
    large::a_large_file_goes_in_parts_and_comes_back_in_ranges,
    large::a_large_file_that_is_not_the_announced_one_is_not_stored,
    large::a_large_file_does_not_replace_what_is_there_where_the_server_asks_at_the_end,
    large::copies_are_made_by_the_server_whatever_the_object_key,
    listing::all_pages_are_read_in_order_and_none_is_read_twice,
    listing::a_listing_ends_where_it_was_told_to,
    listing::folders_are_listed_once_each_over_several_pages,
    objects::metadata_and_content_type_come_back,
    objects::bytes_come_back_from_memory_and_from_a_file,
    objects::what_is_not_there_is_none_and_a_deletion_can_be_repeated,
    objects::more_than_was_asked_for_is_refused,
    presigned::a_url_is_good_for_its_object_and_its_time,
    refusals::wrong_credentials_are_denied,
    refusals::a_wrong_region_is_refused_by_those_who_look_and_mended,
    refusals::a_bucket_that_is_not_there_is_named,
    refusals::bytes_that_are_not_the_announced_ones_are_not_stored,
    refusals::an_early_refusal_of_a_large_body_says_why,
    unfinished::an_upload_that_died_is_taken_up,
    unfinished::the_uploads_of_one_object_key_are_ended_and_no_others,
];

/// Runs every check with every signature of the server, over http and TLS, each of these passes in
/// a bucket of its own and all at once; returns the names of the passes that failed.
pub(crate) fn run_all(server: &Server, running: &Running) -> anyhow::Result<Vec<String>> {
    let roots_pem = fs::read(&running.ca_bundle)
        .with_context(|| format!("reading {}", running.ca_bundle.display()))?;
    let endpoints = [("http", running.http_port), ("https", running.tls_port)];
    let mut failed = Vec::new();
    thread::scope(|scope| {
        let mut passes = Vec::new();
        for &signature in server.signatures {
            for (scheme, port) in endpoints {
                let name = format!("{} {signature} {scheme}", server.name);
                let bucket = Bucket::new(
                    server,
                    running,
                    format!("{scheme}://127.0.0.1:{port}"),
                    format!("interop-{signature}-{scheme}"),
                    signature,
                    (scheme == "https").then(|| roots_pem.clone()),
                );
                let pass = name.clone();
                passes.push((name, scope.spawn(move || run_pass(&pass, &bucket))));
            }
        }
        for (name, pass) in passes {
            if !pass.join().unwrap_or(false) {
                failed.push(name);
            }
        }
    });
    Ok(failed)
}

/// Runs every check in one bucket and says what failed; returns whether all passed.
fn run_pass(name: &str, bucket: &Bucket) -> bool {
    let started = Instant::now();
    let make: Check = ("making the bucket", Bucket::make);
    if !passes(name, make, bucket) {
        return false;
    }
    let failed: Vec<_> =
        CHECKS.iter().filter(|check| !passes(name, **check, bucket)).map(|check| check.0).collect();
    if !failed.is_empty() {
        say("failed", format_args!("{name}: {}", failed.join(", ")));
        return false;
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{name:<16}  {} passed in {seconds:.1} s", CHECKS.len());
    true
}

/// Runs one check in a thread with its name, which the message of a panic begins with.
fn passes(pass: &str, (name, check): Check, bucket: &Bucket) -> bool {
    thread::scope(|scope| {
        let named = thread::Builder::new().name(format!("{pass}, {name}"));
        named.spawn_scoped(scope, || check(bucket)).is_ok_and(|thread| thread.join().is_ok())
    })
}
