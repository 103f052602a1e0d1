//! Tests of `services`.

use serde_json::{Value, json};

use super::{Candidate, cover, find, possible_entries};
use crate::model::config::PackageConfig;
use crate::model::service_entry::ServiceEntry;

/// Makes a package in `folder`, which is named like the folder's last part.
fn package(folder: &str, bins: &[&str], table: &Value) -> Candidate {
    let name = folder.rsplit('/').next().unwrap();
    let metadata = if table.is_null() { Value::Null } else { json!({ "xtask": table }) };
    Candidate {
        name: name.into(),
        dir: format!("/r/{folder}").into(),
        folder: Some(folder.into()),
        bins: bins.iter().map(|&bin| bin.into()).collect(),
        config: PackageConfig::read(name, &metadata).unwrap(),
        is_for_development: false,
    }
}

fn entries(texts: &[&str]) -> Vec<ServiceEntry> {
    texts.iter().map(|text| ServiceEntry::parse(text).unwrap()).collect()
}

/// Returns the services as `name = package:binary`, or the error with its hint.
fn found(texts: Option<&[&str]>, packages: &[Candidate]) -> Result<String, String> {
    let entries = texts.map(entries);
    match find(entries.as_deref(), packages) {
        Ok(services) => {
            let show = |service: &crate::model::workspace::Service| {
                format!("{} = {}:{}", service.name, service.package, service.bin)
            };
            Ok(services.iter().map(show).collect::<Vec<_>>().join(", "))
        }
        Err(error) => Err(format!("{error}; {}", error.hint_text().unwrap_or_default())),
    }
}

fn workspace() -> Vec<Candidate> {
    let fuzz = package("crates/fuzz", &["parse"], &Value::Null);
    vec![
        package("crates/api", &["server", "worker"], &Value::Null),
        package("crates/billing", &["billd"], &Value::Null),
        package("crates/lib", &[], &Value::Null),
        Candidate { is_for_development: true, ..fuzz },
        package("server", &["serve"], &Value::Null),
    ]
}

#[test]
fn entries_select_binaries_and_packages_name_them() {
    let all = "billing = billing:billd, server = api:server, worker = api:worker";
    let rows: [(Option<&[&str]>, &str); 9] = [
        (None, ""),
        (Some(&["billing"]), "billing = billing:billd"),
        (Some(&["api"]), "server = api:server, worker = api:worker"),
        (Some(&["api:worker"]), "api = api:worker"),
        (Some(&["api:worker", "api:server"]), "server = api:server, worker = api:worker"),
        (Some(&["crates/*"]), all),
        (Some(&["crates/*", "billing", "api:worker"]), all),
        (Some(&["./server"]), "server = server:serve"),
        // Its name selects what patterns leave out.
        (Some(&["fuzz", "server"]), "fuzz = fuzz:parse, server = server:serve"),
    ];
    for (texts, expected) in rows {
        assert_eq!(found(texts, &workspace()).as_deref(), Ok(expected), "{texts:?}");
    }
    let possible = ["api:server", "api:worker", "billing", "server"];
    assert_eq!(possible_entries(&workspace()), possible);
    assert!(possible_entries(&workspace()[2..3]).is_empty());
}

#[test]
fn patterns_match_below_the_root_and_the_root_is_a_dot() {
    let root = package("app", &["app"], &Value::Null);
    let beside = package("beside", &["beside"], &Value::Null);
    let packages =
        [Candidate { folder: Some(String::new()), ..root }, Candidate { folder: None, ..beside }];
    for (text, expected) in [(".", "app = app:app"), ("beside", "beside = beside:beside")] {
        assert_eq!(found(Some(&[text]), &packages).as_deref(), Ok(expected), "{text}");
    }
    let error = found(Some(&["*"]), &packages).unwrap_err();
    assert!(error.contains("no package with a binary lies in such a folder"), "{error}");
}

#[test]
fn without_entries_all_below_services_is_shipped() {
    let packages = [
        package("services/a", &["a"], &Value::Null),
        package("services/group/b", &["b"], &Value::Null),
        package("services/lib", &[], &Value::Null),
        package("tools/c", &["c"], &Value::Null),
    ];
    assert_eq!(found(None, &packages).unwrap(), "a = a:a, b = b:b");
}

