//! One arm per kind of input; each is short and leaves the work to the turn.

use bytes::Bytes;

use super::peer::PeerMessage;
use super::{
    Controller, DataPlaneHint, GatewayHeard, GatewayReport, Input, Level, Output, Traffic, limits,
};
use crate::kernel::consensus::{FORGOTTEN, SnapshotRecord, WireError};
use crate::kernel::domain::MemberId;
use crate::kernel::ledger::{Command, Ledger};

/// Whether a leader's snapshot can take the place of this node's ledger.
fn readable(snapshot: &SnapshotRecord) -> Result<(), String> {
    let ledger = Ledger::from_bytes(&snapshot.data).map_err(|error| error.to_string())?;
    if ledger.index() == snapshot.index {
        return Ok(());
    }
    Err(format!("it holds the state at {}, not at {}", ledger.index(), snapshot.index))
}

impl Controller {
    pub(super) fn on_input(&mut self, input: Input) {
        match input {
            Input::TimePassed => {}
            Input::Peer { from, frame } => self.on_peer(from, &frame),
            Input::PeerUnreachable(member) => self.consensus.unreachable(member),
            Input::BulkSent { to, delivered } => self.consensus.snapshot_sent(to, delivered),
            Input::Persisted { number } => self.on_persisted(number),
            Input::DiskFailed(why) => self.on_disk_failed(why),
            Input::Probed(result) => self.on_probed(result),
            Input::Receipt(receipt) => {
                if !self.on_told(&receipt) {
                    self.on_receipt(receipt);
                }
            }
            Input::LoginsFailed { count, from } => self.on_logins_failed(count, from),
            Input::Request(request) => self.on_request(request),
            Input::Hint(hint) => {
                self.tell_members(&PeerMessage::Hint(hint.clone()));
                self.on_hint(&hint);
            }
            Input::Gateway(report) => {
                let report = self.about_what_is(report);
                self.tell_members(&PeerMessage::Gateway(report.clone()));
                self.on_gateway(report);
            }
            Input::ClusterFile(cluster) => self.on_cluster_file(cluster),
            Input::WallClock(wall) => self.wall = (wall, self.now),
            Input::Stopping => {
                if self.consensus.transfer_leadership() {
                    let text = "asked to stop: handing leadership over".to_owned();
                    self.tell(Level::Info, "leader", None, text);
                }
            }
        }
    }

    fn on_peer(&mut self, from: MemberId, frame: &Bytes) {
        if !self.file.members.contains_key(&from) {
            return self.on_visitor(from, frame);
        }
        let Some(message) = PeerMessage::decode(frame) else {
            let text = format!("member {from} sent a frame that this version cannot read");
            return self.tell(Level::Warn, "peer", None, text);
        };
        self.heard.insert(from, self.now);
        if let PeerMessage::Heartbeat { apart, .. } = &message {
            self.on_apart(from, *apart);
        }
        // As an observer, who stands apart is silent: it does not hear what it is asked.
        if !self.apart.contains(&from) {
            self.leading.heard(from, self.now);
        }
        match message {
            PeerMessage::Raft(bytes) => self.on_raft(from, &Bytes::from(bytes)),
            PeerMessage::Ahead { committed, last } => {
                self.leave_consensus("log", format!(
                    "member {from} leads with a log that ended at entry {last}, and here entries up to {committed} \
                     are committed: {FORGOTTEN}"
                ));
            }
            PeerMessage::Heartbeat { applied, ruleset, .. } => {
                self.leading.applied_at(from, applied);
                self.on_ruleset(from, ruleset);
            }
            PeerMessage::Card { wall, certificate_until } => {
                self.on_card(from, wall, certificate_until);
            }
            PeerMessage::WantSeen { ask, group } => self.on_want_seen(from, ask, &group),
            PeerMessage::Seen { ask, seen } => self.on_seen(from, ask, &seen),
            PeerMessage::Digest { index, digest } => self.on_digest(from, index, digest),
            PeerMessage::Forward(commands) => self.on_forwarded(from, commands),
            PeerMessage::Suspect(services) => {
                for (service, plane) in services {
                    self.suspect(&service, usize::from(plane), "an observer's probe failed");
                }
            }
            PeerMessage::Gateway(report) => self.on_gateway(self.about_what_is(report)),
            PeerMessage::Hint(hint) => self.on_hint(&hint),
            // Members tell each other neither.
            PeerMessage::Present(_) | PeerMessage::Brief(_) => {}
        }
    }

    fn on_raft(&mut self, from: MemberId, message: &Bytes) {
        if self.stands_apart() {
            return;
        }
        let Err(error) = self.consensus.step(from, message, readable) else { return };
        match error {
            WireError::Forgotten { .. } | WireError::Contradicts { .. } => {
                self.leave_consensus("log", error.to_string());
            }
            error => {
                if let WireError::Ahead { committed, last } = error {
                    let frame = PeerMessage::Ahead { committed, last }.encode();
                    self.outputs.push_back(Output::Send {
                        to: from,
                        frame,
                        traffic: Traffic::Normal,
                    });
                }
                let text = format!("member {from} sent a consensus message: {error}");
                self.tell(Level::Warn, "peer", None, text);
            }
        }
    }

