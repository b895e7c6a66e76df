//! E04xx: the search space.

use super::codes;

codes! {
    EMPTY_RANGE = 401, "A range holds no value, or its step misses its end: `24..64 step 7` ends at 59, not 64. `a..b` includes both ends. Correct the end or the step.";
    DUPLICATE_CHOICE = 402, "A set or a `choose` has the same value or label twice, which would make it twice as likely to be drawn. Remove one.";
    TOO_LARGE = 403, "A program is larger than the limits that protect against runaway input: too many nodes, too deep nesting, too many choices. The message names the limit.";
    NO_VALID_NETWORK = 404, "Not one network of the space could be built: every one that was drawn has a shape error, or is forbidden. The message shows the most frequent mistake, or the condition that forbids most, with its place.";
    IMPOSSIBLE = 405, "A condition compares a decision with a value that it never has: `when kernel == 4` where `let kernel = {3, 5}`. Such a condition never holds, so it is a slip. Compare with one of the decision's values; the message lists them.";
    UNUSED_DECISION = 406, "A warning: nothing uses a decision of the spec, so it changes no network. Often the use was removed and the `let` stayed, or another name was meant. Remove the decision, or use it.";
}
