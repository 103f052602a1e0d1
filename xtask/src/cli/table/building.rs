//! The verbs that build and upload: dist, upload, ship, plan, setup, stamp.

use super::Values::{Any, Files, Folders, Services, Words};
use super::location::{CREDENTIALS, bucket_rows, destination_rows};
use super::{Operand, Row, Typed, Verb, no_problem, option, switch, within};
use crate::cli::command::Command;
use crate::cli::values::{jobs, library, path, platforms, shard, text};
use crate::verbs::{dist, plan, setup, ship, stamp, upload};

/// The words of a platform line.
const PLATFORM_WORDS: &[&str] = &[
    "linux",
    "darwin",
    "amd64",
    "arm64",
    "musl",
    "linux_amd64",
    "linux_arm64",
    "darwin_amd64",
    "darwin_arm64",
    "linux_amd64_musl",
    "linux_arm64_musl",
];
const LIBRARIES: (&str, super::Values) =
    ("rustup|distribution", Words(&["rustup", "distribution"]));
const LIBRARY_DOC: &str = "take the standard library from rustup or from the distribution only";

pub(super) fn verbs() -> Vec<Verb> {
    vec![dist(), upload(), ship(), plan(), setup(), stamp()]
}

fn services() -> Vec<Operand> {
    vec![Operand { name: "SERVICE", values: Services, doc: "" }]
}

fn dist() -> Verb {
    let mut rows = dist_rows();
    rows.push(option(
        "shard",
        ("I/N", Any),
        "make the I-th of N parts, which upload publishes as one; default: the node of CircleCI, where a job \
         has several; 1/1 makes everything",
        shard,
        |o: &mut dist::Options| &mut o.shard,
    ));
    Typed {
        name: "dist",
        summary: "build every service for every platform, stamp the commit in, pack archives",
        usage: "[SERVICE]...",
        about: "Builds the services named, or all, for every platform, writes the commit into the \
                linked binaries and packs one reproducible .tar.gz per service and platform, and \
                manifest.json last.",
        operands: services(),
        rows,
        notes: &[],
        examples: &[
            ("dist", "all services, all configured platforms"),
            ("dist janitor --platforms linux_amd64", "one archive"),
            ("dist --dry-run", "what would be built, and its object keys"),
            ("dist --shard 2/3", "the second of three machines"),
        ],
        operand: Some(|options, given| {
            text(given).map(|name| options.services.push(name)).map(|()| true)
        }),
        problem: no_problem,
        command: Command::Dist,
    }
    .verb()
}

/// Returns the rows of the options that say what is built.
fn build_rows() -> Vec<Row<dist::Options>> {
    vec![
        option(
            "platforms",
            ("LINE", Words(PLATFORM_WORDS)),
            "which platforms: names such as linux_amd64, or words: separated by blanks they are \
             united, by commas an OS and an architecture are intersected, `!` excludes: \
             `linux_amd64 darwin_arm64`, `linux,!arm darwin`, `linux,amd64`; empty means all but those \
             with musl, which `musl` or a name such as linux_amd64_musl selects",
            platforms,
            |o: &mut dist::Options| &mut o.platforms,
        ),
        option(
            "dest",
            ("DIR", Folders),
            "where to: DIR/snapshot; default $CIRCLE_ARTIFACTS, else pkg",
            path,
            |o| &mut o.dest,
        ),
        option(
            "version",
            ("V", Any),
            "6 to 40 hex digits of HEAD instead of its first 6",
            text,
            |o| &mut o.version,
        ),
        option("library", LIBRARIES, LIBRARY_DOC, library, |o| &mut o.library),
    ]
}

fn dist_rows() -> Vec<Row<dist::Options>> {
    let mut rows = build_rows();
    rows.extend([
        switch(
            "strict",
            "another compiler than the pinned one is an error instead of a warning",
            |o: &mut dist::Options| &mut o.strict,
        ),
        switch(
            "no-reuse",
            "build every service, also what is unchanged since the last build on this machine",
            |o| &mut o.no_reuse,
        ),
        switch(
            "why",
            "say of each service whether it is built or what the last build made of it is used, and the \
             first input that differs",
            |o| &mut o.why,
        ),
        switch("dry-run", "print the plan and build nothing", |o| &mut o.dry_run),
        switch("json", "the manifest (or the plan) on stdout; everything else on stderr", |o| {
            &mut o.json
        }),
    ]);
    rows
}

