//! Each kind of fault, as actions of a plan: when it begins, and when it ends.

use super::{Fault, HEALED_AT, Plan};
use crate::sim::action::{Action, Doom, Frames, Ways, Who};
use crate::sim::client::Wish;
use crate::sim::frame::Kind;
use crate::sim::plane::ServiceState;
use crate::sim::queue::{MS, Micros, SECOND};
use crate::sim::rng::Rng;
use crate::sim::scenario::Trigger;

impl Plan {
    /// Puts one fault of this kind into the plan, and its end.
    pub(super) fn strike(&mut self, rng: &mut Rng, kind: Fault, at: Micros) {
        let span = 200 * MS + rng.small(12 * SECOND);
        let end = (at + span).min(HEALED_AT - MS);
        let down = if rng.chance(500) { rng.between(MS, 50 * MS) } else { rng.small(6 * SECOND) };
        let nodes = self.nodes();
        let node = rng.place(nodes);
        let who = if rng.chance(300) { Who::Leader } else { Who::Node(node) };
        let other = (node + 1 + rng.place(nodes - 1)) % nodes;
        match kind {
            Fault::Flap => self.strike_again_and_again(rng, at, end),
            Fault::Plane | Fault::Service | Fault::BothPlanes | Fault::Blind => {
                self.strike_planes(rng, kind, at, end, who);
            }
            Fault::Crash => self.put(at, Action::Crash { who, down: Some(down) }),
            Fault::PowerFailure => {
                for node in 0..nodes {
                    let at = at + rng.below(3 * MS);
                    let down = Some(down + rng.below(SECOND));
                    self.put(at, Action::Crash { who: Who::Node(node), down });
                }
            }
            Fault::CrashAfterVote => self.strike_voters(rng, at),
            Fault::CrashBetweenOutputs => {
                self.aim(rng, down);
                let doom = Doom::AfterOutputs(u32::try_from(rng.below(12)).unwrap_or(0));
                self.put(at, Action::Doom { who, doom, down });
            }
            Fault::CrashInWrite => self.put(at, Action::Doom { who, doom: Doom::InWrite, down }),
            Fault::LeaderAndPlane => {
                self.strike_planes(rng, Fault::Plane, at, end, who);
                let at = at + rng.small(3 * SECOND);
                self.put(at, Action::Crash { who: Who::Leader, down: Some(down) });
            }
            Fault::CutOff | Fault::LeaderCutOff | Fault::Cut | Fault::OneWay => {
                let ways = *rng.pick(&[Ways::Both, Ways::In, Ways::Out]);
                let span = self.until(rng, (at, end));
                let one_way = kind == Fault::OneWay;
                let action = match kind {
                    Fault::CutOff => Action::CutOff { who, ways, span },
                    Fault::LeaderCutOff => Action::CutOff { who: Who::Leader, ways, span },
                    _ => Action::Cut { from: node, to: other, one_way, span },
                };
                self.put(at, action);
                if kind == Fault::LeaderCutOff {
                    self.ask_the_cut_off(rng, at, end);
                }
            }
            Fault::Pause
            | Fault::PauseAfterRead
            | Fault::Suspend
            | Fault::ClockRate
            | Fault::WallStep => self.strike_time(rng, kind, (at, span.min(end - at)), who),
            Fault::CleanStop => self.put(at, Action::Retire { who, down }),
            Fault::DiskStall | Fault::DiskFail | Fault::DiskFull | Fault::DiskLie => {
                self.strike_disk(rng, kind, (at, span), who);
            }
            Fault::Kinds => self.strike_kinds(rng, (at, end)),
            Fault::Observer => self.strike_observers(rng, (at, end)),
            Fault::Reconfigure => self.strike_settings(rng, (at, end)),
            Fault::Site => self.strike_site(rng, (at, end)),
            Fault::Lie | Fault::Overload | Fault::ShutOut | Fault::Rough | Fault::Gateway => {
                self.strike_outside(rng, kind, (at, end), who);
            }
            Fault::SlowAnswers => self.strike_readers(rng, at),
            // These are the weather, not events.
            Fault::Loss | Fault::Duplicates | Fault::Clog | Fault::ProbeLoss => {}
        }
    }

