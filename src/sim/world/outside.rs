//! What is around the nodes: probes that end, DNS that answers, a gateway that follows, clients that ask.

use super::{Event, ProbeUnderWay, World};
use crate::kernel::controller::{
    ClientRequest, EffectId, Input, ObserverInput, Receipt, ReceiptOutcome, RequestId,
};
use crate::kernel::domain::{ProbeFault, ProbeResult, ProbeTimings};
use crate::kernel::ledger::AskState;
use crate::kernel::zone::EpochRecord;
use crate::sim::action::Outsider;
use crate::sim::client::{Heard, Wish};
use crate::sim::counts::Class;
use crate::sim::oracle::ProbeSeen;
use crate::sim::picture::Fate;
use crate::sim::plane::{Met, Target, timeout_of};
use crate::sim::queue::{MS, Micros, SECOND};
use crate::sim::trace::Note;

/// A client asks another node after this long without an answer.
const CLIENT_PATIENCE: Micros = 4 * SECOND;

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
                    let life = self.life_at(place);
                    return self.queue.put(at, Event::Probed { node: place, life, probe });
                }
            }
        }
        let outcome = probe.outcome.unwrap_or(Err(ProbeFault::TimedOut));
        if let Some(Target::Service { plane, service }) = target {
            let who = (self.id_of(place), self.incarnation_at(place), service, plane);
            let passed = outcome.is_ok();
            self.book.probed(who, ProbeSeen { began: began_true, ended: self.now, passed });
        }
        self.draw_probe(place, began_true, &probe.order, &outcome);
        let total = std::time::Duration::from_micros(self.now - began_true);
        let timings = ProbeTimings { connect: total, total, ..ProbeTimings::default() };
        let result = ProbeResult { id: probe.order.id, began, outcome, timings };
        match self.nth_beside(place) {
            Some(nth) => self.turn_beside(nth, ObserverInput::Probed(result)),
            None => self.feed(place, Input::Probed(result)),
        }
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

    /// Sends a request on its way.
    pub(super) fn ask(&mut self, op: usize, node: usize) {
        let after = 100 + self.streams.workload.small(2 * MS);
        self.history[op].tries += 1;
        let tries = self.history[op].tries;
        let passage = self.passes(node, Outsider::Clients);
        if let Some(passage) = passage {
            self.queue.put(self.now + after + passage.late, Event::ClientAsks { op, node });
        }
        // What has no key is done twice when it comes twice: connections carry each request once.
        let again = passage.and_then(|passage| passage.again);
        if let Some(late) = again.filter(|_| self.history[op].has_key()) {
            self.see(Class::DoubledFromOutside);
            self.history[op].doubled = true;
            self.queue.put(self.now + after + late, Event::ClientAsks { op, node });
        }
        self.queue.put(self.now + CLIENT_PATIENCE, Event::ClientGivesUp { op, tries });
    }

    /// A request arrives at a node, if its process lives.
    pub(super) fn client_asks(&mut self, op: usize, node: usize) {
        if !self.nodes[node].lives() || self.ways.is_shut(node, Outsider::Clients) {
            return;
        }
        self.next_request += 1;
        let id = RequestId(self.next_request);
        let view = self.nodes[node].view.as_ref();
        let open = view.and_then(|view| {
            let mut asks = view.ledger.asks().values();
            asks.find(|ask| matches!(ask.state, AskState::Open {})).map(|ask| ask.id)
        });
        let action = self.history[op].action(&self.cluster, open);
        self.requests.insert(id, self.taken(op, node));
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
        if heard == Heard::Done && matches!(history.wish, Wish::Answer { .. }) {
            self.counts.see(Class::AskAnswered);
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
        let node = self.streams.workload.place(self.nodes.len());
        self.ask(op, node);
    }
}
