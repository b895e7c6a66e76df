//! The front ends of the section `data`, and the changes of samples before and behind them.

use super::sources::EXTENT;
use super::{Default, Form, Key, Kind, count, form, frequency, number, optional, required, share, time};
use crate::elaborate::units::Dimension;

const FRAME: Key = required("frame", time(1e-3, 1.0), "40 ms", "Length of a frame.").decides();
const HOP: Key =
    required("hop", time(1e-3, 1.0), "20 ms", "From the start of a frame to that of the next.").decides();
const FILTERS: Key =
    optional("filters", count(4.0, 128.0), Default::Integer(40), "40", "Mel filters.").decides();
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

/// `features: ...`
pub(super) const FEATURES: &[Form] = &[
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

/// `augment: [...]`
pub(super) const AUGMENT: &[Form] = &[
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
        "tilt",
        &[required("share", share(0.0, 0.9), "30 %", "Of the value before that is added to each, at most.")
            .positional()],
        "Favours low or high frequencies, as another microphone would: 30 % by 5 dB between the lowest and the highest.",
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
