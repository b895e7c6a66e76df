//! A model's tables as they are, without a judgement on what they mean.
//!
//! Source  TensorFlow 2.19, `lite/schema/schema.fbs`; the numbers of slots are the order of its fields

use std::fmt;

use super::flat::{Broken, Table, Tables, Vector};
use super::names::{CUSTOM, operator_name};
use crate::tensor::DType;

/// Bytes of a model that is read, at most.
const MAX_BYTES: usize = 256 << 20;
/// Tensors, operators and kinds of operators, at most.
const MAX_COUNT: usize = 1 << 16;
/// Inputs and outputs of one operator, at most: many operators may share a vector of them.
const MAX_ENDS: usize = 1 << 10;
/// Dimensions of a tensor, at most.
const MAX_RANK: usize = 8;

/// What the elements of a tensor are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// One that nasc computes with.
    Known(DType),
    /// `UINT8`.
    U8,
    /// `INT64`.
    I64,
    /// Any other, by its code.
    Other(i8),
}

impl Element {
    fn of(code: i8) -> Element {
        match code {
            0 => Element::Known(DType::F32),
            2 => Element::Known(DType::I32),
            3 => Element::U8,
            4 => Element::I64,
            7 => Element::Known(DType::I16),
            9 => Element::Known(DType::I8),
            other => Element::Other(other),
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const OTHERS: [(i8, &str); 6] =
            [(1, "f16"), (5, "string"), (6, "bool"), (8, "complex64"), (10, "f64"), (17, "i4")];
        match self {
            Element::Known(dtype) => write!(f, "{dtype}"),
            Element::U8 => f.write_str("u8"),
            Element::I64 => f.write_str("i64"),
            Element::Other(code) => match OTHERS.iter().find(|(known, _)| known == code) {
                Some((_, name)) => f.write_str(name),
                None => write!(f, "element type {code}"),
            },
        }
    }
}

/// A tensor.
#[derive(Clone)]
pub struct Tensor<'a> {
    /// Its name, which means nothing.
    pub name: String,
    /// Extents; empty for a scalar.
    pub shape: Vec<usize>,
    /// What its elements are.
    pub element: Element,
    /// Its elements where they are known beforehand.
    pub data: Option<&'a [u8]>,
    /// Scales: none, one, or one for each index of `axis`.
    pub scales: Vector<'a, f32>,
    /// Zero points, as many as scales or fewer.
    pub zero_points: Vector<'a, i64>,
    /// The dimension that scales count along.
    pub axis: i32,
    /// Whether it keeps its value between inferences.
    pub is_variable: bool,
    /// Whether only some of its elements are stored.
    pub is_sparse: bool,
}

/// An operator.
#[derive(Clone)]
pub struct Operator<'a> {
    /// Its code.
    pub code: i32,
    /// Its name in upper case, or that of a custom operator.
    pub name: String,
    /// Numbers of tensors; -1 for one that is left out.
    pub inputs: Vector<'a, i32>,
    /// Numbers of tensors.
    pub outputs: Vector<'a, i32>,
    /// What else it is given.
    pub options: Option<Table<'a>>,
}

/// A model with one graph.
pub struct Model<'a> {
    /// Tensors by number.
    pub tensors: Vec<Tensor<'a>>,
    /// Operators in the order of execution.
    pub operators: Vec<Operator<'a>>,
    /// Numbers of the tensors that it is given.
    pub inputs: Vec<usize>,
    /// Numbers of the tensors that it gives.
    pub outputs: Vec<usize>,
}

impl<'a> Model<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// What is no model of TensorFlow Lite, is damaged, is beyond the limits, or has several graphs.
    pub fn read(bytes: &'a [u8]) -> Result<Model<'a>, Broken> {
        if bytes.len() > MAX_BYTES {
            return Err(Broken::new(MAX_BYTES, format!("more than {} MiB", MAX_BYTES >> 20)));
        }
        let model = Table::root(bytes, *b"TFL3")?;
        let version = model.scalar_or::<u32>(0, 0)?;
        if version != 3 {
            return Err(Broken::new(model.at(), format!("a model of version {version} instead of 3")));
        }
        let graphs = model.tables(2)?;
        if graphs.len() != 1 {
            let what = format!("{} graphs in one model, of which one is read,", graphs.len());
            return Err(Broken::new(model.at(), what));
        }
        let graph = graphs.get(0)?;
        let buffers = model.tables(4)?;
        let tensors = counted(graph.tables(0)?, graph, "tensors")?
            .iter()
            .map(|tensor| read_tensor(tensor?, buffers, bytes))
            .collect::<Result<Vec<_>, _>>()?;
        let codes = counted(model.tables(1)?, model, "kinds of operators")?
            .iter()
            .map(|code| read_code(code?))
            .collect::<Result<Vec<_>, _>>()?;
        let operators = counted(graph.tables(3)?, graph, "operators")?
            .iter()
            .map(|operator| read_operator(operator?, &codes, tensors.len()))
            .collect::<Result<Vec<_>, _>>()?;
        let ends = |slot| -> Result<Vec<usize>, Broken> {
            let numbers = graph.vector::<i32>(slot)?;
            if numbers.len() > MAX_COUNT {
                return Err(Broken::new(graph.at(), format!("more than {MAX_COUNT} inputs or outputs")));
            }
            numbers.iter().map(|number| existing(number, tensors.len(), graph)).collect()
        };
        let (inputs, outputs) = (ends(1)?, ends(2)?);
        Ok(Model { tensors, operators, inputs, outputs })
    }
}

