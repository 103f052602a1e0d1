//! Checks that the pages about a program with verbs of its own have examples that compile and do what is said.

use crate::support::local::other_repository;
use crate::support::tree::read;
use crate::support::{root, run};

/// Returns the example on the page about new repositories, a whole main.rs.
pub(crate) fn example() -> String {
    code("docs/new-repository.md", "## Verbs of your own", "rust")
}

/// Returns the first code in a language of a section of a page.
fn code(page: &str, section: &str, language: &str) -> String {
    let page = read(page);
    let section = page.split_once(section).expect("the section").1;
    let code = section.split_once(&format!("```{language}\n")).expect("the example").1;
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

#[test]
#[ignore = "builds xtask for another repository"]
fn one_program_has_the_verbs_of_a_team_and_ours_as_the_page_has_it() {
    let repo = other_repository();
    let section = "## Beside an xtask of your own";
    let dependency = code("docs/adopting.md", section, "toml");
    let git = "git = \"https://git.example.com/team/bowline\"";
    assert!(dependency.contains(git), "{dependency}");
    let path = format!("path = {:?}", root().join("xtask"));
    let package = "[package]\nname = \"xtask\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n";
    repo.write("xtask/Cargo.toml", &(package.to_owned() + &dependency.replace(git, &path)));
    repo.write("xtask/src/main.rs", &code("docs/adopting.md", section, "rust"));
    repo.commit("one program");
    let cargo = |line: &str| {
        let arguments: Vec<_> = line.split(' ').collect();
        run(&mut repo.prepare(env!("CARGO"), &arguments), line)
    };
    cargo("xtask codegen").exits(0).prints("generated: src/schema.rs\n");
    cargo("xtask dist --dry-run").exits(0).prints("alpha/alpha_");
    cargo("xtask codegne").exits(2).says("unknown verb `codegne`");
}
