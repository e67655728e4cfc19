//! Observers beside the members: three controllers and two of them, n = 5, m = 3.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::super::peer::PeerMessage;
use super::super::*;
use super::cluster::{Trio, cluster, group, plane};
use crate::kernel::domain::{HealthState, MemberName, ServiceName, SiteName};
use crate::kernel::ledger::{
    Command, Evidence, Move, Observer as Configured, RequestKey, SwitchCommand,
};
use crate::kernel::policy::Mode;
use crate::kernel::switchover::Kind;

const ONE: MemberId = MemberId(101);
const TWO: MemberId = MemberId(102);

/// The machines, and what is on its way to them.
#[derive(Default)]
pub(super) struct Visitors {
    machines: BTreeMap<MemberId, (Observer, Moment)>,
    told: VecDeque<(MemberId, ObserverInput)>,
    /// They do nothing, and nothing reaches them.
    asleep: BTreeSet<MemberId>,
    /// Where set, frames to and from them are lost, doubled and overtaken by each other.
    chaos: Option<u64>,
    left: Vec<String>,
}

impl Visitors {
    pub(super) fn wake(&self) -> Moment {
        let awake = self.machines.iter().filter(|(id, _)| !self.asleep.contains(id));
        awake.map(|(_, (_, wake))| *wake).min().unwrap_or(Moment::NEVER)
    }

    /// Whether a frame is for one of them; then it is under way.
    pub(super) fn takes(&mut self, from: MemberId, to: MemberId, frame: &Bytes) -> bool {
        if !self.machines.contains_key(&to) {
            return to.0 > 100;
        }
        for _ in 0..self.copies() {
            let place = self.draw(self.told.len() + 1);
            let told = ObserverInput::Told { from, frame: frame.clone() };
            self.told.insert(place, (to, told));
        }
        true
    }

    /// How often a frame arrives.
    fn copies(&mut self) -> usize {
        if self.chaos.is_none() {
            return 1;
        }
        match self.draw(10) {
            0..3 => 0,
            3..5 => 2,
            _ => 1,
        }
    }

    /// In chaos any number below `end`; else the last.
    fn draw(&mut self, end: usize) -> usize {
        let Some(state) = &mut self.chaos else { return end - 1 };
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*state >> 33).expect("31 bits") % end
    }
}

impl Trio {
    /// Both planes up, and everybody says so.
    fn with_observers() -> Self {
        let mut settings = cluster(Mode::Auto);
        for (id, name) in [(ONE, "probe-1"), (TWO, "probe-2")] {
            let name = MemberName::new(name).expect("a good name");
            let site = SiteName::new("fourth").expect("a good name");
            settings.observers.insert(id, Configured { id, name, site });
        }
        let mut trio = Self::of(settings);
        trio.start_observer(ONE, 1);
        trio.start_observer(TWO, 1);
        trio.run_until("all five say up", |t| {
            [MemberId(1), MemberId(2), MemberId(3), ONE, TWO]
                .iter()
                .all(|id| t.says(*id, 0) == HealthState::Up && t.says(*id, 1) == HealthState::Up)
        });
        trio
    }

    fn start_observer(&mut self, me: MemberId, incarnation: u64) {
        let boot = ObserverBoot {
            me,
            cluster: Arc::clone(&self.cluster),
            incarnation: Incarnation(incarnation),
            certificate_until: None,
            seed: 7,
        };
        let machine = Observer::start(self.now, boot);
        self.visitors.machines.insert(me, (machine, self.now));
    }

    /// What the first node's ledger has of this observer's view of `web`.
    fn says(&self, id: MemberId, plane: usize) -> HealthState {
        let web = ServiceName::new("web").expect("a good name");
        let node = self.nodes.values().next().expect("a node");
        node.controller.ledger().voice(id, &web, plane, Evidence::Reports)
    }

    /// Lets every observer do what is due.
    pub(super) fn visit(&mut self) {
        while let Some((id, input)) = self.visitors.told.pop_front() {
            self.turn_of(id, input);
        }
        let due = self.visitors.machines.iter().filter(|(_, (_, wake))| *wake <= self.now);
        let due: Vec<MemberId> = due.map(|(id, _)| *id).collect();
        for id in due {
            self.turn_of(id, ObserverInput::TimePassed);
        }
    }

