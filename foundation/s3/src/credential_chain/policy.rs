//! The session policy, which restricts temporary credentials to the objects of one upload.
//!
//! (IAM User Guide, "IAM JSON policy elements"; STS API Reference, `AssumeRoleWithWebIdentity`,
//! `Policy`.)

use std::collections::BTreeSet;

use serde_json::json;

/// Restricts the credentials of a web identity to these objects. The role's own policy has to allow
/// the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionScope {
    /// The bucket.
    pub bucket: String,
    /// Objects that may be put and read, and whose multipart uploads may be listed and aborted.
    pub object_keys: Vec<String>,
    /// Prefixes of object keys to which the same applies.
    pub prefixes: Vec<String>,
    /// Prefixes of object keys that may be read and listed only.
    pub read_prefixes: Vec<String>,
    /// Allows tagging objects.
    pub tagging: bool,
    /// Allows giving objects an ACL.
    pub acl: bool,
    /// Allows encrypting objects with a key of KMS.
    pub kms: bool,
}

/// The longest policy that STS accepts, in characters.
const MAX_CHARACTERS: usize = 2048;

/// Writes the policy as JSON, in ASCII. `partition` is AWS's own: `aws`, `aws-cn`, ... Where naming every
/// object would be too long, their folders are named; then what all keys begin with; then the
/// bucket.
pub(super) fn session_policy(scope: &SessionScope, partition: &str) -> String {
    let whole = || BTreeSet::from(["*".to_owned()]);
    let prefixes = || scope.prefixes.iter().map(|prefix| format!("{}*", literal(prefix)));
    let exact = scope.object_keys.iter().map(|key| literal(key)).chain(prefixes()).collect();
    let folders =
        scope.object_keys.iter().map(|key| folder_pattern(key)).chain(prefixes()).collect();
    let shared = format!("{}*", literal(common_prefix(scope)));
    let common = || BTreeSet::from([shared.clone()]);
    let reads = || scope.read_prefixes.iter().map(|prefix| format!("{}*", literal(prefix)));
    let listed = scope.object_keys.iter().map(|key| listing_pattern(key));
    let listed = listed.chain(prefixes()).chain(reads()).collect();
    let choices: [(BTreeSet<String>, BTreeSet<String>); 3] =
        [(exact, BTreeSet::clone(&listed)), (folders, listed), (common(), common())];
    let mut policies =
        choices.iter().map(|(objects, listed)| render(scope, partition, objects, listed, &shared));
    let fits = policies.find(|policy| policy.len() <= MAX_CHARACTERS);
    fits.unwrap_or_else(|| render(scope, partition, &whole(), &whole(), "*"))
}

