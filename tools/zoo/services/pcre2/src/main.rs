//! Matches with PCRE2.

fn main() {
    let regex = pcre2::bytes::Regex::new(r"(?<=a )(\w+)$").expect("a regex");
    let found = regex.captures(b"this is a bowline").expect("a search").expect("a match");
    println!("PCRE2 {:?}: {}", pcre2::version(), String::from_utf8_lossy(&found[1]));
}
