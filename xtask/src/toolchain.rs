//! stub
use crate::env::Env;
use crate::platform::Platform;
use crate::ui::Ui;
use std::path::Path;
use std::str::FromStr;
/// L
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// r
    Rustup,
    /// d
    Distribution,
}
impl FromStr for Library {
    type Err = ferror::Error;
    fn from_str(s: &str) -> ferror::Result<Self> {
        match s {
            "rustup" => Ok(Self::Rustup),
            "distribution" => Ok(Self::Distribution),
            _ => {
                Err(ferror::Error::usage(format!("--library {s}: expected rustup or distribution")))
            }
        }
    }
}
/// W
pub struct Wanted<'a> {
    /// x
    pub platforms: &'a [Platform],
    /// x
    pub library: Option<Library>,
    /// x
    pub install: bool,
    /// x
    pub glibc: &'a str,
    /// x
    pub macos: &'a str,
    /// x
    pub workspace_root: &'a Path,
    /// x
    pub target_dir: &'a Path,
    /// x
    pub env: &'a Env,
}
/// B
pub struct Buildable {
    /// x
    pub platform: Platform,
    /// x
    pub rustc: String,
    /// x
    pub root: std::path::PathBuf,
    /// x
    pub target: std::path::PathBuf,
}
/// p
pub fn prepare(w: &Wanted<'_>, _ui: Ui) -> Vec<(Platform, anyhow::Result<Buildable>)> {
    w.platforms
        .iter()
        .map(|&p| {
            (
                p,
                Ok(Buildable {
                    platform: p,
                    rustc: "rustc 1.95.0".into(),
                    root: w.workspace_root.into(),
                    target: w.target_dir.join("dist"),
                }),
            )
        })
        .collect()
}
