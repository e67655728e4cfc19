//! One node: a process that may be dead, paused or doomed, on a machine with a clock and a disk that stay.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Event, World};
use crate::kernel::controller::{Boot, Controller, Input, Output, View};
use crate::kernel::domain::{MemberId, Moment};
use crate::sim::action::Doom;
use crate::sim::clock::Clock;
use crate::sim::counts::Class;
use crate::sim::disk::{Disk, OpenError};
use crate::sim::oracle::{self, Recorder};
use crate::sim::queue::{MS, Micros, SECOND};
use crate::sim::rng::Rng;
use crate::sim::trace::{self, Note};
use crate::sim::world::Params;

/// A process that does not run for a while.
#[derive(Debug)]
pub(super) struct Pause {
    pub(super) until: Micros,
    /// The clock is read for the next input, which is then held.
    pub(super) after_read: bool,
    /// The rate that the clock goes on with, if it stands still meanwhile.
    pub(super) rate: Option<i64>,
    pub(super) held: Option<(Moment, Input)>,
    pub(super) waiting: VecDeque<Input>,
}

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    /// Boxed: it is taken out and put back each turn.
    pub(super) controller: Option<Box<Controller>>,
    /// Counts its processes: events for an earlier one come to nothing.
    pub(super) life: u32,
    pub(super) clock: Clock,
    pub(super) disk: Disk,
    /// What its process shows.
    pub(super) view: Option<Arc<View>>,
    /// When its process wants to be woken, and when an event for that stands in the queue.
    pub(super) wake: Micros,
    pub(super) wake_queued: Micros,
    pub(super) pause: Option<Pause>,
    pub(super) doom: Option<(Doom, Micros)>,
    /// It told a vote in this turn.
    pub(super) voted: bool,
    pub(super) incarnation: crate::kernel::domain::Incarnation,
    pub(super) recorder: Option<Recorder>,
    pub(super) disk_failed: bool,
    /// A bit of its disk has changed: its store may refuse to open, and the node is gone for good.
    pub(super) rotten: bool,
}

impl Node {
    pub(super) fn new(place: usize, rng: &mut Rng, params: &Params) -> Self {
        let range = params.drift_ppm.unsigned_abs();
        let ppm = i64::try_from(rng.between(0, 2 * range)).unwrap_or(0) - params.drift_ppm;
        Self {
            controller: None,
            life: 0,
            clock: Clock::new(0, rng.below(1_000 * SECOND), ppm),
            disk: Disk::new(params.pace, params.storage_of(place), MemberId(place as u64 + 1)),
            view: None,
            wake: Micros::MAX,
            wake_queued: Micros::MAX,
            pause: None,
            doom: None,
            voted: false,
            incarnation: crate::kernel::domain::Incarnation::default(),
            recorder: None,
            disk_failed: false,
            rotten: false,
        }
    }

    /// The clock runs at another rate, at once or when its machine wakes.
    pub(super) fn set_rate(&mut self, now: Micros, ppm: i64) {
        match self.pause.as_mut().and_then(|pause| pause.rate.as_mut()) {
            Some(later) => *later = ppm,
            None => self.clock.set_rate(now, ppm),
        }
    }

    pub(super) const fn lives(&self) -> bool {
        self.controller.is_some()
    }
}

/// A process that takes more turns than this in a simulated second does not wait for anything.
const TURNS_PER_SECOND: u64 = 200_000;

impl World {
    /// Starts a node's process from what its disk holds.
    pub(super) fn start(&mut self, place: usize) {
        let now = self.now;
        let count = self.cluster.members.len() as u64;
        let node = &mut self.nodes[place];
        if node.lives() {
            return;
        }
        node.life += 1;
        node.clock.reboot(now, self.streams.clock.below(1_000 * SECOND));
        let recovered = match node.disk.open() {
            Ok(recovered) => recovered,
            // What is damaged must be noticed; a person puts it right.
            Err(OpenError::Refused(why)) if node.rotten => {
                self.see(Class::RotNoticed);
                return self.note(Note::Said(place, "store", why));
            }
            Err(why) => return self.report("storage", format!("node {}: {why}", place + 1)),
        };
        let node = &mut self.nodes[place];
        node.incarnation = recovered.incarnation;
        node.disk_failed = false;
        node.wake = now;
        node.wake_queued = Micros::MAX;
        self.book.started(place, &recovered);
        let boot = Boot {
            me: MemberId(place as u64 + 1),
            cluster: Arc::clone(&self.cluster),
            text: Arc::from(""),
            certificate_until: None,
            recovered,
            seed: self.params.seed,
            log_entries: self.params.log_entries,
        };
        let moment = node.clock.read(now);
        let recorded = usize::try_from(self.params.seed % count).unwrap_or(0);
        if self.params.replay && place == recorded {
            node.recorder = Some(Recorder::new(moment, boot.clone()));
        }
        let started = catch_unwind(AssertUnwindSafe(|| Controller::start(moment, boot)));
        match started {
            Ok(Ok(controller)) => self.nodes[place].controller = Some(Box::new(controller)),
            Ok(Err(why)) => return self.report("start", format!("node {}: {why}", place + 1)),
            Err(panic) => return self.panicked(place, panic.as_ref()),
        }
        self.note(Note::Node(place, trace::STARTS));
        self.ask_oracles(|oracle, book| oracle.started(book, place));
        let life = self.nodes[place].life;
        self.queue.put(now, Event::WallClock { node: place, life });
    }

