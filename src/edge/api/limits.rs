//! Every bound of the API, in one table.

use std::time::Duration;

use crate::kernel::consensus::limits::PROPOSAL_BYTES;

/// Bounds of one API server. [`Limits::default`] is what a node runs with; tests make them smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once; a further one is closed at once.
    pub connections: usize,
    /// Of these, from one address.
    pub connections_per_address: usize,
    /// Requests being answered at once; a further one gets 503.
    pub requests: usize,
    /// Bytes of answers larger than [`UNCOUNTED_BYTES`] that are made and not sent yet; an answer for which there is no room
    /// gets 503. What several answers share is counted once.
    pub answer_bytes: usize,
    /// Watchers at once; a further one gets 503.
    pub watchers: usize,
    /// A TLS handshake must end within this.
    pub handshake: Duration,
    /// The header of a request must arrive within this, counted from the answer before it too: so it
    /// is also how long an idle connection is kept.
    pub header: Duration,
    /// The body of a request must arrive within this.
    pub body: Duration,
    /// A client that takes nothing of its answer for this long is disconnected.
    pub write_stall: Duration,
    /// The kernel's answer is awaited this long; then the outcome is unknown.
    pub ask: Duration,
    /// The same for what needs no other node; then what was published last is shown.
    pub look: Duration,
    /// Failed logins of one address that are answered and noted within [`FAILED_LOGINS_WITHIN`]; further ones get
    /// 429. A good token is let in all the same.
    pub failed_logins: u32,
    /// Comment lines keep an idle watch alive.
    pub keep_alive: Duration,
    /// Changes that a watcher may lag behind before it is disconnected.
    pub watch_backlog: usize,
    /// A node without quorum for this long sends its watchers to another one. Longer than any election.
    pub cut_off_grace: Duration,
    /// Connections get this long to end when the node stops.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 6_144,
            connections_per_address: 256,
            requests: 256,
            answer_bytes: 128 * 1024 * 1024,
            watchers: 256,
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(10),
            body: Duration::from_secs(10),
            write_stall: Duration::from_secs(10),
            ask: Duration::from_secs(30),
            look: Duration::from_secs(1),
            failed_logins: 10,
            keep_alive: Duration::from_secs(5),
            watch_backlog: 256,
            cut_off_grace: Duration::from_secs(5),
            shutdown_grace: Duration::from_secs(2),
        }
    }
}

/// Bytes of a request's line and headers together; more gets 431.
pub const HEADER_BYTES: usize = 16 * 1024;
/// Headers of a request; more gets 431.
pub const HEADER_COUNT: usize = 64;
/// Bytes of a request's body; more gets 413.
pub const BODY_BYTES: usize = 64 * 1024;
/// Bytes of a gateway's report, which names every group: room for 10,000 of them.
pub const REPORT_BYTES: usize = 1024 * 1024;
/// Milliseconds for which something may be frozen or drained: a year.
pub const SPAN_MAX_MS: u64 = 365 * 24 * 3600 * 1000;
/// Bytes of a configuration in a request, as JSON: what a log entry can hold.
pub const CONFIG_BYTES: usize = 24 * 1024 * 1024;
/// Bytes of an answer, and of an event of a watch, that a client takes. The largest is a page of the audit trail with the
/// largest entry: its text stands in JSON once more, and no sign of JSON grows by that to more than twice its size. Nor has
/// the route table more than two and a half times the bytes of the settings, which are such an entry too.
pub const ANSWER_BYTES: usize = PROPOSAL_BYTES / 2 * 5 + (1 << 20);
/// Bytes of an answer that is not counted among [`Limits::answer_bytes`]: there are only so many requests and connections.
pub const UNCOUNTED_BYTES: usize = 64 * 1024;
/// Characters of a reason.
pub const REASON_CHARS: usize = 1_024;
/// See [`Limits::failed_logins`].
pub const FAILED_LOGINS_WITHIN: Duration = Duration::from_secs(60);
/// Addresses whose failed logins are counted.
pub const KNOCKERS: usize = 4_096;
/// Characters of an idempotency key.
pub const KEY_CHARS: usize = 128;
/// When more routes than this change at once, watchers get the whole table instead of one event each.
pub const ROUTE_EVENTS: usize = 64;
/// The kernel refuses dead peers after this long without an acknowledgement (`TCP_USER_TIMEOUT`).
pub const PEER_DEAD: Duration = Duration::from_secs(20);
/// After a failed `accept` (out of descriptors) the next one waits this long.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// That it failed is logged again after this long.
pub const ACCEPT_AGAIN: Duration = Duration::from_secs(60);
