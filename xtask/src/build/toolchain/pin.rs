//! Finds the compiler that a repository pins.

use std::path::Path;

use anyhow::Context as _;

use super::compiler::Compiler;
use crate::build::pins;
use crate::model::cargo_toml;
use crate::model::config::is_pin;

/// Returns the pin of the repository around `workspace_root`: the release or the `nightly-DATE` of its
/// rust-toolchain.toml, else `configured`, else the one of xtask. A channel such as `stable` is no pin.
pub fn find(workspace_root: &Path, configured: Option<&str>) -> anyhow::Result<String> {
    for folder in workspace_root.ancestors() {
        for name in ["rust-toolchain", "rust-toolchain.toml"] {
            let path = folder.join(name);
            if !path.is_file() {
                continue;
            }
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("reading {}", path.display()))?;
            let channel = channel(&text, &path.display().to_string())?;
            return Ok(channel
                .filter(|channel| is_pin(channel))
                .unwrap_or_else(|| otherwise(configured)));
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    Ok(otherwise(configured))
}

fn otherwise(configured: Option<&str>) -> String {
    configured.unwrap_or(pins::RUSTC).to_owned()
}

/// Reads `toolchain.channel`. An old file consists of the channel alone.
fn channel(text: &str, name: &str) -> ferror::Result<Option<String>> {
    if !text.contains('[') {
        return Ok(Some(text.trim().to_owned()));
    }
    let table = cargo_toml::parse(text, name)?;
    Ok(table["toolchain"]["channel"].as_str().map(str::to_owned))
}

/// Returns whether `compiler` is the one that `pin` names. The date of a nightly one is known from the name
/// of its toolchain alone.
pub(super) fn is_pinned(pin: &str, compiler: &Compiler) -> bool {
    if pin.starts_with("nightly-") {
        let name = compiler.toolchain.as_deref().unwrap_or_default();
        return name.strip_prefix(pin).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    }
    let rest = compiler.release.strip_prefix(pin);
    rest.is_some_and(|rest| {
        let patch = rest.strip_prefix('.').unwrap_or(rest);
        let is_whole = rest.is_empty() || pin.matches('.').count() == 1 && rest.len() > patch.len();
        is_whole && patch.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::{find, is_pinned};
    use crate::build::pins;
    use crate::build::toolchain::compiler::Compiler;

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
            let compiler = Compiler {
                sysroot: "/t".into(),
                version: format!("rustc {release}"),
                release: release.to_owned(),
                host: "x86_64".to_owned(),
                toolchain: toolchain.map(str::to_owned),
            };
            assert_eq!(is_pinned(pin, &compiler), expected, "{pin} and {release}, {toolchain:?}");
        }
    }
}
