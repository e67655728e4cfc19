//! One integration binary: what only whole processes, or the whole tree of sources, can show.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests watch real processes on a real clock, and a failed step is the end of a test"
)]

mod alerts;
mod chaos;
mod cluster;
mod config;
mod demo;
mod exits;
mod hostile;
mod picture;
mod process;
mod reference;
mod simulate;
mod tidy;
mod timers;
mod world;
