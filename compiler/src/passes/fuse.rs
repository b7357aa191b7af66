//! Fusion: joins nodes that an executor computes in one kernel, so that intermediate values never reach memory.
//!
//! No op is known by name here. Element-wise ops are those with a scalar form, views say so themselves, and for
//! everything else the executor's [`Capabilities`] say which lists of links have a kernel.

use crate::fault::Fault;
use crate::graph::{
    Capabilities, ChainLimits, Fusion, Graph, LinkInput, NodeId, Read, is_leaf, ordered,
};

/// The pass's name in faults.
const PASS: &str = "fuse";

/// The kernels that compute a graph, in the order in which they run: every node but the leaves belongs to one, alone or
/// joined with others as far as the executor is able to. The order is that of [`Graph::schedule`] over kernels.
///
/// # Errors
/// A fault of hqcc: nodes that wait for each other, or a value that no kernel writes.
pub fn fuse(graph: &Graph, able: &Capabilities) -> Result<Vec<Fusion>, Fault> {
    let order = graph.topological(PASS)?;
    let mut joining = Joining::new(graph, able, &order);
    for &id in order.iter().filter(|&&id| !is_leaf(graph, id)) {
        joining.fusions[id.index()] = Some(Fusion::alone(graph, id));
        joining.join_inputs(id);
    }
    let fusions: Vec<Fusion> = joining.fusions.into_iter().flatten().collect();
    let fusions = scheduled(graph, fusions, &joining.position)?;
    check(graph, &fusions)?;
    Ok(fusions)
}

/// A node that reads a value, and the views in between.
struct Reader {
    views: Vec<NodeId>,
    node: NodeId,
}

/// The fusions so far, by the node that gives the result.
struct Joining<'g> {
    graph: &'g Graph,
    able: &'g Capabilities,
    fusions: Vec<Option<Fusion>>,
    /// Where each node comes in the order of its inputs.
    position: Vec<usize>,
    /// What the scalar form of each node reads, if it has one.
    scalars: Vec<Option<Vec<(usize, Read)>>>,
    /// Nodes whose value must reach memory.
    kept: Vec<bool>,
    /// State that changes at a moment that others may wait for: what reads it must not be moved.
    changing: Vec<bool>,
}

impl<'g> Joining<'g> {
    fn new(graph: &'g Graph, able: &'g Capabilities, order: &[NodeId]) -> Self {
        let count = graph.capacity();
        let mut joining = Self {
            graph,
            able,
            fusions: vec![None; count],
            position: vec![0; count],
            scalars: vec![None; count],
            kept: vec![false; count],
            changing: changing(graph),
        };
        for (at, &id) in order.iter().enumerate() {
            let op = &graph.node(id).op;
            joining.position[id.index()] = at;
            let scalar = op.scalar(&graph.input_types(id));
            joining.scalars[id.index()] = scalar.map(|scalar| scalar.arguments);
            joining.kept[id.index()] = is_leaf(graph, id) || !op.overwrites().is_empty();
        }
        for id in graph.outputs().values().chain(graph.effects()) {
            joining.kept[id.index()] = true;
        }
        joining
    }

    /// Joins the kernels that write what `id` reads with that of `id`, where that is possible.
    fn join_inputs(&mut self, id: NodeId) {
        let inputs = self.graph.inputs(id);
        for (slot, &input) in inputs.iter().enumerate() {
            if inputs[..slot].contains(&input) {
                continue;
            }
            let producer = self.behind_views(input);
            let Some((gone, joined)) = self.joined(producer, id) else {
                continue;
            };
            for id in gone {
                self.fusions[id.index()] = None;
            }
            for fusion in joined {
                let result = fusion.result();
                self.fusions[result.index()] = Some(fusion);
            }
        }
    }

    fn behind_views(&self, mut id: NodeId) -> NodeId {
        while self.graph.node(id).op.is_view()
            && let Some(&source) = self.graph.inputs(id).first()
        {
            id = source;
        }
        id
    }

    /// The nodes that read a value, through views or not; `None` where a view must reach memory.
    fn readers(&self, id: NodeId, views: &[NodeId]) -> Option<Vec<Reader>> {
        let mut readers = Vec::new();
        for user in self.graph.users(id) {
            if !self.graph.node(user).op.is_view() {
                let views = views.to_vec();
                readers.push(Reader { views, node: user });
            } else if self.kept[user.index()] {
                return None;
            } else {
                let views = [views, &[user]].concat();
                readers.extend(self.readers(user, &views)?);
            }
        }
        Some(readers)
    }

