//! Opening a connection to a peer: TCP, TLS, hello, answer.

use std::io;

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Shared;
use super::frame::{FrameError, read_frame, write_frame};
use super::hello::{Answer, Hello, Lane, Mismatch, decode, encode};
use super::limits::{
    CONNECT_TIMEOUT, HANDSHAKE_TIMEOUT, KEEPALIVE, KEEPALIVE_RETRIES, MAX_HELLO, WRITE_TIMEOUT,
};
use super::link::Link;

/// An open, mutually known connection.
pub(super) type Connection = tokio_rustls::client::TlsStream<TcpStream>;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum DialError {
    /// The peer is not there, or went away: what happens every day.
    Away(String),
    /// It is there, and one of the two does not want the other: a person has to look.
    Refused(String),
}

impl From<Mismatch> for DialError {
    fn from(mismatch: Mismatch) -> Self {
        Self::Refused(mismatch.to_string())
    }
}

/// Connects for one lane.
pub(super) async fn connect(
    link: &Link,
    lane: Lane,
    shared: &Shared,
) -> Result<Connection, DialError> {
    let socket = timeout(CONNECT_TIMEOUT, TcpStream::connect(link.peer.address))
        .await
        .map_err(|_| DialError::Away("no answer to a TCP connect".to_owned()))?
        .map_err(|error| DialError::Away(error.to_string()))?;
    tune(&socket).map_err(|error| DialError::Away(error.to_string()))?;
    timeout(HANDSHAKE_TIMEOUT, greet(socket, link, lane, shared))
        .await
        .map_err(|_| DialError::Away("no answer to the handshake".to_owned()))?
}

async fn greet(
    socket: TcpStream,
    link: &Link,
    lane: Lane,
    shared: &Shared,
) -> Result<Connection, DialError> {
    let settings = &shared.settings;
    let name = ServerName::try_from(link.peer.server_name.clone())
        .map_err(|_| DialError::Refused(format!("`{}` is no DNS name", link.peer.server_name)))?;
    let connector = TlsConnector::from(settings.client_tls.clone());
    let mut connection = connector.connect(name, socket).await.map_err(of_tls)?;

    let chain = connection.get_ref().1.peer_certificates().unwrap_or_default();
    let shown = (settings.identify)(chain).ok_or(Mismatch::Stranger)?;
    if shown != link.id {
        return Err(Mismatch::Other { shown, wanted: link.id }.into());
    }
    let hello = Hello::new(settings.cluster.clone(), settings.me, lane);
    write_frame(&mut connection, &encode(&hello)).await.map_err(of_frame)?;
    let answer = read_frame(&mut connection, MAX_HELLO).await.map_err(of_frame)?;
    match decode(&answer)? {
        Answer::Welcome(theirs) => theirs.accept(&settings.cluster, shown)?,
        Answer::Refused(why) => {
            let why: String = why.chars().filter(|c| !c.is_control()).collect();
            return Err(DialError::Refused(format!("it refuses this member: {why}")));
        }
    };
    Ok(connection)
}

/// Small frames leave at once; a peer that vanished is noticed.
pub(super) fn tune(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE)
        .with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(WRITE_TIMEOUT))?;
    Ok(())
}

fn of_tls(error: io::Error) -> DialError {
    if is_tls(&error) {
        return DialError::Refused(format!("TLS: {error}"));
    }
    DialError::Away(error.to_string())
}

fn of_frame(error: FrameError) -> DialError {
    match error {
        FrameError::Io(error) => of_tls(error),
        FrameError::TooLong { .. } => Mismatch::NotAHello.into(),
        other => DialError::Away(other.to_string()),
    }
}

/// Whether TLS itself failed, and not the socket below it.
pub(super) fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}
