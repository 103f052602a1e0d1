//! An access key id with its secret access key; nothing ever prints the secret.

use std::fmt;

use ferror::Error;

/// An access key id with its secret access key, and a session token when they are temporary.
///
/// Debug shows the last four characters of the access key id and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl Credentials {
    /// Checks and keeps the values as they are. A character that no header can carry is an error,
    /// which does not show it.
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<String>,
    ) -> ferror::Result<Self> {
        let (access_key_id, secret_access_key) = (access_key_id.into(), secret_access_key.into());
        printable("access key id", &access_key_id)?;
        printable("secret access key", &secret_access_key)?;
        if let Some(session_token) = &session_token {
            printable("session token", session_token)?;
        }
        Ok(Self { access_key_id, secret_access_key, session_token })
    }

    /// Reads the first complete pair of `S3_KEY` with `S3_SECRET`, and `AWS_ACCESS_KEY_ID` with
    /// `AWS_SECRET_ACCESS_KEY` and perhaps `AWS_SESSION_TOKEN`. `None` when neither is set; blank
    /// is unset; half a pair is an error that names the other half, and so is a value with a blank
    /// at an end. [`find_credentials`](crate::find_credentials) knows more sources.
    pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> ferror::Result<Option<Self>> {
        match Self::from_pair(&get, "S3_KEY", "S3_SECRET", None)? {
            Some(credentials) => Ok(Some(credentials)),
            None => Self::from_pair(
                &get,
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY",
                Some("AWS_SESSION_TOKEN"),
            ),
        }
    }

    /// Reads one pair, and the session token that belongs to it.
    pub(crate) fn from_pair(
        get: impl Fn(&str) -> Option<String>,
        id_name: &str,
        secret_name: &str,
        token_name: Option<&str>,
    ) -> ferror::Result<Option<Self>> {
        let get = |name: &str| get(name).filter(|value| !value.trim().is_empty());
        let (id, secret) = match (get(id_name), get(secret_name)) {
            (None, None) => return Ok(None),
            (Some(id), Some(secret)) => (id, secret),
            (Some(_), None) => return Err(half_a_pair(id_name, secret_name)),
            (None, Some(_)) => return Err(half_a_pair(secret_name, id_name)),
        };
        let token = token_name.and_then(get);
        for (name, value) in [
            (id_name, Some(&id)),
            (secret_name, Some(&secret)),
            (token_name.unwrap_or_default(), token.as_ref()),
        ] {
            if value.is_some_and(|value| value.trim() != value) {
                return Err(Error::config(format!("{name} begins or ends with a blank")).hint(
                    format!("set {name} anew, without the space or the line break that came along when it was copied"),
                ));
            }
        }
        Self::new(id, secret, token).map(Some)
    }

    /// Returns the access key id, which is not secret: every request contains it.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    pub(crate) fn secret_access_key(&self) -> &str {
        &self.secret_access_key
    }

    pub(crate) fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Four characters would be too large a share of a short id.
        let last_four = match self.access_key_id.len().checked_sub(4) {
            Some(start) if start >= 4 => &self.access_key_id[start..],
            _ => "",
        };
        write!(f, "Credentials(..{last_four})")
    }
}

fn printable(what: &str, value: &str) -> ferror::Result<()> {
    if value.is_empty() {
        return Err(Error::config(format!("the {what} is empty")));
    }
    if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::config(format!(
            "the {what} holds a character other than letters, digits and punctuation"
        ))
        .hint(
            "look for a space, a line break or a quotation mark that came along when it was copied",
        ));
    }
    Ok(())
}

