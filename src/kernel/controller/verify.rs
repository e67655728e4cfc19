//! Verifying: the world is asked from outside. Verified = a majority of members, every gateway that was heard
//! from, and the front door show the new epoch; the rest is *converging* and does not hold up Done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Controller, Effect, EffectId, EffectOrder, Output, Receipt, ReceiptOutcome, limits};
use crate::kernel::domain::{Endpoint, GroupName, MemberId, Moment, Quorum, SwitchoverId};
use crate::kernel::ledger::Cluster;
use crate::kernel::switchover::{Event, Switchover};

/// One thing to be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Witness {
    Dns(MemberId, String),
    FrontDoor(Endpoint),
}

/// One switchover that is being verified.
#[derive(Clone, Debug, Default)]
struct Verification {
    started: Moment,
    /// Answered as hoped.
    good: BTreeSet<Witness>,
    /// Being asked, or not to be asked again before.
    not_before: BTreeMap<Witness, Moment>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Verifying {
    running: BTreeMap<SwitchoverId, Verification>,
    effects: BTreeMap<EffectId, (SwitchoverId, Witness)>,
    next_effect: u64,
    due: Option<Moment>,
}

impl Verifying {
    pub(super) fn begin(&mut self, id: SwitchoverId, now: Moment) {
        self.running
            .entry(id)
            .or_insert_with(|| Verification { started: now, ..Verification::default() });
        self.due = Some(now);
    }

    pub(super) fn forget(&mut self, id: SwitchoverId) {
        self.running.remove(&id);
    }

    pub(super) fn clear(&mut self) {
        self.running.clear();
        self.due = None;
    }

    /// Something came that may complete one of them.
    pub(super) fn hurry(&mut self, now: Moment) {
        if !self.running.is_empty() {
            self.due = Some(now);
        }
    }

    pub(super) fn next_due(&self) -> Moment {
        self.due.unwrap_or(Moment::NEVER)
    }
}

/// How far a verification has come.
struct Standing {
    verified: bool,
    /// Who does not show the new epoch, in words.
    missing: Vec<String>,
}

impl Controller {
    pub(super) fn on_receipt(&mut self, receipt: Receipt) {
        let Some((id, witness)) = self.verifying.effects.remove(&receipt.id) else { return };
        self.verifying.hurry(self.now);
        let Some(switchover) = self.ledger.switchovers().get(&id).cloned() else { return };
        let Some(running) = self.verifying.running.get_mut(&id) else { return };
        running.not_before.insert(witness.clone(), self.now + limits::VERIFY_PAUSE);
        let shows = match receipt.outcome {
            Ok(ReceiptOutcome::Dns(record)) => {
                record.group == switchover.group
                    && switchover.epoch.is_some_and(|epoch| record.epoch >= epoch)
            }
            Ok(ReceiptOutcome::FrontDoor) => true,
            Err(_) => false,
        };
        if shows {
            running.good.insert(witness);
        }
    }

    pub(super) fn verify_routes(&mut self) {
        if self.verifying.due.is_none_or(|due| due > self.now) {
            return;
        }
        self.verifying.due = None;
        let Some(config) = self.ledger.config().cloned() else { return };
        let ids: Vec<SwitchoverId> = self.verifying.running.keys().copied().collect();
        for id in ids {
            let Some(switchover) = self.ledger.switchovers().get(&id).cloned() else {
                self.verifying.forget(id);
                continue;
            };
            self.verify_one(&config, &switchover);
        }
        if !self.verifying.running.is_empty() {
            let due = self.now + limits::VERIFY_PAUSE;
            self.verifying.due = Some(self.verifying.due.map_or(due, |d| d.min(due)));
        }
    }

