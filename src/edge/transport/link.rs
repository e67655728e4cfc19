//! What one member keeps of its way to one peer.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::backoff::Backoff;
use super::dial::{self, Connection, DialError};
use super::frame::{FrameError, read_frame, write_batch};
use super::hello::Lane;
use super::limits::{
    BATCH_BYTES, BULK_QUEUE_FRAMES, MAX_BULK_FRAME, MAX_NORMAL_FRAME, MAX_OBSERVER_FRAME, STEADY,
    UNREACHABLE_EVERY,
};
use super::queue::FrameQueue;
use super::{Incoming, Peer, Shared};
use crate::kernel::domain::MemberId;

/// The state of a link, for metrics and status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerState {
    /// Whether frames can be sent to it now.
    pub connected: bool,
    /// Connections opened to it since the start.
    pub connects: u64,
    /// Frames waiting for it.
    pub queued_frames: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// Frames written to it.
    pub sent_frames: u64,
    /// Bytes written to it.
    pub sent_bytes: u64,
    /// Frames lost on the way to it: no connection, or a full queue.
    pub dropped_frames: u64,
    /// Frames received from it.
    pub received_frames: u64,
    /// Bytes received from it.
    pub received_bytes: u64,
}

/// A half that never ends: somebody else reads the connection.
struct Never;

impl AsyncRead for Never {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// The next thing for the bulk task to do.
#[derive(Debug)]
pub(super) enum BulkWork {
    /// Deliver this frame.
    Frame(Bytes),
    /// Say of one frame that it was not delivered: there was no room for it.
    Rejected,
}

#[derive(Debug, Default)]
struct Normal {
    queue: FrameQueue,
    state: PeerState,
    told_unreachable: Option<Instant>,
    /// Whether people were told that a frame was too long for it.
    told_too_long: bool,
    /// Whether people were told that the peer is away, and should be told of its return.
    told_people: bool,
}

#[derive(Debug, Default)]
struct Bulk {
    frames: VecDeque<Bytes>,
    rejected: usize,
}

/// One peer.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: MemberId,
    pub(super) peer: Peer,
    /// Bytes of a frame that the peer takes.
    longest: usize,
    normal: Mutex<Normal>,
    bulk: Mutex<Bulk>,
    normal_waits: Notify,
    bulk_waits: Notify,
    peer_seen: Notify,
}

impl Link {
    pub(super) fn new(id: MemberId, peer: Peer, lane: Lane) -> Self {
        let longest = match lane {
            Lane::Observer => MAX_OBSERVER_FRAME,
            Lane::Normal | Lane::Bulk => MAX_NORMAL_FRAME,
        };
        Self {
            id,
            peer,
            longest,
            normal: Mutex::default(),
            bulk: Mutex::default(),
            normal_waits: Notify::new(),
            bulk_waits: Notify::new(),
            peer_seen: Notify::new(),
        }
    }

    /// Queues a frame, or drops it. Says whether the kernel is to hear that the peer cannot be reached.
    pub(super) fn send_normal(&self, frame: Bytes) -> bool {
        let mut normal = self.normal();
        if frame.len() > self.longest {
            normal.state.dropped_frames += 1;
            let news = !std::mem::replace(&mut normal.told_too_long, true);
            drop(normal);
            if news {
                tracing::error!(
                    member = %self.id,
                    bytes = frame.len(),
                    at_most = self.longest,
                    "a frame is longer than the member takes and is not sent, nor is any other such: this is a bug, \
                     please report it"
                );
            }
            return false;
        }
        if normal.state.connected {
            normal.state.dropped_frames += normal.queue.push(frame);
            drop(normal);
            self.normal_waits.notify_one();
            return false;
        }
        normal.state.dropped_frames += 1;
        let now = Instant::now();
        let due = normal
            .told_unreachable
            .is_none_or(|at| now.saturating_duration_since(at) >= UNREACHABLE_EVERY);
        if due {
            normal.told_unreachable = Some(now);
        }
        due
    }

    /// Queues a bulk frame; one that has no room is answered as not delivered.
    pub(super) fn send_bulk(&self, frame: Bytes) {
        let mut bulk = self.bulk();
        if frame.len() > MAX_BULK_FRAME || bulk.frames.len() >= BULK_QUEUE_FRAMES {
            bulk.rejected = bulk.rejected.saturating_add(1);
        } else {
            bulk.frames.push_back(frame);
        }
        drop(bulk);
        self.bulk_waits.notify_one();
    }

    /// Waits for bulk work.
    pub(super) async fn next_bulk(&self) -> BulkWork {
        loop {
            let waits = self.bulk_waits.notified();
            if let Some(work) = self.take_bulk() {
                return work;
            }
            waits.await;
        }
    }

