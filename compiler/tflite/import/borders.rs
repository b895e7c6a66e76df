//! Inputs and outputs of a model. Where they are floats, or integers without a sign, the graph begins behind the
//! `QUANTIZE` and ends before the `DEQUANTIZE` that every such model has.

use super::tensors::{activation, activation_quant};
use super::{Importer, Place, Port, SIGN, Why};
use crate::ops::Input;
use crate::tensor::{DType, Quant, TensorType};
use crate::tflite::model::{Element, Operator, Tensor};
use crate::tflite::names::{DEQUANTIZE, QUANTIZE};

impl<'a> Importer<'_, 'a> {
    /// Makes the graph's inputs.
    pub(super) fn inputs(&mut self) -> Vec<Port> {
        let mut ports = Vec::new();
        for (place, &number) in self.model.inputs.iter().enumerate() {
            match self.port_in(number) {
                Ok(port) => ports.push(port),
                Err(why) => {
                    self.refuse(None, format!("input {place}"), why);
                    self.places[number] = Place::Refused;
                }
            }
        }
        ports
    }

    fn port_in(&mut self, number: usize) -> Result<Port, Why> {
        if self.places[number] != Place::Absent {
            return Err(Why::of(number, "it is an input twice"));
        }
        let tensor = self.tensor(number).clone();
        if tensor.shape.first().is_some_and(|&batch| batch != 1) {
            let text = format!("it takes {} samples at once: convert the model for 1", tensor.shape[0]);
            return Err(Why::of(number, text));
        }
        match tensor.element {
            Element::Known(DType::I8 | DType::I16) => {
                let ty = activation(number, &tensor)?;
                self.places[number] = Place::Node(self.graph.add(Input { ty: ty.clone() }, &[])?);
                Ok(port(&tensor, &ty, None))
            }
            Element::Known(DType::F32) | Element::U8 => self.quantized_in(number, &tensor),
            other => Err(Why::of(number, format!("its elements are {other}"))),
        }
    }

    /// The input that begins behind the `QUANTIZE` of a tensor.
    fn quantized_in(&mut self, number: usize, tensor: &Tensor<'a>) -> Result<Port, Why> {
        let readers: Vec<&Operator<'a>> =
            self.model.operators.iter().filter(|operator| reads(operator, number)).collect();
        let [quantize] = readers[..] else {
            return Err(Why::of(number, not_quantized(tensor.element, readers.len())));
        };
        if quantize.code != QUANTIZE || self.is_output(number) {
            return Err(Why::of(number, not_quantized(tensor.element, 1)));
        }
        let inside = self.output(quantize)?;
        let ty = activation(inside, self.tensor(inside))?;
        if tensor.element == Element::U8 {
            let outside = activation_quant(number, tensor)?;
            same_but_sign(&outside, ty.quant.as_ref()).map_err(|text| Why::of(number, text))?;
        }
        self.places[number] = Place::Border;
        self.places[inside] = Place::Node(self.graph.add(Input { ty: ty.clone() }, &[])?);
        Ok(port(tensor, &ty, Some(quantize)))
    }

    /// Whether an operator only brings an output of the model to floats or integers without a sign.
    pub(super) fn is_border(&self, operator: &Operator<'a>) -> bool {
        let [Some(output)] = operator.outputs.iter().map(|x| usize::try_from(x).ok()).collect::<Vec<_>>()[..]
        else {
            return false;
        };
        let outside = match operator.code {
            DEQUANTIZE => Element::Known(DType::F32),
            QUANTIZE => Element::U8,
            _ => return false,
        };
        let is_read = || self.model.operators.iter().any(|operator| reads(operator, output));
        self.tensor(output).element == outside && self.is_output(output) && !is_read()
    }

    fn is_output(&self, number: usize) -> bool {
        self.model.outputs.contains(&number)
    }

    /// Names the graph's outputs.
    pub(super) fn outputs(&mut self) -> Vec<Port> {
        let mut ports = Vec::new();
        if self.model.outputs.is_empty() {
            self.refuse(None, "the model", "it has no output".into());
        }
        for (place, &number) in self.model.outputs.iter().enumerate() {
            if self.places[number] == Place::Refused {
                continue;
            }
            match self.port_out(number) {
                Ok(port) => ports.push(port),
                Err(why) => self.refuse(None, format!("output {place}"), why),
            }
        }
        ports
    }

    fn port_out(&mut self, number: usize) -> Result<Port, Why> {
        let tensor = self.tensor(number).clone();
        if let Place::Node(node) = self.places[number] {
            self.graph.add_output(node);
            return Ok(port(&tensor, &activation(number, &tensor)?, None));
        }
        let gives =
            |operator: &&Operator<'a>| operator.outputs.iter().any(|x| usize::try_from(x) == Ok(number));
        let Some(border) = self.model.operators.iter().find(gives).filter(|border| self.is_border(border))
        else {
            return Err(Why::of(number, "nothing gives it"));
        };
        let Some(inside) = self.input(border, 0) else { return Err(Why::of(number, "nothing gives it")) };
        let ty = activation(inside, self.tensor(inside))?;
        if tensor.element == Element::U8 {
            let outside = activation_quant(number, &tensor)?;
            same_but_sign(&outside, ty.quant.as_ref()).map_err(|text| Why::of(number, text))?;
        }
        match self.places[inside] {
            Place::Node(node) => self.graph.add_output(node),
            _ => return Err(Why::of(inside, "nothing gives it")),
        }
        Ok(port(&tensor, &ty, Some(border)))
    }
}

fn reads(operator: &Operator<'_>, number: usize) -> bool {
    operator.inputs.iter().any(|input| usize::try_from(input) == Ok(number))
}

/// Why an input cannot be taken that no `QUANTIZE` alone reads.
fn not_quantized(element: Element, readers: usize) -> String {
    match (element, readers) {
        (Element::U8, 1) => "its elements are u8 in the network too: convert the model to int8".to_owned(),
        (_, 1) => "it is read as floats: quantize the model, with int8 inside".to_owned(),
        _ => format!("{readers} operators read it, and one QUANTIZE has to"),
    }
}

/// Refuses integers without a sign that are not those with one, 128 higher.
fn same_but_sign(outside: &Quant, inside: Option<&Quant>) -> Result<(), String> {
    let is_same = inside.is_some_and(|inside| {
        inside.scale(0).to_bits() == outside.scale(0).to_bits()
            && inside.zero_point + SIGN == outside.zero_point
    });
    is_same.then_some(()).ok_or_else(|| "its u8 are not the i8 behind it with 128 more".to_owned())
}

fn port(tensor: &Tensor<'_>, ty: &TensorType, border: Option<&Operator<'_>>) -> Port {
    Port {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        element: tensor.element,
        quant: ty.quant.clone().unwrap_or_else(|| Quant::per_tensor(1.0, 0)),
        border: border.map(|operator| operator.name.clone()),
    }
}
