//! Everything that one observer probes, and what it makes of the results.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::layout::{Judged, Layout};
use super::seen::CheckSeen;
use super::target::Target;
use super::{CheckState, Service, evaluate};
use crate::kernel::domain::{
    CheckName, Endpoint, HealthState, Moment, PlaneName, ProbeFault, ProbeId, ProbeOrder,
    ProbeResult, ServiceName, StatePair,
};

/// What a result changed. Lists are in the order of the services' names and name nothing twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Services whose report is another than before.
    pub reports: Vec<ServiceName>,
    /// (service, plane) against which something speaks now, and nothing did before.
    pub suspects: Vec<(ServiceName, usize)>,
    /// (service, plane) against which nothing speaks any more.
    pub cleared: Vec<(ServiceName, usize)>,
    /// Services whose ballots may have changed: the users of the target.
    pub results: Vec<ServiceName>,
    /// Whether it was a reference target, so that `isolated` may have changed.
    pub reference: bool,
}

/// What was last made known of a (service, plane).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    state: HealthState,
    suspect: bool,
}

/// Decides when to probe what, and keeps what came of it: reports, suspects, ballots, isolation.
///
/// Equal checks of one endpoint are probed once. At most one probe of a target is in flight; one whose
/// result does not come within its timeout and [`super::limits::RESULT_GRACE`] is given up and says nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Prober {
    seed: u64,
    last_id: u64,
    layout: Arc<Layout>,
    /// By the target's number.
    targets: Vec<Target>,
    /// Each target once, by its `due`.
    queue: BTreeSet<(Moment, usize)>,
    in_flight: BTreeMap<ProbeId, usize>,
    /// By the service's place, then plane.
    known: Vec<[Known; 2]>,
    reports: BTreeMap<ServiceName, StatePair>,
    suspects: BTreeMap<ServiceName, [bool; 2]>,
}

