//! Tests `dist` with what compilers and macros may print among cargo's messages.

use crate::support::Repo;

/// Prints a line that is no UTF-8, and one that is no message of cargo's. Cargo replaces such bytes in what a compiler
/// prints, so on Linux they also go straight to cargo's own stdout.
const NOISY: &str = r#"
use std::io::Write as _;

#[proc_macro]
pub fn noise(_: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let noise = b"\xff\xfe not text\n{\"reason\": 7}\n";
    std::io::stdout().write_all(noise).unwrap();
    if cfg!(target_os = "linux") {
        let cargo = format!("/proc/{}/fd/1", std::os::unix::process::parent_id());
        let stdout = std::fs::File::options().write(true).open(cargo);
        stdout.unwrap().write_all(noise).unwrap();
    }
    proc_macro::TokenStream::new()
}
"#;

#[test]
fn what_a_macro_prints_does_not_end_the_build() {
    let repo = Repo::new(&["alpha"]);
    let package = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{rest}")
    };
    repo.write("services/noisy/Cargo.toml", &package("noisy", "[lib]\nproc-macro = true\n"));
    repo.write("services/noisy/src/lib.rs", NOISY);
    // In the sandbox, a macro does not reach cargo's stdout.
    let dependency = "[dependencies]\nnoisy = { path = \"../noisy\" }\n\n\
                      [package.metadata.xtask]\nsandbox = false\n";
    repo.write("services/listener/Cargo.toml", &package("listener", dependency));
    // Another text each time: the macro prints where it is compiled, and not where all is up to date.
    let folder = repo.path().display();
    let main = format!("noisy::noise!();\n\nfn main() {{\n    // {folder}\n}}\n");
    repo.write("services/listener/src/main.rs", &main);
    repo.lock();
    repo.commit("a macro that prints");
    repo.xtask("dist listener").exits(0);
    assert_eq!(repo.manifest()["artifacts"][0]["service"], "listener");
}
