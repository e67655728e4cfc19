//! The edge's transport.
