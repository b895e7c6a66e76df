//! Lowering: an integer graph becomes a program, one step for each operator.
//!
//! In: a graph whose activations are int8 or int16, and an instruction set. Out: a [`Program`] that computes, byte for
//! byte, what the graph's reference evaluation does. Zero points, clamps, multipliers and border ranges are
//! scalar arguments, so that layers of one shape share one function. A reshape is another name for a buffer.
//! Constants without data become zeros, the tables of such a layer are not merged with others, and where there are
//! any no layer is taken for one of a single value, so that sizes known before training are never below those after
//! it. Not done here: order, placement, float operators.

mod activation;
mod add;
mod assembled;
mod builder;
mod conv2d;
mod copies;
mod curve;
mod dense;
mod depthwise_conv2d;
mod elementwise;
mod fill;
mod filters;
mod mean;
mod mul;
mod outputs;
mod planes;
mod pool;
mod recurring;
mod residuals;
mod resize_bilinear;
mod softmax;
mod softmax_wide;
mod squash;
mod sums;
mod tiles;
mod transpose_conv2d;
mod words;

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHasher;

use crate::graph::{Graph, NodeId};
use crate::kernel::schedule::armv7em::ending;
use crate::kernel::schedule::dot::{self, Run};
use crate::kernel::schedule::overlap;
use crate::kernel::{
    Arg, Buffer, BufferId, Call, Choice, Function, FunctionId, MicroKernel, Overlap, Program, Role, Step,
    Table, TableId, TableRole, Values, Variant, Work,
};
use crate::ops::{Clamp, Op, Requant};
use crate::target::Isa;
use crate::tensor::arith::{Multiplier, Rounding};
use crate::tensor::{DType, Quant, TensorType};

pub(in crate::kernel) use builder::{Ending, FunctionBuilder, binary, clamp, int, load, requant, scalar};

/// Why a graph cannot be lowered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowerError {
    /// The layer.
    pub layer: String,
    /// What is wrong, in the form of a diagnostic's message.
    pub message: String,
}

impl std::fmt::Display for LowerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "layer `{}` {}", self.layer, self.message)
    }
}

impl std::error::Error for LowerError {}

/// Lowers an integer graph, every layer by its fast schedule.
///
/// # Errors
/// When a node is not an operator on int8 or int16, has weights that are no constants, or weights and scales with which
/// its 32-bit accumulator could overflow.
pub fn lower(graph: &Graph, isa: Isa) -> Result<Program, LowerError> {
    lower_with(graph, isa, &Choice::default())
}

/// Lowers an integer graph by schedules that were chosen; those of layers with one schedule do not matter.
///
/// # Errors
/// As [`lower`].
pub fn lower_with(graph: &Graph, isa: Isa, choice: &Choice) -> Result<Program, LowerError> {
    let mut lowering = Lowering {
        graph,
        isa,
        choice,
        program: Program::default(),
        sources: vec![None; graph.len()],
        functions: BTreeMap::new(),
        tables: BTreeMap::new(),
        is_skeleton: is_skeleton(graph),
        used: Vec::new(),
        hash: None,
        positions: vec![0; graph.len()],
        waiting: BTreeMap::new(),
    };
    let order = graph.order();
    order.iter().enumerate().for_each(|(position, node)| lowering.positions[node.index()] = position);
    let needed = lowering.needed();
    for (position, node) in order.into_iter().enumerate() {
        if !needed[node.index()] {
            continue;
        }
        let layer = Layer { node, position, name: layer_name(graph, node, position) };
        lowering.node(&layer).map_err(|message| LowerError { layer: layer.name.clone(), message })?;
    }
    lowering.outputs()?;
    Ok(lowering.program)
}

/// Whether the graph is that of an untrained network.
fn is_skeleton(graph: &Graph) -> bool {
    let lacks_data = |op: &Op| matches!(op, Op::Constant(c) if graph.constant(&c.name).is_none());
    graph.order().into_iter().any(|node| lacks_data(&graph.node(node).op))
}

fn layer_name(graph: &Graph, node: NodeId, position: usize) -> String {
    let known = graph.node(node);
    if known.label.is_empty() { format!("{}_{position}", known.op.name()) } else { known.label.to_string() }
}

