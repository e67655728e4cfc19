//! Biplane: a dual-plane failover controller.
//!
//! The modules stand in the order in which a decision travels; see `docs/architecture.md`.
//! Below the glass floor (everything in [`kernel`]) there is no clock, randomness, async, I/O,
//! float or hash order: time and effects are values.

pub mod kernel;

pub mod edge;

pub mod config;

pub mod runtime;
pub mod sim;

pub mod twin;

pub mod cli;
