//! The `hqcc` binary.

fn main() -> std::process::ExitCode {
    hqcc::cli::main()
}
