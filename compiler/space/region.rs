//! The region tree: what a spec's `model` says, as data.

use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::EdgeRef;
use serde::{Deserialize, Serialize};

use crate::source::Span;
use crate::space::{Argument, Domain, Expr, MAX_EXTENT, Scope, Value};

/// A region of a [`Space`].
pub type RegionId = NodeIndex<u32>;

/// A decision: an index into [`Space::decisions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DecisionId(pub u32);

/// Something to be decided. It lives in one region; every instance of that region (each repetition of an
/// enclosing `repeat`) decides it anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Name for genomes, distinct among the decisions of its region: that of its `let`, `repeat` or `choose`, or
    /// of the argument that it is written in.
    pub name: String,
    /// What it may be.
    pub domain: Domain,
    /// Where it is written.
    pub span: Span,
}

/// How branches come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MergeKind {
    /// Element-wise sum.
    Add,
    /// Channels one after the other.
    Concat,
    /// Element-wise product; a vector of one value for each channel multiplies every pixel.
    Mul,
}

/// How branches come together, and what is done about shapes that differ. Without `pool` and `pad` they must be
/// equal (but for the channels of `concat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// What is done to them.
    pub kind: MergeKind,
    /// Max-pool every branch to the smallest height and width. Source  µNAS, arXiv:2010.14246
    pub pool: bool,
    /// Pad channels with zeros to the widest branch. Source  µNAS, arXiv:2010.14246
    pub pad: bool,
}

/// A layer of the language with its arguments. Integer arguments that stand for pairs (`kernel: 3`) are made
/// pairs by `instantiate`. Words: `padding` is `same` or `valid`; `act` is `none`, `relu` or `relu6`; `norm` is
/// `none` or `batch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Convolution, then normalisation, then activation; with `norm: batch` it has no bias of its own.
    Conv2d {
        /// Output channels.
        filters: Argument,
        /// Height and width, or both in one.
        kernel: Argument,
        /// Down and right, or both in one.
        stride: Argument,
        /// Word.
        padding: Argument,
        /// Word.
        norm: Argument,
        /// Word.
        act: Argument,
    },
    /// Depthwise convolution, then normalisation, then activation.
    DepthwiseConv2d {
        /// Height and width, or both in one.
        kernel: Argument,
        /// Down and right, or both in one.
        stride: Argument,
        /// Word.
        padding: Argument,
        /// Word.
        norm: Argument,
        /// Word.
        act: Argument,
    },
    /// Fully connected; flattens a feature map first.
    Dense {
        /// Outputs.
        units: Argument,
        /// Word.
        norm: Argument,
        /// Word.
        act: Argument,
    },
    /// Batch normalisation by itself.
    BatchNorm,
    /// Activation by itself.
    Activation {
        /// Word.
        act: Argument,
    },
    /// Greatest of a window.
    MaxPool {
        /// Height and width, or both in one.
        size: Argument,
        /// Down and right, or both in one.
        stride: Argument,
        /// Word.
        padding: Argument,
    },
    /// Mean of a window.
    AvgPool {
        /// Height and width, or both in one.
        size: Argument,
        /// Down and right, or both in one.
        stride: Argument,
        /// Word.
        padding: Argument,
    },
    /// Mean of the whole map, as a vector.
    GlobalAvgPool,
    /// The map as a vector.
    Flatten,
    /// Every pixel repeated: nearest-neighbour enlargement.
    Upsample {
        /// Down and right, or both in one.
        factor: Argument,
    },
    /// In training, values set to 0 at random and the rest scaled up; else nothing.
    Dropout {
        /// Share that is set to 0, in 0..1: a number.
        rate: Argument,
    },
    /// Nothing.
    Identity,
}

