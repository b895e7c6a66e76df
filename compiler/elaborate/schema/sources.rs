//! The sources of the section `data`.

use super::{Default, Form, Key, Kind, count, form, frequency, optional, required, share, time};
use crate::elaborate::units::Dimension;

const RATE: Kind = frequency(1e3, 192e3);
/// Height and width of a picture.
pub(super) const EXTENT: Kind = count(1.0, 4096.0);

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

/// `source: ...`
pub(super) const SOURCES: &[Form] = &[
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
