//! Health (F1): probe → report → ballot → verdict. Pure; each file is one station on that way.

mod expression;
mod layout;
mod prober;
mod report;
mod seen;
mod settings;
mod spread;
mod target;
mod verdict;

pub mod limits;

pub use expression::{CheckState, evaluate};
pub use layout::probe_rate;
pub use prober::{Changes, Prober};
pub use report::Debounce;
pub use seen::{CheckSeen, SampleSeen, Seen};
pub use settings::{Check, Require, Service};
pub use verdict::{Verdict, verdict};
