//! `hqcc phantom`.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::args::{Bar, print};
use crate::data::{self, write_phantom};

/// Write made-up CT volumes with kidneys and tumours, in the layout of KiTS19.
///
/// The folder then serves as `root` of a `kits19` data section. A volume depends on the seed and its case number alone, so
/// the same command writes the same files, and more cases leave the earlier ones as they are.
///
/// No file is overwritten. A file that holds the very volume that would be written stays; where any other file has its name,
/// the command fails before it writes anything.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc phantom volumes --cases 12\n  \
    hqcc phantom volumes --cases 12 --slices 40 --pixels 256 --seed 7\n  \
    hqcc run models/qunet.hqc -s data.root=volumes -s data.train=0..10 -s data.test=10..12")]
pub struct Phantom {
    /// Folder to write case_00000, case_00001, ... into.
    dir: PathBuf,
    /// Number of cases.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    cases: u32,
    /// Slices of a volume.
    #[arg(long, default_value_t = data::Phantom::default().slices)]
    slices: usize,
    /// Rows and columns of a slice.
    #[arg(long, default_value_t = data::Phantom::default().pixels)]
    pixels: usize,
    /// Share of the cases that have a tumour, 0 to 1.
    #[arg(long, default_value_t = data::Phantom::default().tumors)]
    tumors: f64,
    /// Seed; another seed gives other patients.
    #[arg(long, default_value_t = data::Phantom::default().seed)]
    seed: u64,
}

impl Phantom {
    /// Writes the volumes.
    pub fn run(self) -> Result<(), Failure> {
        let Phantom {
            dir,
            cases,
            slices,
            pixels,
            tumors,
            seed,
        } = self;
        let settings = data::Phantom {
            seed,
            slices,
            pixels,
            tumors,
        };
        let bar = Bar::start("writing volumes");
        write_phantom(&dir, cases, &settings, &|done| {
            bar.set(done as usize, cases as usize)
        })?;
        drop(bar);
        print(&format!(
            "{cases} cases of {slices} slices, {pixels} x {pixels} pixels, in {}\n",
            dir.display()
        ))
    }
}
