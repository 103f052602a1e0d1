//! What each server does where they differ: the record of what was seen, compared in every run.

use std::fmt;

use ferror::Error;
use s3::Fault;

/// An answer as a test compares it: done, or refused with status and S3's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It was done.
    Done,
    /// The client's own word for a condition that did not hold.
    Unmet,
    /// Refused: HTTP status and code.
    Refused(u16, &'static str),
}

/// One server's behaviour where servers differ.
#[derive(Debug)]
pub(crate) struct Expected {
    /// As the verb names it.
    pub(crate) server: &'static str,
    /// PUT with `If-Match` and the object's `ETag`.
    pub(crate) if_match_right: Answered,
    /// PUT with `If-Match` and another `ETag`.
    pub(crate) if_match_wrong: Answered,
    /// PUT with `If-Match` where there is no object.
    pub(crate) if_match_absent: Answered,
    /// `If-None-Match: *` on a multipart upload, which S3 looks at when it is completed.
    pub(crate) large_if_absent: Answered,
    /// A copy with `SigV4`; with `SigV2` both make it.
    pub(crate) copy_v4: Answered,
    /// A copy with `x-amz-copy-source-if-match` and another `ETag`.
    pub(crate) copy_if_match_wrong: Answered,
    /// Whether of several `If-None-Match: *` in one moment only one is stored.
    pub(crate) creates_once: bool,
    /// GET signed for another region; only `SigV4` signs one.
    pub(crate) wrong_region: Answered,
    /// GET with an access key id that nobody has.
    pub(crate) unknown_access_key: Answered,
    /// PUT whose body is not the one that was signed (`x-amz-content-sha256`).
    pub(crate) wrong_sha256: Answered,
    /// PUT whose body is not the one of its `Content-MD5`.
    pub(crate) wrong_md5: Answered,
    /// Object keys that S3 takes and this server does not, with its answer to a PUT.
    pub(crate) refused_keys: &'static [(&'static str, Answered)],
    /// GET of a presigned URL after its time.
    pub(crate) presigned_late: (u16, &'static str),
    /// GET of a presigned URL that was changed.
    pub(crate) presigned_changed: (u16, &'static str),
    /// GET that nobody signed.
    pub(crate) unsigned: (u16, &'static str),
}

const SERVERS: [Expected; 2] = [
    Expected {
        server: "swift",
        if_match_right: Answered::Refused(501, "NotImplemented"),
        if_match_wrong: Answered::Refused(501, "NotImplemented"),
        if_match_absent: Answered::Refused(501, "NotImplemented"),
        large_if_absent: Answered::Unmet,
        copy_v4: Answered::Done,
        copy_if_match_wrong: Answered::Refused(412, "PreconditionFailed"),
        creates_once: false,
        wrong_region: Answered::Refused(400, "AuthorizationHeaderMalformed"),
        unknown_access_key: Answered::Refused(403, "SignatureDoesNotMatch"),
        wrong_sha256: Answered::Refused(400, "XAmzContentSHA256Mismatch"),
        wrong_md5: Answered::Refused(400, "BadDigest"),
        refused_keys: &[],
        presigned_late: (403, "AccessDenied"),
        presigned_changed: (403, "SignatureDoesNotMatch"),
        // Without a signature it is no request to its S3 interface.
        unsigned: (400, ""),
    },
    Expected {
        server: "ceph",
        // It compares the header, quotes included, with the bare ETag: the client tries the bare one.
        if_match_right: Answered::Done,
        if_match_wrong: Answered::Unmet,
        if_match_absent: Answered::Unmet,
        large_if_absent: Answered::Unmet,
        copy_v4: Answered::Done,
        // It knows no such header.
        copy_if_match_wrong: Answered::Done,
        creates_once: true,
        wrong_region: Answered::Done,
        unknown_access_key: Answered::Refused(403, "InvalidAccessKeyId"),
        wrong_sha256: Answered::Refused(400, "XAmzContentSHA256Mismatch"),
        wrong_md5: Answered::Refused(400, "BadDigest"),
        refused_keys: &[],
        presigned_late: (403, "AccessDenied"),
        presigned_changed: (403, "SignatureDoesNotMatch"),
        unsigned: (403, "AccessDenied"),
    },
];

/// The record of a server.
pub(crate) fn of_server(name: &str) -> &'static Expected {
    SERVERS
        .iter()
        .find(|expected| expected.server == name)
        .unwrap_or_else(|| panic!("S3_TEST_SERVER={name}: add what it does to {}", file!()))
}

/// What an error says that the server answered.
pub(crate) fn refusal(error: &Error) -> String {
    let fault = Fault::of(error);
    let fault = fault.unwrap_or_else(|| panic!("no answer of a server: {error:?}"));
    assert!(
        error.to_string().contains(&fault.code),
        "the message names the server's code: {error}"
    );
    format!("{} {}", fault.status, fault.code)
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Unmet => f.write_str("unmet"),
            Self::Refused(status, code) => write!(f, "{status} {code}"),
        }
    }
}
