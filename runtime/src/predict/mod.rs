//! Prediction: a trained network without circuits that segments volumes of any size.

mod baked;
mod predictor;

pub use baked::Baked;
pub use predictor::Predictor;
