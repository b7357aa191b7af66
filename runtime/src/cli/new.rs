//! `hqcc new`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::args::print;

/// Write a small experiment to start from: a network with one generated layer on made-up CT volumes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc new first.hqc\n  \
    hqcc run first.hqc")]
pub struct New {
    /// File to write; one that exists is left alone.
    file: PathBuf,
}

impl New {
    /// Writes the file.
    pub fn run(self) -> Result<(), Failure> {
        let name = self.file.display();
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&self.file)
            .map_err(|e| match e.kind() {
                ErrorKind::AlreadyExists => {
                    Failure::new(format!("{name} exists already; choose another name"))
                }
                _ => Failure::new(format!("cannot write {name}: {e}")),
            })?;
        let text =
            hqcc_models::QUICKSTART.replace("models/quickstart.hqc", &self.file.to_string_lossy());
        file.write_all(text.as_bytes())?;
        print(&format!(
            "wrote {name}; `hqcc check {name}` explains it, `hqcc run {name}` trains it\n"
        ))
    }
}