fn plan() -> Verb {
    let mut rows = within(build_rows(), |o: &mut plan::Options| &mut o.dist);
    rows.extend(within(bucket_rows(), |o: &mut plan::Options| &mut o.bucket));
    rows.extend([
        switch(
            "skip-without-credentials",
            "where CircleCI builds a fork's pull request, which gets no credentials, look nothing up and \
             succeed; anywhere else missing credentials stay an error",
            |o: &mut plan::Options| &mut o.skip_without_credentials,
        ),
        switch("json", "one document on stdout; everything else on stderr", |o| &mut o.dist.json),
    ]);
    Typed {
        name: "plan",
        summary: "download published binaries that a build would give again, for dist",
        usage: "[SERVICE]...",
        about: "Computes the build key of every service and platform, looks for a release that has \
                the binary of the same inputs, and downloads its archive to DEST/plan. dist stamps \
                and packs those instead of building them. Needs credentials that read the bucket; \
                compiles nothing.",
        operands: services(),
        rows,
        notes: &[CREDENTIALS],
        examples: &[("plan", ""), ("plan --platforms linux_amd64 --json", "")],
        operand: Some(|options, given| {
            text(given).map(|name| options.dist.services.push(name)).map(|()| true)
        }),
        problem: no_problem,
        command: Command::Plan,
    }
    .verb()
}

fn upload() -> Verb {
    Typed {
        name: "upload",
        summary: "PUT the archives of the last dist into the bucket",
        usage: "[SERVICE]...",
        about: "PUTs the archives that DEST/snapshot/manifest.json lists, or the manifests of all \
                shards together, then one manifest object per service, which is what makes a \
                release visible. May be run again at any point, and then sends only what is \
                missing; what is published never changes.",
        operands: services(),
        rows: upload_rows(),
        notes: &[CREDENTIALS],
        examples: &[
            ("upload --local", ""),
            ("upload --bucket builds --region eu-west-1", ""),
            ("upload --bucket builds --endpoint https://s3.example.net --signature v2", ""),
        ],
        operand: Some(|options, given| {
            text(given).map(|name| options.services.push(name)).map(|()| true)
        }),
        problem: no_problem,
        command: Command::Upload,
    }
    .verb()
}

fn upload_rows() -> Vec<Row<upload::Options>> {
    let mut rows = vec![option(
        "dest",
        ("DIR", Folders),
        "where dist put them; default $CIRCLE_ARTIFACTS, else pkg",
        path,
        |o: &mut upload::Options| &mut o.dest,
    )];
    rows.extend(within(destination_rows(), |o: &mut upload::Options| &mut o.destination));
    rows.extend([
        switch(
            "local",
            "into an S3 server of its own, on a free loopback port, which begins empty and leaves \
             the objects as files below target/local-s3; to serve them again: \
             `target/debug/local-s3 --root target/local-s3 --bucket local --stay`",
            |o: &mut upload::Options| &mut o.destination.local,
        ),
        switch("allow-dirty", "publish what was built from uncommitted changes", |o| {
            &mut o.allow_dirty
        }),
        switch(
            "skip-without-credentials",
            "where CircleCI builds a fork's pull request, which gets no credentials, do nothing and \
             succeed; anywhere else missing credentials stay an error",
            |o| &mut o.skip_without_credentials,
        ),
        option(
            "jobs",
            ("N", Any),
            "N requests at once, 1 to 64, as far as 32 MiB of memory reach for their bodies; \
             default by size and count",
            jobs,
            |o| &mut o.jobs,
        ),
        switch(
            "verify",
            "read each object back and compare its digest; put back what a published release \
             names and the bucket has lost or holds otherwise",
            |o| &mut o.verify,
        ),
        switch("timings", "print where the time went", |o| &mut o.timings),
        switch("dry-run", "print what would be PUT and send nothing", |o| &mut o.dry_run),
        switch("json", "receipts on stdout; everything else on stderr", |o| &mut o.json),
    ]);
    rows
}

