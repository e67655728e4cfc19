//! All limits and times of the transport, in one table.

use std::time::Duration;

/// Longest normal frame, in bytes.
pub const MAX_NORMAL_FRAME: usize = 32 << 20;
/// Longest bulk frame (a snapshot), in bytes.
pub const MAX_BULK_FRAME: usize = 256 << 20;
/// Longest frame of an observer beside the members, in bytes: a report of every service is well below it.
pub const MAX_OBSERVER_FRAME: usize = 4 << 20;
/// Longest hello or answer to it, in bytes.
pub const MAX_HELLO: usize = 1024;
/// Memory is taken for a frame in steps of at most this many bytes, as its bytes arrive.
pub const READ_STEP: usize = 64 << 10;
/// Bytes written under one [`WRITE_TIMEOUT`].
pub const WRITE_STEP: usize = 64 << 10;

/// Normal frames waiting for one peer.
pub const NORMAL_QUEUE_FRAMES: usize = 4096;
/// Bytes of normal frames waiting for one peer.
pub const NORMAL_QUEUE_BYTES: usize = 64 << 20;
/// Bulk frames waiting for one peer: Raft has one snapshot on its way to a member at a time.
pub const BULK_QUEUE_FRAMES: usize = 2;
/// Normal frames are written in batches of at most this many bytes (or one frame).
pub const BATCH_BYTES: usize = 256 << 10;

/// A TCP connection must be there after this long.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// TLS and both hellos must be through after this long.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer must take [`WRITE_STEP`] bytes within this time, or its connection is dropped.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// A frame that was begun must grow within this time, or its connection is dropped.
pub const READ_STALL: Duration = Duration::from_secs(30);
/// A bulk frame's receiver must say that it has it this long after its last byte was written.
pub const BULK_ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A bulk connection is closed after this long without a frame.
pub const BULK_IDLE: Duration = Duration::from_secs(30);
/// Shortest wait before a connection is tried again.
pub const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Longest.
pub const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// A connection that lived this long starts again from [`BACKOFF_MIN`].
pub const STEADY: Duration = Duration::from_secs(5);
/// TCP looks for a silent peer after this long without traffic, and then at this interval.
pub const KEEPALIVE: Duration = Duration::from_secs(5);
/// Unanswered looks until the connection is dropped.
pub const KEEPALIVE_RETRIES: u32 = 3;

/// [`super::Incoming::Unreachable`] at most once per peer and this time.
pub const UNREACHABLE_EVERY: Duration = Duration::from_millis(100);

/// Connections that have not yet shown who they are, from addresses that are no member's.
pub const MAX_STRANGERS: usize = 64;
/// The same from any one address; one more, and the oldest of them gives way.
pub const MAX_STRANGERS_PER_ADDRESS: usize = 16;
/// A member's connection that is replaced so often within [`CONTEST_SPAN`] has a rival.
pub const CONTEST: usize = 5;
/// See [`CONTEST`]. A network that comes and goes replaces connections more slowly.
pub const CONTEST_SPAN: Duration = Duration::from_secs(30);
/// Wait after the operating system refused to accept (out of file descriptors).
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The same refusal of the same peer is logged again after this long.
pub const REFUSAL_AGAIN: Duration = Duration::from_secs(600);
/// Refusals remembered.
pub const REFUSALS: usize = 256;
