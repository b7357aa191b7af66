//! `sst`: each probability, shifted and scaled.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

use super::Post;
use crate::ops::{Affine, Readout};

pub(super) const POST: Post = Post {
    name: "sst",
    doc: "y = (pi/2)(p - 1/2)",
    readout: Readout::Probability,
    settings: &[],
    add: |generation, read, _, _| {
        let affine = Affine {
            scale: FRAC_PI_2,
            offset: -FRAC_PI_4,
        };
        generation.add(affine, &[read], "sst")
    },
};
