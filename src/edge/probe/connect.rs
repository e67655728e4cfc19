//! A fresh TCP connection, by name or address.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::fault;
use crate::kernel::domain::ProbeFault;

/// Connects to the first address that lets it, each getting an equal share of the time until `deadline`.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<TcpStream, ProbeFault> {
    let mut last = ProbeFault::Unresolved("no address".to_owned());
    for (tried, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let share: Duration = deadline.saturating_duration_since(Instant::now()) / left;
        last = match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Only costs time where it fails; the probe itself does not depend on it.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => fault::of_socket(&error),
            Err(_) => ProbeFault::TimedOut,
        };
    }
    Err(last)
}
