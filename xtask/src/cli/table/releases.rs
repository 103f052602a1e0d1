//! The verbs that look into the bucket: list, presign, fetch, promote, verify.

use super::Values::{Any, Folders, Services, Words};
use super::location::{CREDENTIALS, bucket_rows};
use super::{Operand, Row, Typed, Verb, no_problem, option, switch, valued, within};
use crate::bucket::releases::{NO_RELEASE_NAMED, ReleaseChoice};
use crate::cli::command::Command;
use crate::cli::values::{
    Given, channel, expires, path, platform, platforms, release, sample, service, text, version,
};
use crate::verbs::{fetch, list, presign, promote, verify};

const PLATFORMS: &[&str] = &[
    "linux_amd64",
    "linux_arm64",
    "darwin_amd64",
    "darwin_arm64",
    "linux_amd64_musl",
    "linux_arm64_musl",
];

pub(super) fn verbs() -> Vec<Verb> {
    vec![list(), presign(), fetch(), promote(), verify()]
}

fn services() -> Vec<Operand> {
    vec![Operand { name: "SERVICE", values: Services, doc: "" }]
}

/// Returns the rows of the options that choose an archive.
fn choice_rows() -> Vec<Row<ReleaseChoice>> {
    vec![
        option(
            "version",
            ("V", Any),
            "the release; this or --channel is required",
            version,
            |o: &mut ReleaseChoice| &mut o.version,
        ),
        option(
            "channel",
            ("C", Any),
            "the release that the channel names, see promote",
            channel,
            |o: &mut ReleaseChoice| &mut o.channel,
        )
        .or(),
        option(
            "platform",
            ("P", Words(PLATFORMS)),
            "such as linux_arm64; default linux_amd64",
            platform,
            |o| &mut o.platform,
        ),
    ]
}

/// Says what is missing to choose an archive. Without a release named there is no default, since
/// the newest upload may come from any branch.
fn choice_problem(service: &str, choice: &ReleaseChoice) -> Option<&'static str> {
    if service.is_empty() {
        Some("no SERVICE named")
    } else if choice.version.is_none() && choice.channel.is_none() {
        Some(NO_RELEASE_NAMED)
    } else {
        None
    }
}

fn json<O: 'static>(field: fn(&mut O) -> &mut bool) -> Row<O> {
    switch("json", "one document on stdout; everything else on stderr", field)
}

/// Takes the one SERVICE.
fn one_service(field: &mut String, given: Given<'_>) -> ferror::Result<bool> {
    let is_first = field.is_empty();
    if is_first {
        *field = service(given)?;
    }
    Ok(is_first)
}

fn list() -> Verb {
    let mut rows = within(bucket_rows(), |o: &mut list::Options| &mut o.bucket);
    rows.push(json(|o| &mut o.json));
    Typed {
        name: "list",
        summary: "the releases in the bucket",
        usage: "[SERVICE]",
        about: "Prints the releases in the bucket, by service, newest upload first: version, \
                commit, time since the upload, size of all archives, platforms, whether the program is that of \
                the release before, and in brackets the channels that name it.",
        operands: services(),
        rows,
        notes: &[CREDENTIALS],
        examples: &[("list", ""), ("list janitor --json", "")],
        operand: Some(|options, given| {
            let is_first = options.service.is_none();
            if is_first {
                options.service = Some(service(given)?);
            }
            Ok(is_first)
        }),
        problem: no_problem,
        command: Command::List,
    }
    .verb()
}

fn presign() -> Verb {
    let mut rows = within(choice_rows(), |o: &mut presign::Options| &mut o.release);
    rows.push(option(
        "expires",
        ("S", Any),
        "after so many seconds, 1 to 604800; default 3600. Temporary credentials expire when they \
         do, and the URL with them",
        expires,
        |o: &mut presign::Options| &mut o.expires,
    ));
    rows.extend(within(bucket_rows(), |o: &mut presign::Options| &mut o.bucket));
    rows.push(json(|o| &mut o.json));
    Typed {
        name: "presign",
        summary: "a URL that anyone can download an archive with, and its sha256",
        usage: "SERVICE (--version V | --channel C)",
        about: "Prints a URL with which anyone can download the archive of a release until it \
                expires, and on the next line the sha256 to compare it with, from the release's \
                manifest object. The object is asked first whether it is that archive.",
        operands: services(),
        rows,
        notes: &[CREDENTIALS],
        examples: &[
            ("presign janitor --channel stable", ""),
            ("presign janitor --version abc123 --platform linux_arm64 --expires 600 --json", ""),
        ],
        operand: Some(|options, given| one_service(&mut options.service, given)),
        problem: |options| choice_problem(&options.service, &options.release),
        command: Command::Presign,
    }
    .verb()
}

fn fetch() -> Verb {
    let mut rows = within(choice_rows(), |o: &mut fetch::Options| &mut o.release);
    rows.push(option(
        "into",
        ("DIR", Folders),
        "where to, made where it is not there; default fetched/SERVICE_VERSION_PLATFORM",
        path,
        |o: &mut fetch::Options| &mut o.into,
    ));
    rows.extend(within(bucket_rows(), |o: &mut fetch::Options| &mut o.bucket));
    rows.push(json(|o| &mut o.json));
    Typed {
        name: "fetch",
        summary: "download an archive, check its sha256, unpack it",
        usage: "SERVICE (--version V | --channel C)",
        about: "Downloads the archive of a release, compares its size and sha256 with the \
                release's manifest object before the file gets its name, and unpacks it beside \
                that: only if it holds nothing but files and folders, all of them below the one \
                folder SERVICE_PLATFORM. Replaces nothing that is there. Prints the paths of the \
                archive and of what was in it.",
        operands: services(),
        rows,
        notes: &[CREDENTIALS],
        examples: &[
            ("fetch janitor --channel stable --into /tmp/janitor", ""),
            ("fetch janitor --version abc123 --platform darwin_arm64", ""),
        ],
        operand: Some(|options, given| one_service(&mut options.service, given)),
        problem: |options| choice_problem(&options.service, &options.release),
        command: Command::Fetch,
    }
    .verb()
}

