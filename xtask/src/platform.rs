//! Platforms: the words people and file names use (`linux_amd64`), the triples that compilers use,
//! and the build-constraint line that picks some of them (`linux,!arm darwin`).
//!
//! This module owns the names; nothing else in the crate spells a triple.

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

/// What a binary runs on, written `os_arch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// The operating system.
    pub os: Os,
    /// The architecture.
    pub arch: Arch,
}

/// The platform whose archives carry no platform in their object key: the old scripts knew no other.
pub const PLAIN_KEY_PLATFORM: Platform = Platform { os: Os::Linux, arch: Arch::Amd64 };

const OSES: [Os; 2] = [Os::Linux, Os::Darwin];
const ARCHES: [Arch; 2] = [Arch::Amd64, Arch::Arm64];

/// Words of the notation that name something real which is not built here. `!arm` stands in lines
/// of old repositories, so a negated one is fine; asking for one is an error.
const UNSUPPORTED: [&str; 9] =
    ["arm", "386", "windows", "freebsd", "netbsd", "openbsd", "solaris", "plan9", "dragonfly"];

impl Platform {
    /// Every supported platform, in the order of an empty line.
    pub const ALL: [Self; 4] = [
        Self { os: Os::Linux, arch: Arch::Amd64 },
        Self { os: Os::Linux, arch: Arch::Arm64 },
        Self { os: Os::Darwin, arch: Arch::Amd64 },
        Self { os: Os::Darwin, arch: Arch::Arm64 },
    ];

    /// The triple by which rustc knows the platform.
    pub const fn triple(self) -> &'static str {
        match (self.os, self.arch) {
            (Os::Linux, Arch::Amd64) => "x86_64-unknown-linux-gnu",
            (Os::Linux, Arch::Arm64) => "aarch64-unknown-linux-gnu",
            (Os::Darwin, Arch::Amd64) => "x86_64-apple-darwin",
            (Os::Darwin, Arch::Arm64) => "aarch64-apple-darwin",
        }
    }

    /// The name that file names and manifests use.
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

/// The platforms that a build-constraint line names, in its order, each once.
///
/// The grammar is goxc's: items separated by blanks are united; in an item, parts separated by
/// commas are an OS or an architecture, `!` negates one; an item is its positive OSes (or all)
/// without the negated, times its positive architectures (or all) without the negated. An empty
/// line is every platform. Unlike goxc, an unknown word is an error.
pub fn parse_line(line: &str) -> ferror::Result<Vec<Platform>> {
    let mut platforms = Vec::new();
    for item in line.split_whitespace() {
        for platform in
            parse_item(item).map_err(|error| error.context(format!("platforms `{line}`")))?
        {
            if !platforms.contains(&platform) {
                platforms.push(platform);
            }
        }
    }
    if line.trim().is_empty() {
        return Ok(Platform::ALL.to_vec());
    }
    if platforms.is_empty() {
        return Err(Error::config(format!("platforms `{line}`: the line excludes every platform"))
            .hint("an empty line means all; `linux,!arm darwin` is the usual one"));
    }
    Ok(platforms)
}

enum Word {
    Os(Os),
    Arch(Arch),
    Unsupported,
}

fn parse_item(item: &str) -> ferror::Result<Vec<Platform>> {
    let (mut oses, mut not_oses) = (Vec::new(), Vec::new());
    let (mut arches, mut not_arches) = (Vec::new(), Vec::new());
    for part in item.split(',') {
        let (negated, name) = part.strip_prefix('!').map_or((false, part), |name| (true, name));
        match (parse_word(name)?, negated) {
            (Word::Os(os), false) => oses.push(os),
            (Word::Os(os), true) => not_oses.push(os),
            (Word::Arch(arch), false) => arches.push(arch),
            (Word::Arch(arch), true) => not_arches.push(arch),
            (Word::Unsupported, true) => {}
            (Word::Unsupported, false) => {
                return Err(Error::config(format!("`{name}` is not supported: {}", known_words()))
                    .hint(format!("leave `{name}` out, or negate it: `!{name}`")));
            }
        }
    }
    let oses = if oses.is_empty() { OSES.to_vec() } else { oses };
    let arches = if arches.is_empty() { ARCHES.to_vec() } else { arches };
    let of_os = |os| arches.iter().map(move |&arch| Platform { os, arch });
    Ok(oses
        .into_iter()
        .filter(|os| !not_oses.contains(os))
        .flat_map(of_os)
        .filter(|platform| !not_arches.contains(&platform.arch))
        .collect())
}

