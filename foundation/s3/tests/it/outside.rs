//! Variables, files and servers for tests of the search for credentials, and checks of its result.

use std::path::Path;

use s3::{
    CREDENTIAL_VARIABLES, CredentialInputs, CredentialProvider, Credentials, SessionScope, Step,
    Verdict, find_credentials,
};
use tempfile::TempDir;

/// Stands in every secret of these tests, and must not stand in anything that is shown.
pub(crate) const MARK: &str = "hidden";

/// Variables, and a home folder with files in it.
pub(crate) struct Outside {
    pub(crate) home: TempDir,
    variables: Vec<(String, String)>,
    pub(crate) scope: Option<SessionScope>,
}

/// A search that met nothing wrong.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) provider: Option<CredentialProvider>,
    pub(crate) steps: Vec<Step>,
}

impl Outside {
    /// Sets `variables` (`NAME=value`), with `HOME` in a value replaced by the home folder. The
    /// metadata service is disabled unless a variable gives its address.
    pub(crate) fn new(variables: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut outside = Self { home, variables: Vec::new(), scope: None };
        for variable in variables {
            let (name, value) = variable.split_once('=').expect("NAME=value");
            outside.set(name, &outside.expanded(value));
        }
        if !variables.iter().any(|variable| variable.starts_with("AWS_EC2_METADATA")) {
            outside.set("AWS_EC2_METADATA_DISABLED", "true");
        }
        outside
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let mut all = self.variables.iter();
        all.find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    pub(crate) fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Writes a file below the home folder.
    pub(crate) fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, self.expanded(text)).unwrap();
        self
    }

    pub(crate) fn find(&self) -> ferror::Result<Search> {
        let variable = |name: &str| {
            assert!(
                CREDENTIAL_VARIABLES.contains(&name),
                "{name} is asked for and not in the table"
            );
            self.variable(name)
        };
        let mut child_environment: Vec<_> =
            self.variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        child_environment.push(("PATH".into(), std::env::var_os("PATH").unwrap()));
        let found = find_credentials(&CredentialInputs {
            variable: &variable,
            home: Some(self.home.path().to_owned()),
            child_environment,
            roots_pem: None,
            region: "eu-west-1".to_owned(),
            scope: self.scope.clone(),
        });
        assert_unmarked(&format!("{:?}", found.steps));
        match &found.provider {
            Ok(found) => assert_unmarked(&format!("{found:?}")),
            Err(error) => {
                assert_unmarked_error(error);
                let last = found.steps.last().expect("one source was looked at");
                assert_eq!(last.verdict, Verdict::Wrong, "{error}");
                let source = format!("credentials ({})", last.source);
                assert!(error.to_string().contains(&source), "{error}");
            }
        }
        Ok(Search { provider: found.provider?, steps: found.steps })
    }

    /// Finds credentials and fetches them.
    pub(crate) fn fetch(&self) -> ferror::Result<Credentials> {
        let provider = self.find()?.provider.expect("a source has credentials");
        let fetched = provider.current();
        assert_unmarked(&format!("{provider:?} {fetched:?}"));
        fetched.inspect_err(assert_unmarked_error)
    }

    fn expanded(&self, text: &str) -> String {
        text.replace("HOME", &self.home.path().display().to_string())
    }
}

/// Returns the steps as `SOURCE: verdict`.
pub(crate) fn steps(found: &Search) -> Vec<String> {
    found.steps.iter().map(ToString::to_string).collect()
}

/// Returns the source that was used.
pub(crate) fn used(found: &Search) -> Option<&'static str> {
    let last = found.steps.last().expect("one source was looked at");
    (last.verdict == Verdict::Used).then_some(last.source)
}

pub(crate) fn credentials(id: &str, secret: &str, token: Option<&str>) -> Credentials {
    Credentials::new(id, secret, token.map(str::to_owned)).unwrap()
}

/// Writes error, sources and hint as one text.
pub(crate) fn shown(error: &ferror::Error) -> String {
    format!("{error:?} ({})", error.hint_text().unwrap_or_default())
}

pub(crate) fn assert_unmarked(text: &str) {
    assert!(!text.contains(MARK), "a secret is shown: {text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "raw control characters: {text:?}");
}

pub(crate) fn assert_unmarked_file(path: &Path) {
    assert_unmarked(&std::fs::read_to_string(path).unwrap());
}

fn assert_unmarked_error(error: &ferror::Error) {
    assert_unmarked(&shown(error));
}
