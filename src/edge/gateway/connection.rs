//! One connection, from a client to a plane.

use std::sync::Arc;

use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::limits;
use super::route::CarriedRoute;
use super::running::Shared;
use super::upstream::{self, Upstream};
use crate::kernel::controller::RouteEntry;
use crate::kernel::domain::{Epoch, PlaneName};
use crate::kernel::ledger::OnSwitch;

type Entries = watch::Receiver<Option<Arc<RouteEntry>>>;

/// A connected plane, and the epoch of the route that led there.
struct Link {
    upstream: Upstream,
    plane: PlaneName,
    epoch: Epoch,
}

/// How the copying ended.
enum End {
    Closed,
    Broken,
    Cut,
}

/// Carries a client's connection until it ends or is cut.
pub(super) async fn carry(shared: Arc<Shared>, route: Arc<CarriedRoute>, mut client: TcpStream) {
    upstream::settle(&client);
    let mut entries = route.entry.subscribe();
    let Some(link) = open(&shared, &route, &mut entries).await else {
        shared.count_failed();
        return upstream::abort(client);
    };
    let Link { mut upstream, plane, epoch } = link;
    let guard = route.opened(&plane);
    let end = {
        let size = limits::COPY_BYTES;
        let copying = copy_bidirectional_with_sizes(&mut client, &mut upstream, size, size);
        tokio::select! {
            copied = copying => if copied.is_ok() { End::Closed } else { End::Broken },
            () = cut(&mut entries, &plane, epoch) => End::Cut,
            () = shared.stop.cancelled() => End::Cut,
        }
    };
    drop(guard);
    match end {
        End::Closed => route.ended(&plane, "carried"),
        End::Broken => {
            if upstream.broke_unanswered() {
                shared.hints.send(&route.name, &plane);
            }
            route.ended(&plane, "broken");
            upstream.abort();
            upstream::abort(client);
        }
        End::Cut => {
            shared.count_failed();
            route.ended(&plane, "cut");
            upstream.abort();
            upstream::abort(client);
        }
    }
}

/// Connects to the route's plane, or else to the other one. Begins anew when the route moves meanwhile.
async fn open(shared: &Shared, route: &CarriedRoute, entries: &mut Entries) -> Option<Link> {
    loop {
        let first = tokio::time::timeout(limits::FIRST_TABLE, entries.wait_for(Option::is_some));
        let entry = first.await.ok()?.ok()?.clone()?;
        tokio::select! {
            biased;
            link = connect_either(shared, route, &entry) => return link,
            () = overtaken(entries, entry.epoch) => {}
        }
    }
}

async fn connect_either(shared: &Shared, route: &CarriedRoute, entry: &RouteEntry) -> Option<Link> {
    let other = entry.upstream.keys().filter(|plane| **plane != entry.plane);
    for plane in std::iter::once(&entry.plane).chain(other) {
        let Some(endpoint) = entry.upstream.get(plane) else { continue };
        match Upstream::connect(&shared.addresses, endpoint, shared.settings.connect_timeout).await
        {
            Ok(upstream) => {
                return Some(Link { upstream, plane: plane.clone(), epoch: entry.epoch });
            }
            Err(error) => {
                route.ended(plane, "not-connected");
                tracing::debug!(route = %route.name, %plane, %endpoint, %error, "a plane took no connection");
                if !upstream::own_fault(&error) {
                    shared.hints.send(&route.name, plane);
                }
            }
        }
    }
    None
}

/// Ends when the route has an epoch above this one.
async fn overtaken(entries: &mut Entries, epoch: Epoch) {
    let newer = |entry: &Option<Arc<RouteEntry>>| entry.as_ref().is_some_and(|e| e.epoch > epoch);
    if entries.wait_for(newer).await.is_err() {
        std::future::pending().await
    }
}

/// Ends when the route leaves `plane` and says that old connections are cut. The route at `epoch` led here,
/// directly or because its own plane did not answer: that alone is no reason.
async fn cut(entries: &mut Entries, plane: &PlaneName, mut epoch: Epoch) {
    loop {
        overtaken(entries, epoch).await;
        let entry = entries.borrow_and_update().clone();
        let Some(entry) = entry else { continue };
        if entry.plane != *plane && entry.on_switch == OnSwitch::Cut {
            return;
        }
        epoch = entry.epoch;
    }
}
