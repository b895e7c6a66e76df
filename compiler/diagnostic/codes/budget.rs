//! E05xx: requirements that nothing meets.

use super::codes;

codes! {
    INFEASIBLE = 501, "No network of the space that was tried meets a requirement. The message says how near the best one came and which requirement stood in the way most often. Raise the limit, or let the space hold smaller networks.";
    NO_FIT = 502, "The locked network does not fit the requirement or the target it is compiled for. The message gives the bytes needed and the bytes allowed.";
    IMPOSSIBLE_LIMIT = 503, "No network of the space can meet a requirement. This is proved for every point by intervals, without building one: the message gives the least that any network needs. Raise the limit, or let the space hold smaller networks.";
}
