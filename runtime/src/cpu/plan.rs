//! What the engine makes of a graph once: steps in order, joined where that saves a pass over memory, and a slot of memory
//! for every value, shared between values whose lifetimes do not meet.

use std::sync::Arc;

use hqcc_compiler::graph::{Graph, Input, NodeId, Op, Parameter};
use hqcc_compiler::ops;
use hqcc_compiler::tensor_type::TensorType;

use super::batch_norm::{batch_norm_relu, masked_batch_norm_grad_input, masked_batch_norm_sums};
use super::call::Function;
use super::function;
use super::group_norm::{group_norm_relu, masked_group_norm_grad_input, masked_group_norm_sums};
use super::matmul::matmul_add;
use super::real::Real;
use crate::executor::ExecutorError;

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A slot of working memory.
    Slot(usize),
    /// A state tensor of the entry.
    State(usize),
    /// A tensor handed in.
    Input(usize),
}

/// The evaluation of one node, or of a few joined ones.
pub struct Step<T> {
    /// Op whose attributes count.
    pub op: Arc<dyn Op>,
    /// What computes it.
    pub function: Function<T>,
    /// Names of the ops done here, for the profile.
    pub label: String,
    /// The node that the output belongs to, for errors.
    pub node: String,
    /// The inputs' types and places.
    pub types: Vec<TensorType>,
    /// Where the inputs lie.
    pub inputs: Vec<Place>,
    /// Positions among the inputs that are overwritten.
    pub overwrites: &'static [usize],
    /// The output's type.
    pub ty: TensorType,
    /// Where the output goes.
    pub output: Place,
    /// Floating-point operations.
    pub flops: u64,
}

/// A graph ready to be walked.
pub struct Plan<T> {
    /// Steps in order.
    pub steps: Vec<Step<T>>,
    /// Elements of each slot.
    pub slots: Vec<usize>,
    /// Names and types of the tensors handed in.
    pub inputs: Vec<(String, TensorType)>,
    /// Names and types of the state.
    pub state: Vec<(String, TensorType)>,
    /// Names, types and places of the outputs.
    pub outputs: Vec<(String, TensorType, Place)>,
}

/// A step before places are known.
struct Draft<T> {
    op: Arc<dyn Op>,
    function: Function<T>,
    label: String,
    inputs: Vec<NodeId>,
    output: NodeId,
    flops: u64,
}

impl<T: Real> Plan<T> {
    /// Plans a graph.
    ///
    /// # Errors
    /// An op that this executor lacks, or a graph without an order.
    pub fn new(graph: &Graph) -> Result<Self, ExecutorError> {
        let order = graph
            .schedule()
            .map_err(|waiting| ExecutorError::Unsupported {
                kind: "cpu",
                op: "cycle".into(),
                node: waiting
                    .first()
                    .map(|&id| graph.name(id).to_owned())
                    .unwrap_or_default(),
            })?;
        let mut places: Vec<Option<Place>> = vec![None; graph.capacity()];
        let (mut inputs, mut state) = (Vec::new(), Vec::new());
        let mut drafts = Vec::new();
        for id in order {
            let node = graph.node(id);
            let named = || (node.name.clone(), node.ty.clone());
            if node.op.downcast::<Input>().is_some() {
                places[id.index()] = Some(Place::Input(inputs.len()));
                inputs.push(named());
            } else if node.op.downcast::<Parameter>().is_some() {
                places[id.index()] = Some(Place::State(state.len()));
                state.push(named());
            } else {
                let function =
                    function(node.op.name()).ok_or_else(|| ExecutorError::Unsupported {
                        kind: "cpu",
                        op: node.op.name().into(),
                        node: node.name.clone(),
                    })?;
                drafts.push(Draft {
                    op: node.op.clone(),
                    function,
                    label: node.op.name().to_owned(),
                    inputs: graph.inputs(id),
                    output: id,
                    flops: node.op.flops(&graph.input_types(id), &node.ty),
                });
            }
        }
        join(graph, &mut drafts);
        let slots = allocate(graph, &drafts, &mut places);
        let place = |id: NodeId| places[id.index()].unwrap_or(Place::Slot(0));
        let steps = drafts
            .into_iter()
            .filter(|draft| !draft.op.is_view())
            .map(|draft| Step {
                overwrites: draft.op.overwrites(),
                op: draft.op,
                function: draft.function,
                label: draft.label,
                node: graph.name(draft.output).to_owned(),
                types: draft
                    .inputs
                    .iter()
                    .map(|&id| graph.ty(id).clone())
                    .collect(),
                inputs: draft.inputs.iter().map(|&id| place(id)).collect(),
                ty: graph.ty(draft.output).clone(),
                output: place(draft.output),
                flops: draft.flops,
            })
            .collect();
        let outputs = graph
            .outputs()
            .iter()
            .map(|(name, &id)| (name.clone(), graph.ty(id).clone(), place(id)))
            .collect();
        Ok(Self {
            steps,
            slots,
            inputs,
            state,
            outputs,
        })
    }
}

