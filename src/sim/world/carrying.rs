//! What a node wants is done to the world.

use std::sync::Arc;

use bytes::Bytes;

use super::{Event, World};
use crate::kernel::consensus::PersistBatch;
use crate::kernel::controller::{
    Effect, EffectOrder, Input, Level, Output, Receipt, ReceiptOutcome, RequestId, Response,
    Traffic, View,
};
use crate::kernel::domain::{GroupName, MemberId, ProbeOrder};
use crate::sim::action::{Doom, Outsider};
use crate::sim::client::Heard;
use crate::sim::counts::Class;
use crate::sim::frame::{self, Kind};
use crate::sim::oracle::{Finding, Vote};
use crate::sim::picture::Fate;
use crate::sim::plane::{Met, Target, timeout_of};
use crate::sim::queue::{MS, Micros};
use crate::sim::trace::{self, Note};

impl World {
    pub(super) fn carry_out(&mut self, place: usize, output: Output) {
        match output {
            Output::Persist(batch) => self.order_write(place, batch),
            Output::Send { to, frame, traffic } => self.send(place, to, frame, traffic),
            Output::Probe(order) => self.begin_probe(place, order),
            Output::Perform(order) => self.perform(place, order),
            Output::Reply { id, response } => self.answer(id, &response),
            Output::Publish(view) => self.publish(place, view),
            Output::Event(event) => {
                self.draw(|picture, at| picture.said(at, place, &event));
                if event.kind == "decision" && event.text.starts_with("hold") {
                    self.see(Class::HeldDecision);
                    self.watch.held(self.now, event.group.as_ref());
                }
                if ["disk", "state"].contains(&event.kind)
                    && event.level == Level::Error
                    && !self.nodes[place].disk_failed
                {
                    let what = format!("node {} left consensus, and its disk is well: ", place + 1);
                    self.report("left_consensus", what + &event.text);
                }
                if event.kind == "snapshot" {
                    self.see(Class::SnapshotInstalled);
                    self.watch.snapshot(self.now, place);
                    if self.watch.moves() {
                        self.see(Class::SnapshotInMidSwitch);
                    }
                }
                if event.kind == "question" {
                    self.watch.asked(self.now);
                }
                if event.level >= Level::Info {
                    self.note(Note::Said(place, event.kind, event.text));
                }
            }
            Output::Audit(record) => {
                self.ask_oracles(|oracle, _| oracle.audited(place, &record));
            }
            Output::Measured { .. } => {}
            Output::WaitUntil(moment, _) => {
                let node = &mut self.nodes[place];
                node.wake = node.clock.when(moment).unwrap_or(Micros::MAX);
            }
        }
    }

    fn order_write(&mut self, place: usize, batch: PersistBatch) {
        self.book.ordered(self.now, place, &batch);
        self.ask_oracles(|oracle, book| oracle.ordered(book, place, &batch));
        self.goals_of_write(place, &batch);
        let entries = batch.entries.len();
        if self.params.trace || entries > 0 {
            self.note(Note::Ordered(place, batch.number, entries));
        }
        let node = &mut self.nodes[place];
        let at = node.disk.order(self.now, batch, &mut self.streams.disk);
        let life = node.life;
        self.queue.put(at, Event::Stored { node: place, life });
        if let Some((Doom::InWrite, down)) = self.nodes[place].doom {
            self.crash_for(place, down);
        }
    }

    /// A write completed, or failed.
    pub(super) fn stored(&mut self, place: usize) {
        match self.nodes[place].disk.complete() {
            Ok(None) => {}
            Ok(Some(batch)) => {
                self.book.stored(place, &batch);
                self.feed(place, Input::Persisted { number: batch.number });
            }
            Err(why) => {
                let node = &mut self.nodes[place];
                if !node.disk_failed {
                    node.disk_failed = true;
                    self.see(Class::FailedDisk);
                    self.note(Note::Node(place, trace::DISK_FAILED));
                    self.feed(place, Input::DiskFailed(why));
                }
            }
        }
    }

    fn send(&mut self, from: usize, to: MemberId, frame: Bytes, traffic: Traffic) {
        if let Some(vote) = Vote::read(from, &frame) {
            self.nodes[from].voted = true;
            self.ask_oracles(|oracle, book| oracle.voted(book, vote));
        }
        let Some((place, first)) = self.send_frame(from, to, frame) else { return };
        if traffic == Traffic::Bulk {
            let delivered = first.is_some() && !self.network.is_cut(from, place);
            self.local(from, first.unwrap_or(MS) * 2, Input::BulkSent { to, delivered });
        }
    }

