//! What several services need stands in crates of this folder: one for each thing, used by
//! `NAME.workspace = true`. This one is an example; replace it by the first that is needed.

/// Greets a person by name, or everyone where the name is blank.
///
/// ```
/// assert_eq!(greeting::greet("Ada"), "Hello, Ada!");
/// assert_eq!(greeting::greet(" "), "Hello!");
/// ```
pub fn greet(who: &str) -> String {
    match who.trim() {
        "" => "Hello!".to_owned(),
        who => format!("Hello, {who}!"),
    }
}

#[cfg(test)]
mod tests {
    use super::greet;

    #[test]
    fn a_greeting_names_who_is_greeted() {
        for (who, expected) in [(" Ada ", "Hello, Ada!"), ("", "Hello!")] {
            assert_eq!(greet(who), expected, "{who:?}");
        }
    }
}
