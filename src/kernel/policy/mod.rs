//! Policy (F2): verdict → decision. Pure; the reason of a decision is data.

mod decision;
mod guard;
mod settings;
mod sum;

pub use decision::{Decision, decide};
pub use guard::{Facts, Hold, holds};
pub use settings::{ASK_EXPIRES, Budget, FlapLimit, Mode, OutWhen, Policy, WhenBothDown};
pub use sum::PlaneSum;
