//! Tests `upload` into a real S3 server over a socket.

mod attributes;
mod conditions;
mod jobs;
mod local;
mod longer_versions;
mod narrow_policy;
mod servers;
mod tls;
mod web_identity;

use std::path::Path;

use serde_json::Value;

use crate::support::bucket::Bucket;
use crate::support::{Repo, Run, run};

/// Makes a repository, runs `dist` in it, and returns it with its version.
fn dist(bucket: &Bucket, services: &[&str]) -> (Repo, String) {
    let repo = bucket.serve(Repo::new(services));
    repo.xtask("dist").exits(0);
    let version = repo.git(&["rev-parse", "--short=6", "HEAD"]);
    (repo, version)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Changes an artifact and the manifest with it, as `dist` in another job would have made them.
fn rewrite(repo: &Repo, change: impl FnOnce(&mut Value)) {
    let path = repo.path().join("pkg/snapshot/manifest.json");
    let mut manifest = json(&path);
    change(&mut manifest);
    std::fs::write(path, manifest.to_string()).unwrap();
}

#[test]
fn artifacts_and_one_manifest_object_per_service_with_either_signature() {
    for signature in ["v4", "v2"] {
        let bucket = Bucket::new();
        let (repo, version) = dist(&bucket, &["alpha", "beta"]);
        let run = repo.xtask(&format!("upload --signature {signature}")).exits(0);
        let keys = ["alpha", "beta"]
            .map(|s| [format!("{s}/{s}_{version}.json"), format!("{s}/{s}_{version}.tar.gz")])
            .concat();
        assert_eq!(bucket.keys(), keys);
        let run = run.prints(&format!("Upload status code: 200  alpha/alpha_{version}.tar.gz  "));
        assert_eq!(run.stdout.lines().count(), 4, "{}", run.stdout);

        let object = json(&bucket.object(&keys[0]));
        assert!(object.get("branch").is_none(), "{object}");
        assert_eq!(object["artifacts"].as_array().unwrap().len(), 1);
        let archive = std::fs::read(bucket.object(&keys[1])).unwrap();
        assert_eq!(
            archive,
            std::fs::read(repo.path().join("pkg/snapshot/alpha_linux_amd64.tar.gz")).unwrap()
        );
    }
}

#[test]
fn flags_from_outside_the_repository_are_published_only_where_the_table_allows_it() {
    let bucket = Bucket::new();
    let mut repo = bucket.serve(Repo::new(&["alpha"]));
    repo.set("RUSTFLAGS", "-Cdebug-assertions=on");
    let flag = "RUSTFLAGS=-Cdebug-assertions=on";
    repo.xtask("dist --dry-run").exits(0).prints(flag);
    repo.xtask("dist").exits(0).says(flag);
    assert_eq!(repo.manifest()["artifacts"][0]["outside_flags"], serde_json::json!([flag]));
    repo.xtask("upload").exits(3).says(flag).says("outside-flags = true");
    let ship = repo.xtask("ship").exits(3).says(flag);
    assert_eq!(ship.stdout, "", "ship refuses before anything is built");
    assert!(bucket.keys().is_empty(), "{:?}", bucket.keys());
    repo.add_to_table("outside-flags = true");
    repo.xtask("upload").exits(0);
}

#[test]
fn what_another_compiler_built_is_published_only_where_the_table_allows_it() {
    let bucket = Bucket::new();
    let (repo, _) = dist(&bucket, &["alpha"]);
    rewrite(&repo, |manifest| manifest["artifacts"][0]["expected_rustc"] = "1.80.0".into());
    repo.xtask("upload").exits(3).says("expected 1.80.0, the pin").says("other-compiler = true");
    assert!(bucket.keys().is_empty(), "{:?}", bucket.keys());
    repo.add_to_table("other-compiler = true");
    repo.xtask("upload").exits(0);
}

#[test]
fn other_flags_for_what_is_published_are_named() {
    let bucket = Bucket::new();
    let mut repo = bucket.serve(Repo::new(&["flagged"]));
    repo.add_to_table("outside-flags = true");
    repo.commit("flags of the machine");
    repo.xtask("dist").exits(0);
    repo.xtask("upload").exits(0);
    let flag = "RUSTFLAGS=-Cdebuginfo=2";
    let keys = bucket.keys();

    // The same bytes: nothing is sent, and what is recorded stays.
    let plain = repo.manifest();
    rewrite(&repo, |manifest| {
        manifest["artifacts"][0]["outside_flags"] = serde_json::json!([flag]);
    });
    let again = repo.xtask("upload --verify").exits(0);
    again.says("is published already, with the same bytes, as built by rustc ").says(flag);
    rewrite(&repo, |manifest| *manifest = plain);
    let silent = repo.xtask("upload --verify").exits(0);
    assert!(!silent.stderr.contains("same bytes"), "{}", silent.stderr);

    // Other bytes.
    repo.set("RUSTFLAGS", "-Cdebuginfo=2");
    repo.xtask("dist").exits(0);
    repo.xtask("upload").exits(1).says("is published already").says(&format!("with {flag}"));
    assert_eq!(bucket.keys(), keys);
}

#[test]
fn a_second_upload_sends_nothing_and_says_so() {
    let bucket = Bucket::new();
    let (repo, version) = dist(&bucket, &["alpha"]);
    repo.xtask("upload").exits(0);
    let before =
        std::fs::metadata(bucket.object(&format!("alpha/alpha_{version}.tar.gz"))).unwrap();
    let again = repo.xtask("upload --json").exits(0).says("already there");
    let document: Value = serde_json::from_str(&again.stdout).unwrap();
    for object in document["objects"].as_array().unwrap() {
        assert_eq!(object["outcome"], "already_there", "{object}");
    }
    let after = std::fs::metadata(bucket.object(&format!("alpha/alpha_{version}.tar.gz"))).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
}

#[test]
fn what_an_unfinished_upload_left_is_replaced_and_what_is_published_is_not() {
    let bucket = Bucket::new();
    let (repo, version) = dist(&bucket, &["alpha"]);
    let key = format!("alpha/alpha_{version}.tar.gz");
    // An upload that died before its manifest object: other bytes, no metadata of ours.
    std::fs::create_dir_all(bucket.object("alpha")).unwrap();
    std::fs::write(bucket.object(&key), "half of something").unwrap();
    repo.xtask("upload").exits(0).prints("replaced what an unfinished upload had left");
    assert_ne!(std::fs::read(bucket.object(&key)).unwrap(), b"half of something");

    // The same bytes without metadata are recognised by content.
    let (other, version) = dist(&bucket, &["beta"]);
    let key = format!("beta/beta_{version}.tar.gz");
    std::fs::create_dir_all(bucket.object("beta")).unwrap();
    std::fs::copy(other.path().join("pkg/snapshot/beta_linux_amd64.tar.gz"), bucket.object(&key))
        .unwrap();
    other.xtask("upload").exits(0).prints(&format!("already there            {key}"));

    // Published, and then another build of the same version.
    let archive = repo.path().join("pkg/snapshot/alpha_linux_amd64.tar.gz");
    std::fs::write(&archive, "other bytes").unwrap();
    rewrite(&repo, |manifest| {
        manifest["artifacts"][0]["size_bytes"] = 11.into();
        manifest["artifacts"][0]["sha256"] = xtask::system::files::sha256(b"other bytes").into();
    });
    let commit = repo.git(&["rev-parse", "HEAD"]);
    repo.xtask("upload").exits(1).says("is published already").says(&commit);
}

#[test]
fn a_manifest_of_another_commit_than_ci_names_is_not_published() {
    let bucket = Bucket::new();
    let (mut repo, _) = dist(&bucket, &["alpha"]);
    let ours = repo.git(&["rev-parse", "HEAD"]);
    let next = repo.commit("next");
    repo.set("CIRCLE_SHA1", &next);
    for line in ["upload", "upload --dry-run"] {
        let run = repo.xtask(line).exits(3).says(&format!("CIRCLE_SHA1 is {next}"));
        run.says(&format!("of commit {ours}")).says("unset CIRCLE_SHA1");
    }
    assert!(bucket.keys().is_empty(), "{:?}", bucket.keys());
    repo.set("CIRCLE_SHA1", &ours.to_ascii_uppercase());
    repo.xtask("upload").exits(0);
}

#[test]
fn jobs_per_platform_extend_one_release() {
    let bucket = Bucket::new();
    let (repo, version) = dist(&bucket, &["alpha"]);
    repo.xtask("upload").exits(0);
    // The other job's dist: the same bytes under another platform.
    let folder = repo.path().join("pkg/snapshot");
    std::fs::copy(
        folder.join("alpha_linux_amd64.tar.gz"),
        folder.join("alpha_darwin_arm64.tar.gz"),
    )
    .unwrap();
    rewrite(&repo, |manifest| {
        manifest["platforms"] = serde_json::json!(["darwin_arm64"]);
        let artifact = &mut manifest["artifacts"][0];
        artifact["platform"] = "darwin_arm64".into();
        artifact["triple"] = "aarch64-apple-darwin".into();
        artifact["file"] = "alpha_darwin_arm64.tar.gz".into();
        artifact["object_key"] = format!("alpha/alpha_{version}_darwin_arm64.tar.gz").into();
    });
    repo.xtask("upload").exits(0).prints("(extended by this upload)");
    let object = json(&bucket.object(&format!("alpha/alpha_{version}.json")));
    assert_eq!(object["platforms"], serde_json::json!(["linux_amd64", "darwin_arm64"]));
    assert_eq!(object["artifacts"].as_array().unwrap().len(), 2);
}

#[test]
fn archives_with_templated_keys_are_published_from_any_job_and_once() {
    let bucket = Bucket::new();
    let repo = bucket.serve(Repo::new(&["alpha"]));
    let table = "[workspace.metadata.xtask]\nprefix = \"team\"\n\
                 object-key = \"builds/{service}/{version}/{os}/{arch}.tgz\"\n";
    let text = std::fs::read_to_string(repo.path().join("Cargo.toml")).unwrap();
    repo.write("Cargo.toml", &text.replace("[workspace.metadata.xtask]\n", table));
    repo.commit("a template");
    let version = repo.git(&["rev-parse", "--short=6", "HEAD"]);
    let archive = format!("team/builds/alpha/{version}/linux/amd64.tgz");
    repo.xtask("dist --dry-run").exits(0).prints(&format!("object   {archive}"));
    repo.xtask("dist").exits(0);

    // A job without the workspace knows neither prefix nor template: the manifest says it all.
    forget_outside_sources(&repo);
    let elsewhere = bucket.serve(Repo::empty());
    let line = format!("upload --dest {}", repo.path().join("pkg").display());
    elsewhere.xtask(&line).exits(0);
    let object = format!("team/alpha/alpha_{version}.json");
    assert_eq!(bucket.keys(), [object.clone(), archive.clone()]);
    assert_eq!(json(&bucket.object(&object))["artifacts"][0]["object_key"], archive);
    for repo in [&elsewhere, &repo] {
        let run = repo.xtask(&format!("{line} --json")).exits(0);
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        for object in document["objects"].as_array().unwrap() {
            assert_eq!(object["outcome"], "already_there", "{object}");
        }
    }
}

#[test]
fn a_file_that_differs_from_the_manifest_is_not_sent_and_nothing_is_published() {
    let bucket = Bucket::new();
    let (repo, _) = dist(&bucket, &["alpha", "beta"]);
    let archive = repo.path().join("pkg/snapshot/beta_linux_amd64.tar.gz");
    let good = std::fs::read(&archive).unwrap();
    let differs = |text: &str| -> Run {
        let run =
            repo.xtask("upload").exits(3).says("beta_linux_amd64.tar.gz differs from the manifest");
        run.says(text)
    };
    std::fs::write(&archive, &good[1..]).unwrap();
    differs("bytes, not");
    std::fs::remove_file(&archive).unwrap();
    differs("it is not there");
    std::os::unix::fs::symlink("/etc/hostname", &archive).unwrap();
    differs("no regular file");
    assert_eq!(bucket.keys(), Vec::<String>::new(), "sizes are checked before the first request");

    std::fs::remove_file(&archive).unwrap();
    let mut flipped = good;
    flipped[20] ^= 1;
    std::fs::write(&archive, flipped).unwrap();
    differs("its sha256 is");
    let published = bucket.manifest_objects();
    assert!(published.is_empty(), "nothing is published when a part is wrong: {published:?}");
    assert!(bucket.keys().iter().all(|key| key.starts_with("alpha/")), "{:?}", bucket.keys());
}

#[test]
fn a_wrong_secret_is_refused_and_nothing_is_stored() {
    for (signature, name, value, code) in [
        ("v4", "S3_SECRET", "wrongwrongwrongwrong", "SignatureDoesNotMatch"),
        ("v2", "S3_SECRET", "wrongwrongwrongwrong", "SignatureDoesNotMatch"),
        ("v4", "S3_KEY", "AKIAWRONG", "InvalidAccessKeyId"),
        ("v4", "S3_BUCKET", "other", "NoSuchBucket"),
    ] {
        let bucket = Bucket::new();
        let (mut repo, _) = dist(&bucket, &["alpha"]);
        repo.set(name, value);
        let run = repo.xtask(&format!("upload --signature {signature}")).exits(1).says(code);
        assert!(!run.stderr.contains("wrongwrong"), "{}", run.stderr);
        assert_eq!(bucket.keys(), Vec::<String>::new());
    }
}

#[test]
fn an_endpoint_that_holds_the_bucket_is_named_before_anything_is_sent() {
    let bucket = Bucket::new();
    let (mut repo, _) = dist(&bucket, &["alpha"]);
    for (endpoint, exit_code, text) in [
        (
            "https://builds.s3.eu-west-1.amazonaws.com",
            3,
            "without the bucket: https://s3.eu-west-1.amazonaws.com",
        ),
        (
            "https://builds.nyc3.digitaloceanspaces.com",
            3,
            "holds the bucket builds already: objects would go below builds/ in it",
        ),
        ("https://builds.example.com", 0, "warning the endpoint builds.example.com begins with"),
    ] {
        repo.set("AWS_ENDPOINT_URL_S3", endpoint);
        repo.xtask("upload --dry-run").exits(exit_code).says(text);
    }
}

#[test]
fn incomplete_credentials_are_refused() {
    let bucket = Bucket::new();
    let (mut repo, _) = dist(&bucket, &["alpha"]);
    repo.set("S3_SECRET", "");
    let explained = repo.xtask("upload --explain").exits(3);
    explained.says("S3_KEY: configured, but not rightly").says("S3_SECRET");
    repo.set("S3_KEY", "");
    repo.xtask("upload").exits(3).says("S3_KEY").says("AWS_SECRET_ACCESS_KEY");
    repo.xtask("upload --dry-run").exits(0).prints("would PUT  builds/alpha/alpha_");
    assert_eq!(bucket.keys(), Vec::<String>::new());
}

#[test]
fn only_a_forks_pull_request_is_skipped() {
    type Row<'a> = (&'a [(&'a str, &'a str)], Result<&'a str, &'a str>);
    const ARN: &str = "arn:aws:iam::123456789012:role/upload";
    const SKIPPED: Result<&str, &str> =
        Ok("no credentials in the environment: nothing is uploaded");
    const MISSING: Result<&str, &str> = Err("no credentials: neither S3_KEY");
    let bucket = Bucket::new();
    let (mut repo, _) = dist(&bucket, &["alpha"]);
    let rows: [Row<'_>; 11] = [
        (&[("CIRCLE_PR_NUMBER", "7")], SKIPPED),
        (&[("CIRCLE_PR_USERNAME", "ann")], SKIPPED),
        (&[("CIRCLE_PR_REPONAME", "bowline")], SKIPPED),
        // The bucket's name comes from the same context.
        (&[("CIRCLE_PR_NUMBER", "7"), ("S3_BUCKET", "")], SKIPPED),
        // A role is no secret, so it may stand in the CI file, and a fork's token is none.
        (&[("CIRCLE_PR_NUMBER", "7"), ("AWS_ROLE_ARN", ARN)], Ok("AWS_ROLE_ARN")),
        (&[("CIRCLE_PR_NUMBER", "7"), ("S3_KEY", "some")], Ok("S3_SECRET")),
        (&[], MISSING),
        (&[("CIRCLE_PR_NUMBER", " ")], MISSING),
        // A branch, and the pull request of a branch of the same repository.
        (&[("CI", "true"), ("CIRCLECI", "true"), ("CIRCLE_BRANCH", "main")], MISSING),
        (&[("CIRCLE_PULL_REQUEST", "https://github.com/acme/bowline/pull/7")], MISSING),
        (&[("AWS_ROLE_ARN", ARN)], Err("AWS_ROLE_ARN")),
    ];
    for name in ["S3_KEY", "S3_SECRET"] {
        repo.set(name, "");
    }
    for verb in ["upload", "ship"] {
        for (variables, expected) in rows {
            let line = format!("{verb} --skip-without-credentials");
            let words: Vec<_> = line.split(' ').collect();
            let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &words);
            let ended =
                run(command.envs(variables.iter().copied()), &format!("{line} {variables:?}"));
            match expected {
                Ok(text) => ended.exits(0).prints("a fork's pull request, and ").prints(text),
                Err(text) => ended.exits(3).says(text),
            };
        }
    }
    let none = repo.xtask("upload --skip-without-credentials").exits(3);
    none.says("skips only a fork's pull request").says("CIRCLE_PR_NUMBER").says("its context");
    repo.set("CIRCLE_PR_NUMBER", "7");
    let json = repo.xtask("upload --skip-without-credentials --json").exits(0).stdout;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["complete"], false, "{json}");
    assert_eq!(bucket.keys(), Vec::<String>::new());
}

