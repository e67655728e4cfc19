//! The ledger as a fold: golden bytes, the hard guards one by one, and random logs.

mod access;
mod alarms;
mod asks;
mod bounds;
mod config;
mod golden;
mod questions;
mod random;
mod ratify;
mod requests;
mod switchovers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::kernel::domain::{
    AccessRole, AlarmId, AskId, Epoch, EventId, GroupName, Incarnation, LedgerTime, MemberId,
    MemberName, NotifyName, PlaneName, PrincipalName, QuestionId, ServiceName, SiteName, StatePair,
    SwitchoverId, WallTime,
};
use crate::kernel::health::{Require, Service};
use crate::kernel::switchover::{Event, Kind, State};
use crate::kernel::zone::{CutOff, Soa, ZoneName, ZoneSettings};

fn group(name: &str) -> GroupName {
    GroupName::new(name).expect("a good name")
}

fn plane(name: &str) -> PlaneName {
    PlaneName::new(name).expect("a good name")
}

fn service(name: &str) -> ServiceName {
    ServiceName::new(name).expect("a good name")
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// `"web=du imap=uu"` as states.
fn states(text: &str) -> BTreeMap<ServiceName, StatePair> {
    let pair = |word: &str| {
        let (name, letters) = word.split_once('=').expect("name=letters");
        (service(name), StatePair::from(letters.to_owned()))
    };
    text.split_whitespace().map(pair).collect()
}

fn key(member: u64, counter: u64) -> RequestKey {
    RequestKey { member: MemberId(member), incarnation: Incarnation(1), counter }
}

/// A ledger, and what a leader would add to each entry.
#[derive(Clone, Debug)]
struct Book {
    ledger: Ledger,
    term: u64,
    at: u64,
    seq: u64,
    counter: u64,
}

impl Book {
    /// Configured; nothing is known of any plane.
    fn new() -> Self {
        Self::with(cluster())
    }

    fn with(cluster: Cluster) -> Self {
        let mut book = Self { ledger: Ledger::default(), term: 1, at: 1_000, seq: 0, counter: 0 };
        book.log(vec![Command::Configure(Box::new(cluster))]);
        book
    }

    /// Configured, `shop` automatic, its ballots for the question say: east is down, west is up.
    fn ready() -> (Self, QuestionId) {
        let mut book = Self::new();
        let question = book.ask("shop");
        book.all_vote(question, "web=du");
        (book, question)
    }

    fn entry(&self, commands: Vec<Command>) -> Vec<u8> {
        let envelope = Envelope {
            format: FORMAT,
            at: LedgerTime(self.at),
            wall: WallTime(1_700_000_000_000 + self.at),
            by: MemberId(1),
            commands,
        };
        envelope.encode()
    }

    fn log(&mut self, commands: Vec<Command>) -> Vec<Applied> {
        let bytes = self.entry(commands);
        self.log_bytes(&bytes)
    }

    fn log_bytes(&mut self, bytes: &[u8]) -> Vec<Applied> {
        self.ledger.apply(self.ledger.index() + 1, self.term, bytes)
    }

    /// Ledger time passes: a tick says so.
    fn pass(&mut self, span: Duration) -> Vec<Applied> {
        self.at += u64::try_from(span.as_millis()).expect("a short span");
        self.log(vec![Command::Tick {}])
    }

    fn ask(&mut self, name: &str) -> QuestionId {
        let index = self.ledger.index() + 1;
        let mut asked = question(&[name]);
        if let Command::Question { config, .. } = &mut asked {
            *config = self.ledger.config_version();
        }
        self.log(vec![asked]);
        QuestionId { term: self.term, index }
    }

    fn ballot(&mut self, question: QuestionId, observer: u64, said: &str) -> Command {
        self.seq += 1;
        ballot(question, observer, (1, self.seq), false, said)
    }

    fn all_vote(&mut self, question: QuestionId, said: &str) {
        let ballots = [1, 2, 3].map(|observer| self.ballot(question, observer, said));
        self.log(ballots.to_vec());
    }

    fn report(&mut self, observer: u64, said: &str) -> Vec<Applied> {
        self.seq += 1;
        let command = report(observer, (1, self.seq), false, said);
        self.log(vec![command])
    }

    fn all_report(&mut self, said: &str) {
        for observer in 1..=3 {
            self.report(observer, said);
        }
    }

    fn to(&self, name: &str, target: &str) -> Move {
        let base = self.epoch(name);
        Move { group: group(name), to: plane(target), base }
    }

    fn epoch(&self, name: &str) -> Epoch {
        self.ledger.routes()[&group(name)].epoch
    }

    fn on(&self, name: &str) -> String {
        self.ledger.routes()[&group(name)].plane.to_string()
    }

    fn decide(&mut self, question: QuestionId, name: &str, target: &str) -> Vec<Applied> {
        let moves = vec![self.to(name, target)];
        self.log(vec![Command::Decide { question, moves }])
    }

    /// An operator's switch; what came of it.
    fn switch(&mut self, kind: Kind, name: &str, target: &str) -> Outcome {
        let command = self.switch_command(kind, name, target);
        self.settle(Command::Switch(command))
    }

    fn switch_command(&mut self, kind: Kind, name: &str, target: &str) -> SwitchCommand {
        self.counter += 1;
        SwitchCommand {
            request: key(1, self.counter),
            by: "operator".to_owned(),
            kind,
            moved: self.to(name, target),
            reason: "test".to_owned(),
            idempotency: None,
        }
    }

    fn settle(&mut self, command: Command) -> Outcome {
        let applied = self.log(vec![command]);
        let settled = |change: Applied| match change {
            Applied::Settled(_, outcome) => Some(outcome),
            _ => None,
        };
        applied.into_iter().find_map(settled).expect("a request is settled")
    }

    fn freeze(&mut self, on: bool) -> Command {
        self.counter += 1;
        Command::Freeze {
            request: key(1, self.counter),
            by: "operator".to_owned(),
            groups: BTreeSet::new(),
            on,
            reason: "release".to_owned(),
            for_ms: None,
            abort: false,
        }
    }

    fn drain(&mut self, name: &str, on: bool) -> Command {
        self.counter += 1;
        Command::Drain {
            request: key(1, self.counter),
            by: "operator".to_owned(),
            plane: plane(name),
            on,
            reason: "works".to_owned(),
            for_ms: None,
        }
    }

    fn freeze_for(&mut self, span: Duration, abort: bool) -> Command {
        let Command::Freeze { request, by, groups, on, reason, .. } = self.freeze(true) else {
            unreachable!("it was just made")
        };
        let for_ms = u64::try_from(span.as_millis()).ok();
        Command::Freeze { request, by, groups, on, reason, for_ms, abort }
    }

    fn drain_for(&mut self, name: &str, span: Duration) -> Command {
        let Command::Drain { request, by, plane, on, reason, .. } = self.drain(name, true) else {
            unreachable!("it was just made")
        };
        let for_ms = u64::try_from(span.as_millis()).ok();
        Command::Drain { request, by, plane, on, reason, for_ms }
    }

    fn answer(&mut self, ask: AskId, approve: bool) -> Command {
        self.counter += 1;
        Command::Answer {
            request: key(1, self.counter),
            by: "ann".to_owned(),
            ask,
            approve,
            reason: "seen".to_owned(),
        }
    }

    fn acknowledge(&mut self, alarm: AlarmId) -> Command {
        self.counter += 1;
        Command::Acknowledge {
            request: key(1, self.counter),
            by: "ann".to_owned(),
            alarm,
            reason: "on it".to_owned(),
        }
    }

    /// Under ruleset 3, `shop` asks; its ballots say that east is down and west is up, and people are asked.
    fn asked() -> (Self, QuestionId, AskId) {
        let mut book = Self::with(asking());
        book.log(vec![Command::Raise { ruleset: 3 }]);
        let (question, ask) = book.ask_people();
        (book, question, ask.expect("people are asked"))
    }

    fn ask_people(&mut self) -> (QuestionId, Option<AskId>) {
        let question = self.ask("shop");
        self.all_vote(question, "web=du");
        let moves = vec![self.to("shop", "west")];
        self.log(vec![Command::Ask { question, moves }]);
        (question, self.ledger.groups()[&group("shop")].ask)
    }

    fn token(&mut self, name: &str, change: TokenChange) -> Command {
        self.counter += 1;
        Command::Token {
            request: key(1, self.counter),
            by: "operator".to_owned(),
            name: PrincipalName::new(name).expect("a good name"),
            change,
        }
    }

    fn config_command(&mut self, base: u64, cluster: Cluster) -> ConfigCommand {
        self.counter += 1;
        ConfigCommand {
            request: key(1, self.counter),
            by: "operator".to_owned(),
            reason: "more".to_owned(),
            base,
            text: format!("# {} groups\n", cluster.groups.len()),
            cluster: Box::new(cluster),
        }
    }

    /// Puts a configuration in the place of the one in force; what came of it.
    fn configure(&mut self, cluster: Cluster) -> Outcome {
        let command = self.config_command(self.ledger.config_version(), cluster);
        self.settle(Command::Reconfigure(command))
    }

    fn advance(&mut self, id: SwitchoverId, event: Event) -> Vec<Applied> {
        let question = self.ledger.groups()[&self.ledger.switchovers()[&id].group].question;
        self.log(vec![advance(id, event, question)])
    }

    fn state(&self, id: SwitchoverId) -> State {
        self.ledger.switchovers()[&id].state
    }

    /// The last switchover of a group.
    fn last(&self, name: &str) -> Option<SwitchoverId> {
        self.ledger.groups()[&group(name)].switchover
    }
}

fn question(groups: &[&str]) -> Command {
    let groups = groups.iter().map(|name| group(name)).collect();
    Command::Question { groups, config: 1, why: "test".to_owned() }
}

fn ballot(
    question: QuestionId,
    observer: u64,
    word: (u64, u64),
    isolated: bool,
    said: &str,
) -> Command {
    Command::Ballot {
        question,
        observer: MemberId(observer),
        incarnation: Incarnation(word.0),
        seq: word.1,
        isolated,
        states: states(said),
    }
}

fn report(observer: u64, word: (u64, u64), isolated: bool, said: &str) -> Command {
    Command::Report {
        observer: MemberId(observer),
        incarnation: Incarnation(word.0),
        seq: word.1,
        isolated,
        states: states(said),
    }
}

fn advance(switchover: SwitchoverId, event: Event, question: Option<QuestionId>) -> Command {
    Command::Advance { switchover, event, question, converging: Vec::new(), note: String::new() }
}

fn refused(applied: &[Applied]) -> Vec<&RefusalReason> {
    let mut reasons = Vec::new();
    for change in applied {
        if let Applied::Refused(_, reason) = change {
            reasons.push(reason);
        }
    }
    reasons
}

fn cluster() -> Cluster {
    let site = |name: &str| SiteName::new(name).expect("a good name");
    let address = |id: u64, port: u16| {
        std::net::SocketAddr::from(([10, 1, 0, u8::try_from(id).expect("small")], port))
    };
    let member = |(id, at): (u64, &str)| {
        let member = Member {
            id: MemberId(id),
            name: MemberName::new(at).expect("a good name"),
            site: site(at),
            role: Role::Controller,
            member_address: address(id, 7410),
            api_address: Some(address(id, 7400)),
            dns_address: Some(address(id, 53)),
        };
        (member.id, member)
    };
    let served = |critical| Service { critical, checks: BTreeMap::new(), require: Require::All };
    Cluster {
        name: MemberName::new("test").expect("a good name"),
        planes: ["east", "west"].map(|name| Plane { name: plane(name), site: site(name) }),
        members: [(1, "east"), (2, "west"), (3, "third")].map(member).into(),
        observers: BTreeMap::new(),
        services: [("web", true), ("stats", false), ("imap", true)]
            .map(|(name, critical)| (service(name), served(critical)))
            .into(),
        groups: BTreeMap::from([
            (group("shop"), settings(&["web", "stats"])),
            (group("mail"), settings(&["imap"])),
        ]),
        zones: ["shop", "mail"].map(zone).into(),
        routes: BTreeMap::new(),
        references: BTreeMap::new(),
        notify: BTreeMap::new(),
        timing: Timing {
            tick: Duration::from_millis(50),
            heartbeat: Duration::from_millis(100),
            election_min: Duration::from_millis(500),
            election_max: secs(1),
            question_window: secs(5),
            observer_silence: secs(3),
            reference_interval: secs(1),
            verify_timeout: secs(5),
            request_timeout: secs(5),
        },
    }
}

/// [`cluster`] with groups that ask, and somebody to tell of alarms.
fn asking() -> Cluster {
    let mut asking = cluster();
    for group in asking.groups.values_mut() {
        group.policy.mode = Mode::Ask;
    }
    let kind = NotifyKind::Webhook { url: "http://192.0.2.1/hook".to_owned() };
    let notify = Notify { kind, timeout: secs(5), alive: None };
    asking.notify.insert(NotifyName::new("pager").expect("a good name"), notify);
    asking
}

fn condition(kind: AlarmKind, name: &str) -> Condition {
    Condition {
        kind,
        subject: name.to_owned(),
        group: Some(group("shop")),
        plane: None,
        text: format!("{name} is not moved"),
    }
}

/// A token that operates `shop` until the year 2001.
fn token() -> TokenChange {
    TokenChange::Create {
        role: AccessRole::Operator,
        groups: [group("shop")].into(),
        hash: "00ff".repeat(16),
        expires: Some(WallTime(1_000_000_000_000)),
    }
}

/// [`cluster`] with a group, a service and a zone more.
fn wider() -> Cluster {
    let mut wider = cluster();
    let served = Service { critical: true, checks: BTreeMap::new(), require: Require::All };
    wider.services.insert(service("dav"), served);
    let files = Group { home: plane("west"), ..settings(&["dav"]) };
    wider.groups.insert(group("files"), files);
    let (origin, zone) = zone("files");
    wider.zones.insert(origin, zone);
    wider
}

fn settings(services: &[&str]) -> Group {
    Group {
        services: services.iter().map(|name| service(name)).collect(),
        out_when: OutWhen::AnyCritical,
        home: plane("east"),
        policy: Policy {
            mode: Mode::Auto,
            dwell: secs(10),
            budget: Some(Budget { switches: 2, window: secs(3600) }),
            flap_limit: Some(FlapLimit { downs: 2, window: secs(60) }),
            when_both_down: WhenBothDown::Keep,
            degraded_is_out: false,
            ask_expires: crate::kernel::policy::ASK_EXPIRES,
        },
        on_switch: OnSwitch::Drain,
    }
}

fn zone(name: &str) -> (String, ZoneSettings) {
    let address = |text: &str| vec![text.parse().expect("an address")];
    let origin = format!("{name}.test");
    let settings = ZoneSettings {
        origin: origin.clone(),
        ttl: 5,
        soa: Soa {
            mname: format!("ns1.{origin}"),
            rname: format!("ops.{origin}"),
            refresh: 60,
            retry: 10,
            expire: 3600,
            negative_ttl: 5,
        },
        name_servers: Vec::new(),
        names: vec![ZoneName {
            name: format!("www.{origin}"),
            group: group(name),
            addresses: [("east", "10.0.0.1"), ("west", "10.0.0.2")]
                .map(|(at, text)| (plane(at), address(text)))
                .into(),
        }],
        cut_off: CutOff::ServeStale,
    };
    (origin, settings)
}
