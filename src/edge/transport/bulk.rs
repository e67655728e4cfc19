//! The second connection to a peer: snapshots, on demand, each answered.

use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::backoff::Backoff;
use super::dial::{self, Connection, DialError};
use super::frame::write_frame;
use super::hello::Lane;
use super::limits::{BULK_ANSWER_TIMEOUT, BULK_IDLE};
use super::link::{BulkWork, Link};
use super::{Incoming, Shared};

/// What the receiver writes when it has a bulk frame whole.
pub(super) const RECEIVED: u8 = 6;

/// Delivers bulk frames until the transport stops.
pub(super) async fn run(link: Arc<Link>, shared: Arc<Shared>) {
    tokio::select! {
        () = shared.stop.cancelled() => {}
        () = deliver_all(&link, &shared) => {}
    }
}

async fn deliver_all(link: &Link, shared: &Shared) {
    let mut backoff = Backoff::new(shared.settings.me.0 << 32 ^ link.id.0 ^ 1 << 63);
    let mut connection = None;
    loop {
        let Ok(work) = timeout(BULK_IDLE, link.next_bulk()).await else {
            connection = None;
            continue;
        };
        let delivered = match work {
            BulkWork::Rejected => false,
            BulkWork::Frame(frame) => {
                let reused = connection.is_some();
                let mut done = deliver(&mut connection, &frame, link, shared).await;
                if !done && reused {
                    // The peer may have closed an idle connection: that says nothing of the frame.
                    done = deliver(&mut connection, &frame, link, shared).await;
                }
                done
            }
        };
        let told = Incoming::BulkSent { to: link.id, delivered };
        if shared.incoming.send(told).await.is_err() {
            return;
        }
        if delivered {
            backoff.reset();
        } else if connection.is_none() {
            tokio::time::sleep(backoff.next()).await;
        }
    }
}

async fn deliver(
    connection: &mut Option<Connection>,
    frame: &[u8],
    link: &Link,
    shared: &Shared,
) -> bool {
    let mut open = match connection.take() {
        Some(open) => open,
        None => match dial::connect(link, Lane::Bulk, shared).await {
            Ok(open) => open,
            Err(DialError::Away(why)) => {
                tracing::debug!(member = %link.id, "no bulk connection: {why}");
                return false;
            }
            Err(DialError::Refused(why)) => {
                shared.refusals.refused(&format!("member {}", link.id), &why);
                return false;
            }
        },
    };
    if let Err(error) = write_frame(&mut open, frame).await {
        tracing::debug!(member = %link.id, bytes = frame.len(), "a bulk frame was not sent: {error}");
        return false;
    }
    match timeout(BULK_ANSWER_TIMEOUT, open.read_u8()).await {
        Ok(Ok(RECEIVED)) => {
            *connection = Some(open);
            true
        }
        _ => false,
    }
}
