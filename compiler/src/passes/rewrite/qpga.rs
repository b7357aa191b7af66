//! `qpga`: a generated weight added to the frozen one (Eq. 9 of HQC-TF, doi 10.1038/s41598-026-40127-z).
//!
//! With `start = zero` the generation at the initial angles is subtracted: `W + (G(theta) - G(theta_0))`. Both terms come
//! from the same kernel, so the difference is exactly 0 as long as the angles have not moved, and a pretrained network is
//! unchanged, bit for bit (a weight of -0 becomes +0). `theta_0`, and the start of what a post-processing trains, are
//! frozen parameters of the checkpoint, so that a resumed run and a prediction subtract the same.

use super::generation::Angles;
use super::qpg;
use super::{Does, Method, Site};
use crate::graph::{NodeId, Patch, Role};
use crate::ops::{Add, Sub};
use crate::setting::{Kind, Setting, Settings};
use crate::tensor_type::ShapeError;

pub(super) const METHOD: Method = Method {
    name: "qpga",
    doc: "adds a generated weight to the frozen one",
    settings,
    does: Does::Weight(adapt),
};

const START: Setting = Setting {
    name: "start",
    kind: Kind::Word(&["random", "zero"]),
    default: Some("random"),
    doc: "the generated weight at first: what the initial angles give, or 0, for a pretrained network",
};

fn settings() -> Vec<&'static Setting> {
    let mut settings = qpg::settings();
    settings.push(&START);
    settings
}

fn adapt(patch: &mut Patch<'_>, site: &Site, given: &Settings) -> Result<NodeId, ShapeError> {
    site.freeze(patch)?;
    let mut change = qpg::generate(patch, site, given, Angles::Trained)?;
    if given.word("start") == "zero" {
        let start = qpg::generate(patch, site, given, Angles::Start)?;
        patch.set_role(Role::Added);
        change = patch.add(Sub, &[change, start], "change")?;
    }
    patch.set_role(Role::Added);
    patch.add(Add, &[site.weight, change], "adapted")
}
