//! Judges programs for macOS by sources that did not make the table: what programs on `PyPI` bind that were linked with
//! Apple's SDK and run on Macs, what the generated bindings of `PyObjC` declare, and what gopsutil looks up by name.
//!
//! A second implementation, LLVM's `llvm-objdump`, reads the programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::sources::RE_EXPORTS;

/// Packages on `PyPI`, each with programs or extensions for macOS. Those of `PyObjC` have lists of what frameworks export,
/// too.
const WHEELS: [&str; 24] = [
    "cryptography",
    "deltalake",
    "glfw",
    "granian",
    "grpcio",
    "hf-xet",
    "lxml",
    "maturin",
    "netifaces",
    "psutil",
    "py-spy",
    "pycurl",
    "pynacl",
    "pyobjc-core",
    "pyobjc-framework-Cocoa",
    "pyobjc-framework-CoreServices",
    "pyobjc-framework-DiskArbitration",
    "pyobjc-framework-FSEvents",
    "pyobjc-framework-OpenDirectory",
    "pyobjc-framework-Security",
    "pyobjc-framework-SystemConfiguration",
    "sentry-cli",
    "uv",
    "watchdog",
];
/// The kinds of machine that a wheel may be for. `pip` takes the first that a package has.
const MACHINES: [&str; 8] = [
    "macosx_11_0_arm64",
    "macosx_12_0_arm64",
    "macosx_14_0_arm64",
    "macosx_10_9_universal2",
    "macosx_10_12_universal2",
    "macosx_10_13_universal2",
    "macosx_11_0_universal2",
    "macosx_10_12_x86_64",
];
const PYTHONS: [&str; 3] = ["313", "312", "39"];
/// The Go module that looks up by name what few others use.
const GOPSUTIL: &str = "github.com/shirou/gopsutil/v4@v4.26.10";

/// A library's name, as `llvm-objdump` shortens it, and a symbol.
type Binding = (String, String);

/// Prints what the other sources say about each program. Fails where one of them contradicts.
pub(crate) fn run(programs: &[String]) -> anyhow::Result<()> {
    ensure!(!programs.is_empty(), "judge: expected Mach-O programs");
    let folder = Path::new("target/apple-symbols");
    let wheels = wheels(folder)?;
    let mut paths = BTreeMap::<String, BTreeSet<String>>::new();
    let mut known = BTreeSet::new();
    for program in wheels.iter().filter(|path| is_mach_o(path)) {
        let libraries = libraries(program)?;
        let names: BTreeSet<_> = libraries.iter().map(|path| shortened(path)).collect();
        // Not those of libraries that the package brings.
        let of_system = |(library, _): &Binding| names.contains(library.as_str());
        known.extend(bindings(program)?.into_iter().filter(of_system));
        for path in libraries {
            paths.entry(short(&path).to_owned()).or_default().insert(path);
        }
    }
    let bound = known.len();
    for file in wheels.iter().filter(|path| path.ends_with("_metadata.py")) {
        known.extend(declared(file)?);
    }
    let declared = known.len() - bound;
    let looked_up = looked_up()?;
    println!(
        "{bound} bindings of published programs, {declared} more of PyObjC, {} of gopsutil",
        looked_up.len()
    );
    known.extend(looked_up);
    let mut is_right = true;
    for program in programs {
        is_right &= judge(Path::new(program), &known, &paths)?;
    }
    ensure!(is_right, "a program contradicts what the other sources say");
    Ok(())
}

/// Stands in the output of `llvm-objdump` for the library of a symbol that is looked for in all of them.
const FLAT: &str = "flat-namespace";

fn judge(
    program: &Path,
    known: &BTreeSet<Binding>,
    paths: &BTreeMap<String, BTreeSet<String>>,
) -> anyhow::Result<bool> {
    let header = objdump(&["--macho", "--private-header"], program)?;
    ensure!(header.contains("TWOLEVEL"), "{}: not linked by library and symbol", program.display());
    let bindings = bindings(program)?;
    ensure!(!bindings.is_empty(), "{}: binds nothing", program.display());
    let (mut confirmed, mut unknown, mut wrong) = (0, Vec::new(), Vec::new());
    for (library, symbol) in &bindings {
        let others: Vec<_> = known.iter().filter(|(_, name)| name == symbol).collect();
        let passed_on = RE_EXPORTS.iter().find(|(name, _)| name == library);
        let passed_on = passed_on.map_or(&[][..], |(_, others)| others);
        let is_right = |name: &str| {
            name == library
                || passed_on.iter().any(|other| name.trim_start_matches("lib") == *other)
        };
        if others.iter().any(|(name, _)| is_right(name)) {
            confirmed += 1;
        } else if library == FLAT || !others.is_empty() {
            let others: Vec<_> = others.iter().map(|(name, _)| name.as_str()).collect();
            wrong.push(format!("{symbol} of {library}; others have it from {}", others.join(", ")));
        } else {
            unknown.push(format!("{symbol} of {library}"));
        }
    }
    for path in libraries(program)? {
        match paths.get(short(&path)) {
            Some(others) if !others.contains(&path) => {
                wrong.push(format!("{path}; others load {others:?}"));
            }
            Some(_) => {}
            None => unknown.push(format!("the library {path}")),
        }
    }
    println!(
        "{}: {confirmed} of {} bindings confirmed, {} contradicted, {} known to nobody else",
        program.display(),
        bindings.len(),
        wrong.len(),
        unknown.len()
    );
    for line in wrong.iter().chain(&unknown) {
        println!("  {line}");
    }
    Ok(wrong.is_empty())
}

