//! Runs `fetch` on a real bucket: whole and harmless archives are unpacked, and any other leaves no
//! files behind.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::Value;
use tar::{EntryType, Header};

use crate::support::Repo;
use crate::support::bucket::Bucket;
use crate::support::release::Release;

/// Returns every file and link below a folder, with its content.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            let content = std::fs::read(&path).unwrap_or_default();
            found.insert(name, String::from_utf8_lossy(&content).into_owned());
        }
    }
    found
}

#[test]
fn an_archive_arrives_whole_and_unpacked() {
    let bucket = Bucket::new();
    Release::of_alpha("bbbbbb").publish(&bucket);
    let both = ["linux_amd64", "darwin_arm64"];
    Release { platforms: &both, ..Release::of_alpha("aaaaaa") }.publish(&bucket);
    let here = bucket.serve(Repo::empty());
    here.write("alpha_linux_amd64/alpha", "mine");
    here.write("in/notes", "mine");
    for left in [".alpha_linux_amd64.tar.gz.partial-7-0", ".alpha_linux_amd64.partial-7-0/conf/b"] {
        here.write(&format!("in/{left}"), "left by a killed run");
    }
    let run = here.xtask("fetch alpha --version aaaaaa").exits(0);
    let paths =
        ["alpha_linux_amd64.tar.gz", "alpha_linux_amd64/alpha", "alpha_linux_amd64/conf/a.toml"];
    let own = paths.map(|path| format!("fetched/alpha_aaaaaa_linux_amd64/{path}"));
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), own);
    let tree_here = tree(here.path());
    assert_eq!(tree_here[&own[1]], "alpha aaaaaa linux_amd64");
    assert_eq!(tree_here["alpha_linux_amd64/alpha"], "mine");
    let mode = |name: &str| here.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&own[1]), mode(&own[2])), (0o755, 0o644));

    // Each release has its own folder; a folder given by `--into` may hold other things.
    here.xtask("fetch alpha --version bbbbbb").exits(0).prints("fetched/alpha_bbbbbb_linux_amd64/");
    here.xtask("fetch alpha --version aaaaaa --into in").exits(0);
    let in_it: Vec<_> = tree(&here.path().join("in")).into_keys().collect();
    assert_eq!(in_it, [&paths[..], &["notes"]].concat());

    let line = "fetch alpha --version aaaaaa --platform darwin_arm64 --into new/folder --json";
    let run = here.xtask(line).exits(0);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let archive = std::fs::read(document["archive"].as_str().unwrap()).unwrap();
    assert_eq!(document["sha256"], xtask::system::files::sha256(&archive));
    assert_eq!(document["files"].as_array().unwrap().len(), 2);
    let there = tree(&here.path().join("new/folder"));
    assert_eq!(there["alpha_darwin_arm64/alpha"], "alpha aaaaaa darwin_arm64");
}

#[test]
fn no_existing_file_is_replaced() {
    let bucket = Bucket::new();
    Release::of_alpha("aaaaaa").publish(&bucket);
    let here = bucket.serve(Repo::empty());
    here.xtask("fetch alpha --version aaaaaa").exits(0);
    here.write("file/alpha_linux_amd64.tar.gz", "mine");
    here.write("folder/alpha_linux_amd64/notes", "mine");
    std::fs::create_dir(here.path().join("link")).unwrap();
    symlink("../nowhere", here.path().join("link/alpha_linux_amd64")).unwrap();
    let before = tree(here.path());
    for (line, named) in [
        (
            "fetch alpha --version aaaaaa",
            "fetched/alpha_aaaaaa_linux_amd64/alpha_linux_amd64.tar.gz",
        ),
        ("fetch alpha --version aaaaaa --into file", "file/alpha_linux_amd64.tar.gz"),
        ("fetch alpha --version aaaaaa --into folder", "folder/alpha_linux_amd64"),
        ("fetch alpha --version aaaaaa --into link", "link/alpha_linux_amd64"),
    ] {
        let run = here.xtask(line).exits(3).says(&format!("{named} is there already"));
        assert_eq!(run.says("--into").stdout, "", "{line}");
        assert_eq!(tree(here.path()), before, "{line}");
    }
}

