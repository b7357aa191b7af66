//! `hqcc fmt`.

use std::path::{Path, PathBuf};

use clap::Args;
use hqcc_compiler::syntax::format;
use hqcc_compiler::syntax::span::World;

use super::Failure;
use super::args::print;
use super::messages::MessageFormat;
use crate::durable::replace_file;
use crate::source::Disk;

/// Lay .hqc files out in the one usual way; comments stay.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc fmt experiment.hqc          rewrite the file\n  \
    hqcc fmt --check models/*.hqc    name files that are laid out otherwise; exit code 1 if there are any")]
pub struct Fmt {
    /// Files to lay out.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; fail if a file would change.
    #[arg(long)]
    check: bool,
}

impl Fmt {
    /// Lays the files out. A broken file is reported and left alone; the others are still done.
    pub fn run(self) -> Result<(), Failure> {
        let mut failed = false;
        for file in &self.files {
            match self.one(file) {
                Ok(()) => {}
                Err(Failure::ClosedPipe) => return Err(Failure::ClosedPipe),
                Err(failure) => {
                    failure.report(MessageFormat::Human);
                    failed = true;
                }
            }
        }
        if failed {
            Err(Failure::Reported)
        } else {
            Ok(())
        }
    }

    fn one(&self, path: &Path) -> Result<(), Failure> {
        let name = path.display().to_string();
        let text = Disk
            .read(&name)
            .map_err(|why| Failure::new(format!("cannot read {name}: {why}")))?;
        let formatted = format(&name, &text).map_err(Failure::Source)?;
        if formatted == text {
            return Ok(());
        }
        if self.check {
            print(&format!("{name}\n"))?;
            return Err(Failure::Reported);
        }
        replace_file(path, formatted.as_bytes())
            .map_err(|e| Failure::new(format!("cannot write {name}: {e}")))
    }
}