    fn take_bulk(&self) -> Option<BulkWork> {
        let mut bulk = self.bulk();
        if let Some(frame) = bulk.frames.pop_front() {
            return Some(BulkWork::Frame(frame));
        }
        bulk.rejected = bulk.rejected.checked_sub(1)?;
        Some(BulkWork::Rejected)
    }

    /// The peer connected to us: it lives, so it is worth trying now.
    pub(super) fn peer_seen(&self) {
        if !self.normal().state.connected {
            self.peer_seen.notify_one();
        }
    }

    /// Counts a frame from the peer.
    pub(super) fn received(&self, bytes: usize) {
        let mut normal = self.normal();
        normal.state.received_frames += 1;
        normal.state.received_bytes += bytes as u64;
    }

    pub(super) fn state(&self) -> PeerState {
        let normal = self.normal();
        PeerState {
            queued_frames: normal.queue.len() as u64,
            queued_bytes: normal.queue.bytes() as u64,
            ..normal.state
        }
    }

    /// Keeps a connection to the peer, and writes what is queued, until the transport stops.
    pub(super) async fn run_normal(self: Arc<Self>, shared: Arc<Shared>) {
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = self.keep_connected(&shared) => {}
        }
        self.closed();
    }

    async fn keep_connected(&self, shared: &Shared) {
        let mut backoff = Backoff::new(shared.settings.me.0 << 32 ^ self.id.0);
        loop {
            match dial::connect(self, shared.lane, shared).await {
                Ok(connection) => {
                    let begun = Instant::now();
                    self.opened();
                    let why = self.carry(connection, shared).await;
                    self.closed();
                    let steady = begun.elapsed() >= STEADY;
                    if steady {
                        backoff.reset();
                    }
                    self.tell_lost(&why.to_string(), steady);
                }
                Err(DialError::Away(why)) => self.tell_lost(&why, true),
                Err(DialError::Refused(why)) => {
                    shared.refusals.refused(&format!("member {}", self.id), &why);
                }
            }
            // Either way it is time to try again.
            let _ = timeout(backoff.next(), self.peer_seen.notified()).await;
        }
    }

    /// Carries frames until the connection breaks: towards the peer, and back if it is one that is visited.
    async fn carry(&self, connection: Connection, shared: &Shared) -> FrameError {
        let (mut from, to) = tokio::io::split(connection);
        if shared.lane != Lane::Observer {
            return self.pump(from, to).await;
        }
        let hear = async {
            loop {
                match read_frame(&mut from, MAX_NORMAL_FRAME).await {
                    Ok(frame) => {
                        self.received(frame.len());
                        let news = Incoming::Frame { from: self.id, frame };
                        if shared.incoming.send(news).await.is_err() {
                            return FrameError::Closed;
                        }
                    }
                    Err(error) => return error,
                }
            }
        };
        tokio::select! {
            ended = hear => ended,
            ended = self.pump(Never, to) => ended,
        }
    }

    /// Writes what is queued until the connection breaks. The peer never writes: what is read is its end.
    async fn pump(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> FrameError {
        let mut end = [0; 1];
        let mut batch = BytesMut::new();
        loop {
            let waits = self.normal_waits.notified();
            batch.clear();
            let taken = self.normal().queue.take(&mut batch);
            if taken == 0 {
                tokio::select! {
                    () = waits => continue,
                    read = from.read(&mut end) => return read.map_or_else(FrameError::Io, |_| FrameError::Closed),
                }
            }
            if let Err(error) = write_batch(&mut to, &batch).await {
                self.normal().state.dropped_frames += taken;
                return error;
            }
            {
                let mut normal = self.normal();
                normal.state.sent_frames += taken;
                normal.state.sent_bytes += batch.len() as u64;
            }
            if batch.capacity() > 4 * BATCH_BYTES {
                batch = BytesMut::new();
            }
        }
    }

    fn opened(&self) {
        let mut normal = self.normal();
        let news = normal.state.connects == 0 || normal.told_people;
        normal.state.connected = true;
        normal.state.connects += 1;
        normal.told_people = false;
        drop(normal);
        if news {
            tracing::info!(member = %self.id, address = %self.peer.address, "connected to a member");
        }
    }

    fn closed(&self) {
        let mut normal = self.normal();
        normal.state.connected = false;
        let lost = normal.queue.clear();
        normal.state.dropped_frames += lost;
    }

    fn tell_lost(&self, why: &str, worth: bool) {
        let mut normal = self.normal();
        let news = worth && !normal.told_people;
        normal.told_people |= news;
        drop(normal);
        if news {
            tracing::info!(
                member = %self.id,
                address = %self.peer.address,
                "no connection to a member: {why}; trying on"
            );
        }
    }

    fn normal(&self) -> MutexGuard<'_, Normal> {
        self.normal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bulk(&self) -> MutexGuard<'_, Bulk> {
        self.bulk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
