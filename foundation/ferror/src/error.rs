//! The error value: a kind, a message, the context it passed through, a hint and a source.

use std::error::Error as StdError;
use std::fmt;

use crate::Kind;

/// A failure, with its [`Kind`].
///
/// `{}` prints contexts and message in one line, joined by `": "`; `{:#}` adds the sources. So
/// nothing is lost or said twice when a chain printer such as anyhow's walks the sources itself.
/// The hint is never part of either: whoever shows the error places it ([`Error::hint_text`]).
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    /// Innermost first, the order in which they were added.
    contexts: Vec<String>,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Makes an error of `kind` that says `message`: what failed, with the name of the thing.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            contexts: Vec::new(),
            hint: None,
            source: None,
        }))
    }

    /// Makes an error of [`Kind::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Makes an error of [`Kind::Config`].
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message)
    }

    /// Makes an error of [`Kind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// Adds what was being done when it failed; the newest context is printed first.
    #[must_use]
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.0.contexts.push(context.into());
        self
    }

    /// Says what to do about it, as one imperative sentence. A later hint replaces an earlier one,
    /// because a caller knows more about the situation.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Keeps the error that caused this one; it is printed by `{:#}` and reachable by
    /// [`StdError::source`].
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the message alone, without contexts and sources.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns what to do about it, if there is a hint.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Returns whether the same call, made again later, may work.
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for context in self.0.contexts.iter().rev() {
            write!(f, "{context}: ")?;
        }
        f.write_str(&self.0.message)?;
        if !f.alternate() {
            return Ok(());
        }
        let mut source = self.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// The same line as `{:#}` with the kind before it: `unwrap` and `{:?}` in a log stay readable.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self:#}", self.kind())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Adds contexts to the error of a result.
pub trait ResultExt<T> {
    /// Adds a context that is cheap to make.
    fn context(self, context: impl Into<String>) -> crate::Result<T>;
    /// Adds a context that is made only when there is an error.
    fn with_context<S: Into<String>>(self, context: impl FnOnce() -> S) -> crate::Result<T>;
}

impl<T> ResultExt<T> for crate::Result<T> {
    fn context(self, context: impl Into<String>) -> Self {
        self.map_err(|error| error.context(context))
    }

    fn with_context<S: Into<String>>(self, context: impl FnOnce() -> S) -> Self {
        self.map_err(|error| error.context(context()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, ResultExt as _};
    use crate::Kind;

    fn refused() -> Error {
        Error::new(Kind::Denied, "PUT a/b: 403 AccessDenied")
            .caused_by(std::io::Error::other("the policy says no"))
            .context("uploading a/b")
            .context("shipping a")
    }

    #[test]
    fn display_is_contexts_and_message_and_alternate_adds_the_sources() {
        assert_eq!(refused().to_string(), "shipping a: uploading a/b: PUT a/b: 403 AccessDenied");
        assert_eq!(
            format!("{:#}", refused()),
            "shipping a: uploading a/b: PUT a/b: 403 AccessDenied: the policy says no",
        );
        assert_eq!(
            format!("{:?}", refused()),
            "denied: shipping a: uploading a/b: PUT a/b: 403 AccessDenied: the policy says no",
        );
        assert_eq!(Error::usage("no verb").to_string(), "no verb");
    }

    #[test]
    fn the_kind_and_hint_survive_anyhow_and_its_contexts() {
        let error =
            anyhow::Error::from(refused().hint("ask the bucket's owner")).context("at the edge");
        let ours = error.downcast_ref::<Error>().expect("our error stays reachable");
        assert_eq!(ours.kind(), Kind::Denied);
        assert_eq!(ours.hint_text(), Some("ask the bucket's owner"));
        assert_eq!(
            format!("{error:#}"),
            "at the edge: shipping a: uploading a/b: PUT a/b: 403 AccessDenied: the policy says no",
        );
    }

    #[test]
    fn a_later_hint_replaces_the_earlier_and_context_is_lazy() {
        let error = refused().hint("first").hint("second");
        assert_eq!(error.hint_text(), Some("second"));
        let fine: crate::Result<u8> = Ok(1);
        assert_eq!(
            fine.with_context(|| -> String { unreachable!("no error, no context") }).unwrap(),
            1
        );
    }
}