    /// Somebody dies at a moment that matters, the first time that it is seen.
    fn aim(&mut self, rng: &mut Rng, down: Micros) {
        if self.triggers.len() > 1 || rng.chance(500) {
            return;
        }
        let moments = [Trigger::Question, Trigger::Decided, Trigger::Routed, Trigger::Snapshot];
        let who = if rng.chance(700) { Who::Leader } else { Who::Follower };
        let doom = Doom::AfterOutputs(u32::try_from(rng.below(6)).unwrap_or(0));
        let dies = [Action::Crash { who, down: Some(down) }, Action::Doom { who, doom, down }];
        self.triggers.push((*rng.pick(&moments), rng.pick(&dies).clone()));
    }

    /// How long a cut lasts: until its own end, whatever else is cut; or until somebody puts everything right at once.
    pub(super) fn until(&mut self, rng: &mut Rng, (at, end): (Micros, Micros)) -> Option<Micros> {
        if rng.chance(150) {
            self.put(end, Action::Heal);
            return None;
        }
        Some((end - at).max(MS))
    }

    /// A process or its machine stands still, or a clock is wrong.
    fn strike_time(&mut self, rng: &mut Rng, kind: Fault, (at, span): (Micros, Micros), who: Who) {
        let within = |rng: &mut Rng, most: i64| {
            let most = most.unsigned_abs();
            i64::try_from(rng.between(0, 2 * most)).unwrap_or(0).saturating_sub_unsigned(most)
        };
        // All at once, as when their hosts are moved: longer than any disk is waited for, and nobody elects another leader.
        let all = rng.chance(150);
        let who = if all { Who::All } else { who };
        let most = |one: Micros| if all { span } else { span.min(one) };
        let action = match kind {
            Fault::Suspend => Action::Suspend { who, span: most(8 * SECOND) },
            Fault::ClockRate => Action::ClockRate { who, ppm: within(rng, 4_000) },
            Fault::WallStep => Action::WallStep { who, by_ms: within(rng, 3_600_000) },
            _ => {
                let after_read = kind == Fault::PauseAfterRead;
                Action::Pause { who, span: most(5 * SECOND), after_read }
            }
        };
        self.put(at, action);
    }

    pub(super) fn strike_disk(
        &mut self,
        rng: &mut Rng,
        kind: Fault,
        (at, span): (Micros, Micros),
        who: Who,
    ) {
        match kind {
            Fault::DiskStall => self.put(at, Action::DiskStall { who, span: span.min(4 * SECOND) }),
            Fault::DiskFail => {
                let mended = (span / 2).max(MS);
                self.put(at, Action::DiskFail { who, mended });
            }
            Fault::DiskLie => {
                let syncs = u32::try_from(rng.between(1, 5)).unwrap_or(1);
                self.put(at, Action::DiskLie { who, syncs });
            }
            Fault::DiskFull => {
                let mended = (span / 2).max(MS);
                self.put(at, Action::DiskFull { who, mended });
            }
            _ => {}
        }
    }

    /// A few times all start at once and votes travel slowly, so that more than one of them runs for the same
    /// term. Who votes dies right after it said so, and is back before the other candidate's request is there.
    pub(super) fn strike_voters(&mut self, rng: &mut Rng, from: Micros) {
        let rounds = rng.between(2, 5);
        let longest = self.cluster.timing.election_max;
        let election = u64::try_from(longest.as_micros()).unwrap_or(SECOND);
        let each = 2 * election + rng.below(SECOND);
        let held = rng.between(election / 8, election / 2);
        let frames = Frames::all(Kind::Votes);
        self.put(from, Action::Hold { frames, by: held });
        self.put((from + rounds * each).min(HEALED_AT), Action::Hold { frames, by: 0 });
        for round in 0..rounds {
            let at = from + round * each;
            if at > HEALED_AT - SECOND {
                return;
            }
            let down = rng.between(5 * MS, 30 * MS);
            for node in 0..self.nodes() {
                let at = at + rng.below(5 * MS);
                self.put(at, Action::Crash { who: Who::Node(node), down: Some(down) });
            }
            let down_again = rng.between(MS, 20 * MS);
            let spared = rng.place(self.nodes() + 1);
            for node in (0..self.nodes()).filter(|node| *node != spared) {
                let who = Who::Node(node);
                let doom = Action::Doom { who, doom: Doom::AfterVote, down: down_again };
                self.put(at + down + 10 * MS, doom);
            }
        }
    }

