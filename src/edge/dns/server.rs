//! The server: sockets, threads, and how they end.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use socket2::{Domain, Protocol, Socket, Type};
use tokio_util::sync::CancellationToken;

use super::answer::{Asker, Identity, Transport, Verdict, answer, servfail};
use super::limits::{MAX_THREADS, NICE, PORT_TRIES, RECEIVE_BUFFER, TCP_BACKLOG, TCP_IDLE, TICK};
use super::tally::Tally;
use super::{DnsCounters, Published, tcp, udp};

/// The shape of [`answer`].
pub(super) type Engine = fn(&Published, Instant, &[u8], &Asker<'_>, &mut Vec<u8>) -> Verdict;

/// What tests replace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manners {
    /// How it answers.
    pub(super) engine: Engine,
    /// How long a TCP connection may take over one message.
    pub(super) tcp_idle: Duration,
}

/// What all threads of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) published: Arc<ArcSwap<Published>>,
    pub(super) tally: Tally,
    /// Ends the TCP thread.
    pub(super) stop: CancellationToken,
    /// Ends the UDP threads.
    stopped: AtomicBool,
    pub(super) manners: Manners,
    pub(super) identity: Identity,
    pub(super) started: Instant,
}

/// Whole seconds, wrapped as a cookie's are.
fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs() % (1 << 32)).expect("less than 2^32")
}

impl Shared {
    /// Answers one message into `out`. Says whether to send it. A panic becomes SERVFAIL.
    pub(super) fn reply(
        &self,
        published: &Published,
        query: &[u8],
        from: (Transport, IpAddr),
        limited: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        let (transport, address) = from;
        let now = Instant::now();
        let wall = self.identity.wall.wrapping_add(seconds(now - self.started));
        let asker = Asker { transport, address, wall, server: Some(&self.identity), limited };
        let engine = || (self.manners.engine)(published, now, query, &asker, out);
        // Whatever `out` holds after an unwind is thrown away; nothing else is written to.
        let verdict = catch_unwind(AssertUnwindSafe(engine)).unwrap_or_else(|_| {
            let so_far = self.tally.panics.up();
            if so_far.is_power_of_two() {
                tracing::error!(
                    so_far,
                    "a DNS query made the server panic; it was answered SERVFAIL"
                );
            }
            let instead = AssertUnwindSafe(|| servfail(query, &asker, out));
            catch_unwind(instead).unwrap_or(Verdict::Dropped)
        });
        self.tally.note(transport, verdict, out);
        matches!(verdict, Verdict::Answered(_))
    }

    /// Whether the UDP threads should end.
    pub(super) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.stop.cancel();
    }
}

/// An authoritative DNS server on its own threads: one for each UDP socket, one for all of TCP. Dropping it
/// makes them end soon; [`Self::stop`] waits for that.
#[derive(Debug)]
pub struct DnsServer {
    shared: Arc<Shared>,
    local: SocketAddr,
    threads: Vec<JoinHandle<()>>,
}

impl DnsServer {
    /// Binds UDP and TCP at `listen` and starts to answer from `published`. Port 0 takes a port that is free
    /// for both. `threads` (1 to [`MAX_THREADS`]) answer UDP.
    ///
    /// Give one address rather than `0.0.0.0` on a host that has several: an answer leaves from the address
    /// that the kernel's routes prefer, and resolvers drop it if that is not the one they asked.
    ///
    /// # Errors
    /// The address is in use, is not this host's, or needs a privilege (ports below 1024).
    pub fn start(
        listen: SocketAddr,
        threads: usize,
        published: Arc<ArcSwap<Published>>,
        identity: Identity,
    ) -> io::Result<Self> {
        let manners = Manners { engine: answer, tcp_idle: TCP_IDLE };
        Self::start_with(listen, threads, published, identity, manners)
    }

    pub(super) fn start_with(
        listen: SocketAddr,
        threads: usize,
        published: Arc<ArcSwap<Published>>,
        identity: Identity,
        manners: Manners,
    ) -> io::Result<Self> {
        let (listener, sockets) = bind(listen, threads.clamp(1, MAX_THREADS))?;
        let local = listener.local_addr()?;
        let shared = Arc::new(Shared {
            published,
            tally: Tally::default(),
            stop: CancellationToken::new(),
            stopped: AtomicBool::new(false),
            manners,
            identity,
            started: Instant::now(),
        });
        // From here on a failure drops `server`, which ends the threads that were started.
        let mut server = Self { shared, local, threads: Vec::new() };
        for (i, socket) in sockets.into_iter().enumerate() {
            let shared = Arc::clone(&server.shared);
            server.spawn(format!("dns-udp-{i}"), move || udp::serve(&socket, &shared))?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&server.shared);
        server.spawn("dns-tcp".to_owned(), move || {
            runtime.block_on(tcp::serve(listener, shared));
        })?;
        Ok(server)
    }

    fn spawn(&mut self, name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let behind = move || {
            // Of this thread alone. Comfort, not need: without it the scheduler deals evenly.
            let _ = rustix::process::nice(NICE);
            work();
        };
        self.threads.push(std::thread::Builder::new().name(name).spawn(behind)?);
        Ok(())
    }

    /// Where it listens, by UDP and by TCP.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What it has seen so far.
    pub fn counters(&self) -> DnsCounters {
        self.shared.tally.read()
    }

    /// Ends all threads and waits for them: at most a tick of 100 ms. Blocks; no place for async code.
    pub fn stop(mut self) {
        self.shared.end();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a DNS thread had ended in a panic");
            }
        }
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// TCP first: its port is taken exclusively, which keeps a second server of the same user from sharing our
/// UDP port unnoticed, as SO_REUSEPORT would let it.
fn bind(listen: SocketAddr, threads: usize) -> io::Result<(TcpListener, Vec<UdpSocket>)> {
    let mut tries = if listen.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        let listener = bind_tcp(listen)?;
        let local = listener.local_addr()?;
        let sockets: io::Result<Vec<UdpSocket>> = (0..threads).map(|_| bind_udp(local)).collect();
        tries -= 1;
        match sockets {
            Ok(sockets) => return Ok((listener, sockets)),
            Err(error) if tries == 0 || error.kind() != io::ErrorKind::AddrInUse => {
                return Err(error);
            }
            Err(_) => {}
        }
    }
}

fn bind_tcp(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(listen), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&listen.into())?;
    socket.listen(TCP_BACKLOG)?;
    Ok(socket.into())
}

fn bind_udp(listen: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_port(true)?;
    // A wish: the kernel grants what its limits allow.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.set_read_timeout(Some(TICK))?;
    socket.set_write_timeout(Some(TICK))?;
    socket.bind(&listen.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests;
