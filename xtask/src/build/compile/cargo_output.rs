//! Reads what cargo prints while it compiles, and shows how far it is.
//!
//! Cargo prints one JSON message a line ("External tools" in the cargo book). Other lines are the output
//! of build scripts or macros, and are left out.
//!
//! On a terminal cargo shows its own progress. Elsewhere, as in CI, its line for every crate would be noise,
//! and silence would look like a hang, so one line a minute says how far it is.

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use catalog::Platform;
use serde_json::Value;

use super::failure::{self, CompilerError};
use super::refused_flag::{self, Script};
use crate::system::ui::{self, Ui};

/// A message that the build looks at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// A compiler's diagnostic, as text for a person, and the linker flag that zig refused, where it says so.
    Diagnostic { text: String, refused_flag: Option<String>, error: Option<CompilerError> },
    /// A build script ran, now or in an earlier build.
    Script(Script),
    /// A crate was compiled, or was up to date.
    Crate(Crate),
}

/// A crate that cargo has finished.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Crate {
    /// Cargo's id of its package.
    pub(super) package_id: String,
    pub(super) package: String,
    /// The folder of its package.
    pub(super) dir: PathBuf,
    /// The files that were made of it.
    pub(super) files: Vec<PathBuf>,
    pub(super) target: String,
    /// Whether it was up to date, so that nothing was compiled.
    pub(super) fresh: bool,
    /// The linked file of a binary.
    pub(super) executable: Option<PathBuf>,
}

impl Crate {
    /// Returns whether its package lies in a folder, and not in a registry or a commit.
    pub(super) fn is_local(&self) -> bool {
        self.package_id.starts_with("path+")
    }
}

/// Reads one line; `None` where it is no message that the build looks at.
pub(super) fn read(line: &str) -> Option<Message> {
    let message: Value = serde_json::from_str(line).ok()?;
    match message["reason"].as_str()? {
        "compiler-artifact" => read_crate(&message).map(Message::Crate),
        "compiler-message" => {
            let diagnostic = &message["message"];
            let about_the_sdk = diagnostic["message"].as_str().is_some_and(is_about_the_sdk);
            let rendered = diagnostic["rendered"].as_str().filter(|_| !about_the_sdk)?;
            let refused_flag = refused_flag::find(diagnostic);
            let id = message["package_id"].as_str().unwrap_or_default();
            let krate = format!("{} {}", package_name(id), package_version(id));
            let error = failure::compiler_error(krate, diagnostic);
            Some(Message::Diagnostic { text: rendered.to_owned(), refused_flag, error })
        }
        "build-script-executed" => {
            let package_id = message["package_id"].as_str()?.to_owned();
            let package = package_name(&package_id).to_owned();
            let out_dir = PathBuf::from(message["out_dir"].as_str()?);
            let linked = message["linked_paths"].as_array().into_iter().flatten();
            let path = |text: &str| text.split_once('=').map_or(text, |(_, path)| path).into();
            let linked_paths = linked.filter_map(Value::as_str).map(path).collect();
            Some(Message::Script(Script { package_id, package, out_dir, linked_paths }))
        }
        _ => None,
    }
}

fn read_crate(message: &Value) -> Option<Crate> {
    let target = &message["target"];
    let is_bin = target["kind"].as_array()?.iter().any(|kind| kind == "bin");
    let package_id = message["package_id"].as_str()?;
    let files = message["filenames"].as_array().into_iter().flatten();
    Some(Crate {
        package_id: package_id.to_owned(),
        package: package_name(package_id).to_owned(),
        dir: Path::new(message["manifest_path"].as_str()?).parent()?.to_owned(),
        files: files.filter_map(Value::as_str).map(PathBuf::from).collect(),
        target: target["name"].as_str()?.to_owned(),
        fresh: message["fresh"].as_bool()?,
        executable: message["executable"].as_str().filter(|_| is_bin).map(PathBuf::from),
    })
}

/// Returns whether a diagnostic says that Apple's SDK was not found. It is not needed: zig comes with what the
/// linker reads.
fn is_about_the_sdk(message: &str) -> bool {
    message.starts_with("invoking `\"xcrun\"")
}

