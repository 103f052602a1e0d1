//! Checks that the CI file passes `vendor/` on to the job that uploads. Cargo fails there if the block exists
//! and the folder does not.

use std::path::Path;

use super::names::FOLDER;
use crate::system::ui::Ui;

const FILE: &str = ".circleci/config.yml";

/// Warns where `.circleci/config.yml` passes folders on and `vendor` is missing among them although sources
/// are vendored, or named although they are not.
pub fn warn(root: &Path, is_vendored: bool, ui: Ui) {
    let text = std::fs::read_to_string(root.join(FILE)).unwrap_or_default();
    if !text.contains("persist_to_workspace") {
        return;
    }
    match (is_vendored, passes_on(&text, &[FOLDER, "."]), passes_on(&text, &[FOLDER])) {
        (true, false, _) => ui.warn(format_args!(
            "{FILE} does not hand on `{FOLDER}`, without which its upload job cannot run: add `- {FOLDER}` to `paths` of persist_to_workspace"
        )),
        (false, _, true) => ui.warn(format_args!(
            "{FILE} hands on `{FOLDER}`, which is gone: take `- {FOLDER}` out of `paths` of persist_to_workspace"
        )),
        _ => {}
    }
}

fn passes_on(text: &str, paths: &[&str]) -> bool {
    let items = text.lines().filter_map(|line| line.trim().strip_prefix("- "));
    items.map(|item| item.split(" #").next().unwrap_or(item).trim().trim_matches(['"', '\''])).any(
        |item| {
            paths.contains(&item.trim_start_matches("./").trim_end_matches('/'))
                || paths.contains(&item)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::passes_on;

    #[test]
    fn a_path_is_found_in_the_forms_that_people_write() {
        for line in
            ["- vendor", "  - vendor/", "- \"vendor\"", "- ./vendor # sources", "- 'vendor/'"]
        {
            assert!(passes_on(&format!("paths:\n{line}\n"), &["vendor"]), "{line}");
        }
        for line in ["- vendored", "# - vendor", "- pkg/vendor", "vendor", "- ."] {
            assert!(!passes_on(&format!("paths:\n{line}\n"), &["vendor"]), "{line}");
        }
        assert!(passes_on("- .\n", &["vendor", "."]));
    }
}