impl Prober {
    /// Probes nothing until configured. Equal seeds spread probes equally.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            last_id: 0,
            layout: Arc::default(),
            targets: Vec::new(),
            queue: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            known: Vec::new(),
            reports: BTreeMap::new(),
            suspects: BTreeMap::new(),
        }
    }

    /// Replaces what is probed. A target that stays, judged by the same thresholds, keeps its state; a new
    /// one is unknown. `references` are probed by TCP, each `reference_interval` with that as timeout.
    pub fn configure(
        &mut self,
        now: Moment,
        planes: &[PlaneName; 2],
        services: &BTreeMap<ServiceName, Service>,
        references: &[Endpoint],
        reference_interval: Duration,
    ) {
        let layout = Layout::new(planes, services, references, reference_interval);
        let mut kept: BTreeMap<Judged, VecDeque<Target>> = BTreeMap::new();
        for (spec, target) in self.layout.specs.iter().zip(std::mem::take(&mut self.targets)) {
            kept.entry(spec.judged.clone()).or_default().push_back(target);
        }
        self.targets = layout
            .specs
            .iter()
            .map(|spec| {
                let target = kept.get_mut(&spec.judged).and_then(VecDeque::pop_front);
                let Some(mut target) = target else { return Target::new(self.seed, now, spec) };
                if target.in_flight.is_none() {
                    target.due = target.due.min(now + spec.interval);
                }
                target
            })
            .collect();
        self.queue = self.targets.iter().enumerate().map(|(n, t)| (t.due, n)).collect();
        let flying = self.targets.iter().enumerate();
        self.in_flight = flying.filter_map(|(n, t)| Some((t.in_flight?, n))).collect();
        self.layout = Arc::new(layout);
        self.judge_anew();
    }

    fn judge_anew(&mut self) {
        self.reports.clear();
        self.suspects.clear();
        self.known.clear();
        for (place, service) in self.layout.services.iter().enumerate() {
            let known = [0, 1].map(|plane| self.judge(place, plane));
            self.known.push(known);
            self.reports.insert(service.name.clone(), StatePair(known.map(|k| k.state)));
            let suspect = known.map(|k| k.suspect);
            if suspect != [false; 2] {
                self.suspects.insert(service.name.clone(), suspect);
            }
        }
    }

    /// When `poll` has something to do; [`Moment::NEVER`] if nothing is probed.
    pub fn next_due(&self) -> Moment {
        self.queue.first().map_or(Moment::NEVER, |(due, _)| *due)
    }

    /// The next probe that is due; call until it returns nothing.
    pub fn poll(&mut self, now: Moment) -> Option<ProbeOrder> {
        while let Some((due, number)) = self.queue.first().copied() {
            if due > now {
                return None;
            }
            let spec = &self.layout.specs[number];
            if let Some(lost) = self.targets[number].in_flight.take() {
                self.in_flight.remove(&lost);
                let next = self.targets[number].next_start(now, spec, true);
                self.schedule(number, next);
                continue;
            }
            self.last_id += 1;
            let id = ProbeId(self.last_id);
            let give_up = self.targets[number].start(now, id, spec);
            let order = ProbeOrder { id, target: Arc::clone(&spec.judged.target) };
            self.in_flight.insert(id, number);
            // A timeout of nothing and no grace would make the same target due again at once.
            self.schedule(number, give_up.max(now + super::limits::SHORTEST_INTERVAL));
            return Some(order);
        }
        None
    }

    fn schedule(&mut self, number: usize, due: Moment) {
        let target = &mut self.targets[number];
        self.queue.remove(&(target.due, number));
        target.due = due;
        self.queue.insert((due, number));
    }

    /// Takes a result. One that nobody waits for any more is ignored. The cost is that of the services which
    /// use the target.
    pub fn on_result(&mut self, now: Moment, result: ProbeResult) -> Changes {
        let mut changes = Changes::default();
        let Some(number) = self.in_flight.remove(&result.id) else { return changes };
        let layout = Arc::clone(&self.layout);
        let spec = &layout.specs[number];
        let target = &mut self.targets[number];
        let judged = !matches!(result.outcome, Err(ProbeFault::NotProbed(_)));
        let before = (target.check_state(), target.failing());
        target.finish(now, spec, result);
        let after = (target.check_state(), target.failing());
        let next = target.next_start(now, spec, judged);
        self.schedule(number, next);
        if !judged {
            return changes;
        }
        changes.reference = layout.references.binary_search(&number).is_ok();
        for (place, plane) in &layout.users[number] {
            let name = &layout.services[*place].name;
            if changes.results.last() != Some(name) {
                changes.results.push(name.clone());
            }
            if before != after {
                self.update(&layout, *place, *plane, &mut changes);
            }
        }
        changes
    }

    fn update(&mut self, layout: &Layout, place: usize, plane: usize, changes: &mut Changes) {
        let name = &layout.services[place].name;
        let is = self.judge(place, plane);
        let was = std::mem::replace(&mut self.known[place][plane], is);
        let [first, second] = self.known[place];
        if was.state != is.state {
            self.reports.insert(name.clone(), StatePair([first.state, second.state]));
            if changes.reports.last() != Some(name) {
                changes.reports.push(name.clone());
            }
        }
        if was.suspect == is.suspect {
            return;
        }
        let list = if is.suspect { &mut changes.suspects } else { &mut changes.cleared };
        list.push((name.clone(), plane));
        if first.suspect || second.suspect {
            self.suspects.insert(name.clone(), [first.suspect, second.suspect]);
        } else {
            self.suspects.remove(name);
        }
    }

    fn judge(&self, place: usize, plane: usize) -> Known {
        let service = &self.layout.services[place];
        let targets =
            || service.checks.iter().map(|(_, numbers)| numbers[plane].map(|n| &self.targets[n]));
        let checks = targets().map(|t| t.map_or(CheckState::Unknown, Target::check_state));
        let state = evaluate(service.require, checks);
        let failing = targets().flatten().any(Target::failing);
        let against = matches!(state, HealthState::Degraded | HealthState::Down);
        Known { state, suspect: failing || against }
    }

    /// Probes the targets of these services at once, because a hint or a question asks for it; a target in
    /// flight is probed again after it. No target is probed more often than its `fast_interval`.
    pub fn hasten(&mut self, now: Moment, services: &BTreeSet<ServiceName>) {
        let layout = Arc::clone(&self.layout);
        for place in services.iter().filter_map(|name| layout.service(name)) {
            for number in layout.targets_of(place) {
                self.hasten_target(now, number);
            }
        }
    }

    /// The same for the reference targets.
    pub fn hasten_references(&mut self, now: Moment) {
        let layout = Arc::clone(&self.layout);
        for number in &layout.references {
            self.hasten_target(now, *number);
        }
    }

    fn hasten_target(&mut self, now: Moment, number: usize) {
        let target = &mut self.targets[number];
        if target.in_flight.is_some() {
            target.hastened = true;
            return;
        }
        let soonest = target.soonest(now, &self.layout.specs[number]);
        if soonest < target.due {
            self.schedule(number, soonest);
        }
    }

    /// The debounced view of every configured service.
    pub fn reports(&self) -> &BTreeMap<ServiceName, StatePair> {
        &self.reports
    }

    /// The services against which something speaks, by plane: a check whose newest probe failed, or a report
    /// of down or degraded. Services without suspicion are not listed.
    pub fn suspects(&self) -> &BTreeMap<ServiceName, [bool; 2]> {
        &self.suspects
    }

    /// What this observer says to a question that it has seen at `seen`: a check is down or up only if the
    /// report says so and its newest finished probe, begun no earlier, agrees; else unknown. Services that are
    /// not probed are left out.
    pub fn ballot<'a>(
        &self,
        services: impl Iterator<Item = &'a ServiceName>,
        seen: Moment,
    ) -> BTreeMap<ServiceName, StatePair> {
        let state = |place: usize, plane: usize| {
            let service = &self.layout.services[place];
            let checks = service.checks.iter().map(|(_, numbers)| {
                let target = numbers[plane].map(|number| &self.targets[number]);
                target.map_or(CheckState::Unknown, |target| target.check_state_since(seen))
            });
            evaluate(service.require, checks)
        };
        services
            .filter_map(|name| {
                let place = self.layout.service(name)?;
                Some((name.clone(), StatePair([state(place, 0), state(place, 1)])))
            })
            .collect()
    }

    /// Whether this observer is cut off, by the newest finished probe of each reference target, begun no
    /// earlier than `seen`: yes when all failed, no when one passed or there is nothing to reach, and nothing
    /// while that is not known.
    pub fn isolated(&self, seen: Option<Moment>) -> Option<bool> {
        let mut all_known = true;
        for number in &self.layout.references {
            match self.targets[*number].passed_since(seen) {
                Some(true) => return Some(false),
                Some(false) => {}
                None => all_known = false,
            }
        }
        all_known.then_some(!self.layout.references.is_empty())
    }

    /// What is known of each check of a service, by plane; nothing for an unknown service.
    pub fn seen(
        &self,
        service: &ServiceName,
        now: Moment,
    ) -> Option<[BTreeMap<CheckName, CheckSeen>; 2]> {
        let service = &self.layout.services[self.layout.service(service)?];
        Some([0, 1].map(|plane| {
            let seen = service.checks.iter().filter_map(|(name, numbers)| {
                let number = numbers[plane]?;
                let seen = self.targets[number].seen(&self.layout.specs[number], now);
                Some((name.clone(), seen))
            });
            seen.collect()
        }))
    }

    /// What is known of each check of a service, in words, by plane; nothing for an unknown service.
    pub fn describe(&self, service: &ServiceName) -> Option<[BTreeMap<CheckName, String>; 2]> {
        let service = &self.layout.services[self.layout.service(service)?];
        Some([0, 1].map(|plane| {
            let words = service.checks.iter().map(|(name, numbers)| {
                let known = numbers[plane].map_or_else(
                    || "unknown: no target on this plane".to_owned(),
                    |number| self.targets[number].describe(&self.layout.specs[number]),
                );
                (name.clone(), known)
            });
            words.collect()
        }))
    }
}

#[cfg(test)]
mod tests;
