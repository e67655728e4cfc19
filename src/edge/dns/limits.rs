//! Limits and defaults of the DNS server and client.

use std::time::Duration;

/// Threads that answer UDP, unless told otherwise.
pub const DEFAULT_THREADS: usize = 2;
/// Most threads that answer UDP.
pub const MAX_THREADS: usize = 64;

/// How far threads that answer stand back in the queue for a processor (nice(2)): whoever decides what the answer is
/// comes first.
pub(super) const NICE: i32 = 5;

/// The UDP payload that we advertise and the longest UDP answer: fits one unfragmented packet nearly
/// everywhere (DNS Flag Day 2020).
pub const UDP_PAYLOAD: u16 = 1232;
/// The longest UDP answer to a query without EDNS, and the least that EDNS may ask for (RFC 6891, section 6.2.3).
pub(super) const UDP_CLASSIC: u16 = 512;
/// The longest answer over TCP.
pub(super) const TCP_PAYLOAD: u16 = u16::MAX;
/// The longest query taken, on either transport. Longer ones are cut off (UDP) or end the connection (TCP).
pub(super) const MAX_QUERY: usize = 4096;

/// TTL of the record that stands in for ANY, in seconds (RFC 8482, section 4.2).
pub(super) const ANY_TTL: u32 = 3600;

/// How often an idle UDP thread looks whether it should stop.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// Pause after an error of a socket that is not about one peer, so that it makes no busy loop.
pub(super) const ERROR_PAUSE: Duration = Duration::from_millis(20);
/// Receive buffer asked of the kernel for each UDP socket, in octets.
pub(super) const RECEIVE_BUFFER: usize = 1 << 20;

/// Answers by UDP that one network gets in a second, from each thread: room for one member that verifies ten thousand
/// groups at once. Beyond it see [`RATE_SLIP`].
pub(super) const RATE_PER_NETWORK: u32 = 10_000;
/// Beyond the limit every so many-th answer is sent, truncated.
pub(super) const RATE_SLIP: u32 = 2;
/// Networks that are counted at once, by each thread.
pub(super) const RATE_BUCKETS: usize = 1 << 14;
/// A server cookie is good for this long (RFC 9018, section 4.3: an hour).
pub(super) const COOKIE_LIFE: u32 = 3600;
/// And this far ahead of our clock (the same: five minutes).
pub(super) const COOKIE_AHEAD: u32 = 300;
/// Octets of a server's name that NSID tells (RFC 5001).
pub(super) const NSID_MAX: usize = 63;

/// Most TCP connections at once.
pub const MAX_TCP_CONNECTIONS: usize = 512;
/// Most TCP connections at once from one address.
pub(super) const MAX_TCP_PER_ADDRESS: usize = 64;
/// Pending TCP connections that the kernel holds.
pub(super) const TCP_BACKLOG: i32 = 256;
/// A TCP connection must deliver a whole query, or take a whole answer, within this time (RFC 7766,
/// section 6.2.3: a few seconds).
pub(super) const TCP_IDLE: Duration = Duration::from_secs(10);
/// The same while more than half of the connections are in use.
pub(super) const TCP_IDLE_BUSY: Duration = Duration::from_secs(2);

/// Octets that an idle TCP connection keeps for reading, and again for its answers.
pub(super) const TCP_BUFFER: usize = 2048;

/// Tries to find a port that is free for both UDP and TCP, where any port will do.
pub(super) const PORT_TRIES: usize = 32;
