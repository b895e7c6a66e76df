//! The section `data`.

use super::{
    Default, Form, Key, Kind, Section, count, form, frequency, number, optional, required, share, time,
};
use crate::elaborate::units::Dimension;

const ONLY_TS: &str = "this version reads `ts(train: \"train.ts\", test: \"test.ts\")`";
const ONLY_HOLDOUT: &str = "this version splits by `holdout(val: 20 %)`";
const NO_FEATURES: &str = "compute the features beforehand and give them as `ts(...)` files";
const NO_AUGMENT: &str = "augment the files beforehand, and leave `augment` out";

const RATE: Kind = frequency(1e3, 192e3);
const EXTENT: Kind = count(1.0, 4096.0);

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
            Default::Word("none"),
            "standardize",
            "What is done to the values of each channel; the bundle does the same to what the sensor gives.",
        ),
        optional(
            "augment",
            Kind::List(&Kind::Forms(AUGMENT)),
            Default::Absent,
            "[shift(100 ms), noise(10 %)]",
            "Random changes of training samples, in this order.",
        )
        .later(NO_AUGMENT),
    ],
    later: None,
};

const TRAIN_FILE: Key = required("train", Kind::Path, "\"train.ts\"", "File to learn from.");
const TEST_FILE: Key = required("test", Kind::Path, "\"test.ts\"", "File to test on.");

const SOURCES: &[Form] = &[
    form(
        "ts",
        &[TRAIN_FILE, TEST_FILE],
        "Time series of equal length with class labels, in the format of aeon and sktime.",
    ),
    form(
        "audio_folder",
        &[
            required(
                "path",
                Kind::Path,
                "\"speech_commands\"",
                "The folder; in it one folder for each class.",
            )
            .positional(),
            required("rate", RATE, "16 kHz", "Samples of a second; recordings of another rate are refused."),
        ],
        "WAV recordings in one folder for each class.",
    )
    .later(ONLY_TS),
    form(
        "image_folder",
        &[
            required("path", Kind::Path, "\"pictures\"", "The folder; in it one folder for each class.")
                .positional(),
            optional(
                "size",
                Kind::OneOf(&[EXTENT, Kind::Pair(&EXTENT)]),
                Default::Absent,
                "96",
                "Height and width that pictures are brought to; without it all have one size.",
            ),
            optional("channels", count(1.0, 3.0), Default::Integer(3), "1", "3 for colour, 1 for grey."),
        ],
        "PNG or JPEG pictures in one folder for each class.",
    )
    .later(ONLY_TS),
    form(
        "csv",
        &[
            TRAIN_FILE,
            TEST_FILE,
            required("label", Kind::Text, "\"activity\"", "The column that names the class."),
            optional(
                "columns",
                Kind::List(&Kind::Text),
                Default::Absent,
                "[\"x\", \"y\", \"z\"]",
                "The columns that are channels; without it all others.",
            ),
            optional(
                "window",
                count(1.0, 1e6),
                Default::Absent,
                "128",
                "Rows of one sample; without it a row is a sample.",
            ),
            optional(
                "hop",
                count(1.0, 1e6),
                Default::Absent,
                "64",
                "Rows from one sample to the next; without it as many as `window`.",
            ),
        ],
        "Tables of comma-separated values with a line of names.",
    )
    .later(ONLY_TS),
    form(
        "idx",
        &[
            required("train", Kind::Path, "\"train-images-idx3-ubyte.gz\"", "Samples to learn from."),
            required("train_labels", Kind::Path, "\"train-labels-idx1-ubyte.gz\"", "Their labels."),
            required("test", Kind::Path, "\"t10k-images-idx3-ubyte.gz\"", "Samples to test on."),
            required("test_labels", Kind::Path, "\"t10k-labels-idx1-ubyte.gz\"", "Their labels."),
        ],
        "Pictures in the format of MNIST, also compressed by gzip.",
    )
    .later(ONLY_TS),
    form(
        "cifar",
        &[required("path", Kind::Path, "\"cifar-10-batches-bin\"", "The folder with the records.")
            .positional()],
        "Records of CIFAR-10, also compressed by gzip.",
    )
    .later(ONLY_TS),
    form(
        "npy",
        &[
            required("train", Kind::Path, "\"train.npy\"", "Samples to learn from."),
            required("train_labels", Kind::Path, "\"train_labels.npy\"", "Their labels."),
            required("test", Kind::Path, "\"test.npy\"", "Samples to test on."),
            required("test_labels", Kind::Path, "\"test_labels.npy\"", "Their labels."),
        ],
        "Arrays of NumPy, also compressed by gzip.",
    )
    .later(ONLY_TS),
    form(
        "raw",
        &[
            TRAIN_FILE,
            TEST_FILE,
            required(
                "element",
                Kind::Forms(&[
                    form("i8", &[], "Signed bytes."),
                    form("u8", &[], "Unsigned bytes."),
                    form("i16", &[], "Signed 16 bits, least significant byte first."),
                    form("f32", &[], "Floating-point numbers, least significant byte first."),
                ]),
                "i16",
                "What one value is.",
            ),
            required(
                "shape",
                Kind::List(&count(1.0, 1048576.0)),
                "[128, 6]",
                "Extents of a sample; its class stands before it as one byte.",
            ),
        ],
        "Samples one after the other without a header.",
    )
    .later(ONLY_TS),
];

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
                    form("subject", &[], "Who wears the sensor, from the file's name or its column."),
                    form("file", &[], "The file that a sample was cut from."),
                    form("column", &[], "What the column `group` of a table says."),
                ]),
                "speaker",
                "What stays together in one part.",
            )
            .positional(),
            required("train", PART, "80 %", "Share to learn from."),
            required("val", PART, "10 %", "Share for validation."),
            required("test", PART, "10 %", "Share to test on; the three give 100 %."),
        ],
        "Whole groups of samples go to one part, so that no speaker is in two.",
    )
    .later(ONLY_HOLDOUT),
    form(
        "lists",
        &[
            required("train", Kind::Path, "\"train.csv\"", "File that lists samples to learn from."),
            required("val", Kind::Path, "\"val.csv\"", "File that lists those for validation."),
            required("test", Kind::Path, "\"test.csv\"", "File that lists those to test on."),
        ],
        "Each part is listed in a file, one name a line.",
    )
    .later(ONLY_HOLDOUT),
];

