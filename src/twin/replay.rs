//! A whole journal: every segment by itself, and whether one follows from the other.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::report::{Difference, Outcome, Report, SegmentReport, Told};
use super::run::Run;
use crate::edge::journal::{
    Beginning, End, Gap, Header, Part, SegmentReader, Trouble, build, find, open, write_kernel,
};
use crate::kernel::domain::{Incarnation, MemberId, WallTime};

/// The kernel at the end of a segment: what the next one must start with.
struct Last {
    member: MemberId,
    incarnation: Incarnation,
    segment: u64,
    inputs: u64,
    kernel: Option<[u8; 32]>,
}

/// Gives every segment of a journal to a kernel again. `dir` is a node's data directory or its journal; the node may
/// be running. `tell` hears what the kernel tells on the way.
///
/// # Errors
/// The directory cannot be read.
pub fn replay(dir: &Path, tell: &mut dyn FnMut(Told<'_>)) -> io::Result<Report> {
    let found = find(dir)?;
    let mut report = Report { dir: found.dir, build: build(), segments: Vec::new() };
    let mut last = None;
    for path in found.segments {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let mut segment = SegmentReport::unread(name.unwrap_or_default());
        last = one(&path, &mut segment, last, &report.build, tell);
        report.segments.push(segment);
    }
    Ok(report)
}

impl SegmentReport {
    const fn unread(file: String) -> Self {
        Self {
            file,
            outcome: Outcome::Same,
            member: None,
            incarnation: Incarnation(0),
            segment: 0,
            from_start: false,
            other_build: None,
            from: WallTime(0),
            to: WallTime(0),
            inputs_before: 0,
            inputs: 0,
            gap: None,
            end: None,
            trouble: None,
            difference: None,
        }
    }

    fn of(&mut self, header: &Header, build: &str) {
        self.member = Some(header.member);
        self.incarnation = header.incarnation;
        self.segment = header.segment;
        self.other_build = (header.build != build).then(|| header.build.clone());
        self.from = header.wall;
        self.to = header.wall;
        self.inputs_before = header.inputs;
        self.gap.clone_from(&header.gap);
    }

    fn in_trouble(&mut self, trouble: &Trouble) {
        self.trouble = Some(trouble.to_string());
        match trouble {
            Trouble::Gone => self.outcome = Outcome::Gone,
            // It was being written.
            Trouble::Torn if self.member.is_none() => self.outcome = Outcome::Gone,
            Trouble::Torn => {}
            Trouble::Damaged { .. } | Trouble::Newer(_) | Trouble::Io(_) => {
                self.outcome = Outcome::Unreadable;
            }
        }
    }

    fn differs(&mut self, difference: Difference) {
        self.outcome = Outcome::Differs;
        self.difference = Some(difference);
    }
}

fn one(
    path: &Path,
    report: &mut SegmentReport,
    before: Option<Last>,
    build: &str,
    tell: &mut dyn FnMut(Told<'_>),
) -> Option<Last> {
    let opened = catch_unwind(AssertUnwindSafe(|| open(path)));
    let segment = match opened {
        Ok(Ok(segment)) => segment,
        Ok(Err((header, trouble))) => {
            if let Some(header) = header {
                report.of(&header, build);
            }
            report.in_trouble(&trouble);
            return None;
        }
        Err(panic) => {
            report.in_trouble(&Trouble::Damaged { at: 0, what: said(panic.as_ref()) });
            return None;
        }
    };
    let (header, mut rest) = (segment.header, segment.rest);
    report.of(&header, build);
    report.from_start = matches!(segment.beginning, Beginning::Boot(_));
    report.gap = missing(&header, before.as_ref()).or_else(|| report.gap.take());
    if let Some(difference) = follows(&header, &segment.beginning, before.as_ref()) {
        report.differs(difference);
        return None;
    }
    let started = catch_unwind(AssertUnwindSafe(|| Run::start(&header, segment.beginning, tell)));
    let mut run = match started {
        Ok(Ok(run)) => run,
        Ok(Err(what)) => {
            report.in_trouble(&Trouble::Damaged { at: 0, what });
            return None;
        }
        Err(panic) => {
            report.in_trouble(&Trouble::Damaged { at: 0, what: said(panic.as_ref()) });
            return None;
        }
    };
    let ran = catch_unwind(AssertUnwindSafe(|| run_on(&mut run, &mut rest, report)));
    report.inputs = run.inputs;
    report.from = run.first_wall;
    report.to = run.wall();
    match ran {
        Ok(Ok(())) => {}
        Ok(Err(difference)) => report.differs(difference),
        Err(panic) => panicked(&run, &mut rest, report, said(panic.as_ref())),
    }
    let follows = report.outcome == Outcome::Same && report.end == Some(End::Continued);
    follows.then(|| Last {
        member: header.member,
        incarnation: header.incarnation,
        segment: header.segment,
        inputs: header.inputs + run.inputs,
        kernel: run.kernel().and_then(|kernel| sum(&kernel)),
    })
}

/// Reads on to the end; what the kernel does then is compared on the way.
fn run_on(
    run: &mut Run<'_>,
    rest: &mut SegmentReader,
    report: &mut SegmentReport,
) -> Result<(), Difference> {
    loop {
        match rest.next_part() {
            Ok(Some(Part::Turns(turns))) => run.take(turns)?,
            Ok(Some(Part::End(end))) => report.end = Some(end),
            Ok(None) => return Ok(()),
            Err(trouble) => {
                report.in_trouble(&trouble);
                return Ok(());
            }
        }
    }
}

/// A kernel that panicked then must panic now, at the same input: the last one.
fn panicked(run: &Run<'_>, rest: &mut SegmentReader, report: &mut SegmentReport, what: String) {
    if run.left == 0
        && let Ok(Some(Part::End(end))) = rest.next_part()
        && end == End::Panicked
    {
        report.end = Some(end);
        report.trouble =
            Some(format!("the kernel panics at its last input, as it did then: {what}"));
        return;
    }
    report.differs(run.panicked(what));
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
}

fn sum(kernel: &Beginning) -> Option<[u8; 32]> {
    write_kernel(kernel).ok().map(|bytes| Sha256::digest(bytes).into())
}

/// What is missing between two segments, when the later one does not know of it.
fn missing(header: &Header, before: Option<&Last>) -> Option<Gap> {
    let last = before.filter(|last| {
        last.member == header.member
            && last.incarnation == header.incarnation
            && last.segment + 1 == header.segment
    })?;
    let inputs = header.inputs.checked_sub(last.inputs).filter(|inputs| *inputs > 0)?;
    let why = header.gap.as_ref().map_or("they are not in the file", |gap| gap.why.as_str());
    Some(Gap { inputs, why: why.to_owned() })
}

/// Where a segment goes on from the one before it, it must start with the kernel at that one's end.
fn follows(header: &Header, beginning: &Beginning, before: Option<&Last>) -> Option<Difference> {
    let last = before.filter(|last| {
        last.member == header.member
            && last.incarnation == header.incarnation
            && last.segment + 1 == header.segment
            && last.inputs == header.inputs
    })?;
    let (then, now) = (sum(beginning)?, last.kernel?);
    let hex = |sum: [u8; 32]| {
        let short = sum[..8].iter().map(|byte| format!("{byte:02x}"));
        format!("kernel {}", short.collect::<String>())
    };
    (then != now).then(|| Difference {
        input: header.inputs,
        kind: "the beginning",
        at: header.wall,
        output: None,
        then: hex(then),
        now: hex(now),
    })
}
