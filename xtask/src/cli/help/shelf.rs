//! The texts of the verbs that look into the bucket.

/// `cargo xtask list --help`.
pub const LIST: &str = "\
Usage: cargo xtask list [SERVICE] [--prefix P] [--bucket B] [--region R] [--endpoint URL]
                        [--signature v4|v2] [--explain] [--json]

Prints the releases in the bucket, by service, newest upload first: version, commit, time since the
upload, size of all archives, platforms, and in brackets the channels that name it.

  --prefix P        the folder in the bucket that every key begins with; else `prefix` in Cargo.toml
  --bucket B, --region R, --endpoint URL, --signature WHICH, --explain
                    as in upload, and credentials come from where upload finds them
  --json            one document on stdout; everything else on stderr

Examples:
  cargo xtask list
  cargo xtask list janitor --json
";

/// `cargo xtask presign --help`.
pub const PRESIGN: &str = "\
Usage: cargo xtask presign SERVICE [--version V | --channel C] [--platform P] [--expires S]
                           [--prefix P] [--bucket B] [--region R] [--endpoint URL]
                           [--signature v4|v2] [--explain] [--json]

Prints a URL with which anyone can download the archive of a release until it expires, and on the
next line the sha256 to compare it with, from the release's manifest object. The object is asked
first whether it is that archive.

  --version V       the release; default the one that was uploaded last
  --channel C       the release that the channel names, see promote
  --platform P      such as linux_arm64; default linux_amd64
  --expires S       after so many seconds, 1 to 604800; default 3600. Temporary credentials expire
                    when they do, and the URL with them
  --prefix P        the folder in the bucket that every key begins with; else `prefix` in Cargo.toml
  --bucket B, --region R, --endpoint URL, --signature WHICH, --explain
                    as in upload, and credentials come from where upload finds them
  --json            one document on stdout; everything else on stderr

Examples:
  cargo xtask presign janitor
  cargo xtask presign janitor --version abc123 --platform linux_arm64 --expires 600 --json
";

/// `cargo xtask fetch --help`.
pub const FETCH: &str = "\
Usage: cargo xtask fetch SERVICE [--version V | --channel C] [--platform P] [--into DIR]
                         [--prefix P] [--bucket B] [--region R] [--endpoint URL]
                         [--signature v4|v2] [--explain] [--json]

Downloads the archive of a release, compares its size and sha256 with the release's manifest object
before the file gets its name, and unpacks it beside that: only if it holds nothing but files and
folders, all of them below DIR. Files of the archive replace what has their names; everything else
in DIR stays as it is. Prints the paths of the archive and of what was in it.

  --version V       the release; default the one that was uploaded last
  --channel C       the release that the channel names, see promote
  --platform P      such as linux_arm64; default linux_amd64
  --into DIR        where to, made where it is not there; default the current folder
  --prefix P        the folder in the bucket that every key begins with; else `prefix` in Cargo.toml
  --bucket B, --region R, --endpoint URL, --signature WHICH, --explain
                    as in upload, and credentials come from where upload finds them
  --json            one document on stdout; everything else on stderr

Examples:
  cargo xtask fetch janitor --into /tmp/janitor
  cargo xtask fetch janitor --version abc123 --platform darwin_arm64
";

/// `cargo xtask promote --help`.
pub const PROMOTE: &str = "\
Usage: cargo xtask promote SERVICE VERSION --to CHANNEL [--by WHO] [--prefix P] [--bucket B]
                           [--region R] [--endpoint URL] [--signature v4|v2] [--explain] [--json]
       cargo xtask promote SERVICE --to CHANNEL --rollback [OPTION]...

Lets a channel, such as stable, name a release; list, presign and fetch know it by that. Every
archive of the release has to be in the bucket. A channel is the object
SERVICE/channels/CHANNEL.json, which keeps its last 20 entries: version, commit, digests, who, when,
what was replaced. It is written only if it is still what was read: of two at once, one fails.

  --to CHANNEL      1 to 63 lower-case letters, digits and hyphens
  --rollback        back to the entry before, if its archives are still in the bucket
  --by WHO          who does it; else $CIRCLE_USERNAME, $USER
  --prefix P        the folder in the bucket that every key begins with; else `prefix` in Cargo.toml
  --bucket B, --region R, --endpoint URL, --signature WHICH, --explain
                    as in upload, and credentials come from where upload finds them
  --json            one document on stdout; everything else on stderr

A server that cannot write on a condition (OpenStack Swift answers 501) is an error. One that
ignores the condition (Garage, old MinIO) lets the later of two win.

Examples:
  cargo xtask promote janitor abc123 --to stable
  cargo xtask promote janitor --to stable --rollback
";
