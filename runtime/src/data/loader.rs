//! Datasets: the samples of the two splits, and epochs of batches that a thread of its own prepares.

use super::augment::augment;
use super::cache::{self, CachedCase};
use super::case::Case;
use super::error::DataError;
use super::kits19::case_name;
use super::place::{Place, Rect};
use super::preprocess::case_records;
use super::store::CaseStore;
use crate::random::Stream;
use crate::tensor::Tensor;
use hqcc_compiler::experiment::{Augment, Cases, DataSettings, Preprocessing, Task};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};

/// Batches that wait ready while the executor works.
const READY: usize = 3;

/// Where a sample comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleInfo {
    /// Case number.
    pub case: u32,
    /// Its position in the volume of the case.
    pub place: Place,
    /// Whether the rectangle is only a part of the slice.
    pub cropped: bool,
}

impl std::fmt::Display for SampleInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Place { slice, rect, .. } = self.place;
        write!(f, "{}/slice {slice}", case_name(self.case))?;
        if self.cropped {
            let Rect { y0, y1, x0, x1 } = rect;
            write!(f, "/rows {y0}..{y1} columns {x0}..{x1}")?;
        }
        Ok(())
    }
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Grey values, 0 to 1; [1, H, W].
    pub image: Vec<f32>,
    /// 1 on the target, otherwise 0; [1, H, W].
    pub mask: Vec<u8>,
    /// Where it comes from.
    pub info: SampleInfo,
}

/// Where a sample comes from, as far as measures need it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleOrigin {
    /// Number of the case. The samples of a case follow each other.
    pub case: u32,
    /// `[rows, columns]` of the sample.
    pub size: [usize; 2],
    /// Distance between slices, rows and columns. Units: millimetres.
    pub spacing: [f64; 3],
}

/// Samples put together for one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Images `[N, C, H, W]`: grey values, 0 to 1.
    pub images: Tensor,
    /// Masks `[N, 1, H, W]` of class numbers: 1.0 on the target, otherwise 0.0.
    pub targets: Tensor,
    /// The split's samples in this batch, in order.
    pub samples: Vec<usize>,
    /// Where each of them comes from.
    pub origins: Vec<SampleOrigin>,
}

impl Batch {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

/// The samples of one split.
#[derive(Debug)]
pub struct Split {
    /// `train` or `test`.
    pub name: &'static str,
    /// Rows and columns of a sample.
    pub size: [usize; 2],
    samples: Vec<(SampleInfo, usize, usize)>,
    stores: Vec<Arc<CaseStore>>,
    /// What an epoch of training does to samples; `None` on the test split and where nothing is asked for.
    augment: Option<Augment>,
}

/// Both splits.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// To learn from.
    pub train: Arc<Split>,
    /// To measure on.
    pub test: Arc<Split>,
}

/// How far the preparation of a dataset is, in cases.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Cases that are ready.
    pub done: usize,
    /// Cases in all.
    pub total: usize,
}