    /// What becomes of the kernel that writes `producer` when each of its readers, of which `last` is the last one, takes
    /// it in: the results that no kernel writes any more, and the kernels of the readers.
    fn joined(&self, producer: NodeId, last: NodeId) -> Option<(Vec<NodeId>, Vec<Fusion>)> {
        let earlier = self.fusions[producer.index()].as_ref()?;
        let changing = |input: &NodeId| self.changing[self.behind_views(*input).index()];
        if self.kept[producer.index()] || earlier.inputs().iter().any(changing) {
            return None;
        }
        let readers = self.readers(producer, &[])?;
        let later =
            |reader: &Reader| self.position[reader.node.index()] > self.position[last.index()];
        // A node that reads the value in two ways, itself and through a view say, needs it in memory.
        let twice = |at: usize| readers[..at].iter().any(|r| r.node == readers[at].node);
        if readers.iter().any(later) || (0..readers.len()).any(twice) {
            return None;
        }
        // Several readers each compute it anew, which only element-wise ops are cheap enough for.
        let cheap = |fusion: &Fusion| {
            let mut links = fusion.links().iter();
            links.all(|link| self.scalars[link.node.index()].is_some())
        };
        if readers.len() > 1 && !cheap(earlier) {
            return None;
        }
        let mut gone = vec![producer];
        let mut fusions = Vec::with_capacity(readers.len());
        for Reader { views, node } in &readers {
            let reader = self.fusions[node.index()].as_ref()?;
            let mut nodes: Vec<NodeId> = earlier.links().iter().map(|link| link.node).collect();
            nodes.extend(views);
            let links = reader.links().iter().map(|link| link.node);
            nodes.extend(links.filter(|link| link != node));
            let fusion = Fusion::joined(self.graph, &nodes, *node);
            let chain = readers.len() == 1 && self.is_chain(&fusion);
            if !chain && self.able.pattern(self.graph, &fusion).is_none() {
                return None;
            }
            gone.extend(views);
            fusions.push(fusion);
        }
        Some((gone, fusions))
    }

    /// Whether the executor writes a kernel for a chain of element-wise nodes: all of one type, each reading the others
    /// element for element.
    fn is_chain(&self, fusion: &Fusion) -> bool {
        let Some(ChainLimits { inputs, links }) = self.able.chains else {
            return false;
        };
        let ty = self.graph.ty(fusion.result());
        fusion.inputs().len() <= inputs
            && fusion.links().len() <= links
            && fusion.links().iter().all(|link| {
                let Some(arguments) = &self.scalars[link.node.index()] else {
                    return false;
                };
                let in_place = |&(slot, read): &(usize, Read)| {
                    read == Read::Broadcast || matches!(link.inputs[slot], LinkInput::Outer(_))
                };
                self.graph.ty(link.node) == ty && arguments.iter().all(in_place)
            })
    }
}

/// State whose overwriting node has something that waits for it. A kernel that reads such state must run before that node,
/// and joined with a later one it might have to run after it as well. Optimisers and running statistics have nothing
/// that waits for them.
fn changing(graph: &Graph) -> Vec<bool> {
    let mut writer: Vec<Option<NodeId>> = vec![None; graph.capacity()];
    let written = |id: NodeId| {
        let inputs = graph.inputs(id);
        let slots = graph.node(id).op.overwrites();
        let states: Vec<_> = slots
            .iter()
            .filter_map(|&slot| inputs.get(slot).copied())
            .collect();
        states
    };
    for id in graph.ids() {
        for state in written(id) {
            writer[state.index()] = Some(id);
        }
    }
    let awaited = |id: NodeId| {
        let own = |input: &NodeId| writer[input.index()].is_none_or(|writer| writer == id);
        !graph.users(id).is_empty() || !graph.inputs(id).iter().all(own)
    };
    writer
        .iter()
        .map(|writer| writer.is_some_and(awaited))
        .collect()
}

/// Puts kernels in order: each after those whose results it reads, and each that overwrites state after all others that
/// read it. Of several that are ready, one that overwrites state comes first, so that a gradient dies with its update.
fn scheduled(
    graph: &Graph,
    fusions: Vec<Fusion>,
    position: &[usize],
) -> Result<Vec<Fusion>, Fault> {
    let mut writer: Vec<Option<usize>> = vec![None; graph.capacity()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); graph.capacity()];
    for (at, fusion) in fusions.iter().enumerate() {
        writer[fusion.result().index()] = Some(at);
        for input in fusion.inputs() {
            readers[input.index()].push(at);
        }
    }
    let before = |at: usize| {
        let inputs = fusions[at].inputs().iter();
        let mut before: Vec<usize> = inputs.filter_map(|input| writer[input.index()]).collect();
        for state in fusions[at].overwritten(graph) {
            before.extend(
                readers[state.index()]
                    .iter()
                    .filter(|&&reader| reader != at),
            );
        }
        before
    };
    let key = |at: usize| {
        let id = fusions[at].result();
        (
            graph.node(id).op.overwrites().is_empty(),
            position[id.index()],
        )
    };
    let order = ordered(fusions.len(), before, key).map_err(|left| {
        let left: Vec<_> = left.iter().map(|&at| fusions[at].result()).collect();
        graph.waiting(PASS, &left)
    })?;
    let mut fusions: Vec<_> = fusions.into_iter().map(Some).collect();
    Ok(order
        .into_iter()
        .filter_map(|at| fusions[at].take())
        .collect())
}

/// Checks that every value that a kernel reads, or that the graph gives, is a leaf or was written by an earlier kernel.
fn check(graph: &Graph, fusions: &[Fusion]) -> Result<(), Fault> {
    let mut written: Vec<bool> = vec![false; graph.capacity()];
    for id in graph.ids() {
        written[id.index()] = is_leaf(graph, id);
    }
    for fusion in fusions {
        if let Some(missing) = fusion.inputs().iter().find(|input| !written[input.index()]) {
            let what = format!(
                "`{}`, which it reads, to be written before",
                graph.name(*missing)
            );
            return Err(Fault::new(PASS, graph.name(fusion.result()), what));
        }
        written[fusion.result().index()] = true;
    }
    match graph
        .outputs()
        .values()
        .chain(graph.effects())
        .find(|id| !written[id.index()])
    {
        Some(&id) => Err(Fault::new(PASS, graph.name(id), "a kernel that writes it")),
        None => Ok(()),
    }
}
