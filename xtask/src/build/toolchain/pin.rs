//! Finds the compiler that a repository pins.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ferror::{Error, Result};

use crate::build::pins;
use crate::model::cargo_toml;
use crate::model::config::is_pin;

/// The oldest release that compiles xtask, by its Cargo.toml.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");
/// The last day whose nightly compiler is older than that release: the day on which 1.88 left the nightly channel.
const OLD_NIGHTLY: &str = "nightly-2025-05-09";

/// Returns the pin of the repository around `workspace_root`: the release or the `nightly-DATE` of its
/// rust-toolchain.toml, else `configured`, else the one of xtask. A channel such as `stable` is no pin.
///
/// Fails with [`ferror::Kind::Config`] where the pin is older than what compiles xtask.
pub fn find(workspace_root: &Path, configured: Option<&str>) -> anyhow::Result<String> {
    if let Some(pin) = of_toolchain_file(workspace_root)? {
        return Ok(pin);
    }
    let Some(pin) = configured else { return Ok(pins::RUSTC.to_owned()) };
    check_age(pin, "`rust` in [workspace.metadata.xtask]")?;
    Ok(pin.to_owned())
}

/// Returns the pin in the toolchain file of the repository around `workspace_root`, where it has one.
///
/// Fails as [`find`] does.
pub fn of_toolchain_file(workspace_root: &Path) -> anyhow::Result<Option<String>> {
    let Some(path) = toolchain_file(workspace_root) else { return Ok(None) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {name}"))?;
    let pin = channel(&text, &name)?.filter(|channel| is_pin(channel));
    if let Some(pin) = &pin {
        check_age(pin, &name)?;
    }
    Ok(pin)
}

/// Refuses a release or a pin that is older than what compiles xtask; `place` says where it comes from.
///
/// Fails with [`ferror::Kind::Config`].
pub fn check_age(pin: &str, place: &str) -> Result<()> {
    let is_old = match release_numbers(pin) {
        Some(numbers) => Some(numbers) < release_numbers(OLDEST),
        // Dates of one form are ordered as texts are.
        None => pin <= OLD_NIGHTLY,
    };
    if !is_old {
        return Ok(());
    }
    Err(Error::config(format!("{place}: Rust {pin} is too old: xtask needs {OLDEST} or newer"))
        .hint(format!("use a newer one there, such as {}", pins::RUSTC)))
}

/// Returns major and minor number of a release; `None` of a nightly one.
fn release_numbers(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// Finds the file that rustup reads in `workspace_root`, if it belongs to the repository.
fn toolchain_file(workspace_root: &Path) -> Option<PathBuf> {
    for folder in workspace_root.ancestors() {
        let names = ["rust-toolchain", "rust-toolchain.toml"];
        let file = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
        if file.is_some() || folder.join(".git").exists() {
            return file;
        }
    }
    None
}

/// Reads `toolchain.channel`. An old file consists of the channel alone.
fn channel(text: &str, name: &str) -> Result<Option<String>> {
    if !text.contains('[') {
        return Ok(Some(text.trim().to_owned()));
    }
    let table = cargo_toml::parse(text, name)?;
    Ok(table["toolchain"]["channel"].as_str().map(str::to_owned))
}

/// Returns whether `pin` names the compiler of this release, whose toolchain has this name. The date of a nightly
/// one is known from that name alone.
pub(super) fn names(pin: &str, release: &str, toolchain: Option<&str>) -> bool {
    if pin.starts_with("nightly-") {
        let rest = toolchain.and_then(|name| name.strip_prefix(pin));
        return rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    }
    // `1.95` stands for every 1.95.x; 1.95.0-nightly is no release.
    let (parts, pin): (Vec<_>, Vec<_>) = (release.split('.').collect(), pin.split('.').collect());
    parts.starts_with(&pin) && release.bytes().all(|b| b == b'.' || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{find, names};
    use crate::build::pins;

    #[test]
    fn the_repositorys_own_pin_goes_before_the_tables_and_ours() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("rust-toolchain.toml"),
            "[toolchain]\nchannel = \"1.80\"\n",
        )
        .unwrap();
        let root = folder.path().join("repository");
        std::fs::create_dir_all(root.join(".git")).unwrap();
        let workspace = root.join("rust");
        std::fs::create_dir(&workspace).unwrap();
        let pin = |configured| find(&workspace, configured).unwrap();
        assert_eq!(pin(None), pins::RUSTC, "a file outside the repository counts");
        assert_eq!(pin(Some("1.90")), "1.90");
        for (name, text, expected) in [
            ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.91.1\"\n", "1.91.1"),
            (
                "rust-toolchain.toml",
                "[toolchain]\nchannel = \"nightly-2026-05-01\"\n",
                "nightly-2026-05-01",
            ),
            ("rust-toolchain.toml", "[toolchain]\nchannel = \"stable\"\n", "1.90"),
            ("rust-toolchain", "1.92\n", "1.92"),
        ] {
            std::fs::write(root.join(name), text).unwrap();
            assert_eq!(pin(Some("1.90")), expected, "{text}");
        }
    }

    #[test]
    fn a_pin_that_does_not_compile_xtask_is_an_error_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        let file = folder.path().join("rust-toolchain.toml");
        for (pin, is_too_old) in [
            ("1.87.0", true),
            ("1.9", true),
            ("0.99.0", true),
            ("nightly-2025-05-09", true),
            ("1.88", false),
            ("1.88.0", false),
            ("1.100.0", false),
            ("2.0.0", false),
            ("nightly-2025-05-10", false),
        ] {
            let by_table = find(folder.path(), Some(pin));
            std::fs::write(&file, format!("[toolchain]\nchannel = \"{pin}\"\n")).unwrap();
            let by_file = find(folder.path(), None);
            std::fs::remove_file(&file).unwrap();
            let place = file.display().to_string();
            for (found, place) in [(by_table, "`rust` in"), (by_file, place.as_str())] {
                match found {
                    Ok(found) => assert!(!is_too_old && found == pin, "{pin}: {found}"),
                    Err(error) => {
                        let text = error.to_string();
                        assert!(is_too_old && text.starts_with(place), "{pin}: {text}");
                        assert!(text.contains(&format!("Rust {pin} is too old")), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn compilers_are_compared_by_release_and_nightly_ones_by_name() {
        let rows = [
            ("1.95.0", "1.95.0", None, true),
            ("1.95", "1.95.3", None, true),
            ("1.9", "1.95.0", None, false),
            ("1.95.0", "1.95.01", None, false),
            ("1.95.0", "1.96.0", None, false),
            ("1.97", "1.97.0-nightly", None, false),
            ("nightly-2026-05-01", "1.97.0-nightly", Some("nightly-2026-05-01-x86_64"), true),
            ("nightly-2026-05-01", "1.97.0-nightly", Some("nightly-x86_64"), false),
            ("nightly-2026-05-01", "1.97.0-nightly", None, false),
        ];
        for (pin, release, toolchain, expected) in rows {
            assert_eq!(
                names(pin, release, toolchain),
                expected,
                "{pin} and {release}, {toolchain:?}"
            );
        }
    }
}
