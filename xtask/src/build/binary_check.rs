//! Compares a finished binary with the plan: what it needs from the machine that runs it must be what the plan
//! promises, whatever flags, build scripts and libraries of the build machine did.

use ferror::{Error, Result};

use super::stamp::{Facts, Format, Version};
use crate::model::config::BinaryCheck;
use crate::model::plan::Requirements;
use catalog::{Os, Platform};

/// Libraries that belong to glibc, or to the compiler, on every Linux.
const LINUX: [&str; 12] = [
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
    "libanl.so.1",
    "libgcc_s.so.1",
    "ld-linux.so.2",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];
/// Folders of libraries that belong to macOS.
const MACOS: [&str; 2] = ["/usr/lib/", "/System/Library/"];
/// The first macOS on Apple's own processors: rustc takes it for anything older.
const MACOS_ARM64: Version = Version(11, 0, 0);

/// The way out where a binary is of another kind altogether.
const FLAGS: &str = "look for flags that choose another target";

/// Checks what was read from the binary of `service` against what `platform` and `plan` ask for.
pub fn check(
    service: &str,
    platform: Platform,
    facts: &Facts,
    requirements: &Requirements,
) -> Result<()> {
    let checks = |check| !requirements.skip_checks.contains(&check);
    let fail = |check: BinaryCheck, found: String, expected: String, otherwise: &str| {
        let name = check.name();
        let message = format!("{service} for {platform} {found}; expected {expected}");
        Err(Error::config(message).hint(format!(
            "{otherwise}, or leave this check out by skip-checks = [{name:?}] in [workspace.metadata.xtask]"
        )))
    };
    let is_linux = platform.os == Os::Linux;
    let format = if is_linux { Format::Elf } else { Format::MachO };
    if checks(BinaryCheck::Format) && facts.format != format {
        let found = format!("is a file of the format {}", facts.format);
        return fail(BinaryCheck::Format, found, format.to_string(), FLAGS);
    }
    let cpu = platform.triple().split('-').next().unwrap_or_default();
    if checks(BinaryCheck::Processor) && facts.cpu != cpu {
        let found = format!("is for the processor {}", facts.cpu);
        return fail(BinaryCheck::Processor, found, cpu.to_owned(), FLAGS);
    }
    if platform.musl {
        return match (&facts.interpreter, facts.libraries.first()) {
            (None, None) => Ok(()),
            _ if !checks(BinaryCheck::Libraries) => Ok(()),
            (interpreter, library) => {
                let loads = library.or(interpreter.as_ref()).cloned().unwrap_or_default();
                let expected = "a static binary, without an interpreter or shared libraries";
                let otherwise = "link everything statically: look for a library of the build machine, and for flags such as -Ctarget-feature=-crt-static";
                fail(
                    BinaryCheck::Libraries,
                    format!("loads {loads}"),
                    expected.to_owned(),
                    otherwise,
                )
            }
        };
    }
    let (kind, name, field, floor) = if is_linux {
        (BinaryCheck::Glibc, "glibc", "glibc", version(&requirements.glibc))
    } else {
        let floor = version(&requirements.macos);
        let floor = if cpu == "aarch64" { floor.max(MACOS_ARM64) } else { floor };
        (BinaryCheck::Macos, "macOS", "macos", floor)
    };
    if let Some(minimum) = facts.minimum.filter(|minimum| checks(kind) && *minimum > floor) {
        let otherwise = format!("raise `{field}` in [workspace.metadata.xtask]");
        let found = format!("needs {name} {minimum}");
        return fail(kind, found, format!("{floor} or older, which `{field}` says"), &otherwise);
    }
    let allowed = &requirements.system_libraries;
    let is_known = |library: &String| {
        is_of_system(library, platform) || allowed.iter().any(|name| is_named_by(library, name))
    };
    if checks(BinaryCheck::Libraries)
        && let Some(library) = facts.libraries.iter().find(|library| !is_known(library))
    {
        let otherwise = format!(
            "link it statically, or say that every machine has it by system-libraries = [{library:?}]"
        );
        let found = format!("loads {library}");
        let expected = "libraries of the system alone".to_owned();
        return fail(BinaryCheck::Libraries, found, expected, &otherwise);
    }
    if checks(BinaryCheck::Libraries)
        && let Some(import) = facts.imports.iter().find(|import| import.library.is_none())
    {
        let found = format!("looks for {} in every library", import.symbol);
        let expected = "each symbol bound to one library".to_owned();
        return fail(BinaryCheck::Libraries, found, expected, "remove `-undefined dynamic_lookup`");
    }
    Ok(())
}

/// Returns the shared libraries that a binary loads and that are not part of every system.
pub fn system_libraries(platform: Platform, facts: &Facts) -> Vec<String> {
    let others = facts.libraries.iter().filter(|library| !is_of_system(library, platform));
    others.cloned().collect()
}

fn is_of_system(library: &str, platform: Platform) -> bool {
    match platform.os {
        Os::Linux => LINUX.contains(&library),
        Os::Darwin => MACOS.iter().any(|folder| library.starts_with(folder)),
    }
}

/// Returns whether `name` of `system-libraries` stands for a shared library: its own name, or that of the package of
/// pkg-config or library that it belongs to. `libpq` and `pq` stand for `libpq.so.5`.
fn is_named_by(library: &str, name: &str) -> bool {
    let file = library.rsplit('/').next().unwrap_or(library);
    let is_of = |stem: &str| file.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.'));
    library == name || is_of(name) || is_of(&format!("lib{name}"))
}

