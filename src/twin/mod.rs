//! The twin (F8): a journal replayed, in a kernel beside the real one.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it reads files; the kernel inside gets its time from them"
)]

mod replay;
mod report;
mod run;

#[cfg(test)]
mod tests;

pub use replay::replay;
pub use report::{Difference, Outcome, Report, SegmentReport, Told};
