//! Verifying: the world is asked from outside. Verified = at least half of the members that serve DNS (of an odd
//! number: a majority), every gateway that was heard from, and the front door show the new epoch; the rest is
//! *converging* and does not hold up Done.
//!
//! Gateways are waited for until `verify_timeout`, and no longer: if one of them shows the new epoch, it can be had, and
//! those that stay behind are converging too, each with an alarm. If none does, a person is told. Users are moved back
//! only by what members saw themselves: see `docs/decisions/0013-gateways-undo-nothing.md`.
//!
//! Half is enough because two of them beside a witness are one at each of two sites: when a site is lost, there is no
//! more to be had, and users are where the other says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::followers::Followers;
use super::{
    Controller, Effect, EffectId, EffectOrder, GatewayHeard, Output, Receipt, ReceiptOutcome,
    limits,
};
use crate::kernel::domain::{
    Endpoint, GatewayName, GroupName, MemberId, Moment, Quorum, SwitchoverId, pairs,
};
use crate::kernel::ledger::Cluster;
use crate::kernel::switchover::{Event, Switchover};

/// One thing to be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Vantage {
    Dns(MemberId, String),
    FrontDoor(Endpoint),
}

/// One switchover that is being verified.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Verification {
    /// The leader had applied so much when it began: with that the route, whatever was decided before.
    since: u64,
    /// When the first of them was asked: until then a crowd of others was before it.
    started: Option<Moment>,
    /// Everybody who is asked.
    vantages: Arc<[Vantage]>,
    /// Answered as hoped.
    good: BTreeSet<Vantage>,
    /// Being asked, or not to be asked again before.
    #[serde(with = "pairs")]
    not_before: BTreeMap<Vantage, Moment>,
    /// The effect by which each was asked last.
    #[serde(with = "pairs")]
    asked_by: BTreeMap<Vantage, EffectId>,
}

/// All of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Verifying {
    running: BTreeMap<SwitchoverId, Verification>,
    /// Of them, those that something came for.
    touched: BTreeSet<SwitchoverId>,
    /// Of them, those that wait for a place among the effects.
    starved: BTreeSet<SwitchoverId>,
    /// When all of them are looked at.
    round: Option<Moment>,
    /// By group, of this configuration.
    vantages: (u64, BTreeMap<GroupName, Arc<[Vantage]>>),
    effects: BTreeMap<EffectId, (SwitchoverId, Vantage)>,
    effects_ordered: u64,
}

impl Verifying {
    /// How many effects are under way.
    pub(super) fn effects(&self) -> usize {
        self.effects.len()
    }

    /// How many switchovers are verified.
    pub(super) fn size(&self) -> usize {
        self.running.len()
    }

    pub(super) fn forget(&mut self, id: SwitchoverId) {
        if let Some(running) = self.running.remove(&id) {
            for effect in running.asked_by.values() {
                self.effects.remove(effect);
            }
        }
        self.touched.remove(&id);
        self.starved.remove(&id);
    }

    pub(super) fn clear(&mut self) {
        self.running.clear();
        self.touched.clear();
        self.starved.clear();
        self.effects.clear();
        self.round = None;
    }

    /// Something came that may complete this one.
    pub(super) fn touch(&mut self, id: SwitchoverId) {
        if self.running.contains_key(&id) {
            self.touched.insert(id);
        }
    }

    /// Numbers every effect of this process.
    pub(super) const fn next_effect(&mut self) -> EffectId {
        self.effects_ordered += 1;
        EffectId(self.effects_ordered)
    }

    pub(super) fn next_due(&self) -> Moment {
        if self.touched.is_empty() { self.round.unwrap_or(Moment::NEVER) } else { Moment::ZERO }
    }
}

/// How far a verification has come.
struct Standing<'a> {
    /// Enough members and the front doors show the new epoch.
    shown: bool,
    followers: Followers<'a>,
    /// Who does not show the new epoch, in words.
    missing: Vec<String>,
}

impl Controller {
    pub(super) fn begin_verification(&mut self, switchover: &Switchover) {
        let id = switchover.id;
        if self.verifying.running.contains_key(&id) {
            return;
        }
        let vantages = self.vantages(&switchover.group);
        let verification = Verification {
            since: self.ledger.index(),
            started: vantages.is_empty().then_some(self.now),
            vantages,
            good: BTreeSet::new(),
            not_before: BTreeMap::new(),
            asked_by: BTreeMap::new(),
        };
        self.verifying.running.insert(id, verification);
        self.verifying.touch(id);
    }

