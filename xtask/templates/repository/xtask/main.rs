//! The front door; everything behind it is the library.

fn main() -> std::process::ExitCode {
    xtask::main()
}
