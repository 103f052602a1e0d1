//! The texts of the verbs that begin something.

/// `cargo xtask new --help`.
pub const NEW: &str = "\
Usage: cargo xtask new NAME [--web | --worker] [--dry-run]

Writes a service into services/NAME, which builds, passes its own test, runs, and is in the next
dist; adds it to the workspace where no pattern such as services/* covers it, and to Cargo.lock. It
has foundation's crates from where xtask comes from. Where sources are vendored and it needs more,
they are vendored again. Nothing that exists is overwritten.

  NAME       up to 32 lower-case letters, digits, `-` and `_`, with a letter first: the package, its
             binary, its folder and its folder in the bucket
  --web      a web service: one route, and health, version and a graceful stop (default)
  --worker   a worker: work that is done again and again, with the same
  --dry-run  print the files and write nothing

Examples:
  cargo xtask new billing
  cargo xtask new reaper --worker
";

/// `cargo xtask init --help`.
pub const INIT: &str = "\
Usage: cargo xtask init [DIR] [--name N] [--github-username U] [--s3-bucket B]
                        [--xtask-git URL | --xtask-path P]

Writes a whole repository: a workspace with its alias, an xtask of three lines, foundation/ with a
first crate, one service, .circleci/config.yml, deploy/, a README, a licence, Cargo.lock and a first
commit. In it, `cargo xtask ship --local` works at once. On a terminal it asks for what is not
given; without one, or with $CI, what is not given takes its default. All or nothing: what cannot be
finished is removed again.

  DIR                  a folder that is not there yet, or empty; default ./N
  --name N             the service, as in new; default oddjob
  --github-username U  whose it is: in README and licence, and of the first commit where git knows
                       no name; default git's `github.user`, else $USER
  --s3-bucket B        the bucket; default builds
  --xtask-git URL      the repository that xtask comes from, by git: other machines can build it
  --xtask-path P       the same, a folder of this machine, as it is named: relative or absolute
                       default: where this workspace has xtask from, by git at the same commit

Examples:
  cargo xtask init ../billing --name billing --s3-bucket builds
  cargo xtask init oddjob --xtask-git https://git.example.com/team/bowline
";