#[test]
fn a_manifest_object_does_not_choose_the_name_of_a_file() {
    for name in ["Cargo.toml", ".gitignore", "alpha.tar.gz", "alpha_linux_arm64.tar.gz"] {
        let bucket = Bucket::new();
        Release::of_alpha("aaaaaa").publish(&bucket);
        let object = bucket.object("alpha/alpha_aaaaaa.json");
        let text = std::fs::read_to_string(&object).unwrap();
        assert_eq!(text.matches("alpha_linux_amd64.tar.gz").count(), 1, "{text}");
        std::fs::write(&object, text.replace("alpha_linux_amd64.tar.gz", name)).unwrap();
        let here = bucket.serve(Repo::new(&["alpha"]));
        let before = tree(here.path());
        for line in ["fetch alpha --version aaaaaa", "fetch alpha --version aaaaaa --into ."] {
            let expected = format!("calls its archive {name:?}: expected alpha_linux_amd64.tar.gz");
            here.xtask(line).exits(3).says(&expected);
        }
        assert_eq!(tree(here.path()), before);
    }
}

#[test]
fn an_archive_of_several_pieces_arrives_whole() {
    let bucket = Bucket::new();
    let large = tar_gz(&[("alpha_linux_amd64/b", EntryType::Regular, "")], 17 << 20);
    Release::of_alpha("aaaaaa").publish_with(&bucket, Some(&large));
    let here = bucket.serve(Repo::empty());
    here.xtask("fetch alpha --version aaaaaa --into .").exits(0);
    let path = here.path().join("alpha_linux_amd64.tar.gz");
    assert!(std::fs::read(path).unwrap() == large, "other bytes arrived");
}

#[test]
fn an_archive_with_another_digest_is_not_written() {
    let bucket = Bucket::new();
    Release::of_alpha("aaaaaa").publish(&bucket);
    let path = bucket.object("alpha/alpha_aaaaaa.tar.gz");
    let here = bucket.serve(Repo::empty());
    // The object's metadata still says what was uploaded.
    let mut flipped = std::fs::read(&path).unwrap();
    flipped[20] ^= 1;
    std::fs::write(&path, flipped).unwrap();
    here.xtask("fetch alpha --version aaaaaa").exits(3).says("manifest object says");
    assert!(tree(here.path()).is_empty());
    here.xtask("fetch alpha --version aaaaaa --platform linux_arm64")
        .exits(3)
        .says("it has linux_amd64");
    here.xtask("fetch alpha").exits(2).says("no release named: give its version by --version");
    assert!(tree(here.path()).is_empty(), "the newest upload may come from any branch");
    here.xtask("fetch").exits(2).says("no SERVICE named");
    here.xtask("fetch alpha --expires 5").exits(2).says("invalid option '--expires'");
}

#[test]
fn a_mistyped_service_gets_a_suggestion() {
    let bucket = Bucket::new();
    for service in ["alpha", "gamma"] {
        Release { service, ..Release::of_alpha("aaaaaa") }.publish(&bucket);
    }
    let here = bucket.serve(Repo::empty());
    let lines = ["fetch alhpa --version aaaaaa", "presign alhpa --channel stable", "list alhpa"];
    for line in lines.into_iter().chain(["promote alhpa aaaaaa --to stable --by me"]) {
        here.xtask(line).exits(3).says("hint: did you mean `alpha`? see what there is");
    }
    // Nothing is like it, or the service is right.
    let run = here.xtask("fetch nosuch --version aaaaaa").exits(3).says("`cargo xtask list`");
    assert!(!run.stderr.contains("did you mean"), "{}", run.stderr);
    here.xtask("fetch alpha --version bbbbbb").exits(3).says("`cargo xtask list alpha`");
}

