//! What schedules do, in pieces that cost models know.

use serde::{Deserialize, Serialize};

/// A piece of what a schedule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Work {
    /// A call of a tile, which multiplies four pixels with all filters.
    Tile,
    /// A pair of filters in a tile, rectified.
    PairRelu,
    /// The same with both signs.
    PairSigned,
    /// The same with any ending.
    PairGeneral,
    /// Four elements of a pair's windows: 32 products.
    Group,
    /// A window that is packed.
    Window,
    /// A row of a window.
    Row,
    /// A row of a window that has to be clipped where it leaves the map.
    ClippedRow,
    /// Four elements that are packed at once.
    PackedGroup,
    /// Four zeros that are packed.
    ZeroGroup,
    /// An element that is packed by itself.
    PackedElement,
    /// An element that is set to zero.
    Zero,
    /// A call that takes four channels apart.
    Planes,
    /// A row of their pixels.
    PixelRow,
    /// Two of its pixels.
    Pixels,
    /// An element of a channel that is taken apart by itself.
    PlaneElement,
    /// A call of a depthwise convolution of a plane.
    Plane,
    /// A row of its outputs.
    PlaneRow,
    /// Two outputs of stride 1, rectified.
    Outputs,
    /// The same of stride 2.
    WideOutputs,
    /// One output, rectified.
    Output,
    /// A call of a depthwise convolution with windows of any size on a plane.
    Windows,
    /// A weight that it widens.
    WindowsWeight,
    /// A row of its outputs.
    WindowsRow,
    /// Four of its outputs, rectified.
    Block,
    /// Two of them.
    HalfBlock,
    /// A row of the window for either.
    BlockRow,
    /// A product of such a row, or a word that it loads.
    BlockStep,
    /// What another ending of an output costs besides.
    SignedOutput,
    /// The same of the general ending.
    GeneralOutput,
    /// An output of a pool: a call.
    Pool,
    /// Four channels of its greatest.
    MaxWord,
    /// A channel of it by itself.
    MaxSingle,
    /// Four channels of a mean.
    MeanWord,
    /// A channel of it by itself.
    MeanSingle,
    /// A row of a window for either.
    PoolRow,
    /// A tap of it.
    PoolTap,
    /// A call of a dense layer.
    Dense,
    /// Four of its filters.
    DenseQuad,
    /// Four elements against them: 16 products.
    DenseGroup,
    /// An element of a sum of equal scales, rectified.
    Sum,
    /// What scaling one of the inputs costs besides.
    ScaledSum,
    /// A call that sums what a tile has computed.
    Strip,
}

impl Work {
    /// All of them.
    pub const ALL: [Work; 43] = [
        Work::Tile,
        Work::PairRelu,
        Work::PairSigned,
        Work::PairGeneral,
        Work::Group,
        Work::Window,
        Work::Row,
        Work::ClippedRow,
        Work::PackedGroup,
        Work::ZeroGroup,
        Work::PackedElement,
        Work::Zero,
        Work::Planes,
        Work::PixelRow,
        Work::Pixels,
        Work::PlaneElement,
        Work::Plane,
        Work::PlaneRow,
        Work::Outputs,
        Work::WideOutputs,
        Work::Output,
        Work::Windows,
        Work::WindowsWeight,
        Work::WindowsRow,
        Work::Block,
        Work::HalfBlock,
        Work::BlockRow,
        Work::BlockStep,
        Work::SignedOutput,
        Work::GeneralOutput,
        Work::Pool,
        Work::MaxWord,
        Work::MaxSingle,
        Work::MeanWord,
        Work::MeanSingle,
        Work::PoolRow,
        Work::PoolTap,
        Work::Dense,
        Work::DenseQuad,
        Work::DenseGroup,
        Work::Sum,
        Work::ScaledSum,
        Work::Strip,
    ];
}