#[test]
fn uncommitted_changes_are_published_only_when_asked() {
    let bucket = Bucket::new();
    let repo = bucket.serve(Repo::new(&["alpha"]));
    repo.write("untracked", "x");
    repo.xtask("dist").exits(0);
    repo.xtask("upload").exits(3).says("is built from uncommitted changes").says("--allow-dirty");
    assert_eq!(bucket.keys(), Vec::<String>::new());
    repo.xtask("upload --allow-dirty").exits(0);
    assert_eq!(bucket.keys().len(), 2);
}

#[test]
fn an_upload_needs_neither_repository_nor_workspace() {
    let bucket = Bucket::new();
    let (repo, _) = dist(&bucket, &["alpha"]);
    forget_outside_sources(&repo);
    let elsewhere = bucket.serve(Repo::empty());
    let pkg = repo.path().join("pkg").display().to_string();
    elsewhere.xtask(&format!("upload --dest {pkg}")).exits(0);
    assert_eq!(bucket.keys().len(), 2);
    elsewhere
        .xtask(&format!("upload gamma --dest {pkg}"))
        .exits(3)
        .says("manifest: it lists alpha");
    let near = "`alhpa` is not in the manifest: did you mean `alpha`?";
    elsewhere.xtask(&format!("upload alhpa --dest {pkg}")).exits(3).says(near);
}

