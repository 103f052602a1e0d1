//! Raises how many files the programs that xtask starts may have open.
//!
//! A linker opens every object file and library of a program at once. macOS allows 256 open files at first, and
//! some shells and CI runners do so on Linux; the hard limit, up to which a process may raise its own, is higher.

/// The largest number that macOS grants (`OPEN_MAX`), and more than a linker has open. A larger one would make
/// programs slow that close every number up to the limit.
const ENOUGH: libc::rlim_t = 10_240;

/// Raises the soft limit of this process, which its children inherit, towards the hard one. A limit that the
/// system does not let us raise stays as it is: most builds do without.
pub fn raise_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a value of the type that the call fills, and that lives until it returns.
    #[expect(unsafe_code, reason = "the standard library has no limits of a process")]
    let is_known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    let wanted = limit.rlim_max.min(ENOUGH);
    if !is_known || limit.rlim_cur >= wanted {
        return;
    }
    limit.rlim_cur = wanted;
    // SAFETY: the pointer is to a value of the type that the call reads, and that lives until it returns.
    #[expect(unsafe_code, reason = "the standard library has no limits of a process")]
    let _ = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
}