fn render(
    scope: &SessionScope,
    partition: &str,
    objects: &BTreeSet<String>,
    listed: &BTreeSet<String>,
    uploads: &str,
) -> String {
    let bucket = format!("arn:{partition}:s3:::{}", scope.bucket);
    let objects: Vec<_> = objects.iter().map(|pattern| format!("{bucket}/{pattern}")).collect();
    let mut actions = vec![
        "s3:PutObject",
        "s3:GetObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ];
    if scope.tagging {
        actions.push("s3:PutObjectTagging");
    }
    if scope.acl {
        actions.push("s3:PutObjectAcl");
    }
    let reads = scope.read_prefixes.iter().map(|prefix| format!("{bucket}/{}*", literal(prefix)));
    let reads: Vec<_> = reads.collect();
    let mut statements = Vec::new();
    // A statement without a resource would make the policy invalid.
    for (actions, resources) in [(actions, objects), (vec!["s3:GetObject"], reads)] {
        if !resources.is_empty() {
            let (effect, actions, resources) = ("Allow", json!(actions), json!(resources));
            statements.push(json!({ "Effect": effect, "Action": actions, "Resource": resources }));
        }
    }
    statements.push(json!({
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": bucket,
        "Condition": { "StringLike": { "s3:prefix": listed } },
    }));
    if !(scope.object_keys.is_empty() && scope.prefixes.is_empty()) {
        // A server that has no prefix for this action would otherwise always refuse it.
        statements.push(json!({
            "Effect": "Allow",
            "Action": "s3:ListBucketMultipartUploads",
            "Resource": bucket,
            "Condition": { "StringLikeIfExists": { "s3:prefix": uploads } },
        }));
    }
    if scope.kms {
        // The bucket's default key need not be known here; the role's own policy names the keys.
        statements.push(json!({
            "Effect": "Allow",
            "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
            "Resource": "*",
        }));
    }
    ascii(&json!({ "Version": "2012-10-17", "Statement": statements }).to_string())
}

/// Returns the key as a pattern that matches only this key.
fn literal(key: &str) -> String {
    let mut pattern = String::with_capacity(key.len());
    for c in key.chars() {
        match c {
            // IAM's spelling of characters that mean something in a policy.
            '*' | '?' | '$' => pattern.extend(["${", c.encode_utf8(&mut [0; 4]), "}"]),
            _ => pattern.push(c),
        }
    }
    pattern
}

/// Returns a pattern for all objects in the key's folder; at the top level, for this object alone.
fn folder_pattern(key: &str) -> String {
    match key.rfind('/') {
        Some(slash) => format!("{}*", literal(&key[..=slash])),
        None => literal(key),
    }
}

/// Returns a pattern of the prefixes that may be listed to see the object.
fn listing_pattern(key: &str) -> String {
    let folder = key.rfind('/').map_or(key, |slash| &key[..=slash]);
    format!("{}*", literal(folder))
}

/// Returns the longest common beginning of all keys and prefixes.
fn common_prefix(scope: &SessionScope) -> &str {
    let mut all = scope.object_keys.iter().chain(&scope.prefixes);
    let Some(first) = all.next() else { return "" };
    all.fold(first.as_str(), |common, text| {
        let same = common.chars().zip(text.chars()).take_while(|(a, b)| a == b);
        &common[..same.map(|(c, _)| c.len_utf8()).sum()]
    })
}

/// Escapes every character of the JSON above ASCII, since STS accepts none above U+00FF.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            text.extend(["\\u", &format!("{unit:04x}")]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{MAX_CHARACTERS, SessionScope, session_policy};

    fn scope(object_keys: &[String]) -> SessionScope {
        let (bucket, object_keys) = ("builds".to_owned(), object_keys.to_vec());
        SessionScope { bucket, object_keys, ..SessionScope::default() }
    }

    fn keys(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    fn policy(scope: &SessionScope) -> Value {
        let text = session_policy(scope, "aws");
        assert!(text.is_ascii() && text.len() <= MAX_CHARACTERS, "{} characters", text.len());
        serde_json::from_str(&text).expect("a policy is JSON")
    }

    #[test]
    fn a_policy_names_the_objects_and_nothing_else() {
        let expected = json!({
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": [
                        "s3:PutObject",
                        "s3:GetObject",
                        "s3:AbortMultipartUpload",
                        "s3:ListMultipartUploadParts",
                    ],
                    "Resource": ["arn:aws:s3:::builds/r/a.tar.gz", "arn:aws:s3:::builds/r/b.json"],
                },
                {
                    "Effect": "Allow",
                    "Action": "s3:ListBucket",
                    "Resource": "arn:aws:s3:::builds",
                    "Condition": { "StringLike": { "s3:prefix": ["r/*"] } },
                },
                {
                    "Effect": "Allow",
                    "Action": "s3:ListBucketMultipartUploads",
                    "Resource": "arn:aws:s3:::builds",
                    "Condition": { "StringLikeIfExists": { "s3:prefix": "r/*" } },
                },
            ],
        });
        let mut scope = scope(&keys(&["r/b.json", "r/a.tar.gz", "r/b.json"]));
        assert_eq!(policy(&scope), expected);
        (scope.tagging, scope.kms) = (true, true);
        let with_both = policy(&scope);
        assert_eq!(with_both["Statement"][0]["Action"][4], "s3:PutObjectTagging");
        let kms = json!(["kms:GenerateDataKey", "kms:Decrypt"]);
        assert_eq!(with_both["Statement"][3]["Action"], kms);
        assert!(session_policy(&scope, "aws-cn").contains("\"arn:aws-cn:s3:::builds\""));
    }

    #[test]
    fn what_is_only_read_may_not_be_written() {
        let read_prefixes = keys(&["r/"]);
        let only_reads = SessionScope { read_prefixes: read_prefixes.clone(), ..scope(&[]) };
        let read = json!({
            "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::builds/r/*"],
        });
        let policy_of_reads = policy(&only_reads);
        assert_eq!(policy_of_reads["Statement"][0], read);
        let listed = &policy_of_reads["Statement"][1]["Condition"]["StringLike"]["s3:prefix"];
        assert_eq!(*listed, json!(["r/*"]));
        assert_eq!(policy_of_reads["Statement"][2], Value::Null, "nor uploads listed");
        let both = policy(&SessionScope { read_prefixes, ..scope(&keys(&["r/channels/c.json"])) });
        assert_eq!(
            both["Statement"][0]["Resource"],
            json!(["arn:aws:s3:::builds/r/channels/c.json"])
        );
        assert_eq!(both["Statement"][1], read);
    }

    #[test]
    fn what_means_something_in_a_policy_is_escaped() {
        for (key, expected) in [
            ("a*b?c$d", "a${*}b${?}c${$}d"),
            ("${aws:username}", "${$}{aws:username}"),
            ("a\"b\\c\n", "a\"b\\c\n"),
            ("\u{e9}\u{1f980}", "\u{e9}\u{1f980}"),
        ] {
            let resource = &policy(&scope(&keys(&[key])))["Statement"][0]["Resource"][0];
            assert_eq!(resource, &format!("arn:aws:s3:::builds/{expected}"), "{key:?}");
        }
    }

    #[test]
    fn too_many_objects_are_named_by_their_folders_and_then_by_what_they_share() {
        let many = |folder: &dyn Fn(usize) -> String| -> Vec<String> {
            (0..100).map(|i| format!("{}artifact-{i:03}.tar.gz", folder(i))).collect()
        };
        for (object_keys, expected, listed) in [
            (many(&|_| "team/web/".to_owned()), vec!["team/web/*"], vec!["team/web/*"]),
            (
                many(&|i| format!("team/{}/", i % 2)),
                vec!["team/0/*", "team/1/*"],
                vec!["team/0/*", "team/1/*"],
            ),
            (
                many(&|i| format!("team/service-{i}/")),
                vec!["team/service-*"],
                vec!["team/service-*"],
            ),
            (many(&|i| format!("{i}/")), vec!["*"], vec!["*"]),
            (many(&|_| String::new()), vec!["artifact-0*"], vec!["artifact-0*"]),
            (vec!["\u{1f980}".repeat(256); 2], vec!["*"], vec!["*"]),
        ] {
            let policy = policy(&scope(&object_keys));
            let expected: Vec<_> =
                expected.iter().map(|pattern| format!("arn:aws:s3:::builds/{pattern}")).collect();
            assert_eq!(policy["Statement"][0]["Resource"], json!(expected), "{}", object_keys[0]);
            let prefixes = &policy["Statement"][1]["Condition"]["StringLike"]["s3:prefix"];
            assert_eq!(prefixes, &json!(listed), "{}", object_keys[0]);
        }
        let by_prefix = SessionScope { prefixes: keys(&["r/", "s"]), ..scope(&[]) };
        let expected = json!(["arn:aws:s3:::builds/r/*", "arn:aws:s3:::builds/s*"]);
        assert_eq!(policy(&by_prefix)["Statement"][0]["Resource"], expected);
    }
}
