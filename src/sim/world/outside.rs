//! What is around the nodes: probes that end, DNS that answers, a gateway that follows, clients that ask.

use std::sync::Arc;

use super::{Event, ProbeUnderWay, World};
use crate::kernel::controller::{
    ClientRequest, EffectId, Input, Receipt, ReceiptOutcome, RequestId,
};
use crate::kernel::domain::{MemberId, ProbeFault, ProbeResult, ProbeTimings};
use crate::kernel::zone::EpochRecord;
use crate::sim::client::{Heard, Wish};
use crate::sim::cluster::{self, NODES, PLANES};
use crate::sim::counts::Class;
use crate::sim::oracle::ProbeSeen;
use crate::sim::picture::Fate;
use crate::sim::plane::{Met, Target, timeout_of};
use crate::sim::queue::{MS, Micros, SECOND};
use crate::sim::trace::Note;

/// How often a gateway says what it follows.
const GATEWAY_REPORTS: Micros = SECOND;
/// A client asks another node after this long without an answer.
const CLIENT_PATIENCE: Micros = 4 * SECOND;
/// Requests in one history.
const HISTORY: usize = 2_000;

impl World {
    /// A probe ends, or what seemed an answer turns out to be silence.
    pub(super) fn probed(&mut self, place: usize, mut probe: Box<ProbeUnderWay>) {
        let (began, began_true) = probe.began;
        let target = self.planes.target(&probe.order.target);
        if probe.outcome.is_none()
            && let Some(Target::Service { plane, service }) = target
        {
            match self.planes.meet(place, plane, service, &probe.order, 0) {
                Met::Answer(_, outcome) => probe.outcome = Some(outcome),
                Met::Silence => {
                    probe.outcome = Some(Err(ProbeFault::TimedOut));
                    let at = (began_true + timeout_of(&probe.order)).max(self.now);
                    let life = self.nodes[place].life;
                    return self.queue.put(at, Event::Probed { node: place, life, probe });
                }
            }
        }
        let outcome = probe.outcome.unwrap_or(Err(ProbeFault::TimedOut));
        if let Some(Target::Service { plane, service }) = target {
            let who = (MemberId(place as u64 + 1), self.nodes[place].incarnation, service, plane);
            let passed = outcome.is_ok();
            self.book.probed(who, ProbeSeen { began: began_true, ended: self.now, passed });
        }
        self.draw_probe(place, began_true, &probe.order, &outcome);
        let total = std::time::Duration::from_micros(self.now - began_true);
        let timings = ProbeTimings { connect: total, total, ..ProbeTimings::default() };
        let result = ProbeResult { id: probe.order.id, began, outcome, timings };
        self.feed(place, Input::Probed(result));
    }

    /// A lost packet speaks against a plane as much as a dead one.
    pub(super) const fn note_lost_probe(&mut self) {
        self.book.well_since = None;
    }

    /// A DNS question arrives: it is answered from what the node last published, if it lives.
    pub(super) fn dns_asked(
        &mut self,
        from: usize,
        life: u32,
        to: usize,
        id: EffectId,
        name: &str,
    ) {
        let cut = self.network.is_cut(from, to) || self.network.is_cut(to, from);
        let fate = if cut { Fate::Cut } else { Fate::Arrived };
        self.draw(|picture, at| picture.delivered(at, from, to, fate));
        if cut {
            return;
        }
        let node = &self.nodes[to];
        if node.pause.is_some() && self.streams.planes.chance(500) {
            // DNS threads are paused with their process.
            return;
        }
        let owner = format!("_biplane.{name}");
        let text = node.view.as_ref().and_then(|view| {
            let set = view.zones.values().find_map(|zone| zone.names.get(&owner))?;
            set.txt.first().cloned()
        });
        let Some(delay) = self.network.fate(&mut self.streams.network).first else { return };
        let outcome = text
            .and_then(|text| EpochRecord::from_text(&text))
            .map(ReceiptOutcome::Dns)
            .ok_or_else(|| "refused".to_owned());
        self.draw(|picture, at| {
            picture.message((at, at + delay), (to, from), "dns answer", Fate::Arrived, name);
        });
        let input = Box::new(Input::Receipt(Receipt { id, outcome }));
        self.queue.put(self.now + delay, Event::Local { node: from, life, input });
    }

