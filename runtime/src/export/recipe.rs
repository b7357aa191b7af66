//! The preprocessing recipe: what has to be done to a volume before a network that left hqcc can be used, and to its answer
//! after.

use serde::Serialize;

use crate::data::{Crop, Mode, Preprocessing, Task};

/// Version of the recipe's keys.
const FORMAT: u32 = 1;

/// The recipe as written to `preprocessing.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Recipe {
    /// Version of these keys.
    pub format: u32,
    /// Version of hqcc that wrote it.
    pub hqcc: &'static str,
    /// Name of the model.
    pub model: String,
    /// The checkpoint that the weights come from.
    pub checkpoint: String,
    /// What is segmented: `kidney` or `tumor`.
    pub task: Task,
    /// What the network's classes are, by number.
    pub classes: Vec<String>,
    /// The tensor that the network takes.
    pub input: Input,
    /// The tensors that it gives.
    pub outputs: Vec<Output>,
    /// What makes the input from a volume, in order.
    pub steps: Vec<Step>,
    /// What makes a mask from the answer.
    pub answer: Answer,
}

/// The network's input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Order of the axes.
    pub layout: &'static str,
    /// Extents; the batch is free.
    pub shape: [serde_json::Value; 4],
    /// Element type.
    pub r#type: &'static str,
    /// Lowest and highest value after the steps.
    pub range: [f64; 2],
    /// Subtracted from each channel after the steps.
    pub mean: [f64; 1],
    /// Divisor of each channel after that.
    pub std: [f64; 1],
}

/// One of the network's outputs.
#[derive(Clone, Debug, Serialize)]
pub struct Output {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub meaning: &'static str,
}

/// One step of the preprocessing. Units: pixels, unless another is named.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// One image per slice of the volume's first axis; values in Hounsfield units.
    Slices {
        /// The axis.
        axis: usize,
    },
    /// `(clip(v, low, high) - low) / (high - low)`; with `levels`, times 255, plus 1/2, rounded down.
    Window {
        /// Units: Hounsfield units.
        low: f64,
        /// Units: Hounsfield units.
        high: f64,
        /// 256 for 8-bit values, `null` for floating point.
        levels: Option<u32>,
    },
    /// Mean of a square neighbourhood; 8-bit values are rounded to the nearest.
    Mean {
        /// Side of the square.
        side: usize,
        /// Values beyond the border: mirrored at the outermost pixel, which is not repeated.
        border: &'static str,
    },
    /// Median of a square neighbourhood.
    Median {
        /// Side of the square.
        side: usize,
        /// Values beyond the border: the outermost pixel.
        border: &'static str,
    },
    /// Division by a number.
    Divide {
        /// The number.
        by: f64,
    },
    /// A rectangle around each component of the kidneys' mask (8-connected), or around all of them.
    Crop {
        /// `component` or `union`.
        around: Crop,
        /// By how much it is larger on each side, within the slice.
        pad: usize,
    },
    /// Resampling of the image.
    Resize {
        /// Rows and columns.
        size: [usize; 2],
        /// How pixels are read.
        method: &'static str,
        /// Position of pixel centres.
        centres: &'static str,
        /// Whether it is smoothed before it is made smaller.
        antialias: bool,
    },
    /// Zeros below and to the right, so that the network can take the image.
    Pad {
        /// Rows and columns.
        size: [usize; 2],
    },
}

/// From probabilities to a mask.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The output to use.
    pub output: &'static str,
    /// Rows and columns of it that count, from the first on.
    pub crop: [usize; 2],
    /// How it is brought back to the size of the slice or of the rectangle.
    pub resize: &'static str,
    /// A pixel is foreground where the resized probability is greater.
    pub threshold: f64,
    /// The label of the foreground.
    pub label: u8,
}

/// Everything that the recipe depends on.
pub struct Facts<'a> {
    /// Name of the model.
    pub model: &'a str,
    /// The checkpoint's file name.
    pub checkpoint: &'a str,
    /// Name of the input.
    pub input: &'a str,
    /// Channels of the output.
    pub classes: usize,
    /// How samples were made.
    pub data: &'a Preprocessing,
    /// Rows and columns that the network takes, not less than the data's.
    pub size: [usize; 2],
    /// Probability above which a pixel is foreground.
    pub threshold: f64,
}

impl Recipe {
    /// The recipe of a run.
    pub fn new(facts: &Facts<'_>) -> Self {
        let data = facts.data;
        let bytes = data.mode == Mode::U8;
        let mut steps = vec![
            Step::Slices { axis: 0 },
            Step::Window {
                low: data.window[0],
                high: data.window[1],
                levels: bytes.then_some(256),
            },
        ];
        if data.mean > 1 {
            steps.push(Step::Mean {
                side: data.mean,
                border: "reflect_101",
            });
        }
        if data.median > 1 {
            steps.push(Step::Median {
                side: data.median,
                border: "replicate",
            });
        }
        if bytes {
            steps.push(Step::Divide { by: 255.0 });
        }
        let (target, label) = match data.task {
            Task::Kidney => ("kidney", 1),
            Task::Tumor => ("tumor", 2),
        };
        if data.task == Task::Tumor {
            steps.push(Step::Crop {
                around: data.crop,
                pad: data.pad,
            });
        }
        steps.push(Step::Resize {
            size: data.size,
            method: "bilinear",
            centres: "half_pixel",
            antialias: false,
        });
        if facts.size != data.size {
            steps.push(Step::Pad { size: facts.size });
        }
        let mut classes = vec!["background".to_owned(), target.to_owned()];
        classes.extend((2..facts.classes).map(|number| format!("class {number}")));
        let [height, width] = facts.size;
        Recipe {
            format: FORMAT,
            hqcc: env!("CARGO_PKG_VERSION"),
            model: facts.model.to_owned(),
            checkpoint: facts.checkpoint.to_owned(),
            task: data.task,
            classes,
            input: Input {
                name: facts.input.to_owned(),
                layout: "NCHW",
                shape: ["N".into(), 1.into(), height.into(), width.into()],
                r#type: "float32",
                range: [0.0, 1.0],
                mean: [0.0],
                std: [1.0],
            },
            outputs: vec![
                Output {
                    name: "logits",
                    meaning: if facts.classes == 1 {
                        "one channel: the logit of the foreground"
                    } else {
                        "one channel per class, before the softmax"
                    },
                },
                Output {
                    name: "probability",
                    meaning: if facts.classes == 1 {
                        "one channel: sigmoid of the logit"
                    } else {
                        "one channel: 1 less the softmax of class 0"
                    },
                },
            ],
            steps,
            answer: Answer {
                output: "probability",
                crop: data.size,
                resize: "bilinear, half-pixel centres, no antialiasing",
                threshold: facts.threshold,
                label,
            },
        }
    }
}