/// An op and the `relu` behind it in one.
fn with_relu<T: Real>(op: &str) -> Option<Function<T>> {
    Some(match op {
        "batch_norm" => batch_norm_relu,
        "group_norm" => group_norm_relu,
        _ => return None,
    })
}

/// An op whose second input is a `relu_grad`, in one with it: it reads the gradient and, as its last input, what decides.
fn masked<T: Real>(op: &str) -> Option<Function<T>> {
    Some(match op {
        "batch_norm_grad_input" => masked_batch_norm_grad_input,
        "batch_norm_sums" => masked_batch_norm_sums,
        "group_norm_grad_input" => masked_group_norm_grad_input,
        "group_norm_sums" => masked_group_norm_sums,
        _ => return None,
    })
}

/// Joins steps that would write a large value only for the next one to read it.
fn join<T: Real>(graph: &Graph, drafts: &mut Vec<Draft<T>>) {
    let is_output = |id: NodeId| graph.outputs().values().any(|&output| output == id);
    let mut at: Vec<Option<usize>> = vec![None; graph.capacity()];
    for (index, draft) in drafts.iter().enumerate() {
        at[draft.output.index()] = Some(index);
    }
    let mut gone = vec![false; drafts.len()];
    for index in 0..drafts.len() {
        let (id, op) = (drafts[index].output, drafts[index].op.clone());
        let users = graph.users(id);
        let user_indices: Option<Vec<usize>> = users.iter().map(|user| at[user.index()]).collect();
        let Some(user_indices) = user_indices.filter(|_| !is_output(id)) else {
            continue;
        };
        if let Some(function) = with_relu(op.name()) {
            let &[user] = user_indices.as_slice() else {
                continue;
            };
            if drafts[user].op.downcast::<ops::Relu>().is_some() {
                let (inputs, flops) = (drafts[index].inputs.clone(), drafts[index].flops);
                let to = &mut drafts[user];
                to.label = format!("{}, relu", op.name());
                to.op = op;
                to.function = function;
                to.inputs = inputs;
                to.flops += flops;
                gone[index] = true;
            }
        } else if op.downcast::<ops::Matmul>().is_some() {
            // matmul, perhaps seen as tokens, then the bias
            let mut chain = vec![index];
            let mut next = user_indices;
            while let &[user] = next.as_slice()
                && drafts[user].op.is_view()
                && !is_output(drafts[user].output)
            {
                chain.push(user);
                let users = graph.users(drafts[user].output);
                next = users.iter().filter_map(|user| at[user.index()]).collect();
            }
            let &[user] = next.as_slice() else {
                continue;
            };
            let columns = graph.ty(id).shape.last().copied().unwrap_or_default();
            let sum = chain.last().map(|&last| drafts[last].output);
            let bias = match drafts[user].inputs.as_slice() {
                &[product, bias] if Some(product) == sum => bias,
                _ => continue,
            };
            if drafts[user].op.downcast::<ops::Add>().is_some()
                && *graph.ty(bias) == TensorType::plain([columns])
            {
                let (mut inputs, flops) = (drafts[index].inputs.clone(), drafts[index].flops);
                inputs.push(bias);
                let to = &mut drafts[user];
                to.label = "matmul, add".into();
                to.op = op;
                to.function = matmul_add;
                to.inputs = inputs;
                to.flops += flops;
                chain.into_iter().for_each(|at| gone[at] = true);
            }
        } else if op.downcast::<ops::ReluGrad>().is_some() {
            let &[y, dy] = drafts[index].inputs.as_slice() else {
                continue;
            };
            let joins = |draft: &Draft<T>| {
                let known = masked::<T>(draft.op.name()).is_some();
                let uses = draft.inputs.iter().filter(|&&input| input == id).count();
                known && uses == 1 && draft.inputs.get(1) == Some(&id)
            };
            if graph.ty(y) != graph.ty(dy)
                || user_indices.is_empty()
                || !user_indices.iter().all(|&user| joins(&drafts[user]))
            {
                continue;
            }
            for user in user_indices {
                let to = &mut drafts[user];
                let Some(function) = masked(to.op.name()) else {
                    continue;
                };
                to.function = function;
                to.label = format!("relu_grad, {}", to.label);
                to.inputs[1] = dy;
                to.inputs.push(y);
            }
            gone[index] = true;
        }
    }
    let mut keep = gone.iter().map(|gone| !gone);
    drafts.retain(|_| keep.next().unwrap_or(true));
}

