//! Journals of a kernel that really ran, replayed: whole, damaged, cut off, with gaps.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::edge::journal::{End, Header, Part, Ring, find, open, write_kernel};
use crate::kernel::consensus::Recovered;
use crate::kernel::controller::limits::LOG_ENTRIES;
use crate::kernel::controller::{Boot, Controller, Input, Output};
use crate::kernel::domain::{Incarnation, MemberId, Moment, WallTime};
use crate::runtime::journal_thread::{JournalSettings, JournalThread};
use crate::runtime::scribe::Scribe;
use crate::sim::cluster::{Shape, cluster};

const LIMIT: u64 = 512 << 10;
const PATIENCE: Duration = Duration::from_secs(20);

/// A kernel with a journal, whose disk is quick and whose peers are mad.
struct Life {
    kernel: Controller,
    scribe: Scribe,
    thread: JournalThread,
    now: Moment,
    inputs: u64,
    receipts: VecDeque<u64>,
}

impl Life {
    fn start(dir: &Path, incarnation: u64) -> Self {
        Self::within(LIMIT, dir, incarnation)
    }

    fn within(limit: u64, dir: &Path, incarnation: u64) -> Self {
        let recovered = Recovered { incarnation: Incarnation(incarnation), ..Recovered::default() };
        let boot = Boot {
            me: MemberId(1),
            cluster: Arc::new(cluster(&Shape::default())),
            text: Arc::from(""),
            certificate_until: None,
            recovered,
            seed: 7,
            log_entries: LOG_ENTRIES,
        };
        let now = Moment::from_micros(1_000_000);
        let retry = Duration::from_millis(1);
        let settings = JournalSettings { dir: dir.to_owned(), limit, retry };
        let (scribe, thread) = JournalThread::start(settings, now, boot.clone()).unwrap();
        let kernel = Controller::start(now, boot).unwrap();
        let receipts = VecDeque::new();
        let mut life = Self { kernel, scribe, thread, now, inputs: 0, receipts };
        life.give(Input::WallClock(WallTime(951_827_696_789)));
        life
    }

    fn give(&mut self, input: Input) {
        self.now = self.now + Duration::from_millis(10);
        self.inputs += 1;
        self.scribe.takes(self.now, &input);
        self.kernel.handle(self.now, input);
        while let Some(output) = self.kernel.poll() {
            self.scribe.gives(&output);
            if let Output::Persist(batch) = &output {
                self.receipts.push_back(batch.number);
            }
        }
        self.scribe.turned(self.now, || self.kernel.copy());
    }

    /// So many inputs, most of them frames that nobody can read and that do not get smaller when packed.
    fn live(&mut self, inputs: u64) {
        for _ in 0..inputs {
            let input = match self.receipts.pop_front() {
                Some(number) => Input::Persisted { number },
                None if self.inputs.is_multiple_of(5) => Input::TimePassed,
                None => Input::Peer { from: MemberId(2), frame: noise(self.inputs) },
            };
            self.give(input);
        }
    }

    fn stop(self) -> u64 {
        drop(self.scribe);
        self.thread.join();
        self.inputs
    }
}

fn noise(seed: u64) -> Bytes {
    let words = (0..64).map(|word| crate::sim::rng::mix(seed * 64 + word).to_le_bytes());
    words.flatten().collect()
}

fn replayed(dir: &Path) -> Report {
    replay(dir, &mut |_| {}).unwrap()
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    find(dir).unwrap().segments
}

fn size(dir: &Path) -> u64 {
    segments(dir).iter().map(|path| fs::metadata(path).map_or(0, |file| file.len())).sum()
}

#[track_caller]
fn until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_journal_of_several_segments_gives_the_same_again_and_tells_what_the_kernel_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::start(dir.path(), 1);
    for _ in 0..3 {
        life.live(200);
        let before = segments(dir.path()).len();
        until(|| {
            life.live(1);
            segments(dir.path()).len() > before
        });
    }
    let inputs = life.stop();
    let mut told = Vec::new();
    let report = replay(dir.path(), &mut |one| {
        told.push((one.at, one.event.kind, one.event.text.clone()));
    });
    let report = report.unwrap();
    assert!(report.is_good(), "{report:#?}");
    assert!(report.segments[0].from_start && !report.segments[1].from_start);
    assert_eq!(report.segments.iter().map(|s| s.inputs).sum::<u64>(), inputs);
    assert!(report.segments.iter().all(|s| s.gap.is_none() && s.other_build.is_none()));
    let ends: Vec<_> = report.segments.iter().map(|s| s.end.clone().unwrap()).collect();
    let (last, others) = ends.split_last().unwrap();
    assert!(others.iter().all(|end| *end == End::Continued) && *last == End::Stopped, "{ends:?}");
    assert!(told.iter().any(|(at, kind, text)| {
        *kind == "peer" && text.contains("cannot read") && *at > WallTime(951_827_696_789)
    }));
}

