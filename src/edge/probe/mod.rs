//! Probing: carries out a [`crate::kernel::domain::ProbeOrder`] on real sockets and says what came of it.
//!
//! What fails for reasons of this node (out of sockets, no name server, not scheduled in time) is
//! `NotProbed`, so that a sick observer does not call its targets sick.

mod ask;
mod certificate;
mod connect;
mod dns;
mod exec;
mod fault;
mod grpc;
mod http;
pub mod limits;
mod names;
mod prometheus;
mod rate;
mod runner;
mod tls;

pub use runner::{ProbeRunner, ProbeSettings};

#[cfg(test)]
mod tests;
