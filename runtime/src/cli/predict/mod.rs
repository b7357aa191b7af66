//! `hqcc predict`.

mod files;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::Failure;
use super::args::{CheckpointArg, DeviceArgs, MessageArgs};
use super::open::{open_device, open_run};
use super::reporter::Reporter;
use crate::data::{Labels, Task, Volume};
use crate::predict::Predictor;
use crate::source::data;
use files::{Job, jobs};

/// Segment volumes with a trained network and write masks with the same shape and affine.
///
/// Every slice is preprocessed as in training, resized to the network's input, and its probabilities are resized back.
/// Weights that circuits generate are computed once, at the start; the network then runs without circuits.
///
/// Slices are as large as `data.size` says, or `predict.size`: `[rows, columns]`, or `native` for no resizing. Where the network
/// cannot take that size, zeros are added below and to the right after all preprocessing, up to the next size that it can
/// take, and its answer is cropped back.
///
/// A folder stands for all .nii and .nii.gz files in it and below (not those called segmentation), and a mask has the path
/// below the output folder that its volume has below its own. A volume that fails does not stop the others.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc predict runs/first-1 volumes/case_00013/imaging.nii.gz -o mask.nii.gz\n  \
    hqcc predict runs/first-1 a.nii.gz b.nii.gz -o masks              masks/a.nii.gz, masks/b.nii.gz\n  \
    hqcc predict runs/first-1 volumes -o masks                        masks/case_00013/imaging.nii.gz, ...\n  \
    hqcc predict runs/first-1 ct.nii.gz -o mask.nii.gz -s predict.size=native\n  \
    hqcc predict runs/tumor-1 ct.nii.gz --kidneys kidneys.nii.gz -o tumor.nii.gz")]
pub struct Predict {
    /// Folder of the run.
    run: PathBuf,
    /// Volumes (.nii or .nii.gz), or folders of them.
    #[arg(required = true)]
    volumes: Vec<PathBuf>,
    /// Where the mask goes; a folder if there are several volumes.
    #[arg(short, long, value_name = "MASK")]
    output: PathBuf,
    /// Mask of the kidneys, around which the tumour task cuts; or a folder with one for each volume, under the names that the
    /// masks get here.
    #[arg(long, value_name = "PATH")]
    kidneys: Option<PathBuf>,
    /// The checkpoint.
    #[arg(long, value_enum, default_value_t)]
    checkpoint: CheckpointArg,
    /// Change a setting of the run, such as `predict.threshold=0.3`.
    #[arg(short = 's', long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    pub(super) messages: MessageArgs,
}

impl Predict {
    /// Segments the volumes.
    pub fn run(self) -> Result<(), Failure> {
        let format = self.messages.message_format;
        let run = open_run(&self.run, &self.set, format)?;
        if self.kidneys.is_some() && data(&run.experiment)?.preprocessing.task == Task::Kidney {
            return Err(Failure::new(
                "`--kidneys` is for the tumour task; this run's task is the kidneys, which looks at no mask",
            ));
        }
        let jobs = jobs(&self.volumes, &self.output)?;
        let mut reporter = Reporter::new(format);
        let device = open_device(&self.device.device, &reporter)?;
        let mut predictor = Predictor::new(run, self.checkpoint.into(), device)?;
        if let Some(size) = predictor.fixed_size() {
            let [rows, columns] = predictor.network_size(size)?;
            if [rows, columns] != size {
                let [height, width] = size;
                let line = format!(
                    "input: {height} x {width}, padded below and to the right to {rows} x {columns}"
                );
                let value = json!({ "size": size, "padded": [rows, columns] });
                reporter.fact("input", &line, value);
            }
        }
        let mut failed = Vec::new();
        for job in &jobs {
            if let Err(failure) = self.segment(&mut predictor, job, &mut reporter) {
                let Failure::Message(message) = failure else {
                    return Err(failure);
                };
                let volume = job.volume.display().to_string();
                // A message that names the volume already needs no name before it.
                let line = if message.contains(&volume) {
                    message.clone()
                } else {
                    format!("{volume}: {message}")
                };
                if jobs.len() == 1 {
                    return Err(Failure::Message(line));
                }
                let value = json!({ "volume": job.volume, "error": message });
                reporter.fact("failed", &format!("failed: {line}"), value);
                failed.push(line);
            }
        }
        if jobs.len() == 1 {
            return Ok(());
        }
        let (all, bad) = (jobs.len(), failed.len());
        let line = format!("{all} volumes: {} masks written, {bad} failed", all - bad);
        let value = json!({ "volumes": all, "written": all - bad, "failed": bad });
        reporter.fact("summary", &line, value);
        match bad {
            0 => Ok(()),
            _ => Err(Failure::new(format!(
                "no mask for {bad} of {all} volumes:\n  {}",
                failed.join("\n  ")
            ))),
        }
    }

    /// Segments one volume and writes its mask.
    fn segment(
        &self,
        predictor: &mut Predictor,
        job: &Job,
        reporter: &mut Reporter,
    ) -> Result<(), Failure> {
        let volume = Volume::read(&job.volume)?;
        let labels = match &self.kidneys {
            Some(kidneys) if kidneys.is_dir() => Some(Labels::read(&kidneys.join(&job.name))?),
            Some(kidneys) => Some(Labels::read(kidneys)?),
            None => None,
        };
        let mask = predictor.segment(&volume, labels.as_ref(), &mut |event| {
            reporter.event(event);
        })?;
        let foreground = mask.labels().iter().filter(|label| **label > 0).count();
        if let Some(folder) = job.mask.parent().filter(|folder| *folder != Path::new("")) {
            fs::create_dir_all(folder)
                .map_err(|e| Failure::new(format!("cannot make {}: {e}", folder.display())))?;
        }
        mask.write(&job.mask)?;
        let share = 100.0 * foreground as f64 / mask.labels().len().max(1) as f64;
        let [slices, rows, columns] = volume.geometry.shape;
        let line = format!(
            "{}: {slices} slices of {rows} x {columns}, {share:.2} % foreground -> {}",
            job.volume.display(),
            job.mask.display()
        );
        let value = json!({
            "volume": job.volume, "mask": job.mask, "shape": volume.geometry.shape, "foreground_voxels": foreground,
        });
        reporter.fact("mask", &line, value);
        Ok(())
    }
}
