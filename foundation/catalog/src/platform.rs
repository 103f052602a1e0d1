//! Platforms: the names that object keys and manifests use (`linux_amd64`), and the triples that
//! compilers use. Nothing else spells a triple.

use std::fmt;
use std::str::FromStr;

use ferror::Error;

/// An operating system that services run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Os {
    /// Linux.
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

/// An operating system and an architecture, written `os_arch`, or `os_arch_musl`.
///
/// The order of the fields is that of [`Platform::ALL`] and of plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// `true` for programs that are linked with musl and fully static; other programs for Linux load glibc.
    pub musl: bool,
    /// The operating system.
    pub os: Os,
    /// The architecture.
    pub arch: Arch,
}

/// The platform whose archives carry no platform in their object key: it keeps the key that
/// deployments have always pulled.
pub const PLAIN_KEY_PLATFORM: Platform = Platform { musl: false, os: Os::Linux, arch: Arch::Amd64 };

impl Platform {
    /// The platforms that are built where nothing else is asked for.
    pub const DEFAULT: [Self; 4] = [
        PLAIN_KEY_PLATFORM,
        Self { musl: false, os: Os::Linux, arch: Arch::Arm64 },
        Self { musl: false, os: Os::Darwin, arch: Arch::Amd64 },
        Self { musl: false, os: Os::Darwin, arch: Arch::Arm64 },
    ];

    /// Every supported platform, in the order in which manifests name them.
    pub const ALL: [Self; 6] = [
        Self::DEFAULT[0],
        Self::DEFAULT[1],
        Self::DEFAULT[2],
        Self::DEFAULT[3],
        Self { musl: true, os: Os::Linux, arch: Arch::Amd64 },
        Self { musl: true, os: Os::Linux, arch: Arch::Arm64 },
    ];

    /// Returns the triple by which rustc knows the platform.
    pub const fn triple(self) -> &'static str {
        match (self.os, self.arch, self.musl) {
            (Os::Linux, Arch::Amd64, false) => "x86_64-unknown-linux-gnu",
            (Os::Linux, Arch::Arm64, false) => "aarch64-unknown-linux-gnu",
            (Os::Linux, Arch::Amd64, true) => "x86_64-unknown-linux-musl",
            (Os::Linux, Arch::Arm64, true) => "aarch64-unknown-linux-musl",
            (Os::Darwin, Arch::Amd64, _) => "x86_64-apple-darwin",
            (Os::Darwin, Arch::Arm64, _) => "aarch64-apple-darwin",
        }
    }

    /// Returns the name that file names and manifests use.
    pub const fn as_str(self) -> &'static str {
        match (self.os, self.arch, self.musl) {
            (Os::Linux, Arch::Amd64, false) => "linux_amd64",
            (Os::Linux, Arch::Arm64, false) => "linux_arm64",
            (Os::Linux, Arch::Amd64, true) => "linux_amd64_musl",
            (Os::Linux, Arch::Arm64, true) => "linux_arm64_musl",
            (Os::Darwin, Arch::Amd64, _) => "darwin_amd64",
            (Os::Darwin, Arch::Arm64, _) => "darwin_arm64",
        }
    }

    /// Its operating system and its architecture, as its name has them: `linux` and `amd64_musl`.
    pub fn words(self) -> (&'static str, &'static str) {
        self.as_str().split_once('_').unwrap_or((self.as_str(), ""))
    }

    /// Returns whether its programs load the glibc of the machine that runs them.
    pub fn uses_glibc(self) -> bool {
        self.os == Os::Linux && !self.musl
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
        for unknown in ["linux_arm", "linux_musl", "darwin_amd64_musl"] {
            assert!(unknown.parse::<Platform>().is_err(), "{unknown}");
        }
        assert!(Platform::ALL.is_sorted(), "plans and manifests name platforms in one order");
        assert!(Platform::ALL.starts_with(&Platform::DEFAULT));
    }
}
