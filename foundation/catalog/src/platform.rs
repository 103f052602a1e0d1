//! Platforms: the names that object keys and manifests use (`linux_amd64`), and the triples that
//! compilers use. Nothing else spells a triple.

use std::fmt;
use std::str::FromStr;

use ferror::Error;

/// An operating system that services run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Os {
    /// GNU/Linux, with glibc.
    Linux,
    /// macOS.
    Darwin,
}

/// A processor architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// `x86_64`.
    Amd64,
    /// `aarch64`; not 32-bit `arm`.
    Arm64,
}

/// An operating system and an architecture, written `os_arch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// The operating system.
    pub os: Os,
    /// The architecture.
    pub arch: Arch,
}

/// The platform whose archives carry no platform in their object key: it keeps the key that
/// deployments have always pulled.
pub const PLAIN_KEY_PLATFORM: Platform = Platform { os: Os::Linux, arch: Arch::Amd64 };

impl Platform {
    /// Every supported platform, in the order in which manifests name them.
    pub const ALL: [Self; 4] = [
        Self { os: Os::Linux, arch: Arch::Amd64 },
        Self { os: Os::Linux, arch: Arch::Arm64 },
        Self { os: Os::Darwin, arch: Arch::Amd64 },
        Self { os: Os::Darwin, arch: Arch::Arm64 },
    ];

    /// Returns the triple by which rustc knows the platform.
    pub const fn triple(self) -> &'static str {
        match (self.os, self.arch) {
            (Os::Linux, Arch::Amd64) => "x86_64-unknown-linux-gnu",
            (Os::Linux, Arch::Arm64) => "aarch64-unknown-linux-gnu",
            (Os::Darwin, Arch::Amd64) => "x86_64-apple-darwin",
            (Os::Darwin, Arch::Arm64) => "aarch64-apple-darwin",
        }
    }

    /// Returns the name that file names and manifests use.
    pub const fn as_str(self) -> &'static str {
        match (self.os, self.arch) {
            (Os::Linux, Arch::Amd64) => "linux_amd64",
            (Os::Linux, Arch::Arm64) => "linux_arm64",
            (Os::Darwin, Arch::Amd64) => "darwin_amd64",
            (Os::Darwin, Arch::Arm64) => "darwin_arm64",
        }
    }

    /// Its operating system and its architecture, as its name has them.
    pub fn words(self) -> (&'static str, &'static str) {
        self.as_str().split_once('_').unwrap_or((self.as_str(), ""))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Platform {
    type Err = Error;

    fn from_str(text: &str) -> ferror::Result<Self> {
        Self::ALL.into_iter().find(|platform| platform.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid(format!("unknown platform `{text}`: expected one of {known}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Platform;

    #[test]
    fn names_round_trip_and_triples_differ() {
        for platform in Platform::ALL {
            assert_eq!(platform.as_str().parse::<Platform>().unwrap(), platform);
        }
        let mut triples = Platform::ALL.map(Platform::triple);
        triples.sort_unstable();
        assert!(triples.windows(2).all(|pair| pair[0] != pair[1]), "{triples:?}");
        assert!("linux_arm".parse::<Platform>().is_err());
    }
}
