//! The `hqcc` binary.

fn main() -> std::process::ExitCode {
    // Mesa's device-select layer prints errors where no desktop session runs.
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
    hqcc::cli::main()
}
