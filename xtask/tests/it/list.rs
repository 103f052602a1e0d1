//! Tests `list`: which releases of a real bucket are shown, and how.

use crate::support::Repo;
use crate::support::bucket::Bucket;
use crate::support::front::{Front, Verdict};
use crate::support::release::{PADDING, Release};

#[test]
fn list_shows_releases_by_service_and_newest_first() {
    let bucket = Bucket::new();
    let nowhere = bucket.serve(Repo::empty());
    nowhere.xtask("list").exits(0).says("no release in bucket builds");
    let both = ["linux_amd64", "darwin_arm64"];
    let beta = Release { service: "beta", platforms: &both, ..Release::of_alpha("bbbbbb") };
    let manifest = beta.publish(&bucket);
    Release::of_alpha("eeeeee").publish(&bucket);
    Release::of_alpha("aaaaaa").publish(&bucket);
    std::fs::write(bucket.object("alpha/notes.json"), "{}").unwrap();
    std::fs::write(bucket.object("alpha/alpha_cccccc.json"), "{}").unwrap();
    bucket.age("alpha/alpha_aaaaaa.json", 90);
    bucket.age("alpha/alpha_eeeeee.json", 7300);

    let run = nowhere.xtask("list").exits(0);
    let words: Vec<Vec<_>> =
        run.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let shown: Vec<_> = words.iter().map(|line| (line[0], line[1])).collect();
    let expected =
        [("alpha", "cccccc"), ("alpha", "aaaaaa"), ("alpha", "eeeeee"), ("beta", "bbbbbb")];
    assert_eq!(shown, expected, "{}", run.stdout);
    assert_eq!((&words[1][2..4], &words[2][2..4]), (&["1", "min"][..], &["2", "h"][..]));
    let run = run.prints("cannot be read: object builds/alpha/alpha_cccccc.json");
    // But for the stamp.
    let run = run.prints("same program as eeeeee");
    run.prints("linux_amd64 darwin_arm64").prints(&format!("bbbbbb{PADDING}"));

    let run = nowhere.xtask("list beta --json").exits(0);
    let document = run.json();
    assert_eq!(document["bucket"], "builds");
    let releases = document["releases"].as_array().unwrap();
    assert_eq!(releases.len(), 1, "{document}");
    let sizes = manifest["artifacts"].as_array().unwrap().iter();
    let size_bytes: u64 = sizes.map(|artifact| artifact["size_bytes"].as_u64().unwrap()).sum();
    assert_eq!(releases[0]["size_bytes"], size_bytes);
    assert_eq!(releases[0]["commit"], format!("bbbbbb{PADDING}"));
    assert_eq!(releases[0]["platforms"], serde_json::json!(both));
    assert_eq!(releases[0]["committed_at"], 1_369_353_600);
    assert_eq!(releases[0]["same_program_as"], serde_json::Value::Null, "there is none before it");
    assert!(releases[0]["uploaded_at"].as_str().unwrap().starts_with("20"), "{document}");
}

#[test]
fn list_looks_below_the_prefix_alone() {
    let bucket = Bucket::new();
    Release { prefix: "team/", ..Release::of_alpha("aaaaaa") }.publish(&bucket);
    Release::of_alpha("bbbbbb").publish(&bucket);
    let nowhere = bucket.serve(Repo::empty());
    for prefix in ["team", "team/"] {
        let run = nowhere.xtask(&format!("list alpha --prefix {prefix}")).exits(0);
        assert!(run.stdout.contains("aaaaaa") && !run.stdout.contains("bbbbbb"), "{}", run.stdout);
    }
    let repo = bucket.serve(Repo::new(&["alpha"]));
    repo.add_to_table("prefix = \"team\"");
    let run = repo.xtask("list").exits(0).prints("aaaaaa");
    assert!(!run.stdout.contains("bbbbbb"), "{}", run.stdout);
}

