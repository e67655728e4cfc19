//! The machine of `biplane observer`: probes, reports and answers questions as a controller does, and has no ledger. What
//! the ledger holds of it, it is told by the members; whoever of them leads takes its words.
//!
//! Grammar: as the controller's. `handle(now, input)`, then `poll()` until it returns `None`; the last output is
//! [`ObserverOutput::WaitUntil`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::explaining::{seen_frame, seen_of};
use super::observe::references_of;
use super::observing::{Eye, Observing};
use super::peer::{Brief, PeerMessage, Present};
use super::{Event, Level, limits};
use crate::kernel::domain::{
    Incarnation, MemberId, Moment, ProbeOrder, ProbeResult, QuestionId, ServiceName, WallTime,
};
use crate::kernel::health::{Changes, Prober};
use crate::kernel::ledger::{Ballot, Cluster, ObserverState};

/// What an observer is started with.
#[derive(Clone, Debug)]
pub struct ObserverBoot {
    /// Who it is.
    pub me: MemberId,
    /// Its cluster file: where the members are.
    pub cluster: Arc<Cluster>,
    /// Raised durably at each start.
    pub incarnation: Incarnation,
    /// Until when its certificate is good, if that is known.
    pub certificate_until: Option<WallTime>,
    /// Spreads probe times. Equal seeds give equal runs.
    pub seed: u64,
}

/// One event.
#[derive(Clone, Debug)]
pub enum ObserverInput {
    /// Time passed: the moment of the last `WaitUntil` has come.
    TimePassed,
    /// A frame from an authenticated member.
    Told {
        /// Which member.
        from: MemberId,
        /// The bytes.
        frame: Bytes,
    },
    /// A probe ended.
    Probed(ProbeResult),
    /// What the wall clock says.
    WallClock(WallTime),
}

/// One wish.
#[derive(Clone, Debug)]
pub enum ObserverOutput {
    /// Send a frame to a member. It may be lost.
    Send {
        /// The receiver.
        to: MemberId,
        /// The bytes.
        frame: Bytes,
    },
    /// Start a probe.
    Probe(ProbeOrder),
    /// Something worth telling.
    Event(Event),
    /// End this process: what it says cannot count. Why, and what to do.
    Leave(String),
    /// Nothing to do until then. Always the last output.
    WaitUntil(Moment),
}

/// An open question, as it was told.
#[derive(Clone, Debug)]
struct Open {
    services: BTreeSet<ServiceName>,
    ballot: Option<Ballot>,
}

/// The machine.
#[derive(Debug)]
pub struct Observer {
    me: MemberId,
    file: Arc<Cluster>,
    incarnation: Incarnation,
    certificate_until: u64,
    now: Moment,
    wall: (WallTime, Moment),
    prober: Prober,
    observing: Observing,
    /// The configuration that it works by, and its number.
    config: Option<(u64, Cluster)>,
    /// It knows what briefs up to this log index said.
    taken: u64,
    held: Option<ObserverState>,
    questions: BTreeMap<QuestionId, Open>,
    present_due: Moment,
    left: bool,
    outputs: VecDeque<ObserverOutput>,
}

