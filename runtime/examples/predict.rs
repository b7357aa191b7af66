//! Segments a volume with a trained network: `cargo run --example predict -- RUN VOLUME MASK`.

use std::path::Path;

use hqcc::{Device, Error, Predictor, SavedRun, Volume, Which};

/// Writes the mask that the best network of a run gives a volume.
pub fn run(run: &str, volume: &str, mask: &str) -> Result<(), Error> {
    let run = SavedRun::open(run, &["predict.threshold=0.5"])?;
    let mut predictor = Predictor::new(run, Which::Best, Device::open("cpu")?)?;
    let volume = Volume::read(Path::new(volume))?;
    let found = predictor.segment(&volume, None, &mut |_| {})?;
    Ok(found.write(Path::new(mask))?)
}

/// Takes the folder of the run and the two files from the command line.
pub fn main() -> Result<(), Error> {
    let given: Vec<String> = std::env::args().collect();
    run(&given[1], &given[2], &given[3])
}
