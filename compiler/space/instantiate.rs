//! From a genome to its training graph.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Graph, NodeId};
use crate::ops::{Add, Clamp, Input, Op, ShapeError, ShapeErrorKind};
use crate::source::Span;
use crate::space::facts::reads_channels;
use crate::space::genome::children_of;
use crate::space::merge::Branch;
use crate::space::mirror::Record;
use crate::space::spelling::{self, Digest};
use crate::space::{
    Argument, Branching, Expr, Function, Genome, GenomeNode, MAX_EXTENT, Output, Region, RegionId,
    RegionKind, Scope, Space, Value, layer,
};
use crate::tensor::TensorType;

pub(crate) type Built<T> = Result<T, Box<Diagnostic>>;

/// The training graph of a point: batch normalisation present, parameters named by their layer's number. Equal for
/// all spellings of one network: branches of sums and products stand in an order of their own, and layers are
/// numbered in the order of [`Graph::order`].
///
/// # Errors
/// Why the point is no network, with the places in the spec: the window of a layer is larger than its input,
/// branches differ in shape, a layer has no mirror image, an argument is out of range, or the output is not what the
/// model says.
pub fn instantiate(space: &Space, genome: &Genome) -> Result<Graph, Box<Diagnostic>> {
    let mut builder = Builder {
        space,
        graph: Graph::with_capacity(512),
        n_layers: 0,
        places: BTreeMap::new(),
        digests: BTreeMap::new(),
        recording: None,
        unscaled: false,
    };
    let shape = space
        .input_of(genome)
        .map_err(|(span, text)| Box::new(Diagnostic::error(Code::RANGE, text).at(span, "here")))?;
    let [height, width, channels] = shape;
    let ty = TensorType::f32([1, height, width, channels]);
    let span = space.region(space.root()).span;
    let input = builder.add(Input { ty }, &[], "input", span)?;
    let output = builder.region(space.root(), &genome.root, input, &Scope::empty(), "")?;
    builder.check_output(output, shape)?;
    builder.graph.add_output(output);
    Ok(spelling::renumbered(&builder.graph))
}

