//! The settings of a `train` section, as records.

use crate::setting::{Kind, Setting};

/// The model.
pub const MODEL: &Setting = &Setting {
    name: "model",
    kind: Kind::Other("a model with its settings"),
    default: Some("the last of the file"),
    doc: "The network that is trained.",
};
/// The data.
pub const DATA: &Setting = &Setting {
    name: "data",
    kind: Kind::Other("the name of a data section"),
    default: Some("the only one of the file"),
    doc: "The data that it is trained on.",
};
/// The rewrites.
pub const REWRITE: &Setting = &Setting {
    name: "rewrite",
    kind: Kind::Other("the name of a rewrite, or a list of them"),
    default: Some("none"),
    doc: "What is done to layers besides their annotations: weights from circuits, adapters, frozen parameters.",
};
/// The weights to begin from.
pub const START: &Setting = &Setting {
    name: "start",
    kind: Kind::Other(
        "weights(\"FILE\", prefix = PATH, names = NAME, missing = keep), or a list of them",
    ),
    default: Some("none"),
    doc: "Files of weights that the run begins from, applied in order.",
};
/// The loss.
pub const LOSS: &Setting = &Setting {
    name: "loss",
    kind: Kind::Other("a sum of losses, each with a number before it or not"),
    default: Some("bce + dice"),
    doc: "What training makes small.",
};
/// The optimiser.
pub const OPTIM: &Setting = &Setting {
    name: "optim",
    kind: Kind::Other("an optimiser with its settings"),
    default: Some("adam()"),
    doc: "How parameters follow their gradients.",
};
/// The batch.
pub const BATCH: &Setting = &Setting {
    name: "batch",
    kind: Kind::Int {
        min: 1,
        max: 1 << 16,
    },
    default: Some("8"),
    doc: "Samples in a batch; the last batch of an epoch may be smaller.",
};
/// The epochs.
pub const EPOCHS: &Setting = &Setting {
    name: "epochs",
    kind: Kind::Int {
        min: 1,
        max: 1_000_000,
    },
    default: Some("20"),
    doc: "Times that all training samples are seen.",
};
/// The seed.
pub const SEED: &Setting = &Setting {
    name: "seed",
    kind: Kind::Int {
        min: 0,
        max: i64::MAX,
    },
    default: Some("1"),
    doc: "Decides initial weights, the order of samples and their random changes.",
};
/// The measures.
pub const METRICS: &Setting = &Setting {
    name: "metrics",
    kind: Kind::Other("a list of measures"),
    default: Some("[dsc, iou]"),
    doc: "What is measured on the test split after every epoch.",
};
/// The checkpoint that is kept.
pub const KEEP: &Setting = &Setting {
    name: "keep",
    kind: Kind::Other("best(MEASURE) or last"),
    default: Some("best of the first of `metrics`"),
    doc: "Which checkpoint is kept beside the last one: that of the epoch with the best mean, or none.",
};
/// How often is saved.
pub const SAVE_EVERY: &Setting = &Setting {
    name: "save_every",
    kind: Kind::Int {
        min: 0,
        max: i64::MAX,
    },
    default: Some("0"),
    doc: "Saves after every so many steps too; 0 saves after epochs only. Units: steps.",
};

/// Every setting of the section, in order.
pub const SETTINGS: [&Setting; 12] = [
    MODEL, DATA, REWRITE, START, LOSS, OPTIM, BATCH, EPOCHS, SEED, METRICS, KEEP, SAVE_EVERY,
];
