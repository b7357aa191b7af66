//! A trained network that segments volumes of any size.

use std::collections::BTreeMap;

use hqcc_compiler::Compiled;
use hqcc_compiler::elaborate::Size;
use hqcc_compiler::experiment::PredictSize;
use hqcc_compiler::tensor_type::Layout;

use super::baked::Baked;
use crate::data::{Labels, MaskBuilder, Preprocessing, SliceInput, Volume, inputs};
use crate::device::Device;
use crate::error::{Error, PredictError};
use crate::executor::Executor;
use crate::source;
use crate::tensor::Tensor;
use crate::train::folder::Which;
use crate::train::progress::{Event, Observer};
use crate::train::saved::SavedRun;

/// Slices that are preprocessed at a time; a volume may have a thousand.
const SLICES: usize = 64;

/// A network without circuits, for inputs of several sizes and batches of several lengths.
pub struct Predictor {
    experiment: Compiled<'static>,
    executor: Box<dyn Executor>,
    baked: Baked,
    settings: Preprocessing,
    /// Rows and columns that the network was trained at.
    built: [usize; 2],
    /// Rows and columns of the network's input by those of an image; or why there are none.
    sizes: BTreeMap<[usize; 2], Result<[usize; 2], String>>,
    /// Name of the entry and of its input, by batch and size.
    entries: BTreeMap<(usize, [usize; 2]), (String, String)>,
}

impl Predictor {
    /// Opens a checkpoint of a run and computes the weights that circuits and adapters decide.
    ///
    /// ```no_run
    /// use hqcc::{Device, Predictor, SavedRun, Volume, Which};
    ///
    /// let run = SavedRun::open("runs/first-1", &["predict.threshold=0.3"])?;
    /// let mut predictor = Predictor::new(run, Which::Best, Device::open("auto")?)?;
    /// let volume = Volume::read("imaging.nii.gz".as_ref())?;
    /// predictor.segment(&volume, None, &mut |_| {})?.write("mask.nii.gz".as_ref())?;
    /// # Ok::<(), hqcc::Error>(())
    /// ```
    ///
    /// # Errors
    /// A checkpoint that is damaged or lacks a tensor; the device's.
    pub fn new(run: SavedRun, which: Which, device: Device) -> Result<Self, Error> {
        let settings = source::data(&run.experiment)?.preprocessing.clone();
        let own = source::open(run.folder.experiment(), &[""; 0])?.size(1);
        let (weights, _) = run.weights(which)?;
        let SavedRun { experiment, .. } = run;
        let mut executor = device.executor;
        let baked = Baked::new(&experiment, &mut *executor, weights)?;
        Ok(Predictor {
            experiment,
            executor,
            baked,
            settings,
            built: [own.height, own.width],
            sizes: BTreeMap::new(),
            entries: BTreeMap::new(),
        })
    }

    /// Rows and columns that all images are resized to, unless they stay as they are.
    pub fn fixed_size(&self) -> Option<[usize; 2]> {
        match self.experiment.study().predict.size {
            PredictSize::Data => Some(self.settings.size),
            PredictSize::Native => None,
            PredictSize::Given(size) => Some(size),
        }
    }

    /// Rows and columns of the network's input for images of `size`: the least that are not smaller and that it can take. What is
    /// missing is padded with zeros below and to the right.
    ///
    /// # Errors
    /// It can take none, and why.
    pub fn network_size(&mut self, size: [usize; 2]) -> Result<[usize; 2], Error> {
        if !self.sizes.contains_key(&size) {
            let found = self.find_size(size)?;
            self.sizes.insert(size, found);
        }
        self.sizes[&size].clone().map_err(|reason| {
            let built = self.built;
            Error::Predict(PredictError::Size {
                size,
                built,
                reason,
            })
        })
    }

    fn find_size(&self, [height, width]: [usize; 2]) -> Result<Result<[usize; 2], String>, Error> {
        let [rows, columns] = self.built;
        let fits = self.experiment.fitting(of(1, [height, width]));
        let reason = match fits {
            Err(reason) => reason,
            Ok(Size { height, width, .. }) => match self.changed([height, width])? {
                None => return Ok(Ok([height, width])),
                Some(change) => change,
            },
        };
        // What the network was built for holds anything that is smaller.
        if height <= rows && width <= columns && self.changed(self.built)?.is_none() {
            return Ok(Ok(self.built));
        }
        Ok(Err(reason))
    }

