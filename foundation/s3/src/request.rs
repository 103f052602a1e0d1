//! A request as far as a signature sees it.

/// A request before it is signed. It has no host of its own: the host is a header like the others.
#[derive(Debug, Clone, PartialEq, Eq)]
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

impl Request {
    /// The value of the first header of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn push_header(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.headers.push((name.into(), value.into()));
    }

    pub(crate) fn push_query(&mut self, name: &str, value: impl Into<String>) {
        self.query.push((name.to_owned(), value.into()));
    }
}
