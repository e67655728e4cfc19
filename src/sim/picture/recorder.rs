//! Told of a run as it goes; gives the picture at its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::{Band, Class, Event, Fate, Lane, LaneKind, Message, Picture, Strip};
use crate::kernel::controller::{Event as Said, View};
use crate::kernel::domain::{GroupName, PlaneName, QuestionId, Route, SwitchoverId};
use crate::kernel::ledger::Cluster;
use crate::kernel::switchover::State;
use crate::sim::queue::Micros;

/// The strips of a group.
pub(super) const ROUTE: usize = 0;
pub(super) const SWITCHOVER: usize = 1;

/// What is broken, as long as it is: one band at a time for each of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Broken {
    /// A member's or an observer's process is dead.
    Dead(usize),
    /// It is paused.
    Paused(usize),
    /// Links of a member.
    Links(usize),
    /// Ways from outside to a member.
    Ways(usize),
    /// A member's ways to planes.
    Blind(usize),
    /// A member's disk.
    Disk(usize),
    /// A member is doomed.
    Doomed(usize),
    /// A member's clock runs wrong.
    Clock(usize),
    /// Services of a plane.
    Sick(usize),
    /// A gateway's process.
    Gateway(usize),
    /// The network.
    Weather,
    /// Some kinds of frame travel slowly, or are lost.
    Kinds,
}

/// What a member is to the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Role {
    pub(super) dead: bool,
    pub(super) paused: bool,
    pub(super) disk_failed: bool,
    /// As it believes itself.
    pub(super) word: &'static str,
    pub(super) routes: Option<Arc<BTreeMap<GroupName, Route>>>,
}

/// Keeps what is told.
#[derive(Debug)]
pub struct Recorder {
    pub(super) members: usize,
    /// Observers beside them: their lanes follow.
    pub(super) beside: usize,
    pub(super) gateways: usize,
    pub(super) planes: Vec<PlaneName>,
    lanes: Vec<Lane>,
    pub(super) groups: BTreeMap<GroupName, usize>,
    events: Vec<Event>,
    bands: Vec<Band>,
    broken: BTreeMap<Broken, (Micros, usize, &'static str, String)>,
    messages: Vec<Message>,
    /// Messages under way, by link and time of arrival.
    under_way: BTreeMap<(usize, usize, Micros), Vec<usize>>,
    pub(super) roles: Vec<Role>,
    pub(super) applied: u64,
    pub(super) switchovers: BTreeMap<SwitchoverId, (State, usize)>,
    pub(super) questions: BTreeMap<QuestionId, (bool, usize)>,
}

impl Recorder {
    /// Nothing happened yet: every process is dead.
    pub fn new(cluster: &Cluster, gateways: &[&str]) -> Self {
        let lane = |kind: LaneKind, name: &str| Lane {
            name: if name.is_empty() {
                kind.word().to_owned()
            } else {
                format!("{} {name}", kind.word())
            },
            kind,
            strips: Vec::new(),
        };
        let members = cluster.members.values().map(|m| lane(LaneKind::Member, m.name.as_str()));
        let beside = cluster.observers.values().map(|o| lane(LaneKind::Observer, o.name.as_str()));
        let planes = cluster.planes.iter().map(|p| lane(LaneKind::Plane, p.name.as_str()));
        let doors = gateways.iter().map(|name| lane(LaneKind::Gateway, name));
        let last = [lane(LaneKind::Network, ""), lane(LaneKind::Clients, "")];
        let count = cluster.members.len();
        let mut recorder = Self {
            members: count,
            beside: cluster.observers.len(),
            gateways: gateways.len(),
            planes: cluster.planes.iter().map(|plane| plane.name.clone()).collect(),
            lanes: members.chain(beside).chain(planes).chain(doors).chain(last).collect(),
            groups: BTreeMap::new(),
            events: Vec::new(),
            bands: Vec::new(),
            broken: BTreeMap::new(),
            messages: Vec::new(),
            under_way: BTreeMap::new(),
            roles: vec![Role { dead: true, ..Role::default() }; count],
            applied: 0,
            switchovers: BTreeMap::new(),
            questions: BTreeMap::new(),
        };
        for member in 0..count {
            recorder.lanes[member].strips.push(strip("role"));
            recorder.show_role(0, member);
        }
        for name in cluster.groups.keys() {
            recorder.group(name);
        }
        recorder
    }

    /// A lane's name.
    pub fn lane_name(&self, lane: usize) -> &str {
        &self.lanes[lane].name
    }

    /// The lane of a plane.
    pub const fn plane(&self, plane: usize) -> usize {
        self.members + self.beside + plane
    }

    /// The lane of a gateway.
    pub fn gateway(&self, which: usize) -> usize {
        self.members + self.beside + self.planes.len() + which
    }

    /// The lane of the network.
    pub fn network(&self) -> usize {
        self.gateway(self.gateways)
    }

    /// The lane of those who ask.
    pub fn clients(&self) -> usize {
        self.network() + 1
    }