    /// A gateway spoke: what it shows now and did not show before may complete a verification.
    pub(super) fn verify_gateway(&mut self, gateway: &GatewayName, before: Option<&GatewayHeard>) {
        let Some(heard) = self.gateways.get(gateway) else { return };
        if self.verifying.running.is_empty() {
            return;
        }
        for (group, epoch) in &heard.report.groups {
            let known = before.and_then(|before| before.report.groups.get(group));
            let last = self.ledger.groups().get(group).and_then(|state| state.switchover);
            if let Some(last) = last.filter(|_| known != Some(epoch)) {
                self.verifying.touch(last);
            }
        }
    }

    /// Everybody who is asked about a group. Found once for all groups of a configuration.
    fn vantages(&mut self, group: &GroupName) -> Arc<[Vantage]> {
        let version = self.ledger.config_version();
        if self.verifying.vantages.0 != version
            && let Some(config) = self.ledger.config()
        {
            self.verifying.vantages = (version, all_vantages(config));
        }
        self.verifying.vantages.1.get(group).cloned().unwrap_or_else(|| Arc::new([]))
    }

    pub(super) fn on_receipt(&mut self, receipt: Receipt) {
        let Some((id, vantage)) = self.verifying.effects.remove(&receipt.id) else { return };
        if let Some(running) = self.verifying.running.get_mut(&id) {
            running.asked_by.remove(&vantage);
        }
        self.verifying.touch(id);
        // The place that is free now is the next one's.
        if let Some(next) = self.verifying.starved.pop_first() {
            self.verifying.touch(next);
        }
        let Some(switchover) = self.ledger.switchovers().get(&id).cloned() else { return };
        let Some(running) = self.verifying.running.get_mut(&id) else { return };
        running.not_before.insert(vantage.clone(), self.now + limits::VERIFY_PAUSE);
        let shows = match receipt.outcome {
            Ok(ReceiptOutcome::Dns(record)) => {
                record.group == switchover.group
                    && switchover.epoch.is_some_and(|epoch| record.epoch >= epoch)
            }
            Ok(ReceiptOutcome::FrontDoor) => true,
            Ok(ReceiptOutcome::Told) | Err(_) => false,
        };
        if shows {
            running.good.insert(vantage);
        }
    }

    pub(super) fn verify_routes(&mut self) {
        let all = self.verifying.round.is_none_or(|round| round <= self.now);
        let ids = if all {
            self.verifying.touched.clear();
            self.verifying.running.keys().copied().collect()
        } else {
            std::mem::take(&mut self.verifying.touched)
        };
        if ids.is_empty() {
            self.verifying.round = self.verifying.round.filter(|_| !all);
            return;
        }
        let Some(config) = self.ledger.config().cloned() else { return };
        for id in ids {
            let Some(switchover) = self.ledger.switchovers().get(&id).cloned() else {
                self.verifying.forget(id);
                continue;
            };
            self.verify_one(&config, &switchover);
        }
        if all {
            self.verifying.round = Some(self.now + limits::VERIFY_PAUSE);
        }
    }

    fn verify_one(&mut self, config: &Arc<Cluster>, switchover: &Switchover) {
        let id = switchover.id;
        let Some(running) = self.verifying.running.get(&id) else { return };
        let started = running.started;
        let Standing { shown, followers, missing } = self.standing(config, switchover, running);
        let (worst, some_follow) = (followers.worst(), followers.showing > 0);
        let late = started.is_some_and(|at| self.now.since(at) >= config.timing.verify_timeout);
        let to = &switchover.to;
        match worst {
            None if shown => {
                let note = format!("verified: users are sent to {to}");
                self.step(id, Event::Verified, None, missing, note);
            }
            Some(worst) if shown && late && some_follow => {
                let note = format!("verified: users are sent to {to}; {worst}");
                self.step(id, Event::Verified, None, missing, note);
            }
            Some(worst) if shown && late => {
                let note = format!(
                    "the route is on {to}, and no gateway follows it ({worst}): see that they do, or switch by hand"
                );
                self.step(id, Event::Strand, None, missing, note);
            }
            _ if late => self.verification_failed(config, switchover, missing),
            _ => self.ask_vantages(config, switchover),
        }
    }

    fn verification_failed(
        &mut self,
        config: &Arc<Cluster>,
        switchover: &Switchover,
        missing: Vec<String>,
    ) {
        let Switchover { id, group, from, .. } = switchover;
        let back = config.plane_index(from);
        let up = back.is_some_and(|plane| {
            self.ledger.sum(group, plane, crate::kernel::ledger::Evidence::Reports).good()
        });
        let what = missing.join(", ");
        if up {
            let note = format!("not verified in time ({what})");
            self.step(*id, Event::Undo, None, missing, note);
        } else {
            let note = format!(
                "not verified in time ({what}), and {from} is not up, so there is no way back: see \
                 that these follow the route, or switch by hand"
            );
            self.step(*id, Event::Strand, None, missing, note);
        }
    }

