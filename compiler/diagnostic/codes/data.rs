//! E07xx: data.

use super::codes;

codes! {
    DATA_MISSING = 701, "A file or folder with data is not there or cannot be read. Paths in a spec are relative to the spec; `--data DIR` puts another folder in their place.";
    DATA_FORMAT = 702, "A data file does not have the format that its name or its reader promises: it is cut short, has a line with too few values, or a value that is no number. The message names the file and the line.";
    DATA_LABEL = 703, "A label is missing, is not among the declared classes, or the number of classes differs from the network's outputs.";
    DATA_SPLIT = 704, "The data cannot be split as asked: a part would be empty, or a class is in one part only. Change the shares, or give more data.";
    DATA_SHAPE = 705, "The samples do not have one shape, or not the shape that the network takes. The message gives both shapes.";
    DATA_LIMIT = 706, "A data file goes beyond the limits that protect against runaway input. The message names the limit.";
    DATA_DUPLICATE = 707, "Samples are there more than once, or with two labels. Nothing stops, but each counts as often as it is there, and of two labels one is wrong.";
    DATA_LEAK = 708, "What should be unknown to the network is in its training part too: the same sample, the same speaker or subject, or a neighbouring window of one recording. Figures on the other part are too good then. Keep together what belongs together with `split: by(...)`.";
}