    fn turn_of(&mut self, id: MemberId, input: ObserverInput) {
        if self.visitors.asleep.contains(&id) {
            return;
        }
        let now = self.now;
        let Some((machine, _)) = self.visitors.machines.get_mut(&id) else { return };
        machine.handle(now, input);
        let outputs: Vec<ObserverOutput> = std::iter::from_fn(|| machine.poll()).collect();
        for output in outputs {
            match output {
                ObserverOutput::Send { to, frame } => {
                    for _ in 0..self.visitors.copies() {
                        let place = self.visitors.draw(self.inputs.len() + 1);
                        let input = Input::Peer { from: id, frame: frame.clone() };
                        self.inputs.insert(place, (to, input));
                    }
                }
                ObserverOutput::Probe(order) => {
                    let result = self.probe(id, &order);
                    self.visitors.told.push_back((id, ObserverInput::Probed(result)));
                }
                ObserverOutput::Event(event) => self.trace.push(format!("{id} {}", event.text)),
                ObserverOutput::Leave(why) => self.visitors.left.push(why),
                ObserverOutput::WaitUntil(wake) => {
                    let (_, at) = self.visitors.machines.get_mut(&id).expect("it just spoke");
                    *at = wake;
                }
            }
        }
    }

    fn role(&self, id: MemberId) -> String {
        let status = self.view(self.nodes.keys().next().expect("a node").0).status(self.now);
        let of = status.members.into_iter().find(|member| member.id == id);
        let of = of.expect("it is listed");
        assert_eq!(of.kind, if id.0 > 100 { "observer" } else { "controller" });
        of.role
    }
}

#[test]
fn two_of_five_that_are_blind_move_nobody_and_a_third_moves_all() {
    let mut trio = Trio::with_observers();
    trio.blind = [MemberId(2), ONE].into();
    trio.run(Duration::from_secs(10));
    assert!(trio.all_on("east"), "{}", trio.trace.join("\n"));
    assert_eq!(trio.says(ONE, 0), HealthState::Down);
    trio.blind.insert(TWO);
    trio.run_until("moved by one member and two observers", |t| t.all_on("west"));
    let record = trio.view(1).switchovers().next().expect("there is one");
    let voters: Vec<&str> = record.ballots.keys().map(MemberName::as_str).collect();
    assert!(voters.contains(&"probe-1") && voters.contains(&"probe-2"), "{voters:?}");
}

#[test]
fn an_observer_beside_the_members_tells_its_samples_too() {
    let mut trio = Trio::with_observers();
    trio.visitors.asleep = [TWO].into();
    trio.run_until("one is lost", |t| t.role(TWO) == "lost");
    let reply = trio.ask_action(2, Action::Explain(group("shop")));
    let Response::Read(view) = reply else { panic!("{reply:?}") };
    let explained = view.explain(trio.now, &group("shop")).expect("a known group");
    let of = |name: &str| &explained.observers[&MemberName::new(name).expect("a good name")];
    let checks = of("probe-1").checks.as_ref().expect("it answered");
    let web = ServiceName::new("web").expect("a good name");
    let seen = checks[&web][&plane("west")].values().next().expect("one check");
    assert!(!seen.samples.is_empty() && seen.samples[0].error.is_none(), "{seen:?}");
    assert_eq!(of("probe-2").checks, None);
    assert!(!trio.trace.join("").contains("turned away"));
}

#[test]
fn without_the_observers_all_three_members_must_agree_and_when_they_are_back_they_count() {
    let mut trio = Trio::with_observers();
    trio.visitors.asleep = [ONE, TWO].into();
    trio.run_until("both lost", |t| t.role(ONE) == "lost" && t.role(TWO) == "lost");
    trio.blind = [MemberId(2), MemberId(3)].into();
    trio.run(Duration::from_secs(10));
    assert!(trio.all_on("east"), "two of five are no majority");
    trio.visitors.asleep.clear();
    trio.run_until("both back", |t| t.role(ONE) == "observer" && t.says(ONE, 0) == HealthState::Up);
    // One member dead, and the observers make the majority.
    trio.blind.clear();
    trio.kill(MemberId(3));
    trio.set_plane("east", false);
    trio.run_until("moved with a member dead", |t| t.all_on("west"));
}

