//! Epochs: every sample once, the same order for the same seed, and augmentation that depends on nothing else.

use hqcc::data::{Augment, Batch, Cases, DataSettings, Dataset, Phantom, Preprocessing, Source};
use std::path::Path;

fn settings() -> DataSettings {
    DataSettings {
        source: Source::Phantom(Phantom {
            slices: 9,
            pixels: 48,
            ..Phantom::default()
        }),
        train: Cases::from(0..3),
        test: Cases::from(3..4),
        preprocessing: Preprocessing {
            size: [24, 32],
            median: 3,
            ..Preprocessing::default()
        },
        ..DataSettings::default()
    }
}

fn open(settings: &DataSettings) -> Dataset {
    Dataset::open(settings, Path::new("runs/x"), &|_| {}).unwrap()
}

fn all(epoch: hqcc::data::Epoch) -> Vec<Batch> {
    epoch.map(Result::unwrap).collect()
}

#[test]
fn an_epoch_holds_every_sample_once_and_keeps_the_smaller_last_batch() {
    let train = open(&settings()).train;
    assert!(
        !train.len().is_multiple_of(4),
        "{} samples leave no rest",
        train.len()
    );
    let batches = all(train.training_epoch(1, 0, 4, 0));
    assert_eq!(batches.len(), train.len().div_ceil(4));
    let mut seen: Vec<usize> = batches.iter().flat_map(|b| b.samples.clone()).collect();
    assert_ne!(seen, train.ordered());
    seen.sort_unstable();
    assert_eq!(seen, train.ordered());
    let last = batches.last().unwrap();
    assert_eq!(last.images.shape(), [train.len() % 4, 1, 24, 32]);
    assert_eq!(last.targets.shape(), [train.len() % 4, 1, 24, 32]);
    for b in &batches {
        for (k, i) in b.samples.iter().enumerate() {
            let sample = train.read(*i).unwrap();
            assert_eq!(b.images.data()[k * 768..(k + 1) * 768], sample.image);
            let mask: Vec<u8> = b.targets.data()[k * 768..(k + 1) * 768]
                .iter()
                .map(|v| *v as u8)
                .collect();
            assert_eq!(mask, sample.mask);
        }
    }
}

#[test]
fn the_order_is_a_function_of_seed_and_epoch_and_can_be_entered_anywhere() {
    let train = open(&settings()).train;
    let whole = all(train.training_epoch(7, 3, 4, 0));
    assert_eq!(whole, all(train.training_epoch(7, 3, 4, 0)));
    assert_eq!(whole[2..], all(train.training_epoch(7, 3, 4, 2)));
    assert!(all(train.training_epoch(7, 3, 4, 1000)).is_empty());
    assert_ne!(train.shuffled(7, 3), train.shuffled(7, 4));
    assert_ne!(train.shuffled(7, 3), train.shuffled(8, 3));
    let mut left = train.training_epoch(7, 3, 4, 2);
    assert_eq!(left.len(), whole.len() - 2);
    left.next();
    // An epoch dropped half way must not leave anything waiting.
    drop(left);
}

#[test]
fn samples_say_where_they_come_from() {
    let data = open(&settings());
    let ids: Vec<String> = (0..data.test.len())
        .map(|i| data.test.info(i).to_string())
        .collect();
    assert!(
        ids.iter().all(|id| id.starts_with("case_00003/slice ")),
        "{ids:?}"
    );
    let mut unique = ids.clone();
    unique.dedup();
    assert_eq!(ids, unique);
}

#[test]
fn augmentation_is_reproducible_and_touches_training_alone() {
    let plain = open(&settings());
    let data = open(&DataSettings {
        augment: Augment {
            flip: true,
            rotate: 20.0,
            scale: 0.2,
            gamma: 0.3,
            noise: 0.02,
        },
        ..settings()
    });
    let once = all(data.train.training_epoch(1, 0, 5, 0));
    assert_eq!(once, all(data.train.training_epoch(1, 0, 5, 0)));
    let as_they_are = all(plain.train.training_epoch(1, 0, 5, 0));
    let pixels = |b: &[Batch]| {
        b.iter()
            .map(|b| b.targets.data().iter().sum::<f32>())
            .sum::<f32>()
    };
    assert_ne!(once, as_they_are);
    let ratio = pixels(&once) / pixels(&as_they_are);
    assert!(
        (0.8..1.25).contains(&ratio),
        "the masks' area changed by {ratio}"
    );
    // Another place in the batch, the same sample: the same change.
    let later = all(data.train.training_epoch(1, 0, 1, 0));
    assert_eq!(later[6].images.data(), &once[1].images.data()[768..2 * 768]);
    let test = data.test.ordered();
    assert_eq!(
        all(data.test.epoch(test.clone(), 5)),
        all(plain.test.epoch(test, 5))
    );
}

#[test]
fn a_mirror_image_keeps_image_and_mask_together() {
    let plain = open(&settings()).train;
    let data = open(&DataSettings {
        augment: Augment {
            flip: true,
            ..Augment::default()
        },
        ..settings()
    });
    let (mut kept, mut mirrored) = (0, 0);
    for b in data.train.training_epoch(2, 0, 1, 0) {
        let b = b.unwrap();
        let sample = plain.read(b.samples[0]).unwrap();
        let mask: Vec<u8> = b.targets.data().iter().map(|v| *v as u8).collect();
        if b.images.data() == sample.image && mask == sample.mask {
            kept += 1;
            continue;
        }
        let mirror_image: Vec<f32> = sample
            .image
            .chunks(32)
            .flat_map(|l| l.iter().rev().copied())
            .collect();
        let mirror_mask: Vec<u8> = sample
            .mask
            .chunks(32)
            .flat_map(|l| l.iter().rev().copied())
            .collect();
        assert!(b.images.data() == mirror_image && mask == mirror_mask);
        mirrored += 1;
    }
    assert!(kept > 0 && mirrored > 0, "{kept} kept, {mirrored} mirrored");
}