    /// The lane of a group, with a strip for it wherever it is shown. Configurations add groups.
    pub(super) fn group(&mut self, name: &GroupName) -> usize {
        if let Some(lane) = self.groups.get(name) {
            return *lane;
        }
        let lane = self.lanes.len();
        let strips = vec![strip("route"), strip("switchover")];
        self.lanes.push(Lane { name: format!("group {name}"), kind: LaneKind::Group, strips });
        self.groups.insert(name.clone(), lane);
        let observers = self.members..self.members + self.beside;
        for shown_in in (0..self.network()).filter(|lane| !observers.contains(lane)) {
            self.lanes[shown_in].strips.push(strip(name.as_str()));
        }
        lane
    }

    /// From now on a strip has this state.
    pub(super) fn state(&mut self, at: Micros, lane: usize, strip: usize, state: &str) {
        let states = &mut self.lanes[lane].strips[strip].states;
        if states.last().is_some_and(|(last, _)| *last == at) {
            states.pop();
        }
        if states.last().is_none_or(|(_, last)| last != state) {
            states.push((at, state.to_owned()));
        }
    }

    /// The strip of a group in the lane of a member, a plane or the gateway, by its name.
    pub(super) fn strip_of(&self, lane: usize, group: &GroupName) -> Option<usize> {
        self.lanes[lane].strips.iter().position(|strip| strip.name == group.as_str())
    }

    /// Something happened.
    pub fn event(
        &mut self,
        at: Micros,
        lane: usize,
        class: Class,
        kind: &'static str,
        text: impl Into<String>,
    ) {
        self.events.push(Event { at, lane, class, kind, text: text.into() });
    }

    /// Something broke, or is broken in another way than before.
    pub(super) fn broke(
        &mut self,
        at: Micros,
        what: Broken,
        lane: usize,
        kind: &'static str,
        text: String,
    ) {
        if self.broken.get(&what).is_some_and(|(_, _, _, before)| *before == text) {
            return;
        }
        self.mended(at, what);
        self.broken.insert(what, (at, lane, kind, text));
    }

    /// It is whole again.
    pub(super) fn mended(&mut self, at: Micros, what: Broken) {
        if let Some((from, lane, kind, text)) = self.broken.remove(&what)
            && from < at
        {
            self.bands.push(Band { from, until: at, lane, kind, text });
        }
    }

    /// A fault whose end is known.
    pub(super) fn band(
        &mut self,
        from: Micros,
        until: Micros,
        lane: usize,
        text: (&'static str, String),
    ) {
        self.bands.push(Band { from, until, lane, kind: text.0, text: text.1 });
    }

    /// Something went from a lane to another: when it left and ended, from where to where, what became of it.
    pub fn message(
        &mut self,
        (sent, ended): (Micros, Micros),
        (from, to): (usize, usize),
        kind: &'static str,
        fate: Fate,
        text: impl Into<String>,
    ) {
        self.messages.push(Message { sent, ended, from, to, kind, fate, text: text.into() });
    }

    /// A frame leaves a member for another one; it arrives at a time, or is lost.
    pub fn sent(
        &mut self,
        at: Micros,
        (from, to): (usize, usize),
        kind: &'static str,
        arrives: Option<Micros>,
        again: bool,
    ) {
        let fate = if arrives.is_some() { Fate::UnderWay } else { Fate::Lost };
        if let Some(arrives) = arrives {
            self.under_way.entry((from, to, arrives)).or_default().push(self.messages.len());
        }
        let text = if again { "once more" } else { "" };
        self.message((at, arrives.unwrap_or(at)), (from, to), kind, fate, text);
    }

    /// The frame that left first of those that arrive now on a link met its fate.
    pub fn delivered(&mut self, at: Micros, from: usize, to: usize, fate: Fate) {
        let Some(waiting) = self.under_way.get_mut(&(from, to, at)) else { return };
        if !waiting.is_empty() {
            let message = waiting.remove(0);
            self.messages[message].fate = fate;
        }
        if waiting.is_empty() {
            self.under_way.remove(&(from, to, at));
        }
    }

    /// An oracle found something.
    pub fn violated(&mut self, at: Micros, oracle: &str, what: &str) {
        let text = format!("a promise is broken: {oracle}: {what}");
        self.event(at, self.network(), Class::Decision, "violation", text);
    }

    /// A member told something.
    pub fn said(&mut self, at: Micros, node: usize, said: &Said) {
        self.hear(at, node, said);
    }

    /// A member published.
    pub fn published(&mut self, at: Micros, node: usize, view: &View) {
        self.see(at, node, view);
    }

    /// The picture.
    pub fn finish(mut self, ended: Micros) -> Picture {
        for what in self.broken.keys().copied().collect::<Vec<_>>() {
            self.mended(ended, what);
        }
        for band in &mut self.bands {
            band.until = band.until.min(ended);
        }
        // Those whose end is known were put in when they began, the others when they ended.
        self.bands.sort_by_key(|band| (band.from, band.lane, band.until));
        self.messages.sort_by_key(|message| message.sent);
        let Self { lanes, events, bands, messages, .. } = self;
        Picture { ended, lanes, events, bands, messages }
    }
}

fn strip(name: &str) -> Strip {
    Strip { name: name.to_owned(), states: vec![(0, String::new())] }
}
