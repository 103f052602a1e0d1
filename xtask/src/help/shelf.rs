//! The texts of the verbs that look into the bucket.

/// `cargo xtask list --help`.
pub const LIST: &str = "\
Usage: cargo xtask list [SERVICE] [--prefix P] [--bucket B] [--region R] [--endpoint URL]
                        [--signature v4|v2] [--explain] [--json]

Prints the releases in the bucket, by service, newest upload first: version, commit, time since the
upload, size of all archives, platforms.

  --prefix P        the folder in the bucket that every key begins with; else `prefix` in Cargo.toml
  --bucket B, --region R, --endpoint URL, --signature WHICH, --explain
                    as in upload, and credentials come from where upload finds them
  --json            one document on stdout; everything else on stderr

Examples:
  cargo xtask list
  cargo xtask list janitor --json
";