const FRAME: Key = required("frame", time(1e-3, 1.0), "40 ms", "Length of a frame.").decides();
const HOP: Key =
    required("hop", time(1e-3, 1.0), "20 ms", "From the start of a frame to that of the next.").decides();
const FILTERS: Key =
    optional("filters", count(4.0, 256.0), Default::Integer(40), "40", "Mel filters.").decides();
const LOW: Key =
    optional("low", frequency(0.0, 96e3), Default::Number(20.0), "20 Hz", "Lower end of the lowest filter.")
        .decides();
const HIGH: Key = optional(
    "high",
    frequency(100.0, 96e3),
    Default::Absent,
    "4 kHz",
    "Upper end of the highest filter; without it half the rate.",
)
.decides();
const LENGTH: Kind = Kind::OneOf(&[Kind::Integer(Dimension::Samples, 1.0, 1e6), time(1e-3, 3600.0)]);

const FEATURES: &[Form] = &[
    form(
        "mfcc",
        &[
            FRAME,
            HOP,
            optional(
                "coefficients",
                count(2.0, 128.0),
                Default::Integer(10),
                "10",
                "Cepstral coefficients of a frame.",
            )
            .decides(),
            FILTERS,
            LOW,
            HIGH,
        ],
        "Mel-frequency cepstral coefficients of sound.",
    )
    .later(NO_FEATURES),
    form("log_mel", &[FRAME, HOP, FILTERS, LOW, HIGH], "Logarithm of the energy in each mel filter.")
        .later(NO_FEATURES),
    form(
        "image",
        &[
            required(
                "size",
                Kind::OneOf(&[EXTENT, Kind::Pair(&EXTENT)]),
                "96",
                "Height and width that pictures are brought to.",
            )
            .decides(),
            optional("channels", count(1.0, 3.0), Default::Integer(3), "1", "3 for colour, 1 for grey.")
                .decides(),
            optional(
                "range",
                Kind::Forms(&[
                    form("unit", &[], "0 to 1."),
                    form("signed", &[], "-1 to 1."),
                    form("bytes", &[], "0 to 255."),
                ]),
                Default::Word("signed"),
                "signed",
                "What black and white become.",
            ),
        ],
        "Pictures of one size.",
    )
    .later(NO_FEATURES),
    form(
        "window",
        &[
            required("length", LENGTH, "128 samples", "Length of a window.").decides(),
            optional(
                "hop",
                LENGTH,
                Default::Absent,
                "64 samples",
                "From the start of a window to that of the next; without it windows follow one another.",
            )
            .decides(),
        ],
        "Windows of a signal, as it is.",
    )
    .later(NO_FEATURES),
];

const NORMALIZE: &[Form] = &[
    form("none", &[], "Nothing."),
    form("standardize", &[], "Each channel of the training part gets mean 0 and deviation 1."),
];

const AUGMENT: &[Form] = &[
    form(
        "shift",
        &[required("time", time(1e-6, 3600.0), "100 ms", "At most so far, back or forth.").positional()],
        "Moves a signal in time.",
    ),
    form(
        "noise",
        &[required("share", share(0.0, 1.0), "10 %", "Of the signal's deviation, at most.").positional()],
        "Adds white noise.",
    ),
    form(
        "gain",
        &[required("share", share(0.0, 1.0), "20 %", "At most so much louder or softer.").positional()],
        "Scales a signal.",
    ),
    form(
        "time_mask",
        &[required("time", time(1e-6, 3600.0), "50 ms", "At most so long.").positional()],
        "Silences a piece of a signal.",
    ),
    form(
        "frequency_mask",
        &[required("bands", count(1.0, 256.0), "4", "At most so many.").positional()],
        "Silences neighbouring bands.",
    ),
    form(
        "speed",
        &[required("share", share(0.0, 0.5), "10 %", "At most so much faster or slower.").positional()],
        "Plays a signal faster or slower.",
    ),
    form("flip", &[], "Mirrors pictures left to right."),
    form(
        "crop",
        &[required("share", share(0.0, 0.9), "10 %", "Of height and width, at most.").positional()],
        "Cuts pictures and brings them back to size.",
    ),
    form(
        "brightness",
        &[required("share", share(0.0, 1.0), "20 %", "At most so much lighter or darker.").positional()],
        "Changes how light pictures are.",
    ),
    form(
        "mixup",
        &[required(
            "alpha",
            number(1e-3, 10.0),
            "0.3",
            "Of the beta distribution that the weight is drawn from.",
        )
        .positional()],
        "Mixes pairs of samples and their labels.",
    ),
];