#[test]
fn tables_choose_and_rename_binaries() {
    let rows = [
        (json!({"bin": "worker"}), "api = api:worker"),
        (json!({"bin": "worker", "name": "jobs"}), "jobs = api:worker"),
        (
            json!({"binaries": {"worker": {"name": "jobs"}}}),
            "jobs = api:worker, server = api:server",
        ),
    ];
    for (table, expected) in rows {
        let packages = [package("crates/api", &["server", "worker"], &table)];
        assert_eq!(found(Some(&["crates/*"]), &packages).as_deref(), Ok(expected), "{table}");
    }
    // A binary's own fields go before the package's.
    let table = json!({
        "features": ["tls"], "include": ["conf"], "skip": true,
        "binaries": {"worker": {"features": [], "skip": false, "platforms": "linux"}},
    });
    let packages = [package("api", &["server", "worker"], &table)];
    let services = find(Some(&entries(&["api"])), &packages).unwrap();
    let [server, worker] = services.as_slice() else { panic!("{services:?}") };
    assert!(server.config.skip && server.config.features == ["tls"]);
    assert!(!worker.config.skip && worker.config.features.is_empty());
    assert_eq!(worker.config.include, ["conf"]);
    assert_eq!(worker.config.platforms.as_ref().map(Vec::len), Some(2));
}

#[test]
fn what_names_nothing_says_what_may_be_meant() {
    let rows = [
        ("biling", "no package of the workspace is named biling; did you mean `billing`? "),
        ("worker", "; it is a binary of the package api: write \"api:worker\""),
        ("lib", "services = \"lib\": the package has no binary; the binaries of the workspace are"),
        ("api:wroker", "no binary wroker; did you mean `worker`? its binaries are server, worker"),
        ("lib:x", "the package has no binary; "),
        ("apps/*", "no package with a binary lies in such a folder; the binaries of the workspace"),
        ("crates/lib/", "no package with a binary lies in such a folder"),
        ("nothing", "are api:server, api:worker, billing, server"),
    ];
    for (text, expected) in rows {
        let error = found(Some(&[text]), &workspace()).expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
    let mut packages = workspace();
    packages[4].name = "my-server".into();
    let error = found(Some(&["server"]), &packages[2..]).unwrap_err();
    assert!(error.contains("is named my-server: write \"my-server\", or \"./server\""), "{error}");
}

#[test]
fn a_table_that_would_do_nothing_is_refused() {
    let rows = [
        (
            "api",
            json!({}),
            "",
            "does not lie below services/, so it is no service; add services = [\"services/**\", \"api\"]",
        ),
        (
            "api",
            json!({}),
            "other",
            "no entry of `services` names the package, so it is no service; add \"api\"",
        ),
        ("", json!({}), "other", "the package has no binary, so it is no service"),
        (
            "a b",
            json!({"name": "x"}),
            "api",
            "name = \"x\", but several binaries are shipped: a, b; name each",
        ),
        (
            "a b",
            json!({"binaries": {"c": {}}}),
            "api",
            "binaries: the package has no binary \"c\"; its binaries are a, b",
        ),
        (
            "a b",
            json!({"binaries": {"b": {}}}),
            "api:a",
            "binaries.b: this binary is not shipped; add \"api:b\"",
        ),
        (
            "wrk",
            json!({"bin": "work"}),
            "api",
            "bin: the package has no binary \"work\"; did you mean `wrk`?",
        ),
    ];
    for (bins, table, entry, expected) in rows {
        let bins: Vec<_> = bins.split_whitespace().collect();
        let texts = [entry];
        let texts = (!entry.is_empty()).then_some(&texts[..]);
        let packages =
            [package("crates/api", &bins, &table), package("other", &["other"], &Value::Null)];
        let error = found(texts, &packages).expect_err(expected);
        assert!(error.starts_with("[package.metadata.xtask] of api: "), "{error}");
        assert!(error.contains(expected), "{table}: {error}");
    }
}

#[test]
fn two_equal_names_are_refused_with_both() {
    let packages = [
        package("a", &["server", "worker"], &Value::Null),
        package("b", &["b"], &json!({"name": "worker"})),
    ];
    let error = found(Some(&["*"]), &packages).unwrap_err();
    assert!(
        error.starts_with(
            "two services are named worker: the binary worker of the package a, and the binary b of the package b; "
        ),
        "{error}"
    );
}

#[test]
fn a_new_package_is_covered_by_its_name_or_its_folder() {
    let rows: [(Option<&[&str]>, bool); 5] = [
        (None, true),
        (Some(&["services/*"]), true),
        (Some(&["fresh"]), true),
        (Some(&["crates/*", "other"]), false),
        (Some(&["fresh:fresh"]), false),
    ];
    for (texts, expected) in rows {
        let entries = texts.map(entries);
        assert_eq!(cover(entries.as_deref(), "fresh", "services/fresh"), expected, "{texts:?}");
    }
}
