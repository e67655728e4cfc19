//! Observers beside the members: processes with clocks of their own, and on disk a number that each start raises.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;

use super::{Event, ProbeUnderWay, World};
use crate::kernel::controller::{Level, Observer, ObserverBoot, ObserverInput, ObserverOutput};
use crate::kernel::domain::{Incarnation, MemberId, Moment, ProbeOrder};
use crate::sim::clock::Clock;
use crate::sim::counts::Class;
use crate::sim::queue::{Micros, SECOND};
use crate::sim::rng::Rng;
use crate::sim::trace::{self, Note};

/// One of them.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) id: MemberId,
    /// Boxed: it is taken out and put back each turn.
    machine: Option<Box<Observer>>,
    pub(super) life: u32,
    pub(super) clock: Clock,
    pub(super) incarnation: Incarnation,
    wake: Micros,
    wake_queued: Micros,
}

impl Beside {
    pub(super) fn new(id: MemberId, rng: &mut Rng, drift_ppm: i64) -> Self {
        let range = drift_ppm.unsigned_abs();
        let ppm = i64::try_from(rng.between(0, 2 * range)).unwrap_or(0) - drift_ppm;
        Self {
            id,
            machine: None,
            life: 0,
            clock: Clock::new(0, rng.below(1_000 * SECOND), ppm),
            incarnation: Incarnation::default(),
            wake: Micros::MAX,
            wake_queued: Micros::MAX,
        }
    }

    pub(super) const fn lives(&self) -> bool {
        self.machine.is_some()
    }
}

impl World {
    /// Which observer beside the members has this place; none for a member's.
    pub(super) fn nth_beside(&self, place: usize) -> Option<usize> {
        place.checked_sub(self.nodes.len()).filter(|nth| *nth < self.beside.len())
    }

    /// The place of a member or an observer.
    pub(super) fn place_of(&self, id: MemberId) -> Option<usize> {
        let member = usize::try_from(id.0).ok().and_then(|id| id.checked_sub(1));
        let member = member.filter(|place| *place < self.nodes.len());
        let beside = || self.beside.iter().position(|observer| observer.id == id);
        member.or_else(|| beside().map(|nth| self.nodes.len() + nth))
    }

    /// The id of whoever is at a place.
    pub(super) fn id_of(&self, place: usize) -> MemberId {
        let beside = self.nth_beside(place).map(|nth| self.beside[nth].id);
        beside.unwrap_or(MemberId(place as u64 + 1))
    }

    /// Whether the process at a place lives.
    pub(super) fn lives_at(&self, place: usize) -> bool {
        match self.nth_beside(place) {
            Some(nth) => self.beside[nth].lives(),
            None => self.nodes[place].lives(),
        }
    }

    /// Counts the processes at a place.
    pub(super) fn life_at(&self, place: usize) -> u32 {
        self.nth_beside(place).map_or_else(|| self.nodes[place].life, |nth| self.beside[nth].life)
    }

    /// What the clock at a place says now.
    pub(super) fn clock_at(&self, place: usize) -> Moment {
        let clock = match self.nth_beside(place) {
            Some(nth) => &self.beside[nth].clock,
            None => &self.nodes[place].clock,
        };
        clock.read(self.now)
    }

    /// Which process runs at a place, as it calls itself.
    pub(super) fn incarnation_at(&self, place: usize) -> Incarnation {
        match self.nth_beside(place) {
            Some(nth) => self.beside[nth].incarnation,
            None => self.nodes[place].incarnation,
        }
    }

    /// Starts an observer's process.
    pub(super) fn start_beside(&mut self, nth: usize) {
        let (now, seed) = (self.now, self.params.seed);
        let observer = &mut self.beside[nth];
        if observer.lives() {
            return;
        }
        observer.life += 1;
        observer.clock.reboot(now, self.streams.clock.below(1_000 * SECOND));
        observer.incarnation.0 += 1;
        observer.wake = now;
        observer.wake_queued = Micros::MAX;
        let boot = ObserverBoot {
            me: observer.id,
            cluster: Arc::clone(&self.cluster),
            incarnation: observer.incarnation,
            certificate_until: None,
            seed,
        };
        observer.machine = Some(Box::new(Observer::start(observer.clock.read(now), boot)));
        let (life, node) = (observer.life, self.nodes.len() + nth);
        self.note(Note::Beside(nth, trace::STARTS));
        self.queue.put(now, Event::WallClock { node, life });
    }