    /// A read round is tried again before it is answered, by a node whose disk stands still, so that it falls behind: the
    /// late answer must not do for the reads that came meanwhile, after others had been told more.
    pub(super) fn strike_readers(&mut self, rng: &mut Rng, from: Micros) {
        let rounds = rng.between(3, 8);
        let each = 1_800 * MS;
        let frames = Frames::all(Kind::Answers);
        self.put(from, Action::Hold { frames, by: rng.between(800 * MS, 1_800 * MS) });
        self.put((from + rounds * each).min(HEALED_AT), Action::Hold { frames, by: 0 });
        for round in 0..rounds {
            let at = from + round * each + rng.below(200 * MS);
            if at > HEALED_AT - 2 * SECOND {
                return;
            }
            let stall = rng.between(700 * MS, 1_500 * MS);
            let who = Who::Follower;
            self.put(at, Action::Ask { who, wish: Wish::Read });
            self.put(at + 4 * MS, Action::DiskStall { who, span: stall });
            let plane = self.cluster.planes[rng.place(2)].name.clone();
            let (who, wish) = (Who::Leader, Wish::Drain { plane, on: false });
            self.put(at + rng.between(20 * MS, 120 * MS), Action::Ask { who, wish });
            for later in [200, 450, 800] {
                let at = at + (later + rng.below(80)) * MS;
                self.put(at, Action::Ask { who: Who::Follower, wish: Wish::Read });
            }
        }
    }

    /// A plane or one service on it comes and goes, faster or slower than it is judged.
    fn strike_again_and_again(&mut self, rng: &mut Rng, at: Micros, end: Micros) {
        let plane = rng.place(2);
        let service = rng.chance(500).then(|| rng.place(self.cluster.services.len()));
        let every = rng.between(100 * MS, 3 * SECOND);
        let mut at = at;
        while at < end {
            self.put(at, Action::Plane { plane, service, state: ServiceState::Dead });
            at += every / 2 + rng.below(every);
            self.put(at.min(end), Action::Plane { plane, service, state: ServiceState::Up });
            at += every / 2 + rng.below(every);
        }
    }

    /// An observer's way to a plane is cut, or lossy and slow.
    pub(super) fn strike_sight(
        &mut self,
        rng: &mut Rng,
        (at, end): (Micros, Micros),
        (who, plane): (Who, usize),
    ) {
        if rng.chance(400) {
            let lost = u32::try_from(rng.between(0, 900)).unwrap_or(0);
            let late = rng.small(3 * SECOND);
            self.put(at, Action::RoughSight { who, plane, lost, late });
            // A leader may be another one then.
            for who in [Who::All, who] {
                self.put(end, Action::RoughSight { who, plane, lost: 0, late: 0 });
            }
        } else {
            let span = self.until(rng, (at, end));
            self.put(at, Action::Blind { who, plane, on: true, span });
        }
    }

    pub(super) fn strike_planes(
        &mut self,
        rng: &mut Rng,
        kind: Fault,
        at: Micros,
        end: Micros,
        who: Who,
    ) {
        let plane = rng.place(2);
        let late = rng.between(MS, 400 * MS);
        let sick = *rng.pick(&[
            ServiceState::Dead,
            ServiceState::Dead,
            ServiceState::Hang,
            ServiceState::Error,
            ServiceState::Slow(late),
        ]);
        let services = self.cluster.services.len();
        // What both planes need may be sick alone: a shared dependency.
        let alone = kind == Fault::Service || (kind == Fault::BothPlanes && rng.chance(400));
        let service = alone.then(|| rng.place(services));
        if kind == Fault::Blind {
            return self.strike_sight(rng, (at, end), (who, plane));
        }
        let planes: &[usize] = if kind == Fault::BothPlanes { &[0, 1] } else { &[plane] };
        for plane in planes {
            self.put(at, Action::Plane { plane: *plane, service, state: sick });
            // Some stay sick until the end of the faults.
            let end = if rng.chance(700) { end } else { HEALED_AT };
            self.put(end, Action::Plane { plane: *plane, service: None, state: ServiceState::Up });
        }
    }
}
