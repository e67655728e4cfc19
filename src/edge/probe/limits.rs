//! Bounds of probing.

use std::time::Duration;

/// Probes in flight at once, unless the settings say otherwise; a further one is not made.
pub const IN_FLIGHT: usize = 1_024;
/// Probes that start in one second, unless the settings say otherwise: what `biplane config check` lets through,
/// and a quarter more, for intervals are stretched and shortened. A further one is not made.
pub const A_SECOND: u32 = 25_000;
/// Bytes of an answer's body that are read; what comes after them is not awaited.
pub const BODY_BYTES: usize = 64 * 1024;
/// Bytes of an answer's status line and headers together: so many without an end are no answer.
pub const HEADER_BYTES: usize = 32 * 1024;
/// Headers of an answer; one with more is none.
pub const HEADER_COUNT: usize = 100;
/// Characters of a fault's text; what is cut off leaves a `…`.
pub const FAULT_CHARS: usize = 200;
/// Addresses of a name that are tried, each with an equal share of the time that is left.
pub const ADDRESSES: usize = 4;
/// A name's addresses are remembered no longer than this, whatever their time to live.
pub const NAME_TTL: Duration = Duration::from_secs(10);
/// A name server gets this long to answer, then the question is repeated once.
pub const NAME_TIMEOUT: Duration = Duration::from_millis(1_000);
/// Names remembered: told to the resolver, which keeps to it.
pub const NAMES: u64 = 1_024;
/// A timeout that fires this much too late says that this node was not running, not that the target
/// was silent.
pub const PAUSED: Duration = Duration::from_millis(500);
/// The longest answer to a DNS question by UDP that is asked for (DNS Flag Day 2020).
pub const DNS_UDP_BYTES: u16 = 1232;
/// An HTTP/2 answer has fewer bytes of headers than this, and of trailers again, as RFC 9113, section 6.5.2,
/// counts them.
pub const HTTP2_HEADER_BYTES: u32 = 16 * 1024;
/// Bytes of an HTTP/2 answer that may come before any is read: told to the library, which keeps to it; the default
/// of RFC 9113, section 6.9.2.
pub const HTTP2_WINDOW: u32 = 65_535;
/// Bytes of a gRPC message; one about health has two.
pub const GRPC_MESSAGE_BYTES: usize = 1024;
/// Programs that run at once; a further one is not started.
pub const PROGRAMS: usize = 32;
/// Bytes that a program may write; it is killed at more.
pub const PROGRAM_BYTES: usize = 64 * 1024;
/// Bytes of its words that are kept.
pub const PROGRAM_WORDS: usize = 200;
/// How long the pipes of a program that has ended may stay open in other hands.
pub const PIPE_GRACE: Duration = Duration::from_millis(100);
