//! The edge's api.
