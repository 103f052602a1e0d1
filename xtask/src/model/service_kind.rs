//! The kinds of services that there are templates of.

/// The kind of a new service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServiceKind {
    /// It serves requests.
    #[default]
    Web,
    /// It does its work again and again.
    Worker,
}
