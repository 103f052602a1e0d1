//! Reads the line of words that picks platforms (`linux,!arm darwin`).

use catalog::{Arch, Os, Platform};
use ferror::Error;

use crate::model::suggest;

const OSES: [Os; 2] = [Os::Linux, Os::Darwin];
const ARCHES: [Arch; 2] = [Arch::Amd64, Arch::Arm64];

/// Words of the notation that name something real which is not built here. `!arm` stands in lines
/// of old repositories, so a negated one is fine; asking for one is an error.
const UNSUPPORTED: [&str; 9] =
    ["arm", "386", "windows", "freebsd", "netbsd", "openbsd", "solaris", "plan9", "dragonfly"];

/// Returns the platforms that a line names, in its order, each once.
///
/// The grammar is goxc's: items separated by blanks are united; in an item, parts separated by
/// commas are an OS or an architecture, `!` negates one; an item is its positive OSes (or all)
/// without the negated, times its positive architectures (or all) without the negated. An empty
/// line is every default platform. Unlike goxc, an unknown word is an error, and a platform's own name
/// (`linux_amd64`) is a word too: several of them in one item are those platforms. The platforms with musl are
/// in an item only where it has the word `musl` or names them.
pub fn parse(line: &str) -> ferror::Result<Vec<Platform>> {
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
        return Ok(Platform::DEFAULT.to_vec());
    }
    if platforms.is_empty() {
        return Err(Error::config(format!("platforms `{line}`: the line excludes every platform"))
            .hint("an empty line means all; `linux,!arm darwin` is the usual one"));
    }
    Ok(platforms)
}

#[derive(Clone, Copy)]
enum Word {
    Os(Os),
    Arch(Arch),
    Musl,
    Platform(Platform),
    Unsupported,
}

/// The words of an item, or those that it negates, by kind.
#[derive(Default)]
struct Words {
    oses: Vec<Os>,
    arches: Vec<Arch>,
    musl: bool,
    platforms: Vec<Platform>,
}

impl Words {
    fn push(&mut self, word: Word) {
        match word {
            Word::Os(os) => self.oses.push(os),
            Word::Arch(arch) => self.arches.push(arch),
            Word::Musl => self.musl = true,
            Word::Platform(platform) => self.platforms.push(platform),
            Word::Unsupported => {}
        }
    }
}

fn parse_item(item: &str) -> ferror::Result<Vec<Platform>> {
    let (mut wanted, mut not) = (Words::default(), Words::default());
    for part in item.split(',') {
        let (negated, name) = part.strip_prefix('!').map_or((false, part), |name| (true, name));
        match (parse_word(name)?, negated) {
            (Word::Unsupported, false) => {
                return Err(Error::config(format!("`{name}` is not supported: {}", known_words()))
                    .hint(format!("leave `{name}` out, or negate it: `!{name}`")));
            }
            (word, false) => wanted.push(word),
            (word, true) => not.push(word),
        }
    }
    let oses = if wanted.oses.is_empty() { OSES.to_vec() } else { wanted.oses };
    let arches = if wanted.arches.is_empty() { ARCHES.to_vec() } else { wanted.arches };
    let kinds: &[bool] = match (wanted.musl, wanted.platforms.is_empty()) {
        (true, _) => &[true],
        (false, true) => &[false],
        (false, false) => &[false, true],
    };
    let mut platforms = Vec::new();
    for &os in &oses {
        for &arch in &arches {
            platforms.extend(kinds.iter().map(|&musl| Platform { musl, os, arch }));
        }
    }
    platforms.retain(|platform| Platform::ALL.contains(platform));
    if !wanted.platforms.is_empty() {
        wanted.platforms.retain(|platform| platforms.contains(platform));
        platforms = wanted.platforms;
    }
    platforms.retain(|platform| {
        let Platform { musl, os, arch } = platform;
        !(not.oses.contains(os)
            || not.arches.contains(arch)
            || (not.musl && *musl)
            || not.platforms.contains(platform))
    });
    Ok(platforms)
}

fn parse_word(name: &str) -> ferror::Result<Word> {
    if name.is_empty() {
        return Err(Error::config(format!("an empty word between commas: {}", known_words())));
    }
    let whole = || {
        let (plain, musl) = name.strip_suffix("_musl").map_or((name, false), |plain| (plain, true));
        match plain.split_once('_').map(|(os, arch)| (part(os), part(arch)))? {
            (Some(Word::Os(os)), Some(Word::Arch(arch))) => {
                let platform = Platform { musl, os, arch };
                Some(Word::Platform(platform)).filter(|_| Platform::ALL.contains(&platform))
            }
            (Some(Word::Unsupported), Some(_)) | (Some(Word::Os(_)), Some(Word::Unsupported)) => {
                Some(Word::Unsupported)
            }
            _ => None,
        }
    };
    part(name).or_else(whole).ok_or_else(|| {
        let platforms = Platform::ALL.iter().map(|platform| platform.as_str());
        let near =
            suggest::did_you_mean(name, ["linux", "darwin", "musl"].into_iter().chain(platforms));
        Error::config(format!("unknown word `{name}`: {near}{}", known_words()))
    })
}

