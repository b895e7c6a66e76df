//! The section `data`: splits and normalisation; its sources and front ends have files of their own.

use super::front_ends::{AUGMENT, FEATURES};
use super::sources::SOURCES;
use super::{Default, Form, Kind, Section, form, optional, required, share};

/// `data { ... }`.
pub(super) const DATA: Section = Section {
    name: "data",
    doc: "Where samples come from, how they are parted, and what becomes of them before the network.",
    keys: &[
        required(
            "source",
            Kind::Forms(SOURCES),
            "ts(train: \"train.ts\", test: \"test.ts\")",
            "Where samples come from. Paths are relative to the spec or to `--data`.",
        ),
        required(
            "split",
            Kind::Forms(SPLITS),
            "holdout(val: 20 %)",
            "How samples are parted into training, validation and test.",
        ),
        optional(
            "features",
            Kind::Forms(FEATURES),
            Default::Absent,
            "mfcc(frame: 40 ms, hop: 20 ms, coefficients: 10)",
            "The front end between sensor and network, which becomes part of the bundle.",
        ),
        optional(
            "normalize",
            Kind::Forms(NORMALIZE),
            Default::Absent,
            "standardize",
            "What is done to the values of each channel; the bundle does the same to what the sensor gives. Without it \
             features of sound are standardised, pixels are brought to -1..1, and other values stay.",
        ),
        optional(
            "augment",
            Kind::List(&Kind::Forms(AUGMENT)),
            Default::Absent,
            "[shift(100 ms), noise(10 %)]",
            "Random changes of training samples, in this order.",
        ),
    ],
    later: None,
};

const PART: Kind = share(0.01, 0.98);

const SPLITS: &[Form] = &[
    form(
        "holdout",
        &[required("val", share(0.01, 0.9), "20 %", "Share of every class of the training samples.")],
        "A share of the training samples is for validation; the test samples are the source's own.",
    ),
    form(
        "by",
        &[
            required(
                "group",
                Kind::Forms(&[
                    form("speaker", &[], "Who speaks, from the file's name."),
                    form("subject", &[], "Who wears the sensor, from the column `group` of the source."),
                    form(
                        "file",
                        &[],
                        "The file that a sample was cut from; in folders of classes its name there.",
                    ),
                    form("column", &[], "What the column `group` of the source says."),
                ]),
                "speaker",
                "What stays together in one part.",
            )
            .positional(),
            required("train", PART, "80 %", "Share to learn from."),
            required("val", PART, "10 %", "Share for validation."),
            required(
                "test",
                PART,
                "10 %",
                "Share to test on; the three give 100 %. A test part that the source has stays as it is.",
            ),
        ],
        "Whole groups of samples go to one part, so that no speaker is in two.",
    ),
    form(
        "lists",
        &[
            optional(
                "train",
                Kind::Path,
                Default::Absent,
                "\"train.csv\"",
                "File that lists samples to learn from; without it all that the others do not list.",
            ),
            required("val", Kind::Path, "\"val.csv\"", "File that lists those for validation."),
            required("test", Kind::Path, "\"test.csv\"", "File that lists those to test on."),
        ],
        "Each part is listed in a file, one name a line.",
    ),
];

const NORMALIZE: &[Form] = &[
    form("none", &[], "Nothing."),
    form("standardize", &[], "Each channel of the training part gets mean 0 and deviation 1."),
];