#[test]
fn the_ring_is_never_larger_than_its_limit_and_what_is_left_can_be_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::start(dir.path(), 1);
    let first = segments(dir.path());
    // Each input is half a KiB, so these are several times what the ring takes.
    for _ in 0..40 {
        life.live(100);
        std::thread::sleep(Duration::from_millis(2));
        assert!(size(dir.path()) <= LIMIT);
    }
    until(|| {
        life.live(20);
        assert!(size(dir.path()) <= LIMIT);
        segments(dir.path()).first() != first.first() && !segments(dir.path()).is_empty()
    });
    let inputs = life.stop();
    let kept = size(dir.path());
    assert!(kept <= LIMIT && kept > LIMIT / 4, "{kept}");
    let report = replayed(dir.path());
    assert!(report.is_good(), "{report:#?}");
    assert!(report.segments.iter().map(|s| s.inputs).sum::<u64>() < inputs);
    // The next process finds the ring as it is, and keeps within it.
    let mut next = Life::start(dir.path(), 2);
    next.live(50);
    next.stop();
    assert!(size(dir.path()) <= LIMIT);
    let report = replayed(dir.path());
    assert!(report.is_good());
    assert_eq!(report.segments.last().unwrap().incarnation, Incarnation(2));
}

#[test]
fn damage_is_named_wherever_it_is_and_a_torn_tail_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::start(dir.path(), 1);
    life.live(60);
    life.stop();
    let path = segments(dir.path()).remove(0);
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(211).chain(0..40).chain(good.len() - 40..good.len()) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        let report = replayed(dir.path());
        let segment = &report.segments[0];
        assert_eq!(segment.outcome, Outcome::Unreadable, "byte {at}: {segment:?}");
        let trouble = segment.trouble.as_deref().unwrap();
        assert!(trouble.starts_with("damaged at byte "), "{trouble}");
        assert!(!report.is_good());
    }
    let whole = {
        fs::write(&path, &good).unwrap();
        replayed(dir.path())
    };
    assert_eq!(whole.segments[0].inputs, 61);
    for cut in 1..good.len() {
        if cut % 97 != 0 && cut > 60 {
            continue;
        }
        fs::write(&path, &good[..good.len() - cut]).unwrap();
        let report = replayed(dir.path());
        assert!(report.is_good(), "{cut}: {report:?}");
        assert_eq!(report.segments[0].end, None);
    }
}