/// A node in its place.
struct Layer {
    node: NodeId,
    position: usize,
    name: String,
}

/// What a function is to do for a layer, and the calls that do it.
#[derive(Clone)]
struct Kernel {
    function: Function,
    /// Arguments for all buffer parameters but the last, which is the output.
    inputs: Vec<Arg>,
    /// Scalars of each call.
    scalars: Vec<Vec<i32>>,
    /// Safe distances of the output from each activation that is read.
    safe: Vec<(i64, i64)>,
    /// Of the inputs, buffers that only the layer itself uses.
    scratch: Vec<BufferId>,
    /// See [`Step::work`].
    work: Vec<(Work, u64)>,
}

/// A lowering under way.
struct Lowering<'g> {
    graph: &'g Graph,
    isa: Isa,
    choice: &'g Choice,
    program: Program,
    /// Where each node's output is, by its index.
    sources: Vec<Option<Arg>>,
    /// Functions by the hash of what they are but for their names.
    functions: BTreeMap<u64, Vec<FunctionId>>,
    tables: BTreeMap<(DType, TableRole, Vec<i32>), TableId>,
    /// Whether constants and scales are placeholders, from which nothing may be concluded.
    is_skeleton: bool,
    /// Micro-kernels of the layer under way.
    used: Vec<Arc<MicroKernel>>,
    /// The hash of its function, where that is known.
    hash: Option<u64>,
    /// Each node's position in the order of the graph, by its index.
    positions: Vec<usize>,
    /// Convolutions that wait for their sums.
    waiting: BTreeMap<NodeId, residuals::Absorbed>,
}

