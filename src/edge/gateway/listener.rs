//! Accepting connections, a bounded number at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::net::{TcpListener, TcpSocket};

use super::connection::carry;
use super::route::CarriedRoute;
use super::running::Shared;
use super::settings::GatewayError;
use super::{limits, upstream};

/// Takes a port for `what`, whose address is written under `key`. A restarted gateway takes it at once, though connections of the former one linger.
pub(super) fn bind(
    address: SocketAddr,
    what: &str,
    key: String,
) -> Result<TcpListener, GatewayError> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(limits::BACKLOG)
    };
    listen().map_err(|source| GatewayError::Bind { address, what: what.to_owned(), key, source })
}

/// Accepts until the gateway closes.
pub(super) async fn accept(shared: Arc<Shared>, route: Arc<CarriedRoute>, listener: TcpListener) {
    let mut told: Option<Instant> = None;
    loop {
        let client = tokio::select! {
            () = shared.closing.cancelled() => return,
            client = listener.accept() => client,
        };
        let client = match client {
            Ok((client, _)) => client,
            Err(error) => {
                if told.is_none_or(|at| at.elapsed() >= limits::ACCEPT_AGAIN) {
                    told = Some(Instant::now());
                    let route = &route.name;
                    tracing::warn!(%route, %error, "cannot accept connections: give it more descriptors");
                }
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&shared.room).try_acquire_owned() else {
            shared.count_failed();
            upstream::abort(client);
            continue;
        };
        let (shared, route) = (Arc::clone(&shared), Arc::clone(&route));
        shared.connections.clone().spawn(async move {
            carry(shared, route, client).await;
            drop(permit);
        });
    }
}
