//! What waits for the kernel: one lane a kind, each bounded, taken in turn.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::limits::{
    GATEWAY_INPUTS, HINT_INPUTS, PEER_BYTES, PEER_INPUTS, PROBE_INPUTS, RECEIPT_INPUTS,
    REQUEST_INPUTS,
};
use crate::edge::telemetry::names::{QUEUE_DEPTH, QUEUE_DROPPED};
use crate::kernel::controller::{ClientRequest, DataPlaneHint, GatewayReport, Input, Receipt};
use crate::kernel::domain::{GatewayName, ProbeResult, WallTime};
use crate::kernel::ledger::Cluster;

/// The lanes that are taken in turn.
const LANES: [Lane; 6] =
    [Lane::Peers, Lane::Probes, Lane::Receipts, Lane::Requests, Lane::Hints, Lane::Gateways];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Peers,
    Probes,
    Receipts,
    Requests,
    Hints,
    Gateways,
}

impl Lane {
    const fn name(self) -> &'static str {
        match self {
            Self::Peers => "peers",
            Self::Probes => "probes",
            Self::Receipts => "receipts",
            Self::Requests => "requests",
            Self::Hints => "hints",
            Self::Gateways => "gateways",
        }
    }
}

/// What a wait for an input ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// This.
    Input(Input),
    /// Nothing came within the time given.
    Nothing,
    /// The inbox was closed: the kernel is to end.
    Closed,
}

#[derive(Debug, Default)]
struct Waiting {
    closed: bool,
    stopping: bool,
    persisted: Option<u64>,
    disk_failed: Option<String>,
    wall: Option<WallTime>,
    /// The cluster file, when it has changed.
    cluster_file: Option<Arc<Cluster>>,
    /// Failed logins: how many, and from where the last.
    logins: Option<(u64, IpAddr)>,
    peers: VecDeque<Input>,
    peer_bytes: usize,
    probes: VecDeque<ProbeResult>,
    receipts: VecDeque<Receipt>,
    requests: VecDeque<ClientRequest>,
    hints: VecDeque<DataPlaneHint>,
    gateways: BTreeMap<GatewayName, GatewayReport>,
    turn: usize,
    /// Whether a source waits for room.
    crowded: bool,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    /// Wakes the sources that wait for room.
    room: Notify,
}

/// The kernel's queue of inputs. Copies are the same inbox.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    shared: Arc<Shared>,
}

impl Inbox {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// This persist and every one before it is durable.
    pub fn persisted(&self, number: u64) {
        self.put(|waiting| waiting.persisted = waiting.persisted.max(Some(number)));
    }

    /// The disk failed. The first reason is the one that counts.
    pub fn disk_failed(&self, why: String) {
        self.put(|waiting| {
            waiting.disk_failed.get_or_insert(why);
        });
    }

    /// The cluster file has changed. The newest counts.
    pub fn cluster_file(&self, cluster: Arc<Cluster>) {
        self.put(|waiting| waiting.cluster_file = Some(cluster));
    }

    /// Somebody was not let in at the API. Counted until the kernel takes it.
    pub fn login_failed(&self, from: IpAddr) {
        self.put(|waiting| {
            let count = waiting.logins.map_or(0, |(count, _)| count);
            waiting.logins = Some((count.saturating_add(1), from));
        });
    }

    /// What the wall clock says now.
    pub fn wall_clock(&self, wall: WallTime) {
        self.put(|waiting| waiting.wall = Some(wall));
    }

    /// The process is asked to stop.
    pub fn stopping(&self) {
        self.put(|waiting| waiting.stopping = true);
    }

    /// Something from or about a member. Waits for room.
    pub async fn peer(&self, input: Input) {
        let bytes = frame_bytes(&input);
        let has_room = |waiting: &Waiting| {
            waiting.peers.len() < PEER_INPUTS
                && (waiting.peers.is_empty() || waiting.peer_bytes + bytes <= PEER_BYTES)
        };
        self.put_when(has_room, |waiting| {
            waiting.peers.push_back(input);
            waiting.peer_bytes += bytes;
        })
        .await;
    }

    /// A probe ended. Waits for room.
    pub async fn probed(&self, result: ProbeResult) {
        let has_room = |waiting: &Waiting| waiting.probes.len() < PROBE_INPUTS;
        self.put_when(has_room, |waiting| waiting.probes.push_back(result)).await;
    }

    /// An effect ended. Waits for room.
    pub async fn receipt(&self, receipt: Receipt) {
        let has_room = |waiting: &Waiting| waiting.receipts.len() < RECEIPT_INPUTS;
        self.put_when(has_room, |waiting| waiting.receipts.push_back(receipt)).await;
    }

    /// An effect ended before it began. For the kernel's own thread, which must not wait: its lane grows past its
    /// bound by no more than the kernel orders in one turn.
    pub fn not_performed(&self, receipt: Receipt) {
        self.put(|waiting| waiting.receipts.push_back(receipt));
    }

    /// A client asks. False when there is no room.
    pub fn request(&self, request: ClientRequest) -> bool {
        self.offer(Lane::Requests, |waiting| {
            let room = waiting.requests.len() < REQUEST_INPUTS;
            if room {
                waiting.requests.push_back(request);
            }
            room
        })
    }

    /// A hint. False when there is no room.
    pub fn hint(&self, hint: DataPlaneHint) -> bool {
        self.offer(Lane::Hints, |waiting| {
            let room = waiting.hints.len() < HINT_INPUTS;
            if room && !waiting.hints.contains(&hint) {
                waiting.hints.push_back(hint);
            }
            room
        })
    }

