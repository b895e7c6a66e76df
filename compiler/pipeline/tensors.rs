//! Named tensors as bytes: the safetensors format, one line of metadata.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::graph::Weights;
use crate::tensor::{DType, Shape, Value};

/// The one key of the metadata: with several, their order in the file would not be fixed.
const KEY: &str = "nasc";

/// The bytes of named tensors with a text.
pub(crate) fn to_bytes(tensors: &Weights, text: &str) -> Vec<u8> {
    let data: BTreeMap<&String, (Dtype, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, value)| (name, (dtype(value.dtype()), value.shape().0, value.to_le_bytes())))
        .collect();
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
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let text = metadata.metadata().as_ref().and_then(|map| map.get(KEY)).cloned();
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut tensors = Weights::new();
    for (name, view) in file.tensors() {
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::I8 => DType::I8,
            Dtype::I16 => DType::I16,
            Dtype::I32 => DType::I32,
            other => return Err(format!("tensor `{name}` has the type {other:?}")),
        };
        let shape = Shape(view.shape().to_vec());
        let value = Value::from_le_bytes(dtype, &shape, view.data());
        tensors.insert(name.clone(), value.ok_or_else(|| format!("tensor `{name}` has a wrong size"))?);
    }
    Ok((tensors, text.ok_or("it has no text of nasc")?))
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
