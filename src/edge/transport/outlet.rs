//! Observers beside the members: they connect, and both sides speak on their connection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

use super::frame::{FrameError, read_frame, write_batch};
use super::hello::Mismatch;
use super::limits::MAX_OBSERVER_FRAME;
use super::queue::FrameQueue;
use super::{Incoming, Shared};
use crate::kernel::domain::MemberId;

/// What waits for one observer.
#[derive(Debug, Default)]
struct Outlet {
    queue: Mutex<FrameQueue>,
    waits: Notify,
}

impl Outlet {
    fn queue(&self) -> MutexGuard<'_, FrameQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is queued until the connection breaks.
    async fn pump(&self, mut to: impl AsyncWrite + Unpin) -> FrameError {
        let mut batch = BytesMut::new();
        loop {
            let waits = self.waits.notified();
            batch.clear();
            if self.queue().take(&mut batch) == 0 {
                waits.await;
            } else if let Err(error) = write_batch(&mut to, &batch).await {
                return error;
            }
        }
    }
}

/// The observers that are connected.
#[derive(Debug, Default)]
pub(super) struct Outlets(Mutex<BTreeMap<MemberId, Arc<Outlet>>>);

impl Outlets {
    fn all(&self) -> MutexGuard<'_, BTreeMap<MemberId, Arc<Outlet>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a frame for an observer, if it is connected: it says what it missed.
    pub(super) fn send(&self, to: MemberId, frame: Bytes) {
        let outlet = self.all().get(&to).cloned();
        if let Some(outlet) = outlet {
            outlet.queue().push(frame);
            outlet.waits.notify_one();
        }
    }

    fn open(&self, id: MemberId) -> Opened<'_> {
        let outlet = Arc::new(Outlet::default());
        self.all().insert(id, Arc::clone(&outlet));
        Opened { outlets: self, id, outlet }
    }
}

/// A connected observer's place; gone with its connection.
struct Opened<'a> {
    outlets: &'a Outlets,
    id: MemberId,
    outlet: Arc<Outlet>,
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        let mut all = self.outlets.all();
        if all.get(&self.id).is_some_and(|other| Arc::ptr_eq(other, &self.outlet)) {
            all.remove(&self.id);
        }
    }
}

/// Carries frames both ways until the connection ends, or the observer is one no more.
pub(super) async fn serve(
    connection: TlsStream<TcpStream>,
    from: MemberId,
    shared: &Shared,
) -> Option<FrameError> {
    let chain = connection.get_ref().1.peer_certificates().unwrap_or_default();
    let chain: Vec<CertificateDer<'static>> = chain.to_vec();
    let opened = shared.outlets.open(from);
    let (reader, writer) = tokio::io::split(connection);
    tokio::select! {
        ended = hear(reader, from, &chain, shared) => ended,
        ended = opened.outlet.pump(writer) => Some(ended),
    }
}

async fn hear(
    mut reader: impl AsyncRead + Unpin,
    from: MemberId,
    chain: &[CertificateDer<'static>],
    shared: &Shared,
) -> Option<FrameError> {
    loop {
        let frame = match read_frame(&mut reader, MAX_OBSERVER_FRAME).await {
            Ok(frame) => frame,
            Err(error) => return Some(error),
        };
        // The configuration may have changed since it came in.
        if (shared.settings.observers)(chain) != Some(from) {
            let why = Mismatch::NoObserver.to_string();
            shared.refusals.refused(&format!("observer {from}"), &why);
            return None;
        }
        shared.incoming.send(Incoming::Frame { from, frame }).await.ok()?;
    }
}
