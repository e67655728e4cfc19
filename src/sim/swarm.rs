//! Swarm testing (Groce et al., "Swarm testing", ISSTA 2012): each seed draws its own parameters and which
//! faults exist at all. Two phases: faults; then a quorum is healed, what is outside of it stays broken for
//! good, and the world must come to rest.

mod around;
mod fault;
mod requests;
mod strike;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub use fault::{FEWEST, Fault, Profile};

use super::action::{Action, Ways, Who};
use super::client::Wish;
use super::cluster::Shape;
use super::disk::Pace;
use super::network::Weather;
use super::plane::ServiceState;
use super::queue::{MS, Micros, SECOND};
use super::rng::{Rng, Stream};
use super::scenario::sense::keep_what_makes_sense;
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
            replay: rng.chance(250),
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
            self.leave_broken(rng, at + MS, node);
        }
        for node in self.core.clone() {
            self.put(at, Action::Start(Who::Node(node)));
        }
        // Nothing that an operator left behind may hold the cluster back. They try until they must be heard: an election may take
        // a while.
        let core = self.core.clone();
        for (n, node) in (0..3).flat_map(|_| &core).enumerate() {
            let who = Who::Node(*node);
            let at = at + 3 * SECOND + n as u64 * 2 * SECOND;
            let thaw = Wish::Freeze { groups: Vec::new(), on: false };
            self.put(at, Action::Ask { who, wish: thaw });
            for plane in self.cluster.planes.clone() {
                let wish = Wish::Drain { plane: plane.name, on: false };
                self.put(at, Action::Ask { who, wish });
            }
        }
    }

    /// Who is outside the healed quorum is dead, out of touch, slow, or started on a damaged disk, for good.
    fn leave_broken(&mut self, rng: &mut Rng, at: Micros, node: usize) {
        let who = Who::Node(node);
        let action = match rng.below(10) {
            // It starts on what is damaged, and may refuse to. The model has no bits. Where that is noticed long before, the
            // others bear all further troubles without it.
            6.. if self.params.redb => {
                let early = FAULTS_FROM + rng.below(HEALED_AT - FAULTS_FROM);
                let at = if rng.chance(500) { early } else { at };
                self.put(at, Action::DiskRots(who));
                return self.put(at, Action::Crash { who, down: Some(MS) });
            }
            0 => Action::Crash { who, down: None },
            1 | 6 => Action::CutOff { who, ways: Ways::In, span: None },
            2 | 7 => Action::CutOff { who, ways: Ways::Out, span: None },
            3 => Action::CutOff { who, ways: Ways::Both, span: None },
            _ => return self.leave_slow(rng, at, node),
        };
        self.put(at, action);
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
        let mut scenario = Scenario {
            params: self.params,
            length: END,
            actions: self.actions,
            triggers: self.triggers,
            rest: Some(self.core),
            ..Scenario::default()
        };
        // A group may be asked for that no configuration of this run brings.
        keep_what_makes_sense(&mut scenario);
        scenario
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