    /// Kills a node's process; its disk keeps what it keeps.
    pub(super) fn crash(&mut self, place: usize) {
        if !self.nodes[place].lives() {
            return;
        }
        self.replay(place);
        self.goals_of_crash(place);
        let node = &mut self.nodes[place];
        node.controller = None;
        node.view = None;
        if let Some(rate) = node.pause.take().and_then(|pause| pause.rate) {
            node.clock.set_rate(self.now, rate);
        }
        node.doom = None;
        node.voted = false;
        node.recorder = None;
        node.life += 1;
        let left = node.disk.crash(&mut self.streams.disk);
        self.watch.crashed(self.now, place);
        self.see(Class::Crash);
        if left.lost > 0 {
            self.see(Class::LostWrite);
        }
        if left.kept > 0 {
            self.see(Class::KeptWrite);
        }
        self.note(Note::Node(place, trace::DIES));
    }

    /// Kills a node's process and has it started again later.
    pub(super) fn crash_for(&mut self, place: usize, down: Micros) {
        if self.nodes[place].lives() {
            self.crash(place);
            let life = self.nodes[place].life;
            self.queue.put(self.now + down, Event::Start { node: place, life });
        }
    }

    /// Gives a process an input, now or when its pause ends.
    pub(super) fn feed(&mut self, place: usize, input: Input) {
        let node = &mut self.nodes[place];
        if !node.lives() {
            return;
        }
        let moment = node.clock.read(self.now);
        let Some(pause) = &mut node.pause else { return self.turn(place, moment, input) };
        if pause.after_read && pause.held.is_none() && pause.waiting.is_empty() {
            pause.held = Some((moment, input));
            self.see(Class::PauseAfterRead);
        } else {
            pause.waiting.push_back(input);
        }
    }

    /// A pause ends: what was held is handled with the time that was read before it.
    pub(super) fn resume(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        if node.pause.as_ref().is_some_and(|pause| pause.until > self.now) {
            return;
        }
        let Some(pause) = node.pause.take() else { return };
        if let Some(rate) = pause.rate {
            node.clock.set_rate(self.now, rate);
        }
        self.note(Note::Node(place, trace::GOES_ON));
        let life = self.nodes[place].life;
        if let Some((moment, input)) = pause.held {
            self.turn(place, moment, input);
        }
        for input in pause.waiting {
            if self.nodes[place].life == life {
                self.feed(place, input);
            }
        }
        self.queue_wake(place);
    }

    /// One turn of the kernel, its outputs carried out in order.
    fn turn(&mut self, place: usize, moment: Moment, input: Input) {
        self.turns += 1;
        if self.turns > (self.now / SECOND + 1) * TURNS_PER_SECOND {
            return self.report("busy", format!("node {} never waits", place + 1));
        }
        self.trace.digest.word(self.now);
        if self.params.trace {
            self.note(Note::Took(place, name_of(&input)));
        }
        let node = &mut self.nodes[place];
        if let Some(recorder) = &mut node.recorder {
            recorder.took(moment, &input);
        }
        let Some(mut controller) = node.controller.take() else { return };
        let outputs = catch_unwind(AssertUnwindSafe(|| {
            controller.handle(moment, input);
            let mut outputs: Vec<Output> = Vec::new();
            while let Some(output) = controller.poll() {
                outputs.push(output);
            }
            outputs
        }));
        let outputs = match outputs {
            Ok(outputs) => outputs,
            Err(panic) => return self.panicked(place, panic.as_ref()),
        };
        let leads = controller.is_leader().then(|| controller.term());
        let sizes = controller.sizes();
        self.nodes[place].controller = Some(controller);
        self.ask_oracles(|oracle, _| oracle.turned(place, &sizes));
        self.carry_out_all(place, outputs);
        self.draw(|picture, at| picture.led(at, place, leads.is_some()));
        if let Some(term) = leads {
            self.ask_oracles(|oracle, book| oracle.led(book, place, term));
            self.watch.led(self.now, place, term, &mut self.counts);
        }
        self.die_after_vote(place);
        self.queue_wake(place);
    }

