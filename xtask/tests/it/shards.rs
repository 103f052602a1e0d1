//! Runs `dist` in parts, each in a clone of its own, and publishes what they made together: byte for byte what one machine
//! publishes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::plan::{first_machine, new_machine, publish};
use crate::reuse::{repository, say};
use crate::support::bucket::Bucket;
use crate::support::snapshot::{files_below, persist};
use crate::support::{Repo, check_sums, host};

/// Runs `dist` of one machine, with the options `more`, and returns the names of the archives that it made.
fn dist(repo: &Repo, more: &str) -> Vec<String> {
    let printed = repo.xtask(&format!("dist --platforms {} {more}", host())).exits(0).stdout;
    let names = printed.lines().filter_map(|line| {
        let path = Path::new(line.split("  ").next()?);
        path.file_name()?.to_str()?.strip_suffix(&format!("_{}.tar.gz", host())).map(str::to_owned)
    });
    names.collect()
}

fn snapshot(repo: &Repo) -> PathBuf {
    repo.path().join("pkg/snapshot")
}

/// Puts the snapshots of several machines into one folder.
fn together(machines: &[&Repo]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for machine in machines {
        persist(&snapshot(machine), &folder.path().join("pkg/snapshot"));
    }
    folder
}

/// Uploads a folder from a checkout of its own, and returns all objects.
fn upload(of: &Repo, pkg: &Path) -> BTreeMap<String, Vec<u8>> {
    let bucket = Bucket::new();
    let checkout = bucket.serve(Repo::clone_of(of.path()));
    checkout.xtask(&format!("upload --dest {}", pkg.display())).exits(0);
    let object = |key: String| (key.clone(), fs::read(bucket.object(&key)).unwrap());
    bucket.keys().into_iter().map(object).collect()
}

/// Makes a dry run of an upload that has to fail.
#[track_caller]
fn refused(checkout: &Repo, folder: &TempDir, says: &[&str]) {
    let line =
        format!("upload --dry-run --bucket builds --dest {}", folder.path().join("pkg").display());
    let mut run = checkout.xtask(&line).exits(3);
    for text in says {
        run = run.says(text);
    }
    assert_eq!(run.stdout, "", "nothing would be sent");
}

/// Changes a JSON file.
fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut document = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut document);
    fs::write(path, document.to_string()).unwrap();
}

#[test]
fn what_machines_make_apart_is_what_one_makes() {
    let repo = repository(&["shard-a", "shard-b", "shard-c"]);
    for service in ["shard-a", "shard-b", "shard-c"] {
        say(&repo, service, &format!("stamp::line(\"{service}\")"));
    }
    repo.commit("programs that know their version");
    assert_eq!(dist(&repo, ""), ["shard-a", "shard-b", "shard-c"]);
    let whole = files_below(&snapshot(&repo));
    let published = upload(&repo, &repo.path().join("pkg"));

    let first = Repo::clone_of(repo.path());
    assert_eq!(dist(&first, "--shard 1/2"), ["shard-a", "shard-b"]);
    let mut second = Repo::clone_of(repo.path());
    second.set("CIRCLE_NODE_INDEX", "1");
    second.set("CIRCLE_NODE_TOTAL", "2");
    assert_eq!(dist(&second, ""), ["shard-c"]);
    assert!(snapshot(&second).join("SHA256SUMS.2-of-2").is_file());

    let both = together(&[&first, &second]);
    for (name, bytes) in &whole {
        let is_own = [".lock", "manifest.json", "SHA256SUMS"].iter().any(|own| name.ends_with(own));
        let of_both = both.path().join("pkg/snapshot").join(name);
        assert_eq!(of_both.exists(), !is_own, "{}", name.display());
        assert!(is_own || fs::read(of_both).unwrap() == *bytes, "{}", name.display());
    }
    assert!(upload(&repo, &both.path().join("pkg")) == published, "the same objects");
    let check = format!("stamp --check {}", both.path().join("pkg/snapshot").display());
    assert_eq!(repo.xtask(&check).exits(0).stdout.lines().count(), 3);

    // Not without all of them, and not with anything else among them.
    refused(
        &repo,
        &together(&[&first]),
        &["of 2 shards, 1 are there: 2/2 missing", "--shard 2/2", "nothing is used of fewer"],
    );
    let third = Repo::clone_of(repo.path());
    assert_eq!(dist(&third, "--shard 3/3"), ["shard-c"]);
    let of_two_totals = together(&[&first, &third]);
    refused(
        &repo,
        &of_two_totals,
        &["manifest.1-of-2.json is of 2 shards, and manifest.3-of-3.json of 3"],
    );
    let both_kinds = together(&[&first, &second]);
    let manifest = Path::new("manifest.json");
    fs::write(both_kinds.path().join("pkg/snapshot").join(manifest), &whole[manifest]).unwrap();
    refused(&repo, &both_kinds, &["manifest.json is of a whole dist, and manifest.1-of-2.json"]);
    let twice = together(&[&first, &second]);
    let file = |number: u8| twice.path().join(format!("pkg/snapshot/manifest.{number}-of-2.json"));
    let first_manifest: Value = serde_json::from_slice(&fs::read(file(1)).unwrap()).unwrap();
    let artifact = first_manifest["manifest"]["artifacts"][0].clone();
    edit(&file(2), |second| {
        second["manifest"]["artifacts"].as_array_mut().unwrap().push(artifact);
    });
    refused(&repo, &twice, &["shard-a for ", "is in manifest.1-of-2.json and in manifest.2-of-2"]);

    // Machines that check out two commits.
    third.commit("nothing");
    assert_eq!(dist(&third, "--shard 2/2"), ["shard-c"]);
    let of_two_commits = together(&[&first, &third]);
    refused(&repo, &of_two_commits, &["are of two runs: the commit is ", "make all shards anew"]);
    // And those that were told to build other services.
    assert_eq!(dist(&third, "shard-a shard-b --shard 2/2"), ["shard-b"]);
    let head = repo.git(&["rev-parse", "HEAD"]);
    third.git(&["reset", "--quiet", "--hard", &head]);
    assert_eq!(dist(&third, "shard-a shard-b --shard 2/2"), ["shard-b"]);
    fs::remove_file(snapshot(&third).join(format!("shard-c_{}.tar.gz", host()))).unwrap();
    let mut of_two_splits = together(&[&first]);
    for name in ["manifest.2-of-2.json", "SHA256SUMS.2-of-2"] {
        let to = of_two_splits.path().join("pkg/snapshot").join(name);
        fs::copy(snapshot(&third).join(name), to).unwrap();
    }
    refused(&repo, &of_two_splits, &["do not split the work alike"]);
    of_two_splits = together(&[&first, &second]);
    edit(&of_two_splits.path().join("pkg/snapshot/manifest.2-of-2.json"), |second| {
        second["manifest"]["artifacts"] = Value::Array(Vec::new());
    });
    refused(&repo, &of_two_splits, &["shard-c for ", "is in no shard, and shard 2 was to make it"]);
}

