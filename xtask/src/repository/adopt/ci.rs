//! Makes the CI file of an adopted repository, where it has none.

use std::path::{Path, PathBuf};

use ferror::Result;

use super::program::Program;
use crate::repository::templates;

/// The files and folders by which CI systems are told what to do, below the repository's root.
const FILES: [&str; 12] = [
    ".circleci/config.yml",
    ".github/workflows",
    ".gitlab-ci.yml",
    ".forgejo/workflows",
    ".gitea/workflows",
    ".woodpecker",
    ".woodpecker.yml",
    ".drone.yml",
    ".buildkite",
    ".travis.yml",
    "Jenkinsfile",
    "azure-pipelines.yml",
];

/// The file that is written where there is none.
pub const FILE: &str = FILES[0];

/// Finds the CI file or folder of the repository.
pub fn find(top: &Path) -> Option<PathBuf> {
    FILES.iter().map(|file| top.join(file)).find(|path| path.exists())
}

/// The values that are put into the CI file.
#[derive(Debug)]
pub struct Answers<'a> {
    /// The package that runs xtask.
    pub program: &'a Program,
    /// The bucket, for the name of the context.
    pub bucket: &'a str,
    /// The release of the compiler in the image.
    pub rustc: &'a str,
    /// The folder of the workspace in the repository; empty where it is the root.
    pub folder: &'a str,
}

/// Makes the text of the CI file.
pub fn text(answers: &Answers<'_>) -> Result<String> {
    let Answers { program, bucket, rustc, folder } = *answers;
    let values = [("BUCKET", bucket), ("RUSTC", rustc)];
    let text = templates::render_text(templates::of_repository(FILE), &values)?;
    let mut text = text.replace("cargo xtask ", &format!("cargo {} ", program.name));
    if program.has_own_lock {
        // Its crates change with its lock file, and are in its target folder.
        let own = &program.folder;
        let lock = "{{ checksum \"Cargo.lock\" }}";
        text =
            text.replace(lock, &format!("{lock}-{{{{ checksum \"{own}/Cargo.lock\" }}}}")).replace(
                "            - target\n",
                &format!("            - target\n            - {own}/target\n"),
            );
    }
    if folder.is_empty() {
        return Ok(text);
    }
    let place = format!("    working_directory: ~/project/{folder}\n");
    Ok(text
        .replace("\nexecutors:\n  rust:\n", &format!("\nexecutors:\n  rust:\n{place}"))
        .replace("\n  macos:\n    macos:\n", &format!("\n  macos:\n{place}    macos:\n"))
        .replace("      - checkout\n", "      - checkout: { path: ~/project }\n"))
}
