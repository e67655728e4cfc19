//! What a replay found.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::edge::journal::{End, Gap};
use crate::kernel::controller::{Event, OutputKind};
use crate::kernel::domain::{Incarnation, MemberId, WallTime};

/// What came of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every input gave the outputs that it gave then.
    Same,
    /// One did not.
    Differs,
    /// It cannot be read, or not to its end: bytes of it are not what was written.
    Unreadable,
    /// It went while it was looked at, or nothing of it is written yet.
    Gone,
}

/// A replayed journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Where it is.
    pub dir: PathBuf,
    /// The program that replayed it.
    pub build: String,
    /// Its segments, oldest first.
    pub segments: Vec<SegmentReport>,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SegmentReport {
    /// Its file's name.
    pub file: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The member; absent, with all that follows, where not even that could be read.
    pub member: Option<MemberId>,
    /// Of the process.
    pub incarnation: Incarnation,
    /// Counts the segments of the process.
    pub segment: u64,
    /// Whether it starts with the process, not with a kernel in mid-life.
    pub from_start: bool,
    /// The program that wrote it, if it is not this one.
    pub other_build: Option<String>,
    /// When it begins, as far as its node's wall clock was known; 0 where it never was.
    pub from: WallTime,
    /// When its last input was handled.
    pub to: WallTime,
    /// Inputs of the process before it.
    pub inputs_before: u64,
    /// Inputs in it.
    pub inputs: u64,
    /// What is missing before it.
    pub gap: Option<Gap>,
    /// How it ends; absent where it is still written, or its writer was killed.
    pub end: Option<End>,
    /// Why no more could be read, if it does not simply end.
    pub trouble: Option<String>,
    /// Where it differs first.
    pub difference: Option<Difference>,
}

/// Where a replay differs from what happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which input of the process, from 1.
    pub input: u64,
    /// Its kind.
    pub kind: &'static str,
    /// When it was handled.
    pub at: WallTime,
    /// Which of its outputs, from 1; absent where it is not one of them.
    pub output: Option<usize>,
    /// What came then.
    pub then: String,
    /// What comes now.
    pub now: String,
}

/// Something that the kernel told while it was replayed.
#[derive(Debug)]
pub struct Told<'a> {
    /// The member.
    pub member: MemberId,
    /// When, by its wall clock.
    pub at: WallTime,
    /// By which input of its process.
    pub input: u64,
    /// What.
    pub event: &'a Event,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { input, kind, at, output, then, now } = self;
        write!(f, "differs first at input {input} ({kind}, {at})")?;
        if let Some(output) = output {
            write!(f, ", output {output}")?;
        }
        write!(f, ": then {then}, now {now}")
    }
}

impl Report {
    /// Whether everything that there is can be read and is the same.
    pub fn is_good(&self) -> bool {
        let bad = |s: &SegmentReport| matches!(s.outcome, Outcome::Differs | Outcome::Unreadable);
        !self.segments.iter().any(bad)
    }
}

/// An output as a journal knows it.
pub(super) fn name_of(output: Option<&(u8, u16)>) -> String {
    const KINDS: [(OutputKind, &str); 8] = [
        (OutputKind::Persist, "persist"),
        (OutputKind::Send, "send"),
        (OutputKind::Probe, "probe"),
        (OutputKind::Perform, "perform"),
        (OutputKind::Reply, "reply"),
        (OutputKind::Publish, "publish"),
        (OutputKind::Event, "event"),
        (OutputKind::WaitUntil, "wait-until"),
    ];
    let Some((kind, digest)) = output else { return "nothing".to_owned() };
    let name = KINDS.iter().find(|(known, _)| *known as u8 == *kind).map_or("?", |known| known.1);
    format!("{name} {digest:04x}")
}
