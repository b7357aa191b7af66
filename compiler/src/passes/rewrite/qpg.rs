//! `qpg`: a weight that circuits generate (Eq. 8 of HQC-TF, doi 10.1038/s41598-026-40127-z).

use super::generation::{Angles, Generation};
use super::posts::{self, POSTS};
use super::{Does, Method, Site};
use crate::graph::{Init, NodeId, Patch, Role};
use crate::ops::{Circuit, WeightMap};
use crate::quantum::ansatz::{Ansatz, qubits_for};
use crate::setting::{Kind, Setting, Settings};
use crate::tensor_type::{ShapeError, TensorType};

/// How many blocks a generated weight may have.
const MAX_BLOCKS: i64 = 64;

pub(super) const METHOD: Method = Method {
    name: "qpg",
    doc: "replaces the weight by one that circuits generate",
    settings,
    does: Does::Weight(|patch, site, given| generate(patch, site, given, Angles::Trained)),
};

const SETTINGS: &[Setting] = &[
    Setting {
        name: "blocks",
        kind: Kind::Int {
            min: 1,
            max: MAX_BLOCKS,
        },
        default: Some("1"),
        doc: "number of repeated blocks, K",
    },
    Setting {
        name: "circuit",
        kind: Kind::Circuit,
        default: Some("hqc_tf"),
        doc: "the gates: a `circuit` of the file",
    },
    Setting {
        name: "post",
        kind: Kind::Word(posts::NAMES),
        default: Some("rce"),
        doc: "what a circuit's readout becomes before it is a weight",
    },
    Setting {
        name: "target",
        kind: Kind::Word(&["auto", "output"]),
        default: Some("auto"),
        doc: "the side that circuits belong to: the shorter one (Eq. 8), or the outputs (Eq. 6)",
    },
];

/// The settings of a generation, and those of all post-processings.
pub(super) fn settings() -> Vec<&'static Setting> {
    let posts = POSTS.iter().flat_map(|post| post.settings);
    SETTINGS.iter().chain(posts).collect()
}

/// Adds circuits that generate a weight like the one at hand; gives the generated weight.
pub(super) fn generate(
    patch: &mut Patch<'_>,
    site: &Site,
    given: &Settings,
    angles: Angles,
) -> Result<NodeId, ShapeError> {
    let settings = given.filled(settings());
    let post = posts::chosen(given, settings.word("post"))?;
    let mut map = WeightMap {
        to: site.ty.clone(),
        kind: site.kind,
        input_targets: true,
    };
    let [outputs, inputs, ..] = map.sides();
    map.input_targets = settings.word("target") != "output" && inputs <= outputs;
    let [circuits, used] = map.circuits();
    let (qubits, blocks) = (qubits_for(used), settings.int("blocks")?);
    let ansatz = settings.circuit("circuit").cloned();
    let ansatz = ansatz.unwrap_or_else(Ansatz::hqc_tf);
    if ansatz.angles(qubits, blocks) == 0 {
        let message =
            format!("the circuit has no angle on {qubits} qubit, so it has nothing to train");
        let help = "gates of two qubits have no place there: add one such as `ry(all)`";
        return Err(ShapeError::new(message).help(help));
    }
    let mut shape = vec![circuits];
    shape.extend(ansatz.angle_shape(qubits, blocks));
    let uniform = Init::Uniform {
        low: 0.0,
        high: 1.0,
    };
    let mut generation = Generation::new(patch, site, angles);
    generation.role = Role::Angles;
    let theta = generation.parameter(TensorType::plain(shape), uniform, "theta")?;
    let circuit = Circuit::new(ansatz, qubits, blocks, post.readout, used);
    generation.role = Role::Circuit;
    let read = generation.add(circuit, &[theta], "circuit")?;
    generation.role = Role::Post;
    let processed = (post.add)(&mut generation, read, [circuits, qubits], &settings)?;
    let post = post.name.to_owned();
    generation.role = Role::Generated { post };
    generation.add(map, &[processed], "generated")
}
