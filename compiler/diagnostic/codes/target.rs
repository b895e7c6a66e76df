//! E06xx: targets.

use super::codes;

codes! {
    UNKNOWN_TARGET = 601, "The target is neither declared in the spec nor part of the standard library. `nasc targets` lists those known; a `target \"name\" { ... }` block declares a new one.";
    TARGET_FIELD = 602, "A field of a target block is missing or makes no sense, such as a clock of 0 Hz or a core that nasc has no instructions for. A limit on `energy` needs the `power` of the target.";
}
