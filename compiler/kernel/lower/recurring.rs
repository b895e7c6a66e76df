//! Layers that were lowered before.
//!
//! A search lowers thousands of untrained candidates that are made of the same few hundred layers. What a layer becomes
//! whose constants have no data yet follows from its operator, the types around it, which of its inputs are one buffer,
//! the instruction set and the variant; names and numbers apart, it is the same in every network. So it is kept, for each
//! thread, and put into the next program with that one's names and numbers: the program is equal to one that was lowered
//! afresh. Layers of trained networks are lowered each time, since what their tables hold decides too.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHasher;

use super::{Kernel, Layer, Lowering, hash};
use crate::graph::{Graph, NodeId};
use crate::kernel::{Arg, Buffer, BufferId, MicroKernel, Table, TableId};
use crate::ops::Op;
use crate::target::Isa;
use crate::tensor::TensorType;

/// Layers that are kept for a thread; with more, all are forgotten.
const LIMIT: usize = 2_000;

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// Kept layers by the hash of what decides on them.
#[derive(Default)]
struct Known {
    layers: HashMap<u64, Vec<Rc<Template>>, BuildHasherDefault<FxHasher>>,
    count: usize,
}

/// An input of a layer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Input {
    /// A constant.
    Constant,
    /// The activation that is also the input with this number.
    Activation(usize),
}

/// All that decides on what a layer becomes.
#[derive(Hash)]
struct Key<Ty, O> {
    op: O,
    inputs: Vec<(Input, Ty)>,
    ty: Ty,
    isa: Isa,
    is_fast: bool,
    shares_quantization: bool,
}

/// What a layer becomes, with places instead of numbers and the ends of names instead of names.
struct Template {
    key: Key<TensorType, Op>,
    /// Its own `inputs` and `scratch` are replaced by the places below.
    kernel: Kernel,
    /// Of its function.
    hash: u64,
    inputs: Vec<Place>,
    tables: Vec<Table>,
    scratch: Vec<Buffer>,
    micros: Vec<Arc<MicroKernel>>,
}

/// What a kernel reads.
#[derive(Clone, Copy)]
enum Place {
    /// What the layer's input is in this program.
    Input(usize),
    /// A table of the layer.
    Table(usize),
    /// Working memory of the layer.
    Scratch(usize),
}

/// Where the layer's own things start in the program.
struct Start {
    tables: usize,
    buffers: usize,
}

