//! DNS over TCP (RFC 7766): all connections on one thread, a bounded number of them, each to be quick.

use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::answer::Transport;
use super::limits::{
    ERROR_PAUSE, MAX_QUERY, MAX_TCP_CONNECTIONS, MAX_TCP_PER_ADDRESS, TCP_BUFFER, TCP_IDLE_BUSY,
};
use super::server::Shared;

/// One for each connection, and one in [`Seats`].
type Seat = Arc<()>;

/// Who is connected, and how often.
#[derive(Default)]
struct Seats {
    by_address: BTreeMap<IpAddr, Seat>,
    all: Seat,
}

impl Seats {
    /// Seats for one more connection, unless there are too many.
    fn take(&mut self, address: IpAddr) -> Option<(Seat, Seat)> {
        if Arc::strong_count(&self.all) > MAX_TCP_CONNECTIONS {
            return None;
        }
        self.by_address.retain(|_, seat| Arc::strong_count(seat) > 1);
        let seat = self.by_address.entry(address).or_default();
        if Arc::strong_count(seat) > MAX_TCP_PER_ADDRESS {
            return None;
        }
        Some((Arc::clone(&self.all), Arc::clone(seat)))
    }
}

/// How long a connection may take over one message, with this many of them.
fn patience(all: &Seat, shared: &Shared) -> Duration {
    let idle = shared.manners.tcp_idle;
    if Arc::strong_count(all) > MAX_TCP_CONNECTIONS / 2 { idle.min(TCP_IDLE_BUSY) } else { idle }
}

/// Serves until told to stop.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "DNS over TCP cannot start; UDP goes on");
            return;
        }
    };
    let mut seats = Seats::default();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match seats.take(peer.ip()) {
                Some(taken) => {
                    shared.tally.tcp_accepted.up();
                    connections.spawn(converse(stream, taken, Arc::clone(&shared)));
                }
                None => {
                    shared.tally.tcp_turned_away.up();
                }
            },
            Err(error) => {
                if shared.tally.socket_errors.up().is_power_of_two() {
                    tracing::warn!(%error, "DNS cannot accept a connection");
                }
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
}

/// Answers the queries of one connection, in their order. Whatever is amiss ends it.
async fn converse(stream: TcpStream, (all, _mine): (Seat, Seat), shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let Ok(asker) = stream.peer_addr().map(|from| from.ip()) else { return };
    let mut stream = BufReader::with_capacity(TCP_BUFFER, stream);
    let mut query = Vec::new();
    let mut answer = Vec::new();
    while let Ok(Some(())) = timeout(patience(&all, &shared), read(&mut stream, &mut query)).await {
        let published = shared.published.load_full();
        if !shared.reply(&published, &query, (Transport::Tcp, asker), false, &mut answer) {
            return;
        }
        let Ok(len) = u16::try_from(answer.len()) else { return };
        let head = len.to_be_bytes();
        let mut framed = Buf::chain(&head[..], answer.as_slice());
        let send = stream.write_all_buf(&mut framed);
        let Ok(Ok(())) = timeout(patience(&all, &shared), send).await else { return };
        // An idle connection keeps no big buffer.
        answer.shrink_to(TCP_BUFFER);
    }
}

/// One message behind its length; nothing at the end, on an error, or if it is too long.
async fn read(stream: &mut BufReader<TcpStream>, query: &mut Vec<u8>) -> Option<()> {
    let len = usize::from(stream.read_u16().await.ok()?);
    if len > MAX_QUERY {
        return None;
    }
    query.resize(len, 0);
    stream.read_exact(query).await.ok()?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_together_get_no_more_than_all_seats() {
        let mut seats = Seats::default();
        let address = |i: usize| IpAddr::from([10, 0, (i / 250) as u8, (i % 250) as u8]);
        let mut taken: Vec<_> =
            (0..MAX_TCP_CONNECTIONS).map(|i| seats.take(address(i)).unwrap()).collect();
        assert!(seats.take(address(9999)).is_none());
        taken.pop();
        assert!(seats.take(address(9999)).is_some());
        drop(taken);
        assert!(seats.take(address(1)).is_some());
        assert_eq!(seats.by_address.len(), 1, "those that left are forgotten");
    }
}
