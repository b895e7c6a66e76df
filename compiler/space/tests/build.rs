//! Networks of points.
