//! Plays `deploy/ansible` on hosts of a kind: with releases that were built and uploaded, a
//! supervisor, and a service that answers.

mod greeter;
mod host;
mod supervisor;
mod tools;
mod written;

use serde_json::json;

use greeter::Releases;
use host::Host;

#[test]
#[ignore = "installs ansible-core, builds a service and deploys it"]
fn a_deployed_release_serves_and_serves_again_when_the_next_one_fails() {
    let releases = Releases::new();
    let [first, second, third] = ["healthy", "healthy", "refuses"].map(|it| releases.publish(it));
    let mut host = Host::new();
    let look = |host: &Host, version: &str| {
        let version = format!("service_version={version}");
        host.play(&releases, &["--check", "--diff", "--extra-vars", &version]).succeeds()
    };

    look(&host, &first).counts("changed=2");
    assert!(!host.path("opt").exists(), "looking made it");
    host.deploy(&releases, &first).succeeds();
    assert_eq!(host.get(), format!("it's \"$5\" {first}"));
    let process = host.pid();
    host.deploy(&releases, &first).succeeds().counts("changed=0");
    look(&host, &first).counts("changed=0");
    assert_eq!(host.pid(), process, "it was restarted without a change");

    releases.repo.xtask(&format!("promote greeter {second} --to stable --by me")).exits(0);
    look(&host, &second).counts("changed=1");
    assert_eq!(host.get(), format!("it's \"$5\" {first}"), "looking switched it");
    host.play(&releases, &[]).succeeds();
    assert_eq!(host.get(), format!("it's \"$5\" {second}"));

    let failed = format!(
        "greeter {third} did not become healthy (Wait until it is healthy: Status code was 503"
    );
    let outcome =
        format!("{second} serves again, with the settings it had. The failed release stays in ");
    host.deploy(&releases, &third).fails(&[&failed, &outcome]).counts("rescued=1");
    assert_eq!(host.get(), format!("it's \"$5\" {second}"));
    assert_eq!(host.current().as_ref(), Some(&second));
    host.play(&releases, &[]).succeeds().counts("changed=0");

    host.set("service_environment", json!({ "LISTEN": host.address(), "GREETING": "hi" }));
    host.play(&releases, &[]).succeeds();
    assert_eq!(host.get(), format!("hi {second}"));
    host.knows_no_secret(&releases);

    // The first has the same program and files.
    host.set("service_skip_restart", json!(true));
    let process = host.pid();
    let same = |what: &str| format!("same program as {second}, which {what}");
    host.deploy(&releases, &first).succeeds().says(&same("keeps running"));
    host.deploy(&releases, &first).succeeds().counts("changed=0");
    assert_eq!((host.current(), host.pid()), (Some(first.clone()), process));
    assert_eq!(host.get(), format!("hi {second}"), "the process is the one before");
    // The third has another file.
    host.deploy(&releases, &third).fails(&[&same("is restarted"), &failed]);
    assert_eq!(host.get(), format!("hi {first}"));
    host.set("service_environment", json!({ "LISTEN": host.address(), "GREETING": "ho" }));
    host.deploy(&releases, &second).succeeds();
    assert_eq!(host.get(), format!("ho {second}"), "it needs a restart for other settings");
    host.deploy(&releases, &first).succeeds();
    assert_eq!(host.get(), format!("ho {second}"));
    host.set("service_skip_restart", json!(false));
    host.deploy(&releases, &first).succeeds();
    assert_eq!(host.get(), format!("ho {first}"), "what is not restarted any more was left behind");
}

#[test]
#[ignore = "installs ansible-core, builds a service and deploys it"]
fn going_back_restores_the_settings_too() {
    let releases = Releases::new();
    let [first, second] = ["healthy", "healthy"].map(|it| releases.publish(it));
    let mut host = Host::new();
    let environment = |listen: &str| json!({ "LISTEN": listen, "GREETING": "open sesame" });
    let (good, bad) = (environment(&host.address()), environment("nowhere"));

    host.set("service_environment", bad.clone());
    let stop = host.set("service_stop_command", json!(["false"]));
    host.deploy(&releases, &first)
        .fails(&["did not become healthy", "stopping the service failed: nothing healthy serves"]);
    assert_eq!(host.current(), None);
    host.set("service_stop_command", stop);
    host.set("service_environment", good.clone());
    host.deploy(&releases, &first).succeeds().hides("open sesame");
    let written = std::fs::read_to_string(host.path("opt/environment")).unwrap();

    // A new release, then the old one: neither can listen there.
    host.set("service_environment", bad);
    for version in [&second, &first] {
        let outcome = format!("{first} serves again, with the settings it had.");
        host.deploy(&releases, version)
            .fails(&[&format!("greeter {version} did not become healthy"), &outcome])
            .hides("open sesame");
        assert_eq!(host.get(), format!("open sesame {first}"));
        assert_eq!(host.current().as_ref(), Some(&first));
        assert_eq!(std::fs::read_to_string(host.path("opt/environment")).unwrap(), written);
    }
    host.set("service_environment", good);
    host.deploy(&releases, &first).succeeds().counts("changed=0");
}