#[test]
fn one_kind_of_manifest_replaces_the_other_and_a_machine_may_have_nothing_to_do() {
    let repo = repository(&["shard-d", "shard-e"]);
    let names = || -> Vec<String> {
        let all = xtask::system::files::visible_names(&snapshot(&repo)).unwrap();
        all.into_iter().filter(|name| name.contains("anifest") || name.contains("SUMS")).collect()
    };
    assert_eq!(dist(&repo, ""), ["shard-d", "shard-e"]);
    let whole = fs::read(snapshot(&repo).join("manifest.json")).unwrap();
    assert_eq!(names(), ["SHA256SUMS", "manifest.json"]);
    dist(&repo, "--shard 1/2");
    assert_eq!(names(), ["SHA256SUMS.1-of-2", "manifest.1-of-2.json"]);
    dist(&repo, "--shard 2/2");
    let both =
        ["SHA256SUMS.1-of-2", "SHA256SUMS.2-of-2", "manifest.1-of-2.json", "manifest.2-of-2.json"];
    assert_eq!(names(), both);
    assert!(!snapshot(&repo).join(".lock").exists(), "no two machines may leave files of one name");
    dist(&repo, "");
    assert_eq!(names(), ["SHA256SUMS", "manifest.json"]);
    assert!(fs::read(snapshot(&repo).join("manifest.json")).unwrap() == whole);
    check_sums(&snapshot(&repo));

    let line = format!("dist --json --platforms {} --shard 3/3", host());
    let nothing = repo.xtask(&line).exits(0).says("3/3: 0 of 2 archives").json();
    assert_eq!(nothing["manifest"]["artifacts"], serde_json::json!([]));
    assert_eq!(names(), ["SHA256SUMS.3-of-3", "manifest.3-of-3.json"]);
    dist(&repo, "--shard 1/3");
    dist(&repo, "--shard 2/3");
    let bucket = Bucket::new();
    let repo = bucket.serve(repo);
    repo.xtask("upload").exits(0);
    assert_eq!(bucket.manifest_objects().len(), 2, "{:?}", bucket.keys());
    dist(&repo, "--shard 1/1");
    assert!(fs::read(snapshot(&repo).join("manifest.json")).unwrap() == whole);
}