fn parse_word(name: &str) -> ferror::Result<Word> {
    Ok(match name {
        "linux" => Word::Os(Os::Linux),
        "darwin" | "macos" => Word::Os(Os::Darwin),
        "amd64" | "x86_64" => Word::Arch(Arch::Amd64),
        "arm64" | "aarch64" => Word::Arch(Arch::Arm64),
        _ if UNSUPPORTED.contains(&name) => Word::Unsupported,
        "" => {
            return Err(Error::config(format!("an empty word between commas: {}", known_words())));
        }
        _ => {
            let error = Error::config(format!("unknown word `{name}`: {}", known_words()));
            return Err(match name.parse::<Platform>() {
                Ok(_) => error.hint(format!("write `{}`", name.replace('_', ","))),
                Err(_) => error,
            });
        }
    })
}

fn known_words() -> &'static str {
    "the known words are linux, darwin (or macos), amd64 (or x86_64), arm64 (or aarch64)"
}

#[cfg(test)]
mod tests {
    use super::{Platform, parse_line};

    #[test]
    fn lines_give_platforms_in_order() {
        let all = "linux_amd64 linux_arm64 darwin_amd64 darwin_arm64";
        let rows = [
            ("", all),
            ("  ", all),
            ("linux,!arm darwin", all),
            ("linux", "linux_amd64 linux_arm64"),
            ("linux,amd64", "linux_amd64"),
            ("amd64", "linux_amd64 darwin_amd64"),
            ("macos,aarch64 linux,x86_64", "darwin_arm64 linux_amd64"),
            ("!darwin", "linux_amd64 linux_arm64"),
            ("!linux,!amd64", "darwin_arm64"),
            ("linux,darwin,arm64", "linux_arm64 darwin_arm64"),
            ("linux,amd64 linux linux", "linux_amd64 linux_arm64"),
            ("!windows,!386", all),
            ("linux,!linux darwin,arm64", "darwin_arm64"),
        ];
        for (line, expected) in rows {
            let platforms = parse_line(line).unwrap_or_else(|error| panic!("`{line}`: {error:#}"));
            let names: Vec<_> = platforms.iter().map(|platform| platform.as_str()).collect();
            assert_eq!(names.join(" "), expected, "line `{line}`");
        }
    }

    #[test]
    fn bad_lines_name_the_word_and_the_known_ones() {
        let rows = [
            ("linux,arm46", "unknown word `arm46`"),
            ("linus darwin", "unknown word `linus`"),
            ("linux,arm", "`arm` is not supported"),
            ("windows", "`windows` is not supported"),
            ("linux,", "an empty word"),
            ("linux,!linux", "excludes every platform"),
            ("linux_amd64", "unknown word `linux_amd64`"),
            ("LINUX", "unknown word `LINUX`"),
        ];
        for (line, expected) in rows {
            let error = parse_line(line).expect_err(line);
            assert!(error.to_string().contains(expected), "`{line}` gave: {error:#}");
            assert_eq!(error.kind(), ferror::Kind::Config, "`{line}`");
        }
        let hint = parse_line("linux_amd64").unwrap_err();
        assert_eq!(hint.hint_text(), Some("write `linux,amd64`"));
    }

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
