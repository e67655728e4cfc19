//! A node: the shell around the kernel, and the servers around that.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::api_threads::ApiThreads;
use super::clock::Clock;
use super::effects::AskDns;
use super::hands::Publish;
use super::journal_thread::JournalSettings;
use super::limits::{INCOMING, PROBED, WATCH_KEEP_ALIVE};
use super::node_parts::NodeParts;
use super::service;
use super::shell::{Parts, Shell, ShellError};
use super::{cluster_file, descriptors, dns_gauges};
use crate::config::{NodeSettings, parse_cluster};
use crate::edge::api::{self, ApiSettings};
use crate::edge::dns::{DnsServer, Identity as DnsIdentity, Published, ask_epoch};
use crate::edge::identity::{IdentityError, member_server_name, peer_observer, token_hash};
use crate::edge::probe::ProbeRunner;
use crate::edge::storage::{Identity, RedbStore, STORE_FILE, Store, StoreError, open_dir};
use crate::edge::telemetry::Metrics;
use crate::edge::transport::{Peer, Transport, TransportSettings};
use crate::kernel::consensus::Recovered;
use crate::kernel::controller::limits::LOG_ENTRIES;
use crate::kernel::controller::{Boot, View};
use crate::kernel::domain::{MemberId, MemberName};
use crate::kernel::ledger::{Cluster, Member};

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The cluster file does not know it.
    #[error("the cluster file has no member `{0}`: check `member` in node.toml")]
    NoMember(MemberName),
    /// Its own file says where to serve, the cluster file that it is a witness.
    #[error(
        "node.toml has `{key}`, and member `{member}` is a witness, which serves neither DNS nor the API: remove it"
    )]
    Witness {
        /// Which member.
        member: MemberName,
        /// What its file says.
        key: &'static str,
    },
    /// Certificates, keys, or tokens.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Its disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An address.
    #[error("cannot listen at {address} for {}: {error}. {}", listener.0, help(error, listener))]
    Listen {
        /// Members, DNS, or the API.
        listener: Listener,
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// Its kernel.
    #[error(transparent)]
    Shell(#[from] ShellError),
}

/// For whom a node listens: in words, its key in the member's table of cluster.toml, and its key in node.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener(&'static str, &'static str, &'static str);

impl Listener {
    const MEMBERS: Self = Self("the other members", "member", "member_listen");
    const API: Self = Self("the API", "api", "api_listen");
    const DNS: Self = Self("DNS", "dns", "dns_listen");
}

/// What to do about an address that cannot be listened at.
fn help(error: &io::Error, Listener(_, shared, own): &Listener) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "Another process is there: is this node running already? Else choose another port: `{shared}` of this \
             member in cluster.toml, or `{own}` in node.toml"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "The port needs a privilege, or choose one above 1023: `{shared}` of this member in cluster.toml, or \
             `{own}` in node.toml"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("This host has no such address: name one that it has in node.toml (`{own}`)")
        }
        _ => format!(
            "See that the address is right: `{own}` in node.toml, or else `{shared}` in cluster.toml"
        ),
    }
}

/// The API of a running node.
#[derive(Debug)]
struct Api {
    address: SocketAddr,
    task: JoinHandle<()>,
    threads: ApiThreads,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    shell: Shell,
    dns: Option<Arc<DnsServer>>,
    api: Option<Api>,
    stop: CancellationToken,
}

/// Runs a node of this cluster file, with its text, until `stop` is cancelled, then lets it leave in good order. See [`super::shutdown`] for `stop`.
pub async fn run(
    settings: &NodeSettings,
    cluster: Arc<Cluster>,
    text: Arc<str>,
    metrics: Option<Metrics>,
    stop: CancellationToken,
) -> Result<(), NodeError> {
    descriptors::take();
    let parts = NodeParts { text, ..NodeParts::read(settings, cluster, metrics)? };
    let node = Node::start(parts).await?;
    let file = cluster_file::watch(settings.cluster.clone(), node.shell.inbox());
    let _file = AbortOnDropHandle::new(tokio::spawn(file));
    service::ready();
    let alive = service::watch(Arc::new(node.shell.backend()));
    let alive = AbortOnDropHandle::new(tokio::spawn(alive));
    stop.cancelled().await;
    service::stopping();
    drop(alive);
    node.leave().await;
    Ok(())
}

