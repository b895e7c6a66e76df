//! The tables of a model that is written: tensors, their data, operators, and what says who may read it.
//!
//! Source  TensorFlow 2.19, `lite/schema/schema.fbs`; the numbers of slots are the order of its fields. Versions of
//!         operators and of the runtimes that know them are those of LiteRT's `op_version.cc` and `runtime_version.cc`
//!         for activations of 8 bits

use std::collections::{BTreeMap, BTreeSet};

use super::build::{self, Field, Table};
use crate::tensor::{DType, Quant, Shape, TensorType};
use crate::tflite::names;

/// Bytes of a name, at most: readers cut what is longer.
const MAX_NAME: usize = 200;
/// The key that programs find the one graph by.
const SIGNATURE: &str = "serving_default";
/// The name under which readers look for the version of the runtime.
const MIN_RUNTIME: &str = "min_runtime_version";
/// Bytes of that version's text.
const MIN_RUNTIME_BYTES: usize = 16;

/// A kind of operators: code, version, and the first version of the runtime that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) code: i32,
    version: i32,
    since: [u16; 2],
}

impl Kind {
    pub(super) const fn new(code: i32, version: i32, since: [u16; 2]) -> Kind {
        Kind { code, version, since }
    }
}

/// What an operator is given besides tensors: the kind of its options, 0 where it has none, and the options.
pub(super) type Options = (u8, Table);

struct Tensor {
    name: String,
    shape: Shape,
    dtype: DType,
    quant: Option<Quant>,
    buffer: u32,
}

struct Operator {
    kind: Kind,
    inputs: Vec<i32>,
    output: i32,
    options: Options,
}

/// A model that grows operator by operator.
#[derive(Default)]
pub(super) struct File {
    tensors: Vec<Tensor>,
    /// Data of tensors; number 0, of all that are computed, is not among them.
    buffers: Vec<Vec<u8>>,
    /// Which buffer has some data.
    known: BTreeMap<Vec<u8>, u32>,
    operators: Vec<Operator>,
    names: BTreeSet<String>,
}

impl File {
    /// The number of a new tensor that is computed or given.
    pub(super) fn tensor(&mut self, name: &str, ty: &TensorType) -> i32 {
        self.add(name, ty, 0)
    }

    /// The number of a new tensor that is known; equal data is kept once.
    pub(super) fn constant(&mut self, name: &str, ty: &TensorType, data: Vec<u8>) -> i32 {
        let next = self.buffers.len() as u32 + 1;
        let buffer = *self.known.entry(data).or_insert_with_key(|data| {
            self.buffers.push(data.clone());
            next
        });
        self.add(name, ty, buffer)
    }

