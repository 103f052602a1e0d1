//! Checks that the reference page of the command line agrees with the table of verbs.

use std::fs;

use crate::support::root;

#[test]
fn the_reference_page_is_up_to_date() {
    let made = xtask::cli::reference::page();
    let kept = fs::read_to_string(root().join("docs/reference.md")).expect("docs/reference.md");
    let differing = made.lines().zip(kept.lines()).find(|(made, kept)| made != kept);
    assert!(
        made == kept,
        "docs/reference.md differs from the table in xtask/src/cli/table, first here: {differing:?}\n\
         renew it with `cargo xtask reference > docs/reference.md`, and look at its difference: \
         it is what users see"
    );
}
