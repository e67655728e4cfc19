//! Swarm testing (Groce et al., "Swarm testing", ISSTA 2012): each seed draws its own parameters and which
//! faults exist at all. Two phases: faults; then a quorum is healed, what is outside of it stays broken for
//! good, and the world must come to rest.

mod fault;
mod requests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub use fault::{FEWEST, Fault, Profile};

use super::action::{Action, Doom, Frames, Outsider, Ways, Who};
use super::client::Wish;
use super::cluster::Shape;
use super::disk::Pace;
use super::frame::Kind;
use super::network::Weather;
use super::plane::ServiceState;
use super::queue::{MS, Micros, SECOND};
use super::rng::{Rng, Stream};
use super::scenario::{Scenario, Trigger};
use super::world::Params;
use crate::kernel::ledger::{Budget, Cluster, FlapLimit, Mode, WhenBothDown};

/// Faults begin here: the cluster has a leader and knows both planes.
const FAULTS_FROM: Micros = 5 * SECOND;
/// A quorum is healed here.
pub const HEALED_AT: Micros = 40 * SECOND;
/// The regular end of a run.
pub const END: Micros = 60 * SECOND;

/// One run, drawn.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The world's parameters.
    pub params: Params,
    /// The cluster under test.
    pub cluster: Arc<Cluster>,
    /// Which faults exist.
    pub faults: BTreeSet<Fault>,
    /// How many faults: blows, and kinds of weather that last.
    pub struck: u64,
    /// What is done when.
    pub actions: Vec<(Micros, Action)>,
    /// What is done the first time that something is seen.
    pub triggers: Vec<(Trigger, Action)>,
    /// Nodes of the healed quorum.
    pub core: Vec<usize>,
    /// A plane that is dead in the end, if any.
    pub dead: Option<usize>,
}

impl Plan {
    /// Draws the run of a seed, on the store of production or on the model; of the built-in cluster, whose settings are
    /// drawn too, or of another one as it is.
    pub fn draw(seed: u64, profile: Profile, redb: bool, other: Option<Arc<Cluster>>) -> Self {
        let mut rng = Rng::stream(seed, Stream::Swarm);
        let faults = fault::draw(&mut rng, profile);
        let has = |fault| faults.contains(&fault);
        let (lossy, replaying, clogged) =
            (has(Fault::Loss), has(Fault::Duplicates), has(Fault::Clog));
        let lossy_probes = if has(Fault::ProbeLoss) { rng.between(5, 80) } else { 0 };
        let params = Params {
            shape: shape(&mut rng, has(Fault::Observer)),
            cluster: other,
            weather: Weather::draw(&mut rng, lossy, replaying, clogged),
            pace: Pace::draw(&mut rng, has(Fault::DiskStall)),
            probe_loss: u32::try_from(lossy_probes).unwrap_or(0),
            drift_ppm: if has(Fault::ClockRate) { 4_000 } else { 100 },
            replay: rng.chance(600),
            log_entries: usize::try_from(rng.between(8, 400)).unwrap_or(400),
            gateways: if rng.chance(300) { 2 } else { 1 },
            redb,
            ..Params::fair(seed)
        };
        let mut plan = Self {
            cluster: params.cluster(),
            params,
            faults,
            struck: 0,
            actions: Vec::new(),
            triggers: Vec::new(),
            core: Vec::new(),
            dead: None,
        };
        plan.draw_faults(&mut Rng::stream(seed, Stream::Faults));
        plan.draw_rest(&mut rng);
        plan.draw_requests(&mut Rng::stream(seed, Stream::Requests), rng.chance(600));
        plan
    }

    fn draw_faults(&mut self, rng: &mut Rng) {
        let weather = |fault: &Fault| fault.is_weather();
        let (lasting, kinds): (Vec<Fault>, Vec<Fault>) =
            self.faults.iter().partition(|f| weather(f));
        self.struck = lasting.len() as u64;
        let pause = rng.between(400 * MS, 4 * SECOND);
        let mut at = FAULTS_FROM + rng.below(2 * SECOND);
        while at < HEALED_AT - SECOND {
            let kind = *rng.pick(&kinds);
            self.strike(rng, kind, at);
            self.struck += 1;
            at += pause / 4 + rng.below(2 * pause);
        }
    }

    fn nodes(&self) -> usize {
        self.cluster.members.len()
    }

