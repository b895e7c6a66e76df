//! The section `train`.

use super::{Default, EPOCHS, Form, Key, Kind, Section, count, form, number, optional, required, share};
use crate::elaborate::units::Dimension;

const NO_PRUNE: &str = "leave `prune` out, and let the space hold narrower networks";

/// `train { ... }`.
pub(super) const TRAIN: Section = Section {
    name: "train",
    doc: "The recipe by which each network of the space is trained.",
    keys: &[
        required("optimizer", Kind::Forms(OPTIMIZERS), "adamw(lr: 1e-3)", "How weights follow gradients."),
        required("epochs", count(1.0, 1e6), "60", "Passes over the training part.").decides(),
        required("batch", count(1.0, 65536.0), "32", "Samples of one step.").decides(),
        optional(
            "warmup",
            share(0.0, 0.99),
            Default::Number(0.0),
            "5 %",
            "Share of the steps in which the rate rises from 0.",
        )
        .decides(),
        optional(
            "smoothing",
            number(0.0, 0.99),
            Default::Number(0.0),
            "0.05",
            "What the right label gives to all labels together.",
        )
        .decides(),
        optional(
            "schedule",
            Kind::Forms(SCHEDULES),
            Default::Word("cosine"),
            "cosine",
            "How the rate goes on after the warm-up.",
        )
        .decides(),
        optional(
            "loss",
            Kind::Forms(LOSSES),
            Default::Absent,
            "mse",
            "What training makes small; without it `cross_entropy` for classes and `mse` for all else.",
        ),
        optional(
            "clip",
            number(1e-6, 1e6),
            Default::Absent,
            "1.0",
            "Greatest norm of the gradient of one step; a longer one is shortened to it.",
        )
        .decides(),
        optional(
            "mixup",
            number(1e-3, 10.0),
            Default::Absent,
            "0.3",
            "Mixes pairs of samples; the weight is drawn from a beta distribution with this parameter.",
        )
        .decides(),
        optional(
            "distill",
            Kind::Forms(TEACHERS),
            Default::Absent,
            "teacher(\"teacher.tflite\", temperature: 4, weight: 0.5)",
            "Another network whose answers are learned besides the labels.",
        )
        .later("leave `distill` out"),
        optional(
            "prune",
            Kind::Forms(PRUNERS),
            Default::Absent,
            "dpf(sparsity: 50 %, structured: true, from: 3 epochs, to: 18 epochs)",
            "Removes weights or channels while training.",
        )
        .later(NO_PRUNE),
        optional(
            "inherit",
            Kind::Bool,
            Default::Bool(false),
            "true",
            "Whether a changed network starts with the weights of the one it came from.",
        )
        .later("leave `inherit` out: this version trains every network from the start"),
    ],
    later: None,
};

const RATE: Key = required("lr", number(1e-9, 10.0), "1e-3", "Peak learning rate.").decides();
const DECAY: Key =
    optional("decay", number(0.0, 10.0), Default::Number(0.0), "0.02", "Decoupled weight decay.").decides();

const OPTIMIZERS: &[Form] = &[
    form("adamw", &[RATE, DECAY], "Adam with decoupled weight decay."),
    form(
        "sgd",
        &[
            RATE,
            optional(
                "momentum",
                number(0.0, 0.9999),
                Default::Number(0.9),
                "0.9",
                "Share of the velocity that is kept from step to step.",
            )
            .decides(),
            optional(
                "nesterov",
                Kind::Bool,
                Default::Bool(false),
                "true",
                "Whether the velocity is taken ahead of the step.",
            )
            .decides(),
            Key { doc: "Share of a weight that is added to its gradient.", example: "5e-5", ..DECAY },
        ],
        "Stochastic gradient descent with momentum.",
    ),
];

const SCHEDULES: &[Form] = &[
    form("cosine", &[], "Falls to 0 by a cosine."),
    form(
        "step",
        &[
            required(
                "every",
                Kind::Integer(Dimension::Epochs, 1.0, 1e6),
                "30 epochs",
                "From one fall to the next, from the first epoch on.",
            )
            .decides(),
            optional(
                "factor",
                number(1e-6, 1.0),
                Default::Number(0.1),
                "0.1",
                "What the rate is multiplied by.",
            )
            .decides(),
        ],
        "Falls at regular times.",
    ),
    form("constant", &[], "Stays."),
];

const LOSSES: &[Form] = &[
    form("cross_entropy", &[], "For classes."),
    form("mse", &[], "Mean squared error, for values and reconstruction."),
    form("bce", &[], "Binary cross entropy, for values from 0 to 1."),
];

const TEMPERATURE: Key = optional(
    "temperature",
    number(0.1, 100.0),
    Default::Number(1.0),
    "4",
    "What scores are divided by before they are compared.",
)
.decides();
const WEIGHT: Key = optional(
    "weight",
    number(0.0, 1e3),
    Default::Number(0.5),
    "0.5",
    "Of the loss that compares with the teacher; that of the labels has 1.",
)
.decides();

/// Also of `supernet` and its phases.
pub(super) const TEACHERS: &[Form] = &[
    form(
        "teacher",
        &[
            required(
                "file",
                Kind::Path,
                "\"teacher.tflite\"",
                "A `.tflite` model, or a spec whose lock holds the network.",
            )
            .positional(),
            TEMPERATURE,
            WEIGHT,
        ],
        "A network from a file.",
    ),
    form("largest", &[TEMPERATURE, WEIGHT], "The largest network of the space, trained first."),
];

const SPARSITY: Key =
    required("sparsity", share(0.0, 0.99), "50 %", "Share that is removed in the end.").decides();
const STRUCTURED: Key = optional(
    "structured",
    Kind::Bool,
    Default::Bool(false),
    "true",
    "Whether whole channels are removed, by the norm of their weights.",
)
.decides();

/// Also of phases.
///
/// Source  µNAS, arXiv:2010.14246 (dpf), and SpArSe, arXiv:1905.12107 (spvd, bc)
pub(super) const PRUNERS: &[Form] = &[
    form(
        "dpf",
        &[
            SPARSITY,
            STRUCTURED,
            required("from", EPOCHS, "3 epochs", "When removal starts.").decides(),
            required("to", EPOCHS, "18 epochs", "When the full sparsity is reached.").decides(),
            optional(
                "every",
                count(1.0, 1e6),
                Default::Integer(16),
                "16",
                "Steps from one choice of what is removed to the next.",
            )
            .decides(),
        ],
        "Dynamic pruning with feedback: what was removed may come back.",
    ),
    form(
        "spvd",
        &[required(
            "threshold",
            number(-10.0, 20.0),
            "3.0",
            "Logarithm of the noise from which on a weight is removed.",
        )
        .decides()],
        "Sparse variational dropout, weight by weight.",
    ),
    form(
        "bc",
        &[required(
            "threshold",
            number(-10.0, 20.0),
            "3.0",
            "Logarithm of the noise from which on a channel is removed.",
        )
        .decides()],
        "Bayesian compression, channel by channel.",
    ),
    form(
        "magnitude",
        &[
            SPARSITY,
            STRUCTURED,
            optional("at", EPOCHS, Default::Absent, "30 epochs", "When; without it half-way.").decides(),
        ],
        "The smallest weights, once.",
    ),
];