#[test]
#[ignore = "installs ansible-core, builds a service and looks at its deployment"]
fn the_role_refuses_an_account_that_exists_already() {
    let releases = Releases::new();
    let first = releases.publish("healthy");
    let mut host = Host::new();
    let version = format!("service_version={first}");
    host.set("service_user_create", json!(true));
    for (user, list, text) in [
        (
            "daemon",
            r#"{"service_users_of_hosts": []}"#,
            "daemon is an account of this host already",
        ),
        ("daemon", "{}", "no user that hosts have already"),
        ("root", "{}", "service_user is not root"),
    ] {
        host.set("service_user", json!(user));
        // The role only runs in check mode here, since this is an account of this machine.
        let arguments = ["--check", "--extra-vars", &version, "--extra-vars", list];
        host.play(&releases, &arguments).fails(&[text]);
    }
    host.set("service_user", json!("nobody-has-this-name"));
    host.play(&releases, &["--check", "--extra-vars", &version]).succeeds();
}

#[test]
#[ignore = "installs ansible-core, builds a service and deploys it"]
fn a_refused_deployment_leaves_the_current_release() {
    let releases = Releases::new();
    let [first, changed] = ["healthy", "healthy"].map(|it| releases.publish(it));
    let mut host = Host::new();
    host.deploy(&releases, &first).succeeds();
    let process = host.pid();

    // The object's metadata is unchanged: only the bytes differ.
    let mut bytes = std::fs::read(releases.archive(&changed)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(releases.archive(&changed), bytes).unwrap();
    releases.publish_as(&first, "dddddd");
    let was_not_installed = "was not installed, and nothing was switched: ";
    let says = format!("its greeter says \"greeter {first} (commit ");
    for (version, texts) in [
        (changed.as_str(), [was_not_installed, "did not match "]),
        ("dddddd", [was_not_installed, says.as_str()]),
        ("eeeeee", ["presign greeter", "no release eeeeee of greeter"]),
    ] {
        host.deploy(&releases, version).fails(&texts);
    }
    let note = host.path("opt/releases").join(&first).join(".archive.sha256");
    std::fs::write(&note, "0".repeat(64)).unwrap();
    host.deploy(&releases, &first).fails(&["was made from an archive with sha256 000000"]);
    host.unset("service_health_url");
    host.deploy(&releases, &first).fails(&["missing required arguments: service_health_url"]);

    assert_eq!(host.releases(), std::slice::from_ref(&first));
    assert!(!host.path("opt/incoming").exists());
    assert_eq!((host.current(), host.pid()), (Some(first), process));
    host.knows_no_secret(&releases);
}

#[test]
#[ignore = "installs ansible-core, builds a service and deploys it"]
fn a_worker_has_to_stay_up_and_old_releases_are_removed() {
    let releases = Releases::new();
    let [broken, first, fading, second, third] =
        ["ends", "healthy", "fades", "healthy", "healthy"].map(|it| releases.publish(it));
    let mut host = Host::new();
    host.set("service_health_url", json!(""));
    host.set("service_stays_up", json!(3));
    host.set("service_keep_releases", json!(2));

    host.deploy(&releases, &broken).fails(&["the service is stopped: nothing serves."]);
    assert_eq!((host.current(), host.pid()), (None, 0));
    host.deploy(&releases, &first).succeeds();
    host.deploy(&releases, &fading)
        .fails(&["did not become healthy", &format!("{first} serves again")]);
    assert_eq!(host.get(), format!("it's \"$5\" {first}"));
    let sorted = |names: &[&String]| {
        let mut names: Vec<_> = names.iter().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(host.releases(), sorted(&[&broken, &first, &fading]), "they can be looked at");
    host.deploy(&releases, &second).succeeds();
    assert_eq!(host.releases(), sorted(&[&first, &second]));
    // What a run leaves that was killed while it removed old releases.
    for rest in [host.path("opt/releases").join(&third), host.path("opt/releases/ffffff")] {
        std::fs::create_dir(&rest).unwrap();
        std::fs::write(rest.join("rest"), "").unwrap();
    }
    host.deploy(&releases, &third).succeeds();
    assert_eq!(host.releases(), sorted(&[&second, &third]));
    assert!(!host.path("opt/releases").join(&third).join("rest").exists());

    // What a run leaves that was killed before the restart.
    std::fs::remove_file(host.path("opt/current")).unwrap();
    std::os::unix::fs::symlink(format!("releases/{second}"), host.path("opt/current")).unwrap();
    host.deploy(&releases, &second).succeeds().counts("changed=2");
    assert_eq!(host.get(), format!("it's \"$5\" {second}"));
    assert_eq!(host.releases(), sorted(&[&second, &third]), "the one before stays");
}
