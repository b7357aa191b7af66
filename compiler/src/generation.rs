//! What the circuits of a layer generate, in words and numbers: the ground of `hqcc circuit`.

use crate::diagnostic::nearest;
use crate::graph::{Graph, NodeId, Role, WeightKind};
use crate::ops::{Circuit, Readout, WeightMap};
use crate::passes::rewrite::POSTS;

/// A weight that circuits generate.
#[derive(Clone, Debug)]
pub struct GeneratedWeight {
    /// Path of the layer.
    pub layer: String,
    /// Name of the parameter that holds the angles of all circuits.
    pub theta: String,
    /// The circuit; all have the same gates.
    pub circuit: Circuit,
    /// How their outputs become the weight.
    pub map: WeightMap,
    /// The post-processing: its word and what it computes.
    pub post: (&'static str, &'static str),
    /// Whether the result is added to a weight of its own.
    pub added: bool,
}

/// The weights that circuits generate, in order of creation.
pub fn generated_weights(graph: &Graph) -> Vec<GeneratedWeight> {
    graph.ids().filter_map(|id| described(graph, id)).collect()
}

/// The generated weight of the layer at `path`.
///
/// # Errors
/// There is none; the sentence names the layers that have one.
pub fn generated_weight(graph: &Graph, path: &str) -> Result<GeneratedWeight, String> {
    let all = generated_weights(graph);
    let names: Vec<String> = all.iter().map(|weight| weight.layer.clone()).collect();
    let path = path.strip_suffix(".weight").unwrap_or(path);
    let found = all.into_iter().find(|weight| weight.layer == path);
    found.ok_or_else(|| {
        if names.is_empty() {
            return "no weight of this network comes from circuits: name a `rewrite`, or put `@qpg` above a layer"
                .to_owned();
        }
        let there = graph.ids().any(|id| graph.layer(id) == path);
        let fault = if there {
            format!("the weight of `{path}` does not come from circuits")
        } else {
            format!("there is no layer `{path}`")
        };
        match nearest(path, names.iter().map(String::as_str)) {
            Some(near) => format!("{fault}; did you mean `{near}`?"),
            None => format!("{fault}; circuits generate the weights of `{}`", names.join("`, `")),
        }
    })
}

fn described(graph: &Graph, id: NodeId) -> Option<GeneratedWeight> {
    let node = graph.node(id);
    let Role::Generated { post } = &node.origin.role else {
        return None;
    };
    let map = graph.op::<WeightMap>(id)?;
    let mut at = *graph.inputs(id).first()?;
    while graph.op::<Circuit>(at).is_none() {
        at = *graph.inputs(at).first()?;
    }
    let theta = *graph.inputs(at).first()?;
    let post = POSTS.iter().find(|known| known.name == post)?;
    Some(GeneratedWeight {
        layer: graph.layer(id).to_owned(),
        theta: graph.name(theta).to_owned(),
        circuit: graph.op::<Circuit>(at)?.clone(),
        map: map.clone(),
        post: (post.name, post.doc),
        added: node.replaces.is_none(),
    })
}

impl GeneratedWeight {
    /// Number of circuits.
    pub fn count(&self) -> usize {
        self.map.circuits()[0]
    }

    /// Angles of one circuit.
    pub fn angles(&self) -> usize {
        let circuit = &self.circuit;
        circuit.ansatz.angles(circuit.qubits, circuit.blocks)
    }

    /// `[target, kh, kw]`: the channel and the place in the kernel that a circuit serves.
    pub fn place(&self, circuit: usize) -> [usize; 3] {
        let [.., kh, kw] = self.map.sides();
        let position = circuit % (kh * kw);
        [circuit / (kh * kw), position / kw, position % kw]
    }

    /// What circuit number `index` is one of, which entries of the weight it gives, and how.
    pub fn notes(&self, index: usize) -> Vec<String> {
        let Circuit {
            qubits,
            blocks,
            readout,
            ..
        } = self.circuit;
        let (count, angles) = (self.count(), self.angles());
        let [target, row, column] = self.place(index);
        let [_, used] = self.map.circuits();
        let (over, of) = if self.map.input_targets {
            ("output", "input")
        } else {
            ("input", "output")
        };
        let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let kernel = match (self.map.kind, self.map.sides()) {
            (WeightKind::Linear, _) => String::new(),
            (_, [.., h, w]) => format!(", kernel row {row} of {h}, column {column} of {w}"),
        };
        let size = 1usize << qubits;
        let unused = if used < size {
            format!("; amplitudes {used} to {} are not used", size - 1)
        } else {
            String::new()
        };
        let (word, doc) = self.post;
        let read = match readout {
            Readout::Real => "psi = amplitude i",
            Readout::Probability => "p = |amplitude i|^2",
        };
        let added = if self.added {
            ", added to the frozen weight"
        } else {
            ""
        };
        vec![
            format!(
                "{} of {}, {}, {} each: {} for {} generated weights {}",
                plural(count, "circuit"),
                plural(qubits, "qubit"),
                plural(blocks, "block"),
                plural(angles, "angle"),
                count * angles,
                count * used,
                self.map.to,
            ),
            format!(
                "circuit {index} gives the entries of {of} channel {target}{kernel}: entry i belongs to {over} channel i, \
                 i = 0 to {}{unused}",
                used - 1
            ),
            format!("{word}: {doc}; {read}{added}"),
            format!(
                "i = sum of q[k] 2^({} - k): qubit 0 is the most significant bit",
                qubits - 1
            ),
        ]
    }
}
