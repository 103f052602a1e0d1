//! Tests `upload` with a web identity: CI's token is exchanged for credentials that allow this
//! upload and nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::Repo;
use crate::support::bucket::{BUCKET, Bucket};
use crate::support::front::{Front, Verdict};
use crate::support::snapshot::{archive, configure, manifest_object, snapshot};
use crate::support::sts::{Pair, ROLE, Sts};

const TOKEN: &str = "header.claims.signature";
const SESSION_TOKEN: &str = "session/of+this=upload";

/// Returns the names in a field of a policy's statement: one text, or a list of them.
fn names(value: &Value) -> BTreeSet<String> {
    let one = value.as_str().map(str::to_owned);
    let many = value.as_array().into_iter().flatten();
    many.map(|name| name.as_str().unwrap().to_owned()).chain(one).collect()
}

/// Makes a snapshot and the environment of a CI job that has a token and no access keys.
fn job(bucket: &Bucket, sts: &Sts, services: &[&str]) -> (Repo, Front) {
    let services: Vec<_> = services.iter().map(|name| (*name, name.as_bytes())).collect();
    let front = Front::start(&bucket.endpoint(), |_| Verdict::Pass);
    let mut repo = snapshot(&services);
    for (name, value) in [
        ("S3_BUCKET", BUCKET),
        ("AWS_ENDPOINT_URL_S3", &front.endpoint),
        ("AWS_ENDPOINT_URL_STS", &sts.endpoint),
        ("AWS_ROLE_ARN", ROLE),
        ("CIRCLE_OIDC_TOKEN_V2", TOKEN),
    ] {
        repo.set(name, value);
    }
    (repo, front)
}

#[test]
fn requested_credentials_allow_just_what_this_upload_does() {
    let tags = "tags = { team = \"web\" }";
    let kms = "encryption = \"aws:kms\"";
    let both = format!("{tags}\n{kms}");
    let acl = "acl = \"bucket-owner-full-control\"";
    // Whether tags are set, and whether a key of KMS is used.
    for (table, line, services, tagging, uses_kms) in [
        ("", "upload", &["alpha", "beta"][..], false, false),
        ("", "upload alpha", &["alpha"], false, false),
        ("encryption = \"AES256\"", "upload beta", &["beta"], false, false),
        (tags, "upload", &["alpha", "beta"], true, false),
        (kms, "upload", &["alpha", "beta"], false, true),
        (acl, "upload alpha", &["alpha"], false, false),
        (&both, "upload alpha", &["alpha"], true, true),
    ] {
        let bucket = Bucket::new();
        let (id, secret) = (bucket.access_key_id(), bucket.secret());
        let sts = Sts::giving(&Pair { id: &id, secret: &secret, session_token: SESSION_TOKEN });
        let (repo, front) = job(&bucket, &sts, &["alpha", "beta"]);
        configure(&repo, table);
        repo.xtask(line).exits(0);

        let asked = sts.asked();
        assert_eq!(asked.len(), 1, "{line}: {asked:?}");
        assert!(asked[0].head.starts_with("POST / HTTP/1.1\r\n"), "{}", asked[0].head);
        assert!(!asked[0].head.contains(TOKEN), "the token is beside the body");
        assert_eq!(asked[0].field("Action"), "AssumeRoleWithWebIdentity");
        assert_eq!(asked[0].field("RoleArn"), ROLE);
        assert_eq!(asked[0].field("WebIdentityToken"), TOKEN);

        let policy: Value = serde_json::from_str(asked[0].field("Policy")).unwrap();
        let keys = services.iter().flat_map(|it| [archive(it), manifest_object(it)]);
        let keys: BTreeSet<_> = keys.collect();
        let objects = keys.iter().map(|key| format!("arn:aws:s3:::{BUCKET}/{key}"));
        let objects: BTreeSet<_> = objects.collect();
        let whole_bucket = BTreeSet::from([format!("arn:aws:s3:::{BUCKET}")]);
        let mut all_actions = BTreeSet::new();
        for statement in policy["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow", "{table}: {policy:#}");
            let (actions, resources) = (names(&statement["Action"]), names(&statement["Resource"]));
            let allowed = if actions.iter().any(|action| action.starts_with("kms:")) {
                // The bucket's own key need not be known here.
                BTreeSet::from(["*".to_owned()])
            } else if actions.iter().any(|action| {
                action.starts_with("s3:List") && action != "s3:ListMultipartUploadParts"
            }) {
                whole_bucket.clone()
            } else {
                objects.clone()
            };
            assert_eq!(resources, allowed, "{table:?} {line}: {actions:?}");
            all_actions.extend(actions);
        }
        assert!(all_actions.contains("s3:PutObject"), "{policy:#}");
        assert!(
            !all_actions.iter().any(|action| action.contains("Delete") || action.ends_with('*'))
        );
        assert_eq!(all_actions.contains("s3:PutObjectTagging"), tagging, "{table}: {policy:#}");
        assert_eq!(all_actions.contains("s3:PutObjectAcl"), table == acl, "{table}: {policy:#}");
        let has_kms = all_actions.iter().any(|action| action.starts_with("kms:"));
        assert_eq!(has_kms, uses_kms, "{table}: {policy:#}");

        // The server accepted only these credentials, with the session token in every request.
        assert_eq!(bucket.keys().into_iter().collect::<BTreeSet<_>>(), keys);
        let header = format!("x-amz-security-token: {SESSION_TOKEN}\r\n");
        let seen = front.seen();
        assert!(!seen.is_empty() && seen.iter().all(|it| it.head.contains(&header)), "{seen:?}");
    }
}

#[test]
fn nothing_is_sent_when_sts_refuses_the_token() {
    let bucket = Bucket::new();
    let sts = Sts::refusing("AccessDenied", "Not authorized");
    let (repo, front) = job(&bucket, &sts, &["alpha"]);
    repo.xtask("upload").exits(1).says("web identity").says("AccessDenied").says("AWS_ROLE_ARN");
    assert_eq!(sts.asked().len(), 1);
    assert_eq!(front.seen().len(), 0);
    assert_eq!(bucket.keys(), Vec::<String>::new());
}
