//! What packages take from the Cargo.toml of the workspace's root, as inputs of build keys.

use serde_json::Value;

use crate::model::build_key::Input;

/// Returns what every member takes: the profile with those that it inherits from, the resolver, and replaced packages.
pub fn of_all(root: &Value, profile: &str) -> Vec<Input> {
    let mut inputs = Vec::new();
    let mut add = |name: String, value: &Value| {
        if !value.is_null() {
            inputs.push(Input::of(format!("Cargo.toml: {name}"), value.to_string().as_bytes()));
        }
    };
    let (mut profile, mut seen) = (profile, Vec::new());
    while !seen.contains(&profile) {
        seen.push(profile);
        let table = &root["profile"][profile];
        add(format!("profile.{profile}"), table);
        let Some(inherited) = table["inherits"].as_str() else { break };
        profile = inherited;
    }
    for table in ["patch", "replace", "cargo-features"] {
        add(table.to_owned(), &root[table]);
    }
    add("workspace.resolver".into(), &root["workspace"]["resolver"]);
    // A root that is a package chooses the resolver by its edition.
    add("package.resolver".into(), &root["package"]["resolver"]);
    add("package.edition".into(), &root["package"]["edition"]);
    inputs
}

/// Returns the fields of the root that a package inherits for what it is compiled from: not those of tests.
pub fn inherited(package: &Value, root: &Value) -> Vec<Input> {
    let workspace = &root["workspace"];
    let mut inputs = Vec::new();
    let mut add = |table: &str, fields: &Value| {
        for (name, value) in fields.as_object().into_iter().flatten() {
            if value["workspace"] == true {
                let value = workspace[table][name].to_string();
                let name = format!("Cargo.toml: workspace.{table}.{name}");
                inputs.push(Input::of(name, value.as_bytes()));
            }
        }
    };
    add("package", &package["package"]);
    let of_platforms = package["target"].as_object().into_iter().flatten().map(|(_, table)| table);
    for table in std::iter::once(package).chain(of_platforms) {
        // Cargo accepts the name with `_`, too.
        for name in ["dependencies", "build-dependencies", "build_dependencies"] {
            add("dependencies", &table[name]);
        }
    }
    if package["lints"]["workspace"] == true {
        let lints = workspace["lints"].to_string();
        inputs.push(Input::of("Cargo.toml: workspace.lints", lints.as_bytes()));
    }
    inputs
}

#[cfg(test)]
mod tests {
    use super::{inherited, of_all};
    use crate::model::build_key::Input;
    use crate::model::cargo_toml;

    const ROOT: &str = "\
[workspace]
resolver = \"3\"
[workspace.package]
edition = \"2024\"
license = \"MIT\"
[workspace.dependencies]
serde = \"1\"
tempfile = \"3\"
cc = \"1\"
[workspace.lints.rust]
unsafe_code = \"deny\"
[profile.release]
strip = true
[profile.shipped]
inherits = \"release\"
[profile.dev]
debug = false
[patch.crates-io]
serde = { path = \"serde\" }
";
    const PACKAGE: &str = "\
[package]
name = \"a\"
edition.workspace = true
[lints]
workspace = true
[dependencies]
serde.workspace = true
[target.'cfg(unix)'.build-dependencies]
cc = { workspace = true, features = [\"parallel\"] }
[dev-dependencies]
tempfile.workspace = true
";

    fn names(inputs: &[Input]) -> Vec<&str> {
        inputs.iter().filter_map(|input| input.name.strip_prefix("Cargo.toml: ")).collect()
    }

    #[test]
    fn only_what_a_package_uses_of_the_root_counts_for_it() {
        let parse = |text: &str| cargo_toml::parse(text, "Cargo.toml").unwrap();
        let root = parse(ROOT);
        let of_package = inherited(&parse(PACKAGE), &root);
        let expected = ["package.edition", "dependencies.serde", "dependencies.cc", "lints"];
        assert_eq!(names(&of_package), expected.map(|name| format!("workspace.{name}")));
        let shipped = ["profile.shipped", "profile.release", "patch", "workspace.resolver"];
        assert_eq!(names(&of_all(&root, "shipped")), shipped);
        let other = parse(&ROOT.replace("serde = \"1\"", "serde = \"1.0.200\""));
        let moved = inherited(&parse(PACKAGE), &other);
        let differ: Vec<_> = of_package.iter().zip(&moved).filter(|(a, b)| a != b).collect();
        assert_eq!(differ.len(), 1, "{differ:?}");
    }
}
