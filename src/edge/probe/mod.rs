//! The edge's probe.
