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
    /// Names, in lower case, and values. What stands here is sent, and signed unless a signature
    /// must leave it out.
    pub headers: Vec<(String, String)>,
}
