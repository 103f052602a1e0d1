//! The kinds of services that there are templates of.

/// What a new service is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServiceKind {
    /// It serves requests.
    #[default]
    Web,
    /// It does its work again and again.
    Worker,
}