/// What a region is. Its children are in its [`Space`], in order.
#[allow(clippy::large_enum_variant, reason = "nearly all regions are layers")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionKind {
    /// Children one after the other.
    Sequence,
    /// Children side by side on one input, then merged.
    Parallel {
        /// How.
        merge: Merge,
    },
    /// Its one child, `count` times; each time with decisions of its own.
    Repeat {
        /// How often: an integer, at least 0.
        count: Expr,
        /// Where repetitions may stand beside one another.
        branching: Option<Branching>,
    },
    /// One of its children, each of which has a label.
    Choose {
        /// The labels in the order of the children.
        labels: Vec<String>,
        /// Which: its domain is the set of labels. It lives in this region.
        decision: DecisionId,
    },
    /// Its one child or nothing.
    Optional {
        /// Whether: `false` or `true`. It lives in this region.
        decision: DecisionId,
    },
    /// Its first child if a condition holds; else its second, or nothing where there is none.
    When {
        /// Of decisions in scope; true or false.
        condition: Expr,
    },
    /// Its one child, and what came in added to what comes out where both have one shape.
    Residual,
    /// Its one child, then the same layers backwards: each gives what its original took.
    Mirror,
    /// One layer.
    Layer(Layer),
}

/// Repetitions side by side. Each repetition has a decision `link`: `series` takes the output of what is before it,
/// `beside` takes what the repetition before it took, and their outputs are merged; runs of `beside` make one group
/// of branches. The first repetition's `link` says nothing.
///
/// Source  µNAS, arXiv:2010.14246: a block is in series with the block before it or a branch beside it
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branching {
    /// The decision; it lives in the child of the repeat, so every repetition makes it anew.
    pub link: DecisionId,
    /// How a group comes together.
    pub merge: Merge,
}

/// A combination of decisions that no point has. It counts where all decisions that it reads are live; of `a or b`,
/// where all that `a` reads are, or all that `b` reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbid {
    /// Where it is written: every instance of this region is checked.
    pub region: RegionId,
    /// Of decisions in scope there; a point for which it is true is not of the space.
    pub condition: Expr,
    /// Where it is written.
    pub span: Span,
}

/// What the network gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// One score for each of so many classes: `model kws(classes: 12)`.
    Classes(usize),
    /// So many numbers: `model sensor(outputs: 3)`.
    Values(usize),
    /// As many values as come in: a model with neither.
    Input,
}

/// `scale { width: ..., round: 8 }`: what the filters of every convolution are multiplied by, unless they are
/// computed from `channels`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WidthScale {
    /// A number.
    pub factor: Expr,
    /// Filters are rounded to a multiple of this, see [`crate::space::Function::MakeDivisible`].
    pub round: i64,
}

/// A region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// What it is.
    pub kind: RegionKind,
    /// The decisions that live here: `let`s of a body, the count of a `repeat` that has a range of its own, choices
    /// written in arguments.
    pub decisions: Vec<DecisionId>,
    /// Name for paths: a label, a block's or a layer's name, that of a `repeat`, `optional` or `parallel`; empty for
    /// the body of a `repeat` or `optional`. That of a `choose` is not part of paths.
    pub name: String,
    /// Where it is written.
    pub span: Span,
}

/// How regions are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// From a region to its child at this position.
    Contains(u32),
    /// From a region to the one that takes its output, siblings of a sequence.
    Data,
}

/// A family of networks.
#[derive(Clone, Debug)]
pub struct Space {
    regions: StableDiGraph<Region, Link>,
    root: RegionId,
    /// All decisions.
    pub decisions: Vec<Decision>,
    /// Height, width, channels of the input, over decisions of the root.
    pub input: [Argument; 3],
    /// What the network gives.
    pub output: Output,
    /// What no point has.
    pub forbids: Vec<Forbid>,
    /// What widths are multiplied by.
    pub width_scale: Option<WidthScale>,
    /// Decisions of the root that something beside the network reads, such as the training section: they are live in
    /// every point.
    pub recipe_uses: Vec<DecisionId>,
}

impl Space {
    /// A space whose root is an empty sequence at `span`.
    pub fn new(input: [usize; 3], output: Output, span: Span) -> Space {
        let mut regions = StableDiGraph::new();
        let name = String::new();
        let root = regions.add_node(Region { kind: RegionKind::Sequence, decisions: Vec::new(), name, span });
        let input = input.map(|size| Argument { expr: Expr::Value(Value::Int(size as i64)), span });
        let (decisions, forbids, recipe_uses) = (Vec::new(), Vec::new(), Vec::new());
        Space { regions, root, decisions, input, output, forbids, width_scale: None, recipe_uses }
    }

