//! The loop on a network of one number: interruptions at every moment, faults, and the files they leave.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hqcc_compiler::measures::{Counts, MEASURES};

use super::*;
use crate::data::SampleOrigin;
use crate::random::Stream;
use crate::tensor::Tensor;

const BATCHES: u64 = 3;
const EPOCHS: u64 = 4;

/// Two pixels a sample; epoch and position decide the values, as shuffling would.
struct Fixed;

fn batch(tag: u64, index: u64) -> Batch {
    let stream = Stream::new(tag, "batch");
    let n = if index + 1 == BATCHES { 1 } else { 2 };
    let values = |salt: u64| move |i: usize| stream.uniform_f32(salt + index * 100 + i as u64);
    let images = Tensor::from_fn([n, 1, 1, 2], values(0));
    let targets = Tensor::from_fn([n, 1, 1, 2], |i| values(50)(i).round());
    let origin = SampleOrigin {
        case: 0,
        size: [1, 2],
        spacing: [1.0; 3],
    };
    Batch {
        images,
        targets,
        samples: (0..n).collect(),
        origins: vec![origin; n],
    }
}

impl Samples for Fixed {
    fn batches(&self) -> u64 {
        BATCHES
    }

    fn train(&self, epoch: u64, skip: u64) -> Result<Batches<'_>, Fault> {
        Ok(Box::new((skip..BATCHES).map(move |i| Ok(batch(epoch, i)))))
    }

    fn test(&self) -> Result<Batches<'_>, Fault> {
        Ok(Box::new((0..2).map(|i| Ok(batch(99, i)))))
    }
}

/// `y = w x`, trained to no purpose; fails or blows up where told.
struct OneNumber {
    weight: f32,
    losses: VecDeque<f32>,
    fail_at: Option<u64>,
    nan_at: Option<u64>,
}

impl OneNumber {
    fn new(weight: f32) -> Self {
        OneNumber {
            weight,
            losses: VecDeque::new(),
            fail_at: None,
            nan_at: None,
        }
    }
}

impl Learner for OneNumber {
    fn submit(&mut self, step: u64, batch: &Batch) -> Result<(), Fault> {
        if self.fail_at == Some(step) {
            return Err("the device is lost".into());
        }
        let mean = batch.images.data().iter().sum::<f32>() / batch.images.len() as f32;
        self.losses.push_back(if self.nan_at == Some(step) {
            f32::NAN
        } else {
            (self.weight - mean).powi(2)
        });
        self.weight -= 0.3 * (self.weight - mean) + 0.01 * step as f32;
        Ok(())
    }

    fn collect(&mut self) -> Result<f32, Fault> {
        self.losses
            .pop_front()
            .ok_or_else(|| "no step is under way".into())
    }

    fn evaluate(&mut self, batch: &Batch, _: bool) -> Result<Judged, Fault> {
        let pixels = batch
            .images
            .data()
            .chunks(2)
            .zip(batch.targets.data().chunks(2));
        let samples = pixels
            .map(|(x, t)| JudgedSample {
                counts: Counts::of(
                    x.iter().map(|x| x * self.weight > 0.2),
                    t.iter().map(|&t| t > 0.5),
                ),
                masks: None,
            })
            .collect();
        Ok(Judged {
            loss: self.weight.abs(),
            samples,
        })
    }

    fn state(&mut self) -> Result<Weights, Fault> {
        Ok(BTreeMap::from([(
            "w".to_string(),
            Tensor::scalar(self.weight),
        )]))
    }
}

struct Setup<'a> {
    folder: &'a RunFolder,
    save_every: u64,
}

