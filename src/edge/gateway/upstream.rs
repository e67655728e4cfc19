//! The connection to a plane, and what it tells of the plane.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::address::Addresses;
use super::limits;
use crate::kernel::domain::Endpoint;

/// A connection to a plane that remembers whether an answer ever came, and whether it broke.
#[derive(Debug)]
pub(super) struct Upstream {
    stream: TcpStream,
    answered: bool,
    broke: bool,
}

impl Upstream {
    /// Connects within `timeout`; each address of a name gets an equal share of what is left.
    pub(super) async fn connect(
        addresses: &Arc<Addresses>,
        endpoint: &Endpoint,
        timeout: Duration,
    ) -> io::Result<Self> {
        let deadline = Instant::now() + timeout;
        let found = tokio::time::timeout_at(deadline, addresses.of(endpoint)).await??;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for (tried, address) in found.iter().enumerate() {
            let left = u32::try_from(found.len() - tried).unwrap_or(u32::MAX);
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            match tokio::time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    settle(&stream);
                    return Ok(Self { stream, answered: false, broke: false });
                }
                Ok(Err(error)) => last = error,
                Err(late) => last = late.into(),
            }
        }
        Err(last)
    }

    /// Whether the plane broke the connection without a byte of answer.
    pub(super) const fn broke_unanswered(&self) -> bool {
        self.broke && !self.answered
    }

    /// Closes with a reset.
    pub(super) fn abort(self) {
        abort(self.stream);
    }
}

/// Whether a failed connect says something about this host, not about the plane.
pub(super) fn own_fault(error: &io::Error) -> bool {
    let own = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| own.iter().any(|own| own.raw_os_error() == code))
}

/// No delay, and dead peers are noticed. Where the system refuses, the connection still carries.
pub(super) fn settle(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let alive = socket2::TcpKeepalive::new()
        .with_time(limits::KEEP_ALIVE)
        .with_interval(limits::KEEP_ALIVE / 3);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&alive);
    let _ = socket.set_tcp_user_timeout(Some(limits::PEER_DEAD));
}

/// Closes with a reset, so that nobody takes what has come so far for the whole.
pub(super) fn abort(stream: TcpStream) {
    // A socket that does not take the option is closed the ordinary way.
    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    drop(stream);
}

impl AsyncRead for Upstream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.answered |= buffer.filled().len() > before;
        self.broke |= matches!(read, Poll::Ready(Err(_)));
        read
    }
}

impl AsyncWrite for Upstream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.broke |= matches!(written, Poll::Ready(Err(_)));
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