    fn put(&mut self, at: Micros, action: Action) {
        self.actions.push((at, action));
    }

    /// Puts one fault of this kind into the plan, and its end.
    fn strike(&mut self, rng: &mut Rng, kind: Fault, at: Micros) {
        let span = 200 * MS + rng.small(12 * SECOND);
        let end = (at + span).min(HEALED_AT - MS);
        let down = if rng.chance(500) { rng.between(MS, 50 * MS) } else { rng.small(6 * SECOND) };
        let nodes = self.nodes();
        let node = rng.place(nodes);
        let who = if rng.chance(300) { Who::Leader } else { Who::Node(node) };
        let other = (node + 1 + rng.place(nodes - 1)) % nodes;
        match kind {
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
                let action = match kind {
                    Fault::CutOff => Action::CutOff { who, ways },
                    Fault::LeaderCutOff => Action::CutOff { who: Who::Leader, ways },
                    _ => Action::Cut { from: node, to: other, one_way: kind == Fault::OneWay },
                };
                self.put(at, action);
                self.put(end, Action::Heal);
                if kind == Fault::LeaderCutOff {
                    self.ask_the_cut_off(rng, at, end);
                }
            }
            Fault::Pause | Fault::PauseAfterRead => {
                let after_read = kind == Fault::PauseAfterRead;
                let span = span.min(5 * SECOND).min(end - at);
                self.put(at, Action::Pause { who, span, after_read });
            }
            Fault::ClockRate => {
                let ppm = i64::try_from(rng.between(0, 8_000)).unwrap_or(0) - 4_000;
                self.put(at, Action::ClockRate { who, ppm });
            }
            Fault::WallStep => {
                let by_ms = i64::try_from(rng.between(0, 7_200_000)).unwrap_or(0) - 3_600_000;
                self.put(at, Action::WallStep { who, by_ms });
            }
            Fault::DiskStall | Fault::DiskFail | Fault::DiskFull | Fault::DiskLie => {
                self.strike_disk(rng, kind, (at, span), who);
            }
            Fault::Kinds => self.strike_kinds(rng, (at, end)),
            Fault::Observer => self.strike_observers(rng, (at, end)),
            Fault::Reconfigure => self.strike_settings(rng, (at, end)),
            Fault::Lie | Fault::Overload | Fault::ShutOut | Fault::Rough | Fault::Gateway => {
                self.strike_outside(rng, kind, (at, end), who);
            }
            Fault::SlowAnswers => self.strike_readers(rng, at),
            // These are the weather, not events.
            Fault::Loss | Fault::Duplicates | Fault::Clog | Fault::ProbeLoss => {}
        }
    }

    fn strike_disk(&mut self, rng: &mut Rng, kind: Fault, (at, span): (Micros, Micros), who: Who) {
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

    /// Planes that mislead, and who talks to nodes from outside.
    fn strike_outside(
        &mut self,
        rng: &mut Rng,
        kind: Fault,
        (at, end): (Micros, Micros),
        who: Who,
    ) {
        match kind {
            Fault::Lie => {
                let (plane, state) = (rng.place(2), ServiceState::Lies);
                self.put(at, Action::Plane { plane, service: None, state });
                self.put(end, Action::Plane { plane, service: None, state: ServiceState::Up });
            }
            Fault::Overload => {
                let plane = rng.place(2);
                self.put(at, Action::Room { plane, groups: Some(rng.place(2)) });
                self.put(end, Action::Room { plane, groups: None });
            }
            Fault::ShutOut => {
                let from = *rng.pick(&[Outsider::Gateway, Outsider::Clients, Outsider::Resolvers]);
                if from == Outsider::Clients {
                    self.ask_before_silence(rng, at, who);
                }
                self.put(at, Action::CutApi { who, from, on: true });
                self.put(end, Action::CutApi { who: Who::All, from, on: false });
            }
            Fault::Rough => {
                let from = *rng.pick(&[Outsider::Gateway, Outsider::Clients, Outsider::Resolvers]);
                let lost = u32::try_from(rng.between(0, 700)).unwrap_or(0);
                let late = rng.small(3 * SECOND);
                let who = if rng.chance(400) { Who::All } else { who };
                self.put(at, Action::RoughApi { who, from, lost, late });
                self.put(end, Action::RoughApi { who: Who::All, from, lost: 0, late: 0 });
            }
            Fault::Gateway => {
                let which = rng.place(self.params.gateways);
                self.put(at, Action::Gateway { which, up: false });
                self.put(end, Action::Gateway { which, up: true });
            }
            _ => {}
        }
    }

    /// How many members and observers there are.
    fn places(&self) -> usize {
        self.nodes() + self.cluster.observers.len()
    }

    /// One kind of frame is lost or held up, everywhere or on some links, and all others travel well.
    fn strike_kinds(&mut self, rng: &mut Rng, (at, end): (Micros, Micros)) {
        let (kind, _) = *rng.pick(&Kind::ALL);
        let places = self.places();
        let one = |rng: &mut Rng| rng.chance(400).then(|| rng.place(places));
        let frames = Frames { kind, from: one(rng), to: one(rng) };
        let (strike, spare) = if rng.chance(500) {
            let lost = u32::try_from(rng.between(200, 1000)).unwrap_or(1000);
            (Action::Lose { frames, lost }, Action::Lose { frames, lost: 0 })
        } else {
            let by = rng.between(20 * MS, 2 * SECOND);
            (Action::Hold { frames, by }, Action::Hold { frames, by: 0 })
        };
        self.put(at, strike);
        self.put(end, spare);
    }

    /// An observer beside the members, where there is one.
    fn strike_observers(&mut self, rng: &mut Rng, (at, end): (Micros, Micros)) {
        if self.cluster.observers.is_empty() {
            return;
        }
        let who = Who::Observer(rng.place(self.cluster.observers.len()));
        match rng.below(4) {
            0 => {
                self.put(
                    at,
                    Action::CutOff { who, ways: *rng.pick(&[Ways::Both, Ways::In, Ways::Out]) },
                );
                self.put(end, Action::Heal);
            }
            1 => {
                self.put(at, Action::Blind { who, plane: rng.place(2), on: true });
                self.put(end, Action::Heal);
            }
            2 => {
                let ppm = i64::try_from(rng.between(0, 8_000)).unwrap_or(0) - 4_000;
                self.put(at, Action::ClockRate { who, ppm });
            }
            _ => self.put(at, Action::Crash { who, down: Some((end - at).max(MS)) }),
        }
    }

    /// A plane dies, and another configuration is applied while it is asked about, decided or moved.
    fn strike_settings(&mut self, rng: &mut Rng, (at, end): (Micros, Micros)) {
        self.strike_planes(rng, Fault::Plane, at, end, Who::Leader);
        let ask = |rng: &mut Rng, nodes| {
            let who = Who::Node(rng.place(nodes));
            Action::Ask { who, wish: Wish::Configure(rng.below(4)) }
        };
        let nodes = self.nodes();
        if self.triggers.len() < 2 {
            let seen = *rng.pick(&[
                Trigger::Question,
                Trigger::Decided,
                Trigger::Decided,
                Trigger::Routed,
                Trigger::Crash,
            ]);
            let action = ask(rng, nodes);
            self.triggers.push((seen, action));
        }
        for _ in 0..2 {
            let action = ask(rng, nodes);
            self.put(at + rng.small(3 * SECOND), action);
        }
    }

    /// A few times all start at once and votes travel slowly, so that more than one of them runs for the same
    /// term. Who votes dies right after it said so, and is back before the other candidate's request is there.
    fn strike_voters(&mut self, rng: &mut Rng, from: Micros) {
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
    fn strike_readers(&mut self, rng: &mut Rng, from: Micros) {
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

    fn strike_planes(&mut self, rng: &mut Rng, kind: Fault, at: Micros, end: Micros, who: Who) {
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
        let service = (kind == Fault::Service).then(|| rng.place(services));
        if kind == Fault::Blind {
            self.put(at, Action::Blind { who, plane, on: true });
            return self.put(end, Action::Heal);
        }
        let planes: &[usize] = if kind == Fault::BothPlanes { &[0, 1] } else { &[plane] };
        for plane in planes {
            self.put(at, Action::Plane { plane: *plane, service, state: sick });
            // Some stay sick until the end of the faults.
            let end = if rng.chance(700) { end } else { HEALED_AT };
            self.put(end, Action::Plane { plane: *plane, service: None, state: ServiceState::Up });
        }
    }

    /// The second phase: a quorum is healed, the rest is left broken for good.
    fn draw_rest(&mut self, rng: &mut Rng) {
        let outside = rng.chance(500).then(|| rng.place(self.nodes()));
        // Without its only member nothing would be left to heal.
        let outside = outside.filter(|_| self.nodes() > 1);
        self.core = (0..self.nodes()).filter(|node| Some(*node) != outside).collect();
        self.dead = rng.chance(600).then(|| rng.place(2));
        let at = HEALED_AT;
        self.put(at, Action::Heal);
        self.put(at, Action::Calm);
        for which in 0..self.params.gateways {
            self.put(at, Action::Gateway { which, up: true });
        }
        self.draw_rest_of_observers(rng, at);
        for plane in 0..2 {
            let dead = self.dead == Some(plane);
            let state = if dead { ServiceState::Dead } else { ServiceState::Up };
            self.put(at, Action::Plane { plane, service: None, state });
            self.put(at, Action::Room { plane, groups: None });
        }
        if let Some(node) = outside {
            let who = Who::Node(node);
            let action = match rng.below(8) {
                0 => Action::Crash { who, down: None },
                // It starts on what is damaged, and may refuse to. The model has no bits.
                4.. if self.params.redb => {
                    self.put(at + MS, Action::DiskRots(who));
                    Action::Crash { who, down: Some(MS) }
                }
                1 | 4 => Action::CutOff { who, ways: Ways::In },
                2 | 5 => Action::CutOff { who, ways: Ways::Out },
                _ => Action::CutOff { who, ways: Ways::Both },
            };
            self.put(at + MS, action);
        }
        for node in self.core.clone() {
            self.put(at, Action::Start(Who::Node(node)));
        }
        // Nothing that an operator left behind may hold the cluster back.
        for (n, node) in self.core.clone().into_iter().enumerate() {
            let who = Who::Node(node);
            let at = at + 3 * SECOND + n as u64 * SECOND;
            let thaw = Wish::Freeze { groups: Vec::new(), on: false };
            self.put(at, Action::Ask { who, wish: thaw });
            for plane in self.cluster.planes.clone() {
                let wish = Wish::Drain { plane: plane.name, on: false };
                self.put(at, Action::Ask { who, wish });
            }
        }
    }

    /// Two members and an observer are enough; of two observers the second may stay away.
    fn draw_rest_of_observers(&mut self, rng: &mut Rng, at: Micros) {
        let count = self.cluster.observers.len();
        let away = count == 2 && self.nodes() == 3 && rng.chance(300);
        for nth in 0..count {
            let who = Who::Observer(nth);
            if away && nth == 1 {
                self.put(at, Action::Crash { who, down: None });
            } else {
                self.put(at, Action::Start(who));
            }
        }
    }

    /// The run itself: it must come to rest, and no oracle may find anything.
    pub fn scenario(self) -> Scenario {
        Scenario {
            params: self.params,
            length: END,
            actions: self.actions,
            triggers: self.triggers,
            rest: Some(self.core),
            ..Scenario::default()
        }
    }
}

fn shape(rng: &mut Rng, observers: bool) -> Shape {
    let ms = Duration::from_millis;
    let budget = Budget {
        switches: u32::try_from(rng.between(1, 3)).unwrap_or(1),
        window: Duration::from_secs(rng.between(5, 60)),
    };
    let flaps = FlapLimit {
        downs: u32::try_from(rng.between(2, 4)).unwrap_or(2),
        window: Duration::from_secs(rng.between(5, 30)),
    };
    let thresholds = u32::try_from(rng.between(1, 3)).unwrap_or(2);
    Shape {
        mode: if rng.chance(900) {
            Mode::Auto
        } else {
            *rng.pick(&[Mode::Ask, Mode::Ask, Mode::Observe])
        },
        dwell: ms(rng.between(0, 6_000)),
        budget: rng.chance(250).then_some(budget),
        flap_limit: rng.chance(250).then_some(flaps),
        interval: ms(*rng.pick(&[200, 500, 1_000])),
        fall_rise: (thresholds, thresholds),
        election_max: ms(*rng.pick(&[600, 1_000, 2_000])),
        two_groups: rng.chance(400),
        when_both_down: if rng.chance(150) { WhenBothDown::Refuse } else { WhenBothDown::Keep },
        observers: if observers { 1 + rng.place(2) } else { 0 },
    }
}
