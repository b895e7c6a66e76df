//! The state of a training as bytes: tensors, and how far it is, under the identity of the training.

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic};
use crate::pipeline::tensors;
use crate::train::{Progress, State};

/// What stands beside the tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// Grows with every change of the form.
    version: u32,
    /// Of the training: its trial's key, or [`identity`](crate::train::Trainer::identity).
    identity: String,
    progress: Progress,
}

const VERSION: u32 = 1;

/// The bytes of a state.
pub(crate) fn to_bytes(state: &State, identity: &str) -> Vec<u8> {
    let head = Head { version: VERSION, identity: identity.to_owned(), progress: state.progress.clone() };
    let text = serde_json::to_string(&head).expect("strings and finite numbers serialise");
    tensors::to_bytes(&state.tensors, &text)
}

/// The inverse of [`to_bytes`], for bytes from anyone.
///
/// # Errors
/// E0802 if they are damaged, or of a training with another identity.
pub(crate) fn from_bytes(bytes: &[u8], identity: &str) -> Result<State, Diagnostic> {
    let refuse = |why: &str| {
        Diagnostic::error(Code::STORE, format!("the saved state of a training cannot be used: {why}"))
    };
    let (tensors, text) = tensors::from_bytes(bytes).map_err(|problem| refuse(&problem))?;
    let head: Head = serde_json::from_str(&text).map_err(|problem| refuse(&problem.to_string()))?;
    if head.version != VERSION {
        return Err(refuse(&format!("it has the form {}, this version reads {VERSION}", head.version)));
    }
    if head.identity != identity {
        return Err(refuse("it is of another network, recipe, seed or data"));
    }
    Ok(State { progress: head.progress, tensors })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::ops::{Clamp, Dense, Input, Param, ParamRole};
    use crate::tensor::{TensorType, Value};
    use crate::train::{AdamW, Recipe, Schedule, Sgd, Trainer};

    /// A dense layer on 40 samples of 3 elements in two classes.
    fn trainer(recipe: Recipe, seed: u64) -> Trainer {
        let mut graph = Graph::new();
        let x = graph.add(Input { ty: TensorType::f32([1, 3]) }, &[]).expect("an input");
        let mut param = |name: &str, role, shape: &[usize]| {
            let ty = TensorType::f32(crate::tensor::Shape::from(shape));
            graph.add(Param { name: name.into(), role, ty, fan_in: 3 }, &[]).expect("a parameter")
        };
        let (w, b) = (param("w", ParamRole::Weight, &[2, 3]), param("b", ParamRole::Bias, &[2]));
        let dense = Dense { clamp: Clamp::None, requant: None };
        let y = graph.add(dense, &[x, w, b]).expect("a dense layer");
        graph.add_output(y);
        let elements = (0..120u16).map(|i| f32::from(i * 37 % 101) / 50.0 - 1.0).collect();
        let inputs = Value::from_f32(&[40, 3].into(), elements).expect("120 elements");
        let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
        Trainer::new(&graph, recipe, &inputs, &labels, seed).expect("all fits")
    }

    fn recipes() -> [Recipe; 3] {
        let base = Recipe { epochs: 3, batch: 8, mixup: Some(0.4), ..Recipe::default() };
        let sgd = Sgd { lr: 0.1, nesterov: true, ..Sgd::default() };
        [
            Recipe { optimizer: AdamW::default().into(), ..base },
            Recipe { optimizer: sgd.into(), schedule: Schedule::Constant, ..base },
            Recipe { optimizer: Sgd { momentum: 0.0, ..sgd }.into(), clip: Some(0.1), ..base },
        ]
    }

    #[test]
    fn a_training_goes_on_from_bytes_bit_for_bit() {
        for recipe in recipes() {
            let mut whole = trainer(recipe, 1);
            let mut states = Vec::new();
            while !whole.finished() {
                states.push(to_bytes(&whole.state(), &whole.identity()));
                whole.epoch().expect("finite");
            }
            for bytes in states {
                let mut resumed = trainer(recipe, 1);
                let state = from_bytes(&bytes, &resumed.identity()).expect("its own");
                resumed.resume(&state).expect("of this training");
                assert_eq!(to_bytes(&resumed.state(), &resumed.identity()), bytes);
                while !resumed.finished() {
                    resumed.epoch().expect("finite");
                }
                assert_eq!(resumed.state(), whole.state(), "{recipe:?}");
            }
        }
    }

    #[test]
    fn foreign_and_damaged_bytes_are_refused() {
        let [first, second, _] = recipes();
        let own = trainer(first, 1);
        let bytes = to_bytes(&own.state(), &own.identity());
        for other in [trainer(first, 2), trainer(second, 1), trainer(Recipe { epochs: 4, ..first }, 1)] {
            let error = from_bytes(&bytes, &other.identity()).expect_err("another training");
            assert_eq!(error.code, Code::STORE);
            assert!(error.message.contains("another network"), "{}", error.message);
        }
        for end in 0..bytes.len() {
            let error = from_bytes(&bytes[..end], &own.identity()).expect_err("cut short");
            assert_eq!(error.code, Code::STORE);
        }
        let other_text = tensors::to_bytes(&own.state().tensors, "weights");
        assert_eq!(from_bytes(&other_text, &own.identity()).expect_err("no state").code, Code::STORE);
    }
}