pub(crate) fn half_a_pair(set: &str, missing: &str) -> Error {
    Error::config(format!("{set} is set, but {missing} is not"))
        .hint(format!("set {missing} as well, or unset {set}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use ferror::Kind;
    use proptest::prelude::ProptestConfig;
    use proptest::test_runner::RngSeed;

    use super::Credentials;

    /// Returns the settings of this crate's property tests. The seed is fixed, so that the same
    /// code always gets the same inputs.
    pub(crate) fn bounded() -> ProptestConfig {
        ProptestConfig {
            cases: 500,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        }
    }

    /// Checks which credentials the variables `vars` (`NAME=value`) give: an access key id and a
    /// session token, none, or an error that contains two words.
    fn check(vars: &[&str], expected: Result<Option<(&str, Option<&str>)>, [&str; 2]>) {
        let get = |name: &str| {
            vars.iter().find_map(|var| {
                let (found, value) = var.split_once('=').expect("NAME=value");
                (found == name).then(|| value.to_owned())
            })
        };
        match (Credentials::from_vars(get), expected) {
            (Ok(got), Ok(expected)) => {
                let got = got.as_ref().map(|c| (c.access_key_id(), c.session_token()));
                assert_eq!(got, expected, "{vars:?}");
            }
            (Err(error), Err(names)) => {
                assert_eq!(error.kind(), Kind::Config, "{vars:?}");
                for name in names {
                    assert!(error.to_string().contains(name), "{vars:?}: {error} lacks {name}");
                }
                assert!(!error.to_string().contains("hidden"), "{error} shows a secret");
            }
            (got, expected) => panic!("{vars:?}: got {got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn the_first_complete_pair_wins_and_half_a_pair_is_an_error() {
        check(&[], Ok(None));
        check(&["S3_KEY=", "S3_SECRET= \n", "AWS_SESSION_TOKEN=t"], Ok(None));
        check(&["S3_KEY=old", "S3_SECRET=hidden"], Ok(Some(("old", None))));
        let aws = ["AWS_ACCESS_KEY_ID=aws", "AWS_SECRET_ACCESS_KEY=hidden", "AWS_SESSION_TOKEN=t"];
        check(&aws, Ok(Some(("aws", Some("t")))));
        check(&aws[..2], Ok(Some(("aws", None))));
        let both = [&["S3_KEY=old", "S3_SECRET=hidden"], &aws[..]].concat();
        check(&both, Ok(Some(("old", None))));
        let blank_old = [&["S3_KEY=", "S3_SECRET="], &aws[..]].concat();
        check(&blank_old, Ok(Some(("aws", Some("t")))));
        check(&["S3_KEY=old"], Err(["S3_KEY", "S3_SECRET"]));
        check(&["S3_SECRET=hidden"], Err(["S3_KEY", "S3_SECRET"]));
        check(&["AWS_ACCESS_KEY_ID=aws"], Err(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]));
        check(
            &["AWS_SECRET_ACCESS_KEY=hidden"],
            Err(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]),
        );
        // Half a pair is not mended by a whole one further down: someone meant the first.
        check(&[&["S3_KEY=old"], &aws[..]].concat(), Err(["S3_KEY", "S3_SECRET"]));
        check(&["S3_KEY=old", "S3_SECRET=hid den"], Err(["secret access key", "character"]));
        // A blank at an end is a slip that no server explains.
        check(&["S3_KEY=old", "S3_SECRET=hidden\n"], Err(["S3_SECRET", "blank"]));
        check(&["S3_KEY= old", "S3_SECRET=hidden"], Err(["S3_KEY", "blank"]));
        check(
            &[&aws[..2], &["AWS_SESSION_TOKEN=t "]].concat(),
            Err(["AWS_SESSION_TOKEN", "blank"]),
        );
        // The session token belongs to the pair it came with.
        check(&["S3_KEY=old", "S3_SECRET=hidden", "AWS_SESSION_TOKEN=t "], Ok(Some(("old", None))));
    }

    #[test]
    fn debug_shows_the_last_four_of_the_id_alone() {
        for (id, expected) in [
            ("AKIAIOSFODNN7EXAMPLE", "Credentials(..MPLE)"),
            ("12345678", "Credentials(..5678)"),
            ("1234567", "Credentials(..)"),
            ("1", "Credentials(..)"),
        ] {
            let credentials = Credentials::new(id, "hidden", Some("secret-too".into())).unwrap();
            assert_eq!(format!("{credentials:?}"), expected);
            assert_eq!(format!("{:?}", Some(&credentials)), format!("Some({expected})"));
        }
    }

    #[test]
    fn values_that_no_header_can_carry_are_refused_unseen() {
        for (id, secret, token) in [
            ("", "hidden", None),
            ("id", "", None),
            ("id", "hidden", Some("")),
            ("id\r\nx-evil: 1", "hidden", None),
            ("id", "hidden\n", None),
            ("id", "hidden", Some("hidden\u{e9}")),
        ] {
            let error = Credentials::new(id, secret, token.map(str::to_owned)).unwrap_err();
            assert_eq!(error.kind(), Kind::Config);
            assert!(!format!("{error:?}").contains("hidden"), "{error:?} shows a secret");
        }
    }
}