    /// Puts a frame on its way. To which place, and when it arrives, if it is not lost.
    pub(super) fn send_frame(
        &mut self,
        from: usize,
        to: MemberId,
        frame: Bytes,
    ) -> Option<(usize, Option<Micros>)> {
        let to = self.place_of(to)?;
        let mut fate = self.network.fate(&mut self.streams.network);
        let rng = &mut self.streams.network;
        if let Some(kind) = self.network.befall(&frame, (from, to), &mut fate, rng) {
            self.see(Class::KindStruck);
            let on_link = self.network.struck(kind, (from, to)).any(|frames| frames.kind.is_none());
            if on_link {
                self.counts.see(Class::LinkStruck);
            }
            self.kinds.1.extend(self.network.struck(kind, (from, to)).copied());
            if kind == Kind::Answers {
                self.see(Class::HeldReadAnswer);
            }
        }
        if fate.first.is_none() {
            self.see(Class::LostMessage);
        }
        for delay in [fate.first, fate.again].into_iter().flatten() {
            let event = Event::Deliver { from, to, frame: Bytes::clone(&frame) };
            self.queue.put(self.now + delay, event);
        }
        self.draw(|picture, at| {
            let kind = frame::name_of(&frame);
            let arrives = |delay: Micros| at + delay;
            picture.sent(at, (from, to), kind, fate.first.map(arrives), false);
            if let Some(delay) = fate.again {
                picture.sent(at, (from, to), kind, Some(at + delay), true);
            }
        });
        if fate.again.is_some() {
            self.see(Class::DuplicateMessage);
        }
        Some((to, fate.first))
    }

    /// A frame arrives, if its link is open and somebody is there.
    pub(super) fn deliver(&mut self, from: usize, to: usize, frame: Bytes) {
        let fate = match (self.network.is_cut(from, to), self.lives_at(to)) {
            (true, _) => Fate::Cut,
            (false, true) => Fate::Arrived,
            (false, false) => Fate::Nobody,
        };
        self.draw(|picture, at| picture.delivered(at, from, to, fate));
        if fate == Fate::Arrived {
            let sender = self.id_of(from);
            match self.nth_beside(to) {
                Some(nth) => self.told_beside(nth, sender, frame),
                None => self.feed(to, Input::Peer { from: sender, frame }),
            }
        } else if fate == Fate::Nobody
            && self.nth_beside(from).is_none()
            && !self.network.is_cut(to, from)
        {
            // The connection is refused, and the sender's shell knows.
            self.local(from, MS / 2, Input::PeerUnreachable(self.id_of(to)));
        }
    }

    /// Something that only this process waits for.
    pub(super) fn local(&mut self, place: usize, after: Micros, input: Input) {
        let life = self.nodes[place].life;
        let event = Event::Local { node: place, life, input: Box::new(input) };
        self.queue.put(self.now + after, event);
    }

    /// What a probe meets: when there is something to say, and what, if that is certain already.
    pub(super) fn meet(
        &mut self,
        place: usize,
        order: &ProbeOrder,
    ) -> (Micros, Option<Result<(), crate::kernel::domain::ProbeFault>>) {
        use crate::kernel::domain::ProbeFault;
        let timeout = timeout_of(order);
        let round_trip = 300 + self.streams.planes.small(self.params.probe_spread);
        let silence = (timeout, Some(Err(ProbeFault::TimedOut)));
        match self.planes.target(&order.target) {
            Some(Target::Service { plane, service }) => {
                if self.streams.planes.chance(self.params.probe_loss) {
                    self.note_lost_probe();
                    return silence;
                }
                let (lost, late) = self.planes.roughness(place, plane);
                if lost > 0 && self.streams.planes.chance(lost) {
                    self.note_lost_probe();
                    return silence;
                }
                let late = if late > 0 { self.streams.planes.below(late) } else { 0 };
                match self.planes.meet(place, plane, service, order, round_trip + late) {
                    // An answer is looked at again when it would arrive.
                    Met::Answer(after, Ok(())) if after < timeout => (after, None),
                    Met::Answer(after, Err(fault)) if after < timeout => (after, Some(Err(fault))),
                    Met::Answer(..) | Met::Silence => silence,
                }
            }
            Some(Target::Member(other)) => {
                if self.network.is_cut(place, other) || self.network.is_cut(other, place) {
                    silence
                } else if self.nodes[other].lives() {
                    (round_trip, Some(Ok(())))
                } else {
                    (round_trip, Some(Err(ProbeFault::Refused)))
                }
            }
            None => (round_trip, Some(Err(ProbeFault::Refused))),
        }
    }

