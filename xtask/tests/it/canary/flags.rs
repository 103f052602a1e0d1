//! Checks that flags of the machine are recorded without the secrets in them.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::Repo;

#[test]
fn no_secret_of_the_machine_is_recorded() {
    let mut repo = Repo::new(&["alpha"]);
    let secret = "s3cret0123456789";
    // Runs rustc.
    let wrapper = repo.path().join("pkg").join(secret);
    std::fs::create_dir_all(wrapper.parent().unwrap()).unwrap();
    std::fs::write(&wrapper, "#!/bin/sh\nexec \"$@\"\n").unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    repo.set("RUSTC_WRAPPER", wrapper.to_str().unwrap());
    repo.set("CARGO_REGISTRIES_TEAM_TOKEN", secret);
    repo.set("RUSTFLAGS", &format!("-Cdebuginfo=0 --cfg key=\"{secret}\""));
    repo.set("CFLAGS", &format!("-O1 -DKEY={secret}"));
    let expected = ["CFLAGS=-O1 …", "RUSTC_WRAPPER=…", "RUSTFLAGS=-Cdebuginfo=0 …"];
    for line in ["dist --dry-run", "dist --dry-run --json", "dist"] {
        let run = repo.xtask(line).exits(0);
        let text = run.stdout + &run.stderr;
        assert!(!text.contains(secret), "{line}: {text}");
        assert!(expected.iter().all(|flag| text.contains(flag)), "{line}: {text}");
    }
    let manifest = repo.manifest();
    assert_eq!(manifest["artifacts"][0]["outside_flags"], serde_json::json!(expected));
    assert!(!manifest.to_string().contains(secret), "{manifest}");
}
