//! Named tensors as bytes: the safetensors format, one line of metadata.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::data::{Element, Table};
use crate::graph::Weights;
use crate::tensor::{DType, Shape, Value};

/// The one key of the metadata: with several, their order in the file would not be fixed.
const KEY: &str = "nasc";

/// Named tensors, with rows of raw samples among them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tensors {
    /// What networks compute with.
    pub(crate) values: Weights,
    /// What sensors give. Of reading, every matrix of a type that a raw value may have.
    pub(crate) raw: BTreeMap<String, Table>,
}

/// A tensor as the format has it.
type Plain = (Dtype, Vec<usize>, Vec<u8>);

/// The bytes of named tensors with a text.
pub(crate) fn to_bytes(tensors: &Weights, text: &str) -> Vec<u8> {
    serialize(tensors.iter().map(plain).collect(), text)
}

/// The bytes of named tensors and raw samples with a text.
pub(crate) fn all_to_bytes(tensors: &Tensors, text: &str) -> Vec<u8> {
    let mut data: BTreeMap<&String, Plain> = tensors.values.iter().map(plain).collect();
    for (name, table) in &tensors.raw {
        let (mut bytes, mut row) = (Vec::new(), Vec::new());
        for at in 0..table.rows() {
            table.row_bytes(at, &mut row).expect("samples that are kept are in memory");
            bytes.extend_from_slice(&row);
        }
        data.insert(name, (of_element(table.element()), vec![table.rows(), table.width()], bytes));
    }
    serialize(data, text)
}

fn plain<'a>((name, value): (&'a String, &Value)) -> (&'a String, Plain) {
    (name, (dtype(value.dtype()), value.shape().0.to_vec(), value.to_le_bytes()))
}

fn serialize(data: BTreeMap<&String, Plain>, text: &str) -> Vec<u8> {
    let views = data.iter().map(|(name, (dtype, shape, bytes))| {
        let view = TensorView::new(*dtype, shape.clone(), bytes);
        (name.as_str(), view.expect("as many bytes as the shape says"))
    });
    let metadata = HashMap::from([(KEY.to_owned(), text.to_owned())]);
    safetensors::serialize(views, Some(metadata)).expect("plain tensors serialize")
}

/// The inverse of [`to_bytes`], for bytes from anyone.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<(Weights, String), String> {
    let (tensors, text) = all_from_bytes(bytes)?;
    match tensors.raw.keys().find(|name| !tensors.values.contains_key(*name)) {
        Some(name) => Err(format!("tensor `{name}` has the type U8")),
        None => Ok((tensors.values, text)),
    }
}

/// The inverse of [`all_to_bytes`], for bytes from anyone.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn all_from_bytes(bytes: &[u8]) -> Result<(Tensors, String), String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let text = metadata.metadata().as_ref().and_then(|map| map.get(KEY)).cloned();
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut tensors = Tensors::default();
    for (name, view) in file.tensors() {
        let element = match view.dtype() {
            Dtype::U8 => Some(Element::U8),
            Dtype::I16 => Some(Element::I16),
            Dtype::F32 => Some(Element::F32),
            _ => None,
        };
        if let (Some(element), &[_, width]) = (element, view.shape())
            && width > 0
        {
            let table = Table::from_bytes(element, width, view.data().to_vec());
            tensors.raw.insert(name.clone(), table);
        }
        let dtype = match view.dtype() {
            Dtype::U8 if tensors.raw.contains_key(&name) => continue,
            Dtype::F32 => DType::F32,
            Dtype::I8 => DType::I8,
            Dtype::I16 => DType::I16,
            Dtype::I32 => DType::I32,
            other => return Err(format!("tensor `{name}` has the type {other:?}")),
        };
        let shape = Shape::from(view.shape());
        let value = Value::from_le_bytes(dtype, &shape, view.data());
        let value = value.ok_or_else(|| format!("tensor `{name}` has a wrong size"))?;
        tensors.values.insert(name.clone(), value);
    }
    Ok((tensors, text.ok_or("it has no text of nasc")?))
}

fn of_element(element: Element) -> Dtype {
    match element {
        Element::U8 => Dtype::U8,
        Element::I16 => Dtype::I16,
        Element::F32 => Dtype::F32,
    }
}

fn dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::I8 => Dtype::I8,
        DType::I16 => Dtype::I16,
        DType::I32 => Dtype::I32,
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_survive_and_have_one_form() {
        let mut tensors = Weights::new();
        for index in 0..20 {
            let value = Value::from_i8(&[3].into(), vec![index, -1, 2]).expect("three");
            tensors.insert(format!("t{index}"), value);
        }
        tensors.insert("f".into(), Value::from_f32(&[2].into(), vec![0.5, f32::MIN]).expect("two"));
        let bytes = to_bytes(&tensors, "text");
        assert_eq!(bytes, to_bytes(&tensors.clone(), "text"));
        assert_eq!(from_bytes(&bytes).expect("its own bytes"), (tensors, "text".to_owned()));
        for end in 0..bytes.len() {
            from_bytes(&bytes[..end]).expect_err("cut short");
        }
    }
}