/// Reads an operating system, an architecture or `musl`.
fn part(name: &str) -> Option<Word> {
    match name {
        "linux" => Some(Word::Os(Os::Linux)),
        "darwin" | "macos" => Some(Word::Os(Os::Darwin)),
        "amd64" | "x86_64" => Some(Word::Arch(Arch::Amd64)),
        "arm64" | "aarch64" => Some(Word::Arch(Arch::Arm64)),
        "musl" => Some(Word::Musl),
        _ => UNSUPPORTED.contains(&name).then_some(Word::Unsupported),
    }
}

fn known_words() -> &'static str {
    "the known words are linux, darwin (or macos), amd64 (or x86_64), arm64 (or aarch64), musl, and names such as linux_amd64 and linux_amd64_musl"
}

#[cfg(test)]
mod tests {
    use super::parse;

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
            ("linux,darwin", all),
            ("linux_amd64", "linux_amd64"),
            ("darwin_arm64 linux_amd64", "darwin_arm64 linux_amd64"),
            ("darwin_arm64,linux_amd64", "darwin_arm64 linux_amd64"),
            ("macos_aarch64,linux_x86_64", "darwin_arm64 linux_amd64"),
            ("linux_amd64 darwin", "linux_amd64 darwin_amd64 darwin_arm64"),
            ("linux_amd64,darwin_amd64,linux", "linux_amd64"),
            ("linux_amd64,!arm,!linux_arm", "linux_amd64"),
            ("!linux_amd64", "linux_arm64 darwin_amd64 darwin_arm64"),
            ("linux,!linux_amd64", "linux_arm64"),
            ("musl", "linux_amd64_musl linux_arm64_musl"),
            ("musl,amd64", "linux_amd64_musl"),
            ("linux,musl,!amd64", "linux_arm64_musl"),
            ("musl,!linux_amd64", "linux_amd64_musl linux_arm64_musl"),
            ("!musl", all),
            ("linux,!musl", "linux_amd64 linux_arm64"),
            ("linux_arm64_musl", "linux_arm64_musl"),
            ("linux_x86_64_musl,linux_amd64", "linux_amd64_musl linux_amd64"),
            ("linux_amd64,linux_amd64_musl,!musl", "linux_amd64"),
            ("linux_amd64_musl,linux", "linux_amd64_musl"),
            ("!linux_amd64_musl", all),
            ("linux,amd64 musl,amd64", "linux_amd64 linux_amd64_musl"),
        ];
        for (line, expected) in rows {
            let platforms = parse(line).unwrap_or_else(|error| panic!("`{line}`: {error:#}"));
            let names: Vec<_> = platforms.iter().map(|platform| platform.as_str()).collect();
            assert_eq!(names.join(" "), expected, "line `{line}`");
        }
    }

    #[test]
    fn bad_lines_name_the_word_and_the_known_ones() {
        let rows = [
            ("linux,arm46", "unknown word `arm46`"),
            (
                "linus darwin",
                "unknown word `linus`: did you mean `linux`? the known words are linux",
            ),
            ("linux_amd46", "unknown word `linux_amd46`: did you mean `linux_amd64`? the known"),
            ("linux,arm", "`arm` is not supported"),
            ("windows", "`windows` is not supported"),
            ("linux,", "an empty word"),
            ("linux,!linux", "excludes every platform"),
            ("linux,!linux_amd64,!linux_arm64", "excludes every platform"),
            ("linux_amd64,arm64", "excludes every platform"),
            ("linux_arm", "`linux_arm` is not supported"),
            ("amd64_linux", "unknown word `amd64_linux`"),
            ("linux_", "unknown word `linux_`"),
            ("arm_amd46", "unknown word `arm_amd46`"),
            ("LINUX", "unknown word `LINUX`"),
            ("musl,darwin", "excludes every platform"),
            ("musl,!musl", "excludes every platform"),
            ("musl,linux_amd64", "excludes every platform"),
            ("darwin_arm64_musl", "unknown word `darwin_arm64_musl`"),
            ("mussl", "unknown word `mussl`: did you mean `musl`?"),
            ("linux_amd64_mus", "did you mean `linux_amd64_musl`?"),
            ("linux_arm_musl", "`linux_arm_musl` is not supported"),
        ];
        for (line, expected) in rows {
            let error = parse(line).expect_err(line);
            assert!(error.to_string().contains(expected), "`{line}` gave: {error:#}");
            assert_eq!(error.kind(), ferror::Kind::Config, "`{line}`");
        }
    }
}
