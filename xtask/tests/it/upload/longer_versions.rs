//! Tests what `upload` does where another commit with the same first digits is published: the version becomes longer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use super::{dist, json, rewrite};
use crate::support::bucket::{BUCKET, Bucket};
use crate::support::sts::{Pair, ROLE, Sts};
use crate::support::{Repo, run};

/// Makes commits of the same files with different messages until two have the same first six digits.
fn two_commits_of_the_same_digits(repo: &Repo) -> [String; 2] {
    // By the birthday paradox, so many agree nowhere with a probability of 10 to the -11.
    let mut stream = String::from("feature done\n");
    for number in 1..=30_000 {
        let message = format!("commit {number}");
        let who = "T <t@example.com> 1700000000 +0000";
        let length = message.len();
        let _ = write!(
            stream,
            "commit refs/heads/many\nmark :{number}\ncommitter {who}\ndata {length}\n{message}\nfrom refs/heads/main^0\n\n"
        );
    }
    stream.push_str("done\n");
    let mut import =
        repo.prepare("git", &["fast-import", "--quiet", "--force", "--export-marks=.git/marks"]);
    let mut import = import.stdin(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
    let marks = std::fs::read_to_string(repo.path().join(".git/marks")).unwrap();
    let mut seen = BTreeMap::new();
    for id in marks.lines().filter_map(|line| line.split_once(' ')).map(|(_, id)| id.to_owned()) {
        if let Some(other) = seen.insert(id[..6].to_owned(), id.clone()) {
            return [other, id];
        }
    }
    panic!("no two of 30,000 commits have the same first six digits");
}

#[test]
fn the_later_of_two_commits_with_the_same_digits_gets_a_longer_version() {
    let bucket = Bucket::new();
    let repo = bucket.serve(Repo::new(&["alpha", "beta"]));
    let [first, second] = two_commits_of_the_same_digits(&repo);
    let short = &first[..6];
    repo.git(&["checkout", "--quiet", "--detach", &first]);
    repo.xtask("ship alpha").exits(0);
    let of_first = bucket.keys();
    assert_eq!(
        of_first,
        [format!("alpha/alpha_{short}.json"), format!("alpha/alpha_{short}.tar.gz")]
    );
    let bytes = |key: &String| std::fs::read(bucket.object(key)).unwrap();
    let before: Vec<_> = of_first.iter().map(bytes).collect();

    // A third commit has seven digits of the second one.
    let third = format!("{}{}", &second[..7], "0".repeat(33));
    let mut object = json(&bucket.object(&of_first[0]));
    object["version"] = third[..7].into();
    object["commit"] = third.clone().into();
    object["artifacts"][0]["object_key"] = format!("alpha/alpha_{}.tar.gz", &third[..7]).into();
    let key = format!("alpha/alpha_{}.json", &third[..7]);
    std::fs::write(bucket.object(&key), object.to_string()).unwrap();

    repo.git(&["checkout", "--quiet", "--detach", &second]);
    let ship = repo.xtask("ship --json").exits(0);
    let (seven, eight) = (&second[..7], &second[..8]);
    let ship = ship.says(&format!(
        "version {short} is published already, of commit {first}: commit {second} gets version {seven}"
    ));
    let ship = ship.says(&format!(
        "version {seven} is published already, of commit {third}: commit {second} gets version {eight}"
    ));
    assert_eq!(ship.json()["version"], eight);
    let of_second: Vec<_> = ["alpha", "beta"]
        .into_iter()
        .flat_map(|name| ["tar.gz", "json"].map(|end| format!("{name}/{name}_{eight}.{end}")))
        .collect();
    assert!(of_second.iter().all(|key| bucket.object(key).is_file()), "{:?}", bucket.keys());
    assert_eq!(bucket.keys().len(), 3 + of_second.len(), "{:?}", bucket.keys());
    assert_eq!(of_first.iter().map(bytes).collect::<Vec<_>>(), before, "the first release changed");
    assert_eq!(repo.manifest()["version"], short, "what dist made was changed");

    // The archive is the one that dist makes with that version, and its program says it.
    repo.xtask(&format!("fetch alpha --version {eight} --into pkg/there")).exits(0);
    let stamp = repo.xtask("stamp pkg/there/alpha_linux_amd64/alpha").exits(0);
    stamp.prints(eight).prints(&second);
    let object = json(&bucket.object(&of_second[1]));
    repo.xtask(&format!("dist --version {eight}")).exits(0);
    let manifest = repo.manifest();
    let ours = manifest["artifacts"].as_array().unwrap().iter().find(|it| it["service"] == "alpha");
    assert_eq!(ours, object["artifacts"].as_array().unwrap().first());
    let archive = std::fs::read(repo.path().join("pkg/snapshot/alpha_linux_amd64.tar.gz")).unwrap();
    assert_eq!(archive, bytes(&of_second[0]));

    // The same again, from the same dist and from another one, sends nothing.
    for line in ["upload --verify --json", "ship --verify --json"] {
        let again = repo.xtask(line).exits(0);
        for object in again.json()["objects"].as_array().unwrap() {
            assert_eq!(object["outcome"], "already_there", "{line}: {object}");
        }
    }
    assert_eq!(bucket.keys().len(), 3 + of_second.len(), "{:?}", bucket.keys());
}

#[test]
fn keys_without_the_version_are_no_place_for_a_longer_one() {
    let bucket = Bucket::new();
    let repo = bucket.serve(Repo::new(&["alpha"]));
    repo.add_to_table("object-key = \"{service}/{commit}/{file}\"");
    repo.commit("keys of the commit");
    let [first, second] = two_commits_of_the_same_digits(&repo);
    for (commit, code) in [(&first, 0), (&second, 1)] {
        repo.git(&["checkout", "--quiet", "--detach", commit]);
        let ship = repo.xtask("ship").exits(code);
        if code == 1 {
            ship.says("object-key in Cargo.toml has no {version}").says(&second).says("--version");
        }
    }
    assert_eq!(bucket.keys().len(), 2, "{:?}", bucket.keys());
}

#[test]
fn archives_of_another_commit_than_the_manifest_says_get_no_longer_version() {
    let bucket = Bucket::new();
    let (repo, version) = dist(&bucket, &["alpha"]);
    repo.xtask("upload").exits(0);
    let ours = repo.git(&["rev-parse", "HEAD"]);
    let theirs = format!("{}{}", &ours[..6], "0".repeat(34));
    rewrite(&repo, |manifest| manifest["commit"] = theirs.clone().into());
    let key = bucket.object(&format!("alpha/alpha_{version}.json"));
    let before = std::fs::read(&key).unwrap();
    repo.xtask("upload").exits(3).says("differs from the manifest").says(&ours).says(&theirs);
    assert_eq!(std::fs::read(&key).unwrap(), before);
    assert_eq!(bucket.keys().len(), 2, "{:?}", bucket.keys());
}

#[test]
fn credentials_for_the_objects_of_one_upload_are_asked_for_again() {
    let bucket = Bucket::new();
    let (repo, version) = dist(&bucket, &["alpha"]);
    repo.xtask("upload").exits(0);
    let ours = repo.git(&["rev-parse", "HEAD"]);
    let key = bucket.object(&format!("alpha/alpha_{version}.json"));
    let mut object = json(&key);
    object["commit"] = format!("{}{}", &ours[..6], "0".repeat(34)).into();
    std::fs::write(&key, object.to_string()).unwrap();

    let (id, secret) = (bucket.access_key_id(), bucket.secret());
    let sts = Sts::giving(&Pair { id: &id, secret: &secret, session_token: "session" });
    let mut upload = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["upload"]);
    bucket.hide(&mut upload);
    upload.envs([
        ("S3_BUCKET", BUCKET),
        ("AWS_ENDPOINT_URL_S3", &bucket.endpoint()),
        ("AWS_ENDPOINT_URL_STS", &sts.endpoint),
        ("AWS_ROLE_ARN", ROLE),
        ("CIRCLE_OIDC_TOKEN_V2", "header.claims.signature"),
    ]);
    run(&mut upload, "upload").exits(0).says(&format!("gets version {}", &ours[..7]));
    assert!(bucket.object(&format!("alpha/alpha_{}.json", &ours[..7])).is_file());
    let asked = sts.asked();
    let allows = |digits: usize| format!("{BUCKET}/alpha/alpha_{}.json", &ours[..digits]);
    assert_eq!(asked.len(), 2);
    for (at, digits) in [(0, 6), (1, 7)] {
        let policy = asked[at].field("Policy");
        assert!(policy.contains(&allows(digits)), "{policy}");
        assert!(!policy.contains(&allows(13 - digits)), "{policy}");
    }
}
