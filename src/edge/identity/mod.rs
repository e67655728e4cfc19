//! The edge's identity.
