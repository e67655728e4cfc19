//! One decision.

pub(crate) fn run(_rounds: usize) {}