/// Fetches the wheels and unpacks them, where that was not done before. Returns all their files.
fn wheels(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for name in WHEELS {
        let unpacked = folder.join(name);
        if !unpacked.is_dir() {
            let download = folder.join(format!("{name}.download"));
            let fetched = PYTHONS.iter().any(|python| {
                let mut pip = Command::new("python3");
                pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]);
                pip.args(["--python-version", python, "--dest"]).arg(&download).arg(name);
                pip.args(MACHINES.iter().flat_map(|machine| ["--platform", machine]));
                pip.output().is_ok_and(|output| output.status.success())
            });
            ensure!(fetched, "pip found no wheel of {name} for macOS");
            let mut files = Vec::new();
            list(&download, &mut files)?;
            for wheel in files {
                let mut unzip = Command::new("python3");
                unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked);
                ensure!(unzip.status()?.success(), "unpacking {}", wheel.display());
            }
            fs::remove_dir_all(&download)?;
        }
        list(&unpacked, &mut found)?;
    }
    Ok(found)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() { list(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

/// Returns whether the file is a Mach-O file, of one architecture or of several.
fn is_mach_o(path: &Path) -> bool {
    let start = fs::read(path).unwrap_or_default();
    start.starts_with(&[0xcf, 0xfa, 0xed, 0xfe]) || start.starts_with(&[0xca, 0xfe, 0xba, 0xbe])
}

fn objdump(options: &[&str], file: &Path) -> anyhow::Result<String> {
    let program = std::env::var("LLVM_OBJDUMP").unwrap_or_else(|_| "llvm-objdump".to_owned());
    let output = Command::new(&program).args(options).arg(file).output();
    let output = output.with_context(|| {
        format!("running {program}: install LLVM, or name its program by LLVM_OBJDUMP")
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {said}(LLVM 15 or newer is needed)", file.display());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns what the program binds, in every architecture and every form in which a file says it.
fn bindings(program: &Path) -> anyhow::Result<BTreeSet<Binding>> {
    let options = ["--macho", "--arch", "all", "--bind", "--lazy-bind", "--dyld-info"];
    let text = objdump(&options, program)?;
    // segment, section, address, …, library, symbol; and `(weak import)` behind it.
    let read = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let symbol = words.iter().rposition(|word| word.starts_with('_'))?;
        let is_row = words.iter().any(|word| word.starts_with("0x")) && symbol > 3;
        is_row.then(|| (words[symbol - 1].to_owned(), words[symbol].to_owned()))
    };
    Ok(text.lines().filter_map(read).collect())
}

/// Returns the paths of the system's libraries that the program loads.
fn libraries(program: &Path) -> anyhow::Result<BTreeSet<String>> {
    let text = objdump(&["--macho", "--arch", "all", "--dylibs-used"], program)?;
    let paths = text.lines().filter_map(|line| line.trim().split(" (").next());
    let of_system = |path: &&str| ["/usr/lib/", "/System/"].iter().any(|at| path.starts_with(at));
    Ok(paths.filter(of_system).map(str::to_owned).collect())
}

fn short(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Returns the name that `llvm-objdump` has for a library: `libz` for `/usr/lib/libz.1.dylib`.
fn shortened(path: &str) -> &str {
    let name = short(path);
    let name = name.strip_suffix(".dylib").unwrap_or(name);
    match name.rsplit_once('.') {
        Some((start, version)) if version.len() == 1 => start,
        _ => name,
    }
}

/// Reads the functions and constants that a module of `PyObjC` declares.
fn declared(file: &Path) -> anyhow::Result<BTreeSet<Binding>> {
    let text = fs::read_to_string(file)?;
    let names: Vec<_> = file.iter().filter_map(|part| part.to_str()).collect();
    let module = names.iter().rev().nth(1).context("a module lies in a folder")?;
    let library = match *module {
        "FSEvents" => "CoreServices",
        _ if names.contains(&"CoreServices") => "CoreServices",
        module => module,
    };
    let functions = text.lines().filter_map(|line| {
        let (name, rest) = line.trim().strip_prefix('"')?.split_once('"')?;
        rest.starts_with(": (").then_some(name)
    });
    let constants = text.split("constants = \"\"\"").skip(1).flat_map(|rest| {
        rest.split("\"\"\"")
            .next()
            .unwrap_or_default()
            .split('$')
            .map(|one| one.split('@').next().unwrap_or_default())
    });
    let symbols = functions.chain(constants).filter(|name| !name.is_empty());
    Ok(symbols.map(|name| (library.to_owned(), format!("_{name}"))).collect())
}

/// Returns what gopsutil looks up by name; nothing where Go is not installed.
fn looked_up() -> anyhow::Result<BTreeSet<Binding>> {
    let mut go = Command::new("go");
    let Ok(output) = go.args(["mod", "download", "-json", GOPSUTIL]).current_dir("/").output()
    else {
        return Ok(BTreeSet::new());
    };
    let json: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let folder = json["Dir"].as_str().context("`go mod download` names a folder")?;
    let text = fs::read_to_string(Path::new(folder).join("internal/common/common_darwin.go"))?;
    let names = text.split(".library, \"").skip(1).filter_map(|rest| rest.split('"').next());
    let library = |name: &str| match name {
        _ if name.starts_with("CF") => Some("CoreFoundation"),
        _ if name.starts_with("IO") => Some("IOKit"),
        _ => None,
    };
    Ok(names.filter_map(|name| Some((library(name)?.to_owned(), format!("_{name}")))).collect())
}