impl Dataset {
    /// Finds, reads, preprocesses and holds the cases of both splits.
    ///
    /// Each worker has one volume in memory at a time. `run_folder` is where the settings' automatic cache goes beside.
    ///
    /// # Errors
    /// A fault of settings, files or splits; all faulty cases are reported together.
    pub fn open(
        settings: &DataSettings,
        run_folder: &Path,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Dataset, DataError> {
        DataError::settings(settings.faults())?;
        let splits = [("train", &settings.train), ("test", &settings.test)];
        // A case of both splits is prepared once.
        let mut all = BTreeMap::new();
        for (split, cases) in splits {
            let found = Case::of(&settings.source, cases, split)?;
            all.extend(found.into_iter().map(|case| (case.number(), case)));
        }
        let cache = cache::folder(&settings.cache, run_folder);
        let stores = prepare(&settings.preprocessing, &all, cache.as_deref(), progress)?;
        let [train, test] = splits.map(|(name, cases)| Split::new(name, cases, settings, &stores));
        Ok(Dataset {
            train: Arc::new(train?),
            test: Arc::new(test?),
        })
    }
}

/// Prepares every case, several at a time.
fn prepare(
    settings: &Preprocessing,
    cases: &BTreeMap<u32, Case>,
    cache: Option<&Path>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<BTreeMap<u32, Arc<CaseStore>>, DataError> {
    let total = cases.len();
    let cases: Vec<_> = cases.iter().collect();
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get().min(4));
    let next = AtomicUsize::new(0);
    let results = Mutex::new((BTreeMap::new(), Vec::new()));
    progress(Progress { done: 0, total });
    std::thread::scope(|scope| {
        for _ in 0..workers.min(total) {
            scope.spawn(|| {
                while let Some((number, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = prepare_case(settings, case, cache);
                    let mut held = results.lock().unwrap_or_else(|e| e.into_inner());
                    match result {
                        Ok(store) => {
                            held.0.insert(**number, Arc::new(store));
                        }
                        Err(e) => held.1.push((**number, e)),
                    }
                    let done = held.0.len() + held.1.len();
                    progress(Progress { done, total });
                }
            });
        }
    });
    let (stores, mut errors) = results.into_inner().unwrap_or_else(|e| e.into_inner());
    errors.sort_by_key(|(number, _)| *number);
    let errors = errors.into_iter().map(|(_, e)| e).collect();
    DataError::all(errors).map_or(Ok(stores), Err)
}

fn prepare_case(
    settings: &Preprocessing,
    case: &Case,
    cache: Option<&Path>,
) -> Result<CaseStore, DataError> {
    if let (Case::Files(files), Some(folder)) = (case, cache) {
        let case = CachedCase::open(folder, files, settings)?;
        return Ok(CaseStore::Cached(Box::new(case)));
    }
    let (volume, labels) = case.read()?;
    case_records(&volume, &labels, settings).map(CaseStore::Memory)
}

impl Split {
    fn new(
        name: &'static str,
        cases: &Cases,
        settings: &DataSettings,
        stores: &BTreeMap<u32, Arc<CaseStore>>,
    ) -> Result<Split, DataError> {
        let mut split = Split {
            name,
            size: settings.preprocessing.size,
            samples: Vec::new(),
            stores: Vec::new(),
            augment: (name == "train" && settings.augment != Augment::default())
                .then(|| settings.augment.clone()),
        };
        for case in cases.iter() {
            let Some(store) = stores.get(&case) else {
                continue;
            };
            let at = split.stores.len();
            let infos = store.places().into_iter().enumerate().map(|(i, place)| {
                let info = SampleInfo {
                    case,
                    place,
                    cropped: settings.preprocessing.task == Task::Tumor,
                };
                (info, at, i)
            });
            split.samples.extend(infos);
            split.stores.push(store.clone());
        }
        if split.samples.is_empty() {
            return Err(DataError::no_sample(
                name,
                cases.len(),
                &settings.preprocessing,
            ));
        }
        Ok(split)
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is none; an opened dataset has no such split.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Where sample `i` comes from.
    pub fn info(&self, i: usize) -> SampleInfo {
        self.samples[i].0
    }

    /// Where sample `i` comes from, as measures need it.
    fn origin(&self, i: usize) -> SampleOrigin {
        let info = self.info(i);
        SampleOrigin {
            case: info.case,
            size: self.size,
            spacing: info.place.spacing,
        }
    }

    /// Reads sample `i`.
    ///
    /// # Errors
    /// A cache file that vanished or changed since the dataset was opened.
    pub fn read(&self, i: usize) -> Result<Sample, DataError> {
        let (info, store, record) = self.samples[i];
        let (image, mask) = self.stores[store].read(record)?;
        Ok(Sample { image, mask, info })
    }

    /// Puts samples together as they are.
    ///
    /// # Errors
    /// As `read`.
    pub fn batch(&self, samples: &[usize]) -> Result<Batch, DataError> {
        self.assemble(samples, None)
    }

    /// Puts samples together, changed at random if `random` gives a seed and an epoch.
    fn assemble(
        &self,
        samples: &[usize],
        random: Option<(&Augment, u64, u64)>,
    ) -> Result<Batch, DataError> {
        let [h, w] = self.size;
        let shape = [samples.len(), 1, h, w];
        let mut images = Vec::with_capacity(samples.len() * h * w);
        let mut targets = Vec::with_capacity(samples.len() * h * w);
        for &i in samples {
            let mut sample = self.read(i)?;
            if let Some((settings, seed, epoch)) = random {
                let (image, mask) = (&mut sample.image, &mut sample.mask);
                augment(settings, (seed, epoch, i), self.size, image, mask);
            }
            images.extend_from_slice(&sample.image);
            targets.extend(sample.mask.iter().map(|m| f32::from(*m)));
        }
        Ok(Batch {
            images: Tensor::new(shape, images)?,
            targets: Tensor::new(shape, targets)?,
            samples: samples.to_vec(),
            origins: samples.iter().map(|&i| self.origin(i)).collect(),
        })
    }

    /// The samples in the random order of an epoch, the same for the same seed and epoch.
    pub fn shuffled(&self, seed: u64, epoch: u64) -> Vec<usize> {
        Stream::new(seed, &format!("data.order.{epoch}")).permutation(self.len())
    }

    /// The samples in their own order.
    pub fn ordered(&self) -> Vec<usize> {
        (0..self.len()).collect()
    }

    /// Batches of `size` samples in this order, as they are, prepared ahead by a thread of its own. The last may be
    /// smaller.
    pub fn epoch(self: &Arc<Self>, order: Vec<usize>, size: usize) -> Epoch {
        self.start(order, size, None)
    }

    /// The batches of a training epoch, shuffled and augmented, without the first `skip` of them.
    pub fn training_epoch(
        self: &Arc<Self>,
        seed: u64,
        epoch: u64,
        size: usize,
        skip: usize,
    ) -> Epoch {
        let mut order = self.shuffled(seed, epoch);
        let left = order.split_off(skip.saturating_mul(size).min(order.len()));
        self.start(left, size, Some((seed, epoch)))
    }

    fn start(
        self: &Arc<Self>,
        order: Vec<usize>,
        size: usize,
        random: Option<(u64, u64)>,
    ) -> Epoch {
        let (send, receive) = sync_channel(READY);
        let size = size.max(1);
        let left = order.len().div_ceil(size);
        let split = self.clone();
        std::thread::spawn(move || {
            let random = split.augment.as_ref().zip(random);
            let random = random.map(|(settings, (seed, epoch))| (settings, seed, epoch));
            for chunk in order.chunks(size) {
                // Nobody waits for more when the epoch was dropped.
                if send.send(split.assemble(chunk, random)).is_err() {
                    return;
                }
            }
        });
        Epoch { receive, left }
    }
}

/// The batches of an epoch.
#[derive(Debug)]
pub struct Epoch {
    receive: Receiver<Result<Batch, DataError>>,
    left: usize,
}

impl Iterator for Epoch {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let ended = DataError::ReaderEnded { left: self.left };
        let batch = self.receive.recv().unwrap_or(Err(ended));
        // After an error there is nothing to go on with.
        self.left = if batch.is_ok() { self.left - 1 } else { 0 };
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Epoch {}
