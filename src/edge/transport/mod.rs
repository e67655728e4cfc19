//! The transport (F5): frames between members over mutual TLS.
//!
//! Every link is one-way: a member sends on the connections that it opened and receives on those that it
//! accepted. There is one long-lived connection to each peer for [`Traffic::Normal`], and a second one, opened
//! on demand, for [`Traffic::Bulk`], so that a snapshot never delays a heartbeat.
//!
//! A connection starts with a hello in both directions (see `hello`); a peer is who its certificate says it is.
//! Frames are length-delimited (see `frame`). Delivery is not promised: a frame may be lost, and Raft repairs it;
//! a bulk frame is always answered with [`Incoming::BulkSent`].

mod accept;
mod backoff;
mod bulk;
mod dial;
mod door;
#[cfg(test)]
pub(crate) mod fixture;
mod frame;
mod hello;
pub mod limits;
mod link;
mod outlet;
mod queue;
mod refusal;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use link::PeerState;

use crate::kernel::controller::Traffic;
use crate::kernel::domain::MemberId;
use hello::Lane;
use link::Link;
use outlet::Outlets;
use refusal::RefusalLog;

/// Says which member a certificate chain (leaf first, already verified against the cluster's CA) belongs to.
pub type Identify = Arc<dyn Fn(&[CertificateDer<'static>]) -> Option<MemberId> + Send + Sync>;

/// Where another member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its member address.
    pub address: SocketAddr,
    /// The DNS name in its certificate.
    pub server_name: String,
}

/// What a transport is started with.
#[derive(Clone)]
pub struct TransportSettings {
    /// Who this member is.
    pub me: MemberId,
    /// The cluster's name; members of another cluster are refused.
    pub cluster: String,
    /// Where to listen for members.
    pub listen: SocketAddr,
    /// The other members.
    pub peers: BTreeMap<MemberId, Peer>,
    /// Presents this member's certificate and demands one of the same CA from who connects.
    pub server_tls: Arc<rustls::ServerConfig>,
    /// Presents this member's certificate and trusts the cluster's CA only.
    pub client_tls: Arc<rustls::ClientConfig>,
    /// Certificate → member.
    pub identify: Identify,
    /// Certificate → observer beside the members, of the configuration in force.
    pub observers: Identify,
}

impl fmt::Debug for TransportSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportSettings")
            .field("me", &self.me)
            .field("cluster", &self.cluster)
            .field("listen", &self.listen)
            .field("peers", &self.peers)
            .finish_non_exhaustive()
    }
}

/// What the transport has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A member sent a frame.
    Frame {
        /// Who, as its certificate says.
        from: MemberId,
        /// What.
        frame: Bytes,
    },
    /// A frame to this member was dropped because there is no connection. Told at most once per
    /// [`limits::UNREACHABLE_EVERY`] and member; may be dropped when the receiver is behind.
    Unreachable(MemberId),
    /// A bulk frame was received whole by this member, or was not. Told once for every bulk frame sent.
    BulkSent {
        /// The receiver.
        to: MemberId,
        /// Whether it said that it has all of it.
        delivered: bool,
    },
}

/// What the connections of a transport share.
struct Shared {
    settings: TransportSettings,
    incoming: mpsc::Sender<Incoming>,
    refusals: RefusalLog,
    stop: CancellationToken,
    tasks: TaskTracker,
    links: BTreeMap<MemberId, Arc<Link>>,
    /// What the connections that it opens are for.
    lane: Lane,
    outlets: Outlets,
}

impl Shared {
    fn new(settings: TransportSettings, incoming: mpsc::Sender<Incoming>, lane: Lane) -> Self {
        let links = settings
            .peers
            .iter()
            .filter(|(id, _)| **id != settings.me)
            .map(|(id, peer)| (*id, Arc::new(Link::new(*id, peer.clone(), lane))))
            .collect();
        Self {
            settings,
            incoming,
            refusals: RefusalLog::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            links,
            lane,
            outlets: Outlets::default(),
        }
    }
}

/// The connections of an observer beside the members: it opens one to each, and both sides speak on it. Its tasks end when
/// it is stopped or dropped.
pub struct Visits {
    shared: Arc<Shared>,
}

impl fmt::Debug for Visits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visits").field("me", &self.shared.settings.me).finish_non_exhaustive()
    }
}

impl Visits {
    /// Connects to every member. Nobody connects to an observer: `listen` and `server_tls` are not used.
    pub fn start(settings: TransportSettings, incoming: mpsc::Sender<Incoming>) -> Self {
        let shared = Arc::new(Shared::new(settings, incoming, Lane::Observer));
        for link in shared.links.values() {
            shared.tasks.spawn(Arc::clone(link).run_normal(Arc::clone(&shared)));
        }
        shared.tasks.close();
        Self { shared }
    }

    /// Hands a frame to the connection to a member; never waits. Without a connection it is lost.
    pub fn send(&self, to: MemberId, frame: Bytes) {
        if let Some(link) = self.shared.links.get(&to) {
            link.send_normal(frame);
        }
    }

    /// Closes every connection and waits until all tasks have ended.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Visits {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

/// The connections to and from the other members. Its tasks end when it is stopped or dropped.
pub struct Transport {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Transport {
    /// Listens, and connects to every peer. Fails when the address cannot be listened on.
    pub async fn start(
        settings: TransportSettings,
        incoming: mpsc::Sender<Incoming>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        Self::start_on(listener, settings, incoming)
    }

    /// As [`Self::start`], on a socket that already listens.
    pub fn start_on(
        listener: TcpListener,
        settings: TransportSettings,
        incoming: mpsc::Sender<Incoming>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(settings, incoming, Lane::Normal));
        for link in shared.links.values() {
            shared.tasks.spawn(Arc::clone(link).run_normal(Arc::clone(&shared)));
            shared.tasks.spawn(bulk::run(Arc::clone(link), Arc::clone(&shared)));
        }
        shared.tasks.spawn(accept::run(listener, Arc::clone(&shared)));
        shared.tasks.close();
        Ok(Self { shared, address })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands a frame to the connection to `to`, a member or an observer that is connected; never waits. A frame for
    /// oneself or a stranger, or longer than its traffic allows, is dropped and counted against nobody.
    pub fn send(&self, to: MemberId, frame: Bytes, traffic: Traffic) {
        let Some(link) = self.shared.links.get(&to) else {
            return self.shared.outlets.send(to, frame);
        };
        match traffic {
            Traffic::Normal => {
                if link.send_normal(frame) {
                    // A full channel already holds enough for the kernel to notice that something is wrong.
                    let _ = self.shared.incoming.try_send(Incoming::Unreachable(to));
                }
            }
            Traffic::Bulk => link.send_bulk(frame),
        }
    }

    /// The state of the link to each peer, for metrics and status.
    pub fn peers(&self) -> BTreeMap<MemberId, PeerState> {
        self.shared.links.iter().map(|(id, link)| (*id, link.state())).collect()
    }

    /// Closes every connection and waits until all tasks have ended.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

#[cfg(test)]
mod tests;
