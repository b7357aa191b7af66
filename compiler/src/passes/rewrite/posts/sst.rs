//! `sst`: each probability, shifted and scaled.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

use super::Post;
use crate::graph::Init;
use crate::ops::{Affine, Mul, Readout};
use crate::setting::{Kind, Setting};
use crate::tensor_type::TensorType;

pub(super) const POST: Post = Post {
    name: "sst",
    doc: "y = (pi/2)(p - 1/2), or s (p - 1/2) with a trained s",
    readout: Readout::Probability,
    settings: &[Setting {
        name: "scale",
        kind: Kind::Word(&["fixed", "learned"]),
        default: Some("fixed"),
        doc: "the factor of `sst`: pi/2, or one number of the layer that is trained from there",
    }],
    add: |generation, read, _, settings| {
        if settings.word("scale") != "learned" {
            let affine = Affine {
                scale: FRAC_PI_2,
                offset: -FRAC_PI_4,
            };
            return generation.add(affine, &[read], "sst");
        }
        let centre = Affine {
            scale: 1.0,
            offset: -0.5,
        };
        let centred = generation.add(centre, &[read], "sst.centred")?;
        let start = Init::Constant { value: FRAC_PI_2 };
        let scale = generation.parameter(TensorType::plain([1]), start, "sst.scale")?;
        generation.add(Mul, &[centred, scale], "sst")
    },
};
