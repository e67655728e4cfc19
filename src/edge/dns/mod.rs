//! The edge's dns.
