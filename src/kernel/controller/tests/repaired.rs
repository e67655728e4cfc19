//! What is lost, late or out of order is made good.

use super::*;
use crate::kernel::consensus::SnapshotRecord;
use crate::kernel::domain::{
    Epoch, LedgerTime, ProbeFault, ProbeOrder, ProbeResult, ProbeTimings, QuestionId, ServiceName,
    StatePair,
};
use crate::kernel::ledger::{Command, Envelope, Evidence, FORMAT};

fn web() -> ServiceName {
    ServiceName::new("web").expect("a good name")
}

/// One controller alone, that nobody leads: what it is told is all it knows.
struct Alone {
    controller: Controller,
    now: Moment,
    index: u64,
    /// Probes of plane east that wait for their result.
    orders: Vec<ProbeOrder>,
}

impl Alone {
    fn new() -> Self {
        let now = Moment::from_micros(1_000_000);
        let cluster = Arc::new(cluster::cluster(Mode::Auto));
        let mut recovered = Recovered::default();
        recovered.incarnation.0 = 1;
        let boot = Boot {
            me: MemberId(3),
            cluster: Arc::clone(&cluster),
            text: Arc::from(""),
            certificate_until: None,
            recovered,
            seed: 7,
            log_entries: limits::LOG_ENTRIES,
        };
        let controller = Controller::start(now, boot).expect("an empty disk is sound");
        let mut alone = Self { controller, now, index: 0, orders: Vec::new() };
        alone.log(vec![Command::Configure(Box::new(cluster.as_ref().clone()))]);
        alone
    }

    fn entry(commands: Vec<Command>, at: u64) -> bytes::Bytes {
        let by = MemberId(1);
        let (at, wall) = (LedgerTime(at), WallTime(0));
        Envelope { format: FORMAT, at, wall, by, commands }.encode().into()
    }

    /// An entry is applied here, as consensus would have it.
    fn log(&mut self, commands: Vec<Command>) {
        self.index += 1;
        let data = Self::entry(commands, 1_000);
        self.controller.apply_one(self.index, 1, &data);
    }

    /// One turn; the probes of east get this result, those of others succeed.
    fn turn(&mut self, east_up: bool) {
        self.now = self.now + Duration::from_millis(100);
        self.controller.handle(self.now, Input::TimePassed);
        self.collect();
        for order in std::mem::take(&mut self.orders) {
            let up = east_up || order.target.endpoint.host != "10.0.0.1";
            let outcome = if up { Ok(()) } else { Err(ProbeFault::Refused) };
            let timings = ProbeTimings::default();
            let result = ProbeResult { id: order.id, began: self.now, outcome, timings };
            self.controller.handle(self.now, Input::Probed(result));
            self.collect();
        }
    }

    fn collect(&mut self) {
        while let Some(output) = self.controller.poll() {
            if let Output::Probe(order) = output {
                self.orders.push(order);
            }
        }
    }

    fn turns(&mut self, count: usize, east_up: bool) {
        for _ in 0..count {
            self.turn(east_up);
        }
    }

    /// What this observer would say now; each call is a new word of it.
    fn say(&mut self) -> Vec<Command> {
        self.controller.own_words()
    }

    /// The same, of its ballot alone.
    fn next_ballot(&mut self, id: QuestionId) -> Option<Command> {
        let of =
            |said: &Command| matches!(said, Command::Ballot { question, .. } if *question == id);
        self.say().into_iter().find(of)
    }
}

#[test]
fn a_report_that_changed_while_it_was_under_way_is_sent_again() {
    let mut alone = Alone::new();
    alone.turns(10, true);
    alone.now = alone.now + limits::RESEND;
    alone.turn(true);
    let now = alone.now + limits::RESEND;
    alone.controller.now = now;
    alone.now = now;
    let up = alone.say();
    assert!(!up.is_empty());
    alone.log(up);
    assert_eq!(alone.say(), [], "the ledger holds it");
    // Down: the report leaves, and before it is applied the plane is up again.
    alone.turns(5, false);
    alone.now = alone.now + limits::RESEND;
    alone.controller.now = alone.now;
    let down = alone.say();
    assert!(!down.is_empty());
    alone.turns(5, true);
    assert_eq!(alone.say(), [], "the ledger still holds up");
    alone.log(down);
    assert!(!alone.say().is_empty(), "the ledger holds down, and it is up");
}

