//! Matches with Oniguruma.

fn main() {
    let regex = onig::Regex::new(r"(?<=a )(\w+)$").expect("a regex");
    let found = regex.captures("this is a bowline").expect("a match");
    println!("Oniguruma {}: {}", onig::version(), found.at(1).expect("a group"));
}