    /// The gateway takes the table of the node it follows.
    pub(super) fn gateway_take(&mut self, from: usize) {
        if !self.gateway.up || self.gateway.follows != from {
            return;
        }
        let Some(view) = self.nodes[from].view.clone() else { return };
        if self.nodes[from].pause.is_some() || !self.gateway.take(&view) {
            return;
        }
        let gateway = self.gateway.clone();
        self.ask_oracles(|oracle, _| oracle.gateway(&gateway));
        for group in gateway.epochs().keys() {
            if let Some(plane) = gateway.plane(group) {
                self.watch.gateway(self.now, group, plane);
                self.draw(|picture, at| picture.followed(at, group, plane));
            }
        }
        self.tell_gateway(from);
    }

    fn tell_gateway(&mut self, node: usize) {
        let report = self.gateway.report();
        self.local(node, MS, Input::Gateway(report));
    }

    /// Every second: report, take what was missed, go to another node if this one is silent.
    pub(super) fn gateway_tick(&mut self) {
        self.queue.put(self.now + GATEWAY_REPORTS, Event::GatewayTick);
        if !self.gateway.up {
            return;
        }
        let followed = &self.nodes[self.gateway.follows];
        let cut_off = followed.view.as_ref().is_none_or(|view| !view.in_quorum);
        if !followed.lives() || followed.pause.is_some() || cut_off {
            self.gateway.follows = (self.gateway.follows + 1) % NODES;
            self.see(Class::GatewayMoved);
        }
        let follows = self.gateway.follows;
        self.gateway_take(follows);
        self.tell_gateway(follows);
    }

    /// The client thinks of something to ask.
    pub(super) fn client_next(&mut self) {
        if !self.asking || self.history.len() >= HISTORY {
            return;
        }
        let rng = &mut self.streams.workload;
        let pause = self.params.ask_every / 2 + rng.below(self.params.ask_every);
        let node = rng.place(NODES);
        let draw = if self.params.operator { rng.below(100) } else { 0 };
        let groups: Vec<_> = self.cluster.groups.keys().cloned().collect();
        let group = rng.pick(&groups).clone();
        let plane = cluster::plane(PLANES[rng.place(2)]);
        let on = rng.chance(400);
        let wish = match draw {
            0..70 => Wish::Read,
            70..86 => {
                let to = rng.chance(500).then_some(plane);
                Wish::Switch { group, to, forced: rng.chance(250) }
            }
            86..94 => Wish::Freeze { groups: vec![group], on },
            94..97 => Wish::Drain { plane, on },
            _ => Wish::Configure(Arc::new(cluster::another(&self.cluster, rng.below(4)))),
        };
        self.queue.put(self.now + pause, Event::ClientNext);
        self.wish(node, wish);
    }

    /// Sends a request on its way.
    pub(super) fn ask(&mut self, op: usize, node: usize) {
        let after = 100 + self.streams.workload.small(2 * MS);
        self.history[op].tries += 1;
        let tries = self.history[op].tries;
        self.queue.put(self.now + after, Event::ClientAsks { op, node });
        self.queue.put(self.now + CLIENT_PATIENCE, Event::ClientGivesUp { op, tries });
    }

    /// A request arrives at a node, if its process lives.
    pub(super) fn client_asks(&mut self, op: usize, node: usize) {
        if !self.nodes[node].lives() {
            return;
        }
        self.next_request += 1;
        let id = RequestId(self.next_request);
        let action = self.history[op].action();
        self.requests.insert(id, op);
        self.note(Note::Client(self.history[op].serial, "arrives"));
        self.draw_request(op, node);
        let request = ClientRequest { id, principal: "operator".to_owned(), action };
        self.feed(node, Input::Request(request));
    }

    /// An answer arrives at the client.
    pub(super) fn client_hears(&mut self, op: usize, heard: Heard) {
        let history = &mut self.history[op];
        if history.settled() {
            return;
        }
        if heard == Heard::Unknown {
            self.counts.see(Class::UnknownRequest);
        }
        history.answered = Some(self.now);
        history.heard = Some(heard);
        let serial = history.serial;
        self.note(Note::Client(serial, "is answered"));
        self.draw_answer(op);
    }

    /// The client waited long enough: it asks another node where that is safe.
    pub(super) fn client_gives_up(&mut self, op: usize, tries: u32) {
        let history = &self.history[op];
        let waits = matches!(history.heard, None | Some(Heard::Unknown));
        if !waits || history.tries != tries || !history.may_repeat() {
            return;
        }
        let node = self.streams.workload.place(NODES);
        self.ask(op, node);
    }
}
