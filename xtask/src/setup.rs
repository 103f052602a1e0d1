//! s
/// r
pub fn run(
    _o: &crate::cli::SetupOptions,
    _e: &crate::env::Env,
    _u: crate::ui::Ui,
) -> anyhow::Result<()> {
    Ok(())
}
