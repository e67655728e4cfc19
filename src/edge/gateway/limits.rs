//! Bounds and defaults of the gateway.

use std::time::Duration;

/// Connections carried at once; a further one is refused. Each costs up to two [`COPY_BYTES`].
pub const CONNECTIONS: usize = 10_000;
/// Bytes copied at once, each way.
pub const COPY_BYTES: usize = 32 * 1024;
/// A plane must take a connection within this, or the other one is tried.
pub const CONNECT: Duration = Duration::from_millis(250);
/// A connection that comes before the first route table waits this long for it.
pub const FIRST_TABLE: Duration = Duration::from_secs(2);
/// At most one hint per route and plane in this time.
pub const HINT_EVERY: Duration = Duration::from_millis(100);
/// A peer that answers nothing for this long is dead (`TCP_USER_TIMEOUT`).
pub const PEER_DEAD: Duration = Duration::from_secs(30);
/// Silence after which a peer is asked whether it lives.
pub const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Connections that wait to be accepted, per listener.
pub const BACKLOG: u32 = 1_024;
/// After a failed `accept` (out of descriptors) the next one waits this long.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// That it failed is logged again after this long.
pub const ACCEPT_AGAIN: Duration = Duration::from_secs(60);
/// An upstream's name is asked for again after this long; until an answer comes, the last one holds.
pub const NAME_TTL: Duration = Duration::from_secs(5);
/// Names of upstreams that are remembered; a further one takes the place of the one asked for longest ago.
pub const NAMES: usize = 1_024;
/// Questions for names at once: each takes a thread.
pub const NAME_QUESTIONS: usize = 16;
/// Groups whose epochs are remembered; with more, only those of the newest table and of routes that it carries.
pub const GROUPS: usize = 100_000;
/// Connections to the admin port at once; a further one is closed.
pub const ADMIN_CONNECTIONS: usize = 64;
/// An admin request's header must arrive within this, and its answer be taken within this again.
pub const ADMIN_PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an admin request's line and headers together; more gets 431.
pub const ADMIN_HEADER_BYTES: usize = 8 * 1024;
