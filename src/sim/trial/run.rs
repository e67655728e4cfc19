//! One run of a trial: what is done when, and what is looked at then.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Complaint, Trial, weather};
use crate::kernel::domain::{GroupName, PlaneName, ServiceName};
use crate::kernel::ledger::{Ask, AskState, Cluster, Mode};
use crate::kernel::switchover::{Kind, State};
use crate::sim::action::{Action, Who};
use crate::sim::client::Wish;
use crate::sim::plane::ServiceState;
use crate::sim::queue::{MS, Micros, SECOND};
use crate::sim::rng::{Rng, Stream};
use crate::sim::world::{Mark, World};

/// Watched this long without any trouble.
const CALM: Micros = 120 * SECOND;
/// Hiccups of one run.
const HICCUPS: u64 = 6;
/// A plane is well again this long before the other one dies.
const REPAIR: Micros = 60 * SECOND;

/// One run: what is done when, and what is looked at then.
#[derive(Debug)]
pub(super) struct Run<'a> {
    trial: Trial,
    cluster: &'a Cluster,
    /// The cluster has a leader and knows both planes.
    from: Micros,
    pub(super) end: Micros,
    pub(super) actions: Vec<(Micros, Action)>,
    /// Which service has the hiccups.
    struck: Option<(GroupName, ServiceName)>,
    /// Which plane dies first.
    dies: usize,
}

impl<'a> Run<'a> {
    pub(super) fn new(trial: Trial, cluster: &'a Cluster, seed: u64) -> Self {
        let mut rng = Rng::stream(seed, Stream::Faults);
        let from = settled(cluster);
        let mut run =
            Self { trial, cluster, from, end: from, actions: Vec::new(), struck: None, dies: 0 };
        match trial {
            Trial::Calm => run.end += CALM,
            Trial::Hiccup => run.hiccups(&mut rng, seed),
            Trial::Flapping => {
                run.end += weather::CHASE;
                for plane in 0..2 {
                    run.put(from, Action::Room { plane, groups: Some(0) });
                }
            }
            Trial::Outage => run.outages(&mut rng, seed),
            Trial::Approval => run.approval(&mut rng, seed),
        }
        run.pauses(&mut rng);
        run
    }

    fn put(&mut self, at: Micros, action: Action) {
        self.actions.push((at, action));
    }

    /// Members stand still for a moment, in turn with whoever leads.
    fn pauses(&mut self, rng: &mut Rng) {
        let mut at = self.from;
        while at < self.end {
            let node = rng.place(self.cluster.members.len());
            let who = if rng.chance(500) { Who::Leader } else { Who::Node(node) };
            let span = rng.between(weather::PAUSE / 4, weather::PAUSE);
            self.put(at, Action::Pause { who, span, after_read: false });
            at += weather::PAUSE_EVERY / 2 + rng.below(weather::PAUSE_EVERY);
        }
    }

    fn hiccups(&mut self, rng: &mut Rng, seed: u64) {
        let all = struck(self.cluster);
        let Some((group, service)) = nth(&all, seed) else { return };
        let place = self.cluster.services.keys().position(|name| name == *service);
        let plane = self.home(group);
        self.struck = Some(((*group).clone(), (*service).clone()));
        for _ in 0..HICCUPS {
            let span = rng.between(weather::HICCUP_MIN, weather::HICCUP_MAX);
            let at = self.end + rng.below(2 * SECOND);
            self.put(at, Action::Plane { plane, service: place, state: ServiceState::Hang });
            self.put(at + span, Action::Plane { plane, service: place, state: ServiceState::Up });
            self.end += weather::HICCUP_EVERY;
        }
    }

    fn dies(&mut self, rng: &mut Rng, at: Micros, plane: usize) {
        let state = *rng.pick(&[ServiceState::Dead, ServiceState::Hang]);
        self.put(at, Action::Plane { plane, service: None, state });
    }

    fn outages(&mut self, rng: &mut Rng, seed: u64) {
        self.dies = self.home_of_one(Mode::Auto, seed);
        let from = self.from + rng.below(SECOND);
        self.dies(rng, from, self.dies);
        let again = self.from + weather::SECOND_OUTAGE;
        let well = Action::Plane { plane: self.dies, service: None, state: ServiceState::Up };
        self.put(again - REPAIR, well);
        self.dies(rng, again, 1 - self.dies);
        self.end = again + weather::WAIT;
    }

    fn approval(&mut self, rng: &mut Rng, seed: u64) {
        self.dies = self.home_of_one(Mode::Ask, seed);
        self.dies(rng, self.from, self.dies);
        let asked =
            self.cluster.groups.values().filter(|group| group.policy.mode == Mode::Ask).count();
        let mut at = self.from + settled(self.cluster) + weather::ANSWER;
        for _ in 0..asked {
            at += 2 * SECOND;
            let wish = Wish::Answer { approve: true };
            self.put(at, Action::Ask { who: Who::Leader, wish });
        }
        self.end = at + weather::WAIT;
    }

    fn home(&self, group: &GroupName) -> usize {
        let home = self.cluster.groups.get(group).map(|group| &group.home);
        home.and_then(|home| self.cluster.plane_index(home)).unwrap_or(0)
    }

    fn home_of_one(&self, mode: Mode, seed: u64) -> usize {
        let groups: Vec<&GroupName> = self.with_mode(mode).collect();
        nth(&groups, seed).map_or(0, |group| self.home(group))
    }

