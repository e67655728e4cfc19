//! DNS (F5): an authoritative server for the zones that the cluster has agreed on, and a small client.
//!
//! The server has its own threads and reads [`Published`], which the runtime replaces whole. It never
//! recurses, never answers answers, and never sends more than it was allowed to. Zone transfers are absent.

mod answer;
mod client;
mod compose;
mod limits;
mod query;
mod rate;
#[cfg(test)]
mod sample;
mod server;
mod tally;
mod tcp;
mod udp;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

pub use answer::{Asker, Identity, Transport, Verdict, answer};
pub use client::{ask_addresses, ask_epoch, ask_serial};
pub use limits::{DEFAULT_THREADS, MAX_TCP_CONNECTIONS, MAX_THREADS, UDP_PAYLOAD};
pub use server::DnsServer;
pub use tally::DnsCounters;

use crate::kernel::zone::Zone;

/// What a node serves.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// Zones by origin: lower case, no trailing dot.
    pub zones: Arc<BTreeMap<String, Arc<Zone>>>,
    /// Since when this node has been cut off from the quorum, if it is.
    pub cut_off_since: Option<Instant>,
}
