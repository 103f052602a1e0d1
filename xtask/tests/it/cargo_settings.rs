//! What a team's own settings of cargo do to a build: flags that zig refuses, and another platform.

use catalog::Platform;

use crate::support::{Repo, host};

/// Puts the flag into each place in turn, in a service with a name of its own: one that was linked would be up to
/// date for the next place.
#[test]
fn a_linker_flag_that_zig_refuses_is_named_with_the_place_that_it_comes_from() {
    let flags = "[\"-Clink-arg=-Wl,--of-a-file\"]";
    let in_file = Repo::new(&["configured"]);
    let config = format!("[target.x86_64-unknown-linux-gnu]\nrustflags = {flags}\n");
    in_file.write(".cargo/config.toml", &config);
    let file = in_file.path().canonicalize().unwrap().join(".cargo/config.toml");
    in_file
        .xtask("dist")
        .exits(101)
        .says("configured: zig, which links, does not know `--of-a-file`")
        .says(&format!("the flag comes from {}: remove it there", file.display()));

    let mut in_variable = Repo::new(&["flagged"]);
    in_variable.set("RUSTFLAGS", "-Clink-arg=-Wl,-z,of-a-variable");
    in_variable
        .xtask("dist")
        .exits(101)
        .says("flagged: zig, which links, does not know `-z of-a-variable`")
        .says("the flag comes from the variable RUSTFLAGS: remove it there");

    let in_script = Repo::new(&["directed"]);
    let script = "fn main() {\n    println!(\"cargo::rustc-link-arg=-Wl,--of-a-script=7\");\n}\n";
    in_script.write("services/directed/build.rs", script);
    in_script
        .xtask("dist")
        .exits(101)
        .says("directed: zig, which links, does not know `--of-a-script`")
        .says("the flag comes from the build script of directed: remove it there");
}

#[test]
fn another_platform_in_cargos_configuration_changes_neither_dist_nor_the_local_server() {
    let repo = Repo::new(&["alpha"]);
    let other = Platform::ALL.into_iter().find(|one| *one != host()).unwrap();
    repo.write(".cargo/config.toml", &format!("[build]\ntarget = \"{}\"\n", other.triple()));
    // In the place of the server: a program that can be started and ends at once.
    let server = "[package]\nname = \"local-s3\"\nedition = \"2024\"\n";
    repo.write("tools/local-s3/Cargo.toml", server);
    repo.write("tools/local-s3/src/main.rs", "fn main() {}\n");
    let workspace = std::fs::read_to_string(repo.path().join("Cargo.toml")).unwrap();
    repo.write("Cargo.toml", &workspace.replace("\"services/*\"", "\"services/*\", \"tools/*\""));
    repo.lock();
    repo.xtask(&format!("dist alpha --platforms {}", host())).exits(0);
    assert_eq!(repo.manifest()["artifacts"][0]["platform"], host().as_str());
    repo.xtask("upload --local").says("the local S3 server did not print the line");
}
