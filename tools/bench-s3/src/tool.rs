//! The tools that are compared.

use std::fmt;

/// A program that uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// The client of `foundation/s3` alone.
    Ours,
    /// The whole `xtask` program.
    Xtask,
    S5cmd,
    Aws,
    Rclone,
    /// curl, which signs without the payload.
    Curl,
    /// openssl for the digests, and curl that signs them.
    SignedCurl,
}

impl Tool {
    /// Returns whether the tool is one that ours is compared with.
    pub(crate) fn is_peer(self) -> bool {
        !matches!(self, Self::Ours | Self::Xtask)
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ours => "ours",
            Self::Xtask => "xtask",
            Self::S5cmd => "s5cmd",
            Self::Aws => "aws",
            Self::Rclone => "rclone",
            Self::Curl => "curl",
            Self::SignedCurl => "curl+sha256",
        })
    }
}
