//! Health (F1): probe → report → ballot → verdict. Pure; each file is one station on that way.

mod settings;
mod verdict;

pub use settings::{Check, Require, Service};
pub use verdict::{Verdict, verdict};