#[test]
fn an_object_that_the_server_does_not_give_hides_no_other() {
    let bucket = Bucket::new();
    for version in ["aaaaaa", "bbbbbb"] {
        Release::of_alpha(version).publish(&bucket);
    }
    bucket.serve(Repo::empty()).xtask("promote alpha aaaaaa --to stable --by me").exits(0);
    for refused in ["alpha_aaaaaa.json", "channels/"] {
        let judge = move |line: &str| {
            let is_refused =
                line.starts_with("GET ") && line.split('?').next().unwrap().contains(refused);
            // One that is not tried again, so that nobody waits here.
            if is_refused { Verdict::Refuse(501, "NotImplemented") } else { Verdict::Pass }
        };
        let front = Front::start(&bucket.endpoint(), judge);
        let mut nowhere = bucket.serve(Repo::empty());
        nowhere.set("AWS_ENDPOINT_URL_S3", &front.endpoint);
        let run = nowhere.xtask("list");
        assert_ne!(run.code, 0, "{}", run.stdout);
        let run = run.prints("aaaaaa").prints(&format!("bbbbbb{PADDING}"));
        let run = run.says("one object in bucket builds could not be read");
        // A release in its row, a channel in a warning.
        assert!((run.stdout + &run.stderr).contains("cannot be read: "));
        let document = nowhere.xtask("list --json").json();
        assert_eq!(document["complete"], false, "{document}");
        assert_eq!(document["releases"].as_array().unwrap().len(), 2, "{document}");
    }
}

#[test]
fn mistakes_have_their_exit_codes() {
    let bucket = Bucket::new();
    Release::of_alpha("aaaaaa").publish(&bucket);
    let nowhere = bucket.serve(Repo::empty());
    for (line, code, text) in [
        ("list gamma", 3, "no release of `gamma`"),
        ("list --prefix a//b", 2, "a//b\": expected a folder in the bucket such as team/"),
        ("list --prefix ../b", 2, "expected a folder"),
        ("list --prefix /", 2, "expected a folder"),
        ("list a/b", 2, "\"a/b\" is no service's name"),
        ("list channels", 2, "is no service's name"),
        ("list alpha beta", 2, "unexpected argument \"beta\""),
        ("list --local", 2, "invalid option '--local'"),
        ("list --bukket b", 2, "did you mean `--bucket`?"),
        ("list --version aaaaaa", 2, "invalid option '--version'"),
        ("list --bucket other", 1, "NoSuchBucket"),
    ] {
        nowhere.xtask(line).exits(code).says("error: ").says(text);
    }
    let outside = Repo::empty();
    outside.xtask("list").exits(3).says("no bucket named");
    let run = outside.xtask("list --bucket builds").exits(3).says("no credentials");
    assert!(!run.stderr.contains("--local"), "{}", run.stderr);
    nowhere.xtask("list --explain").exits(0).says("credentials");
}

#[test]
fn the_profiles_endpoint_is_used_where_nothing_else_names_one() {
    let bucket = Bucket::new();
    Release::of_alpha("aaaaaa").publish(&bucket);
    let mut repo = bucket.serve(Repo::new(&["alpha"]));
    let (id, secret) = (bucket.access_key_id(), bucket.secret());
    let profile = format!(
        "[profile elsewhere]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n\
         region = us-east-1\nservices = elsewhere\nendpoint_url = http://127.0.0.1:9\n\
         [services elsewhere]\ns3 =\n  endpoint_url = {}\n",
        bucket.endpoint()
    );
    repo.write("profiles", &profile);
    let path = repo.path().join("profiles").display().to_string();
    for (name, value) in [("AWS_CONFIG_FILE", &*path), ("AWS_PROFILE", "elsewhere")] {
        repo.set(name, value);
    }
    for name in ["S3_KEY", "S3_SECRET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        repo.set(name, "");
    }
    for name in ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"] {
        repo.set(name, "");
    }
    repo.xtask("list").exits(0).prints("aaaaaa");
    repo.add_to_table("endpoint = \"https://s3.example.com/path\"");
    repo.xtask("list").exits(3).says("the endpoint has a path or a query");
}
