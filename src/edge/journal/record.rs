//! What stands in a segment.

use serde::{Deserialize, Serialize};

use super::limits;
use crate::kernel::controller::{Boot, Controller, Input, OutputDigest, OutputKind};
use crate::kernel::domain::{Incarnation, MemberId, Moment, WallTime};
use crate::kernel::ledger::RULESET;

/// Whose inputs a segment holds, and from when. JSON, so that every version can say what it cannot read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`limits::FORMAT`] of the writer.
    pub format: u32,
    /// [`build`] of the writer: only the same kernel must give the same outputs.
    pub build: String,
    /// The newest rules for commands that the writer knew.
    pub ruleset: u32,
    /// The member.
    pub member: MemberId,
    /// Of the process.
    pub incarnation: Incarnation,
    /// Counts the segments of a process, from 1.
    pub segment: u64,
    /// Counts the inputs of a process: those before this segment.
    pub inputs: u64,
    /// When the kernel was in the state that follows.
    pub begins: Moment,
    /// The same by the wall clock, as far as the kernel knew it; 0 where it did not.
    pub wall: WallTime,
    /// What is missing before this segment.
    pub gap: Option<Gap>,
}

/// Inputs that the journal does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// How many.
    pub inputs: u64,
    /// Why.
    pub why: String,
}

/// What a segment starts with.
#[derive(Debug, Serialize, Deserialize)]
pub enum Beginning {
    /// The start of a process.
    Boot(Box<Boot>),
    /// A kernel in mid-life.
    Kernel(Box<Controller>),
}

/// One input and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Its `now`, in microseconds after the turn before it; of the first one, after the segment's beginning.
    pub after: u64,
    /// The input.
    pub input: Input,
    /// Of each output: its kind, and 16 bits of its digest.
    pub outputs: Vec<(u8, u16)>,
}

impl Turn {
    /// What is kept of an output.
    pub fn note(kind: OutputKind, digest: OutputDigest) -> (u8, u16) {
        (kind as u8, u16::try_from(digest.value() >> 48).unwrap_or_default())
    }
}

/// A block of turns. `digest` is that of every output since the segment's beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turns {
    /// The turns.
    pub turns: Vec<Turn>,
    /// After the last of them.
    pub digest: u64,
}

/// Why a segment ends. A segment without an end is being written, or its writer was killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It was long enough: the next one follows without a gap.
    Continued,
    /// Inputs were lost.
    Gap,
    /// The process stopped in good order.
    Stopped,
    /// The kernel panicked while it handled the last input.
    Panicked,
}

/// Which program this is: its version, and the size of its file, which tells most builds of one version apart.
pub fn build() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let size = file.map_or(0, |file| file.len());
    format!("{}+{size}", env!("CARGO_PKG_VERSION"))
}

impl Header {
    /// The header of a segment that this program writes.
    pub fn of(build: String, member: MemberId, incarnation: Incarnation) -> Self {
        Self {
            format: limits::FORMAT,
            build,
            ruleset: RULESET,
            member,
            incarnation,
            segment: 0,
            inputs: 0,
            begins: Moment::ZERO,
            wall: WallTime::default(),
            gap: None,
        }
    }
}

/// A beginning as bytes.
pub fn write_kernel(beginning: &Beginning) -> Result<Vec<u8>, String> {
    serde_json::to_vec(beginning).map_err(|error| error.to_string())
}

/// The other way round. Of bytes that a kernel never was it may panic.
pub fn read_kernel(bytes: &[u8]) -> Result<Beginning, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}
