//! The runtime (F7): the tokio shell around the kernel.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    reason = "the shell around the kernel: real clocks, real entropy"
)]

mod api_threads;
pub mod audit_thread;
pub mod backend;
pub mod clock;
mod cluster_file;
mod descriptors;
mod dns_gauges;
pub mod effects;
pub mod events;
#[cfg(test)]
mod fixture;
pub mod gateway;
pub mod gauges;
pub mod hands;
pub mod inbox;
pub mod journal_thread;
pub mod kernel_thread;
pub mod limits;
pub mod node;
pub mod node_parts;
pub mod observer;
pub mod persist_thread;
pub mod replies;
pub mod scribe;
mod service;
pub mod shell;
pub mod shutdown;
