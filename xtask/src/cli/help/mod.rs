//! The texts of `--help`. The first paragraph of each is its usage, which a usage error shows.

mod beginnings;
mod shelf;

pub use beginnings::{INIT, NEW};
pub use shelf::{FETCH, LIST, PRESIGN, PROMOTE};

/// The verbs, as an error lists them.
pub const VERBS: &str = "dist, upload, ship, list, presign, fetch, promote, new, init, setup, ci, \
    stamp, vendor, update";

/// `cargo xtask --help`.
pub const MAIN: &str = "\
Usage: cargo xtask VERB [OPTION]...

Build automation for this repository.

Verbs:
  dist     build every service for every platform, stamp the commit in, pack archives
  upload   PUT the archives of the last dist into the bucket
  ship     dist, then upload
  list     the releases in the bucket
  presign  a URL that anyone can download an archive with, and its sha256
  fetch    download an archive, check its sha256, unpack it
  promote  let a channel such as stable name a release, or go one back
  new      write a new service
  init     write a whole repository
  setup    make every platform buildable, or say what is missing
  ci       formatting, clippy, tests
  stamp    print what is stamped into a binary or an archive
  vendor   keep the sources of all dependencies in the repository
  update   move dependencies to newer versions

  cargo xtask VERB --help    a verb's options, with examples; also `cargo xtask help VERB`
  cargo xtask --version      the version of this program

Exit codes:
  0    done
  1    a server refused or could not be reached
  2    the command line is wrong
  3    configuration, plan or environment: an unknown service or platform, a platform that cannot
       be built, a file that differs from the manifest, no credentials, no repository
  101  a compile error or a failed check

An option goes before the environment, that before the table in Cargo.toml, that before the default.
";

/// `cargo xtask dist --help`.
pub const DIST: &str = "\
Usage: cargo xtask dist [SERVICE]... [--platforms LINE] [--dest DIR] [--version V]
                        [--library rustup|distribution] [--strict] [--dry-run] [--json]

Builds the services named, or all, for every platform, writes the commit into the linked binaries
and packs one reproducible .tar.gz per service and platform, and manifest.json last.

  --platforms LINE  which platforms: names such as linux_amd64, or words: separated by blanks they
                    are united, by commas an OS and an architecture are intersected, `!` excludes:
                    `linux_amd64 darwin_arm64`, `linux,!arm darwin`, `linux,amd64`; empty means all
  --dest DIR        where to: DIR/snapshot; default $CIRCLE_ARTIFACTS, else pkg
  --version V       6 to 40 hex digits of HEAD instead of its first 6
  --library WHICH   take the standard library from rustup or from the distribution only
  --strict          another compiler than the pinned one is an error instead of a warning
  --dry-run         print the plan and build nothing
  --json            the manifest (or the plan) on stdout; everything else on stderr

Examples:
  cargo xtask dist                                   all services, all configured platforms
  cargo xtask dist janitor --platforms linux_amd64   one archive
  cargo xtask dist --dry-run                         what would be built, and its object keys
";

/// `cargo xtask upload --help`.
pub const UPLOAD: &str = "\
Usage: cargo xtask upload [SERVICE]... [--dest DIR] [--bucket B] [--region R] [--endpoint URL]
                          [--signature v4|v2] [--local] [--allow-dirty]
                          [--skip-without-credentials] [--jobs N] [--verify] [--timings]
                          [--explain] [--dry-run] [--json]

PUTs the archives that DEST/snapshot/manifest.json lists, then one manifest object per service,
which is what makes a release visible. May be run again at any point, and then sends only what is
missing; what is published never changes.

  --dest DIR        where dist put them; default $CIRCLE_ARTIFACTS, else pkg
  --bucket B        the bucket; else $S3_BUCKET, else `bucket` in Cargo.toml
  --region R        its region; else $AWS_REGION, $AWS_DEFAULT_REGION, `region`, us-east-1
  --endpoint URL    the server, when it is not AWS; else $AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL,
                    `endpoint`
  --signature WHICH v4 (default), or v2 for old servers
  --local           into an S3 server of its own, on a free loopback port, which begins empty and
                    leaves the objects as files below target/local-s3; to serve them again:
                    target/debug/local-s3 --root target/local-s3 --bucket local --stay
  --allow-dirty     publish what was built from uncommitted changes
  --skip-without-credentials
                    without credentials do nothing and succeed (pull requests from forks)
  --jobs N          N requests at once, 1 to 64, as far as 32 MiB of memory reach for their bodies;
                    default by size and count
  --verify          read each object back and compare its digest; put back what a published
                    release names and the bucket has lost or holds otherwise
  --timings         print where the time went
  --explain         print where the credentials come from, and what each earlier source lacked
  --dry-run         print what would be PUT and send nothing
  --json            receipts on stdout; everything else on stderr

