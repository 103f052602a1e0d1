//! The oldest Rust that xtask and the libraries promise in their Cargo.toml.

use std::process::Command;

use crate::support::{installed_cargo, root, run, target_dir};

/// Compiles them, because clippy knows which items of the standard library are too new, but not which
/// expressions are.
#[test]
#[ignore = "compiles xtask with another compiler, where that is installed"]
fn xtask_and_the_libraries_compile_with_it() {
    let Some(cargo) = installed_cargo("1.88.0") else { return };
    for package in ["xtask", "foundation/catalog", "foundation/s3", "foundation/service"] {
        let text = std::fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
        assert!(text.contains("rust-version = \"1.88\""), "{package}");
    }
    let line = "check --quiet --locked -p bowline-xtask -p bowline-service --all-features";
    let mut command = Command::new(&cargo);
    command.args(line.split(' ')).current_dir(root());
    command.env("RUSTC", cargo.with_file_name("rustc")).env_remove("RUSTUP_TOOLCHAIN");
    command.env("CARGO_TARGET_DIR", target_dir().join("minimum-rust"));
    run(&mut command, line).exits(0);
}
