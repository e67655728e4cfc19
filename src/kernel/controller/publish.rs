//! Publishing: what DNS, gateways and people are shown. Everything in it is committed and durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::disk::SLOW_DISK;
use super::{Controller, Output, View, limits};
use crate::kernel::domain::{GroupName, Moment, SwitchoverId};
use crate::kernel::health::Prober;
use crate::kernel::mutants::{self, Mutant};
use crate::kernel::zone::{Zone, render, render_changed};

/// What was published last, and what is new since.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Publishing {
    pub(super) dirty: bool,
    pub(super) all_zones: bool,
    pub(super) routed: BTreeSet<GroupName>,
    zones: Arc<BTreeMap<String, Arc<Zone>>>,
    in_quorum: bool,
    /// Since when it is not.
    cut_off_since: Moment,
    /// Whether the settings in force are not this node's file. Comparing them in every turn would cost too much.
    pub(super) file_differs: bool,
}

impl Publishing {
    /// Of a process that starts: in touch with nobody.
    pub(super) fn since(now: Moment) -> Self {
        Self { cut_off_since: now, ..Self::default() }
    }
}

impl Controller {
    pub(super) fn publish(&mut self) {
        let in_quorum = !self.stands_apart()
            && !self.waits_for_disk()
            && self.consensus.quorum_recently_active();
        if !self.publishing.dirty && in_quorum == self.publishing.in_quorum {
            return;
        }
        self.publishing.dirty = false;
        if !in_quorum && self.publishing.in_quorum {
            self.publishing.cut_off_since = self.now;
        }
        self.publishing.in_quorum = in_quorum;
        self.render_zones();
        let view = self.make_view(None);
        self.outputs.push_back(Output::Publish(Arc::new(view)));
    }

    fn render_zones(&mut self) {
        let Some(config) = self.ledger.config().cloned() else { return };
        let routed = std::mem::take(&mut self.publishing.routed);
        let all = std::mem::take(&mut self.publishing.all_zones);
        if routed.is_empty() && !all {
            return;
        }
        let routes = Arc::clone(self.ledger.routes());
        let mut zones = BTreeMap::new();
        for (origin, settings) in &config.zones {
            let serial = self.ledger.serials().get(origin).copied().unwrap_or(1);
            let before = self.publishing.zones.get(origin).filter(|_| !all);
            let zone = match before {
                Some(zone) if zone.serial == serial => Arc::clone(zone),
                Some(zone) => Arc::new(render_changed(zone, settings, serial, &routed, |group| {
                    routes.get(group)
                })),
                None => Arc::new(render(settings, serial, |group| routes.get(group))),
            };
            zones.insert(origin.clone(), zone);
        }
        self.publishing.zones = Arc::new(zones);
    }

    /// The view as of now. With the prober in it, it can also say what this node's last probes saw.
    pub(super) fn make_view(&self, prober: Option<Arc<Prober>>) -> View {
        let mut warnings = Vec::new();
        if self.publishing.file_differs {
            let name = self.file.members.get(&self.me).map(|member| member.name.to_string());
            warnings.push(format!(
                "the cluster file of member {} differs from configuration {} in force, and is not followed: \
                 `biplane config diff FILE` says where, `config apply FILE` puts it in force, and `config show` \
                 prints what is",
                name.unwrap_or_else(|| self.me.to_string()),
                self.ledger.config_version()
            ));
        }
        let twins = self.gateways.iter().filter(|(_, heard)| {
            heard.twin_at.is_some_and(|at| self.now.since(at) < limits::GATEWAY_SILENCE)
        });
        warnings.extend(twins.map(|(name, _)| {
            format!("two processes call themselves gateway `{name}`: give each a name of its own")
        }));
        if let Some(why) = self.why_apart() {
            warnings.push(format!("{why}; it shows what it last knew"));
        } else if self.waits_for_disk() {
            warnings.push(SLOW_DISK.to_owned());
        }
        View {
            member: self.me,
            applied: self.ledger.index(),
            term: self.consensus.term(),
            leader: self.consensus.leader(),
            in_quorum: self.publishing.in_quorum,
            cut_off_since: self.publishing.cut_off_since,
            heard: self.heard.clone(),
            started: self.started,
            wall: self.wall_now(),
            cards: self.all_cards(),
            cluster: self.ledger.config().cloned(),
            routes: Arc::clone(self.ledger.routes()),
            zones: Arc::clone(&self.publishing.zones),
            ledger: Arc::new(self.ledger.clone()),
            gateways: self
                .gateways
                .iter()
                .map(|(name, heard)| (name.clone(), (heard.report.groups.clone(), heard.at)))
                .collect(),
            prober,
            seen: BTreeMap::new(),
            apart: self
                .apart
                .iter()
                .copied()
                .chain(self.stands_apart().then_some(self.me))
                .collect(),
            applied_by: self.leading.applied.clone(),
            warnings,
        }
    }

    /// The planted fault M29: shows a route before it is committed.
    pub(super) fn publish_uncommitted(&mut self, id: SwitchoverId) {
        if !mutants::active(Mutant::M29ActsUncommitted) {
            return;
        }
        let Some(switchover) = self.ledger.switchovers().get(&id).cloned() else { return };
        let mut view = self.make_view(None);
        let mut routes = view.routes.as_ref().clone();
        if let Some(route) = routes.get_mut(&switchover.group) {
            route.plane = switchover.to.clone();
            route.epoch = route.epoch.next();
        }
        view.routes = Arc::new(routes);
        self.outputs.push_back(Output::Publish(Arc::new(view)));
    }
}
