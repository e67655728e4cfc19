//! What happened: a digest of everything, and the last events for a report. Nothing is formatted until somebody
//! reads it.

use std::collections::VecDeque;
use std::fmt;

use super::queue::Micros;

/// A running hash of a run. Equal runs have equal digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0x243F_6A88_85A3_08D3)
    }
}

impl Digest {
    /// Takes a number in.
    pub const fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }

    /// Takes bytes in.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.word(u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.word(u64::from_le_bytes(last));
        }
    }

    /// The hash so far.
    pub const fn value(self) -> u64 {
        super::rng::mix(self.0)
    }
}

/// What happens to a process, as [`Note::Node`] says it.
pub const STARTS: &str = "starts";
/// It is killed.
pub const DIES: &str = "dies";
/// Its pause ends.
pub const GOES_ON: &str = "goes on";
/// A write of it failed.
pub const DISK_FAILED: &str = "has a failed disk";

/// One event, in few words.
#[derive(Clone, Debug)]
pub enum Note {
    /// A node took an input of this kind.
    Took(usize, &'static str),
    /// A node published: applied index, term.
    Published(usize, u64, u64),
    /// A node ordered a write: number, entries.
    Ordered(usize, u64, usize),
    /// A node spoke: kind, text.
    Said(usize, &'static str, String),
    /// Something happened to a node.
    Node(usize, &'static str),
    /// A fault, or what a scenario did.
    Fault(String),
    /// A client's word.
    Client(u64, &'static str),
    /// A gateway's word.
    Gateway(String),
    /// Something happened to an observer beside the members.
    Beside(usize, &'static str),
    /// An observer's word.
    Observer(usize, String),
}

/// The names of nodes are `node 1` and so on, as raft ids.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Took(node, what) => write!(f, "node {} takes: {what}", node + 1),
            Self::Published(node, applied, term) => {
                write!(f, "node {} publishes: applied {applied}, term {term}", node + 1)
            }
            Self::Ordered(node, number, entries) => {
                write!(f, "node {} writes batch {number} with {entries} entries", node + 1)
            }
            Self::Said(node, kind, text) => write!(f, "node {} says: {kind}: {text}", node + 1),
            Self::Node(node, what) => write!(f, "node {} {what}", node + 1),
            Self::Fault(what) => write!(f, "fault: {what}"),
            Self::Client(op, what) => write!(f, "client request {op}: {what}"),
            Self::Gateway(what) => write!(f, "gateway: {what}"),
            Self::Beside(nth, what) => write!(f, "observer {} {what}", nth + 1),
            Self::Observer(nth, what) => write!(f, "observer {} says: {what}", nth + 1),
        }
    }
}

thread_local! {
    static PANIC: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

/// For a panic hook: keeps where this thread panicked, for the report, and prints nothing.
pub fn remember_panic(info: &std::panic::PanicHookInfo<'_>) {
    let place = info.location().map_or_else(String::new, |place| {
        // Where crates lie differs from machine to machine.
        let file = place.file().rsplit("src/").next().unwrap_or_default();
        format!("{file}:{}", place.line())
    });
    PANIC.with_borrow_mut(|panic| *panic = place);
}

/// Where this thread panicked last; empty without the hook.
pub fn panic_place() -> String {
    PANIC.with_borrow(Clone::clone)
}

/// What a panic said, and where.
pub fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("{} ({})", text.unwrap_or("no message"), panic_place())
}

/// How many events a report shows.
pub const LAST_EVENTS: usize = 60;

/// What is kept of a run.
#[derive(Debug)]
pub struct Trace {
    /// Of everything.
    pub digest: Digest,
    last: VecDeque<(Micros, Note)>,
    keep: usize,
}

impl Trace {
    /// Keeps the last events, or (when asked to) all of them.
    pub fn new(everything: bool) -> Self {
        let keep = if everything { usize::MAX } else { LAST_EVENTS };
        Self { digest: Digest::default(), last: VecDeque::new(), keep }
    }

    /// Keeps one event.
    pub fn note(&mut self, at: Micros, note: Note) {
        if self.last.len() >= self.keep {
            self.last.pop_front();
        }
        self.last.push_back((at, note));
    }

    /// The kept events, one a line.
    pub fn lines(&self) -> Vec<String> {
        let line = |(at, note): &(Micros, Note)| {
            format!("{:>4}.{:06}  {note}", at / 1_000_000, at % 1_000_000)
        };
        self.last.iter().map(line).collect()
    }
}
