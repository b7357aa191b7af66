//! `hqcc predict`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use hqcc_compiler::tensor_type::Layout;
use serde_json::json;

use super::Failure;
use super::args::{Bar, DeviceArgs, MessageArgs};
use super::baked::Baked;
use super::eval::Which;
use super::experiment::Experiment;
use super::session::open_device;
use crate::data::{DataSettings, Labels, MaskBuilder, SliceInput, Volume, inputs};
use crate::executor::Executor;
use crate::tensor::Tensor;
use crate::train::folder::RunFolder;
use crate::train::progress::Reporter;
use crate::weights::{self, Weights};

/// Slices that are preprocessed at a time; a volume may have a thousand.
const SLICES: usize = 64;

/// Segment volumes with a trained network and write masks with the same shape and affine.
///
/// Every slice is preprocessed as in training, resized to the network's input, and its probabilities are resized back.
/// Weights that circuits generate are computed once, at the start; the network then runs without circuits.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc predict runs/first-1 volumes/case_00013/imaging.nii.gz -o mask.nii.gz\n  \
    hqcc predict runs/first-1 a.nii.gz b.nii.gz -o masks              masks/a.nii.gz, masks/b.nii.gz\n  \
    hqcc predict runs/tumor-1 ct.nii.gz --kidneys kidneys.nii.gz -o tumor.nii.gz")]
pub struct Predict {
    /// Folder of the run.
    run: PathBuf,
    /// Volumes: .nii or .nii.gz.
    #[arg(required = true)]
    volumes: Vec<PathBuf>,
    /// Where the mask goes; a folder if there are several volumes.
    #[arg(short, long, value_name = "MASK")]
    output: PathBuf,
    /// Mask of the kidneys, around which the tumour task cuts.
    #[arg(long, value_name = "FILE")]
    kidneys: Option<PathBuf>,
    /// The checkpoint.
    #[arg(long, value_enum, default_value_t)]
    checkpoint: Which,
    /// Change a setting of the run, such as `predict.threshold=0.3`.
    #[arg(short = 's', long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    messages: MessageArgs,
}

impl Predict {
    /// Segments the volumes.
    pub fn run(self) -> Result<(), Failure> {
        let format = self.messages.message_format;
        let folder = RunFolder::open(&self.run)?;
        let experiment = Experiment::open(
            &folder.experiment().display().to_string(),
            &self.set,
            format,
        )?;
        let settings = experiment.data()?;
        let outputs = self.outputs()?;
        let labels = self.kidneys.as_deref().map(Labels::read).transpose()?;
        let reporter = Reporter::new(format);
        let executor = open_device(&self.device.device, &reporter)?;
        let (state, _) = weights::load(&self.checkpoint.file(&folder))?;
        let mut predictor = Predictor::new(experiment, executor, state)?;
        for (input, output) in self.volumes.iter().zip(&outputs) {
            let volume = Volume::read(input)?;
            let mask = predictor.segment(&volume, labels.as_ref(), &settings)?;
            let foreground = mask.labels().iter().filter(|label| **label > 0).count();
            mask.write(output)?;
            let share = 100.0 * foreground as f64 / mask.labels().len().max(1) as f64;
            let [slices, rows, columns] = volume.geometry.shape;
            let line = format!(
                "{}: {slices} slices of {rows} x {columns}, {share:.2} % foreground -> {}",
                input.display(),
                output.display()
            );
            let value = json!({
                "volume": input, "mask": output, "shape": volume.geometry.shape, "foreground_voxels": foreground,
            });
            reporter.fact("mask", &line, value);
        }
        Ok(())
    }