impl Lowering<'_> {
    fn node(&mut self, layer: &Layer) -> Result<(), String> {
        let graph = self.graph;
        if self.choice.has_fused() && (self.absorb(layer)? || self.absorbing_sum(layer)?) {
            return Ok(());
        }
        if let Some(value) = self.only_value(layer.node) {
            let kernel = self.fill(layer, value);
            return self.step(layer, "fill", kernel, 0);
        }
        let known = graph.node(layer.node);
        let kernel = match &known.op {
            Op::Input(_) => {
                activation_type(graph.ty(layer.node))?;
                let buffer = self.buffer(layer, Role::Input);
                self.program.inputs.push(buffer);
                self.sources[layer.node.index()] = Some(Arg::Buffer(buffer));
                return Ok(());
            }
            Op::Constant(_) => return Ok(()),
            Op::Transpose(op) if op.keeps_places(&graph.input_types(layer.node)[0].shape) => {
                self.sources[layer.node.index()] = Some(self.source(graph.inputs(layer.node)[0])?);
                return Ok(());
            }
            Op::Reshape(_) => {
                let source = self.source(graph.inputs(layer.node)[0])?;
                self.sources[layer.node.index()] = Some(source);
                return Ok(());
            }
            Op::Mul(op) => return self.mul(layer, op),
            Op::Elementwise(op) => return self.elementwise(layer, op),
            Op::TransposeConv2d(op) => return self.transpose_conv2d(layer, op),
            op => self.recurring(layer, op)?,
        };
        let macs = known.op.macs(&graph.input_types(layer.node), &known.ty).0;
        self.step(layer, known.op.name(), kernel, macs)
    }

    /// The kernel of an operator with one function.
    fn kernel(&mut self, layer: &Layer, op: &Op) -> Result<Kernel, String> {
        match op {
            Op::Conv2d(op) => self.conv2d(layer, op),
            Op::DepthwiseConv2d(op) => self.depthwise_conv2d(layer, op),
            Op::Dense(op) => self.dense(layer, op),
            Op::Activation(op) => self.activation(layer, op),
            Op::Add(op) => self.add(layer, op),
            Op::AvgPool2d(op) => self.avg_pool2d(layer, op),
            Op::MaxPool2d(op) => self.max_pool2d(layer, op),
            Op::Concat(_) => self.concat(layer),
            Op::Pad(op) => self.pad(layer, op),
            Op::Curve(op) => self.curve(layer, op),
            Op::Upsample2d(op) => self.upsample2d(layer, op),
            Op::Requantize(op) => self.requantize(layer, op),
            Op::Softmax(op) if self.elems(layer)[0] == DType::I16 => self.softmax_wide(layer, op),
            Op::Softmax(op) => self.softmax(layer, op),
            Op::Squash(op) => self.squash(layer, op),
            Op::Slice(op) => self.slice(layer, op),
            Op::ResizeBilinear(op) => self.resize_bilinear(layer, op),
            Op::Lookup(_) => self.lookup(layer),
            Op::Mean(op) => self.mean(layer, op),
            Op::Transpose(op) => self.transpose(layer, op),
            Op::Input(_)
            | Op::Constant(_)
            | Op::Reshape(_)
            | Op::Mul(_)
            | Op::Elementwise(_)
            | Op::TransposeConv2d(_) => Err("has not one function".into()),
            Op::Param(_) | Op::BatchNorm(_) | Op::FoldWeight(_) | Op::FoldBias(_) | Op::Dropout(_) => {
                Err("belongs to training, not to an integer graph".into())
            }
        }
    }

    /// Adds the step of a kernel and its output.
    fn step(&mut self, layer: &Layer, op: &str, kernel: Kernel, macs: u64) -> Result<(), String> {
        self.step_of(layer, op, vec![kernel], macs)
    }

    /// Adds the step of kernels that together make its output.
    fn step_of(&mut self, layer: &Layer, op: &str, kernels: Vec<Kernel>, macs: u64) -> Result<(), String> {
        let ty = self.graph.ty(layer.node);
        activation_type(ty)?;
        let output = self.buffer(layer, Role::Internal);
        self.push_step(layer, op, kernels, (output, macs));
        self.sources[layer.node.index()] = Some(Arg::Buffer(output));
        Ok(())
    }

    /// Kernels of one step read and write the same buffers; their safe distances are those of the first.
    fn push_step(&mut self, layer: &Layer, op: &str, kernels: Vec<Kernel>, (output, macs): (BufferId, u64)) {
        let (mut reads, mut calls, mut overlaps) = (Vec::new(), Vec::new(), Vec::new());
        let (mut all_scratch, mut all_work) = (Vec::new(), Vec::new());
        for Kernel { function, inputs, scalars, safe, scratch, work } in kernels {
            for arg in &inputs {
                if let Arg::Buffer(read) = *arg
                    && !reads.contains(&read)
                    && !scratch.contains(&read)
                {
                    reads.push(read);
                    let elems = [read, output].map(|id| self.program.buffers[id.0 as usize].elem);
                    overlaps.push(Overlap { read, written: output, safe: in_bytes(&safe, elems) });
                }
            }
            let function = self.function(op, function);
            let buffers: Vec<Arg> = inputs.into_iter().chain([Arg::Buffer(output)]).collect();
            let one = |scalars| Call { function, buffers: buffers.clone(), scalars };
            calls.extend(scalars.into_iter().map(one));
            all_scratch.extend(scratch);
            all_work.extend(work);
        }
        let (scratch, work) = (all_scratch, all_work);
        self.program.steps.push(Step {
            name: layer.name.clone(),
            op: op.into(),
            node: layer.position,
            absorbs: None,
            calls,
            reads,
            writes: vec![output],
            scratch,
            overlaps,
            macs,
            work,
        });
    }

    /// Whether a layer may have working memory and a function in assembly.
    fn is_fast(&self, layer: &Layer) -> bool {
        self.choice.of(layer.position) != Variant::Lean
    }

    /// A buffer for what a layer gives.
    fn buffer(&mut self, layer: &Layer, role: Role) -> BufferId {
        let (name, ty) = (layer.name.clone(), self.graph.ty(layer.node));
        let (elem, len) = (ty.dtype, ty.shape.elements());
        self.program.buffers.push(Buffer { name, elem, len, align: elem.size(), role });
        BufferId(self.program.buffers.len() as u32 - 1)
    }

    /// How the outputs of a layer end in assembly.
    fn ending(
        &self,
        layer: &Layer,
        clamp: Clamp,
        multipliers: &[Multiplier],
        requant: &Requant,
    ) -> ending::Ending {
        if clamp != Clamp::None && self.shares_quantization(layer.node) {
            return ending::Ending::General;
        }
        if self.is_skeleton {
            return ending::Ending::expected(clamp);
        }
        ending::Ending::of(clamp, multipliers, requant.zero_point, clamp.range(requant).into())
    }

    /// Whether other tensors decide on the zero point of this one: those that it is joined with.
    fn shares_quantization(&self, node: NodeId) -> bool {
        self.graph.users(node).into_iter().any(|user| match &self.graph.node(user).op {
            Op::Concat(_) => true,
            Op::Reshape(_)
            | Op::MaxPool2d(_)
            | Op::AvgPool2d(_)
            | Op::Activation(_)
            | Op::Pad(_)
            | Op::Upsample2d(_)
            | Op::Transpose(_)
            | Op::Slice(_) => self.shares_quantization(user),
            _ => false,
        })
    }

    /// Working memory of a layer, of 16-bit elements.
    fn scratch(&mut self, layer: &Layer, what: &str, len: usize) -> BufferId {
        let name = format!("{}_{what}", layer.name);
        // Pairs of elements are read and written as words.
        self.program.buffers.push(Buffer { name, elem: DType::I16, len, align: 4, role: Role::Scratch });
        BufferId(self.program.buffers.len() as u32 - 1)
    }

    /// Working memory of a layer, of bytes.
    fn bytes(&mut self, layer: &Layer, what: &str, len: usize) -> BufferId {
        let name = format!("{}_{what}", layer.name);
        self.program.buffers.push(Buffer { name, elem: DType::I8, len, align: 1, role: Role::Scratch });
        BufferId(self.program.buffers.len() as u32 - 1)
    }

    /// Has the program a micro-kernel, and gives its name.
    fn micro(&mut self, micro: Arc<MicroKernel>) -> String {
        let name = micro.meaning.name.clone();
        self.used.push(Arc::clone(&micro));
        self.has(micro);
        name
    }

    /// Has the program a micro-kernel.
    fn has(&mut self, micro: Arc<MicroKernel>) {
        if self.program.micros.iter().all(|known| known.meaning.name != micro.meaning.name) {
            self.program.micros.push(micro);
        }
    }

    /// The element types of a layer's first input and of its output.
    fn elems(&self, layer: &Layer) -> [DType; 2] {
        [self.graph.inputs(layer.node)[0], layer.node].map(|node| self.graph.ty(node).dtype)
    }

    /// Where an activation is.
    fn source(&mut self, node: NodeId) -> Result<Arg, String> {
        match self.sources[node.index()] {
            Some(source) => Ok(source),
            None => self.constant_source(node),
        }
    }

    /// A constant activation.
    fn constant_source(&mut self, node: NodeId) -> Result<Arg, String> {
        let ty = self.graph.ty(node);
        activation_type(ty)?;
        let (values, known) = self.constant(node)?;
        let name = format!("constant_{}", self.program.tables.len());
        let table = self.table(name, (ty.dtype, TableRole::Weight, values), known);
        self.sources[node.index()] = Some(Arg::Table(table));
        Ok(Arg::Table(table))
    }

    /// The elements of a constant, and whether they are known; zeros where not.
    fn constant(&self, node: NodeId) -> Result<(Vec<i32>, bool), String> {
        let Op::Constant(constant) = &self.graph.node(node).op else {
            return Err("has an input that is neither an activation nor a constant".into());
        };
        match self.graph.constant(&constant.name) {
            None => Ok((vec![0; constant.ty.shape.elements()], false)),
            Some(value) => match value.to_i32_vec() {
                Some(values) => Ok((values, true)),
                None => Err(format!("has float constant `{}`", constant.name)),
            },
        }
    }

    /// As [`reach`] of what a node gives, by its elements where they are known.
    fn reach_of(&self, node: NodeId) -> i64 {
        let ty = self.graph.ty(node);
        let zero = ty.quant.as_ref().map_or(0, |quant| i64::from(quant.zero_point));
        match self.constant(node) {
            Ok((values, true)) => {
                values.iter().map(|&value| (i64::from(value) - zero).abs()).max().unwrap_or(0)
            }
            _ => reach(ty),
        }
    }

    /// A table; one with the same contents if there is one and both are known.
    fn table(&mut self, name: String, content: (DType, TableRole, Vec<i32>), known: bool) -> TableId {
        let id = TableId(self.program.tables.len() as u32);
        if known {
            if let Some(&id) = self.tables.get(&content) {
                return id;
            }
            self.tables.insert(content.clone(), id);
        }
        let (elem, role, values) = content;
        let values = match values.iter().all(|&value| value == 0) && !known {
            true => Values::Zeros(values.len()),
            false => values.into(),
        };
        self.program.tables.push(Table { name, elem, role, values });
        id
    }

    /// The function with this body.
    fn function(&mut self, op: &str, function: Function) -> FunctionId {
        // Found by hash, because bodies that differ may differ late; compared, because hashes of two may be one.
        let hash = self.hash.take().unwrap_or_else(|| hash(&function));
        let alike = self.functions.entry(hash).or_default();
        let known = alike.iter().find(|id| {
            let known = &self.program.functions[id.0 as usize];
            let Function { name: _, params, n_scalars, vars, registers, locals, body } = &function;
            (&known.params, &known.n_scalars, &known.vars) == (params, n_scalars, vars)
                && (&known.registers, &known.locals, &known.body) == (registers, locals, body)
        });
        if let Some(&id) = known {
            return id;
        }
        let id = FunctionId(self.program.functions.len() as u32);
        let name = format!("{op}_{}", id.0);
        self.program.functions.push(Function { name, ..function });
        alike.push(id);
        id
    }

    /// The name of the dot product of this many rows, which the program then has.
    fn dot(&mut self, rows: usize, run: Run) -> String {
        self.micro(dot::dot(rows, run, self.isa))
    }
}

