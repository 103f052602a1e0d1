//! The commit that is built.

/// A commit as git knows it, and what the work tree holds besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// HEAD's full object name, lower-case hex.
    pub id: String,
    /// The committer's time in seconds since 1970 UTC.
    pub committed_at: i64,
    /// The branch; `None` on a detached HEAD that no variable names.
    pub branch: Option<String>,
    /// `None` for a clean work tree; else 8 hex digits of a digest of everything uncommitted or
    /// untracked, so that two different states never share a version.
    pub dirty: Option<String>,
}
