//! The section `data`.

use super::{
    Default, Form, Key, Kind, Section, count, form, frequency, number, optional, required, share, time,
};
use crate::elaborate::units::Dimension;

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

const TRAIN_FILE: Key = required("train", Kind::Path, "\"train.ts\"", "File to learn from.");
const TEST_FILE: Key = required("test", Kind::Path, "\"test.ts\"", "File to test on.");
const TEST: Key = optional(
    "test",
    Kind::Path,
    Default::Absent,
    "\"test.csv\"",
    "What to test on; without it `split` parts the training samples.",
);
const FOLDER: Key = Key {
    default: Default::Absent,
    ..required(
        "path",
        Kind::Path,
        "\"speech_commands\"",
        "The folder, or an archive `.tar` or `.tar.gz` of it; in it one folder for each class.",
    )
    .positional()
};
const TRAIN_FOLDER: Key = optional(
    "train",
    Kind::Path,
    Default::Absent,
    "\"train\"",
    "Instead of `path`: the folder or archive to learn from.",
);
const TEST_FOLDER: Key =
    optional("test", Kind::Path, Default::Absent, "\"test\"", "The folder or archive to test on.");
const CLASSES: Key = optional(
    "classes",
    Kind::List(&Kind::Text),
    Default::Absent,
    "[\"no\", \"yes\"]",
    "The classes in the order of the outputs; other folders are left out. Without it all, sorted.",
);
const LABELS: Key = optional(
    "classes",
    Kind::List(&Kind::Text),
    Default::Absent,
    "[\"zero\", \"one\"]",
    "Names for the labels 0, 1 and so on.",
);
const SIZE: Kind = Kind::OneOf(&[EXTENT, Kind::Pair(&EXTENT)]);
const GROUP: Key = optional(
    "group",
    Kind::Text,
    Default::Absent,
    "\"subject\"",
    "The column that says who or what a sample is of; `split: by(subject, ...)` keeps its values together.",
);
const ROWS: Kind = count(1.0, 1e6);
const WINDOW: Key =
    optional("window", ROWS, Default::Absent, "128", "Rows of one sample; without it a row is a sample.");
const HOP_ROWS: Key = optional(
    "hop",
    ROWS,
    Default::Absent,
    "64",
    "Rows from one sample to the next; without it as many as `window`.",
);
const LENGTH: Kind = Kind::OneOf(&[Kind::Integer(Dimension::Samples, 1.0, 1e6), time(1e-3, 3600.0)]);

const SOURCES: &[Form] = &[
    form(
        "ts",
        &[TRAIN_FILE, TEST_FILE],
        "Time series of equal length with class labels, in the format of aeon and sktime.",
    ),
    form("audio_folder", AUDIO, "WAV recordings in one folder for each class."),
    form("image_folder", IMAGES, "PNG or JPEG pictures in one folder for each class."),
    form("csv", CSV, "Tables with a line of names: files, or folders and archives of them."),
    form("idx", IDX, "Pictures in the format of MNIST, also compressed by gzip."),
    form("cifar", CIFAR, "Records of CIFAR-10, also compressed by gzip."),
    form("npy", NPY, "Arrays of NumPy, also compressed by gzip."),
    form("raw", RAW, "Samples one after the other without a header."),
];

const AUDIO: &[Key] = &[
    FOLDER,
    TRAIN_FOLDER,
    TEST_FOLDER,
    required("rate", RATE, "16 kHz", "Samples of a second; recordings of another rate are refused."),
    optional(
        "resample",
        Kind::Bool,
        Default::Bool(false),
        "true",
        "Bring recordings of another rate to `rate` instead.",
    ),
    optional(
        "length",
        LENGTH,
        Default::Absent,
        "1 s",
        "Length of a sample. Shorter recordings get silence at their end; of longer ones the loudest piece is taken.",
    ),
    optional(
        "hop",
        LENGTH,
        Default::Absent,
        "500 ms",
        "Cut longer recordings into samples that start so far from one another.",
    ),
    optional(
        "quiet",
        share(0.0, 1.0),
        Default::Absent,
        "1 %",
        "Leave out pieces whose root mean square is below this share of full scale.",
    ),
    CLASSES,
    optional(
        "speaker",
        Kind::Text,
        Default::Absent,
        "\"*_{}_*\"",
        "Where in the names of files the speaker stands: `{}`; `*` is anything. Without it `{}_nohash_*`.",
    ),
];

const IMAGES: &[Key] = &[
    FOLDER,
    TRAIN_FOLDER,
    TEST_FOLDER,
    optional(
        "size",
        SIZE,
        Default::Absent,
        "96",
        "Height and width that pictures are brought to; without it all have one size.",
    ),
    optional("channels", count(1.0, 3.0), Default::Integer(3), "1", "3 for colour, 1 for grey."),
    CLASSES,
];

const CSV: &[Key] = &[
    required("train", Kind::Path, "\"train.csv\"", "File, folder or archive to learn from."),
    TEST,
    optional(
        "label",
        Kind::Text,
        Default::Absent,
        "\"activity\"",
        "The column that names the class; a reconstruction needs none.",
    ),
    optional(
        "normal",
        Kind::Text,
        Default::Absent,
        "\"0\"",
        "The label of what is normal: anomalies are kept out of training.",
    ),
    optional(
        "columns",
        Kind::List(&Kind::Text),
        Default::Absent,
        "[\"x\", \"y\", \"z\"]",
        "The columns that are channels; without it all others.",
    ),
    optional(
        "targets",
        Kind::List(&Kind::Text),
        Default::Absent,
        "[\"temperature\"]",
        "The columns to predict: regression.",
    ),
    WINDOW,
    HOP_ROWS,
    GROUP,
    optional(
        "separator",
        Kind::Text,
        Default::Absent,
        "\";\"",
        "What stands between values; without it found in the first line.",
    ),
];