/// Builds the graph; layers in `layer` add their operators through it.
pub(crate) struct Builder<'a> {
    pub(crate) space: &'a Space,
    pub(crate) graph: Graph,
    n_layers: usize,
    places: BTreeMap<NodeId, Span>,
    /// What nodes compute, as far as merges asked.
    pub(crate) digests: BTreeMap<NodeId, Digest>,
    /// Inside a mirror: the layers so far, and where the mirror is written.
    pub(crate) recording: Option<(Vec<Record>, Span)>,
    /// Whether filters are final: those of a mirror's second half.
    pub(crate) unscaled: bool,
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
        self.places.insert(node, span);
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
            return diagnostic.at(
                place,
                format!("its input {} comes from here", layer::written(&self.graph.ty(input).shape)),
            );
        }
        diagnostic
    }

    /// Where in the spec a node comes from.
    pub(crate) fn place_of(&self, node: NodeId) -> Option<Span> {
        self.places.get(&node).copied()
    }

    /// Where the height (axis 1) or width (axis 2) of a node comes from: the layer that made it what it is, or the
    /// model's input.
    fn maker(&self, node: NodeId, axis: usize) -> Option<Span> {
        let extent = |node: NodeId| self.ty(node).shape.nhwc().map(|shape| shape[axis]);
        let mut node = node;
        while let Some(&before) =
            self.graph.inputs(node).first().filter(|&&before| extent(before) == extent(node))
        {
            node = before;
        }
        match self.graph.node(node).op {
            Op::Input(_) => self.space.input.get(axis - 1).map(|size| size.span),
            _ => self.place_of(node),
        }
    }

    /// E0304: a window of `layer` larger than its input, with the place where it was chosen and the place of the
    /// layer that made the input small.
    pub(crate) fn too_large(
        &self,
        (layer, what, argument): (&str, &str, &Argument),
        (axis, extent, available): (usize, usize, usize),
        input: NodeId,
    ) -> Box<Diagnostic> {
        let side = if axis == 1 { "height" } else { "width" };
        let message = format!(
            "the {what} {extent} of `{layer}` is larger than the {side} {available} that comes to it"
        );
        let error = Diagnostic::error(Code::WINDOW, message);
        let part = match &argument.expr {
            Expr::Tuple(parts) => parts.get(axis - 1).unwrap_or(&argument.expr),
            whole => whole,
        };
        let (chosen, label) = match *part {
            Expr::Decision(decision) => (self.space.decision(decision).span, "is chosen here"),
            _ => (argument.span, "is written here"),
        };
        let mut error = error.at(chosen, format!("{extent} {label}"));
        if let Some(place) = self.maker(input, axis).filter(|&place| place != chosen) {
            error = error.at(place, format!("the {side} {available} comes from here"));
        }
        Box::new(if axis == 2 && available == 1 {
            error.help("a signal over time has width 1: write a pair of height and width such as `(2, 1)`")
        } else {
            error.help(format!("use a smaller {what}, `padding: same`, or less downsampling before it"))
        })
    }

    /// The filters of a convolution that says `filters`: times the width scale, unless computed from `channels`.
    pub(crate) fn scaled_filters(
        &self,
        filters: usize,
        argument: &Argument,
        scope: &Scope<'_>,
    ) -> Built<usize> {
        let Some(scale) = &self.space.width_scale else { return Ok(filters) };
        if self.unscaled || reads_channels(&argument.expr) {
            return Ok(filters);
        }
        let wrong =
            |text: String| Box::new(Diagnostic::error(Code::RANGE, text).at(argument.span, "scaled here"));
        let factor = scale.factor.eval(scope).map_err(wrong)?;
        let product =
            crate::space::BinaryOp::Mul.apply(&Value::Int(filters as i64), &factor).map_err(wrong)?;
        let scaled =
            Function::MakeDivisible.apply(&[product, Value::Int(scale.round.max(1))]).map_err(wrong)?;
        match scaled.as_int() {
            Some(scaled) if (1..=MAX_EXTENT).contains(&scaled) => Ok(scaled as usize),
            _ => Err(wrong(format!("{filters} filters times {factor} are {scaled}, not 1 to {MAX_EXTENT}"))),
        }
    }

    fn check_output(&self, output: NodeId, [height, width, channels]: [usize; 3]) -> Built<()> {
        let shape = &self.ty(output).shape;
        let elements = height * width * channels;
        let (fits, wanted, help) = match self.space.output {
            Output::Classes(classes) => (
                shape.0[..] == [1, classes],
                format!("the model says {classes} classes"),
                "end the model with `dense(units: classes)`".to_owned(),
            ),
            Output::Values(values) => (
                shape.0[..] == [1, values],
                format!("the model says {values} outputs"),
                "end the model with `dense(units: outputs)`".to_owned(),
            ),
            Output::Input => (
                shape.elements() == elements,
                format!(
                    "a model without `classes` and `outputs` gives as many values as it takes: {elements}"
                ),
                format!(
                    "put the layers into `mirror`, end with `dense(units: {elements})`, or write `classes:` or `outputs:`"
                ),
            ),
        };
        if fits {
            return Ok(());
        }
        let shape = layer::written(shape);
        let message = format!("the network gives {shape}, but {wanted}");
        let place = self.place_of(output).unwrap_or(self.space.region(self.space.root()).span);
        let error =
            Diagnostic::error(Code::SHAPE, message).at(place, format!("the last layer gives {shape}"));
        Err(Box::new(error.help(help)))
    }

    pub(crate) fn region(
        &mut self,
        id: RegionId,
        node: &GenomeNode,
        input: NodeId,
        outer: &Scope<'_>,
        path: &str,
    ) -> Built<NodeId> {
        let space = self.space;
        let region = space.region(id);
        self.fits_mirror(region)?;
        let mut scope = Scope::within(outer, region, node);
        if let (RegionKind::Sequence, Some(&channels)) = (&region.kind, self.ty(input).shape.0.last()) {
            scope = scope.with_channels(id, channels);
        }
        let wrong = |text: String| Box::new(Diagnostic::error(Code::RANGE, text).at(region.span, "here"));
        let children = children_of(space, id, &scope).map_err(wrong)?;
        // The chosen label says more than the name of the choice.
        let is_choice = matches!(region.kind, RegionKind::Choose { .. });
        let path = if is_choice { path.to_owned() } else { join(path, &region.name) };
        let parts: Vec<(RegionId, &GenomeNode)> = children.into_iter().zip(&node.children).collect();
        match &region.kind {
            RegionKind::Layer(layer) => {
                let output = layer::build(self, layer, region, input, &scope, &path)?;
                self.record(layer, region, input, &scope)?;
                Ok(output)
            }
            RegionKind::Parallel { merge } => {
                let mut branches = Vec::with_capacity(parts.len());
                for (child, node) in parts {
                    let output = self.region(child, node, input, &scope, &path)?;
                    let child = space.region(child);
                    branches.push(Branch { node: output, name: child.name.clone(), span: child.span });
                }
                Ok(self.merge(*merge, branches, &path, region.span)?.unwrap_or(input))
            }
            RegionKind::Repeat { branching: Some(branching), .. } => {
                self.groups(branching, region, &parts, input, &scope, &path)
            }
            RegionKind::Residual => {
                let output = self.sequence(&parts, input, &scope, &path, false)?;
                // Nothing inside is nothing to go around.
                if output == input || self.ty(output).shape != self.ty(input).shape {
                    return Ok(output);
                }
                let mut operands = [output, input];
                self.sort(&mut operands);
                self.add(Add { clamp: Clamp::None, requant: None }, &operands, &path, region.span)
            }
            RegionKind::Mirror => {
                self.recording = Some((Vec::new(), region.span));
                let output = self.sequence(&parts, input, &scope, &path, false)?;
                let records = self.recording.take().map(|(records, _)| records).unwrap_or_default();
                self.unwind(records, output, &path)
            }
            RegionKind::Sequence
            | RegionKind::Choose { .. }
            | RegionKind::When { .. }
            | RegionKind::Optional { .. } => self.sequence(&parts, input, &scope, &path, false),
            RegionKind::Repeat { branching: None, .. } => self.sequence(&parts, input, &scope, &path, true),
        }
    }

    fn sequence(
        &mut self,
        parts: &[(RegionId, &GenomeNode)],
        input: NodeId,
        scope: &Scope<'_>,
        path: &str,
        numbered: bool,
    ) -> Built<NodeId> {
        let mut last = input;
        for (position, (child, node)) in parts.iter().enumerate() {
            let path = if numbered { join(path, &position.to_string()) } else { path.to_owned() };
            last = self.region(*child, node, last, scope, &path)?;
        }
        Ok(last)
    }

    /// Repetitions of which some stand beside others: each run of them is one group of branches.
    fn groups(
        &mut self,
        branching: &Branching,
        region: &Region,
        parts: &[(RegionId, &GenomeNode)],
        input: NodeId,
        scope: &Scope<'_>,
        path: &str,
    ) -> Built<NodeId> {
        let mut last = input;
        let mut branches: Vec<Branch> = Vec::new();
        for (position, (child, node)) in parts.iter().enumerate() {
            let inner = Scope::within(scope, self.space.region(*child), node);
            let is_beside = inner.get(branching.link).and_then(Value::as_text) == Some(BESIDE);
            if position > 0 && !is_beside {
                last = self
                    .merge(branching.merge, std::mem::take(&mut branches), path, region.span)?
                    .unwrap_or(last);
            }
            let node = self.region(*child, node, last, scope, &join(path, &position.to_string()))?;
            branches.push(Branch { node, name: format!("repetition {}", position + 1), span: region.span });
        }
        Ok(self.merge(branching.merge, branches, path, region.span)?.unwrap_or(last))
    }
}

/// The value of a `link` that makes a repetition a branch beside the one before it; the other is `series`.
pub(crate) const BESIDE: &str = "beside";

pub(crate) fn join(path: &str, name: &str) -> String {
    match (path, name) {
        (path, "") => path.to_owned(),
        ("", name) => name.to_owned(),
        (path, name) => format!("{path}.{name}"),
    }
}