    fn verify_one(&mut self, config: &Arc<Cluster>, switchover: &Switchover) {
        let id = switchover.id;
        let Some(started) = self.verifying.running.get(&id).map(|running| running.started) else {
            return;
        };
        let standing = self.standing(config, switchover);
        if standing.verified {
            let note = format!("verified: users are sent to {}", switchover.to);
            self.step(id, Event::Verified, None, standing.missing, note);
        } else if self.now.since(started) >= config.timing.verify_timeout {
            self.verification_failed(config, switchover, standing.missing);
        } else {
            self.ask_witnesses(config, switchover);
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
            let note = format!("not verified in time ({what}): going back to {from}");
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
    fn standing(&self, config: &Cluster, switchover: &Switchover) -> Standing {
        let mut missing = Vec::new();
        let witnesses = witnesses(config, &switchover.group);
        let nothing = Verification::default();
        let running = self.verifying.running.get(&switchover.id).unwrap_or(&nothing);
        let mut showing = 0;
        for (member, settings) in &config.members {
            let shows = witnesses
                .iter()
                .filter(|witness| matches!(witness, Witness::Dns(of, _) if of == member))
                .all(|witness| running.good.contains(witness));
            if shows && self.has_applied(*member, switchover) {
                showing += 1;
            } else {
                missing.push(format!("member {}", settings.name));
            }
        }
        let mut verified = Quorum::of(config.members.len()).reached(showing);
        for (name, heard) in &self.gateways {
            let silent = self.now.since(heard.at) >= limits::GATEWAY_SILENCE;
            let Some(epoch) = heard.report.groups.get(&switchover.group) else { continue };
            if switchover.epoch.is_some_and(|new| *epoch < new) {
                missing.push(format!("gateway {name}"));
                verified = verified && silent;
            }
        }
        for witness in &witnesses {
            if let Witness::FrontDoor(endpoint) = witness
                && !running.good.contains(witness)
            {
                missing.push(format!("front door {endpoint}"));
                verified = false;
            }
        }
        Standing { verified, missing }
    }

    /// A member whose names are asked shows it in its answers; for a group without names its word counts.
    fn has_applied(&self, member: MemberId, switchover: &Switchover) -> bool {
        let named = self.ledger.config().is_some_and(|config| {
            config.zones.values().any(|z| z.names.iter().any(|n| n.group == switchover.group))
        });
        named
            || member == self.me
            || self.leading.applied.get(&member).is_some_and(|at| *at > switchover.id.index)
    }

    fn ask_witnesses(&mut self, config: &Cluster, switchover: &Switchover) {
        for witness in witnesses(config, &switchover.group) {
            if self.verifying.effects.len() >= limits::EFFECTS {
                return;
            }
            let now = self.now;
            let Some(running) = self.verifying.running.get_mut(&switchover.id) else { return };
            let waiting = running.not_before.get(&witness).is_some_and(|at| *at > now);
            if waiting || running.good.contains(&witness) {
                continue;
            }
            running.not_before.insert(witness.clone(), Moment::NEVER);
            let effect = match &witness {
                Witness::Dns(member, name) => {
                    let Some(settings) = config.members.get(member) else { continue };
                    let server = settings.dns_address;
                    Effect::AskDns { member: *member, server, name: name.clone() }
                }
                Witness::FrontDoor(endpoint) => {
                    Effect::KnockFrontDoor { endpoint: endpoint.clone() }
                }
            };
            self.verifying.next_effect += 1;
            let id = EffectId(self.verifying.next_effect);
            self.verifying.effects.insert(id, (switchover.id, witness));
            let timeout = config.timing.verify_timeout.min(std::time::Duration::from_secs(1));
            self.outputs.push_back(Output::Perform(EffectOrder { id, effect, timeout }));
        }
    }
}

/// Everybody who is asked about a group: each member for its names, and the front doors of its routes.
fn witnesses(config: &Cluster, group: &GroupName) -> Vec<Witness> {
    let names = config
        .zones
        .values()
        .flat_map(|zone| &zone.names)
        .filter(|name| name.group == *group)
        .take(limits::VERIFY_NAMES);
    let mut witnesses: Vec<Witness> = names
        .flat_map(|name| {
            config.members.keys().map(|member| Witness::Dns(*member, name.name.clone()))
        })
        .collect();
    let doors = config.routes.values().filter(|route| route.group == *group);
    witnesses.extend(doors.filter_map(|route| route.front_door.clone()).map(Witness::FrontDoor));
    witnesses
}
