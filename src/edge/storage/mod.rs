//! The edge's storage.
