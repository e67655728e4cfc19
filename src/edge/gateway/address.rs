//! Addresses of upstreams that are written as names. A name server's silence costs nothing while an older
//! answer is known.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Semaphore;

use super::limits;
use crate::kernel::domain::Endpoint;

/// Asks the system, remembers the answers.
#[derive(Debug)]
pub(super) struct Addresses {
    known: Mutex<BTreeMap<Endpoint, Known>>,
    room: Semaphore,
}

#[derive(Clone, Debug)]
struct Known {
    addresses: Arc<[SocketAddr]>,
    /// When somebody last asked.
    asked: Instant,
}

impl Addresses {
    pub(super) fn new() -> Self {
        Self { known: Mutex::default(), room: Semaphore::new(limits::NAME_QUESTIONS) }
    }

    /// The addresses of an endpoint; never empty.
    pub(super) async fn of(self: &Arc<Self>, endpoint: &Endpoint) -> io::Result<Arc<[SocketAddr]>> {
        if let Some(ip) = endpoint.ip() {
            return Ok(Arc::new([SocketAddr::new(ip, endpoint.port)]));
        }
        match self.remembered(endpoint) {
            Some((addresses, false)) => Ok(addresses),
            Some((addresses, true)) => {
                let (this, endpoint) = (Arc::clone(self), endpoint.clone());
                // A failed question leaves the last answer in force.
                tokio::spawn(async move { this.ask(&endpoint).await.ok() });
                Ok(addresses)
            }
            None => self.ask(endpoint).await,
        }
    }

    /// What is known, and whether it is time to ask again; that is said to one caller only.
    fn remembered(&self, endpoint: &Endpoint) -> Option<(Arc<[SocketAddr]>, bool)> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get_mut(endpoint)?;
        let old = entry.asked.elapsed() >= limits::NAME_TTL;
        if old {
            entry.asked = Instant::now();
        }
        Some((Arc::clone(&entry.addresses), old))
    }

    async fn ask(&self, endpoint: &Endpoint) -> io::Result<Arc<[SocketAddr]>> {
        let _room = self.room.acquire().await.map_err(io::Error::other)?;
        let host = (endpoint.host.as_str(), endpoint.port);
        let addresses: Arc<[SocketAddr]> = tokio::net::lookup_host(host).await?.collect();
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= limits::NAMES {
            known.clear();
        }
        let entry = Known { addresses: Arc::clone(&addresses), asked: Instant::now() };
        known.insert(endpoint.clone(), entry);
        Ok(addresses)
    }
}
