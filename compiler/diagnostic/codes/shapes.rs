//! E03xx: types, units and shapes.

use super::codes;

codes! {
    TYPE = 301, "A value has another type than its place needs: text for a number, a number for a pair, a layer for a value. The message says what was found and what is allowed.";
    UNIT = 302, "A quantity needs a unit, has the wrong one, or has one where none belongs. Bytes take B, kB, KB, KiB, MB, MiB; times us, ms, s, min, h; frequencies Hz, kHz, MHz; energies uJ, mJ, J; powers uW, mW, W; shares %; samples are counted in `samples`. `24 KB` is 24,000 bytes and `24 KiB` is 24,576: write the one you mean.";
    SHAPE = 303, "The shapes of connected layers do not fit: branches of different sizes are added, or a layer gets an input of the wrong rank. The labels show both sides.";
    WINDOW = 304, "The window of a convolution or pool is larger than its padded input. Use a smaller kernel, `padding: same`, or less downsampling before it.";
    RANGE = 305, "A value is outside its allowed range: zero filters, a share above 100 %, a negative stride. The message gives the found and the allowed values.";
}
