//! The section `quantize`.

use super::{Default, Form, Kind, Section, form, optional, required};
use crate::elaborate::units::Dimension;

const ONLY_I8: &str = "this version has weights of 8 bits: `weights: i8`";
const ONLY_AFTER: &str = "this version quantizes after training: leave `aware` out";

/// `quantize { ... }`; may be left out.
pub(super) const QUANTIZE: Section = Section {
    name: "quantize",
    doc: "How the trained network becomes integers. May be left out.",
    keys: &[
        optional("weights", Kind::Forms(WEIGHTS), Default::Word("i8"), "i8", "What a weight is.").decides(),
        optional(
            "per",
            Kind::Forms(PER),
            Default::Word("channel"),
            "channel",
            "What has a scale of its own.",
        ),
        optional(
            "activations",
            Kind::Forms(ACTIVATIONS),
            Default::Word("i8"),
            "i8",
            "What a value between layers is.",
        ),
        optional(
            "calibrate",
            Kind::Integer(Dimension::Samples, 1.0, 1e6),
            Default::Integer(200),
            "200 samples",
            "Training samples that the ranges of activations are taken from.",
        )
        .decides(),
        optional(
            "aware",
            Kind::Forms(AWARE),
            Default::Word("none"),
            "last(5 epochs)",
            "Whether training computes as the integers will.",
        )
        .decides(),
        optional(
            "compat",
            Kind::Forms(COMPAT),
            Default::Word("litert"),
            "litert",
            "Whose rounding is matched bit by bit where the two differ.",
        ),
    ],
    later: None,
};

const WEIGHTS: &[Form] =
    &[form("i8", &[], "8 bits."), form("i4", &[], "4 bits, two in a byte.").later(ONLY_I8)];

const PER: &[Form] = &[
    form("channel", &[], "Each output channel."),
    form("tensor", &[], "All weights of a layer together.")
        .later("this version has a scale for each channel: leave `per` out"),
];

const ACTIVATIONS: &[Form] = &[form("i8", &[], "8 bits.")];

const AWARE: &[Form] = &[
    form("none", &[], "It does not."),
    form(
        "last",
        &[required("epochs", Kind::Integer(Dimension::Epochs, 1.0, 1e6), "5 epochs", "How many.")
            .positional()
            .decides()],
        "In the last epochs.",
    )
    .later(ONLY_AFTER),
    form("whole", &[], "From the start.").later(ONLY_AFTER),
];

const COMPAT: &[Form] = &[
    form("litert", &[], "LiteRT's reference kernels."),
    form("tflm", &[], "TensorFlow Lite for Microcontrollers.")
        .later("this version matches LiteRT: leave `compat` out"),
];
