//! Every bound of a node's shell, in one table.
//!
//! What flows towards the kernel waits in the inbox, one lane a kind:
//!
//! | lane | full | why |
//! |---|---|---|
//! | disk, wall clock, stop | never: each is one slot that the newest fills | a receipt covers every one before it |
//! | members | its source waits, TCP slows the sender, whose queue loses its oldest | Raft repairs loss |
//! | probes, receipts | their source waits | each answers an order, and the kernel ordered no more than it wants |
//! | requests | refused: 503 | people and programs can come again |
//! | hints | the new one is dropped and counted | it only asks; probes find out by themselves |
//! | gateways | one slot each, the newest report fills it; too many gateways: refused | a report replaces the last |
//!
//! What flows from the kernel never makes it wait: see the constants below. So there is no circle of waiting: the
//! kernel waits for nobody but its inbox, and everybody else may wait for the kernel.

use std::time::Duration;

/// Inputs of the members' lane: frames, bulk answers, unreachable peers.
pub const PEER_INPUTS: usize = 4096;
/// Bytes of the frames in it; one frame may exceed it.
pub const PEER_BYTES: usize = 64 << 20;
/// Probe results waiting for the kernel.
pub const PROBE_INPUTS: usize = 16_384;
/// Receipts of effects waiting for the kernel.
pub const RECEIPT_INPUTS: usize = 4096;
/// Requests waiting for the kernel.
pub const REQUEST_INPUTS: usize = 1024;
/// Hints waiting for the kernel.
pub const HINT_INPUTS: usize = 256;
/// Gateways whose report waits for the kernel.
pub const GATEWAY_INPUTS: usize = 1024;

/// Answers of the API that are made at once, each on a thread of its own.
pub const API_RENDERS: usize = 4;
/// Pages of the audit trail that are read at once; fewer than [`API_RENDERS`], whose threads they take.
pub const AUDIT_READS: usize = 2;
const _: () =
    assert!(AUDIT_READS < API_RENDERS, "a disk that hangs must leave room for other answers");
/// How far the API's threads stand back in the queue for a processor (nice(2)), behind the kernel, the disk, members and
/// probes, which have 0.
pub const API_NICE: i32 = 10;
/// Descriptors that a node may need at once: connections to its API, DNS over TCP, probes, effects, and its files. It takes
/// so many of those that it may have; with fewer it says so.
pub const DESCRIPTORS: u64 = 16_384;

/// Between the transport and the inbox.
pub const INCOMING: usize = 256;
/// Requests that wait for the kernel's reply; more are refused.
pub const OPEN_REQUESTS: usize = 2048;

/// Batches waiting for the disk. Beyond it the disk counts as failed: the node stops writing rather than growing.
/// No batch is ever dropped while later ones are written.
pub const PERSIST_BATCHES: usize = 65_536;
/// Payload bytes waiting for the disk; as above.
pub const PERSIST_BYTES: usize = 1 << 30;
/// Probes in flight at once; one more is answered "not probed".
pub const PROBES: usize = 4096;
/// Probe results between the prober and the inbox. A full channel loses results of probes that were not made.
pub const PROBED: usize = 8192;
/// Effects waiting for their turn, while their time runs: every group of a large cluster, verified at every member.
/// One more is answered "too many".
pub const EFFECT_ORDERS: usize = 65_536;
/// Effects under way at once.
pub const EFFECTS_AT_ONCE: usize = 256;
/// Events waiting to be logged; one more is dropped and counted, for a log may be a pipe that nobody reads.
pub const EVENTS: usize = 4096;

/// Notes waiting for the journal's thread. One more is not written: the journal has a gap, and the kernel does not wait.
pub const JOURNAL_NOTES: usize = 16_384;
/// Bytes of frames and texts in them; as above.
pub const JOURNAL_BYTES: usize = 64 << 20;
/// A block of the journal is written after so many bytes …
pub const JOURNAL_BLOCK: usize = 256 << 10;
/// … or so many inputs …
pub const JOURNAL_TURNS: usize = 1024;
/// … or after this time.
pub const JOURNAL_FLUSH: Duration = Duration::from_secs(1);
/// After the journal fell behind, its next segment begins no sooner than this.
pub const JOURNAL_PAUSE: Duration = Duration::from_secs(1);
/// After its disk failed, the journal is tried again after this long.
pub const JOURNAL_RETRY: Duration = Duration::from_secs(30);
/// A kernel that panicked waits this long for its last input to be written.
pub const JOURNAL_LAST_WORDS: Duration = Duration::from_secs(2);

/// Between two looks at the cluster file.
pub const CLUSTER_FILE_EVERY: Duration = Duration::from_secs(2);
/// Entries that wait to be written to the audit trail.
pub const AUDIT_RECORDS: usize = 8192;
/// Their bytes.
pub const AUDIT_BYTES: usize = 64 << 20;
/// What was written to the audit trail is made durable after this long.
pub const AUDIT_SYNC: Duration = Duration::from_secs(1);
/// After a failure of the disk the audit trail is tried again after this long.
pub const AUDIT_RETRY: Duration = Duration::from_secs(10);

/// Longest sleep of the kernel thread. Its timer does not count suspended time, the kernel's clock does: so it
/// looks again at least this often.
pub const LONGEST_SLEEP: Duration = Duration::from_millis(250);
/// Sleep of the kernel thread after a turn that time alone took and that asks for another one at once.
pub const SHORTEST_SLEEP: Duration = Duration::from_micros(500);
/// After this many such turns in a row the log says so.
pub const VAIN_TURNS: u32 = 1000;
/// Between two readings of the wall clock.
pub const WALL_CLOCK_EVERY: Duration = Duration::from_secs(1);
/// A node that stops waits this long for another leader.
pub const HAND_OVER: Duration = Duration::from_secs(2);
/// Between two writings of the gauges.
pub const GAUGES_EVERY: Duration = Duration::from_secs(1);
/// Bytes of a front door's answer that are read.
pub const FRONT_DOOR_ANSWER: usize = 1024;

/// Between two reports of a gateway whose routes do not change.
pub const REPORT_EVERY: Duration = Duration::from_secs(1);
/// A gateway's connection to a controller must be there after this long, or another one is tried.
pub const REPORT_CONNECT: Duration = Duration::from_secs(1);
/// A controller must take a report within this, or another one gets it.
pub const REPORT_ANSWER: Duration = Duration::from_secs(2);
/// A controller must take a hint within this, or it is lost.
pub const HINT_ANSWER: Duration = Duration::from_millis(500);
/// A node says at least this often that a watch lives.
pub const WATCH_KEEP_ALIVE: Duration = Duration::from_secs(1);
/// A gateway leaves a controller that was silent for this long: three signs of life.
pub const WATCH_SILENCE: Duration = Duration::from_secs(3);
/// Hints of a gateway waiting for a controller.
pub const HINTS: usize = 256;
/// A gateway that stops takes this long at most to say so.
pub const FAREWELL: Duration = Duration::from_secs(1);
/// Connections through a gateway that stops get this long to end.
pub const GATEWAY_GRACE: Duration = Duration::from_secs(2);