/// Distances of elements as distances of bytes. Elements of two sizes stay apart.
fn in_bytes(safe: &[(i64, i64)], [read, written]: [DType; 2]) -> Vec<(i64, i64)> {
    if read != written {
        return Vec::new();
    }
    let size = read.size() as i64;
    let bytes = |distance: i64| if distance.abs() == overlap::FAR { distance } else { distance * size };
    safe.iter().map(|&(low, high)| (bytes(low), bytes(high))).collect()
}

/// A quick hash, for what is compared besides.
fn hash(of: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Refuses what is not an activation of int8 or int16, the latter around 0.
fn activation_type(ty: &TensorType) -> Result<(), String> {
    let is_known = |quant: &Quant| match ty.dtype {
        DType::I8 => quant.axis.is_none(),
        DType::I16 => quant.axis.is_none() && quant.zero_point == 0,
        DType::F32 | DType::I32 => false,
    };
    if !ty.quant.as_ref().is_some_and(is_known) {
        return Err(format!("has an activation {ty} instead of int8 with one scale, or int16 around 0"));
    }
    if i32::try_from(ty.shape.elements()).is_err() {
        return Err(format!("has an activation {ty} of more than 2^31 elements"));
    }
    Ok(())
}

/// Greatest magnitude of an element less its zero point, whatever that is.
fn reach(ty: &TensorType) -> i64 {
    if ty.dtype == DType::I16 { 1 << 15 } else { 255 }
}

/// Scale and zero point of an activation.
fn activation_quant(ty: &TensorType) -> Result<(f64, i32), String> {
    activation_type(ty)?;
    let quant = ty.quant.as_ref().ok_or("has no quantization")?;
    Ok((f64::from(quant.scale(0)), quant.zero_point))
}

/// The values that a clamp leaves of an activation that keeps its quantization.
fn clamp_range(clamp: Clamp, ty: &TensorType) -> Result<[i32; 2], String> {
    activation_type(ty)?;
    let quant = ty.quant.as_ref().ok_or("has no quantization")?;
    let (scale, zero_point) = (quant.scales[0], quant.zero_point);
    let (low, high) =
        clamp.range(&Requant { dtype: ty.dtype, scale, zero_point, rounding: Rounding::Double });
    Ok([low, high])
}
