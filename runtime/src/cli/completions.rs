//! `hqcc completions`.

use clap::Args;
use clap_complete::{Shell, generate};

use super::Failure;

/// Print a script that completes hqcc's commands and options in your shell.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc completions bash > ~/.local/share/bash-completion/completions/hqcc\n  \
    hqcc completions zsh > ~/.zfunc/_hqcc\n  \
    hqcc completions fish > ~/.config/fish/completions/hqcc.fish")]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut super::definition(), "hqcc", &mut script);
        super::args::print(&String::from_utf8_lossy(&script))
    }
}
