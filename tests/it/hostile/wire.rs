//! Raw bytes to a port, and what comes back.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

/// Attackers come from here, so that limits for each address do not meet the tests' own questions.
pub(crate) const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));
/// Nobody waits longer for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A TLS stream over a plain socket.
pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Connects from the attackers' address.
pub(crate) fn connect(to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(ATTACKER, 0).into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The same over TLS. The handshake happens with the first bytes.
pub(crate) fn connect_tls(
    to: SocketAddr,
    config: &Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<Tls> {
    let name = ServerName::try_from(name.to_owned()).map_err(std::io::Error::other)?;
    let session = ClientConnection::new(Arc::clone(config), name).map_err(std::io::Error::other)?;
    Ok(StreamOwned::new(session, connect(to)?))
}

/// Sends everything and reads until the other side ends. What breaks on the way ends it too.
pub(crate) fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> Vec<u8> {
    // A peer that hung up in the middle has answered enough.
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
    let mut answer = Vec::new();
    let _ = stream.take(1 << 20).read_to_end(&mut answer);
    answer
}

/// Bytes without sense, the same in every run.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// So many connections that say nothing. Those that are refused do not count.
pub(crate) fn idle(to: SocketAddr, count: usize) -> Vec<TcpStream> {
    (0..count).filter_map(|_| connect(to).ok()).collect()
}

/// The same on a plain socket, and says that nothing more will come.
pub(crate) fn exchange_plain(mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    exchange(stream, &[])
}