impl Observer {
    /// Starts; it probes nothing until a member has told it what.
    pub fn start(now: Moment, boot: ObserverBoot) -> Self {
        let ObserverBoot { me, cluster, incarnation, certificate_until, seed } = boot;
        Self {
            me,
            file: cluster,
            incarnation,
            certificate_until: certificate_until.unwrap_or_default().0,
            now,
            wall: (WallTime::default(), now),
            prober: Prober::new(seed ^ me.0),
            observing: Observing::default(),
            config: None,
            taken: 0,
            held: None,
            questions: BTreeMap::new(),
            present_due: now,
            left: false,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input, then runs one turn.
    pub fn handle(&mut self, now: Moment, input: ObserverInput) {
        assert!(now >= self.now, "one process's clock never goes back");
        self.now = now;
        match input {
            ObserverInput::TimePassed => {}
            ObserverInput::Told { from, frame } => self.on_told(from, &frame),
            ObserverInput::Probed(result) => self.on_probed(result),
            ObserverInput::WallClock(wall) => self.wall = (wall, now),
        }
        if !self.left {
            self.turn();
        }
        let wake = self.prober.next_due().min(self.present_due).min(self.observing.next_due());
        self.outputs.push_back(ObserverOutput::WaitUntil(wake));
    }

    /// The next output; `None` after the `WaitUntil` that ends a turn.
    pub fn poll(&mut self) -> Option<ObserverOutput> {
        self.outputs.pop_front()
    }

    fn turn(&mut self) {
        while let Some(order) = self.prober.poll(self.now) {
            self.outputs.push_back(ObserverOutput::Probe(order));
        }
        if self.now >= self.present_due {
            self.present_due = self.now + limits::HEARTBEAT;
            self.say_present();
        }
        self.observing.wake_anew();
        if self.config.is_none() {
            return;
        }
        let (me, incarnation, now) = (self.me, self.incarnation, self.now);
        let eye = Eye { me, incarnation, now, prober: &self.prober };
        let questions = &self.questions;
        let ballot = |id: QuestionId| questions.get(&id).map(|open| open.ballot.as_ref());
        let commands = self.observing.commands(&eye, self.held.as_ref(), ballot);
        // Whoever leads takes them; who does not, leaves them.
        for message in PeerMessage::forward(&commands) {
            self.send_all(&message);
        }
    }

    fn say_present(&mut self) {
        let (wall, at) = self.wall;
        let since = u64::try_from(self.now.since(at).as_millis()).unwrap_or(u64::MAX);
        let present = Present {
            incarnation: self.incarnation,
            taken: self.taken,
            config: self.config.as_ref().map_or(0, |(version, _)| *version),
            wall: wall.0.saturating_add(since),
            certificate_until: self.certificate_until,
        };
        self.send_all(&PeerMessage::Present(present));
    }

    fn send_all(&mut self, message: &PeerMessage) {
        let frame = message.encode();
        for member in self.file.members.keys() {
            let (to, frame) = (*member, frame.clone());
            self.outputs.push_back(ObserverOutput::Send { to, frame });
        }
    }

    fn tell(&mut self, level: Level, kind: &'static str, text: String) {
        self.outputs.push_back(ObserverOutput::Event(Event { level, kind, text, group: None }));
    }

    fn on_probed(&mut self, result: ProbeResult) {
        let changes = self.prober.on_result(self.now, result);
        let questions = &self.questions;
        self.observing.on_changes(&changes, |service| {
            let of =
                |(id, open): (&QuestionId, &Open)| open.services.contains(service).then_some(*id);
            questions.iter().find_map(of)
        });
        let Changes { suspects, .. } = changes;
        if !suspects.is_empty() {
            let plane = |plane: usize| u8::try_from(plane).unwrap_or(u8::MAX);
            let suspects = suspects.into_iter().map(|(service, at)| (service, plane(at))).collect();
            self.send_all(&PeerMessage::Suspect(suspects));
        }
    }

    fn on_told(&mut self, from: MemberId, frame: &Bytes) {
        match PeerMessage::decode(frame) {
            Some(PeerMessage::Brief(brief)) => self.on_brief(from, brief),
            Some(PeerMessage::WantSeen { ask, group }) => {
                let config = self.config.as_ref().map(|(_, config)| config);
                let seen = config.map(|config| seen_of(&self.prober, config, &group, self.now));
                let frame = seen_frame(ask, &seen.unwrap_or_default());
                self.outputs.push_back(ObserverOutput::Send { to: from, frame });
            }
            _ => {
                let text = format!("member {from} sent a frame that this version cannot read");
                self.tell(Level::Warn, "peer", text);
            }
        }
    }

    /// Members may be behind each other: only what is not older than what is known counts.
    fn on_brief(&mut self, from: MemberId, brief: Brief) {
        let Brief { index, config, settings, held, questions } = brief;
        if index < self.taken || self.left {
            return;
        }
        let known = self.config.as_ref().is_some_and(|(version, _)| *version == config);
        if !known && !settings.is_some_and(|json| self.configure(from, config, &json)) {
            // Without its settings it cannot be used; they are sent again.
            return;
        }
        if self.taken == 0 && held.is_none() {
            return;
        }
        let (me, incarnation, now) = (self.me, self.incarnation, self.now);
        if let Some(held) = held {
            let heard = changed(self.held.as_ref(), held.as_ref());
            self.held = held;
            if self.is_superseded() {
                return;
            }
            let eye = Eye { me, incarnation, now, prober: &self.prober };
            self.observing.on_reported(&eye, self.held.as_ref(), &heard);
            self.observing.on_announced(incarnation, self.held.as_ref());
        }
        self.take_questions(questions);
        self.taken = index;
    }

    /// Works by these settings from now on. Whether they can be read.
    fn configure(&mut self, from: MemberId, version: u64, json: &[u8]) -> bool {
        let Ok(cluster) = serde_json::from_slice::<Cluster>(json) else {
            let text = format!(
                "member {from} sent a configuration that this version cannot read: start a newer version"
            );
            self.tell(Level::Error, "config", text);
            return false;
        };
        let Some(site) = cluster.observers.get(&self.me).map(|me| me.site.clone()) else {
            return false;
        };
        let planes = cluster.planes.each_ref().map(|plane| plane.name.clone());
        let references = references_of(&cluster, &site, &self.file);
        let interval = cluster.timing.reference_interval;
        self.prober.configure(self.now, &planes, &cluster.services, &references, interval);
        self.config = Some((version, cluster));
        self.observing.announce(&self.prober);
        self.tell(Level::Info, "config", format!("works by configuration {version}"));
        true
    }

    /// Another process has this observer's name and a greater number: this one's words are old news for ever.
    fn is_superseded(&mut self) -> bool {
        let newest = self.held.as_ref().map(|held| held.incarnation);
        let Some(newest) = newest.filter(|newest| *newest > self.incarnation) else { return false };
        self.left = true;
        let why = format!(
            "the cluster has heard this observer's incarnation {}, and this process is incarnation {}: does another \
             process run on another data directory, or was the directory replaced? If it is lost for good, take the \
             observer out of the configuration and put it back (`biplane config apply`), then start it again",
            newest.0, self.incarnation.0
        );
        self.outputs.push_back(ObserverOutput::Leave(why));
        true
    }

    fn take_questions(&mut self, told: Vec<(QuestionId, Vec<ServiceName>, Option<Ballot>)>) {
        let was = std::mem::take(&mut self.questions);
        for (id, services, ballot) in told {
            let services: BTreeSet<ServiceName> = services.into_iter().collect();
            let open = Open { services, ballot };
            match was.get(&id) {
                None => {
                    self.prober.hasten(self.now, &open.services);
                    self.prober.hasten_references(self.now);
                    self.observing.on_asked(self.now, id);
                }
                Some(was) => {
                    let (me, incarnation, now) = (self.me, self.incarnation, self.now);
                    let eye = Eye { me, incarnation, now, prober: &self.prober };
                    let heard = voted(was.ballot.as_ref(), open.ballot.as_ref());
                    self.observing.on_voted(&eye, id, open.ballot.as_ref(), &heard);
                }
            }
            self.questions.insert(id, open);
        }
        let questions = &self.questions;
        self.observing.keep_open(|id| questions.contains_key(&id));
    }
}

/// The services of which the ledger holds something else now.
fn changed(was: Option<&ObserverState>, is: Option<&ObserverState>) -> Vec<ServiceName> {
    let empty = BTreeMap::new();
    let [was, is] = [was, is].map(|state| state.map_or(&empty, |state| &*state.states));
    differing(was, is)
}

fn voted(was: Option<&Ballot>, is: Option<&Ballot>) -> Vec<ServiceName> {
    let empty = BTreeMap::new();
    let [was, is] = [was, is].map(|ballot| ballot.map_or(&empty, |ballot| &ballot.states));
    differing(was, is)
}

fn differing<T: PartialEq>(
    was: &BTreeMap<ServiceName, T>,
    is: &BTreeMap<ServiceName, T>,
) -> Vec<ServiceName> {
    let names: BTreeSet<&ServiceName> = was.keys().chain(is.keys()).collect();
    names.into_iter().filter(|name| was.get(*name) != is.get(*name)).cloned().collect()
}