    /// A gateway's report; it replaces one that still waits. False when there is no room.
    pub fn gateway(&self, report: GatewayReport) -> bool {
        self.offer(Lane::Gateways, |waiting| {
            let known = waiting.gateways.contains_key(&report.gateway);
            let room = known || waiting.gateways.len() < GATEWAY_INPUTS;
            if room {
                waiting.gateways.insert(report.gateway.clone(), report);
            }
            room
        })
    }

    /// Ends the kernel: [`Self::take`] says so at once, and nothing is taken any more.
    pub fn close(&self) {
        self.put(|waiting| waiting.closed = true);
        self.shared.room.notify_waiters();
    }

    /// The next input; waits for one at most for `patience`.
    pub fn take(&self, patience: Duration) -> Taken {
        let mut waiting = self.lock();
        if waiting.is_empty() && !patience.is_zero() {
            let empty = |waiting: &mut Waiting| waiting.is_empty();
            let wait = self.shared.filled.wait_timeout_while(waiting, patience, empty);
            waiting = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        let taken = waiting.take();
        let crowded = std::mem::take(&mut waiting.crowded);
        drop(waiting);
        if crowded {
            self.shared.room.notify_waiters();
        }
        taken
    }

    /// Writes the lanes' depths into the metrics.
    pub fn write_gauges(&self) {
        let depths = {
            let waiting = self.lock();
            LANES.map(|lane| (lane, waiting.depth(lane)))
        };
        for (lane, depth) in depths {
            let depth = u32::try_from(depth).unwrap_or(u32::MAX);
            metrics::gauge!(QUEUE_DEPTH, "queue" => lane.name()).set(depth);
        }
    }

    fn put(&self, fill: impl FnOnce(&mut Waiting)) {
        fill(&mut self.lock());
        self.shared.filled.notify_one();
    }

    fn offer(&self, lane: Lane, fill: impl FnOnce(&mut Waiting) -> bool) -> bool {
        let taken = fill(&mut self.lock());
        if taken {
            self.shared.filled.notify_one();
        } else {
            metrics::counter!(QUEUE_DROPPED, "queue" => lane.name()).increment(1);
        }
        taken
    }

    async fn put_when(&self, has_room: impl Fn(&Waiting) -> bool, fill: impl FnOnce(&mut Waiting)) {
        loop {
            let mut room = std::pin::pin!(self.shared.room.notified());
            // From here on no notice is missed.
            room.as_mut().enable();
            {
                let mut waiting = self.lock();
                if waiting.closed {
                    return;
                }
                if has_room(&waiting) {
                    fill(&mut waiting);
                    drop(waiting);
                    self.shared.filled.notify_one();
                    return;
                }
                waiting.crowded = true;
            }
            room.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        !self.closed
            && !self.stopping
            && self.persisted.is_none()
            && self.disk_failed.is_none()
            && self.wall.is_none()
            && self.logins.is_none()
            && self.cluster_file.is_none()
            && LANES.iter().all(|lane| self.depth(*lane) == 0)
    }

    fn depth(&self, lane: Lane) -> usize {
        match lane {
            Lane::Peers => self.peers.len(),
            Lane::Probes => self.probes.len(),
            Lane::Receipts => self.receipts.len(),
            Lane::Requests => self.requests.len(),
            Lane::Hints => self.hints.len(),
            Lane::Gateways => self.gateways.len(),
        }
    }

    fn take(&mut self) -> Taken {
        if self.closed {
            return Taken::Closed;
        }
        if let Some(input) = self.take_slot() {
            return Taken::Input(input);
        }
        for _ in LANES {
            let lane = LANES[self.turn];
            self.turn = (self.turn + 1) % LANES.len();
            if let Some(input) = self.take_from(lane) {
                return Taken::Input(input);
            }
        }
        Taken::Nothing
    }

    /// The wall clock first: it is to be known before any other input.
    fn take_slot(&mut self) -> Option<Input> {
        if let Some(wall) = self.wall.take() {
            return Some(Input::WallClock(wall));
        }
        if let Some(cluster) = self.cluster_file.take() {
            return Some(Input::ClusterFile(cluster));
        }
        if let Some((count, from)) = self.logins.take() {
            return Some(Input::LoginsFailed { count, from: from.to_string() });
        }
        if let Some(why) = self.disk_failed.take() {
            return Some(Input::DiskFailed(why));
        }
        if let Some(number) = self.persisted.take() {
            return Some(Input::Persisted { number });
        }
        std::mem::take(&mut self.stopping).then_some(Input::Stopping)
    }

    fn take_from(&mut self, lane: Lane) -> Option<Input> {
        match lane {
            Lane::Peers => {
                let input = self.peers.pop_front()?;
                self.peer_bytes -= frame_bytes(&input);
                Some(input)
            }
            Lane::Probes => self.probes.pop_front().map(Input::Probed),
            Lane::Receipts => self.receipts.pop_front().map(Input::Receipt),
            Lane::Requests => self.requests.pop_front().map(Input::Request),
            Lane::Hints => self.hints.pop_front().map(Input::Hint),
            Lane::Gateways => self.gateways.pop_first().map(|(_, report)| Input::Gateway(report)),
        }
    }
}

fn frame_bytes(input: &Input) -> usize {
    match input {
        Input::Peer { frame, .. } => frame.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