    /// The number of a new tensor of 32 bit integers.
    pub(super) fn integers(&mut self, name: &str, shape: impl Into<Shape>, integers: &[i32]) -> i32 {
        let ty = TensorType { dtype: DType::I32, shape: shape.into(), quant: None };
        self.constant(name, &ty, integers.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    fn add(&mut self, name: &str, ty: &TensorType, buffer: u32) -> i32 {
        let TensorType { dtype, shape, quant } = ty.clone();
        let name = self.unique(name);
        self.tensors.push(Tensor { name, shape, dtype, quant, buffer });
        self.tensors.len() as i32 - 1
    }

    /// A name that no tensor has, without what steers terminals.
    fn unique(&mut self, name: &str) -> String {
        let mut clean: String = name.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
        let end = (0..=MAX_NAME.min(clean.len())).rev().find(|&at| clean.is_char_boundary(at)).unwrap_or(0);
        clean.truncate(end);
        let numbered = (2..).map(|number| format!("{clean}_{number}"));
        let all = std::iter::once(clean.clone()).chain(numbered);
        let free = all.into_iter().find(|name| !self.names.contains(name)).unwrap_or_default();
        self.names.insert(free.clone());
        free
    }

    /// The name of a tensor.
    pub(super) fn name(&self, tensor: i32) -> &str {
        usize::try_from(tensor).ok().and_then(|at| self.tensors.get(at)).map_or("", |tensor| &tensor.name)
    }

    /// Whether an operator gives a tensor, other than what is known or given.
    pub(super) fn is_computed(&self, tensor: i32) -> bool {
        self.operators.iter().any(|operator| operator.output == tensor)
    }

    /// Adds the next operator; its output.
    pub(super) fn operator(&mut self, kind: Kind, inputs: &[i32], output: i32, options: Options) -> i32 {
        self.operators.push(Operator { kind, inputs: inputs.to_vec(), output, options });
        output
    }

    /// How many operators of each name there are.
    pub(super) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for operator in &self.operators {
            *counts.entry(names::operator_name(operator.kind.code)).or_default() += 1;
        }
        counts
    }

    /// Bytes of all data.
    pub(super) fn data_bytes(&self) -> usize {
        self.buffers.iter().map(Vec::len).sum()
    }

    /// The file of a model with this name, these inputs and these outputs.
    pub(super) fn bytes(self, name: &str, inputs: &[i32], outputs: &[i32]) -> Vec<u8> {
        let kinds: Vec<Kind> = self
            .operators
            .iter()
            .map(|operator| operator.kind)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let place = |kind: Kind| kinds.binary_search(&kind).unwrap_or(0) as u32;
        let graph = Table::default()
            .with(0, Field::Tables(self.tensors.iter().map(tensor_table).collect()))
            .with(1, Field::I32s(inputs.to_vec()))
            .with(2, Field::I32s(outputs.to_vec()))
            .with(3, Field::Tables(self.operators.iter().map(|x| operator_table(x, place(x.kind))).collect()))
            .with(4, Field::Text(name.to_owned()));
        let ends = |tensors: &[i32]| {
            let end = |&tensor: &i32| {
                let name = Field::Text(self.name(tensor).to_owned());
                Table::default().with(0, name).with_other(1, Field::U32(tensor as u32), Field::U32(0))
            };
            Field::Tables(tensors.iter().map(end).collect())
        };
        let signature = Table::default()
            .with(0, ends(inputs))
            .with(1, ends(outputs))
            .with(2, Field::Text(SIGNATURE.to_owned()));
        // RESHAPE, the oldest, is known since 1.5.
        let [major, minor] = kinds.iter().map(|kind| kind.since).max().unwrap_or([1, 5]);
        let mut runtime = format!("{major}.{minor}.0").into_bytes();
        runtime.resize(MIN_RUNTIME_BYTES, 0);
        let data = self.buffers.into_iter().chain([runtime]);
        let mut buffers = vec![Table::default()];
        buffers.extend(data.map(|data| Table::default().with(0, Field::Data(data))));
        let metadata = Table::default()
            .with(0, Field::Text(MIN_RUNTIME.to_owned()))
            .with(1, Field::U32(buffers.len() as u32 - 1));
        let model = Table::default()
            .with(0, Field::U32(3))
            .with(1, Field::Tables(kinds.iter().map(kind_table).collect()))
            .with(2, Field::Tables(vec![graph]))
            .with(3, Field::Text(format!("nasc {}", env!("CARGO_PKG_VERSION"))))
            .with(4, Field::Tables(buffers))
            .with(6, Field::Tables(vec![metadata]))
            .with(7, Field::Tables(vec![signature]));
        build::bytes(&model, *b"TFL3")
    }
}

/// Old readers know a code as a byte; all codes that are written fit one.
fn kind_table(kind: &Kind) -> Table {
    Table::default()
        .with_other(0, Field::I8(kind.code as i8), Field::I8(0))
        .with_other(2, Field::I32(kind.version), Field::I32(1))
        .with_other(3, Field::I32(kind.code), Field::I32(0))
}

fn tensor_table(tensor: &Tensor) -> Table {
    let element = match tensor.dtype {
        DType::F32 => 0,
        DType::I32 => 2,
        DType::I16 => 7,
        DType::I8 => 9,
    };
    let shape = tensor.shape.0.iter().map(|&extent| extent as i32).collect();
    let table = Table::default()
        .with(0, Field::I32s(shape))
        .with_other(1, Field::I8(element), Field::I8(0))
        .with_other(2, Field::U32(tensor.buffer), Field::U32(0))
        .with(3, Field::Text(tensor.name.clone()));
    let Some(quant) = &tensor.quant else { return table };
    let scales: Vec<f32> = quant.scales.iter().map(|scale| scale.0).collect();
    let zero_points = vec![i64::from(quant.zero_point); scales.len()];
    let axis = quant.axis.map_or(0, |axis| axis as i32);
    let quantization = Table::default()
        .with(2, Field::F32s(scales))
        .with(3, Field::I64s(zero_points))
        .with_other(6, Field::I32(axis), Field::I32(0));
    table.with(4, Field::Table(quantization))
}

fn operator_table(operator: &Operator, place: u32) -> Table {
    let table = Table::default()
        .with_other(0, Field::U32(place), Field::U32(0))
        .with(1, Field::I32s(operator.inputs.clone()))
        .with(2, Field::I32s(vec![operator.output]));
    match &operator.options {
        (0, _) => table,
        (kind, options) => table.with(3, Field::U8(*kind)).with(4, Field::Table(options.clone())),
    }
}
