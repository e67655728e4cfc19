//! The pure parts of the chaos suite (`tests/chaos`), tested: its runs need root and minutes, its checkers do not.

#[path = "../../chaos/admin_model.rs"]
mod admin_model;
#[path = "../../chaos/blame.rs"]
mod blame;
#[path = "../../chaos/linear.rs"]
mod linear;
#[path = "../../chaos/schedule.rs"]
mod schedule;

mod admin_model_tests;
mod blame_tests;
mod linear_tests;
mod schedule_tests;
