//! Hands the command line to the library.

fn main() -> std::process::ExitCode {
    xtask::main()
}
