//! A request as far as a signature sees it.

use std::fmt;

/// A request before it is signed. It has no host of its own: the host is a header like the others.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `PUT`, ...
    pub method: &'static str,
    /// The path, percent-encoded: the very bytes that are sent.
    pub path: String,
    /// Names and values of the query, not encoded; an empty value is sent as `name=`.
    pub query: Vec<(String, String)>,
    /// Names, in lower case, and values. All are sent; each signature says which it leaves out.
    pub headers: Vec<(String, String)>,
}

/// Leaves out session token and signature.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = |name: &str| {
            let name = name.to_ascii_lowercase();
            ["authorization", "x-amz-security-token", "x-amz-signature", "signature"]
                .contains(&name.as_str())
        };
        let shown = |pairs: &[(String, String)]| -> Vec<(String, String)> {
            let shown = |(name, value): &(String, String)| {
                (name.clone(), if secret(name) { "..".to_owned() } else { value.clone() })
            };
            pairs.iter().map(shown).collect()
        };
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &shown(&self.query))
            .field("headers", &shown(&self.headers))
            .finish()
    }
}

impl Request {
    /// Returns the value of the first header of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Returns whether the request writes only if a condition holds.
    pub(crate) fn is_conditional_write(&self) -> bool {
        ["PUT", "POST"].contains(&self.method)
            && ["if-none-match", "if-match"].iter().any(|name| self.header(name).is_some())
    }

    pub(crate) fn push_header(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.headers.push((name.into(), value.into()));
    }

    pub(crate) fn push_query(&mut self, name: &str, value: impl Into<String>) {
        self.query.push((name.to_owned(), value.into()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ftime::Epoch;

    use super::Request;
    use crate::{Credentials, sigv2, sigv4};

    #[test]
    fn debug_shows_neither_token_nor_signature() {
        let token = "hidden-token";
        let credentials = Credentials::new("id", "hidden", Some(token.to_owned())).unwrap();
        let plain = || Request {
            method: "GET",
            path: "/k".to_owned(),
            query: Vec::new(),
            headers: vec![("host".to_owned(), "h".to_owned())],
        };
        let (now, minute) = (Epoch::ZERO, Duration::from_secs(60));
        let mut signed = [plain(), plain(), plain(), plain()];
        sigv4::sign(&mut signed[0], &credentials, "r", &[0; 32], now);
        sigv2::sign(&mut signed[1], &credentials, None, now);
        sigv4::presign(&mut signed[2], &credentials, "r", now, minute).unwrap();
        sigv2::presign(&mut signed[3], &credentials, None, now, minute).unwrap();
        for request in signed {
            let authorization = request.header("authorization").unwrap_or("Signature=none");
            let parts = authorization.split_once("Signature=").or(authorization.split_once("id:"));
            let signature = parts.unwrap().1;
            let text = format!("{request:?}");
            assert!(!text.contains(token) && !text.contains(signature), "{text}");
            assert!(text.contains("/k"), "{text}");
        }
    }
}