#[test]
fn a_ballot_that_changed_while_it_was_under_way_is_sent_again() {
    let mut alone = Alone::new();
    alone.turns(10, true);
    let groups = [group("shop")].into();
    alone.log(vec![Command::Question { groups, config: 1, why: "test".to_owned() }]);
    let id = *alone.controller.ledger().questions().keys().next().expect("a question");
    let ballot = |alone: &mut Alone| {
        alone.now = alone.now + limits::RESEND;
        alone.controller.now = alone.now;
        alone.next_ballot(id)
    };
    alone.turns(5, true);
    let up = ballot(&mut alone).expect("a first ballot");
    alone.log(vec![up]);
    alone.turns(5, false);
    let down = ballot(&mut alone).expect("east is down");
    alone.turns(5, true);
    assert_eq!(ballot(&mut alone), None, "the ledger still holds up");
    alone.log(vec![down]);
    let held = alone.controller.ledger().voice(MemberId(3), &web(), 0, Evidence::Ballots(id));
    assert_eq!(held, HealthState::Down);
    assert!(alone.next_ballot(id).is_some(), "the ledger holds down, and it is up");
}

#[test]
fn a_question_that_closed_in_what_a_snapshot_skipped_is_answered_no_more() {
    let mut alone = Alone::new();
    alone.turns(5, true);
    let groups = [group("shop")].into();
    alone.log(vec![Command::Question { groups, config: 1, why: "test".to_owned() }]);
    alone.turns(5, true);
    let id = *alone.controller.ledger().questions().keys().next().expect("a question");
    let mut leader = alone.controller.ledger().clone();
    leader.apply(alone.index + 1, 1, &Alone::entry(vec![Command::Tick {}], 60_000));
    assert!(!leader.questions()[&id].open);
    let index = alone.index + 1;
    let membership = crate::kernel::consensus::Membership::default();
    let data = leader.to_bytes().into();
    alone.controller.restore(&SnapshotRecord { index, term: 1, membership, data });
    alone.turns(5, false);
    alone.controller.now = alone.now + limits::RESEND;
    assert_eq!(alone.next_ballot(id), None);
}

#[test]
fn lost_reports_and_ballots_are_sent_until_the_ledger_holds_them() {
    let mut trio = Trio::steady(Mode::Auto);
    let leader = trio.leader().expect("a leader");
    let others: Vec<MemberId> = trio.nodes.keys().copied().filter(|id| *id != leader).collect();
    trio.mute = others.into_iter().collect();
    trio.set_plane("east", false);
    trio.run(Duration::from_millis(1_500));
    assert!(trio.all_on("east"), "one of three was heard");
    trio.mute.clear();
    trio.run_until("the route on west", |t| t.all_on("west"));
}

