//! E02xx: names.

use super::codes;

codes! {
    UNKNOWN_NAME = 201, "A name is used that is declared nowhere in scope: a value, a block, a layer, an argument, a section or a key. The message offers the nearest known name. Names are case sensitive; a `let` inside braces is known only there.";
    DUPLICATE_NAME = 202, "A name is declared twice in one scope, or an argument or key is given twice. Rename one of the two marked places or remove it.";
    MISSING = 203, "Something that is required is not there: an argument without a default, a section such as `model` or `data`, or a key of a section. The message names it and shows how it is written.";
    NOT_ALLOWED = 204, "The name is known, but not in this place: a section inside a model, a layer in a value, a key in another section. Or it is used in a way that makes no sense: `ram >= 4 KiB`, `minimize accuracy`, a block inside itself. The message says what is allowed.";
}