Credentials never come from options. S3_KEY and S3_SECRET, else AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, else a profile, a web identity, the container's or the instance's role.

Examples:
  cargo xtask upload --local
  S3_BUCKET=builds cargo xtask upload
  cargo xtask upload --bucket builds --endpoint https://s3.example.net --signature v2
";

/// `cargo xtask ship --help`.
pub const SHIP: &str = "\
Usage: cargo xtask ship [SERVICE]... [OPTION OF dist OR upload]...

dist, then upload, with the options of both; see their --help.

Examples:
  cargo xtask ship --local
  cargo xtask ship janitor --platforms linux --bucket builds
";

/// `cargo xtask setup --help`.
pub const SETUP: &str = "\
Usage: cargo xtask setup [--platforms LINE] [--check] [--library rustup|distribution]

Makes every platform buildable: its standard library by rustup, else from the distribution's
packages, and zig with cargo-zigbuild as linker. dist does the same by itself.

  --platforms LINE  which platforms, as in dist
  --check           install nothing; list what is missing and exit with 3 when something is
  --library WHICH   take the standard library from rustup or from the distribution only

Example:
  cargo xtask setup --check
";

/// `cargo xtask ci --help`.
pub const CI: &str = "\
Usage: cargo xtask ci [--all]

What continuous integration runs: formatting, clippy with warnings as errors, tests.

  --all  also what is slow, installs toolchains or needs servers

Example:
  cargo xtask ci
";

/// `cargo xtask stamp --help`.
pub const STAMP: &str = "\
Usage: cargo xtask stamp FILE... [--json]

Prints what is stamped into a binary, or into the binaries of a .tar.gz.

Example:
  cargo xtask stamp pkg/snapshot/janitor_linux_amd64.tar.gz
";

/// `cargo xtask vendor --help`.
pub const VENDOR: &str = "\
Usage: cargo xtask vendor [--check | --remove]

Copies every source that Cargo.lock names into vendor/, makes cargo read them there by a block in
.cargo/config.toml, and proves that a build needs no network. Commit both. From then on every verb
builds with --frozen instead of --locked. Where the distribution's sources of the standard library
are installed, what those depend on is copied too. Where it fails, everything is as before.

After editing a Cargo.toml run the program that is built already, target/debug/xtask vendor: it
brings Cargo.lock up to date first. Cargo refuses `cargo xtask` while Cargo.lock, a Cargo.toml and
vendor/ disagree, so --check is reached that way too. Warns where .circleci/config.yml hands files
on to another job without vendor/.

  --check   change nothing; exit with 3 where vendor/ and Cargo.lock disagree, where a file was
            changed by hand, or where git ignores one
  --remove  remove vendor/ and the block

Examples:
  cargo xtask vendor
  cargo xtask vendor --check
  target/debug/xtask vendor                     after editing a Cargo.toml
";

/// `cargo xtask update --help`.
pub const UPDATE: &str = "\
Usage: cargo xtask update PATTERN... [--dry-run]

Moves the dependencies that match to the newest versions that the Cargo.toml files allow, prints
each move, `name old -> new`, and vendors again where sources are vendored.

  PATTERN    a name (`tokio`), a name with `*` and `?` (quoted: a shell expands them), or a folder
             below the root with `/...`: all that the packages there depend on, however indirectly;
             one that matches nothing is an error, and nothing is changed
  --dry-run  print the moves and change nothing

Examples:
  cargo xtask update tokio 'serde*'
  cargo xtask update foundation/... --dry-run
  cargo xtask update ./...                      everything
";

/// The first paragraph of a help text.
pub fn usage(text: &'static str) -> &'static str {
    text.split("\n\n").next().unwrap_or(text)
}

/// The help text of a verb; `None` when there is no such verb.
pub fn of(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "dist" => DIST,
        "upload" => UPLOAD,
        "ship" => SHIP,
        "list" => LIST,
        "presign" => PRESIGN,
        "fetch" => FETCH,
        "promote" => PROMOTE,
        "new" => NEW,
        "init" => INIT,
        "setup" => SETUP,
        "ci" => CI,
        "stamp" => STAMP,
        "vendor" => VENDOR,
        "update" => UPDATE,
        _ => return None,
    })
}

/// The long options that a help text's usage names; for `ship`, those of its two verbs.
pub fn options(text: &'static str) -> impl Iterator<Item = &'static str> {
    let parts = match text {
        SHIP => [usage(DIST), usage(UPLOAD), "--help"],
        MAIN => ["--version", "", "--help"],
        text => [usage(text), "", "--help"],
    };
    let ends = |c: char| !(c.is_ascii_lowercase() || c == '-');
    let mut names: Vec<_> = parts
        .into_iter()
        .flat_map(move |part| part.split(ends).filter(|word| word.starts_with("--")))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter()
}
