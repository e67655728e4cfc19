//! Configuration (F6): text → checked settings of everything below. Parsed, not validated: all faults at once,
//! each with file, line, caret and what to write instead.
//!
//! `cluster.toml` is the same on every member and is carried by the log; the other files are local.

pub mod cluster;
mod fault;
mod files;
pub mod limits;
mod reader;
mod suggest;
mod syntax;
mod taken;
mod text;

#[cfg(test)]
mod tests;

pub use cluster::{Checked, parse_cluster};
pub use fault::{Fault, Faults, Position};
pub use files::{
    ClientSettings, Credential, GatewayListen, GatewaySettings, LocalNotify, LogSettings,
    NodeSettings, ObserverSettings, parse_client, parse_gateway, parse_node, parse_observer,
};
pub(crate) use reader::duration;
pub use text::text_of;