/// Refuses more tables than a microcontroller could ever run.
fn counted<'a>(tables: Tables<'a>, of: Table<'_>, what: &str) -> Result<Tables<'a>, Broken> {
    if tables.len() > MAX_COUNT {
        return Err(Broken::new(of.at(), format!("more than {MAX_COUNT} {what}")));
    }
    Ok(tables)
}

/// The number of a tensor that exists.
fn existing(number: i32, tensors: usize, of: Table<'_>) -> Result<usize, Broken> {
    usize::try_from(number)
        .ok()
        .filter(|&number| number < tensors)
        .ok_or_else(|| Broken::new(of.at(), format!("tensor {number} of {tensors}")))
}

fn read_tensor<'a>(table: Table<'a>, buffers: Tables<'a>, file: &'a [u8]) -> Result<Tensor<'a>, Broken> {
    let extents = table.vector::<i32>(0)?;
    if extents.len() > MAX_RANK {
        return Err(Broken::new(table.at(), format!("a tensor of {} dimensions", extents.len())));
    }
    let extent = |extent: i32| {
        usize::try_from(extent).map_err(|_| Broken::new(table.at(), format!("an extent of {extent}")))
    };
    let quantization = table.table(4)?;
    let (scales, zero_points, axis) = match quantization {
        Some(table) => (table.vector(2)?, table.vector(3)?, table.scalar_or(6, 0)?),
        None => (Vector::default(), Vector::default(), 0),
    };
    Ok(Tensor {
        name: table.text(3)?,
        shape: extents.iter().map(extent).collect::<Result<_, _>>()?,
        element: Element::of(table.scalar_or(1, 0)?),
        data: read_data(table.scalar_or::<u32>(2, 0)?, buffers, file)?,
        scales,
        zero_points,
        axis,
        is_variable: table.scalar_or::<u8>(5, 0)? != 0,
        is_sparse: table.table(6)?.is_some(),
    })
}

/// The bytes of a buffer, in its table or behind the tables; `None` for the empty one.
fn read_data<'a>(number: u32, buffers: Tables<'a>, file: &'a [u8]) -> Result<Option<&'a [u8]>, Broken> {
    if number == 0 {
        return Ok(None);
    }
    let buffer = buffers.get(number as usize)?;
    let (offset, size) = (buffer.scalar_or::<u64>(1, 0)?, buffer.scalar_or::<u64>(2, 0)?);
    // Offsets of 0 and 1 say that there is nothing behind the tables.
    let bytes = if offset > 1 {
        let place = || {
            let start = usize::try_from(offset).ok()?;
            file.get(start..start.checked_add(usize::try_from(size).ok()?)?)
        };
        let outside = || Broken::new(buffer.at(), format!("{size} bytes at {offset} lead out of the file"));
        place().ok_or_else(outside)?
    } else {
        buffer.vector::<u8>(0)?.bytes()
    };
    Ok((!bytes.is_empty()).then_some(bytes))
}

/// Code and name of a kind of operators.
fn read_code(table: Table<'_>) -> Result<(i32, String), Broken> {
    // Codes up to 127 were once a byte; newer writers fill both.
    let code = i32::from(table.scalar_or::<i8>(0, 0)?).max(table.scalar_or::<i32>(3, 0)?);
    let name = match table.text(1)? {
        name if code == CUSTOM && !name.is_empty() => name,
        _ => operator_name(code),
    };
    Ok((code, name))
}

fn read_operator<'a>(
    table: Table<'a>,
    codes: &[(i32, String)],
    tensors: usize,
) -> Result<Operator<'a>, Broken> {
    let kind = table.scalar_or::<u32>(0, 0)?;
    let Some((code, name)) = codes.get(kind as usize) else {
        return Err(Broken::new(table.at(), format!("kind {kind} of {} kinds of operators", codes.len())));
    };
    let (inputs, outputs) = (table.vector::<i32>(1)?, table.vector::<i32>(2)?);
    if inputs.len() + outputs.len() > MAX_ENDS {
        return Err(Broken::new(
            table.at(),
            format!("an operator with more than {MAX_ENDS} inputs and outputs"),
        ));
    }
    for number in inputs.iter().filter(|&number| number != -1).chain(outputs.iter()) {
        existing(number, tensors, table)?;
    }
    Ok(Operator { code: *code, name: name.clone(), inputs, outputs, options: table.table(4)? })
}