impl Lowering<'_> {
    /// The kernel of an operator, as it was before if there was one like it.
    pub(super) fn recurring(&mut self, layer: &Layer, op: &Op) -> Result<Kernel, String> {
        let graph = self.graph;
        let Some(key) = self.is_skeleton.then(|| self.key(layer, graph)).flatten() else {
            return self.kernel(layer, op);
        };
        let hash = hash(&key);
        let known = KNOWN.with_borrow(|known| {
            known.layers.get(&hash)?.iter().find(|template| template.key.is(&key)).map(Rc::clone)
        });
        if let Some(template) = known {
            return self.again(layer, &template);
        }
        let start = Start { tables: self.program.tables.len(), buffers: self.program.buffers.len() };
        self.used.clear();
        let kernel = self.kernel(layer, op)?;
        if let Some(template) = self.template(layer, &start, &kernel, &key) {
            KNOWN.with_borrow_mut(|known| known.keep(hash, template));
        }
        Ok(kernel)
    }

    /// A layer as it was before.
    fn again(&mut self, layer: &Layer, template: &Template) -> Result<Kernel, String> {
        let (tables, buffers) = (self.program.tables.len(), self.program.buffers.len());
        let prefix = table_prefix(self.graph, layer);
        for table in &template.tables {
            self.program.tables.push(Table { name: format!("{prefix}{}", table.name), ..table.clone() });
        }
        for buffer in &template.scratch {
            let name = format!("{}_{}", layer.name, buffer.name);
            self.program.buffers.push(Buffer { name, ..buffer.clone() });
        }
        template.micros.iter().for_each(|micro| self.has(Arc::clone(micro)));
        let given = self.graph.inputs(layer.node);
        let mut inputs = Vec::with_capacity(template.inputs.len());
        for &place in &template.inputs {
            inputs.push(match place {
                Place::Input(at) => self.source(given[at])?,
                Place::Table(at) => Arg::Table(TableId((tables + at) as u32)),
                Place::Scratch(at) => Arg::Buffer(BufferId((buffers + at) as u32)),
            });
        }
        let scratch = (0..template.scratch.len()).map(|at| BufferId((buffers + at) as u32)).collect();
        self.hash = Some(template.hash);
        Ok(Kernel { inputs, scratch, ..template.kernel.clone() })
    }

    /// What decides on a layer; `None` where an input is neither a buffer nor a constant without data.
    fn key<'k>(&self, layer: &Layer, graph: &'k Graph) -> Option<Key<&'k TensorType, &'k Op>> {
        let nodes = graph.inputs(layer.node);
        let mut inputs = Vec::with_capacity(nodes.len());
        for (at, &node) in nodes.iter().enumerate() {
            let input = match (&graph.node(node).op, self.sources[node.index()]) {
                (_, Some(buffer @ Arg::Buffer(_))) => {
                    let is_it = |other: &NodeId| self.sources[other.index()] == Some(buffer);
                    Input::Activation(nodes[..at].iter().position(is_it).unwrap_or(at))
                }
                (Op::Constant(constant), None) if graph.constant(&constant.name).is_none() => Input::Constant,
                _ => return None,
            };
            inputs.push((input, graph.ty(node)));
        }
        Some(Key {
            op: &graph.node(layer.node).op,
            inputs,
            ty: graph.ty(layer.node),
            isa: self.isa,
            is_fast: self.is_fast(layer),
            shares_quantization: self.shares_quantization(layer.node),
        })
    }

    /// What a layer became; `None` where it is more than a template can say.
    fn template(
        &self,
        layer: &Layer,
        start: &Start,
        kernel: &Kernel,
        key: &Key<&TensorType, &Op>,
    ) -> Option<Template> {
        let nodes = self.graph.inputs(layer.node);
        let place = |arg: &Arg| -> Option<Place> {
            match *arg {
                Arg::Table(TableId(id)) => (id as usize).checked_sub(start.tables).map(Place::Table),
                Arg::Buffer(BufferId(id)) if id as usize >= start.buffers => {
                    Some(Place::Scratch(id as usize - start.buffers))
                }
                Arg::Buffer(_) => {
                    nodes.iter().position(|node| self.sources[node.index()] == Some(*arg)).map(Place::Input)
                }
            }
        };
        let inputs = kernel.inputs.iter().map(place).collect::<Option<_>>()?;
        let prefix = table_prefix(self.graph, layer);
        let table = |table: &Table| -> Option<Table> {
            Some(Table { name: table.name.strip_prefix(&prefix)?.into(), ..table.clone() })
        };
        let buffer = |buffer: &Buffer| -> Option<Buffer> {
            let name = buffer.name.strip_prefix(&layer.name)?.strip_prefix('_')?.into();
            Some(Buffer { name, ..buffer.clone() })
        };
        let scratch: Vec<Buffer> =
            self.program.buffers[start.buffers..].iter().map(buffer).collect::<Option<_>>()?;
        let is_own = |(at, id): (usize, &BufferId)| id.0 as usize == start.buffers + at;
        let all_own = kernel.scratch.len() == scratch.len() && kernel.scratch.iter().enumerate().all(is_own);
        all_own.then_some(())?;
        Some(Template {
            key: key.owned(),
            kernel: Kernel { inputs: Vec::new(), scratch: Vec::new(), ..kernel.clone() },
            hash: hash(&kernel.function),
            inputs,
            tables: self.program.tables[start.tables..].iter().map(table).collect::<Option<_>>()?,
            scratch,
            micros: self.used.clone(),
        })
    }
}

impl Key<&TensorType, &Op> {
    fn owned(&self) -> Key<TensorType, Op> {
        Key {
            op: self.op.clone(),
            inputs: self.inputs.iter().map(|&(input, ty)| (input, ty.clone())).collect(),
            ty: self.ty.clone(),
            isa: self.isa,
            is_fast: self.is_fast,
            shares_quantization: self.shares_quantization,
        }
    }
}

impl Key<TensorType, Op> {
    fn is(&self, other: &Key<&TensorType, &Op>) -> bool {
        let same = |(a, b): (&(Input, TensorType), &(Input, &TensorType))| a.0 == b.0 && a.1 == *b.1;
        self.op == *other.op
            && self.ty == *other.ty
            && (self.isa, self.is_fast) == (other.isa, other.is_fast)
            && self.shares_quantization == other.shares_quantization
            && self.inputs.len() == other.inputs.len()
            && self.inputs.iter().zip(&other.inputs).all(same)
    }
}

impl Known {
    fn keep(&mut self, hash: u64, template: Template) {
        if self.count >= LIMIT {
            *self = Known::default();
        }
        self.count += 1;
        self.layers.entry(hash).or_default().push(Rc::new(template));
    }
}

/// How the names of a layer's tables start.
fn table_prefix(graph: &Graph, layer: &Layer) -> String {
    format!("{}_{}_", graph.node(layer.node).op.name(), layer.position)
}
