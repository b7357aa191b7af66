//! What the original made of weights that follow from names: one JSON file per case.

use std::collections::BTreeMap;
use std::path::Path;

use hqcc_compiler::elaborate::Size;
use hqcc_tests::digest::Digest;
use serde::Deserialize;

/// Digests by the original's names.
pub type Digests = BTreeMap<String, Digest>;

/// The numbers of one network and where they come from.
#[derive(Debug, Deserialize)]
pub struct Reference {
    /// How it was made: the original's source, versions, and how far its f32 is from its f64.
    pub made: Made,
    /// File of `models/`.
    pub file: String,
    /// The model as written in .hqc.
    pub model: String,
    /// Height and width.
    pub size: [usize; 2],
    /// Channels of the input.
    pub channels: usize,
    /// Samples.
    pub batch: usize,
    /// What the names of weights, input and target begin with.
    pub seed: String,
    /// Trained parameters of the original, those that it never computes included.
    pub parameters: usize,
    /// The input.
    pub input: Digest,
    /// The target.
    pub target: Digest,
    /// Logits in evaluation mode.
    pub eval: Digest,
    /// Parameters that get no gradient.
    pub unused: Vec<String>,
    /// Loss and gradients in evaluation mode.
    pub frozen: Step,
    /// Loss, gradients and running statistics in training mode.
    pub train: Step,
    /// Three steps of training.
    pub adam: Adam,
}

/// How the numbers were made.
#[derive(Debug, Deserialize)]
pub struct Made {
    /// Distances of the original's own f32 from its f64: largest of each group.
    pub float32_noise: BTreeMap<String, f64>,
}

/// Loss and gradients.
#[derive(Debug, Deserialize)]
pub struct Step {
    /// The loss.
    pub loss: f64,
    /// Gradients by parameter.
    pub gradients: Digests,
    /// Running statistics afterwards.
    #[serde(default)]
    pub statistics: Digests,
}

/// Steps of Adam.
#[derive(Debug, Deserialize)]
pub struct Adam {
    /// The loss before each step.
    pub losses: Vec<f64>,
    /// The parameters after the last one.
    pub parameters: Digests,
}

impl Reference {
    /// Reads the case of that name.
    pub fn read(case: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/models");
        let path = folder.join(format!("{case}.json"));
        let text = std::fs::read_to_string(&path);
        let text = text.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// The size of the input.
    pub fn size(&self) -> Size {
        Size {
            batch: self.batch,
            channels: self.channels,
            height: self.size[0],
            width: self.size[1],
        }
    }
}
