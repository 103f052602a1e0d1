//! Reads `symbols.txt`: which library of macOS exports which symbol.

use std::collections::BTreeSet;

/// The text that `tools/apple-symbols` makes.
pub(crate) const SYMBOLS: &str = include_str!("symbols.txt");

/// The libraries of macOS.
#[derive(Debug)]
pub(super) struct Table<'t> {
    pub(super) libraries: Vec<Library<'t>>,
}

/// One library, or a framework's.
#[derive(Debug, Clone)]
pub(super) struct Library<'t> {
    /// Its name for the linker.
    pub(super) name: String,
    /// Its path on a Mac.
    pub(super) install_name: String,
    /// Its symbols, as C has them.
    pub(super) symbols: BTreeSet<&'t str>,
    /// The libraries whose symbols it passes on, by name.
    re_exports: Vec<&'t str>,
}

impl Library<'_> {
    /// Returns where the linker looks for its stub, below an SDK.
    pub(super) fn stub_path(&self) -> String {
        let name = &self.name;
        if self.install_name.contains(".framework/") {
            format!("System/Library/Frameworks/{name}.framework/{name}.tbd")
        } else {
            format!("usr/lib/lib{name}.tbd")
        }
    }
}

impl Table<'static> {
    /// Reads the table that is part of this program.
    pub(super) fn of_macos() -> Self {
        let mut libraries: Vec<Library<'static>> = Vec::new();
        for line in SYMBOLS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some((name, rest)) = line.split_once(' ') {
                let mut words = rest.split(' ');
                libraries.push(Library {
                    name: name.to_owned(),
                    install_name: words.next().unwrap_or_default().to_owned(),
                    symbols: BTreeSet::new(),
                    re_exports: words.collect(),
                });
            } else if let Some(library) = libraries.last_mut() {
                library.symbols.insert(line);
            }
        }
        Self { libraries }
    }
}

impl<'t> Table<'t> {
    /// Returns every symbol of every library.
    pub(super) fn symbols(&self) -> BTreeSet<&'t str> {
        self.libraries.iter().flat_map(|library| &library.symbols).copied().collect()
    }

    /// Returns the symbols of a library and of those that it passes on.
    pub(super) fn all_exports<'a>(&self, library: &Library<'a>) -> BTreeSet<&'a str>
    where
        't: 'a,
    {
        let mut all = library.symbols.clone();
        for name in &library.re_exports {
            for other in self.libraries.iter().filter(|other| other.name == *name) {
                all.extend(self.all_exports(other));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Table;

    #[test]
    fn the_table_has_one_entry_for_each_library_and_names_only_symbols() {
        let table = Table::of_macos();
        assert!(table.libraries.len() > 50, "{} libraries", table.libraries.len());
        let names: BTreeSet<_> = table.libraries.iter().map(|library| &library.name).collect();
        assert_eq!(names.len(), table.libraries.len());
        for library in &table.libraries {
            let is_path = library.install_name.starts_with("/usr/lib/lib")
                || library.install_name.starts_with("/System/Library/Frameworks/");
            assert!(is_path, "{}", library.install_name);
            for other in &library.re_exports {
                assert!(names.iter().any(|name| name == other), "{}: {other}", library.name);
            }
            for symbol in &library.symbols {
                let is_name =
                    symbol.bytes().all(|b| b.is_ascii_alphanumeric() || b"_$".contains(&b));
                assert!(is_name, "{}: `{symbol}`", library.name);
            }
        }
    }

    #[test]
    fn symbols_are_in_their_library_and_in_those_that_pass_them_on() {
        let table = Table::of_macos();
        let rows = [
            ("CoreFoundation", "CFRelease", true),
            ("Foundation", "CFRelease", true),
            ("Cocoa", "CFRelease", true),
            ("Security", "CFRelease", false),
            ("IOKit", "CFStringCreateWithBytes", false),
            ("Security", "SecTrustEvaluateWithError", true),
            ("SystemConfiguration", "SCDynamicStoreCreate", true),
            ("IOKit", "IOServiceMatching", true),
            ("CoreServices", "FSEventStreamCreate", true),
            ("objc", "objc_msgSend", true),
            ("resolv", "res_9_ninit", true),
            ("z", "deflate", true),
        ];
        for (name, symbol, expected) in rows {
            let library = table.libraries.iter().find(|one| one.name == name).unwrap();
            assert_eq!(table.all_exports(library).contains(symbol), expected, "{symbol} of {name}");
        }
    }
}