    /// `[height, width, channels]` of the input where no decision changes it.
    pub fn fixed_input(&self) -> Option<[usize; 3]> {
        let mut shape = [0; 3];
        for (size, argument) in shape.iter_mut().zip(&self.input) {
            let Expr::Value(Value::Int(value)) = argument.expr else { return None };
            *size = usize::try_from(value).ok()?;
        }
        Some(shape)
    }

    /// `[height, width, channels]` of the input of a point.
    ///
    /// # Errors
    /// What is wrong with a size, with its place.
    pub fn input_of(&self, genome: &Genome) -> Result<[usize; 3], (Span, String)> {
        let empty = Scope::empty();
        let scope = Scope::within(&empty, self.region(self.root), &genome.root);
        let mut shape = [0; 3];
        for (size, argument) in shape.iter_mut().zip(&self.input) {
            let value = argument.expr.eval(&scope).map_err(|text| (argument.span, text))?;
            *size = value
                .as_int()
                .and_then(|value| usize::try_from(value).ok())
                .filter(|size| (1..=MAX_EXTENT as usize).contains(size))
                .ok_or_else(|| (argument.span, format!("an input of extent {value}")))?;
        }
        Ok(shape)
    }

    /// The outermost sequence; top-level `let`s live in it.
    pub fn root(&self) -> RegionId {
        self.root
    }

    /// A region.
    pub fn region(&self, region: RegionId) -> &Region {
        &self.regions[region]
    }

    /// A decision.
    pub fn decision(&self, decision: DecisionId) -> &Decision {
        &self.decisions[decision.0 as usize]
    }

    /// Adds a region as the last child of `parent`.
    pub fn add_child(&mut self, parent: RegionId, region: Region) -> RegionId {
        let siblings = self.children(parent);
        let child = self.regions.add_node(region);
        self.regions.add_edge(parent, child, Link::Contains(siblings.len() as u32));
        if let (RegionKind::Sequence, Some(&before)) = (&self.regions[parent].kind, siblings.last()) {
            self.regions.add_edge(before, child, Link::Data);
        }
        child
    }

    /// Adds a decision that lives in `region`.
    pub fn add_decision(&mut self, region: RegionId, decision: Decision) -> DecisionId {
        let id = DecisionId(self.decisions.len() as u32);
        self.decisions.push(decision);
        self.regions[region].decisions.push(id);
        id
    }

    /// Changes what a region is, for builders that know a decision only after the region is there.
    pub fn set_kind(&mut self, region: RegionId, kind: RegionKind) {
        self.regions[region].kind = kind;
    }

    /// The children in order.
    pub fn children(&self, region: RegionId) -> Vec<RegionId> {
        let mut children: Vec<(u32, RegionId)> = self
            .regions
            .edges(region)
            .filter_map(|edge| match edge.weight() {
                Link::Contains(position) => Some((*position, edge.target())),
                Link::Data => None,
            })
            .collect();
        children.sort_unstable();
        children.into_iter().map(|(_, child)| child).collect()
    }

    /// The regions and their links.
    pub fn regions(&self) -> &StableDiGraph<Region, Link> {
        &self.regions
    }
}

/// One point of a space: the region tree with a value for each decision, lists under `repeat`, the chosen child
/// under `choose`, and nothing under an absent `optional`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Genome {
    /// The instance of [`Space::root`].
    pub root: GenomeNode,
}

/// An instance of a region.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GenomeNode {
    /// The values of the decisions that live here, in the order of [`Region::decisions`]. Values, not indices, so that a
    /// genome survives reordering of options.
    pub values: Vec<Value>,
    /// Sequence and parallel: one for each child. Repeat: one for each repetition. Choose: the chosen one.
    /// Optional: one or none. Layer: none.
    pub children: Vec<GenomeNode>,
}
