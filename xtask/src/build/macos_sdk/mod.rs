//! Makes a folder that stands in for an Apple SDK where there is none: for each framework and library a text stub
//! with its install name and its symbols, and a few headers.
//!
//! A linker needs of an SDK only its interface. `symbols.txt` has the names that libraries of macOS export; it is
//! made by `tools/apple-symbols`. Crates that bind what is not in it declare it themselves (`declared`), so those
//! symbols are added, and [`Sdk::unchecked`] names those that a binary really uses.
//!
//! Source of the format: LLVM's "Text-based Dynamic Library Stubs", version 4 (`llvm/TextAPI`).

mod declared;
pub mod extern_blocks;
mod table;

pub(crate) use self::table::SYMBOLS;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use catalog::Os;

use self::declared::Declared;
use self::table::{Library, Table};
use crate::build::stamp::Import;
use crate::build::toolchain::Toolchain;
use crate::model::sources::SourceDigest;
use crate::system::env::Env;
use crate::system::files;
use crate::system::partial::Partial;

/// The headers that zig does not bring and common C code includes, in our own words: constants and functions by
/// their documentation.
const HEADERS: [(&str, &str); 4] = [
    ("usr/include/mach/mach_vm.h", include_str!("include/mach/mach_vm.h")),
    ("usr/include/sys/syscall.h", include_str!("include/sys/syscall.h")),
    (
        "System/Library/Frameworks/CoreFoundation.framework/Headers/CoreFoundation.h",
        include_str!("include/CoreFoundation/CoreFoundation.h"),
    ),
    (
        "System/Library/Frameworks/SystemConfiguration.framework/Headers/SCDynamicStoreCopySpecific.h",
        include_str!("include/SystemConfiguration/SCDynamicStoreCopySpecific.h"),
    ),
];

/// A folder that stands in for an Apple SDK.
#[derive(Debug)]
pub struct Sdk {
    /// Its path, to be given as `SDKROOT`.
    pub path: PathBuf,
    /// The symbols in it that only a crate vouches for.
    added: Vec<Declared>,
}

impl Sdk {
    /// Returns those of a finished binary's symbols that only a crate vouches for, in words:
    /// `IOHIDEventSystemClientCreate in IOKit, by sysinfo 0.37.2`.
    pub fn unchecked(&self, imports: &[Import]) -> Vec<String> {
        let table = Table::of_macos();
        let is_of = |path: &str, name: &str| {
            let found = table.libraries.iter().find(|library| library.install_name == path);
            let framework = Path::new(path).file_name().and_then(|file| file.to_str());
            found.map_or(framework, |library| Some(&library.name)) == Some(name)
        };
        let used = |one: &&Declared| {
            imports.iter().any(|import| {
                import.symbol.strip_prefix('_') == Some(&one.symbol)
                    && import.library.as_deref().is_some_and(|path| is_of(path, &one.library))
            })
        };
        let shown =
            |one: &Declared| format!("{} in {}, by {}", one.symbol, one.library, one.package);
        self.added.iter().filter(used).map(shown).collect()
    }
}

/// Makes the folder if it is not there yet. `None` where none is needed: for Linux, on a Mac, which has its own SDK,
/// and where the person names one.
pub fn prepare(
    toolchain: &Toolchain,
    sources: &[SourceDigest],
    lock_option: &str,
    env: &Env,
) -> anyhow::Result<Option<Sdk>> {
    let is_mac = toolchain.compiler.host.ends_with("-apple-darwin");
    if toolchain.platform.os != Os::Darwin || is_mac || env.get_os("SDKROOT").is_some() {
        return Ok(None);
    }
    let table = Table::of_macos();
    let system = fs::read_to_string(system_stub(&toolchain.linker.zig)).unwrap_or_default();
    let system = symbols_of(&system);
    let known = table.symbols();
    let mut added = declared::find(toolchain, sources, lock_option, env)?;
    added.retain(|one| {
        let symbol = one.symbol.as_str();
        !known.contains(symbol) && !system.contains(symbol)
    });
    let files = contents(&table, &added, &system);
    let mut all = String::new();
    for (path, text) in &files {
        let _ = write!(all, "{path}\n{text}\n");
    }
    let name = format!("macos-sdk-{}", &files::sha256(all.as_bytes())[..16]);
    let path = toolchain.cache_dir.join(name);
    if !path.is_dir() {
        write(&path, &files).with_context(|| format!("making {}", path.display()))?;
    }
    Ok(Some(Sdk { path, added }))
}

