//! One UDP socket, one thread.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;

use super::answer::Transport;
use super::limits::{ERROR_PAUSE, MAX_QUERY, TCP_PAYLOAD};
use super::rate::{Rate, Rates};
use super::server::Shared;

/// Answers until told to stop.
pub(super) fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut published = arc_swap::Cache::new(Arc::clone(&shared.published));
    let seed =
        shared.identity.secret.iter().fold(0, |seed: u64, octet| seed << 4 ^ u64::from(*octet));
    let mut rates = Rates::new(seed);
    let mut query = [0; MAX_QUERY];
    let mut out = Vec::with_capacity(usize::from(TCP_PAYLOAD));
    while !shared.stopped() {
        let (len, asker) = match socket.recv_from(&mut query) {
            Ok(received) => received,
            Err(error) => {
                match error.kind() {
                    // Nobody asked for a while: let go of a zone that has been replaced.
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => drop(published.load()),
                    ErrorKind::Interrupted => {}
                    _ => {
                        if shared.tally.socket_errors.up().is_power_of_two() {
                            tracing::warn!(%error, "DNS cannot receive");
                        }
                        std::thread::sleep(ERROR_PAUSE);
                    }
                }
                continue;
            }
        };
        let Some(query) = query.get(..len) else { continue };
        let rate = rates.take(asker.ip(), shared.started.elapsed());
        if rate != Rate::Answer && shared.tally.limited.up().is_power_of_two() {
            tracing::warn!(network = %asker.ip(), "DNS answers beyond the rate limit are truncated or not sent");
        }
        if rate != Rate::Drop
            && shared.reply(
                published.load(),
                query,
                (Transport::Udp, asker.ip()),
                rate == Rate::Truncate,
                &mut out,
            )
            && let Err(error) = socket.send_to(&out, asker)
            && shared.tally.socket_errors.up().is_power_of_two()
        {
            tracing::debug!(%error, %asker, "a DNS answer could not be sent");
        }
    }
}