    fn with_mode(&self, mode: Mode) -> impl Iterator<Item = &'a GroupName> {
        let groups = self.cluster.groups.iter();
        groups.filter(move |(_, group)| group.policy.mode == mode).map(|(name, _)| name)
    }

    pub(super) fn judge(&self, world: &World) -> BTreeSet<Complaint> {
        let mut complaints = BTreeSet::new();
        let marks = &world.watch().marks;
        match self.trial {
            Trial::Calm => {
                let elected = |(at, mark): &(Micros, Mark)| {
                    *at > self.from && matches!(mark, Mark::Leader(_))
                };
                complaints.extend(marks.iter().any(elected).then_some(Complaint::Election));
                let down = marks.iter().filter_map(|(_, mark)| match mark {
                    Mark::Down(service, _) => Some(Complaint::FalseDown(service.clone())),
                    _ => None,
                });
                complaints.extend(down);
            }
            Trial::Hiccup => {
                if let Some((group, service)) = &self.struck
                    && (self.decided(world, group) > 0 || asks(world, group).next().is_some())
                {
                    complaints.insert(Complaint::Left(group.clone(), service.clone()));
                }
            }
            Trial::Flapping => {
                let often = |group: &&GroupName| self.decided(world, group) > weather::MOVES;
                let groups = self.with_mode(Mode::Auto).filter(often);
                complaints.extend(groups.cloned().map(Complaint::Flapped));
            }
            Trial::Outage => self.judge_outages(world, &mut complaints),
            Trial::Approval => {
                // The plane stays dead: only its time can have ended an ask before it was answered.
                let unheard = |group: &&GroupName| {
                    self.home(group) == self.dies
                        && (asks(world, group)
                            .any(|ask| matches!(ask.state, AskState::Over { .. }))
                            || !self.followed(world, group, self.dies, (self.from, self.end)))
                };
                let groups = self.with_mode(Mode::Ask).filter(unheard);
                complaints.extend(groups.cloned().map(Complaint::Unheard));
            }
        }
        complaints
    }

    fn judge_outages(&self, world: &World, complaints: &mut BTreeSet<Complaint>) {
        let again = self.from + weather::SECOND_OUTAGE;
        for group in self.with_mode(Mode::Auto).filter(|group| self.home(group) == self.dies) {
            let within = |at: Micros| (at, at + weather::WAIT);
            if !self.followed(world, group, self.dies, within(self.from)) {
                complaints.insert(Complaint::Late(group.clone()));
            } else if !self.followed(world, group, 1 - self.dies, within(again)) {
                complaints.insert(Complaint::LateAgain(group.clone()));
            }
            let unverified = |mark: &Mark| match mark {
                Mark::Ended(of, state, _) => {
                    of == group && matches!(state, State::Stuck | State::Undone)
                }
                _ => false,
            };
            if world.watch().marks.iter().any(|(_, mark)| unverified(mark)) {
                complaints.insert(Complaint::Unverified(group.clone()));
            }
        }
    }

    /// How often the quorum moved a group by itself.
    fn decided(&self, world: &World, group: &GroupName) -> usize {
        let is = |mark: &Mark| matches!(mark, Mark::Decided(of, Kind::Automatic, _) if of == group);
        world.watch().marks.iter().filter(|(_, mark)| is(mark)).count()
    }

    /// Whether the gateway led a group away from a plane in this time.
    fn followed(
        &self,
        world: &World,
        group: &GroupName,
        dead: usize,
        (from, to): (Micros, Micros),
    ) -> bool {
        let away = |plane: &PlaneName| self.cluster.plane_index(plane) == Some(1 - dead);
        world.watch().marks.iter().any(|(at, mark)| match mark {
            Mark::Gateway(of, plane) => (from..=to).contains(at) && of == group && away(plane),
            _ => false,
        })
    }
}

/// What people were asked about a group, as the nodes know.
fn asks<'a>(world: &'a World, group: &'a GroupName) -> impl Iterator<Item = &'a Arc<Ask>> {
    let views = (0..world.cluster().members.len()).filter_map(|node| world.view(node));
    views.flat_map(|view| view.ledger.asks().values()).filter(move |ask| ask.group == *group)
}

fn nth<T>(all: &[T], seed: u64) -> Option<&T> {
    let count = u64::try_from(all.len()).ok().filter(|count| *count > 0)?;
    all.get(usize::try_from(seed % count).ok()?)
}

/// By then the cluster has a leader and knows both planes, whatever its timers are.
fn settled(cluster: &Cluster) -> Micros {
    let checks = cluster.services.values().flat_map(|service| service.checks.values());
    let slowest = checks
        .map(|check| {
            let timeout = check.targets.values().map(|target| target.timeout).max();
            (check.interval + timeout.unwrap_or_default()) * check.fall.max(check.rise)
        })
        .max();
    let span = slowest.unwrap_or_default() + 4 * cluster.timing.election_max;
    Micros::try_from(span.as_micros()).unwrap_or(0).div_ceil(MS) * MS + 5 * SECOND
}

/// The critical services of groups that are moved, or that a person is asked about.
pub(super) fn struck(cluster: &Cluster) -> Vec<(&GroupName, &ServiceName)> {
    let mut struck = Vec::new();
    for (group, settings) in &cluster.groups {
        if settings.policy.mode != Mode::Observe {
            let critical =
                |name: &&ServiceName| cluster.services.get(*name).is_some_and(|s| s.critical);
            struck
                .extend(settings.services.iter().filter(critical).map(|service| (group, service)));
        }
    }
    struck
}
