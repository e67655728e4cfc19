//! The edge's gateway.
