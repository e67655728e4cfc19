//! Switchover (F2): decision → plan → steps → verification, as a saga whose state machine is a table.

mod guards;
mod plan;
mod record;
mod table;

pub use guards::Guards;
pub use plan::{AUTOMATIC_STEPS, FORCED_SKIPS, FORCED_STEPS, PLANNED_STEPS};
pub use record::{Kind, StepTime, Switchover};
pub use table::{Event, IllegalEvent, State, TABLE, picture};
