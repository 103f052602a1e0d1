//! The table of servers: how each is installed and started, and what it does otherwise than others.
//!
//! A new server is a row, a function that starts it, and a test in `tests/it`.

mod ceph;
mod certificates;
mod swift;
mod versity;

use std::fmt;
use std::path::{Path, PathBuf};

use s3::Signature;

use crate::install;
use crate::processes::Processes;

/// A server that others wrote.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// What it is and where it comes from, for `--help`.
    pub(crate) about: &'static str,
    install: Install,
    /// Starts it. The first folder is the one that it was installed below, where it was not
    /// installed for the whole machine; the second is for its state.
    pub(crate) start: fn(&Path, &Path) -> anyhow::Result<Running>,
    /// The signatures that it knows.
    pub(crate) signatures: &'static [Signature],
    pub(crate) expected: Expected,
}

/// Where a server comes from.
enum Install {
    /// `PyPI`: a requirement with an exact version.
    Python(&'static str),
    /// A Go module: a package in it with an exact version, whose program is compiled.
    Go(&'static str),
    /// The distribution: programs that have to be there, and Debian's packages that have them.
    Debian { programs: &'static [&'static str], packages: &'static [&'static str] },
}

/// A server that runs. Dropping it ends its processes.
pub(crate) struct Running {
    _processes: Processes,
    pub(crate) http_port: u16,
    pub(crate) tls_port: u16,
    /// The certificate authority that signed the server's certificate, in PEM.
    pub(crate) ca_bundle: PathBuf,
    /// Made up for this run, and good for nothing but this server's made-up objects.
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

/// The region that every server is told to be in.
pub(crate) const REGION: &str = "us-east-1";
/// Asks for listings with this many objects a page, so that a few objects are several pages.
const PAGE_OBJECTS: u32 = 5;

/// An answer as a check compares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    Done,
    /// The client reports a condition that did not hold.
    Unmet,
    /// Refused with this HTTP status and S3's error code.
    Refused(u16, &'static str),
}

/// What a server does where servers differ: the record of what was seen, compared in every run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    /// The number of objects on a page of a listing.
    pub(crate) page_objects: usize,
    /// PUT with `If-Match` and the object's `ETag`.
    pub(crate) if_match_right: Answered,
    /// PUT with `If-Match` and another `ETag`.
    pub(crate) if_match_wrong: Answered,
    /// PUT with `If-Match` where there is no object.
    pub(crate) if_match_absent: Answered,
    /// `If-None-Match: *` on a multipart upload, which S3 looks at when it is completed.
    pub(crate) large_if_absent: Answered,
    /// A copy with `SigV4`; with `SigV2` all make it.
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
    /// PUT whose body is not the one of its `x-amz-checksum-crc64nvme`.
    pub(crate) wrong_crc64nvme: Answered,
    /// The completion of a multipart upload with the CRC64NVME of another object.
    pub(crate) wrong_whole_crc64nvme: Answered,
    /// Object keys that S3 takes and this server does not, with its answer to a PUT.
    pub(crate) refused_keys: &'static [(&'static str, Answered)],
    /// Object keys that this server stores under another name, because they are paths of files in it.
    pub(crate) renamed_keys: &'static [&'static str],
    /// Says whether the answer arrives that refuses a body on its way: a server that closes the connection with bytes
    /// unread resets it, and its answer may be lost.
    pub(crate) early_refusal_arrives: bool,
    /// GET of a presigned URL after its time.
    pub(crate) presigned_late: (u16, &'static str),
    /// GET of a presigned URL that was changed.
    pub(crate) presigned_changed: (u16, &'static str),
    /// GET that nobody signed.
    pub(crate) unsigned: (u16, &'static str),
}

/// All servers, in the order in which they are tested.
pub(crate) const SERVERS: [Server; 3] = [
    Server {
        name: "swift",
        about: "OpenStack Swift, from PyPI in a virtual environment",
        install: Install::Python(swift::REQUIREMENT),
        start: swift::start,
        signatures: &[Signature::V4, Signature::V2],
        expected: Expected {
            page_objects: PAGE_OBJECTS as usize,
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
            wrong_crc64nvme: Answered::Refused(400, "BadDigest"),
            // It takes what stands there for granted, and keeps no checksums.
            wrong_whole_crc64nvme: Answered::Done,
            refused_keys: &[],
            renamed_keys: &[],
            early_refusal_arrives: true,
            presigned_late: (403, "AccessDenied"),
            presigned_changed: (403, "SignatureDoesNotMatch"),
            // Without a signature it is no request to its S3 interface.
            unsigned: (400, ""),
        },
    },
    Server {
        name: "ceph",
        about: "Ceph's RADOS gateway, from the distribution's packages",
        install: Install::Debian {
            programs: &["ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin"],
            packages: &["ceph-common", "ceph-mon", "ceph-osd", "radosgw"],
        },
        start: ceph::start,
        signatures: &[Signature::V4, Signature::V2],
        expected: Expected {
            page_objects: PAGE_OBJECTS as usize,
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
            // It does not know the header.
            wrong_crc64nvme: Answered::Done,
            wrong_whole_crc64nvme: Answered::Done,
            refused_keys: &[],
            renamed_keys: &[],
            early_refusal_arrives: true,
            presigned_late: (403, "AccessDenied"),
            presigned_changed: (403, "SignatureDoesNotMatch"),
            unsigned: (403, "AccessDenied"),
        },
    },
    Server {
        name: "versity",
        about: "the Versity S3 gateway over a folder, compiled from its Go module",
        install: Install::Go(versity::PACKAGE),
        start: versity::start,
        signatures: &[Signature::V4],
        expected: Expected {
            page_objects: 1000,
            if_match_right: Answered::Done,
            if_match_wrong: Answered::Unmet,
            if_match_absent: Answered::Unmet,
            large_if_absent: Answered::Unmet,
            copy_v4: Answered::Done,
            copy_if_match_wrong: Answered::Refused(412, "PreconditionFailed"),
            creates_once: true,
            wrong_region: Answered::Refused(400, "AuthorizationHeaderMalformed"),
            // As if the object were not there, also in the answer to a HEAD.
            unknown_access_key: Answered::Refused(404, "XAdminUserNotFound"),
            wrong_sha256: Answered::Refused(400, "XAmzContentSHA256Mismatch"),
            wrong_md5: Answered::Refused(400, "BadDigest"),
            wrong_crc64nvme: Answered::Refused(400, "BadDigest"),
            wrong_whole_crc64nvme: Answered::Refused(400, "BadDigest"),
            refused_keys: &[(
                "keys/folder/",
                Answered::Refused(400, "DirectoryObjectContainsData"),
            )],
            renamed_keys: &[
                "keys/double//slash",
                "keys/./dot",
                "keys/../dots",
                "/keys/leading slash",
            ],
            early_refusal_arrives: false,
            presigned_late: (403, "AccessDenied"),
            presigned_changed: (403, "SignatureDoesNotMatch"),
            unsigned: (403, "AccessDenied"),
        },
    },
];

/// Installs a server where it is missing, and openssl, which makes its certificates.
pub(crate) fn install(server: &Server, folder: &Path) -> anyhow::Result<()> {
    install::debian(&["openssl"], &["openssl"])?;
    match server.install {
        Install::Python(requirement) => install::python(requirement, folder),
        Install::Go(package) => install::go(package, folder),
        Install::Debian { programs, packages } => Ok(install::debian(programs, packages)?),
    }
}

/// Makes 32 hex digits that nobody knows beforehand: keyed hashes, keyed anew for every value.
fn random_hex() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let half = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", half(), half())
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