fn promote() -> Verb {
    let mut rows = vec![
        valued(
            "to",
            ("CHANNEL", Any),
            "1 to 63 lower-case letters, digits and hyphens",
            |o: &mut promote::Options, given| {
                o.channel = channel(given)?;
                Ok(())
            },
        ),
        switch(
            "rollback",
            "back to the entry before, if its archives are still in the bucket",
            |o| &mut o.rollback,
        ),
        switch(
            "require-verified",
            "only a release of which every archive was built again and came out equal, as the receipts of \
             verify say",
            |o| &mut o.require_verified,
        ),
        option("by", ("WHO", Any), "who does it; else $CIRCLE_USERNAME, $USER", text, |o| {
            &mut o.by
        }),
    ];
    rows.extend(within(bucket_rows(), |o: &mut promote::Options| &mut o.bucket));
    rows.push(json(|o| &mut o.json));
    Typed {
        name: "promote",
        summary: "let a channel such as stable name a release, or go one back",
        usage: "SERVICE (VERSION | --rollback) --to CHANNEL",
        about: "Lets a channel, such as stable, name a release; list, presign and fetch know it by \
                that. Every archive of the release has to be in the bucket. A channel is the object \
                SERVICE/channels/CHANNEL.json, which keeps its last 20 entries: version, commit, \
                digests, who, when, what was replaced. It is written only if it is still what was \
                read: of two at once, one fails.",
        operands: vec![
            Operand { name: "SERVICE", values: Services, doc: "" },
            Operand { name: "VERSION", values: Any, doc: "the release, as list shows it" },
        ],
        rows,
        notes: &[CREDENTIALS, "A server that cannot write on a condition (OpenStack Swift answers 501) is an \
                error. One that ignores the condition (Garage, old MinIO) lets the later of two \
                win."],
        examples: &[
            ("promote janitor abc123 --to stable", ""),
            ("promote janitor abc123 --to stable --require-verified", ""),
            ("promote janitor --to stable --rollback", ""),
        ],
        operand: Some(|options, given| {
            if one_service(&mut options.service, given)? {
                return Ok(true);
            }
            let is_first = options.version.is_none();
            if is_first {
                options.version = Some(version(given)?);
            }
            Ok(is_first)
        }),
        problem: |options| match (options.rollback, &options.version) {
            _ if options.service.is_empty() => Some("no SERVICE named"),
            _ if options.channel.is_empty() => Some("no channel named: give it by --to"),
            (true, Some(_)) => {
                Some("--rollback takes no VERSION: it goes back to the entry before")
            }
            (false, None) => Some("no VERSION named"),
            _ => None,
        },
        command: Command::Promote,
    }
    .verb()
}

fn verify() -> Verb {
    let mut rows = vec![
        option(
            "sample",
            ("N", Any),
            "only so many artifacts: first those that no build of this release made, since their binary is that of \
             an earlier one, then others by chance",
            sample,
            |o: &mut verify::Options| &mut o.sample,
        ),
        option(
            "platforms",
            ("LINE", Words(PLATFORMS)),
            "only these platforms, as dist takes them; default all that the release has",
            platforms,
            |o| &mut o.platforms,
        ),
        switch(
            "no-receipt",
            "write nothing into the bucket, for credentials that only read",
            |o| &mut o.no_receipt,
        ),
    ];
    rows.extend(within(bucket_rows(), |o: &mut verify::Options| &mut o.bucket));
    rows.push(json(|o| &mut o.json));
    Typed {
        name: "verify",
        summary: "build a release again from its commit, and compare it with what is published",
        usage: "RELEASE [SERVICE]...",
        about: "Checks the commit of a release out into a clean folder, runs that commit's own `cargo xtask dist \
                --no-reuse` there, and compares archives and binaries byte by byte with those in the bucket. \
                What is equal is written into a receipt, the object verified/SERVICE/VERSION, which \
                `promote --require-verified` reads. Where something differs, the exit code is 1, and entry, \
                section, first byte and likely cause are printed. The folder is a new one in $TMPDIR, else \
                /var/tmp, and is removed unless something differs.",
        operands: vec![
            Operand {
                name: "RELEASE",
                values: Any,
                doc: "a version, a commit, a channel, or HEAD: the newest release of HEAD and the commits before it",
            },
            Operand { name: "SERVICE", values: Services, doc: "default all that have that release" },
        ],
        rows,
        notes: &[CREDENTIALS],
        examples: &[
            ("verify abc123", "a whole release"),
            ("verify stable janitor --platforms linux_amd64", "one archive of a channel"),
            ("verify HEAD --sample 3 --no-receipt", "three of the newest release"),
        ],
        operand: Some(|options, given| {
            if options.release.is_empty() {
                options.release = release(given)?;
            } else {
                options.services.push(service(given)?);
            }
            Ok(true)
        }),
        problem: |options| options.release.is_empty().then_some("no RELEASE named"),
        command: Command::Verify,
    }
    .verb()
}