#[test]
fn which_part_is_made_is_said_and_checked() {
    let mut repo = Repo::new(&["shard-f", "shard-g", "shard-h"]);
    let plan = |repo: &Repo, line: &str| repo.xtask(&format!("{line} --platforms {}", host()));
    for wrong in ["", "2", "0/2", "3/2", "1/0", "1/257", "-1/2", "1/2/3", "a/b", "01/2", "1/+2"] {
        let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["dist", "--shard", wrong]);
        let run = crate::support::run(&mut command, "dist --shard").exits(2);
        run.says("expected I/N").says("such as 2/3");
    }
    plan(&repo, "ship --local --shard 1/2").exits(2).says("--shard");
    let shown = plan(&repo, "dist --dry-run --shard 2/2").exits(0);
    let shown = shown.prints("shard    2/2: 1 of 3 archives").prints("shard-h");
    assert!(!shown.stdout.contains("shard-f"), "{}", shown.stdout);
    let json = plan(&repo, "dist --dry-run --json --shard 2/2").exits(0).json();
    assert_eq!(json["shard"], "2/2");

    repo.set("CIRCLE_NODE_INDEX", "0");
    let shard = |repo: &Repo, line: &str| plan(repo, line).exits(0).json()["shard"].clone();
    assert_eq!(shard(&repo, "dist --dry-run --json"), Value::Null, "the total is not set");
    for (total, expected) in [("1", Value::Null), ("3", "1/3".into())] {
        repo.set("CIRCLE_NODE_TOTAL", total);
        assert_eq!(shard(&repo, "dist --dry-run --json"), expected);
    }
    assert_eq!(shard(&repo, "dist --dry-run --json --shard 2/2"), "2/2");
    assert_eq!(shard(&repo, "dist --dry-run --json --shard 1/1"), Value::Null);
    assert_eq!(shard(&repo, "ship --dry-run --json --bucket builds"), Value::Null);
    repo.set("CIRCLE_NODE_INDEX", "3");
    let run = plan(&repo, "dist --dry-run").exits(3);
    run.says("CIRCLE_NODE_INDEX is 3 and CIRCLE_NODE_TOTAL is 3").says("--shard 1/1");
}

#[test]
fn what_was_handed_over_is_packed_by_one_machine_and_its_costs_split_the_work() {
    let bucket = Bucket::new();
    let services = ["handed-a", "handed-b", "handed-c"];
    let repo = first_machine(&services, &bucket);
    if !publish(&repo) {
        return;
    }
    say(&repo, "handed-c", "\"second\"");
    repo.commit("one of three");
    let planner = new_machine(&repo, &bucket);
    planner.xtask(&format!("plan --platforms {}", host())).exits(0);
    let plan_json = planner.path().join("pkg/plan/plan.json");
    let document: Value = serde_json::from_slice(&fs::read(&plan_json).unwrap()).unwrap();
    let cost = |at: usize| document["builds"][at]["cost"].as_u64().unwrap();
    assert_eq!([cost(0), cost(1)], [1, 1], "{document}");
    // Its own package and the stamp's, which no other build needs.
    assert!(cost(2) > 10, "{document}");
    assert!(document["platforms"][host().as_str()].as_u64().unwrap() > 10, "{document}");

    let machine = || {
        let clone = Repo::clone_of(repo.path());
        persist(&planner.path().join("pkg/plan"), &clone.path().join("pkg/plan"));
        clone
    };
    let whole = machine();
    assert_eq!(dist(&whole, ""), services);
    let machines = [machine(), machine()];
    assert_eq!(dist(&machines[0], "--shard 1/2"), ["handed-a", "handed-b"]);
    assert_eq!(dist(&machines[1], "--shard 2/2"), ["handed-c"]);
    let both = together(&machines.each_ref());
    let published = upload(&repo, &whole.path().join("pkg"));
    assert!(upload(&repo, &both.path().join("pkg")) == published, "the same objects");

    // Other costs, another split: a machine that has them alone is found out.
    edit(&machines[1].path().join("pkg/plan/plan.json"), |plan| {
        plan["builds"][0]["cost"] = 1000.into();
    });
    assert_eq!(dist(&machines[1], "--shard 2/2"), ["handed-b", "handed-c"]);
    fs::remove_file(snapshot(&machines[1]).join(format!("handed-b_{}.tar.gz", host()))).unwrap();
    fs::remove_file(snapshot(&machines[1]).join(host().as_str()).join("handed-b")).unwrap();
    refused(&repo, &together(&machines.each_ref()), &["do not split the work alike"]);
    fs::write(machines[0].path().join("pkg/plan/plan.json"), "{}").unwrap();
    let line = format!("dist --platforms {} --shard 1/2", host());
    machines[0].xtask(&line).exits(3).says("plan.json is not what `cargo xtask plan` writes");
}
