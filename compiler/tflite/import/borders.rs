//! Inputs and outputs of a model. Where they are floats, the graph begins behind the `QUANTIZE` and ends before the
//! `DEQUANTIZE` that every such model has; so it does where a `QUANTIZE` does nothing but take away or give a sign.

use super::tensors::{activation, activation_quant};
use super::{Importer, Place, Port, Why};
use crate::ops::Input;
use crate::tensor::{DType, Quant, TensorType};
use crate::tflite::model::{Element, Operator, Tensor};
use crate::tflite::names::QUANTIZE;

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
            Element::U8 if self.sign_taken(number).is_none() => {
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
            return Err(Why::of(number, not_quantized(readers.len())));
        };
        if quantize.code != QUANTIZE || self.is_output(number) {
            return Err(Why::of(number, not_quantized(1)));
        }
        let inside = self.output(quantize)?;
        let ty = activation(inside, self.tensor(inside))?;
        self.places[number] = Place::Border;
        self.places[inside] = Place::Node(self.graph.add(Input { ty: ty.clone() }, &[])?);
        Ok(port(tensor, &ty, Some(quantize)))
    }

    /// The `QUANTIZE` that alone reads an input and only gives it a sign.
    fn sign_taken(&self, number: usize) -> Option<&'_ Operator<'a>> {
        let mut readers = self.model.operators.iter().filter(|operator| reads(operator, number));
        let quantize = readers.next().filter(|_| readers.next().is_none())?;
        let inside = self.output(quantize).ok()?;
        let is_one =
            quantize.code == QUANTIZE && !self.is_output(number) && self.differ_by_sign(inside, number);
        is_one.then_some(quantize)
    }

    /// Whether a tensor with a sign has the integers of one without, 128 lower.
    fn differ_by_sign(&self, inside: usize, outside: usize) -> bool {
        let [with, without] = [inside, outside].map(|number| self.tensor(number));
        let means = |number| activation_quant(number, self.tensor(number)).ok();
        (with.element, without.element) == (Element::Known(DType::I8), Element::U8)
            && means(inside).is_some_and(|meaning| means(outside) == Some(meaning))
    }

    /// Whether an operator only takes the sign of an output of the model away.
    pub(super) fn is_border(&self, operator: &Operator<'a>) -> bool {
        let (Ok(output), Some(inside)) = (self.output(operator), self.input(operator, 0)) else {
            return false;
        };
        let is_read = || self.model.operators.iter().any(|operator| reads(operator, output));
        operator.code == QUANTIZE
            && self.is_output(output)
            && self.differ_by_sign(inside, output)
            && !is_read()
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
        let Some(border) = self.model.operators.iter().find(gives) else {
            return Err(Why::of(number, "nothing gives it"));
        };
        let inside = self.input(border, 0).map(|inside| self.places[inside]);
        let node = match (self.places[number], inside) {
            (Place::Reals(node), _) | (Place::Border, Some(Place::Node(node))) => node,
            _ => return Err(Why::of(number, "nothing gives it")),
        };
        self.graph.add_output(node);
        let ty = self.graph.ty(node).clone();
        Ok(port(&tensor, &ty, Some(border)))
    }
}

fn reads(operator: &Operator<'_>, number: usize) -> bool {
    operator.inputs.iter().any(|input| usize::try_from(input) == Ok(number))
}

/// Why an input cannot be taken that no `QUANTIZE` alone reads.
fn not_quantized(readers: usize) -> String {
    match readers {
        1 => "it is read as floats: quantize the model, with int8 inside".to_owned(),
        _ => format!("{readers} operators read it, and one QUANTIZE has to"),
    }
}

pub(super) fn port(tensor: &Tensor<'_>, ty: &TensorType, border: Option<&Operator<'_>>) -> Port {
    Port {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        element: tensor.element,
        quant: ty.quant.clone().unwrap_or_else(|| Quant::per_tensor(1.0, 0)),
        range: ty.dtype.range().unwrap_or_default(),
        border: border.map(|operator| operator.name.clone()),
    }
}
