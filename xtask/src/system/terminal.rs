//! Asks the terminal for its size.

/// Returns how many columns the terminal of stderr has; `None` where it is no terminal, or does not say.
pub fn width_of_stderr() -> Option<u16> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the pointer is to a value of the type that the call fills, and that lives until it returns.
    #[expect(unsafe_code, reason = "the standard library does not know terminals' sizes")]
    let is_known =
        unsafe { libc::ioctl(libc::STDERR_FILENO, libc::TIOCGWINSZ, &raw mut size) } == 0;
    (is_known && size.ws_col > 0).then_some(size.ws_col)
}
