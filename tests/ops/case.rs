//! A case: an op with its attributes and the values it is given.

use std::collections::BTreeMap;
use std::sync::Arc;

use hqcc_compiler::graph::{Graph, Init, Input, NodeId, Op, Parameter, ParameterKind};
use hqcc_compiler::ops::{Mul, ReduceSum, Reshape};
use hqcc_compiler::passes::autodiff::differentiate;
use hqcc_compiler::program::Entry;
use hqcc_compiler::tensor_type::{ShapeError, TensorType};
use hqcc_tests::tolerance::Tolerance;

/// A source of made-up values; the same seed gives the same case.
pub struct Rng(u64);

impl Rng {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `[low, high)`.
    pub fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A whole number in `low..=high`.
    pub fn int(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    /// True half of the time.
    pub fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }

    /// One of the choices.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.int(0, choices.len() - 1)]
    }
}

/// A tensor handed to an op.
#[derive(Clone)]
pub struct Arg {
    pub ty: TensorType,
    pub values: Vec<f64>,
}

impl Arg {
    /// Values uniform in `[low, high)`, rounded to single precision so that every executor sees the same ones.
    pub fn uniform(rng: &mut Rng, ty: TensorType, low: f64, high: f64) -> Self {
        let values = (0..ty.elements())
            .map(|_| f64::from(rng.real(low, high) as f32))
            .collect();
        Self { ty, values }
    }

    /// Values in `[-1, 1)`.
    pub fn unit(rng: &mut Rng, ty: TensorType) -> Self {
        Self::uniform(rng, ty, -1.0, 1.0)
    }

    /// Distinct values at least 1/64 apart and never nearer than 1/128 to 0, in random order: no ties, no kinks.
    pub fn apart(rng: &mut Rng, ty: TensorType) -> Self {
        let len = ty.elements();
        let mut values: Vec<f64> = (0..len)
            .map(|k| (k as f64 - (len / 2) as f64 + 0.5) / 64.0)
            .collect();
        for k in (1..len).rev() {
            values.swap(k, rng.int(0, k));
        }
        Self { ty, values }
    }

    /// Whole numbers in `0..count`.
    pub fn classes(rng: &mut Rng, ty: TensorType, count: usize) -> Self {
        let values = (0..ty.elements())
            .map(|_| rng.int(0, count - 1) as f64)
            .collect();
        Self { ty, values }
    }
}

/// Adds a case's op, and what it needs, to a graph.
pub type Build = fn(&mut Graph, &Arc<dyn Op>, &[NodeId]) -> Result<NodeId, ShapeError>;

/// An op, its inputs, the inputs whose gradient is checked, and how near results must be.
#[derive(Clone)]
pub struct Case {
    pub op: Arc<dyn Op>,
    pub args: Vec<Arg>,
    pub wrt: Vec<usize>,
    pub tolerance: Tolerance,
    pub build: Option<Build>,
}

impl Case {
    /// A case of one op without gradients to check.
    pub fn new(op: impl Op, args: Vec<Arg>, tolerance: Tolerance) -> Self {
        Self {
            op: Arc::new(op),
            args,
            wrt: Vec::new(),
            tolerance,
            build: None,
        }
    }

    /// Checks the gradients for these inputs too.
    pub fn wrt(mut self, inputs: &[usize]) -> Self {
        self.wrt = inputs.to_vec();
        self
    }

    /// Puts the op into a graph of its own making.
    pub fn built(mut self, build: Build) -> Self {
        self.build = Some(build);
        self
    }

    /// The name of an input; that of state holds its shape, since an executor keeps state from case to case.
    pub fn name(&self, at: usize) -> String {
        if self.op.overwrites().contains(&at) {
            format!("x{at} of {}", self.args[at].ty)
        } else {
            format!("x{at}")
        }
    }

    /// The graph of the case: one input for each argument (state where the op overwrites it), output `y`.
    pub fn graph(&self) -> Result<(Graph, Vec<NodeId>, NodeId), ShapeError> {
        let mut graph = Graph::default();
        let mut inputs = Vec::new();
        for (at, arg) in self.args.iter().enumerate() {
            let (ty, name) = (arg.ty.clone(), self.name(at));
            inputs.push(if self.op.overwrites().contains(&at) {
                let init = Init::Constant { value: 0.0 };
                let kind = ParameterKind::Moment;
                graph.add(
                    Parameter {
                        ty,
                        kind,
                        init,
                        weight: None,
                    },
                    &[],
                    name,
                )?
            } else {
                graph.add(Input { ty }, &[], name)?
            });
        }
        let y = match self.build {
            Some(build) => build(&mut graph, &self.op, &inputs)?,
            None => graph.add_shared(self.op.clone(), &inputs, "y")?,
        };
        graph.set_output("y", y);
        Ok((graph, inputs, y))
    }

    /// The graph with the sum of `y r` as output `loss`, `r` a further input, and its gradients `d0, d1, ...`.
    pub fn gradient_graph(&self) -> Result<Graph, String> {
        let (mut graph, inputs, y) = self.graph().map_err(|e| e.to_string())?;
        let ty = graph.ty(y).clone();
        let mut add = |op: Arc<dyn Op>, inputs: &[NodeId], name: &str| {
            graph
                .add_shared(op, inputs, name)
                .map_err(|e| e.to_string())
        };
        let r = add(Arc::new(Input { ty: ty.clone() }), &[], "r")?;
        let product = add(Arc::new(Mul), &[y, r], "product")?;
        let axes = (0..ty.rank()).collect();
        let sum = add(Arc::new(ReduceSum { axes }), &[product], "sum")?;
        let loss = add(
            Arc::new(Reshape {
                to: TensorType::scalar(),
            }),
            &[sum],
            "loss",
        )?;
        graph.set_output("loss", loss);
        let wanted: Vec<NodeId> = self.wrt.iter().map(|&at| inputs[at]).collect();
        let gradients = differentiate(&mut graph, loss, &wanted).map_err(|e| e.to_string())?;
        for (at, (_, gradient)) in self.wrt.iter().zip(gradients) {
            graph.set_output(format!("d{at}"), gradient);
        }
        Ok(graph)
    }

    /// Values for the inputs of an entry by name.
    pub fn values(&self) -> BTreeMap<String, (TensorType, Vec<f64>)> {
        self.args
            .iter()
            .enumerate()
            .map(|(at, arg)| (self.name(at), (arg.ty.clone(), arg.values.clone())))
            .collect()
    }

    /// The case in words.
    pub fn describe(&self) -> String {
        let types: Vec<String> = self.args.iter().map(|arg| arg.ty.to_string()).collect();
        format!(
            "{} {} of {}",
            self.op.name(),
            self.op.attributes(),
            types.join(", ")
        )
    }
}

/// An entry of a graph.
pub fn entry(graph: Graph) -> Entry {
    Entry { graph }
}
