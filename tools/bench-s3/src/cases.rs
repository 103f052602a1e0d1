//! The cases: which files are uploaded, and by which tools.
//!
//! Files are made once, below the folder of the benchmark, and kept. They are read before the first
//! run, so that every tool finds them in memory.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use catalog::{Artifact, MANIFEST_FILE, Manifest, PLAIN_KEY_PLATFORM};
use ferror::{Error, Result};
use sha2::{Digest as _, Sha256};

use crate::tool::Tool;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// The number of files of the case `many`.
const MANY: usize = 200;
/// The archive in the manifest of a case that runs our whole program.
const ARCHIVE: &str = "bench_linux_amd64.tar.gz";

/// Files to upload, and the tools to compare.
#[derive(Debug)]
pub(crate) struct Case {
    /// The name for `--case`.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) files: Vec<PathBuf>,
    /// Their SHA-256, in lower hex.
    pub(crate) digests: Vec<String>,
    /// The folder that holds these files and nothing else.
    pub(crate) folder: PathBuf,
    /// The total length of the files.
    pub(crate) bytes: u64,
    pub(crate) tools: &'static [Tool],
    /// How often each tool runs unless `--runs` says otherwise.
    pub(crate) runs: usize,
}

/// The names of all cases.
pub(crate) const NAMES: [&str; 4] = ["one", "many", "memory", "small"];

const ALL: &[Tool] =
    &[Tool::Ours, Tool::S5cmd, Tool::Aws, Tool::Rclone, Tool::Curl, Tool::SignedCurl];
const ALL_AND_XTASK: &[Tool] =
    &[Tool::Ours, Tool::Xtask, Tool::S5cmd, Tool::Aws, Tool::Rclone, Tool::Curl, Tool::SignedCurl];

/// Makes the files of a case below `folder`.
pub(crate) fn prepare(name: &str, folder: &Path) -> Result<Case> {
    make(name, &folder.join(name)).map_err(|error| {
        let message = format!("cannot make the files of the case {name} in {}", folder.display());
        Error::config(message).caused_by(error)
    })
}

fn make(name: &str, folder: &Path) -> io::Result<Case> {
    std::fs::create_dir_all(folder)?;
    let one = |title, file: &str, bytes, tools, runs| Case {
        name: NAMES.into_iter().find(|known| *known == name).unwrap_or_default(),
        title,
        files: vec![folder.join(file)],
        digests: Vec::new(),
        folder: folder.to_owned(),
        bytes,
        tools,
        runs,
    };
    let mut case = match name {
        "one" => one("one file of 1 GiB", "1GiB.bin", GIB, ALL_AND_XTASK, 5),
        "many" => {
            let files = (0..MANY).map(|number| folder.join(format!("{number:03}.bin"))).collect();
            let bytes = MANY as u64 * MIB;
            Case { files, bytes, ..one("200 files of 1 MiB", "", 0, ALL, 5) }
        }
        "memory" => one("one sparse file of 5 GiB", "5GiB.bin", 5 * GIB, ALL_AND_XTASK, 1),
        "small" => one(
            "one file of 10 MiB; for us the whole program, with a manifest",
            "10MiB.bin",
            10 * MIB,
            &[Tool::Xtask, Tool::Ours, Tool::S5cmd, Tool::Curl, Tool::SignedCurl],
            15,
        ),
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "no such case")),
    };
    let each = case.bytes / case.files.len() as u64;
    for file in &case.files {
        let is_there = file.metadata().is_ok_and(|status| status.len() == each);
        match name {
            _ if is_there => {}
            "memory" => File::create(file)?.set_len(each)?,
            _ => fill(file, each)?,
        }
        case.digests.push(digest(file)?);
    }
    if case.tools.contains(&Tool::Xtask) {
        write_manifest(&case)?;
    }
    Ok(case)
}

/// Writes bytes that repeat nowhere, the same ones every time.
fn fill(file: &Path, bytes: u64) -> io::Result<()> {
    let (mut state, mut file) = (0x9e37_79b9_7f4a_7c15_u64, File::create(file)?);
    let mut block = Vec::with_capacity(MIB as usize);
    for _ in 0..bytes / MIB {
        block.clear();
        for _ in 0..MIB / 8 {
            // xorshift64, by Marsaglia.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.write_all(&state.to_le_bytes())?;
        }
        file.write_all(&block)?;
    }
    Ok(())
}

/// Computes the digest of a file, which is in the page cache afterwards.
fn digest(file: &Path) -> io::Result<String> {
    let mut sha256 = Sha256::new();
    let mut reader = BufReader::with_capacity(MIB as usize, File::open(file)?);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(s3::hex(&sha256.finalize()));
        }
        sha256.update(bytes);
        let read = bytes.len();
        reader.consume(read);
    }
}

/// Writes what `xtask upload --dest` reads: the manifest of a release with one artifact.
fn write_manifest(case: &Case) -> io::Result<()> {
    let digest = || case.digests[0].clone();
    let artifact = Artifact {
        service: "bench".to_owned(),
        platform: PLAIN_KEY_PLATFORM.as_str().to_owned(),
        triple: PLAIN_KEY_PLATFORM.triple().to_owned(),
        file: ARCHIVE.to_owned(),
        size_bytes: case.bytes,
        sha256: digest(),
        binary_sha256: digest(),
        unstamped_sha256: digest(),
        object_key: format!("bench/aaaaaa/{ARCHIVE}"),
        rustc: "none".to_owned(),
        ..Artifact::default()
    };
    let manifest = Manifest {
        version: "aaaaaa".to_owned(),
        commit: "a".repeat(40),
        committed_at: 1_700_000_000,
        platforms: vec![artifact.platform.clone()],
        artifacts: vec![artifact],
        ..Manifest::default()
    };
    let snapshot = snapshot(&case.folder);
    std::fs::create_dir_all(&snapshot)?;
    std::fs::write(snapshot.join(MANIFEST_FILE), manifest.to_json())?;
    let archive = snapshot.join(ARCHIVE);
    if !archive.exists() {
        std::fs::hard_link(&case.files[0], archive)?;
    }
    Ok(())
}

/// Returns the folder of manifest and archive, below `--dest`.
fn snapshot(folder: &Path) -> PathBuf {
    folder.join("dest").join("snapshot")
}