impl Setup<'_> {
    fn go(
        &self,
        learner: &mut OneNumber,
        position: &mut Position,
        stop: &dyn Fn() -> bool,
    ) -> Result<Ending, TrainError> {
        let schedule = Schedule {
            epochs: EPOCHS,
            measures: MEASURES.iter().collect(),
            keep: Keep::Best(&MEASURES[0]),
            save_every: self.save_every,
        };
        Run {
            learner,
            samples: &Fixed,
            schedule,
            folder: self.folder,
            observer: &mut |_| {},
            stop,
        }
        .train(position)
    }

    fn resume(&self, stop: &dyn Fn() -> bool) -> Result<Ending, TrainError> {
        let (state, mut position) = checkpoint::load(&self.folder.last())?;
        self.go(
            &mut OneNumber::new(state["w"].data()[0]),
            &mut position,
            stop,
        )
    }
}

fn products(folder: &Path) -> Vec<Vec<u8>> {
    [
        "metrics.jsonl",
        "metrics.csv",
        "last.safetensors",
        "best.safetensors",
    ]
    .map(|name| fs::read(folder.join(name)).unwrap())
    .to_vec()
}

fn unbroken(root: &Path) -> Vec<Vec<u8>> {
    let folder = RunFolder::create(root, "whole").unwrap();
    let setup = Setup {
        folder: &folder,
        save_every: 0,
    };
    let ending = setup.go(&mut OneNumber::new(0.4), &mut Position::start(1), &|| false);
    assert_eq!(ending.unwrap(), Ending::Finished);
    products(folder.path())
}

#[test]
fn a_run_stopped_after_any_step_and_resumed_leaves_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    let whole = unbroken(root.path());
    for stop_after in 1..BATCHES * EPOCHS {
        let folder = RunFolder::create(root.path(), "cut").unwrap();
        let setup = Setup {
            folder: &folder,
            save_every: 0,
        };
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() > stop_after
        };
        let ending = setup
            .go(&mut OneNumber::new(0.4), &mut Position::start(1), &stop)
            .unwrap();
        assert_eq!(ending, Ending::Interrupted);
        assert_eq!(setup.resume(&|| false).unwrap(), Ending::Finished);
        assert_eq!(products(folder.path()), whole, "stopped after {stop_after}");
    }
}

#[test]
fn a_run_that_died_at_any_step_and_is_resumed_leaves_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    let whole = unbroken(root.path());
    for (fail_at, save_every) in (1..=BATCHES * EPOCHS).flat_map(|step| [(step, 0), (step, 2)]) {
        let folder = RunFolder::create(root.path(), "dead").unwrap();
        let setup = Setup {
            folder: &folder,
            save_every,
        };
        let mut learner = OneNumber {
            fail_at: Some(fail_at),
            ..OneNumber::new(0.4)
        };
        let message = setup
            .go(&mut learner, &mut Position::start(1), &|| false)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(&format!("step {fail_at}: the device is lost")),
            "{message}"
        );
        assert_eq!(setup.resume(&|| false).unwrap(), Ending::Finished);
        assert_eq!(
            products(folder.path()),
            whole,
            "died at {fail_at}, saving every {save_every}"
        );
    }
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_spares_the_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path(), "nan").unwrap();
    let setup = Setup {
        folder: &folder,
        save_every: 0,
    };
    let mut learner = OneNumber {
        nan_at: Some(5),
        ..OneNumber::new(0.4)
    };
    let error = setup
        .go(&mut learner, &mut Position::start(1), &|| false)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the loss (NaN) is not finite at step 5 (epoch 2, batch 2)"),
        "{error}"
    );
    assert_eq!(checkpoint::load(&folder.last()).unwrap().1.step, 3);
}

#[test]
fn parameters_that_are_no_numbers_are_never_saved() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path(), "inf").unwrap();
    let setup = Setup {
        folder: &folder,
        save_every: 0,
    };
    let error = setup
        .go(
            &mut OneNumber::new(f32::INFINITY),
            &mut Position::start(1),
            &|| false,
        )
        .unwrap_err();
    assert!(
        error.to_string().contains("`w` (inf) is not finite"),
        "{error}"
    );
    assert!(!folder.last().exists());
}