/// Returns the name in a package id: after `#` and before `@`, else the last part of the path before `#`.
///
/// Format: the cargo book, "Package ID Specifications".
fn package_name(id: &str) -> &str {
    let (location, fragment) = id.rsplit_once('#').unwrap_or((id, ""));
    match fragment.split_once('@') {
        Some((name, _)) => name,
        None => location.rsplit('/').next().unwrap_or(location),
    }
}

/// Returns the version in a package id: after `@`, else after `#`.
fn package_version(id: &str) -> &str {
    let fragment = id.rsplit_once('#').map_or("", |(_, fragment)| fragment);
    fragment.split_once('@').map_or(fragment, |(_, version)| version)
}

/// The bytes of cargo's stderr that are kept.
const LARGEST_OUTPUT: usize = 16 << 20;

/// The time between two lines of progress.
const INTERVAL: Duration = Duration::from_secs(60);

/// Shows how far cargo is, until it is dropped.
pub(super) struct Progress {
    counts: Arc<Mutex<Counts>>,
    on_terminal: bool,
    /// Dropped to end the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    compiled: usize,
    last: String,
}

impl Progress {
    pub(super) fn start(platform: Platform, on_terminal: bool, ui: &Ui) -> Self {
        let counts = Arc::new(Mutex::new(Counts::default()));
        let mut progress = Self { counts, on_terminal, end: None, thread: None };
        if !on_terminal {
            let (end, ended) = mpsc::channel();
            let (counts, started) = (Arc::clone(&progress.counts), Instant::now());
            let ui = ui.clone();
            progress.end = Some(end);
            progress.thread = Some(thread::spawn(move || {
                while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    if let Ok(counts) = counts.lock() {
                        ui.say("compiling", line(platform, &counts, started.elapsed()));
                    }
                }
            }));
        }
        progress
    }

    /// Counts a crate, if it was compiled.
    pub(super) fn count(&self, finished: &Crate) {
        if let (false, Ok(mut counts)) = (finished.fresh, self.counts.lock()) {
            counts.compiled += 1;
            counts.last.clone_from(&finished.package);
        }
    }

    /// Returns what cargo writes to stderr, and shows it while it is written where `is_shown`.
    pub(super) fn pass_on(mut stderr: impl Read, is_shown: bool) -> String {
        let mut said = Vec::new();
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = stderr.read(&mut buffer) {
            if is_shown {
                let _ = std::io::stderr().lock().write_all(&buffer[..length]);
            }
            // No build script that says why it failed says so much.
            if said.len() < LARGEST_OUTPUT {
                said.extend_from_slice(&buffer[..length]);
            }
        }
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Shows a diagnostic as it is.
    pub(super) fn show_diagnostic(&self, text: &str) {
        // Cargo's progress bar has no line end. It is erased here, and cargo draws it again.
        let clear = if self.on_terminal { "\r\u{1b}[K" } else { "" };
        let _ = write!(std::io::stderr().lock(), "{clear}{text}");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn line(platform: Platform, counts: &Counts, elapsed: Duration) -> String {
    let elapsed = ui::seconds(elapsed);
    match counts {
        Counts { compiled: 0, .. } => format!("{platform}: for {elapsed}"),
        Counts { compiled, last } => {
            format!("{platform}: {compiled} crates, lately {last}, for {elapsed}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use std::path::{Path, PathBuf};

    use catalog::Platform;

    use super::{Counts, Crate, Message, Progress, line, package_name, package_version, read};
    use crate::system::env::Env;
    use crate::system::ui::Ui;

    fn artifact(kind: &str, fresh: bool, executable: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"path+file:///w/services/web#0.1.0",
            "manifest_path":"/w/services/web/Cargo.toml","target":{{"kind":["{kind}"],
            "crate_types":["bin"],"name":"web","src_path":"/w/services/web/src/main.rs",
            "edition":"2024","doc":true,"doctest":false,"test":true}},"profile":{{"opt_level":"3",
            "debuginfo":0,"debug_assertions":false,"overflow_checks":false,"test":false}},
            "features":[],"filenames":["/t/web"],"executable":{executable},"fresh":{fresh}}}"#
        )
        .replace('\n', "")
    }

    #[test]
    fn crates_are_read() {
        let finished = |fresh, executable: Option<&str>| {
            Some(Message::Crate(Crate {
                package_id: "path+file:///w/services/web#0.1.0".into(),
                package: "web".into(),
                dir: "/w/services/web".into(),
                files: vec!["/t/web".into()],
                target: "web".into(),
                fresh,
                executable: executable.map(Into::into),
            }))
        };
        let rows = [
            (artifact("bin", true, "\"/t/web\""), finished(true, Some("/t/web"))),
            (artifact("lib", false, "null"), finished(false, None)),
            // The executable of a build script is not a binary of the package.
            (artifact("custom-build", false, "\"/t/build\""), finished(false, None)),
            (r#"{"reason":"build-finished","success":true}"#.into(), None),
            (r#"{"reason":"of a later cargo"}"#.into(), None),
            ("printed by a macro".into(), None),
            (String::new(), None),
        ];
        for (line, expected) in rows {
            assert_eq!(read(&line), expected, "{line}");
        }
    }

    #[test]
    fn a_build_script_tells_where_it_has_the_linker_look() {
        let line = r#"{"reason":"build-script-executed","package_id":"registry+https://example.org/index#openssl-sys@0.9.118",
            "linked_libs":["static=ssl"],"linked_paths":["native=/t/openssl/3/lib","/usr/lib"],"cfgs":[],"env":[],
            "out_dir":"/t/build/openssl-sys/out"}"#;
        let Some(Message::Script(script)) = read(&line.replace('\n', "")) else {
            panic!("not read")
        };
        assert_eq!(script.package, "openssl-sys");
        for (folder, expected) in [("/t/openssl/3", true), ("/t/openssl/4", false), ("/usr", true)]
        {
            assert_eq!(script.links_below(Path::new(folder)), expected, "{folder}");
        }
    }

    #[test]
    fn every_diagnostic_is_shown_but_the_one_about_the_sdk() {
        let diagnostic = |message: &str| {
            let message =
                serde_json::json!({"message": message, "rendered": "as shown", "level": "warning"});
            let line = serde_json::json!({"reason": "compiler-message", "message": message});
            read(&line.to_string())
        };
        assert_eq!(
            diagnostic("unused variable: `x`"),
            Some(Message::Diagnostic { text: "as shown".into(), refused_flag: None, error: None })
        );
        assert_eq!(diagnostic("invoking `\"xcrun\" \"--sdk\"` to find MacOSX.sdk failed"), None);
    }

    #[test]
    fn names_and_versions_are_read_from_every_form_of_package_id() {
        let rows = [
            ("path+file:///w/services/web#0.1.0", "web 0.1.0"),
            ("path+file:///w/services/folder#web@0.1.0", "web 0.1.0"),
            ("registry+https://example.org/index#ring@0.17.14", "ring 0.17.14"),
            ("git+https://example.org/team/lib?rev=1#lib-core@0.1.0", "lib-core 0.1.0"),
        ];
        for (id, expected) in rows {
            assert_eq!(format!("{} {}", package_name(id), package_version(id)), expected, "{id}");
        }
    }

    #[test]
    fn a_line_of_progress_names_platform_count_and_time() {
        let platform = Platform::ALL[3];
        let counts = Counts { compiled: 57, last: "tokio".into() };
        let two_minutes = Duration::from_secs(2 * 60);
        assert_eq!(
            line(platform, &counts, two_minutes),
            "darwin_arm64: 57 crates, lately tokio, for 2 min 0 s"
        );
        assert_eq!(line(platform, &Counts::default(), two_minutes), "darwin_arm64: for 2 min 0 s");
    }

    #[test]
    fn only_compiled_crates_are_counted_and_the_thread_ends_when_dropped() {
        let ui = Ui::new(&Env::for_test(&[]));
        let progress = Progress::start(Platform::ALL[0], false, &ui);
        for fresh in [true, false, true] {
            let (package, target) = ("serde".to_owned(), "serde".to_owned());
            let package_id = "registry+https://example.org/index#serde@1.0.0".to_owned();
            let (dir, files, executable) = (PathBuf::new(), Vec::new(), None);
            progress.count(&Crate { package_id, package, dir, files, target, fresh, executable });
        }
        assert_eq!(progress.counts.lock().unwrap().compiled, 1);
        // Returns at once, though the thread's next line is a minute away.
        drop(progress);
    }
}