#[test]
fn an_observer_that_was_always_wrong_does_not_slow_the_answer_to_a_real_outage() {
    let mut trio = Trio::steady(Mode::Auto);
    trio.blind.insert(MemberId(2));
    // Its words earn the longest pause between two questions.
    trio.run(Duration::from_secs(240));
    assert!(trio.all_on("east"));
    for _ in 0..3 {
        // Until no question is open.
        trio.run_until("a pause", |t| {
            t.nodes.values().all(|n| n.controller.ledger().questions().values().all(|q| !q.open))
        });
        trio.run(Duration::from_secs(2));
    }
    let before = trio.now;
    trio.set_plane("east", false);
    trio.run_until("the route on west", |t| t.all_on("west"));
    let took = trio.now.since(before);
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn what_a_leader_must_not_forget_is_never_dropped() {
    let mut leading = lead::Leading::default();
    for _ in 0..=limits::OUTBOX {
        leading.push(Command::Tick {});
    }
    assert_eq!(leading.outbox.len(), limits::OUTBOX);
    leading.push_own(Command::Tick {});
    assert_eq!(leading.outbox.len(), limits::OUTBOX + 1);
}

#[test]
fn what_others_send_a_leader_is_bounded_in_services_too() {
    let report = |count: usize| {
        let name = |at: usize| ServiceName::new(&format!("s{at}")).expect("a good name");
        Command::Report {
            observer: MemberId(2),
            incarnation: Incarnation(1),
            seq: 1,
            isolated: false,
            states: (0..count).map(|at| (name(at), StatePair::default())).collect(),
        }
    };
    let most = report(limits::OUTBOX_WEIGHT / 4);
    let mut leading = lead::Leading::default();
    for _ in 0..4 {
        leading.push(most.clone());
    }
    assert_eq!(leading.outbox.len(), 4, "up to the limit");
    leading.push(report(1));
    assert_eq!(leading.outbox.len(), 4, "one beyond it");
    leading.push_own(report(1));
    assert_eq!(leading.outbox.len(), 5, "its own it keeps");
}

#[test]
fn a_read_that_ran_out_of_time_leaves_nothing_behind() {
    let mut trio = Trio::steady(Mode::Auto);
    trio.kill(MemberId(2));
    trio.kill(MemberId(3));
    for _ in 0..5 {
        let reply = trio.ask_action(1, Action::Read);
        assert!(matches!(&reply, Response::Refused(r) if r.kind == RefusalKind::Unavailable));
    }
    let reads = &trio.nodes[&MemberId(1)].controller.reads;
    assert!(reads.waiting.is_empty() && reads.confirmed.is_empty(), "{reads:?}");
    assert!(reads.round.as_ref().is_none_or(|round| round.requests.is_empty()), "{reads:?}");
}

#[test]
fn so_many_requests_are_under_way_and_one_more_is_not_taken() {
    let mut trio = Trio::steady(Mode::Auto);
    trio.kill(MemberId(2));
    trio.kill(MemberId(3));
    let now = trio.now;
    let controller = &mut trio.nodes.get_mut(&MemberId(1)).expect("a member").controller;
    let last = RequestId(limits::REQUESTS as u64);
    let mut refused = Vec::new();
    for id in 0..=last.0 {
        let principal = "operator".to_owned();
        let request = ClientRequest { id: RequestId(id), principal, action: Action::Read };
        controller.handle(now, Input::Request(request));
        while let Some(output) = controller.poll() {
            if let Output::Reply { id, .. } = output {
                refused.push(id);
            }
        }
    }
    assert_eq!(refused, [last], "all up to the limit wait for a quorum");
}

#[test]
fn so_many_gateways_are_remembered_and_one_more_is_not() {
    let mut trio = Trio::steady(Mode::Auto);
    let now = trio.now;
    let controller = &mut trio.nodes.get_mut(&MemberId(1)).expect("a member").controller;
    controller.gateways.clear();
    for number in 0..=limits::GATEWAYS {
        assert_eq!(controller.gateways.len(), number, "all up to the limit");
        let report = GatewayReport {
            gateway: GatewayName::new(&format!("edge-{number}")).expect("a good name"),
            incarnation: Incarnation(1),
            groups: ["shop", "made-up"]
                .map(|name| (group(name), Epoch { generation: 1, counter: 1 }))
                .into(),
            connections_failed: 0,
        };
        controller.handle(now, Input::Gateway(report));
    }
    assert_eq!(controller.gateways.len(), limits::GATEWAYS, "and no more");
    let kept = controller.gateways.values().map(|heard| heard.report.groups.len()).max();
    assert_eq!(kept, Some(1), "what it says of groups that there are not is not kept");
}
