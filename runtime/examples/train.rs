//! Trains the network of a `.hqc` file: `cargo run --example train -- FILE RUNS`.

use hqcc::{Device, Error, Event};

/// Trains on the CPU and returns the folder of the run.
pub fn run(file: &str, runs: &str) -> Result<std::path::PathBuf, Error> {
    let experiment = hqcc::open(file, &["train.epochs=2"])?;
    let mut told = |event: Event<'_>| {
        if let Event::Epoch(epoch) = event {
            println!("epoch {}: loss {:.4}", epoch.epoch, epoch.loss);
        }
    };
    let device = Device::open("cpu")?;
    let trained = hqcc::train(experiment, device, runs, "example", &|| false, &mut told)?;
    Ok(trained.folder.path().to_owned())
}

/// Takes the file and the folder of all runs from the command line.
pub fn main() -> Result<(), Error> {
    let given: Vec<String> = std::env::args().collect();
    println!("run: {}", run(&given[1], &given[2])?.display());
    Ok(())
}
