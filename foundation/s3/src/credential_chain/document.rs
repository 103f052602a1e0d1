//! The JSON that a process, a container's agent and the instance metadata service answer with.
//!
//! Its values are secrets: an error names the field and never shows its value.

use ferror::Error;
use ftime::Epoch;
use serde_json::Value;

use crate::Credentials;
use crate::credential_provider::Issued;

/// The issuer of a document; each names its fields differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// AWS SDKs and Tools Reference Guide, "Process credential provider": `Version` is 1, and
    /// `Expiration` may be missing.
    Process,
    /// ECS and EKS agents.
    Container,
    /// The instance metadata service: a container's, and `Code` is `Success`.
    Instance,
}

/// Reads one document.
pub(super) fn read(bytes: &[u8], dialect: Dialect) -> ferror::Result<Issued> {
    let document: Value = serde_json::from_slice(bytes).map_err(|error| {
        // The parser's own message could quote what it read.
        let (line, column) = (error.line(), error.column());
        Error::invalid(format!("the answer is not JSON (line {line}, column {column})"))
    })?;
    if !document.is_object() {
        return Err(Error::invalid("the answer is JSON, but no object"));
    }
    if dialect == Dialect::Process && document["Version"] != 1 {
        return Err(Error::invalid("the answer's Version is not 1, the only one there is"));
    }
    if dialect == Dialect::Instance && document["Code"].as_str().is_some_and(|c| c != "Success") {
        return Err(Error::invalid(
            "the instance's role issues no credentials: Code is not Success",
        )
        .hint("check the role in the instance's profile"));
    }
    let field = |name: &str| match &document[name] {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(Error::invalid(format!("the answer's {name} is not a text"))),
    };
    let required = |name: &str| {
        field(name)?.ok_or_else(|| Error::invalid(format!("the answer has no {name}")))
    };
    let (token_name, must_end) = match dialect {
        Dialect::Process => ("SessionToken", false),
        Dialect::Container | Dialect::Instance => ("Token", true),
    };
    let expires = if must_end { Some(required("Expiration")?) } else { field("Expiration")? };
    let token = if must_end { Some(required(token_name)?) } else { field(token_name)? };
    let credentials =
        Credentials::new(required("AccessKeyId")?, required("SecretAccessKey")?, token)?;
    Ok(Issued { credentials, expires: expires.as_deref().map(expiration).transpose()? })
}

/// Reads when credentials expire (RFC 3339).
pub(super) fn expiration(text: &str) -> ferror::Result<Epoch> {
    // The message of the parser shows the text.
    Epoch::parse_rfc3339(text).map_err(|_| {
        Error::invalid("the answer's Expiration is not a time such as 2013-05-24T00:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use ferror::Kind;
    use proptest::prelude::{any, prop, proptest};

    use super::{Dialect, read};
    use crate::Credentials;
    use crate::credentials::tests::bounded;

    const PROCESS: &str = r#"{"Version":1,"AccessKeyId":"hidden-id","SecretAccessKey":"hidden","SessionToken":"hidden-t","Expiration":"2013-05-24T02:00:00.123456+02:00","Else":[]}"#;
    const INSTANCE: &str = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"hidden-id","SecretAccessKey":"hidden","Token":"hidden-t","Expiration":"2013-05-24T00:00:00Z"}"#;

    #[test]
    fn each_dialect_is_read() {
        let expected = Credentials::new("hidden-id", "hidden", Some("hidden-t".into())).unwrap();
        for (text, dialect, millis) in [
            (PROCESS, Dialect::Process, 1_369_353_600_123),
            (INSTANCE, Dialect::Instance, 1_369_353_600_000),
            (INSTANCE, Dialect::Container, 1_369_353_600_000),
        ] {
            let issued = read(text.as_bytes(), dialect).unwrap();
            assert_eq!(issued.credentials, expected, "{dialect:?}");
            assert_eq!(issued.expires.unwrap().millis(), millis, "{dialect:?}");
        }
        let lasting =
            br#"{"Version":1,"AccessKeyId":"id","SecretAccessKey":"hidden","Expiration":null}"#;
        let lasting = read(lasting, Dialect::Process).unwrap();
        assert!(lasting.expires.is_none());
        assert_eq!(lasting.credentials, Credentials::new("id", "hidden", None).unwrap());
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_and_not_shown() {
        use Dialect::{Container, Instance, Process};
        for (dialect, from, to, reason) in [
            (Process, "{", "hidden", "not JSON (line 1"),
            (Process, "Version\":1", "Version\":2", "Version is not 1"),
            (Process, "Version\":1", "Version\":\"1\"", "Version is not 1"),
            (Process, "AccessKeyId", "Other", "no AccessKeyId"),
            (Process, "\"hidden\"", "\"\"", "no SecretAccessKey"),
            (Process, "\"hidden\"", "[\"hidden\"]", "SecretAccessKey is not a text"),
            (Process, "\"hidden\"", "\"hidden\\n\"", "secret access key holds a character"),
            (Process, "2013-05-24T", "hidden", "Expiration is not a time"),
            (Instance, "Success", "hidden-Failure", "Code is not Success"),
            (Instance, "Token", "SessionToken", "no Token"),
            (Container, "Expiration", "Ends", "no Expiration"),
        ] {
            let text = if dialect == Process { PROCESS } else { INSTANCE };
            let broken = text.replacen(from, to, 1);
            assert_ne!(broken, text);
            let error = read(broken.as_bytes(), dialect).unwrap_err();
            assert!(matches!(error.kind(), Kind::Invalid | Kind::Config), "{error:?}");
            let shown = format!("{error:?} {:?}", error.hint_text());
            assert!(shown.contains(reason), "{broken}: {shown} does not say {reason:?}");
            assert!(!shown.contains("hidden"), "{shown}");
        }
        for text in ["", "[]", "1", "null", "\u{feff}{}"] {
            assert!(read(text.as_bytes(), Process).is_err(), "{text:?}");
        }
        assert!(read("[".repeat(1_000_000).as_bytes(), Process).is_err());
    }

    proptest! {
        #![proptest_config(bounded())]

        #[test]
        fn no_input_panics(
            noise in prop::collection::vec(any::<u8>(), 0..8),
            at in 0..PROCESS.len(),
            cut in 0..8_usize,
        ) {
            let mut bytes = PROCESS.as_bytes().to_vec();
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, noise);
            for dialect in [Dialect::Process, Dialect::Container, Dialect::Instance] {
                let _ = read(&bytes, dialect);
            }
        }
    }
}