#[test]
fn neither_cargo_nor_the_members_of_the_workspace_are_needed() {
    let bucket = Bucket::new();
    let (mut repo, version) = dist(&bucket, &["alpha"]);
    let table = "[workspace.metadata.xtask]\nprefix = \"team\"\n";
    repo.write(
        "Cargo.toml",
        &format!("[workspace]\nmembers = [\"services/*\", \"gone\"]\n{table}"),
    );
    std::fs::remove_dir_all(repo.path().join("services")).unwrap();
    std::fs::remove_dir_all(repo.path().join(".git")).unwrap();
    repo.set("CARGO", "/nowhere/cargo");
    repo.set("PATH", "/nowhere");
    // The manifest decides where an object goes, the table where the bucket is.
    forget_outside_sources(&repo);
    repo.xtask("upload").exits(0).prints(&format!("alpha/alpha_{version}.tar.gz"));
    repo.write("Cargo.toml", &format!("[workspace]\n{table}buckt = \"b\"\n"));
    repo.xtask("upload").exits(3).says("unknown field `buckt`");
}

/// Takes the sources outside the repository out of the manifest. The services of these tests have the crate
/// `stamp` from a path beside their repository, which a job without the table that allows it refuses.
fn forget_outside_sources(repo: &Repo) {
    let mut manifest = repo.manifest();
    manifest.as_object_mut().expect("a manifest").remove("outside_sources");
    repo.write("pkg/snapshot/manifest.json", &format!("{manifest:#}\n"));
}
