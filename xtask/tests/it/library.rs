//! Checks that the page about a program with verbs of its own has the example that is compiled as a
//! test of `xtask::main_with`.

use crate::support::tree::read;

/// Returns the example on the page, a whole main.rs.
pub(crate) fn example() -> String {
    let page = read("docs/new-repository.md");
    let section = page.split_once("## Verbs of your own").expect("the section").1;
    let code = section.split_once("```rust\n").expect("the example").1;
    code.split_once("```").expect("its end").0.to_owned()
}

#[test]
fn the_example_on_the_page_is_the_one_that_is_compiled() {
    let library = read("xtask/src/lib.rs");
    let code = library.split_once("/// ```no_run\n").expect("the example").1;
    let code = code.split_once("/// ```").expect("its end").0;
    let line = |line: &str| line.trim_start_matches("///").trim_start_matches(' ').to_owned();
    // The comment's lines are indented by one blank more, which the page has not.
    let of_library: Vec<_> = code.lines().map(line).collect();
    let of_page: Vec<_> = example().lines().map(|text| text.trim_start().to_owned()).collect();
    assert_eq!(of_library, of_page);
}
