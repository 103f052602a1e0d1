//! Checks the files of `deploy/ansible` without a host: by ansible-lint, by systemd, and against
//! the README.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use super::tools::Tools;
use crate::support::tree::{files, read};
use crate::support::{root, run};

const FOLDER: &str = "xtask/templates/deploy/ansible";

#[test]
#[ignore = "installs ansible-lint"]
fn ansible_lint_finds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("linted");
    for path in files().iter().filter(|path| path.starts_with(FOLDER)) {
        let to = copy.join(Path::new(path).strip_prefix(FOLDER).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(root().join(path), to).unwrap();
    }
    let mut lint = Tools::install().command("ansible-lint", folder.path());
    lint.args(["--offline", "--strict"]).current_dir(&copy);
    // The linter gets no network for what it would still download.
    lint.envs([("HTTP_PROXY", "http://127.0.0.1:9"), ("HTTPS_PROXY", "http://127.0.0.1:9")]);
    run(&mut lint, "ansible-lint")
        .exits(0)
        .says("Profile 'production' was required, and it passed");
}

#[test]
#[ignore = "installs ansible-core"]
fn systemd_accepts_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let role = root().join(FOLDER).join("roles/service");
    let unit = folder.path().join("greeter.service");
    let program = folder.path().join("opt/current/greeter");
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut template = Tools::install().command("ansible", folder.path());
    template.arg("--extra-vars").arg(format!("@{}", role.join("defaults/main.yml").display()));
    let variables = [
        ("service_name", "greeter".to_owned()),
        ("service_root", folder.path().join("opt").display().to_string()),
    ];
    for (name, value) in variables {
        template.args(["--extra-vars", &format!("{name}={value}")]);
    }
    let source = role.join("templates/unit.j2");
    let words = format!("src={} dest={}", source.display(), unit.display());
    template.args(["localhost", "--module-name", "ansible.builtin.template", "--args", &words]);
    run(&mut template, "ansible").exits(0);
    let written = std::fs::read_to_string(&unit).unwrap();
    let start = format!("ExecStart={}\n", program.display());
    let condition = format!("ConditionPathExists={}/opt/current\n", folder.path().display());
    for line in [
        start.as_str(),
        condition.as_str(),
        "User=greeter\n",
        "NoNewPrivileges=yes\n",
        "ProtectSystem=strict\n",
        " AF_NETLINK\n",
    ] {
        assert!(written.contains(line), "no {line} in\n{written}");
    }
    for words in [&["verify"][..], &["security", "--offline=true", "--threshold=20"]] {
        let mut analyze = Command::new("systemd-analyze");
        match analyze.args(words).arg(&unit).output() {
            Ok(output) => {
                // It complains of other units of this machine, too.
                let said = String::from_utf8_lossy(&output.stderr);
                let is_silent = !said.contains("greeter.service");
                assert!(output.status.success() && is_silent, "{words:?}: {said}");
            }
            Err(error) => {
                // The unit cannot be checked on this machine. The message goes past the test
                // harness, which hides the output of a test that passes.
                let text = "systemd's opinion of the unit was not asked: systemd-analyze";
                writeln!(std::io::stderr(), "\nwarning: {text}: {error}").unwrap();
            }
        }
    }
}

/// Checks that the unit allows netlink sockets, by which libc's `getifaddrs` asks the kernel for
/// the interfaces.
#[test]
fn a_service_may_list_its_network_interfaces() {
    let unit = read(&format!("{FOLDER}/roles/service/templates/unit.j2"));
    let families = unit.lines().find_map(|line| line.strip_prefix("RestrictAddressFamilies="));
    let families: Vec<_> = families.expect("families").split(' ').collect();
    for family in ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"] {
        assert!(families.contains(&family), "{family} is not in {families:?}");
    }
}

#[test]
fn the_role_makes_no_user_that_new_refuses() {
    let variables = read(&format!("{FOLDER}/roles/service/vars/main.yml"));
    let list = variables.split_once("service_users_of_hosts:\n").expect("the list").1;
    let list: Vec<_> = list.lines().map_while(|line| line.strip_prefix("  - ")).collect();
    assert_eq!(list, xtask::model::names::OF_HOSTS);
    let wanted = read(&format!("{FOLDER}/roles/service/tasks/wanted.yml"));
    assert!(wanted.contains("service_user not in service_users_of_hosts"), "{wanted}");
}

#[test]
fn every_variable_is_explained_and_checked() {
    let defaults = read(&format!("{FOLDER}/roles/service/defaults/main.yml"));
    let specified = read(&format!("{FOLDER}/roles/service/meta/argument_specs.yml"));
    let readme = read(&format!("{FOLDER}/README.md"));
    let names: Vec<_> = defaults
        .lines()
        .filter(|line| line.starts_with("service_"))
        .filter_map(|line| line.split_once(':').map(|(name, _)| name))
        .collect();
    assert!(names.len() > 10, "{names:?}");
    // A variable without a default is required: a forgotten health URL must be an error, not a
    // shorter check.
    for name in ["service_name", "service_health_url"] {
        assert!(!names.contains(&name), "{name} has a default");
        let option = specified.split_once(&format!("      {name}:\n")).expect(name).1;
        let option = option.split("\n      service_").next().unwrap();
        assert!(option.contains("\n        required: true"), "{name}: {option}");
        assert!(readme.contains(&format!("| `{name}` | |")), "README.md has no row for {name}");
    }
    for name in names {
        assert!(readme.contains(&format!("| `{name}` |")), "README.md has no row for {name}");
        // The host's facts are not known yet when variables are checked.
        let is_checked = specified.contains(&format!("      {name}:\n"));
        assert_eq!(is_checked, name != "service_platform", "argument_specs.yml: {name}");
    }
}
