//! From a genome to its training graph.

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Graph, NodeId};
use crate::ops::{Add, Clamp, Input, Op, ShapeError, ShapeErrorKind};
use crate::source::Span;
use crate::space::genome::children_of;
use crate::space::layer;
use crate::space::{Genome, GenomeNode, Output, RegionId, RegionKind, Scope, Space};
use crate::tensor::TensorType;

/// The training graph of a point: batch normalisation present, parameters named by their layer's number.
///
/// # Errors
/// Why the point is no network, with the places in the spec: the window of a layer is larger than its input,
/// branches differ in shape, an argument is out of range, or the output is not one value for each class.
pub fn instantiate(space: &Space, genome: &Genome) -> Result<Graph, Box<Diagnostic>> {
    let mut builder = Builder { space, graph: Graph::new(), n_layers: 0, places: Vec::new() };
    let [height, width, channels] = space
        .input_of(genome)
        .map_err(|(span, text)| Box::new(Diagnostic::error(Code::RANGE, text).at(span, "here")))?;
    let ty = TensorType::f32([1, height, width, channels]);
    let span = space.region(space.root()).span;
    let input = builder.add(Input { ty }, &[], "input", span)?;
    let output = builder.region(space.root(), &genome.root, input, &Scope::empty(), "")?;
    let shape = &builder.graph.ty(output).shape;
    if let Output::Classes(classes) = space.output
        && shape.0 != [1, classes]
    {
        let message = format!("the network gives {shape}, but the model says {classes} classes");
        let place = builder.place_of(output).unwrap_or(span);
        return Err(Box::new(
            Diagnostic::error(Code::SHAPE, message)
                .at(place, format!("the last layer gives {shape}"))
                .help("end the model with `dense(units: classes)`"),
        ));
    }
    builder.graph.add_output(output);
    Ok(builder.graph)
}

/// Builds the graph; layers in `layer` add their operators through it.
pub(crate) struct Builder<'a> {
    space: &'a Space,
    graph: Graph,
    n_layers: usize,
    places: Vec<(NodeId, Span)>,
}

impl Builder<'_> {
    /// The type of a node.
    pub(crate) fn ty(&self, node: NodeId) -> &TensorType {
        self.graph.ty(node)
    }

    /// The number of the next layer with parameters.
    pub(crate) fn next_layer(&mut self) -> usize {
        self.n_layers += 1;
        self.n_layers - 1
    }

    /// Adds an operator that comes from `span`; what does not fit becomes a diagnostic there and, where its input
    /// was made, a second label.
    pub(crate) fn add(
        &mut self,
        op: impl Into<Op>,
        inputs: &[NodeId],
        label: &str,
        span: Span,
    ) -> Result<NodeId, Box<Diagnostic>> {
        let node = self.graph.add(op, inputs).map_err(|error| Box::new(self.misfit(&error, inputs, span)))?;
        self.graph.set_origin(node, label, Some(span));
        self.places.push((node, span));
        Ok(node)
    }

    fn misfit(&self, error: &ShapeError, inputs: &[NodeId], span: Span) -> Diagnostic {
        let code = match error.kind {
            ShapeErrorKind::Shape => Code::SHAPE,
            ShapeErrorKind::Window => Code::WINDOW,
            ShapeErrorKind::Type => Code::TYPE,
        };
        let diagnostic = Diagnostic::error(code, error.message.clone()).at(span, "does not fit its input");
        if let Some(&input) = inputs.first()
            && let Some(place) = self.place_of(input)
            && place != span
        {
            return diagnostic.at(place, format!("its input {} comes from here", self.graph.ty(input).shape));
        }
        diagnostic
    }

    /// Where in the spec a node comes from.
    pub(crate) fn place_of(&self, node: NodeId) -> Option<Span> {
        self.places.iter().rev().find(|(known, _)| *known == node).map(|(_, span)| *span)
    }

    fn region(
        &mut self,
        id: RegionId,
        node: &GenomeNode,
        input: NodeId,
        outer: &Scope<'_>,
        path: &str,
    ) -> Result<NodeId, Box<Diagnostic>> {
        let space = self.space;
        let region = space.region(id);
        let scope = Scope::within(outer, region, node);
        let wrong = |text: String| Box::new(Diagnostic::error(Code::RANGE, text).at(region.span, "here"));
        let children = children_of(space, id, &scope).map_err(wrong)?;
        // The chosen label says more than the name of the choice.
        let is_choice = matches!(region.kind, RegionKind::Choose { .. });
        let path = if is_choice { path.to_owned() } else { join(path, &region.name) };
        match &region.kind {
            RegionKind::Layer(layer) => layer::build(self, layer, region, input, &scope, &path),
            RegionKind::Parallel { .. } => {
                let mut sum: Option<NodeId> = None;
                for (child, node) in children.into_iter().zip(&node.children) {
                    let branch = self.region(child, node, input, &scope, &path)?;
                    sum = Some(match sum {
                        None => branch,
                        Some(sum) => {
                            let add = Add { clamp: Clamp::None, requant: None };
                            self.add(add, &[sum, branch], &path, region.span)?
                        }
                    });
                }
                Ok(sum.unwrap_or(input))
            }
            RegionKind::Sequence
            | RegionKind::Repeat { .. }
            | RegionKind::Choose { .. }
            | RegionKind::When { .. }
            | RegionKind::Residual
            | RegionKind::Mirror
            | RegionKind::Optional { .. } => {
                let numbered = matches!(region.kind, RegionKind::Repeat { .. });
                let mut last = input;
                for (position, (child, node)) in children.into_iter().zip(&node.children).enumerate() {
                    let path = if numbered { join(&path, &position.to_string()) } else { path.clone() };
                    last = self.region(child, node, last, &scope, &path)?;
                }
                Ok(last)
            }
        }
    }
}

fn join(path: &str, name: &str) -> String {
    match (path, name) {
        (path, "") => path.to_owned(),
        ("", name) => name.to_owned(),
        (path, name) => format!("{path}.{name}"),
    }
}
