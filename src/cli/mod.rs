//! The command line (F9): words for people.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs for people: they print, and they wait on real clocks"
)]