/// Reads `2.17`, which the configuration has checked.
fn version(text: &str) -> Version {
    let mut numbers = text.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    Version(next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::{Facts, Format, Version, check, is_named_by};
    use crate::build::stamp::Import;
    use crate::model::config::BinaryCheck;
    use crate::model::plan::Requirements;
    use catalog::{Os, Platform};

    fn facts(format: Format, cpu: &str, minimum: Version, library: &str) -> Facts {
        let libraries = vec![library.to_owned()];
        let minimum = Some(minimum);
        let imports = Vec::new();
        let interpreter = (format == Format::Elf).then(|| "/lib64/ld-linux-x86-64.so.2".to_owned());
        let cpu = cpu.into();
        Facts { format, cpu, minimum, libraries, imports, interpreter, signed_pages: None }
    }

    #[test]
    fn a_package_stands_for_the_libraries_with_its_name() {
        let rows = [
            ("libpq.so.5", "libpq.so.5", true),
            ("libpq.so.5", "libpq", true),
            ("libz.so.1", "z", true),
            ("/opt/lib/libpq.5.dylib", "libpq", true),
            ("libpq.so.5", "libpq.so.4", false),
            ("libpqtypes.so.0", "libpq", false),
            ("libssl.so.3", "openssl", false),
        ];
        for (library, name, expected) in rows {
            assert_eq!(is_named_by(library, name), expected, "{name} for {library}");
        }
    }

    fn static_facts() -> Facts {
        let elf = facts(Format::Elf, "x86_64", Version(0, 0, 0), "");
        Facts { minimum: None, libraries: Vec::new(), interpreter: None, ..elf }
    }

    #[test]
    fn each_difference_from_the_plan_is_named_with_its_field_and_can_be_allowed() {
        let platform = |os, cpu: &str| {
            let is_it = |p: &Platform| p.os == os && p.triple().starts_with(cpu);
            Platform::ALL.into_iter().find(is_it).unwrap()
        };
        let linux = platform(Os::Linux, "x86_64");
        let (intel, apple) = (platform(Os::Darwin, "x86_64"), platform(Os::Darwin, "aarch64"));
        let plan = Requirements {
            glibc: "2.17".into(),
            macos: "10.12".into(),
            system_libraries: vec!["libz.so.1".into()],
            skip_checks: Vec::new(),
        };
        let musl = Platform { musl: true, ..linux };
        let (elf, macho) = (Format::Elf, Format::MachO);
        let libc = "libc.so.6";
        let system = "/usr/lib/libSystem.B.dylib";
        for (platform, facts) in [
            (linux, facts(elf, "x86_64", Version(2, 17, 0), libc)),
            (linux, facts(elf, "x86_64", Version(2, 3, 4), "libz.so.1")),
            (intel, facts(macho, "x86_64", Version(10, 12, 0), system)),
            (apple, facts(macho, "aarch64", Version(11, 0, 0), system)),
            (musl, static_facts()),
            (linux, static_facts()),
        ] {
            check("alpha", platform, &facts, &plan).unwrap();
        }
        let framework = "/opt/homebrew/lib/libssl.3.dylib";
        let rows = [
            (
                linux,
                facts(macho, "x86_64", Version(2, 17, 0), libc),
                "format",
                "Mach-O; expected ELF",
            ),
            (
                linux,
                facts(elf, "aarch64", Version(2, 17, 0), libc),
                "processor",
                "aarch64; expected x86_64",
            ),
            (linux, facts(elf, "x86_64", Version(2, 34, 0), libc), "glibc", "2.34; expected 2.17"),
            (
                linux,
                facts(elf, "x86_64", Version(2, 17, 0), "libssl.so.3"),
                "libraries",
                "loads libssl.so.3",
            ),
            (
                intel,
                facts(macho, "x86_64", Version(11, 0, 0), system),
                "macos",
                "11.0; expected 10.12",
            ),
            (
                apple,
                facts(macho, "aarch64", Version(11, 1, 0), system),
                "macos",
                "11.1; expected 11.0",
            ),
            (apple, facts(macho, "aarch64", Version(11, 0, 0), framework), "libraries", framework),
            (
                apple,
                Facts {
                    imports: vec![Import { symbol: "_f".into(), library: None }],
                    ..facts(macho, "aarch64", Version(11, 0, 0), system)
                },
                "libraries",
                "looks for _f in every library",
            ),
            (musl, facts(elf, "x86_64", Version(2, 3, 4), libc), "libraries", "loads libc.so.6"),
            // Nor may it be a library that the table allows.
            (
                musl,
                facts(elf, "x86_64", Version(2, 3, 4), "libz.so.1"),
                "libraries",
                "a static binary",
            ),
            (
                musl,
                Facts { interpreter: Some("/lib/ld-musl-x86_64.so.1".into()), ..static_facts() },
                "libraries",
                "loads /lib/ld-musl-x86_64.so.1; expected a static binary",
            ),
            (musl, Facts { cpu: "aarch64".into(), ..static_facts() }, "processor", "x86_64"),
        ];
        for (platform, facts, name, expected) in rows {
            let error = check("alpha", platform, &facts, &plan).unwrap_err();
            let text = format!("{error} {}", error.hint_text().unwrap_or_default());
            assert!(text.contains(&format!("alpha for {platform} ")), "{text}");
            assert!(text.contains(expected), "expected {expected:?} in {text}");
            assert!(text.contains(&format!("skip-checks = [\"{name}\"]")), "{text}");
            let skipped = BinaryCheck::ALL.iter().find(|(known, _)| *known == name).unwrap().1;
            let plan = Requirements { skip_checks: vec![skipped], ..plan.clone() };
            check("alpha", platform, &facts, &plan).unwrap();
        }
    }
}
