//! The kinds of failure, and the three tables that follow from a kind.

use std::fmt;

/// The kind of a failure: who can correct it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The command line or the request is malformed: its author corrects it.
    Usage,
    /// Configuration, environment or local state is not what the work needs: who set it up corrects it.
    Config,
    /// Data from outside does not hold what it should: its producer corrects it.
    Invalid,
    /// The thing named does not exist.
    NotFound,
    /// The thing is there already, in another form, or someone else changed it first.
    Conflict,
    /// The credentials are wrong or do not suffice.
    Denied,
    /// A server answered with a refusal that repeating the call does not change.
    Refused,
    /// A server could not be reached or could not answer now: the same call may work later.
    Unavailable,
    /// A server asks for fewer calls: the same call works later, after a longer wait.
    Throttled,
    /// A check or a compiler said no: the code under test has to be corrected.
    Failed,
    /// A fault of this program.
    Bug,
}

impl Kind {
    /// Every kind, in the order of their declaration.
    pub const ALL: [Self; 11] = [
        Self::Usage,
        Self::Config,
        Self::Invalid,
        Self::NotFound,
        Self::Conflict,
        Self::Denied,
        Self::Refused,
        Self::Unavailable,
        Self::Throttled,
        Self::Failed,
        Self::Bug,
    ];

    /// Returns whether the same call, made again later, may work.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Throttled)
    }

    /// Returns the exit code of a command that ends with this failure: 1 a server refused or could not be
    /// reached, 2 usage, 3 configuration or environment, 101 a failed check or a bug (what cargo
    /// and a panicking Rust program answer).
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::NotFound
            | Self::Conflict
            | Self::Denied
            | Self::Refused
            | Self::Unavailable
            | Self::Throttled => 1,
            Self::Usage => 2,
            Self::Config | Self::Invalid => 3,
            Self::Failed | Self::Bug => 101,
        }
    }

    /// Returns the HTTP status of a response that reports this failure (RFC 9110, section 15).
    ///
    /// A failure on the server's side never has a status of the client's (4xx): [`Kind::Config`],
    /// [`Kind::Failed`] and [`Kind::Bug`] are 500, [`Kind::Refused`] is 502.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Usage => 400,
            Self::Denied => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Invalid => 422,
            Self::Throttled => 429,
            Self::Config | Self::Failed | Self::Bug => 500,
            Self::Refused => 502,
            Self::Unavailable => 503,
        }
    }

    /// Returns the kind's name as logs and JSON write it, in `snake_case`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Config => "config",
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
            Self::Bug => "bug",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn every_kind_has_its_exit_code_and_status() {
        // One row a kind, so that a new kind cannot be added without deciding all three.
        let rows = [
            (Kind::Usage, 2, 400, false),
            (Kind::Config, 3, 500, false),
            (Kind::Invalid, 3, 422, false),
            (Kind::NotFound, 1, 404, false),
            (Kind::Conflict, 1, 409, false),
            (Kind::Denied, 1, 403, false),
            (Kind::Refused, 1, 502, false),
            (Kind::Unavailable, 1, 503, true),
            (Kind::Throttled, 1, 429, true),
            (Kind::Failed, 101, 500, false),
            (Kind::Bug, 101, 500, false),
        ];
        assert_eq!(rows.map(|row| row.0), Kind::ALL, "a kind is missing from the table");
        for (kind, exit_code, http_status, retryable) in rows {
            assert_eq!(kind.exit_code(), exit_code, "exit code of {kind}");
            assert_eq!(kind.http_status(), http_status, "HTTP status of {kind}");
            assert_eq!(kind.is_retryable(), retryable, "retryable: {kind}");
        }
    }
}