    /// The mask file of each volume.
    fn outputs(&self) -> Result<Vec<PathBuf>, Failure> {
        if let [_] = self.volumes.as_slice() {
            let name = self.output.to_string_lossy();
            if !(name.ends_with(".nii") || name.ends_with(".nii.gz")) {
                return Err(Failure::new(format!(
                    "a mask is a .nii or .nii.gz file; `{name}` is neither"
                )));
            }
            return Ok(vec![self.output.clone()]);
        }
        std::fs::create_dir_all(&self.output)
            .map_err(|e| Failure::new(format!("cannot make {}: {e}", self.output.display())))?;
        let mut taken = BTreeMap::new();
        for volume in &self.volumes {
            let name = volume.file_name().map(Path::new).unwrap_or(volume);
            if let Some(other) = taken.insert(name, volume) {
                let (a, b) = (other.display(), volume.display());
                return Err(Failure::new(format!(
                    "{a} and {b} would give masks of the same name; run them apart"
                )));
            }
        }
        Ok(self
            .volumes
            .iter()
            .filter_map(|v| v.file_name())
            .map(|name| self.output.join(name))
            .collect())
    }
}

/// A trained network without circuits.
struct Predictor {
    experiment: Experiment,
    executor: Box<dyn Executor>,
    baked: Baked,
    /// Name of the entry and of its input, by batch size.
    entries: BTreeMap<usize, (String, String)>,
}

impl Predictor {
    /// Computes the weights of a checkpoint that circuits and adapters decide.
    fn new(
        experiment: Experiment,
        mut executor: Box<dyn Executor>,
        weights: Weights,
    ) -> Result<Self, Failure> {
        let baked = Baked::new(&experiment, &mut *executor, weights)?;
        Ok(Predictor {
            experiment,
            executor,
            baked,
            entries: BTreeMap::new(),
        })
    }

    /// Segments one volume.
    fn segment(
        &mut self,
        volume: &Volume,
        labels: Option<&Labels>,
        settings: &DataSettings,
    ) -> Result<MaskBuilder, Failure> {
        let [slices, ..] = volume.geometry.shape;
        let predict = self.experiment.study.predict.clone();
        let mut mask = MaskBuilder::new(&volume.geometry, labels, settings);
        let bar = Bar::start("segmenting", slices as u64);
        let mut waiting: Vec<SliceInput> = Vec::new();
        for start in (0..slices).step_by(SLICES) {
            let end = (start + SLICES).min(slices);
            waiting.extend(inputs(volume, labels, start..end, settings)?);
            while waiting.len() >= predict.batch || (end == slices && !waiting.is_empty()) {
                let batch: Vec<SliceInput> =
                    waiting.drain(..predict.batch.min(waiting.len())).collect();
                let probability = self.probability(&batch, settings.size)?;
                let pixels = settings.size[0] * settings.size[1];
                for (input, values) in batch.iter().zip(probability.data().chunks_exact(pixels)) {
                    mask.add(
                        input.slice,
                        input.rect,
                        values,
                        settings.size,
                        predict.threshold as f32,
                    );
                    bar.set(input.slice as u64);
                }
            }
        }
        bar.end();
        Ok(mask)
    }

    fn probability(
        &mut self,
        batch: &[SliceInput],
        [height, width]: [usize; 2],
    ) -> Result<Tensor, Failure> {
        let n = batch.len();
        let (entry, input) = self.entry(n)?;
        let values = batch
            .iter()
            .flat_map(|input| input.image.iter().copied())
            .collect();
        let images = Tensor::new([n, 1, height, width], values)?;
        let mut outputs = self.executor.run(&entry, &[(&input, &images)])?;
        outputs
            .remove("probability")
            .ok_or_else(|| Failure::new("the network gives no probability"))
    }

    /// The entry for a batch; it is loaded when it is first needed.
    fn entry(&mut self, batch: usize) -> Result<(String, String), Failure> {
        if let Some(found) = self.entries.get(&batch) {
            return Ok(found.clone());
        }
        let entry = (self.baked).entry(&self.experiment, &mut *self.executor, batch)?;
        let name = format!("predict.{batch}");
        self.executor.load(&name, &entry)?;
        for tensor in entry.state() {
            self.executor
                .write(&tensor.name, self.baked.value(&tensor.name)?)?;
        }
        let input = entry
            .inputs()
            .into_iter()
            .find(|(_, ty)| ty.layout == Layout::Image);
        let input = input
            .map(|(name, _)| name)
            .ok_or_else(|| Failure::new("the network has no input"))?;
        self.entries.insert(batch, (name.clone(), input.clone()));
        Ok((name, input))
    }
}