    /// The first parameter whose shape depends on the size and is another one at `size`, in words.
    fn changed(&self, size: [usize; 2]) -> Result<Option<String>, Error> {
        let entry = self.experiment.predict(of(1, size))?;
        let differs = entry.state().into_iter().find_map(|tensor| {
            let own = self.baked.weights.get(&tensor.name)?.shape().to_vec();
            (own != tensor.ty.shape).then(|| {
                let (name, wanted) = (tensor.name, tensor.ty.shape);
                format!("`{name}` is {own:?}, and would have to be {wanted:?}")
            })
        });
        Ok(differs)
    }

    /// Segments one volume.
    ///
    /// # Errors
    /// A size that the network cannot take, labels that do not belong to the volume, or the device fails.
    pub fn segment(
        &mut self,
        volume: &Volume,
        labels: Option<&Labels>,
        observer: Observer<'_>,
    ) -> Result<MaskBuilder, Error> {
        let [slices, ..] = volume.geometry.shape;
        let (batch, size) = (self.experiment.study().predict.batch, self.fixed_size());
        let mut mask = MaskBuilder::new(volume, labels, &self.settings)?;
        let total = slices;
        observer(Event::Slices { done: 0, total });
        // Images that wait for a full batch, by size.
        let mut waiting: BTreeMap<[usize; 2], Vec<SliceInput>> = BTreeMap::new();
        for start in (0..slices).step_by(SLICES) {
            let end = (start + SLICES).min(slices);
            for input in inputs(volume, labels, start..end, &self.settings, size)? {
                let same = waiting.entry(input.size).or_default();
                same.push(input);
                if same.len() == batch {
                    let full = std::mem::take(same);
                    self.answer(&full, &mut mask)?;
                }
            }
            observer(Event::Slices { done: end, total });
        }
        for rest in waiting.into_values().filter(|rest| !rest.is_empty()) {
            self.answer(&rest, &mut mask)?;
        }
        Ok(mask)
    }

    /// Adds the network's answer to images of one size.
    fn answer(&mut self, batch: &[SliceInput], mask: &mut MaskBuilder) -> Result<(), Error> {
        let Some(first) = batch.first() else {
            return Ok(());
        };
        let ([height, width], threshold) = (first.size, self.experiment.study().predict.threshold);
        let [rows, columns] = self.network_size([height, width])?;
        let mut values = vec![0.0; batch.len() * rows * columns];
        for (image, to) in batch.iter().zip(values.chunks_exact_mut(rows * columns)) {
            for (line, to) in image
                .image
                .chunks_exact(width)
                .zip(to.chunks_exact_mut(columns))
            {
                to[..width].copy_from_slice(line);
            }
        }
        let images = Tensor::new([batch.len(), 1, rows, columns], values)?;
        let (entry, input) = self.entry(batch.len(), [rows, columns])?;
        let mut outputs = self.executor.run(&entry, &[(&input, &images)])?;
        let probability = outputs
            .remove("probability")
            .ok_or(PredictError::Lacks("output `probability`"))?;
        let answers = probability.data().chunks_exact(rows * columns);
        for (image, answer) in batch.iter().zip(answers) {
            let lines = answer.chunks_exact(columns).take(height);
            let own: Vec<f32> = lines.flat_map(|line| &line[..width]).copied().collect();
            mask.add(image.slice, image.rect, &own, image.size, threshold as f32)?;
        }
        Ok(())
    }

    /// The entry for a batch; it is loaded when it is first needed.
    fn entry(&mut self, batch: usize, size: [usize; 2]) -> Result<(String, String), Error> {
        if let Some(found) = self.entries.get(&(batch, size)) {
            return Ok(found.clone());
        }
        let executor = &mut *self.executor;
        let entry = self
            .baked
            .entry(&self.experiment, executor, of(batch, size))?;
        let name = format!("predict.{batch}.{}x{}", size[0], size[1]);
        executor.load(&name, &entry)?;
        for tensor in entry.state() {
            executor.write(&tensor.name, self.baked.value(&tensor.name)?)?;
        }
        let input = entry
            .inputs()
            .into_iter()
            .find(|(_, ty)| ty.layout == Layout::Image);
        let input = input
            .map(|(name, _)| name)
            .ok_or(PredictError::Lacks("image input"))?;
        let found = (name, input);
        self.entries.insert((batch, size), found.clone());
        Ok(found)
    }
}

fn of(batch: usize, [height, width]: [usize; 2]) -> Size {
    Size {
        batch,
        channels: 1,
        height,
        width,
    }
}
