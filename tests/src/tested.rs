//! The `hqcc` binary once more: cargo tells a test the path of a binary of its own package only.

fn main() -> std::process::ExitCode {
    hqcc::cli::main()
}