    /// Asks a DNS server over the network, or knocks at the front door.
    fn perform(&mut self, place: usize, order: EffectOrder) {
        let EffectOrder { id, effect, timeout } = order;
        let view = self.nodes[place].view.clone();
        self.ask_oracles(|oracle, _| oracle.performed(place, view.as_deref(), &effect));
        let timeout = Micros::try_from(timeout.as_micros()).unwrap_or(Micros::MAX);
        match effect {
            Effect::AskDns { member, name, .. } => {
                let late = Receipt { id, outcome: Err("timed out".to_owned()) };
                self.local(place, timeout, Input::Receipt(late));
                let to = usize::try_from(member.0).unwrap_or(0).saturating_sub(1);
                let to = to.min(self.nodes.len() - 1);
                let delay = self.network.fate(&mut self.streams.network).first;
                self.draw(|picture, at| {
                    let arrives = delay.map(|delay| at + delay);
                    picture.sent(at, (place, to), "dns question", arrives, false);
                });
                if let Some(delay) = delay {
                    let life = self.nodes[place].life;
                    let asked = Event::DnsAsked { from: place, life, to, effect: id, name };
                    self.queue.put(self.now + delay, asked);
                }
            }
            Effect::Notify { .. } => {
                let (after, outcome) = match self.reach(place, Outsider::Clients, timeout) {
                    Some(after) => (after, Ok(ReceiptOutcome::Told)),
                    None => (timeout, Err("timed out".to_owned())),
                };
                self.local(place, after, Input::Receipt(Receipt { id, outcome }));
            }
            Effect::KnockFrontDoor { .. } => {
                let (after, outcome) = self.knock(place, timeout);
                self.local(place, after, Input::Receipt(Receipt { id, outcome }));
            }
        }
    }

    /// When an outsider that a node turns to has answered; nothing when that is later than the node waits.
    fn reach(&mut self, place: usize, to: Outsider, timeout: Micros) -> Option<Micros> {
        let shut = self.ways.is_shut(place, to);
        let passage = if shut { None } else { self.passes(place, to) };
        passage.map(|passage| MS + passage.late).filter(|after| *after < timeout)
    }

    /// What a knock at the front door meets, and when.
    fn knock(&mut self, place: usize, timeout: Micros) -> (Micros, Result<ReceiptOutcome, String>) {
        match self.reach(place, Outsider::Door, timeout) {
            None => (timeout, Err("timed out".to_owned())),
            Some(after) if self.gateways[0].up => (after, Ok(ReceiptOutcome::FrontDoor)),
            Some(after) => (after, Err("connection refused".to_owned())),
        }
    }

    /// A reply leaves the node; it may still be lost on its way to the client.
    fn answer(&mut self, id: RequestId, response: &Response) {
        let Some(taken) = self.requests.remove(&id) else { return };
        self.goals_of_answer(taken, response);
        if let Response::Accepted { repeated: true, .. } = response {
            self.see(Class::RepeatedRequest);
        }
        let Some(passage) = self.passes(taken.node, Outsider::Clients) else { return };
        let after = 100 + self.streams.workload.small(2 * MS) + passage.late;
        let heard = Heard::from(response);
        let heard = Event::ClientHears { op: taken.op, node: taken.node, heard };
        self.queue.put(self.now + after, heard);
    }

    /// Another configuration is in force, if one is.
    fn adopt(&mut self) {
        let Some((number, cluster)) = self.book.settings.newest() else { return };
        if number == self.in_force.0 {
            return;
        }
        self.in_force = (number, Arc::clone(cluster));
        self.planes.adopt(&self.in_force.1);
        let there = |group: &GroupName| self.in_force.1.groups.contains_key(group);
        self.book.bad_since.retain(|(group, ..), _| there(group));
        self.carry_traffic();
        self.note_truth();
    }

    fn publish(&mut self, place: usize, view: Arc<View>) {
        let now = self.now;
        self.note(Note::Published(place, view.applied, view.term));
        let new = self.book.applied(place, view.applied);
        if let Err(what) = self.book.settings.shown(place, &view) {
            return self.report("settings", what);
        }
        self.adopt();
        for at in new {
            let entry = self.book.chain[at].clone();
            self.ask_oracles(|oracle, book| -> Finding { oracle.committed(book, &entry) });
            self.goals.committed(&entry, &mut self.counts);
        }
        self.draw(|picture, at| picture.published(at, place, &view));
        self.ask_oracles(|oracle, book| oracle.published(book, now, place, &view));
        let partition = self.network.any_cut();
        self.watch.published(now, place, &view, partition, &mut self.counts);
        self.goals.published(&view, &mut self.counts);
        self.nodes[place].view = Some(view);
        for which in 0..self.gateways.len() {
            if self.gateways[which].follows == place {
                let lag = MS + self.streams.planes.small(30 * MS);
                self.show_table(which, place, lag);
            }
        }
    }
}