impl Node {
    /// Opens the store, listens everywhere, starts the kernel.
    pub async fn start(parts: NodeParts) -> Result<Self, NodeError> {
        let (member, clock) = (parts.member.clone(), Clock);
        let me = member.id;
        let (store, recovered) = open_store(&parts).await?;
        let published = Arc::new(ArcSwap::from_pointee(Published {
            cut_off_since: Some(Instant::now()),
            ..Published::default()
        }));
        let dns = start_dns(&parts, Arc::clone(&published))?;
        let in_force: InForce = Arc::default();
        let (transport, incoming) = start_transport(&parts, Arc::clone(&in_force)).await?;
        let (results, probed) = mpsc::channel(PROBED);
        let runner = ProbeRunner::new(parts.probes.clone(), move || clock.now(), results);
        let incarnation = recovered.incarnation;
        let shell = Shell::start(Parts {
            boot: Boot {
                me,
                cluster: Arc::clone(&parts.cluster),
                text: Arc::clone(&parts.text),
                certificate_until: parts.certificate_until,
                recovered,
                seed: clock.seed(),
                log_entries: LOG_ENTRIES,
            },
            clock,
            write: writer(store),
            transport,
            incoming,
            prober: Box::new(move |order| runner.start(order)),
            probed,
            ask_dns: asker(),
            notifier: parts.notifier.clone(),
            publish: publisher(published, in_force),
            metrics: parts.metrics.clone(),
            audit: (parts.audit_mib > 0).then(|| (parts.data_dir.clone(), parts.audit_mib << 20)),
            journal: JournalSettings::new(&parts.data_dir, parts.journal_mib),
        })?;
        let stop = CancellationToken::new();
        let api = match start_api(&parts, &shell, stop.clone()).await {
            Ok(started) => started,
            Err(error) => {
                shell.stop().await;
                stop_dns(dns).await;
                return Err(error);
            }
        };
        if let Some(dns) = &dns {
            tokio::spawn(dns_gauges::write(Arc::downgrade(dns)));
        }
        tracing::info!(
            member = %me,
            name = %member.name,
            cluster = %parts.cluster.name,
            incarnation = incarnation.0,
            members_at = %shell.transport().address(),
            dns_at = dns.as_ref().map(|dns| tracing::field::display(dns.local_addr())),
            api_at = api.as_ref().map(|api| tracing::field::display(api.address)),
            role = member.role.as_str(),
            "node started"
        );
        Ok(Self { shell, dns, api, stop })
    }

    /// What was published last.
    pub fn view(&self) -> watch::Receiver<Option<Arc<View>>> {
        self.shell.view()
    }

    /// Where its API listens, if it has one.
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.api.as_ref().map(|api| api.address)
    }

    /// Where its DNS server listens, if it has one.
    pub fn dns_address(&self) -> Option<SocketAddr> {
        self.dns.as_ref().map(|dns| dns.local_addr())
    }

    /// Hands leadership over, closes its doors, and ends: at most a few seconds.
    pub async fn leave(self) {
        if !self.shell.hand_over().await {
            tracing::warn!("leaving without a new leader: the others will elect one");
        }
        let Self { shell, dns, api, stop, .. } = self;
        stop.cancel();
        // The API's task never fails; were it to panic, the rest is to end all the same.
        if let Some(api) = api {
            let _ = api.task.await;
            drop(api.threads);
        }
        shell.stop().await;
        stop_dns(dns).await;
        tracing::info!("node stopped");
    }
}

async fn open_store(parts: &NodeParts) -> Result<(RedbStore, Recovered), NodeError> {
    let identity = Identity {
        cluster: parts.cluster.name.to_string(),
        member: parts.member.id,
        members: parts.cluster.members.keys().copied().collect(),
    };
    let dir = parts.data_dir.clone();
    let file = dir.join(STORE_FILE);
    let open = move || {
        let mut store = open_dir(&dir, &identity)?;
        let recovered = store.recover()?;
        Ok::<_, StoreError>((store, recovered))
    };
    let opened = spawn_blocking(open).await;
    let opened = opened.map_err(|panic| StoreError::Corrupt(format!("reading it failed: {panic}")));
    Ok(opened.and_then(|opened| opened).map_err(|error| error.at(&file))?)
}