const IDX: &[Key] = &[
    required("train", Kind::Path, "\"train-images-idx3-ubyte.gz\"", "Samples to learn from."),
    optional(
        "train_labels",
        Kind::Path,
        Default::Absent,
        "\"train-labels-idx1-ubyte.gz\"",
        "Their labels; a reconstruction needs none.",
    ),
    optional(
        "test",
        Kind::Path,
        Default::Absent,
        "\"t10k-images-idx3-ubyte.gz\"",
        "Samples to test on; without it `split` parts the training samples.",
    ),
    optional(
        "test_labels",
        Kind::Path,
        Default::Absent,
        "\"t10k-labels-idx1-ubyte.gz\"",
        "Their labels; a reconstruction needs none.",
    ),
    LABELS,
];

const CIFAR: &[Key] = &[
    Key {
        default: Default::Absent,
        ..required(
            "path",
            Kind::Path,
            "\"cifar-10-batches-bin\"",
            "The folder with the records, under the names that the publisher or nasc's parts have.",
        )
        .positional()
    },
    optional(
        "train",
        Kind::Path,
        Default::Absent,
        "\"train.bin\"",
        "Instead of `path`: records to learn from.",
    ),
    optional("test", Kind::Path, Default::Absent, "\"test.bin\"", "Records to test on."),
];

const NPY: &[Key] = &[
    required("train", Kind::Path, "\"train.npy\"", "Samples to learn from."),
    optional(
        "train_labels",
        Kind::Path,
        Default::Absent,
        "\"train_labels.npy\"",
        "Their labels; a reconstruction needs none.",
    ),
    optional(
        "train_table",
        Kind::Path,
        Default::Absent,
        "\"train.csv\"",
        "A table with a line for each sample: names of labels, and `group`.",
    ),
    optional(
        "test",
        Kind::Path,
        Default::Absent,
        "\"test.npy\"",
        "Samples to test on; without it `split` parts the training samples.",
    ),
    optional(
        "test_labels",
        Kind::Path,
        Default::Absent,
        "\"test_labels.npy\"",
        "Their labels; a reconstruction needs none.",
    ),
    optional("test_table", Kind::Path, Default::Absent, "\"test.csv\"", "Their table."),
    GROUP,
    optional(
        "window",
        ROWS,
        Default::Absent,
        "5",
        "Rows of one sample; without it the first extent counts samples.",
    ),
    HOP_ROWS,
    LABELS,
    optional(
        "targets",
        Kind::Bool,
        Default::Bool(false),
        "true",
        "Whether labels are numbers to predict: regression.",
    ),
];

const RAW: &[Key] = &[
    required("train", Kind::Path, "\"train.bin\"", "File to learn from."),
    optional(
        "train_labels",
        Kind::Path,
        Default::Absent,
        "\"train.txt\"",
        "Their labels, one a line; without it each record starts with its class as one byte.",
    ),
    TEST,
    optional("test_labels", Kind::Path, Default::Absent, "\"test.txt\"", "Their labels."),
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
const EVERY: Key = optional(
    "every",
    count(1.0, 10000.0),
    Default::Integer(10),
    "10",
    "On a chip that listens all the time: hops from one run of the network to the next.",
);
const SMOOTH: Key = optional(
    "smooth",
    count(1.0, 256.0),
    Default::Integer(1),
    "4",
    "On a chip that listens all the time: outputs that are averaged.",
);

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
            EVERY,
            SMOOTH,
        ],
        "Mel-frequency cepstral coefficients of sound.",
    ),
    form(
        "log_mel",
        &[FRAME, HOP, FILTERS, LOW, HIGH, EVERY, SMOOTH],
        "Logarithm of the energy in each mel filter.",
    ),
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
        "Pictures of one size, made on the chip from what the camera gives.",
    ),
    form(
        "window",
        &[
            required("length", ROWS_OR_SAMPLES, "128 samples", "Rows of a window."),
            optional(
                "hop",
                ROWS_OR_SAMPLES,
                Default::Absent,
                "64 samples",
                "From the start of a window to that of the next; without it windows follow one another.",
            ),
            SMOOTH,
        ],
        "Windows of a signal, as it is; the chip takes it row by row.",
    ),
];

const ROWS_OR_SAMPLES: Kind =
    Kind::OneOf(&[Kind::Integer(Dimension::Samples, 1.0, 1e6), Kind::Integer(Dimension::Plain, 1.0, 1e6)]);

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
        &[
            required(
                "share",
                share(0.0, 1.0),
                "10 %",
                "Of the signal's deviation, at most; with `from`, of the recording's own loudness.",
            )
            .positional(),
            optional(
                "from",
                Kind::Path,
                Default::Absent,
                "\"_background_noise_\"",
                "A folder of recordings to take the noise from; without it the noise is white.",
            ),
        ],
        "Adds noise.",
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
    form(
        "rotate",
        &[required("degrees", number(0.0, 180.0), "180", "At most so far about a random axis.").positional()],
        "Turns what sensors of motion say, three channels at a time.",
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
