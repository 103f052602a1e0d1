//! Hides what may be secret in a value that is recorded.
//!
//! **What is recorded is published**, and a value may hold a secret: a token in a wrapper's path, `-DKEY=…`, a
//! path with somebody's name. So a value is recorded word by word, and only words of a known harmless form:
//! settings of code generation, of profiles, and numbers. Every other word is recorded as [`HIDDEN`]. Not even a
//! digest of it is, since a short secret could be guessed from that.

use catalog::Platform;

/// Replaces words that may be secret in what is recorded.
pub(super) const HIDDEN: &str = "…";
/// Settings of code generation whose values are words of rustc's own or names of processors.
const CODEGEN: [&str; 19] = [
    "code-model",
    "codegen-units",
    "control-flow-guard",
    "debug-assertions",
    "debuginfo",
    "embed-bitcode",
    "force-frame-pointers",
    "force-unwind-tables",
    "instrument-coverage",
    "lto",
    "opt-level",
    "overflow-checks",
    "panic",
    "prefer-dynamic",
    "relocation-model",
    "split-debuginfo",
    "strip",
    "target-cpu",
    "target-feature",
];
/// The beginnings of flags of C compilers whose values are words of the compiler's own.
const C_FLAGS: [&str; 4] = ["-O", "-g", "-m", "-std="];
/// A longer word is hidden, and more words are left out: a manifest has a limit too.
const MOST_CHARS: usize = 200;
const MOST_WORDS: usize = 50;

/// Returns a value as it may be published: words that may be secret are hidden.
///
/// `CARGO_ENCODED_RUSTFLAGS` has control characters between flags.
pub(super) fn shown(value: &str) -> String {
    let is_between = |c: char| c.is_whitespace() || c.is_control();
    let words = value.split(is_between).filter(|word| !word.is_empty()).take(MOST_WORDS);
    let mut shown: Vec<_> =
        words.map(|word| if is_harmless_word(word) { word } else { HIDDEN }).collect();
    shown.dedup_by(|a, b| a == b && *a == HIDDEN);
    shown.join(" ")
}

/// Returns whether a word of a value is a number, a word of cargo's or the compiler's own, a triple, or a flag
/// that takes such words.
fn is_harmless_word(word: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-_.,=".contains(c);
    if word.len() > MOST_CHARS || !word.chars().all(is_plain) {
        return false;
    }
    let flag = word.strip_prefix("-C").or_else(|| word.strip_prefix("--codegen=")).unwrap_or(word);
    let name = flag.split('=').next().unwrap_or_default();
    // Profiles say `lto = "thin"`, `debug = 1`, `strip = "symbols"`, `panic = "abort"`.
    let words = [
        "true",
        "false",
        "thin",
        "fat",
        "off",
        "none",
        "full",
        "limited",
        "line-tables-only",
        "symbols",
        "debuginfo",
        "abort",
        "unwind",
        "packed",
        "unpacked",
        "s",
        "z",
    ];
    flag.is_empty()
        || word == "--codegen"
        || CODEGEN.contains(&name)
        || C_FLAGS.iter().any(|prefix| word.starts_with(prefix))
        || words.contains(&word)
        || word.bytes().all(|b| b.is_ascii_digit())
        || Platform::ALL.iter().any(|platform| platform.triple() == word)
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn words_that_may_be_secret_are_hidden() {
        let rows = [
            ("-C target-cpu=native -Clto=fat", "-C target-cpu=native -Clto=fat"),
            ("-O2 -march=native -std=c11", "-O2 -march=native -std=c11"),
            ("3", "3"),
            ("x86_64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"),
            ("/opt/s3cret/sccache", "…"),
            ("s3cret", "…"),
            ("--cfg token=\"s3cret\" -Copt-level=1", "… -Copt-level=1"),
            ("-DTOKEN=s3cret -O1", "… -O1"),
            ("-Clink-arg=-Ls3cret", "…"),
            ("-ffile-prefix-map=/s3cret=.", "…"),
            ("https://user:s3cret@host/", "…"),
        ];
        for (value, expected) in rows {
            assert_eq!(shown(value), expected, "{value}");
        }
    }
}