/// Nothing where the member does not answer DNS.
fn start_dns(
    parts: &NodeParts,
    published: Arc<ArcSwap<Published>>,
) -> Result<Option<Arc<DnsServer>>, NodeError> {
    let Some(address) = parts.dns_listen else { return Ok(None) };
    let mut secret = [0; 16];
    secret.copy_from_slice(&Clock.entropy()[..16]);
    let identity = DnsIdentity {
        name: parts.member.name.to_string(),
        secret,
        wall: u32::try_from(Clock.wall().0 / 1000 % (1 << 32)).unwrap_or_default(),
    };
    DnsServer::start(address, parts.dns_threads, published, identity)
        .map(|server| Some(Arc::new(server)))
        .map_err(|error| NodeError::Listen { listener: Listener::DNS, address, error })
}

/// Waits until its ports are free.
async fn stop_dns(dns: Option<Arc<DnsServer>>) {
    if let Some(dns) = dns.and_then(Arc::into_inner) {
        // It tells of its own threads' panics.
        let _ = spawn_blocking(move || dns.stop()).await;
    }
}

/// The configuration in force, as this node published it last.
type InForce = Arc<ArcSwapOption<Cluster>>;

async fn start_transport(
    parts: &NodeParts,
    in_force: InForce,
) -> Result<(Transport, mpsc::Receiver<crate::edge::transport::Incoming>), NodeError> {
    let address = parts.member_listen;
    let peer = |member: &Member| Peer {
        address: member.member_address,
        server_name: member_server_name(member.name.as_str(), parts.cluster.name.as_str()),
    };
    let members = &parts.cluster.members;
    let peers: BTreeMap<MemberId, Peer> =
        members.values().map(|member| (member.id, peer(member))).collect();
    let settings = TransportSettings {
        me: parts.member.id,
        cluster: parts.cluster.name.to_string(),
        listen: address,
        peers,
        server_tls: Arc::clone(&parts.member_tls.server),
        client_tls: Arc::clone(&parts.member_tls.client),
        identify: Arc::clone(&parts.identify),
        observers: Arc::new(move |chain| {
            let cluster = in_force.load_full()?;
            let observers = cluster.observers.values().map(|other| (other.id, &other.name));
            peer_observer(chain, observers, cluster.name.as_str())
        }),
    };
    let (sender, incoming) = mpsc::channel(INCOMING);
    let transport = Transport::start(settings, sender)
        .await
        .map_err(|error| NodeError::Listen { listener: Listener::MEMBERS, address, error })?;
    Ok((transport, incoming))
}

/// Nothing where the member serves no API.
async fn start_api(
    parts: &NodeParts,
    shell: &Shell,
    stop: CancellationToken,
) -> Result<Option<Api>, NodeError> {
    let Some(address) = parts.api_listen else { return Ok(None) };
    let settings = ApiSettings {
        listen: address,
        tls: Some(Arc::clone(&parts.api_tls)),
        check_token: Arc::clone(&parts.check_token),
        hash_token: token_hash,
        check_certificate: Arc::clone(&parts.check_certificate),
        read_config: Arc::new(read_config),
        limits: api::Limits {
            keep_alive: parts.api_limits.keep_alive.min(WATCH_KEEP_ALIVE),
            ..parts.api_limits
        },
    };
    let failed = |error| NodeError::Listen { listener: Listener::API, address, error };
    let threads = ApiThreads::start().map_err(failed)?;
    let served = threads.handle().spawn(api::serve(settings, Arc::new(shell.backend()), stop));
    let served = served.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    let (address, task) = served.map_err(failed)?;
    Ok(Some(Api { address, task, threads }))
}

/// The file's name in faults is that of everybody's cluster file.
fn read_config(text: &str) -> Result<Cluster, String> {
    match parse_cluster("cluster.toml", text) {
        Ok(checked) => Ok(checked.cluster),
        Err(faults) => Err(faults.to_string()),
    }
}

fn writer(mut store: RedbStore) -> super::shell::WriteBatch {
    Box::new(move |batch| store.persist(batch).map_err(|error| error.to_string()))
}

fn asker() -> AskDns {
    Arc::new(|server, name, timeout| {
        Box::pin(async move { ask_epoch(server, &name, timeout).await })
    })
}

/// On the kernel's thread: replacing what the DNS server reads is one atomic store.
fn publisher(published: Arc<ArcSwap<Published>>, in_force: InForce) -> Publish {
    Box::new(move |view| {
        in_force.store(view.cluster.clone());
        let since = published.load().cut_off_since;
        let cut_off_since =
            if view.in_quorum { None } else { Some(since.unwrap_or_else(Instant::now)) };
        published.store(Arc::new(Published { zones: Arc::clone(&view.zones), cut_off_since }));
    })
}

#[cfg(test)]
mod tests;