fn ship() -> Verb {
    Typed {
        name: "ship",
        summary: "dist, then upload",
        usage: "[SERVICE]... [OPTION]...",
        about: "Runs dist, then upload, with the options of both. What upload would refuse without \
                looking at archives is refused before anything is built.",
        operands: services(),
        rows: ship_rows(),
        notes: &[CREDENTIALS],
        examples: &[
            ("ship --local", ""),
            ("ship janitor --platforms linux --bucket builds", "one service"),
            ("ship --dry-run", "the plan, and where to"),
        ],
        operand: Some(|options, given| {
            let name = text(given)?;
            options.dist.services.push(name.clone());
            options.upload.services.push(name);
            Ok(true)
        }),
        problem: no_problem,
        command: Command::Ship,
    }
    .verb()
}

/// Returns the rows of `dist` and `upload`. An option that both have sets the field of both.
fn ship_rows() -> Vec<Row<ship::Options>> {
    let mut rows = within(dist_rows(), |o: &mut ship::Options| &mut o.dist);
    for upload in within(upload_rows(), |o: &mut ship::Options| &mut o.upload) {
        let Some(at) = rows.iter().position(|row| row.flag.long == upload.flag.long) else {
            rows.push(upload);
            continue;
        };
        let Row { mut flag, set } = rows.remove(at);
        if flag.long == "json" {
            flag.doc = "receipts (or the plan) on stdout; everything else on stderr";
        }
        let both = move |options: &mut ship::Options, given: super::Given<'_>| {
            set(options, given)?;
            (upload.set)(options, given)
        };
        rows.push(Row { flag, set: Box::new(both) });
    }
    rows
}

fn setup() -> Verb {
    Typed {
        name: "setup",
        summary: "make every platform buildable, or say what is missing",
        usage: "",
        about: "Makes every platform buildable: its standard library by rustup, else from the \
                distribution's packages, zig with cargo-zigbuild as linker, and what the build \
                scripts of the services' dependencies call: libclang, cmake, protoc. dist does the \
                same by itself.",
        operands: vec![],
        rows: vec![
            option(
                "platforms",
                ("LINE", Words(PLATFORM_WORDS)),
                "which platforms, as in dist",
                platforms,
                |o: &mut setup::Options| &mut o.platforms,
            ),
            switch(
                "check",
                "install nothing; list what is missing and exit with 3 when something is",
                |o| &mut o.check,
            ),
            option("library", LIBRARIES, LIBRARY_DOC, library, |o| &mut o.library),
        ],
        notes: &[],
        examples: &[("setup --check", "")],
        operand: None,
        problem: no_problem,
        command: Command::Setup,
    }
    .verb()
}

fn stamp() -> Verb {
    Typed {
        name: "stamp",
        summary: "print what is stamped into a binary or an archive",
        usage: "FILE...",
        about: "Prints what is stamped into a binary, or into the binaries of a .tar.gz.",
        operands: vec![Operand { name: "FILE", values: Files, doc: "" }],
        rows: vec![
            switch(
                "check",
                "FILE is a folder with a manifest.json: compare its archives with that, let codesign \
                 judge binaries for macOS where it is, and start those for this machine with --version",
                |o: &mut stamp::Options| &mut o.check,
            ),
            switch("json", "one array on stdout", |o| &mut o.json),
        ],
        notes: &[],
        examples: &[
            ("stamp pkg/snapshot/janitor_linux_amd64.tar.gz", ""),
            ("stamp --check pkg/snapshot", "all archives of the last dist"),
        ],
        operand: Some(|options, given| {
            path(given).map(|file| options.files.push(file)).map(|()| true)
        }),
        problem: |options| options.files.is_empty().then_some("no FILE named"),
        command: Command::Stamp,
    }
    .verb()
}
