//! The settings of a `predict` section.

use serde::{Deserialize, Serialize};

use super::table::{Typed, Visitor, default_text, settings};
use crate::setting::{Kind, Limits, Setting, SettingValue};

/// How large the images are that a network predicts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PredictSize {
    /// As the data section says.
    Data,
    /// As large as the slice, or as what is cut out of it.
    Native,
    /// Rows and columns.
    Given([usize; 2]),
}

impl PredictSize {
    const fn word(self) -> &'static str {
        match self {
            PredictSize::Data => "auto",
            PredictSize::Native => "native",
            PredictSize::Given(_) => "[rows, columns]",
        }
    }
}

impl Typed for PredictSize {
    fn value(&self) -> SettingValue {
        match self {
            PredictSize::Given(size) => size.value(),
            word => SettingValue::Word(word.word().to_owned()),
        }
    }

    fn of(value: SettingValue) -> Option<PredictSize> {
        match value {
            SettingValue::Word(word) if word == PredictSize::Native.word() => {
                Some(PredictSize::Native)
            }
            SettingValue::Word(_) => Some(PredictSize::Data),
            size => <[usize; 2]>::of(size).map(PredictSize::Given),
        }
    }
}

settings! {
    /// Settings of the `predict` section.
    pub struct PredictConfig("") {
        /// Slices that go through the network at once.
        batch: usize = (8) in Kind::Int { min: 1, max: 1 << 16 };
        /// Probability above which a pixel is foreground.
        threshold: f64 = (0.5) in Kind::Float(Limits::FRACTION);
        /// Rows and columns of an image before the network: as the data say, as large as the slice (`native`), or given. Units: pixels.
        size: PredictSize = (PredictSize::Data) in Kind::Size(&["auto", "native"]);
    }
}
