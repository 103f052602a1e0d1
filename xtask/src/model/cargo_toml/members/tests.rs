//! Tests of `members`: the forms that people write a workspace in.

use super::{is_covered, with_excluded, with_member, with_service};

/// Checks that adding a member changes the list `before` to `after`, and nothing around it.
#[track_caller]
fn check(before: &str, after: &str) {
    let around = |list: &str| {
        format!("# Top.\n[workspace] # here\nresolver = \"3\"\n{list}\n[workspace.lints] # end\n")
    };
    let made = with_member(&around(before), "services/new").unwrap();
    assert_eq!(made, around(after), "{before}");
    assert!(is_covered(&made, "services/new").unwrap(), "{made}");
}

#[test]
fn a_member_is_added_where_the_list_is_and_nothing_else_changes() {
    check("members = [\"a\"]", "members = [\"a\", \"services/new\"]");
    check("members = [\"a\", ] # c", "members = [\"a\", \"services/new\", ] # c");
    check("members=['a','b']", "members=['a','b', \"services/new\"]");
    check("members = []", "members = [\"services/new\"]");
    check("members = [\n]", "members = [\"services/new\"\n]");
    check("members = [ # none yet\n]", "members = [\"services/new\" # none yet\n]");
    check(
        "members = [\n    \"a\", # one, two\n    \"b\", # [three]\n    # last\n]",
        "members = [\n    \"a\", # one, two\n    \"b\", # [three]\n    \"services/new\",\n    # last\n]",
    );
    check(
        "members = [\n\t\"a\",\n\t\"b\" # no comma, yet\n]",
        "members = [\n\t\"a\",\n\t\"b\", # no comma, yet\n\t\"services/new\"\n]",
    );
    check(
        "members = [\n  \"a\", \"b\",\n  \"c\"]",
        "members = [\n  \"a\", \"b\",\n  \"c\",\n  \"services/new\"]",
    );
    check("members = [\"a\", # first\n]", "members = [\"a\", # first\n    \"services/new\",\n]");
    check(
        "members = [\n  \"a\"\n  # odd\n  , # comma\n]",
        "members = [\n  \"a\"\n  # odd\n  , # comma\n  \"services/new\",\n]",
    );
    check("members = [\n  \"]\", '#'\n]", "members = [\n  \"]\", '#',\n  \"services/new\"\n]");
}

#[test]
fn other_forms_of_a_workspace_are_understood_or_refused() {
    let rows = [
        ("[workspace]", Some("[workspace]\nmembers = [\"services/new\"]\n")),
        (
            "[ workspace ] # w\nresolver = \"3\"\n",
            Some("[ workspace ] # w\nmembers = [\"services/new\"]\nresolver = \"3\"\n"),
        ),
        ("workspace.members = [\"a\"]\n", Some("workspace.members = [\"a\", \"services/new\"]\n")),
        (
            "workspace = { members = [\"a\"] }\n",
            Some("workspace = { members = [\"a\", \"services/new\"] }\n"),
        ),
        (
            "[workspace]\r\nmembers = [\r\n  \"a\",\r\n]\r\n",
            Some("[workspace]\r\nmembers = [\r\n  \"a\",\r\n  \"services/new\",\r\n]\r\n"),
        ),
        // Nowhere to put it.
        ("workspace = { resolver = \"3\" }\n", None),
        ("[workspace.metadata.xtask]\n", None),
        ("[package]\nname = \"a\"\n", None),
        ("[workspace]\nmembers = \"a\"\n", None),
    ];
    for (text, expected) in rows {
        match (with_member(text, "services/new"), expected) {
            (Ok(made), Some(expected)) => assert_eq!(made, expected, "{text}"),
            (Err(error), None) => assert!(error.to_string().contains("`members`"), "{error}"),
            (got, expected) => panic!("{text}: {got:?}, not {expected:?}"),
        }
    }
}

#[test]
fn a_folder_is_excluded_in_the_same_way() {
    for (text, expected) in [
        ("[workspace]\nmembers = [\"a\"]\n", "[workspace]\nexclude = [\"x\"]\nmembers = [\"a\"]\n"),
        ("[workspace]\nexclude = [\"b\"] # why\n", "[workspace]\nexclude = [\"b\", \"x\"] # why\n"),
    ] {
        assert_eq!(with_excluded(text, "x").unwrap(), expected);
    }
}

#[test]
fn a_pattern_covers_what_it_covers_for_cargo() {
    let rows = [
        ("members = [\"services/*\"]", "services/a", true),
        ("members = [\"services/*\"]", "services/a/b", false),
        ("members = [\"services/**\"]", "services/a/b", true),
        ("members = [\"./services/*/\"]", "services/a", true),
        ("members = [\"*\"]", "services/a", false),
        ("members = [\"services/a\"]", "services/a", true),
        ("members = [\"services/ab\"]", "services/a", false),
        ("members = [\"services/[ab]\"]", "services/a", true),
        ("", "services/a", false),
    ];
    for (members, path, expected) in rows {
        let covered = is_covered(&format!("[workspace]\n{members}\n"), path).unwrap();
        assert_eq!(covered, expected, "{members} {path}");
    }
    let refused = [
        ("[package]\nname = \"a\"\n", "no [workspace]"),
        ("[workspace]\nexclude = [\"services\"]\n", "`exclude` has \"services\""),
        ("[workspace]\nexclude = [\"./services/a/\"]\n", "`exclude` has"),
    ];
    for (text, expected) in refused {
        let error = is_covered(text, "services/a").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(!is_covered("[workspace]\nexclude = [\"services/ab\"]\n", "services/a").unwrap());
}

#[test]
fn a_service_is_added_to_the_list_in_the_table() {
    let around = |list: &str| {
        format!(
            "[workspace]\nmembers = [\"*\"]\n\n[workspace.metadata.xtask]\n{list} # end\nbucket = \"b\"\n"
        )
    };
    for (before, after) in [
        ("services = [\"a\"]", "services = [\"a\", \"new\"]"),
        ("services = []", "services = [\"new\"]"),
        (
            "services = [\n  \"crates/*\", # all\n  \"api:worker\",\n]",
            "services = [\n  \"crates/*\", # all\n  \"api:worker\",\n  \"new\",\n]",
        ),
    ] {
        assert_eq!(with_service(&around(before), "new").unwrap(), around(after), "{before}");
    }
    for text in ["[workspace]\n", "[workspace.metadata.xtask]\nservices = \"a\"\n"] {
        let error = with_service(text, "new").expect_err(text);
        assert!(error.to_string().contains("the list `services` stands in a form"), "{error}");
    }
}
