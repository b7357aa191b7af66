//! The binary from outside: what it prints, what it leaves behind, how it fails.

mod bad_input;
mod circuit;
mod experiments;
mod export;
mod gpu;
mod graph;
mod help;
mod import;
mod predict;
mod resume;
mod run_folder;
mod settings;
// Linux names the devices.
#[cfg(target_os = "linux")]
mod special_files;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// What a finished command left.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

/// The binary, to be run in `folder`.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hqcc-tested"));
    command.current_dir(folder).env_remove("RUST_BACKTRACE");
    command
}

/// Runs the binary in `folder` to its end.
fn hqcc<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Ended {
    ended(command(folder).args(args))
}

fn ended(command: &mut Command) -> Ended {
    let output = command.output().expect("the binary starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: output.status.code(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}