/// Gives every value a place and returns the slots' sizes in elements.
fn allocate<T>(graph: &Graph, drafts: &[Draft<T>], places: &mut [Option<Place>]) -> Vec<usize> {
    // A view lies where its input lies: uses of the view are uses of the value behind it.
    let mut behind: Vec<Option<NodeId>> = vec![None; graph.capacity()];
    for id in graph.ids() {
        behind[id.index()] = Some(id);
    }
    for draft in drafts.iter() {
        let overwritten = draft.op.overwrites().first().copied();
        let source = if draft.op.is_view() {
            Some(0)
        } else {
            overwritten
        };
        if let Some(source) = source.and_then(|at| draft.inputs.get(at)) {
            behind[draft.output.index()] = behind[source.index()];
        }
    }
    let behind = |id: NodeId| behind[id.index()].unwrap_or(id);

    let mut last = vec![0; graph.capacity()];
    for (index, draft) in drafts.iter().enumerate() {
        for &id in draft.inputs.iter().chain([&draft.output]) {
            last[behind(id).index()] = index;
        }
    }
    for &id in graph.outputs().values() {
        last[behind(id).index()] = usize::MAX;
    }
    let mut slots: Vec<usize> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    for (index, draft) in drafts.iter().enumerate() {
        let value = behind(draft.output);
        if value == draft.output {
            let need = graph.ty(value).elements();
            // The smallest free slot that fits, else the largest one, which grows.
            let fit = free
                .iter()
                .copied()
                .filter(|&slot| slots[slot] >= need)
                .min_by_key(|&slot| slots[slot]);
            let chosen = fit.or_else(|| free.iter().copied().max_by_key(|&slot| slots[slot]));
            let slot = match chosen {
                Some(slot) => {
                    free.retain(|&other| other != slot);
                    slots[slot] = slots[slot].max(need);
                    slot
                }
                None => {
                    slots.push(need);
                    slots.len() - 1
                }
            };
            places[value.index()] = Some(Place::Slot(slot));
        } else {
            places[draft.output.index()] = places[value.index()];
        }
        let mut ended: Vec<NodeId> = draft
            .inputs
            .iter()
            .chain([&draft.output])
            .map(|&id| behind(id))
            .collect();
        ended.sort_unstable();
        ended.dedup();
        for id in ended {
            if let (true, Some(Place::Slot(slot))) = (last[id.index()] == index, places[id.index()])
            {
                free.push(slot);
            }
        }
    }
    slots
}
