//! E01xx: the text does not follow the grammar.

use super::codes;

codes! {
    SYNTAX = 101, "The text does not follow the grammar of `.nas` at the marked place. The message says what was expected there. Example: `dense(units 12)` lacks the colon of `units: 12`. See docs/language.md for the grammar.";
    UNCLOSED = 102, "A bracket or a string is opened and never closed, or closed by the wrong sign. The two labels show the opening and the place where the closing sign was expected. Example: `conv2d(filters: 8]` needs `)`.";
    VERSION = 103, "A file starts with the version of the language, `nas 1`, so that later versions of nasc read it as it was meant. The marked file has no such line, or one that this nasc does not know.";
    NUMBER = 104, "The literal is not a number of the language, or too large. Integers go to 2^53, decimal numbers have digits on both sides of the point, and `_` may separate digits: `1_000`.";
}
