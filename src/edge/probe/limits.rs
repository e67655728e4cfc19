//! Bounds of probing.

use std::time::Duration;

/// Probes in flight at once, unless the settings say otherwise; a further one is not made.
pub const IN_FLIGHT: usize = 1_024;
/// Bytes of an answer's body that are read; what comes after them is not awaited.
pub const BODY_BYTES: usize = 64 * 1024;
/// Bytes of an answer's status line and headers together.
pub const HEADER_BYTES: usize = 32 * 1024;
/// Headers of an answer.
pub const HEADER_COUNT: usize = 100;
/// Characters of a fault's text.
pub const FAULT_CHARS: usize = 200;
/// Addresses of a name that are tried, each with an equal share of the time that is left.
pub const ADDRESSES: usize = 4;
/// A name's addresses are remembered no longer than this, whatever their time to live.
pub const NAME_TTL: Duration = Duration::from_secs(10);
/// A name server gets this long to answer, then the question is repeated once.
pub const NAME_TIMEOUT: Duration = Duration::from_millis(1_000);
/// Names remembered.
pub const NAMES: u64 = 1_024;
/// A timeout that fires this much too late says that this node was not running, not that the target
/// was silent.
pub const PAUSED: Duration = Duration::from_millis(500);