    /// Commands of another member: it may speak for itself only.
    fn on_forwarded(&mut self, from: MemberId, commands: Vec<Vec<u8>>) {
        if !self.leads() {
            return;
        }
        for bytes in commands {
            let Ok(command) = serde_json::from_slice::<Command>(&bytes) else { continue };
            let own = match &command {
                Command::Report { observer, .. } | Command::Ballot { observer, .. } => {
                    *observer == from
                }
                Command::LoginsFailed { member, .. } => *member == from,
                Command::Switch(switch) => switch.request.member == from,
                Command::Reconfigure(config) => config.request.member == from,
                Command::Freeze { request, .. }
                | Command::Drain { request, .. }
                | Command::Answer { request, .. }
                | Command::Acknowledge { request, .. }
                | Command::Token { request, .. } => request.member == from,
                Command::Configure(_)
                | Command::ConfigText { .. }
                | Command::Tick {}
                | Command::ObserverLost { .. }
                | Command::Question { .. }
                | Command::Decide { .. }
                | Command::Advance { .. }
                | Command::Ask { .. }
                | Command::AskOver { .. }
                | Command::Alarms { .. }
                | Command::Notified { .. }
                | Command::Raise { .. } => false,
            };
            if own {
                self.leading.push(command);
            }
        }
    }

    /// What it says of groups that there are not is nobody's business, and would be kept without bound.
    fn about_what_is(&self, mut report: GatewayReport) -> GatewayReport {
        report.groups.retain(|group, _| self.ledger.routes().contains_key(group));
        report
    }

    fn on_gateway(&mut self, report: GatewayReport) {
        let now = self.now;
        let known = self.gateways.get_mut(&report.gateway);
        let mut twin_at = None;
        if let Some(known) = known {
            // Incarnations come from a wall clock, which may have stepped back: only while the newer one speaks.
            if known.report.incarnation > report.incarnation
                && now.since(known.at) < limits::GATEWAY_SILENCE
            {
                if known.twin_at.replace(now).is_none() {
                    let name = report.gateway;
                    let text = format!(
                        "two processes call themselves gateway `{name}`, and only the younger is listened to: give \
                         each a name of its own"
                    );
                    self.tell(Level::Warn, "gateway", None, text);
                }
                return;
            }
            twin_at = known.twin_at;
            // It carried something and carries nothing any more: it is leaving, and nobody needs to wait for it.
            if report.groups.is_empty() && !known.report.groups.is_empty() {
                self.gateways.remove(&report.gateway);
                return;
            }
        } else if self.gateways.len() >= limits::GATEWAYS {
            self.gateways.retain(|_, heard| now.since(heard.at) < limits::GATEWAY_FORGOTTEN);
            if self.gateways.len() >= limits::GATEWAYS {
                return;
            }
        }
        let name = report.gateway.clone();
        let behind = self.behind(&report);
        let heard = GatewayHeard { report, at: now, twin_at, behind };
        let before = self.gateways.insert(name.clone(), heard);
        self.verify_gateway(&name, before.as_ref());
    }

    /// A hint asks; it never votes: every observer probes the group's services at once.
    fn on_hint(&mut self, hint: &DataPlaneHint) {
        let Some(config) = self.ledger.config().cloned() else { return };
        let Some(route) = config.routes.get(&hint.route) else { return };
        let Some(group) = config.groups.get(&route.group) else { return };
        let services = group.services.iter().cloned().collect();
        self.prober.hasten(self.now, &services);
        let Some(plane) = config.plane_index(&hint.plane) else { return };
        let critical = |name: &&_| config.services.get(*name).is_some_and(|s| s.critical);
        if let Some(service) = group.services.iter().find(critical) {
            self.suspect(service, plane, "a gateway could not connect");
        }
    }

    /// Sends to every other member.
    pub(super) fn tell_members(&mut self, message: &PeerMessage) {
        let frame = message.encode();
        for member in self.file.members.keys().filter(|id| **id != self.me) {
            let (to, frame) = (*member, frame.clone());
            self.outputs.push_back(Output::Send { to, frame, traffic: Traffic::Normal });
        }
    }

    /// Logs commands if this node leads, or sends them to the leader. False when there is nobody to send to.
    pub(super) fn submit_to_leader(&mut self, commands: Vec<Command>) -> bool {
        if self.leads() {
            for command in commands {
                self.leading.push(command);
            }
            return true;
        }
        let Some(leader) = self.consensus.leader().filter(|leader| *leader != self.me) else {
            return false;
        };
        for message in PeerMessage::forward(&commands) {
            let frame = message.encode();
            self.outputs.push_back(Output::Send { to: leader, frame, traffic: Traffic::Normal });
        }
        true
    }
}