    /// Counts who shows the new epoch.
    fn standing(
        &self,
        config: &Cluster,
        switchover: &Switchover,
        running: &Verification,
    ) -> Standing<'_> {
        let mut missing = Vec::new();
        let vantages = &running.vantages;
        let named = vantages.iter().any(|vantage| matches!(vantage, Vantage::Dns(..)));
        let (mut showing, mut serving) = (0, 0);
        for settings in config.serving() {
            serving += 1;
            let member = &settings.id;
            let shows = vantages
                .iter()
                .filter(|vantage| matches!(vantage, Vantage::Dns(of, _) if of == member))
                .all(|vantage| running.good.contains(vantage));
            if shows && (named || self.has_applied(*member, running.since)) {
                showing += 1;
            } else {
                missing.push(format!("member {}", settings.name));
            }
        }
        let mut shown = showing >= enough(serving);
        let in_time = config.timing.verify_timeout;
        let followers = switchover.epoch.map(|new| self.followers(&switchover.group, new, in_time));
        let followers = followers.unwrap_or_default();
        missing.extend(followers.missing());
        for vantage in vantages.iter() {
            if let Vantage::FrontDoor(endpoint) = vantage
                && !running.good.contains(vantage)
            {
                missing.push(format!("front door {endpoint}"));
                shown = false;
            }
        }
        Standing { shown, followers, missing }
    }

    /// A member whose names are asked shows it in its answers; for a group without names its word counts.
    fn has_applied(&self, member: MemberId, since: u64) -> bool {
        member == self.me || self.leading.applied.get(&member).is_some_and(|at| *at >= since)
    }

    fn ask_vantages(&mut self, config: &Cluster, switchover: &Switchover) {
        let now = self.now;
        let Some(running) = self.verifying.running.get_mut(&switchover.id) else { return };
        for vantage in running.vantages.iter().cloned() {
            let waiting = running.not_before.get(&vantage).is_some_and(|at| *at > now);
            if waiting || running.good.contains(&vantage) {
                continue;
            }
            // Asked before, and its receipt is lost: it would keep its place for ever.
            if let Some(lost) = running.asked_by.remove(&vantage) {
                self.verifying.effects.remove(&lost);
            }
            if self.verifying.effects.len() >= limits::EFFECTS {
                self.verifying.starved.insert(switchover.id);
                return;
            }
            running.started.get_or_insert(now);
            // A receipt comes within the effect's timeout; one that was lost is not waited for without end.
            running.not_before.insert(vantage.clone(), now + limits::RECEIPT_LOST);
            let effect = match &vantage {
                Vantage::Dns(member, name) => {
                    let settings = self.file.members.get(member);
                    let Some(server) = settings.and_then(|of| of.dns_address) else { continue };
                    Effect::AskDns { member: *member, server, name: name.clone() }
                }
                Vantage::FrontDoor(endpoint) => {
                    Effect::KnockFrontDoor { endpoint: endpoint.clone() }
                }
            };
            self.verifying.effects_ordered += 1;
            let id = EffectId(self.verifying.effects_ordered);
            running.asked_by.insert(vantage.clone(), id);
            self.verifying.effects.insert(id, (switchover.id, vantage));
            let timeout = config.timing.verify_timeout.min(std::time::Duration::from_secs(1));
            self.outputs.push_back(Output::Perform(EffectOrder { id, effect, timeout }));
        }
    }
}

/// How many of so many members that serve DNS must show a new epoch.
fn enough(serving: usize) -> usize {
    let majority = Quorum::of(serving).majority();
    if serving.is_multiple_of(2) { majority - 1 } else { majority }
}

/// Everybody who is asked about each group: each member that serves DNS for its names, and the front doors of its routes.
fn all_vantages(config: &Cluster) -> BTreeMap<GroupName, Arc<[Vantage]>> {
    let mut names: BTreeMap<&GroupName, Vec<&String>> = BTreeMap::new();
    for name in config.zones.values().flat_map(|zone| &zone.names) {
        let names = names.entry(&name.group).or_default();
        if names.len() < limits::VERIFY_NAMES {
            names.push(&name.name);
        }
    }
    let mut vantages: BTreeMap<GroupName, Vec<Vantage>> = BTreeMap::new();
    for (group, names) in names {
        let of = |name: &String| {
            config.serving().map(|member| Vantage::Dns(member.id, name.clone())).collect()
        };
        let of_group = names.into_iter().flat_map(|name| -> Vec<Vantage> { of(name) });
        vantages.entry(group.clone()).or_default().extend(of_group);
    }
    for route in config.routes.values() {
        let door = route.front_door.clone().map(Vantage::FrontDoor);
        vantages.entry(route.group.clone()).or_default().extend(door);
    }
    vantages.into_iter().map(|(group, vantages)| (group, vantages.into())).collect()
}