/// Returns the path of the stub for libSystem that zig brings.
fn system_stub(zig: &Path) -> PathBuf {
    zig.with_file_name("lib").join("libc/darwin/libSystem.tbd")
}

/// Returns the symbols in a stub, as C has them.
fn symbols_of(stub: &str) -> BTreeSet<&str> {
    let words = stub.split(|c: char| c.is_whitespace() || ",'[]".contains(c));
    words.filter_map(|word| word.strip_prefix('_')).collect()
}

/// Returns the path below the folder and the text of each file.
///
/// Crates declare functions of libSystem, such as `sysctlbyname`, beside those of a framework. They are left out of all
/// stubs, because a linker takes the first library that has a symbol.
fn contents<'a>(
    table: &Table<'a>,
    added: &'a [Declared],
    system: &BTreeSet<&str>,
) -> Vec<(String, String)> {
    let mut libraries = table.libraries.clone();
    for one in added {
        // Whether a library that is not in the table exists, and where, is not known.
        if let Some(library) = libraries.iter_mut().find(|library| library.name == one.library) {
            library.symbols.insert(&one.symbol);
        }
    }
    let mut files: Vec<_> = HEADERS.map(|(path, text)| (path.to_owned(), text.to_owned())).to_vec();
    for library in &libraries {
        files.push((library.stub_path(), stub(library, table, system)));
    }
    files
}

fn stub(library: &Library<'_>, table: &Table<'_>, system: &BTreeSet<&str>) -> String {
    const TARGETS: &str = "[ x86_64-macos, arm64-macos ]";
    let mut text = format!(
        "--- !tapi-tbd\ntbd-version: 4\ntargets: {TARGETS}\ninstall-name: '{}'\nexports:\n",
        library.install_name
    );
    let _ = write!(text, "  - targets: {TARGETS}\n    symbols: [");
    let symbols = table.all_exports(library);
    for (index, symbol) in symbols.difference(system).enumerate() {
        let separator = if index == 0 { " " } else { ",\n      " };
        let _ = write!(text, "{separator}'_{symbol}'");
    }
    text.push_str(" ]\n...\n");
    text
}

fn write(folder: &Path, files: &[(String, String)]) -> anyhow::Result<()> {
    let parent = folder.parent().context("a folder lies in another one")?;
    fs::create_dir_all(parent)?;
    let partial = Partial::folder(folder)?;
    for (path, text) in files {
        let path = partial.path().join(path);
        fs::create_dir_all(path.parent().context("a file lies in a folder")?)?;
        fs::write(&path, text)?;
    }
    partial.rename(folder)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::declared::Declared;
    use super::table::Table;
    use super::{contents, symbols_of};

    #[test]
    fn a_stub_has_the_table_and_what_crates_declare_but_nothing_of_libsystem() {
        let system = symbols_of("    symbols: [ _sysctlbyname, '_open$NOCANCEL',\n _NSGetArgc ]\n");
        assert!(system.contains("open$NOCANCEL") && system.contains("NSGetArgc"), "{system:?}");
        let declare = |symbol: &str, library: &str, is_framework| Declared {
            symbol: symbol.into(),
            library: library.into(),
            is_framework,
            package: "x 1.0.0".into(),
        };
        let added = [
            declare("IOOwn", "IOKit", true),
            declare("lost", "NoSuchKit", true),
            declare("lost", "nowhere", false),
        ];
        let files = contents(&Table::of_macos(), &added, &system);
        let text = |path: &str| {
            let file = files.iter().find(|(known, _)| known == path);
            file.map_or_else(|| panic!("no {path}"), |(_, text)| text.as_str())
        };
        let framework =
            |name: &str| text(&format!("System/Library/Frameworks/{name}.framework/{name}.tbd"));
        assert!(framework("IOKit").contains("'_IOOwn'"));
        assert!(framework("IOKit").contains("'_IOServiceMatching'"));
        // The bindings of libobjc declare it.
        assert!(Table::of_macos().symbols().contains("sysctlbyname"));
        for library in [text("usr/lib/libobjc.tbd"), framework("Foundation")] {
            assert!(library.contains("'_objc_msgSend'") && !library.contains("sysctlbyname"));
        }
        assert!(
            !files.iter().any(|(path, text)| path.contains("NoSuchKit") || text.contains("lost"))
        );
    }
}
