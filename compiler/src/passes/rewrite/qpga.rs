//! `qpga`: a generated weight added to the frozen one (Eq. 9 of HQC-TF, doi 10.1038/s41598-026-40127-z).

use super::qpg::{self, Angles};
use super::{Does, Method, Site};
use crate::graph::{NodeId, Patch};
use crate::ops::{Add, Settings};
use crate::tensor_type::ShapeError;

pub(super) const METHOD: Method = Method {
    name: "qpga",
    doc: "adds a generated weight to the frozen one",
    settings: qpg::settings,
    does: Does::Weight(adapt),
};

fn adapt(patch: &mut Patch<'_>, site: &Site, given: &Settings) -> Result<NodeId, ShapeError> {
    site.freeze(patch)?;
    let generated = qpg::generate(patch, site, given, Angles::Trained)?;
    patch.add(Add, &[site.weight, generated], "adapted")
}
