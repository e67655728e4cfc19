//! The journal's disk (F5): a ring of files that holds what a kernel was given, and a few bytes of what came of it.
//!
//! ```text
//! DIR/journal/0000000007-000002.journal      incarnation, number: one segment
//!
//! segment = block(header) block(beginning) block(turns)* [block(end)]
//! block   = length of body: u32, little end first | kind: u8 | first 3 bytes of SHA-256(length ‖ kind)
//!           | first 8 bytes of SHA-256(kind ‖ body) | body
//! body    = one LZ4 block, with the length of what it unpacks to before it
//! ```
//!
//! A segment starts with a whole kernel and can be replayed by itself. Nothing is made durable: after a power cut or a
//! `kill -9` the last block may be torn, and the reader says so; a length of its own sum tells that from damage. When the ring is full its oldest segment goes. A
//! file is never opened for writing twice.

mod block;
mod read;
mod record;
mod ring;

#[cfg(test)]
mod tests;

pub use read::{Found, Part, Segment, SegmentReader, Trouble, find, open};
pub use record::{Beginning, End, Gap, Header, Turn, Turns, build, read_kernel, write_kernel};
pub use ring::{Ring, RingError};

/// The directory of the journal in a node's data directory.
pub const JOURNAL_DIR: &str = "journal";

/// Limits of the journal.
pub mod limits {
    /// The format that this version writes, and the newest that it reads.
    pub const FORMAT: u32 = 1;
    /// A segment ends when it has so many parts of the ring, or twice what its kernel took if that is more.
    pub const SEGMENTS: u64 = 8;
    /// A kernel that takes more than this part of the ring is not written.
    pub const KERNEL_PART: u64 = 4;
    /// A segment that cannot be ended takes no more than this part of the ring.
    pub const SEGMENT_PART: u64 = 2;
    /// Bytes that a block may claim to unpack to: an input with a snapshot of the largest state.
    pub const BLOCK_BYTES: usize = 1 << 29;
    /// Segments that a ring has, and that a reader looks at.
    pub const FILES: usize = 4_096;
}