    fn carry_out_all(&mut self, place: usize, outputs: Vec<Output>) {
        let life = self.nodes[place].life;
        if let Some(recorder) = &mut self.nodes[place].recorder {
            for output in &outputs {
                recorder.gave(output);
            }
        }
        for output in outputs {
            oracle::digest_output(&mut self.trace.digest, &output);
            self.carry_out(place, output);
            if let Some((Doom::AfterOutputs(left), down)) = &mut self.nodes[place].doom {
                if *left == 0 {
                    let down = *down;
                    self.see(Class::CrashBetweenOutputs);
                    self.crash_for(place, down);
                } else {
                    *left -= 1;
                }
            }
            if self.nodes[place].life != life {
                return;
            }
        }
    }

    /// Aimed: a node dies right after it told a vote, its own for itself too.
    fn die_after_vote(&mut self, place: usize) {
        if !std::mem::take(&mut self.nodes[place].voted) {
            return;
        }
        if let Some((Doom::AfterVote, down)) = self.nodes[place].doom {
            self.see(Class::CrashAfterVote);
            self.crash_for(place, down);
        }
    }

    /// Sees to it that an event wakes the process when it wants; at most one in the queue counts.
    pub(super) fn queue_wake(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        if node.lives() && node.wake < node.wake_queued {
            node.wake_queued = node.wake.max(self.now + 1);
            let life = node.life;
            self.queue.put(node.wake_queued, Event::Wake { node: place, life });
        }
    }

    /// The queued event came: wake the process, or wait on.
    pub(super) fn woken(&mut self, place: usize) {
        // One that an earlier one took the place of; to queue another for it would never end.
        if self.nodes[place].wake_queued != self.now {
            return;
        }
        self.nodes[place].wake_queued = Micros::MAX;
        if self.nodes[place].pause.is_some() {
            return;
        }
        if self.nodes[place].wake <= self.now {
            self.feed(place, Input::TimePassed);
        } else {
            self.queue_wake(place);
        }
    }

    /// The shell tells the wall clock every second.
    pub(super) fn tell_wall(&mut self, place: usize) {
        let node = &self.nodes[place];
        let wall = node.clock.wall(self.now);
        let life = node.life;
        self.feed(place, Input::WallClock(wall));
        if self.nodes[place].life == life {
            let at = self.now + 1000 * MS;
            self.queue.put(at, Event::WallClock { node: place, life });
        }
    }

    /// The kernel unwound: a finding.
    fn panicked(&mut self, place: usize, panic: &(dyn std::any::Any + Send)) {
        self.nodes[place].recorder = None;
        self.report("panic", format!("node {}: {}", place + 1, trace::panic_words(panic)));
    }

    /// Runs a recorded process again.
    pub(super) fn replay(&mut self, place: usize) {
        let Some(recorder) = self.nodes[place].recorder.take() else { return };
        let again = catch_unwind(AssertUnwindSafe(|| recorder.replay()));
        match again {
            Ok(Ok(())) => {}
            Ok(Err(what)) => self.report("replay", what),
            Err(panic) => self.panicked(place, panic.as_ref()),
        }
    }
}

const fn name_of(input: &Input) -> &'static str {
    match input {
        Input::TimePassed => "time passed",
        Input::Peer { .. } => "a frame",
        Input::PeerUnreachable(_) => "unreachable",
        Input::BulkSent { .. } => "bulk sent",
        Input::Persisted { .. } => "persisted",
        Input::DiskFailed(_) => "disk failed",
        Input::Probed(_) => "probed",
        Input::Receipt(_) => "receipt",
        Input::Request(_) => "request",
        Input::Hint(_) => "hint",
        Input::Gateway(_) => "gateway",
        Input::WallClock(_) => "wall clock",
        Input::LoginsFailed { .. } => "logins failed",
        Input::Stopping => "stopping",
        Input::ClusterFile(_) => "cluster file",
    }
}