#[test]
fn a_leaders_death_costs_observers_nothing() {
    let mut trio = Trio::with_observers();
    let leader = trio.leader().expect("one leads");
    trio.set_plane("east", false);
    trio.run(Duration::from_millis(300));
    trio.kill(leader);
    trio.run_until("the next leader hears them", |t| t.all_on("west"));
}

#[test]
fn words_that_are_lost_doubled_or_overtaken_end_where_they_should() {
    for seed in 0..24 {
        let mut trio = Trio::with_observers();
        trio.visitors.chaos = Some(seed);
        trio.kill(MemberId(3));
        trio.set_plane("east", false);
        trio.run_until("moved, by the word of an observer", |t| t.all_on("west"));
        trio.set_plane("east", true);
        trio.run_until("seen by both", |t| {
            [ONE, TWO].iter().all(|id| t.says(*id, 0) == HealthState::Up)
        });
        // What was overtaken must not come back.
        trio.run(Duration::from_secs(5));
        assert_eq!(trio.says(ONE, 0), HealthState::Up, "seed {seed}");
    }
}

#[test]
fn an_observer_that_speaks_as_a_member_or_for_another_is_turned_away() {
    let mut trio = Trio::with_observers();
    let leader = trio.leader().expect("one leads");
    let request = RequestKey { member: ONE, incarnation: Incarnation(1), counter: 1 };
    let epoch = trio.view(1).routes[&group("shop")].epoch;
    let switch = Command::Switch(SwitchCommand {
        request,
        by: "mallory".to_owned(),
        moved: Move { group: group("shop"), to: plane("west"), base: epoch },
        kind: Kind::Forced,
        idempotency: None,
        reason: String::new(),
    });
    let report = Command::Report {
        observer: MemberId(2),
        incarnation: Incarnation(9),
        seq: 1,
        isolated: true,
        states: BTreeMap::new(),
    };
    let raft = PeerMessage::Raft(vec![1, 2, 3]);
    let ahead = PeerMessage::Ahead { committed: 9_999, last: 1 };
    let forged = PeerMessage::forward(&[switch, report]);
    for (turn, message) in forged.into_iter().chain([raft, ahead]).enumerate() {
        // A new process each: people are told once of each.
        trio.start_observer(ONE, 2 + turn as u64);
        trio.run(Duration::from_secs(2));
        let told = |t: &Trio| t.trace.iter().filter(|l| l.contains("was turned away")).count();
        let before = told(&trio);
        trio.inputs.push_back((leader, Input::Peer { from: ONE, frame: message.encode() }));
        trio.run(Duration::from_secs(1));
        assert_eq!(told(&trio), before + 1, "{}", trio.trace.join("\n"));
    }
    assert!(trio.all_on("east") && trio.view(1).switchovers().next().is_none());
    assert_ne!(trio.says(MemberId(2), 0), HealthState::Unknown, "nobody spoke for member 2");
    assert!(trio.leader() == Some(leader));
    // A number that the configuration does not have is nobody.
    let frame = PeerMessage::Suspect(Vec::new()).encode();
    trio.inputs.push_back((leader, Input::Peer { from: MemberId(999), frame }));
    trio.run(Duration::from_secs(1));
}

#[test]
fn an_older_incarnation_than_was_heard_leaves_and_says_what_to_do() {
    let mut trio = Trio::with_observers();
    trio.start_observer(ONE, 7);
    trio.run(Duration::from_secs(5));
    assert!(trio.visitors.left.is_empty());
    trio.start_observer(ONE, 3);
    trio.run_until("it leaves", |t| !t.visitors.left.is_empty());
    assert!(trio.visitors.left[0].contains("incarnation 7"), "{:?}", trio.visitors.left);
}
