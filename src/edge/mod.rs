//! The edge (F5): senses and hands — sockets, disks, processes. It makes no choices.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    reason = "this is where the outside world is touched: clocks, sleeps and hash maps are allowed here"
)]

pub mod api;
pub mod audit;
pub mod dns;
pub mod gateway;
pub mod identity;
pub mod journal;
pub mod notify;
pub mod probe;
pub mod storage;
pub mod telemetry;
pub mod transport;