/// Writes the segments of a journal anew, each changed.
fn rewrite(dir: &Path, change: impl Fn(&mut Header, u64, &mut Input)) {
    let ring = tempfile::tempdir().unwrap();
    let mut to = Ring::open(ring.path(), 1 << 30).unwrap();
    for path in segments(dir) {
        let mut segment = open(&path).map_err(|(_, trouble)| trouble).unwrap();
        let mut number = segment.header.inputs;
        change(&mut segment.header, 0, &mut Input::TimePassed);
        to.begin(&segment.header, &write_kernel(&segment.beginning).unwrap()).unwrap();
        while let Some(part) = segment.rest.next_part().unwrap() {
            match part {
                Part::Turns(mut turns) => {
                    for turn in &mut turns.turns {
                        number += 1;
                        change(&mut segment.header, number, &mut turn.input);
                    }
                    to.append(&turns).unwrap();
                }
                Part::End(end) => to.end(&end).unwrap(),
            }
        }
    }
    for path in segments(ring.path()) {
        fs::copy(&path, dir.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn another_input_is_found_where_it_stands_and_another_build_is_said_to_be_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::start(dir.path(), 1);
    life.live(60);
    life.stop();
    rewrite(dir.path(), |_, _, _| {});
    assert!(replayed(dir.path()).is_good(), "written anew it is the same");
    rewrite(dir.path(), |header, number, input| {
        header.build = "0.0.1+17".to_owned();
        if number == 42 {
            *input = Input::Peer { from: MemberId(3), frame: Bytes::from_static(b"?") };
        }
    });
    let report = replayed(dir.path());
    let segment = &report.segments[0];
    assert_eq!(segment.outcome, Outcome::Differs);
    assert_eq!(segment.other_build.as_deref(), Some("0.0.1+17"));
    let difference = segment.difference.as_ref().unwrap();
    assert_eq!((difference.input, difference.kind), (42, "peer"));
    assert!(difference.then != difference.now && difference.output.is_some(), "{difference}");
    assert!(difference.to_string().contains("2000-02-29T12:34:"), "{difference}");
}

#[test]
fn what_a_kernel_panicked_at_stands_in_its_journal() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::start(dir.path(), 1);
    life.live(30);
    let Life { kernel, scribe, thread, now, .. } = life;
    let (mut kernel, mut scribe) = (kernel, scribe);
    let fall = catch_unwind(AssertUnwindSafe(move || {
        let input = Input::Persisted { number: 9_999 };
        scribe.takes(now, &input);
        kernel.handle(now, input);
    }));
    assert!(fall.is_err());
    thread.join();
    let report = replayed(dir.path());
    assert!(report.is_good(), "{report:#?}");
    let segment = &report.segments[0];
    assert_eq!((segment.inputs, segment.end.clone()), (32, Some(End::Panicked)));
    let trouble = segment.trouble.as_deref().unwrap();
    assert!(trouble.contains("as it did then") && trouble.contains("never ordered"), "{trouble}");
}

/// The limit of a file's size stands for a full disk: writes beyond it fail in the middle.
#[test]
fn a_disk_that_takes_no_more_costs_a_gap_and_never_the_kernel() {
    const CHILD: &str = "BIPLANE_TEST_JOURNAL_DIR";
    if let Some(dir) = std::env::var_os(CHILD) {
        let mut life = Life::start(Path::new(&dir), 1);
        until(|| {
            life.live(20);
            std::thread::sleep(Duration::from_millis(5));
            segments(Path::new(&dir)).len() >= 3
        });
        life.stop();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let name = std::thread::current().name().unwrap().to_owned();
    let mut command = std::process::Command::new("sh");
    // The shell counts in blocks of 512 bytes; a signal that is ignored stays ignored over `exec`.
    command.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh"]);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", &name]).arg0("sh");
    command.env(CHILD, dir.path()).stdout(std::process::Stdio::null());
    assert!(command.status().unwrap().success());
    let report = replayed(dir.path());
    assert!(report.is_good(), "{report:#?}");
    assert!(report.segments.len() >= 3);
    for segment in &report.segments[1..] {
        let gap = segment.gap.as_ref().expect("a gap");
        assert!(gap.inputs > 0 && gap.why.contains("File too large"), "{gap:?}");
        assert!(segment.inputs_before > 0);
    }
}

#[test]
fn a_journal_that_falls_behind_has_a_gap_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::within(16 << 20, dir.path(), 1);
    life.live(20);
    // Two of them are more than the queue takes, and packing one takes longer than handing the next one over.
    let large = Bytes::from(vec![0; 48 << 20]);
    for _ in 0..3 {
        life.give(Input::Peer { from: MemberId(2), frame: large.clone() });
    }
    until(|| {
        life.live(50);
        segments(dir.path()).len() > 1
    });
    let inputs = life.stop();
    let report = replayed(dir.path());
    assert!(report.is_good(), "{report:#?}");
    let with_gap: Vec<_> = report.segments.iter().filter(|s| s.gap.is_some()).collect();
    let gap = with_gap[0].gap.clone().unwrap();
    assert!(gap.why.contains("fell behind") && gap.inputs > 100, "{gap:?}");
    assert_eq!(report.segments[0].end, Some(End::Gap));
    let kept: u64 = report.segments.iter().map(|s| s.inputs).sum();
    assert_eq!(kept + gap.inputs, inputs, "what is missing is counted");
}

#[test]
fn a_directory_without_a_journal_is_an_empty_report_and_one_that_is_not_there_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(replayed(dir.path()).segments, []);
    assert!(replay(&dir.path().join("nowhere"), &mut |_| {}).is_err());
}
