//! The sections `scale`, `supernet`, `phase` and `schedule`.

use super::train::{PRUNERS, TEACHERS};
use super::{Default, Form, Key, Kind, Section, count, form, number, optional, required, share};

const NO_SUPERNET: &str = "leave it out: this version trains each network by itself";

/// `scale { ... }`.
pub(super) const SCALE: Section = Section {
    name: "scale",
    doc: "Knobs of the whole model: how wide its layers and how large its input.",
    keys: &[
        optional(
            "width",
            Kind::OfSpace,
            Default::Absent,
            "0.2..1.0 step 0.1",
            "What the `filters` of convolutions are multiplied by, unless they are computed from `channels`.",
        )
        .decides(),
        optional(
            "resolution",
            Kind::OfSpace,
            Default::Absent,
            "48..224 step 16",
            "Height and width of the model's input.",
        )
        .decides(),
        optional("round", Kind::OfSpace, Default::Integer(8), "8", "Scaled filters are a multiple of this."),
        optional(
            "select",
            Kind::Forms(SELECT),
            Default::Absent,
            "mean(macs, samples: 1000)",
            "How the best width and resolution are chosen before the search.",
        )
        .later("leave `select` out: the search then chooses width and resolution with all else"),
    ],
    later: None,
};

/// Source  MCUNet, arXiv:2007.10319, section 3.1
const SELECT: &[Form] = &[form(
    "mean",
    &[
        required(
            "metric",
            Kind::Forms(&[
                form("macs", &[], "Multiply-accumulates."),
                form("weights", &[], "Bytes of weights and tables."),
            ]),
            "macs",
            "Of what.",
        )
        .positional(),
        optional(
            "samples",
            count(1.0, 1e6),
            Default::Integer(1000),
            "1000",
            "Random networks for each width and resolution.",
        ),
    ],
    "The greatest mean over random networks that meet every requirement.",
)];

const LR: Key = optional(
    "lr",
    number(1e-9, 10.0),
    Default::Absent,
    "0.08",
    "Peak learning rate; without it that of `train`.",
)
.decides();
const SAMPLE: Key = optional(
    "sample",
    count(1.0, 64.0),
    Default::Integer(1),
    "4",
    "Networks drawn for one step, whose gradients are added.",
);
const DISTILL: Key = optional(
    "distill",
    Kind::Forms(TEACHERS),
    Default::Absent,
    "largest(temperature: 1, weight: 100 %)",
    "A network whose answers are learned besides the labels.",
);

/// `supernet { ... }`. Source  Once-for-All, arXiv:1908.09791
pub(super) const SUPERNET: Section = Section {
    name: "supernet",
    doc: "All networks of the space as parts of one, which is trained once.",
    keys: &[
        required(
            "elastic",
            Kind::List(&Kind::DecisionName),
            "[kernel, depth, expand]",
            "Decisions whose options share weights.",
        ),
        optional(
            "transform",
            Kind::Forms(&[
                form("none", &[], "Small kernels are the middle of large ones."),
                form("kernel", &[], "A learned matrix stands between a kernel and the next smaller one."),
            ]),
            Default::Word("none"),
            "kernel",
            "How small kernels come from large ones.",
        ),
        optional(
            "sort",
            Kind::Forms(&[
                form("none", &[], "They stay."),
                form("l1", &[], "By the sum of their weights' magnitudes, greatest first."),
            ]),
            Default::Word("none"),
            "l1",
            "How channels are ordered before widths shrink.",
        ),
        optional(
            "recalibrate",
            Kind::Forms(&[form(
                "batches",
                &[
                    required("count", count(1.0, 1e6), "20", "How many.").positional(),
                    optional("size", count(1.0, 65536.0), Default::Integer(64), "64", "Samples of each."),
                ],
                "From so many batches of training samples.",
            )]),
            Default::Absent,
            "batches(20, size: 64)",
            "How statistics of batch normalisation are measured anew for each network.",
        ),
        SAMPLE,
        DISTILL,
    ],
    later: Some(NO_SUPERNET),
};

/// `phase name { ... }`: one step of the training of a supernet, or of a search.
pub(super) const PHASE: Section = Section {
    name: "phase",
    doc: "One of several steps of training or search, in the order written; each has a name.",
    keys: &[
        optional("epochs", count(1.0, 1e6), Default::Absent, "120", "Passes over the training part.")
            .decides(),
        LR,
        optional(
            "warmup",
            share(0.0, 1.0),
            Default::Absent,
            "5 %",
            "Share of the steps in which the rate rises from 0.",
        )
        .decides(),
        optional(
            "batch",
            count(1.0, 65536.0),
            Default::Absent,
            "64",
            "Samples of one step; without it that of `train`.",
        )
        .decides(),
        SAMPLE,
        optional(
            "open",
            Kind::List(&Kind::Narrowed),
            Default::Absent,
            "[kernel({5, 7}), depth({3, 4})]",
            "Decisions with the values that they may have from this phase on; others have their greatest.",
        ),
        optional("trials", count(1.0, 1e6), Default::Absent, "50", "Networks to train in this phase."),
        optional(
            "strategy",
            Kind::Forms(&[
                form("random", &[], "Independent draws."),
                form("morphs", &[], "Changes of the best networks so far alone."),
            ]),
            Default::Absent,
            "morphs",
            "How they are chosen; without it as in `search`.",
        ),
        optional(
            "prune",
            Kind::Forms(PRUNERS),
            Default::Absent,
            "spvd(threshold: 3.0)",
            "Removes weights or channels in this phase.",
        )
        .decides(),
        DISTILL,
    ],
    later: Some("leave it out: this version trains and searches in one phase"),
};

const EXECUTED: &str = "leave `schedule` out: this version runs layer by layer";

/// `schedule { ... }`. Source  MCUNetV2, arXiv:2110.15352 (patches), and Pex, arXiv:2211.17246 (partial)
pub(super) const SCHEDULE: Section = Section {
    name: "schedule",
    doc: "How the compiled network runs, to save memory.",
    keys: &[
        optional(
            "patches",
            count(1.0, 64.0),
            Default::Integer(1),
            "1..4",
            "The first layers run on so many parts of a side of the input, one after the other.",
        )
        .decides(),
        optional(
            "split",
            Kind::Forms(SPLIT),
            Default::Word("auto"),
            "auto",
            "Where the part that runs on patches ends.",
        ),
        optional(
            "partial",
            Kind::Forms(PARTIAL),
            Default::Word("none"),
            "channels",
            "Whether layers run on some of their channels at a time.",
        ),
    ],
    later: Some(EXECUTED),
};

const SPLIT: &[Form] =
    &[form("auto", &[], "Where the peak is least."), form("none", &[], "Nothing runs on patches.")];

const PARTIAL: &[Form] = &[
    form("none", &[], "They do not."),
    form("channels", &[], "Pairs of layers that pay run on groups of channels."),
];