    /// Kills an observer's process.
    pub(super) fn crash_beside(&mut self, nth: usize) {
        let observer = &mut self.beside[nth];
        if observer.lives() {
            observer.machine = None;
            observer.life += 1;
            self.see(Class::ObserverCrash);
            self.note(Note::Beside(nth, trace::DIES));
        }
    }

    /// Kills an observer's process and has it started again later.
    pub(super) fn crash_beside_for(&mut self, nth: usize, down: Micros) {
        if self.beside[nth].lives() {
            self.crash_beside(nth);
            let (life, node) = (self.beside[nth].life, self.nodes.len() + nth);
            self.queue.put(self.now + down, Event::Start { node, life });
        }
    }

    /// The queued event came: wake the process, or wait on.
    pub(super) fn woken_beside(&mut self, nth: usize) {
        if self.beside[nth].wake_queued != self.now {
            return;
        }
        self.beside[nth].wake_queued = Micros::MAX;
        if self.beside[nth].wake <= self.now {
            self.turn_beside(nth, ObserverInput::TimePassed);
        } else {
            self.queue_wake_beside(nth);
        }
    }

    fn queue_wake_beside(&mut self, nth: usize) {
        let node = self.nodes.len() + nth;
        let observer = &mut self.beside[nth];
        if observer.wake < observer.wake_queued {
            observer.wake_queued = observer.wake.max(self.now + 1);
            let life = observer.life;
            self.queue.put(observer.wake_queued, Event::Wake { node, life });
        }
    }

    /// The shell tells the wall clock every second.
    pub(super) fn tell_wall_beside(&mut self, nth: usize) {
        let (wall, life) = (self.beside[nth].clock.wall(self.now), self.beside[nth].life);
        self.turn_beside(nth, ObserverInput::WallClock(wall));
        let node = self.nodes.len() + nth;
        self.queue.put(self.now + SECOND, Event::WallClock { node, life });
    }

    /// A frame arrives at an observer.
    pub(super) fn told_beside(&mut self, nth: usize, from: MemberId, frame: Bytes) {
        self.turn_beside(nth, ObserverInput::Told { from, frame });
    }

    /// One turn of an observer, its outputs carried out in order.
    pub(super) fn turn_beside(&mut self, nth: usize, input: ObserverInput) {
        let moment = self.clock_at(self.nodes.len() + nth);
        let Some(mut machine) = self.beside[nth].machine.take() else { return };
        self.trace.digest.word(self.now);
        let outputs = catch_unwind(AssertUnwindSafe(|| {
            machine.handle(moment, input);
            let mut outputs = Vec::new();
            while let Some(output) = machine.poll() {
                outputs.push(output);
            }
            outputs
        }));
        let outputs = match outputs {
            Ok(outputs) => outputs,
            Err(panic) => {
                let what = trace::panic_words(panic.as_ref());
                return self.report("panic", format!("observer {}: {what}", nth + 1));
            }
        };
        self.beside[nth].machine = Some(machine);
        for output in outputs {
            self.carry_out_beside(nth, output);
        }
        self.queue_wake_beside(nth);
    }

    fn carry_out_beside(&mut self, nth: usize, output: ObserverOutput) {
        let place = self.nodes.len() + nth;
        match output {
            ObserverOutput::Send { to, frame } => {
                self.trace.digest.bytes(&frame);
                self.send_frame(place, to, frame);
            }
            ObserverOutput::Probe(order) => self.begin_probe(place, order),
            ObserverOutput::Event(event) => {
                if event.level >= Level::Info {
                    let what = format!("{}: {}", event.kind, event.text);
                    self.note(Note::Observer(nth, what));
                }
            }
            // Its number on disk never goes back, and nobody else has its name.
            ObserverOutput::Leave(why) => {
                self.report("observer_left", format!("observer {}: {why}", nth + 1));
            }
            ObserverOutput::WaitUntil(moment) => {
                let observer = &mut self.beside[nth];
                observer.wake = observer.clock.when(moment).unwrap_or(Micros::MAX);
            }
        }
    }

    /// A probe of a member or an observer sets out.
    pub(super) fn begin_probe(&mut self, place: usize, order: ProbeOrder) {
        let began = (self.clock_at(place), self.now);
        let (after, outcome) = self.meet(place, &order);
        let life = self.life_at(place);
        let probe = Box::new(ProbeUnderWay { order, began, outcome });
        self.queue.put(self.now + after, Event::Probed { node: place, life, probe });
    }
}
