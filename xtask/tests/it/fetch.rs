//! `fetch` from a real bucket: what is whole and harmless arrives, anything else leaves no trace.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::Value;
use tar::{EntryType, Header};

use crate::support::Repo;
use crate::support::bucket::Bucket;
use crate::support::release::Release;

/// Every file and link below a folder, with its content.
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
    here.write("alpha_linux_amd64/alpha", "older");
    here.write("alpha_linux_amd64/notes", "mine");
    here.write("alpha_linux_amd64.tar.gz.partial", "left by a killed run");
    let run = here.xtask("fetch alpha --version aaaaaa").exits(0);
    let paths =
        ["alpha_linux_amd64.tar.gz", "alpha_linux_amd64/alpha", "alpha_linux_amd64/conf/a.toml"];
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), paths);
    let tree_here = tree(here.path());
    assert_eq!(tree_here["alpha_linux_amd64/alpha"], "alpha aaaaaa linux_amd64");
    assert_eq!(tree_here["alpha_linux_amd64/notes"], "mine");
    assert_eq!(tree_here.len(), 4, "{:?}", tree_here.keys());
    let mode = |name: &str| here.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(paths[1]), mode(paths[2])), (0o755, 0o644));

    let line = "fetch alpha --version aaaaaa --platform darwin_arm64 --into new/folder --json";
    let run = here.xtask(line).exits(0);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let archive = std::fs::read(document["archive"].as_str().unwrap()).unwrap();
    assert_eq!(document["sha256"], xtask::system::files::sha256(&archive));
    assert_eq!(document["files"].as_array().unwrap().len(), 2);
    let there = tree(&here.path().join("new/folder"));
    assert_eq!(there["alpha_darwin_arm64/alpha"], "alpha aaaaaa darwin_arm64");
    here.xtask("fetch alpha --version bbbbbb").exits(0);
    assert_eq!(tree(here.path())["alpha_linux_amd64/alpha"], "alpha bbbbbb linux_amd64");
}

#[test]
fn an_archive_of_several_pieces_arrives_whole() {
    let bucket = Bucket::new();
    let large = tar_gz(&[("a/b", EntryType::Regular, "")], 17 << 20);
    Release::of_alpha("aaaaaa").publish_with(&bucket, Some(&large));
    let here = bucket.serve(Repo::empty());
    here.xtask("fetch alpha --version aaaaaa").exits(0);
    let path = here.path().join("alpha_linux_amd64.tar.gz");
    assert!(std::fs::read(path).unwrap() == large, "other bytes arrived");
}

#[test]
fn other_bytes_than_the_manifest_says_get_no_name() {
    let bucket = Bucket::new();
    Release::of_alpha("aaaaaa").publish(&bucket);
    let path = bucket.object("alpha/alpha_aaaaaa.tar.gz");
    let here = bucket.serve(Repo::empty());
    here.write("alpha_linux_amd64.tar.gz", "what was there");
    let before = tree(here.path());
    // The object's metadata still says what was uploaded.
    let mut flipped = std::fs::read(&path).unwrap();
    flipped[20] ^= 1;
    std::fs::write(&path, flipped).unwrap();
    here.xtask("fetch alpha --version aaaaaa").exits(3).says("manifest object says");
    assert_eq!(tree(here.path()), before);
    here.xtask("fetch alpha --version aaaaaa --platform linux_arm64")
        .exits(3)
        .says("it has linux_amd64");
    here.xtask("fetch alpha").exits(2).says("no release named: give its version by --version");
    assert_eq!(tree(here.path()), before, "the newest upload may come from any branch");
    here.xtask("fetch").exits(2).says("no SERVICE named");
    here.xtask("fetch alpha --expires 5").exits(2).says("invalid option '--expires'");
}

/// A `.tar.gz` of entries as they are named here, which a well-meaning writer would refuse, and so
/// many bytes of stored content.
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
fn an_archive_that_means_harm_leaves_nothing_but_itself() {
    use EntryType::{Directory, Fifo, Link, Regular, Symlink};
    type Entries<'a> = &'a [(&'a str, EntryType, &'a str)];
    let good = ("a/good", Regular, "");
    let rows: [(Entries<'_>, &str); 16] = [
        (&[good, ("../evil", Regular, "")], "\"../evil\" leaves the folder"),
        (&[good, ("a/../../evil", Regular, "")], "leaves the folder"),
        (&[good, ("/tmp/evil-of-fetch", Regular, "")], "leaves the folder"),
        (&[good, ("../evil", Directory, "")], "leaves the folder"),
        (&[good, ("a/link", Symlink, "/etc")], "\"a/link\" is a Symlink"),
        (&[good, ("a/link", Symlink, "good")], "is a Symlink"),
        (&[good, ("a/link", Link, "a/good")], "is a Link"),
        (&[good, ("a/pipe", Fifo, "")], "is a Fifo"),
        (&[good, ("a/\u{1b}[31m", Regular, "")], "has a control character in its name"),
        (&[good, good], "two entries are named a/good"),
        (
            &[("a/good.partial", Regular, ""), good],
            "has the name that a/good has until it is whole",
        ),
        (&[good, ("a/good.partial", Directory, "")], "a/good.partial has the name that a/good"),
        (&[good, ("a/good/x", Regular, "")], "is a file and a folder"),
        (&[good, ("alpha_linux_amd64.tar.gz", Regular, "")], "has the archive's name"),
        (&[good, ("trap/evil", Regular, "")], "is a link, through which files would leave"),
        (&[good, ("busy", Regular, "")], "busy is a folder"),
    ];
    for (at, (entries, text)) in rows.into_iter().enumerate() {
        let bucket = Bucket::new();
        let packed = tar_gz(entries, 0);
        Release::of_alpha("aaaaaa").publish_with(&bucket, Some(&packed));
        let here = bucket.serve(Repo::empty());
        here.write("in/busy/file", "mine");
        here.write("outside/file", "mine");
        symlink("../outside", here.path().join("in/trap")).unwrap();
        let before = tree(here.path());
        let run = here.xtask("fetch alpha --version aaaaaa --into in").exits(3).says(text);
        assert_eq!(run.stdout, "", "{at}");
        let mut after = tree(here.path());
        assert!(after.remove("in/alpha_linux_amd64.tar.gz").is_some(), "{at}");
        assert_eq!(after, before, "{at}");
    }
}