/// Makes a `.tar.gz` of these entries, with names that an ordinary writer would refuse. Each file
/// holds `filler` bytes, which are not compressed.
fn tar_gz(entries: &[(&str, EntryType, &str)], filler: usize) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, target) in entries {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        let size = if *kind == EntryType::Regular { filler.max(1) } else { 0 };
        header.set_size(size as u64);
        header.set_cksum();
        builder.append(&header, &vec![b'x'; size][..]).unwrap();
    }
    let level = flate2::Compression::none();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), level);
    std::io::Write::write_all(&mut packer, &builder.into_inner().unwrap()).unwrap();
    packer.finish().unwrap()
}

#[test]
fn a_harmful_archive_leaves_no_file() {
    use EntryType::{Directory, Fifo, Link, Regular, Symlink};
    type Entries<'a> = &'a [(&'a str, EntryType, &'a str)];
    const OUTSIDE: &str = "is not below alpha_linux_amd64/";
    let good = ("alpha_linux_amd64/good", Regular, "");
    let rows: [(Entries<'_>, &str); 21] = [
        (&[good, ("../evil", Regular, "")], "\"../evil\" is not below alpha_linux_amd64/"),
        (&[good, ("alpha_linux_amd64/../evil", Regular, "")], OUTSIDE),
        (&[good, ("/tmp/evil-of-fetch", Regular, "")], OUTSIDE),
        (&[good, ("../evil", Directory, "")], OUTSIDE),
        (&[good, ("Cargo.toml", Regular, "")], OUTSIDE),
        (&[good, (".cargo/config.toml", Regular, "")], OUTSIDE),
        (&[good, ("evil", Directory, "")], OUTSIDE),
        (&[good, ("alpha_linux_amd64.tar.gz", Regular, "")], OUTSIDE),
        (&[("alpha_linux_amd64", Regular, "")], OUTSIDE),
        (&[("alpha_linux_arm64/alpha", Regular, "")], OUTSIDE),
        (&[good, (".git/hooks/post-checkout", Regular, "")], "is part of a git repository"),
        (&[good, ("alpha_linux_amd64/.GIT/config", Regular, "")], "is part of a git repository"),
        (&[good, ("alpha_linux_amd64/l", Symlink, "/etc")], "alpha_linux_amd64/l\" is a Symlink"),
        (&[good, ("alpha_linux_amd64/l", Symlink, "good")], "is a Symlink"),
        (&[("alpha_linux_amd64", Symlink, "."), good], "is a Symlink"),
        (&[good, ("alpha_linux_amd64/l", Link, "alpha_linux_amd64/good")], "is a Link"),
        (&[good, ("alpha_linux_amd64/pipe", Fifo, "")], "is a Fifo"),
        (&[good, ("alpha_linux_amd64/\u{1b}[31m", Regular, "")], "has a control character"),
        (&[good, good], "two entries are named good"),
        (&[good, ("alpha_linux_amd64/good/x", Regular, "")], "good is a file and a folder"),
        (&[good, ("alpha_linux_amd64/good", Directory, "")], "two entries are named good"),
    ];
    for (at, (entries, text)) in rows.into_iter().enumerate() {
        let bucket = Bucket::new();
        let packed = tar_gz(entries, 0);
        Release::of_alpha("aaaaaa").publish_with(&bucket, Some(&packed));
        let here = bucket.serve(Repo::empty());
        here.write("Cargo.toml", "[workspace]\nmembers = []\n");
        here.write(".git/hooks/post-checkout", "mine");
        let before = tree(here.path());
        for line in ["fetch alpha --version aaaaaa", "fetch alpha --version aaaaaa --into ."] {
            let run = here.xtask(line).exits(3).says(text).says("nothing was unpacked");
            assert_eq!(run.says("alpha/alpha_aaaaaa.tar.gz").stdout, "", "{at}");
            assert_eq!(tree(here.path()), before, "{at}");
        }
    }
}
